"""API keys: who may call, in which workspace, and what they may do there."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reverie.domain.errors import Invalid

__all__ = ["SCOPE_NOUNS", "ApiKey", "allows", "valid_scopes"]

SCOPE_NOUNS: Final = (
    "agents", "audit", "deployments", "dreams", "environments", "files", "findings", "imports",
    "memory_stores", "models", "policies", "proposals", "sessions", "trials", "vaults", "webhooks", "work",
)  # fmt: skip
"""What a scope can be about; each with ``:read`` and ``:write``, and neither includes the other."""

_SCOPE: Final = re.compile(rf"\*|(?:\*|{'|'.join(SCOPE_NOUNS)}):(?:\*|read|write)")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key. The key itself is shown once, when it is made, and kept nowhere.

    ``scopes``: ``agents:read`` …; ``agents:*``, ``*:read`` and ``*`` stand for several.
    ``last_used_at`` may lag by a minute.
    """

    id: str
    workspace: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


def allows(scopes: Collection[str], wanted: str) -> bool:
    """Whether ``scopes`` include ``wanted``, a scope without ``*``."""
    noun, _, verb = wanted.partition(":")
    return any(scope in scopes for scope in (wanted, "*", f"{noun}:*", f"*:{verb}", "*:*"))


def valid_scopes(scopes: Collection[str]) -> tuple[str, ...]:
    """``scopes``, sorted, each once.

    Raises:
        Invalid: there is none, or one that nothing asks for.
    """
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            nouns = ", ".join(SCOPE_NOUNS)
            raise Invalid("scopes", f"NOUN:read, NOUN:write, NOUN:*, *:read or * (NOUN: {nouns})", scope)
    if not scopes:
        raise Invalid("scopes", "at least one", 0)
    return tuple(sorted(set(scopes)))
