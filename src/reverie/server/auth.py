"""Who calls, and what they may: decided from the headers alone, before the body is read."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import anyio.to_thread

from reverie.domain.errors import Unauthenticated
from reverie.domain.keys import ApiKey, allows
from reverie.domain.workspaces import DEFAULT_WORKSPACE

__all__ = ["ALL_SCOPES", "PUBLIC", "Keyring", "Keys", "Principal"]

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
    session_id: str | None = None
    """The session that the key serves, where it was made for a worker: what comes with it, its agent did."""

    @property
    def actor(self) -> str:
        """The caller's name in the audit trail and in memory versions."""
        if self.session_id is not None:
            return f"session:{self.session_id}"
        return "api:local" if self.key_id is None else f"api:{self.key_id}"

    def may(self, scope: str) -> bool:
        """Whether the caller's key allows ``scope``."""
        return allows(self.scopes, scope)


_LOCAL: Final = Principal(None, DEFAULT_WORKSPACE, ALL_SCOPES)


class Keys(Protocol):
    """Where keys are kept: ``workspaces.keys.Keys``."""

    def any(self) -> bool:
        """Whether a key was ever made."""
        ...

    def check(self, token: str, /) -> ApiKey:
        """The key that was sent; raises ``Unauthenticated``."""
        ...


class Keyring:
    """Looks keys up, and remembers for a second what it found, by the key's digest: under load that saves a
    query per request, and a revoked key is refused a second later at most."""

    def __init__(
        self,
        keys: Keys,
        *,
        keyless: bool,
        now: Callable[[], float],
        serves: Callable[[ApiKey], str | None] = lambda key: None,
    ) -> None:
        """
        Args:
            keys: Where keys are kept.
            serves: The session that a key was made for, if it was made for one.
            keyless: Whether, until the first key is made, a caller without one may do everything.
            now: Seconds that only go forward.
        """
        self._keys = keys
        self._keyless = keyless
        self._now = now
        self._serves = serves
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
        if self._keyless and not self._keys.any():
            return _LOCAL
        if token is None:
            raise Unauthenticated(
                "this request has no key: send it as `x-api-key`, or as `Authorization: Bearer …`"
            )
        key = self._keys.check(token)
        return Principal(key.id, key.workspace, frozenset(key.scopes), self._serves(key))
