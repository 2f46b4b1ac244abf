"""Who calls, and what they may: decided from the headers alone, before the body is read."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio.to_thread

from reverie.domain.errors import Unauthenticated
from reverie.domain.workspaces import DEFAULT_WORKSPACE

__all__ = ["ALL_SCOPES", "PUBLIC", "Keyring", "Principal"]

PUBLIC: Final = frozenset({"/health", "/openapi.json"})
"""The paths that anybody may ask; every other one needs a caller, whether it exists or not."""
ALL_SCOPES: Final = frozenset({"*"})

_REMEMBERED: Final = 1.0  # seconds; so long at most a revoked key goes on to work in this process
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request."""

    key_id: str | None
    """The id of the API key; None on loopback without keys."""
    workspace: str
    scopes: frozenset[str]
    """``agents:read`` …; ``agents:*``, ``*`` and ``*:read`` allow several."""

    @property
    def actor(self) -> str:
        """The caller's name in the audit trail and in memory versions."""
        return "api:local" if self.key_id is None else f"api:{self.key_id}"

    def may(self, scope: str) -> bool:
        """Whether the caller's key allows ``scope``."""
        noun, _, verb = scope.partition(":")
        return not self.scopes.isdisjoint((scope, "*", f"{noun}:*", f"*:{verb}"))


_LOCAL: Final = Principal(None, DEFAULT_WORKSPACE, ALL_SCOPES)


class Keyring:
    """Looks keys up, and remembers for a second what it found, by the key's digest: under load that saves a
    query per request, and a revoked key is refused a second later at most."""

    def __init__(
        self,
        check: Callable[[str], Principal],
        any_key: Callable[[], bool],
        *,
        keyless: bool,
        now: Callable[[], float],
    ) -> None:
        """
        Args:
            check: The principal of a key; raises ``Unauthenticated``.
            any_key: Whether there is a key at all.
            keyless: Whether, while there is none, a caller without one may do everything.
            now: Seconds that only go forward.
        """
        self._check = check
        self._any_key = any_key
        self._keyless = keyless
        self._now = now
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    async def principal(self, token: str | None) -> Principal:
        """Who calls with this key, or without one.

        Raises:
            Unauthenticated
        """
        digest = b"" if token is None else hashlib.sha256(token.encode("latin-1", "replace")).digest()
        found = self._known.get(digest)
        if found is not None and self._now() < found[1]:
            return found[0]
        until = self._now() + _REMEMBERED  # from before it was looked up
        principal = await anyio.to_thread.run_sync(self._look_up, token)
        self._known[digest] = (principal, until)
        self._known.move_to_end(digest)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return principal

    def _look_up(self, token: str | None) -> Principal:
        if self._keyless and not self._any_key():
            return _LOCAL
        if token is None:
            raise Unauthenticated(
                "this request has no key: send it as `x-api-key`, or as `Authorization: Bearer …`"
            )
        return self._check(token)
