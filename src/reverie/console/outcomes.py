"""Outcomes of a session: what is wanted, and what was judged of each criterion in each iteration, with its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from reverie.console.visits import Page, Shown, Visit
from reverie.domain.errors import ReverieError
from reverie.domain.events import Event, JsonObject
from reverie.outcomes.rubrics import read_rubric
from reverie.sessions.views import Asking, Place

__all__ = ["PAGES"]

_TYPES: Final = (
    "user.define_outcome",
    "span.outcome_evaluation_start",
    "span.outcome_evaluation_ongoing",
    "span.outcome_evaluation_end",
)
_TWIN: Final = "&".join(f"types[]={name}" for name in _TYPES)
_EVENTS: Final = 1_000
_CRITERIA: Final = 200
_TEXT: Final = 600  # characters of what a grader said in a cell


@dataclass(frozen=True, slots=True)
class _Cell:
    """What was judged of a criterion in an iteration. ``kept``: it was judged in an earlier one and still holds."""

    status: str
    by: str
    proof: JsonObject
    why: str
    kept: int | None
    confidence: float | None


@dataclass(slots=True)
class _Row:
    """A criterion over the iterations: a cell for each, None where it was not judged."""

    id: str
    text: str
    must: bool
    weight: float
    cells: list[_Cell | None] = field(default_factory=list[_Cell | None])


@dataclass(slots=True)
class _Board:
    """One outcome. ``ends`` are its verdicts in order; ``judging`` the iteration that is judged now."""

    id: str
    event: Event | None
    description: str
    rubric: str
    most: int | None
    ends: list[Event] = field(default_factory=list[Event])
    judging: int | None = None
    rows: list[_Row] = field(default_factory=list[_Row])
    trend: str = ""

    @property
    def iterations(self) -> Sequence[JsonObject]:
        return [end.payload for end in self.ends]

    @property
    def result(self) -> str:
        return str(self.ends[-1].payload.get("result") or "") if self.ends else "pending"

    @property
    def at(self) -> datetime | None:
        return self.event.at if self.event is not None else None


def _show(visit: Visit) -> Shown:
    house, wanted = visit.house, visit.path["session_id"]
    seen = house.sessions.get(wanted)
    facts = {
        "title": "Outcomes",
        "row": seen.row,
        "address": f"/sessions/{wanted}",
        "boards": list(_boards(_events(visit, wanted)).values()),
        "poll": seen.row.status in ("running", "rescheduling"),
    }
    return Shown("outcomes.html", facts)


def _events(visit: Visit, session_id: str) -> list[Event]:
    """The events about outcomes, in order; heartbeats are none of them."""
    asking = Asking(types=tuple(name for name in _TYPES if not name.endswith("ongoing")))
    _, _, found = visit.house.sessions.events(session_id, asking, after=Place(), limit=_EVENTS)
    return [event for event in found if isinstance(event, Event)]


def _boards(events: Sequence[Event]) -> dict[str, _Board]:
    boards: dict[str, _Board] = {}
    for event in events:
        told = event.payload
        id = str(told.get("outcome_id") or "")
        if event.type == "user.define_outcome":
            boards[id] = _defined(id, event)
            continue
        board = boards.setdefault(id, _Board(id, None, "", "", None))
        if event.type == "span.outcome_evaluation_end":
            board.ends.append(event)
            board.judging = None
        else:
            board.judging = int(told.get("iteration") or 0)
    for board in boards.values():
        _fill(board)
    return boards


def _defined(id: str, event: Event) -> _Board:
    told = event.payload
    rubric: Any = told.get("rubric")
    text = (
        str(cast(JsonObject, rubric).get("content") or "")
        if isinstance(rubric, Mapping)
        else str(rubric or "")
    )
    return _Board(id, event, str(told.get("description") or ""), text, told.get("max_iterations"))


def _fill(board: _Board) -> None:
    """The rows of the matrix: the rubric's criteria in its order, then whatever else was judged."""
    rows = {row.id: row for row in _criteria(board.rubric)}
    for number, end in enumerate(board.ends):
        for judged in _objects(end.payload.get("criteria"))[:_CRITERIA]:
            id = str(judged.get("id") or "")
            row = rows.setdefault(id, _Row(id, str(judged.get("text") or id), True, 1.0))
            row.text, row.must = str(judged.get("text") or row.text), bool(judged.get("must", row.must))
            row.weight = float(judged.get("weight") or row.weight)
            row.cells += [None] * (number - len(row.cells)) + [_cell(judged, end)]
    for row in rows.values():
        row.cells += [None] * (len(board.ends) - len(row.cells))
    board.rows = list(rows.values())
    board.trend = _trend([end.payload.get("score") for end in board.ends])


def _criteria(rubric: str) -> list[_Row]:
    try:
        found = read_rubric(rubric).criteria if rubric.strip() else ()
    except ReverieError:  # it was taken, so this is none of ours: its verdicts name the criteria
        return []
    return [_Row(each.id, each.text, each.must, each.weight) for each in found[:_CRITERIA]]


def _cell(judged: JsonObject, end: Event) -> _Cell:
    proof: Any = judged.get("proof")
    iteration = int(judged.get("iteration") or 0)
    now = int(end.payload.get("iteration") or 0)
    return _Cell(
        str(judged.get("status") or ""),
        str(judged.get("by") or ""),
        cast(JsonObject, proof) if isinstance(proof, Mapping) else {},
        str(judged.get("reason") or judged.get("change") or "")[:_TEXT],
        iteration if iteration < now else None,
        judged.get("confidence"),
    )


def _objects(told: Any) -> list[JsonObject]:
    if not isinstance(told, list):
        return []
    return [cast(JsonObject, each) for each in cast(list[Any], told) if isinstance(each, Mapping)]


def _trend(scores: Sequence[Any]) -> str:
    """The points of a line of scores, 0 to 1, in a drawing of 100 by 32; empty for fewer than two."""
    told = [(number, float(score)) for number, score in enumerate(scores) if isinstance(score, int | float)]
    if len(told) < 2:
        return ""
    step = 92 / (len(scores) - 1)
    return " ".join(
        f"{4 + number * step:.1f},{28 - 24 * min(1.0, max(0.0, score)):.1f}" for number, score in told
    )


PAGES: Final = (
    Page("GET", "/sessions/{session_id}/outcomes", _show, "sessions:read",
         f"/v1/sessions/{{session_id}}/events?{_TWIN}"),
)  # fmt: skip
