"""Cases: the rows behind a question (calls of one tool, or sessions) as a table of what was known before.

Columns are a call's arguments under their own names, how many calls of its session had worked before it,
and what was known of the session when it began; an attribute of the session that shares its name with an
argument is called ``session.<name>``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from math import isfinite
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from reverie.domain.events import Scalar
from reverie.domain.observations import Observation
from reverie.mining.conditional.arrays import Floats, Ints
from reverie.mining.conditional.standing import stands_for
from reverie.mining.conditional.table import Column, Table
from reverie.mining.evidence import strata_of

__all__ = ["CHARS", "CLOCK", "WORKED_BEFORE", "Cases"]

CHARS: Final = "_chars"
WORKED_BEFORE: Final = "calls_worked_before"
CLOCK: Final = ("hour", "weekday")


@dataclass(frozen=True, slots=False)
class Cases:
    """Rows in order of time. ``places`` gives each row's session as an index into ``sessions``.

    ``given`` are a row's own attributes (a call's arguments), ``at`` its time. ``given_before`` is what
    ``Column.known_before`` says of the given ones. ``before`` are, of calls, the tools that had worked in
    the session, with how often any had; ``tried`` those that had been called. ``work`` says what kind of work a session is, where no task does. ``own``
    are the names of a row's given ones that agents came up with themselves.
    """

    sessions: Sequence[Observation]
    places: Ints
    given: Sequence[Mapping[str, Scalar]]
    at: Sequence[datetime | None]
    given_before: bool | None = True
    before: Sequence[tuple[frozenset[str], int]] = ()
    tried: Sequence[frozenset[str]] = ()
    work: Sequence[str] = ()
    own: Sequence[Collection[str]] = ()

    def __len__(self) -> int:
        return len(self.places)

    def session(self, row: int) -> Observation:
        return self.sessions[int(self.places[row])]

    @cached_property
    def table(self) -> Table:
        columns = self._columns()
        return Table(tuple(c for c in columns if c.name not in self.stand_ins), len(self))

    @cached_property
    def stand_ins(self) -> frozenset[str]:
        """Attributes that tell which memory sessions had: what goes with them may be what memory did."""
        if not self.eras.any():
            return frozenset()
        return frozenset(column.name for column in self._columns() if stands_for(column, self.eras))

    def _columns(self) -> Sequence[Column]:
        own = [replace(column, known_before=self.given_before) for column in self._own_columns()]
        taken = {column.name for column in own}
        shared = [
            replace(column, name=f"session.{column.name}") if column.name in taken else column
            for column in (*self._before_columns(), *self._session_columns(), *self._clock_columns())
        ]
        return sorted((*own, *shared), key=lambda c: c.name)

    @cached_property
    def eras(self) -> Ints:
        """Which memory each row's session had, in order of time (``mining.eras``)."""
        names = sorted({o.memory or "" for o in self.sessions})
        return np.array([names.index(o.memory or "") for o in self.sessions], dtype=np.int64)[self.places]

    @cached_property
    def users(self) -> Ints:
        return _codes([o.user for o in self.sessions])[self.places]

    @cached_property
    def session_codes(self) -> Ints | None:
        """None where every row is a session of its own."""
        return None if len(self.sessions) == len(self) else self.places

    @cached_property
    def times(self) -> Floats:
        """Seconds; NaN where no time is known."""
        return np.array([np.nan if at is None else at.timestamp() for at in self.at], dtype=np.float64)

    @cached_property
    def strata(self) -> tuple[str | None, Ints | None]:
        """``comparable``, and of one era: sessions that had other memory are not alike."""
        name, codes = self.comparable
        if name == "session" or not self.eras.any():
            return name, codes
        if codes is None:
            return "era of memory", self.eras
        both = codes * (int(self.eras.max()) + 1) + self.eras
        return name, np.unique(both, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def comparable(self) -> tuple[str | None, Ints | None]:
        """The name of what makes sessions comparable, and each row's stratum (a row without: one of its own).

            Where most sessions have none to be compared with, the calls of one session are compared, or sessions that
        begin with the same tool.
        """
        name, stratum = strata_of(self.sessions)
        codes = _codes([stratum(o) or o.session_id for o in self.sessions])
        if name is not None and 2 * int((np.bincount(codes)[codes] > 1).sum()) >= len(codes):
            return name, codes[self.places]
        if self.session_codes is not None:
            return "session", self.places
        return ("first_tool", _codes(self.work)[self.places]) if self.work else (None, None)

    # ------------------------------------------------------------------ columns

    def _own_columns(self) -> list[Column]:
        names = dict.fromkeys(name for row in self.given for name in row)
        values = {name: [row.get(name) for row in self.given] for name in sorted(names)}
        for name, lengths in values.items():
            texts = values.get(name.removesuffix(CHARS)) if name.endswith(CHARS) else None
            if texts is not None:  # only long texts come with their length
                for row, text in enumerate(texts):
                    if lengths[row] is None and isinstance(text, str):
                        lengths[row] = len(text)
        return [_column(name, column) for name, column in values.items()]

    def _before_columns(self) -> list[Column]:
        return [_column(WORKED_BEFORE, [times for _, times in self.before])] if self.before else []

    def _session_columns(self) -> list[Column]:
        names = sorted({name for o in self.sessions for name in o.attributes} - set(CLOCK))
        columns = [_column(name, [o.attributes.get(name) for o in self.sessions]) for name in names]
        return [replace(column, values=column.values[self.places]) for column in columns]

    def _clock_columns(self) -> list[Column]:
        """Hour and weekday of each row where it has a time, in the zone in which its session's were told."""
        told = [
            _clock(self.session(row), at) or tuple(self.session(row).attributes.get(name) for name in CLOCK)
            for row, at in enumerate(self.at)
        ]
        columns = [_column(name, [one[i] for one in told]) for i, name in enumerate(CLOCK)]
        return [column for column, name in zip(columns, CLOCK, strict=True) if self._is_told(name)]

    def _is_told(self, name: str) -> bool:
        return any(name in o.attributes for o in self.sessions)


def _codes(labels: Sequence[str | None]) -> Ints:
    """Integer codes in order of first appearance; those without a label are one group."""
    index: dict[str | None, int] = {}
    return np.array([index.setdefault(label, len(index)) for label in labels], dtype=np.int64)


def _clock(session: Observation, at: datetime | None) -> tuple[Scalar, Scalar] | None:
    if at is None:
        return None
    try:
        local = at.astimezone(_zone(session.timezone))
    except (OverflowError, ValueError):
        return None
    return local.hour, local.strftime("%A")


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _column(name: str, values: Sequence[Scalar]) -> Column:
    numbers = _as_numbers(values)
    hours = [name] if _is_hours(name, values if numbers is None else numbers) else []
    return Table.from_values({name: values if numbers is None else numbers}, hours=hours).columns[0]


def _as_numbers(values: Sequence[Scalar]) -> Sequence[Scalar] | None:
    """Numbers written as text, where all the values are: "62" is a size, "062" a name."""
    read: dict[Scalar, float | None] = {}
    for value in values:
        if isinstance(value, str) and value not in read:
            read[value] = _number(value)
            if read[value] is None:
                return None
        elif isinstance(value, bool):
            return None
    return [read[v] if isinstance(v, str) else v for v in values] if read else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    plain = text.lstrip("-")
    written = plain[:1].isdigit() and (plain[:1] != "0" or plain[1:2] in ("", "."))
    return number if written and isfinite(number) else None


def _is_hours(name: str, values: Sequence[Scalar]) -> bool:
    """Whether an attribute's name and values say hours of the day."""
    if name.rpartition(".")[2] not in ("hour", "hour_of_day"):
        return False
    return all(
        isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 24
        for v in values
        if v is not None
    )
