"""The pile that waits for decisions, as one looks at it: filtered, grouped, and a stretch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reverie.domain.proposals import Brief, ProposalKind, ProposalStatus
from reverie.storage import pile as rows
from reverie.storage.database import Database
from reverie.storage.pile import Wanted

__all__ = ["Look", "Pile", "Wanted"]


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the pile. ``fitting`` are the ids of all that fit, in order, ``at`` the place among them of the
    one that is looked at (from 0; None: it is not among them), ``near`` what is around it, from place
    ``first``. ``kinds`` counts everything that waits, whether it fits or not."""

    kinds: Mapping[ProposalKind, int]
    fitting: tuple[str, ...]
    at: int | None
    first: int
    near: tuple[Brief, ...]

    @property
    def total(self) -> int:
        """How many wait."""
        return sum(self.kinds.values())

    def beside(self, step: int) -> str | None:
        """The id of the proposal so many places after the one that is looked at."""
        there = -1 if self.at is None else self.at + step
        return self.fitting[there] if 0 <= there < len(self.fitting) else None


class Pile:
    """The proposals of a workspace that wait."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def look(
        self, wanted: Wanted, at: str | None = None, *, near: int = 40, status: ProposalStatus = "pending"
    ) -> Look:
        """The pile around proposal ``at`` (None: around its first), ``near`` proposals on either side."""
        with self._db.read() as conn:
            fitting = rows.places(conn, status, wanted)
            place = fitting.index(at) if at in fitting else (0 if at is None and fitting else None)
            first = max(0, (place or 0) - near)
            shown = rows.briefs(conn, fitting[first : (place or 0) + near + 1])
            return Look(rows.tally(conn, status), tuple(fitting), place, first, tuple(shown))
