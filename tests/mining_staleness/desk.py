"""A court portal and its clerks, as the observer sees them: who uploaded what, checked in or not, and how it went."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from reverie.domain.events import Event, text_parts
from reverie.domain.findings import Citation
from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory, content_sha256
from reverie.domain.observations import Observation
from reverie.domain.sessions import Session, SessionInfo
from reverie.mining.observe import SessionObserver

FIRST_DAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
REFUSAL = "409 Conflict: document is not checked in to the register"
BUSY = "503 Service busy, try again later"

Step = tuple[str, str | None]
"""(tool or shell command, the error it answers with)."""


def session(
    number: int, steps: Sequence[Step], user: str | None, at: datetime | None, repository: str = "desk"
) -> tuple[Observation, list[Event]]:
    """One session through the real observer, with its events. A step with a space is a shell command."""
    session_id = derived_id("sesn", "test", str(number))
    events: list[Event] = []

    def add(kind: str, payload: dict[str, object]) -> None:
        seq = len(events) + 1
        when = at + timedelta(seconds=seq) if at else None
        events.append(
            Event(
                derived_id("sevt", session_id, str(seq)),
                session_id,
                seq,
                kind,
                payload,
                str(seq),
                when,
                "",
                None,
                b"",
            )
        )  # type: ignore[arg-type]

    for i, (what, error) in enumerate(steps):
        tool, given = ("Bash", {"command": what}) if " " in what else (what, {"document": f"doc-{number}"})
        add("agent.tool_use", {"tool_use_id": f"u{i}", "name": tool, "input": given})
        content = [{"type": "text", "text": error or "done"}]
        add("agent.tool_result", {"tool_use_id": f"u{i}", "content": content, "is_error": error is not None})
    info = SessionInfo(
        "claude-code", str(number), agent="clerk", user=user, repository=repository, started_at=at
    )
    return SessionObserver().observe(Session(session_id, info, len(events), session_id), events), events


class Desk:
    """Sessions one after the other, eight hours apart, by five clerks in turn of a seeded die."""

    def __init__(self, seed: int = 1, clerks: int = 5) -> None:
        self.dice = random.Random(seed)
        self.clerks = [f"clerk-{i}" for i in range(clerks)]
        self.observations: list[Observation] = []
        self.events: dict[str, Event] = {}

    @property
    def now(self) -> datetime:
        return FIRST_DAY + timedelta(hours=8 * len(self.observations))

    def work(self, count: int, steps: Callable[[random.Random, str], Sequence[Step]], **changes: str) -> Desk:
        for _ in range(count):
            clerk = self.dice.choice(self.clerks)
            observation, events = session(
                len(self.observations),
                steps(self.dice, clerk),
                changes.get("user", clerk),
                self.now,
                changes.get("repository", "desk"),
            )
            self.observations.append(observation)
            self.events |= {e.id: e for e in events}
        return self

    def quote(self, citation: Citation) -> str:
        event = self.events[citation.span.event_id]
        part = next(p for p in text_parts(event.type, event.payload) if p.path == citation.span.path)
        return part.text[citation.span.start : citation.span.end]


def uploads(
    checks_in: float, *, needed: bool = True, busy: float = 0.0
) -> Callable[[random.Random, str], list[Step]]:
    """A session that uploads, after a check-in with probability ``checks_in``; refused without one while it is ``needed``."""

    def steps(dice: random.Random, clerk: str) -> list[Step]:
        ready = dice.random() < checks_in
        begun: list[Step] = [("open_document", None), *([("check_in", None)] if ready else [])]
        if needed and not ready:
            return [*begun, ("upload", REFUSAL), ("check_in", None), ("upload", None)]
        return [*begun, ("upload", BUSY if dice.random() < busy else None)]

    return steps


def memory(path: str, content: str, at: datetime = FIRST_DAY) -> Memory:
    return Memory(f"mem_{path}", "memstore_1", path, content, content_sha256(content), "memver_1", 1, at)


CHECK_IN = """---
kind: note
description: when you upload
idea: "mistake:error:409 Conflict: document is not checked in to the register"
scope:
  repository: desk
---

# Call `check_in` before `upload`

Call `check_in` before `upload`.

What it looks like:

> 409 Conflict: document is not checked in to the register
"""
