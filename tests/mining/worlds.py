"""Small sessions made by hand: what a test says happened, as events in a log."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from reverie.domain.events import Event, EventType, text_parts
from reverie.domain.findings import Citation, Finding
from reverie.domain.ids import derived_id
from reverie.domain.observations import Observation, Span
from reverie.domain.sessions import Outcome, Session, SessionInfo
from reverie.mining.observe import SessionObserver
from reverie.plugins import Corpus, Miner

START = datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC)
_numbers = itertools.count()


@dataclass
class Book:
    """One session being written. Every method adds one event; time goes on by a minute each."""

    name: str = ""
    format: str = "claude-code"
    user: str | None = None
    agent: str | None = "agent"
    task: str | None = None
    repository: str | None = None
    start: datetime | None = START
    outcome_label: str = "unknown"
    timezone: str | None = None
    cwd: str | None = None
    events: list[Event] = field(default_factory=list)
    thread: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or f"s{next(_numbers):06d}"
        self.id = derived_id("sesn", self.format, self.name)

    def add(self, type: EventType, payload: Mapping[str, Any], at: datetime | None = None) -> Event:
        seq = len(self.events) + 1
        when = at or (self.start + timedelta(minutes=seq) if self.start else None)
        event_id = derived_id("sevt", self.id, str(seq))
        event = Event(event_id, self.id, seq, type, payload, str(seq), when, self.thread, None, b"")
        self.events.append(event)
        return event

    def user_says(self, text: str) -> Event:
        return self.add("user.message", {"content": [{"type": "text", "text": text}]})

    def says(self, text: str) -> Event:
        return self.add("agent.message", {"content": [{"type": "text", "text": text}]})

    def use(self, tool: str, /, **given: Any) -> str:
        use_id = f"use{len(self.events)}"
        self.add("agent.tool_use", {"tool_use_id": use_id, "name": tool, "input": given})
        return use_id

    def result(
        self, use_id: str, text: str, *, is_error: bool = False, exit_code: int | None = None
    ) -> Event:
        payload: dict[str, Any] = {
            "tool_use_id": use_id,
            "content": [{"type": "text", "text": text}],
            "is_error": is_error,
        }
        if exit_code is not None:
            payload["exit_code"] = exit_code
        return self.add("agent.tool_result", payload)

    def call(
        self,
        tool: str,
        /,
        answer: str = "done",
        *,
        is_error: bool = False,
        exit_code: int | None = None,
        **given: Any,
    ) -> Event:
        return self.result(self.use(tool, **given), answer, is_error=is_error, exit_code=exit_code)

    def bash(
        self, command: str, output: str = "", *, is_error: bool = False, exit_code: int | None = None
    ) -> Event:
        return self.call("Bash", output, is_error=is_error, exit_code=exit_code, command=command)

    def deny(self, use_id: str, message: str | None = None) -> None:
        self.result(use_id, "The user doesn't want to proceed with this tool use.", is_error=True)
        payload: dict[str, Any] = {"tool_use_id": use_id, "result": "deny"}
        self.add("user.tool_confirmation", payload | ({"deny_message": message} if message else {}))

    @property
    def session(self) -> Session:
        info = SessionInfo(
            self.format,
            self.name,
            agent=self.agent,
            user=self.user,
            task=self.task,
            repository=self.repository,
            started_at=self.start,
            timezone=self.timezone,
            cwd=self.cwd,
            outcome=Outcome(self.outcome_label),  # type: ignore[arg-type]
        )
        digest = hashlib.sha256(repr([(e.type, e.id, e.at) for e in self.events]).encode()).hexdigest()
        return Session(self.id, info, len(self.events), digest)

    def observed(self) -> Observation:
        return SessionObserver().observe(self.session, self.events)

    # what the simulated desk asks of a session logger
    def user_(self, text: str) -> None:
        self.user_says(text)

    def quote(self, span: Span) -> str:
        event = next(e for e in self.events if e.id == span.event_id)
        part = next(p for p in text_parts(event.type, event.payload) if p.path == span.path)
        return part.text[span.start : span.end]


def corpus(books: Sequence[Book]) -> Corpus:
    """The observed sessions, as a dream hands them to miners."""
    return Corpus(sorted((b.observed() for b in books), key=lambda o: o.session_id))


def mined(miner: Miner, books: Sequence[Book]) -> list[Finding]:
    return list(miner.mine(corpus(books)))


def quotes(books: Sequence[Book], citations: Sequence[Citation]) -> list[str]:
    by_id = {b.id: b for b in books}
    return [by_id[c.session_id].quote(c.span) for c in citations]


class DeskLog:
    """A session logger over a ``Book``, for ``reverie.testing.desk``."""

    def __init__(self, book: Book, clock: Any) -> None:
        self.book, self.clock = book, clock
        self._use = ""

    def user(self, text: str) -> None:
        self.book.add("user.message", {"content": [{"type": "text", "text": text}]}, self.clock())

    def message(self, text: str) -> None:
        self.book.add("agent.message", {"content": [{"type": "text", "text": text}]}, self.clock())

    def action(self, name: str, **arguments: object) -> None:
        self._use = f"use{len(self.book.events)}"
        self.book.add(
            "agent.tool_use", {"tool_use_id": self._use, "name": name, "input": arguments}, self.clock()
        )

    def result(self, text: str) -> None:
        self._answer(text, False)

    def error(self, text: str) -> None:
        self._answer(text, True)

    def _answer(self, text: str, is_error: bool) -> None:
        content = [{"type": "text", "text": text}]
        self.book.add(
            "agent.tool_result",
            {"tool_use_id": self._use, "content": content, "is_error": is_error},
            self.clock(),
        )

    def outcome(self, label: str) -> None:
        self.book.outcome_label = label
        self.book.add("session.outcome", {"label": label, "label_source": "agent"}, self.clock())


def desk(sessions: int, seed: int = 7) -> list[Book]:
    """The simulated document desk, as books."""
    from reverie.testing.desk import DeskClock, file_documents

    clock = DeskClock()
    books: list[Book] = []

    @contextmanager
    def session(goal: str, **facts: Any) -> Iterator[DeskLog]:
        book = Book(
            facts["native_id"],
            format="reverie",
            user=facts["user"],
            agent=facts["agent"],
            repository=facts["repository"],
            start=clock.now,
        )
        books.append(book)
        yield DeskLog(book, clock)

    for _ in file_documents(session, clock=clock, sessions=sessions, seed=seed):
        pass
    return books
