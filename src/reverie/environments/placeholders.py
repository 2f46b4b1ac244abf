"""Secrets that a sandbox never sees: it holds placeholders, which become the values on the way out.

Covered are the headers of a request (Basic authentication included) and, where a secret says so, its body;
not its URL, and no protocol but HTTP. A host that a secret is for might say aloud what it was told: values in
what comes back become placeholders again, unless the host compresses or encodes them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from reverie.environments.destinations import matches
from reverie.plugins import Injected

__all__ = ["Header", "Mask", "Placeholders"]

Header = tuple[bytes, bytes]

_PREFIX: Final = "reverie-secret-"
_SHORTEST_MASKED: Final = 8  # a shorter value is found in text that has nothing to do with it


class Placeholders:
    """The secrets of one sandbox. A placeholder is the same whenever a sandbox of that id is opened, so that
    a file into which it was written goes on working."""

    def __init__(self, sandbox_id: str, secrets: Sequence[Injected]) -> None:
        self._secrets = [(_placeholder(sandbox_id, each.name), each) for each in secrets]

    @property
    def variables(self) -> Mapping[str, str]:
        """What the sandbox is given in place of the secrets."""
        return {secret.name: placeholder.decode() for placeholder, secret in self._secrets}

    def concern(self, host: str) -> bool:
        """Whether a secret may be sent to this host."""
        return any(_is_for(secret, host) for _, secret in self._secrets)

    def change_body(self, host: str) -> bool:
        """Whether the body of a request to this host has to be looked at."""
        return any(secret.body and _is_for(secret, host) for _, secret in self._secrets)

    def in_headers(self, host: str, headers: Sequence[Header]) -> list[Header]:
        """Headers with the values in place of the placeholders."""
        swaps = [(p, s.value.encode()) for p, s in self._secrets if s.header and _is_for(s, host)]
        return [(name, _swapped_header(value, swaps)) for name, value in headers]

    def in_body(self, host: str, body: bytes) -> bytes:
        """A body with the values in place of the placeholders."""
        return _swapped(
            body, [(p, s.value.encode()) for p, s in self._secrets if s.body and _is_for(s, host)]
        )

    def mask(self, host: str) -> Mask:
        """What hides the values again in one answer of a host."""
        swaps = [(s.value.encode(), p) for p, s in self._secrets if _is_for(s, host)]
        return Mask([(value, p) for value, p in swaps if len(value) >= _SHORTEST_MASKED])


class Mask:
    """Hides values in a stream of bytes, wherever it is cut."""

    def __init__(self, swaps: Sequence[tuple[bytes, bytes]]) -> None:
        self._swaps = swaps
        self._kept = b""

    @property
    def hides(self) -> bool:
        """Whether anything can change, lengths with it."""
        return bool(self._swaps)

    def headers(self, headers: Sequence[Header]) -> list[Header]:
        """Headers without the values."""
        return [(name, _swapped(value, self._swaps)) for name, value in headers]

    def feed(self, data: bytes) -> bytes:
        """What is certain by now; an end that may be the beginning of a value is kept back."""
        text = _swapped(self._kept + data, self._swaps)
        keep = max((_overlap(text, value) for value, _ in self._swaps), default=0)
        self._kept = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> bytes:
        """What was kept back."""
        kept, self._kept = self._kept, b""
        return kept


def _overlap(text: bytes, value: bytes) -> int:
    """How many bytes at the end of a text are the beginning of a value."""
    return next((n for n in range(min(len(text), len(value) - 1), 0, -1) if text.endswith(value[:n])), 0)


def _placeholder(sandbox_id: str, name: str) -> bytes:
    return (_PREFIX + hashlib.sha256(f"{sandbox_id}\0{name}".encode()).hexdigest()[:32]).encode()


def _is_for(secret: Injected, host: str) -> bool:
    return secret.hosts is None or matches(host, secret.hosts)


def _swapped(text: bytes, swaps: Sequence[tuple[bytes, bytes]]) -> bytes:
    for placeholder, value in swaps:
        text = text.replace(placeholder, value)
    return text


def _swapped_header(value: bytes, swaps: Sequence[tuple[bytes, bytes]]) -> bytes:
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() == b"basic":
        try:
            plain = base64.b64decode(rest.strip(), validate=True)
        except binascii.Error:
            return value
        after = _swapped(plain, swaps)
        return value if after == plain else scheme + b" " + base64.b64encode(after)
    return _swapped(value, swaps)
