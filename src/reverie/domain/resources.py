"""Resources: what a workspace holds besides sessions and memory (agents, environments, vaults, files …).

All of them are kept alike, because they live alike: made, read, changed under an optimistic lock,
archived, deleted, listed by time. What is particular to a kind is in its ``body``, which a service in
``workspaces/`` understands and nobody below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from reverie.domain.clock import iso
from reverie.domain.events import JsonObject

__all__ = ["ALWAYS", "Cursor", "Period", "Resource"]

Cursor: TypeAlias = tuple[datetime, str]
"""A place in a list by time: (created_at, id) of the last one shown."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time; None on a side leaves it open. ``gt`` and ``lt`` exclude the instant itself."""

    gt: datetime | None = None
    gte: datetime | None = None
    lt: datetime | None = None
    lte: datetime | None = None

    def bounds(self) -> Iterator[tuple[str, str]]:
        """What a time, written as ``iso`` writes it, must fulfil: ``(">=", "2026-…Z")``, at most one a side."""
        for sign, at in ((">", self.gt), (">=", self.gte), ("<", self.lt), ("<=", self.lte)):
            if at is not None:
                yield sign, iso(at)


ALWAYS: Final = Period()


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it is now.

    ``kind`` is a word of the service that keeps it ("agent", "vault" …), ``parent`` the id of what it
    belongs to (the vault of a credential) and ``status`` a state of its kind's machine; lists filter by all
    three. ``version`` counts changes from 1; where bodies are kept, only changes of the body. ``body`` is
    what the client said of it, validated, in the field names of the wire.
    """

    id: str
    workspace: str
    kind: str
    parent: str | None
    status: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    body: JsonObject
