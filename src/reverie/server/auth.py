"""Who calls, and what they may: decided from the headers alone, before the body is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ALL_SCOPES", "PUBLIC", "Principal"]

PUBLIC: Final = frozenset({"/health", "/openapi.json"})
"""The routes that anybody may ask; every other path needs a caller, whether it exists or not."""
ALL_SCOPES: Final = frozenset({"*"})


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
