"""The simulated document desk at any size, recorded in bulk instead of event by event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reverie.app import Reverie
from reverie.domain.events import NewEvent
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.testing.desk import DeskClock, file_documents

__all__ = ["fill"]


class _Notes:
    """A session logger that keeps a whole session in memory and hands it over at the end."""

    def __init__(self, clock: DeskClock) -> None:
        self._clock = clock
        self.events: list[NewEvent] = []
        self.label = "unknown"

    def user(self, text: str) -> None:
        self._add("user.message", {"content": [{"type": "text", "text": text}]})

    def message(self, text: str) -> None:
        self._add("agent.message", {"content": [{"type": "text", "text": text}]})

    def action(self, name: str, **arguments: object) -> None:
        self._call = f"call_{len(self.events)}"
        self._add("agent.tool_use", {"tool_use_id": self._call, "name": name, "input": arguments})

    def result(self, text: str) -> None:
        self._answer(text, False)

    def error(self, text: str) -> None:
        self._answer(text, True)

    def outcome(self, label: str) -> None:
        self.label = label

    def _answer(self, text: str, failed: bool) -> None:
        content = [{"type": "text", "text": text}]
        self._add("agent.tool_result", {"tool_use_id": self._call, "content": content, "is_error": failed})

    def _add(self, kind: Any, payload: dict[str, object]) -> None:
        self.events.append(NewEvent(kind, payload, f"e{len(self.events)}", self._clock()))


def fill(rv: Reverie, sessions: int, seed: int = 7) -> None:
    """``sessions`` sessions of the desk into an open database."""
    clock = DeskClock()

    @contextmanager
    def session(goal: str, **facts: Any) -> Iterator[_Notes]:
        notes, began = _Notes(clock), clock()
        yield notes
        info = SessionInfo(
            "reverie",
            goal=goal,
            started_at=began,
            ended_at=clock(),
            outcome=Outcome(notes.label, None, "desk"),  # type: ignore[arg-type]
            **facts,
        )
        rv.log.record(Transcript(info, notes.events))

    for _ in file_documents(session, clock=clock, sessions=sessions, seed=seed):
        pass
