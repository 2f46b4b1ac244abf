"""The state of a session is the fold of its log, whatever happened in whatever order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import UsageError
from reverie.domain.events import PRIMARY_THREAD, NewEvent
from reverie.domain.sessions import SessionInfo
from reverie.sessions.accepting import ClientEvent
from reverie.sessions.feed import Feed
from reverie.sessions.live import FORMAT, LiveSessions, NewSession
from reverie.sessions.log import SessionLog
from reverie.sessions.status import SessionState, fold, session_status, stop_reason
from reverie.storage.codec import loads
from reverie.storage.database import Database
from reverie.storage.text import json_text

CONTENT: Any = [{"type": "text", "text": "x"}]
USAGE = {"input_tokens": 3, "output_tokens": 2}


class Desk:
    """A database, and sessions in it whose clock goes on by a second at each look."""

    def __init__(self, db: Database) -> None:
        self.seconds, self.random, self.numbers = itertools.count(), random.Random(5), itertools.count()
        self.log = SessionLog(db, clock=self.clock)
        self.db = db
        self.live = LiveSessions(
            db, Feed(db), lambda *_: None, clock=self.clock, entropy=self.random.randbytes
        )

    def clock(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=next(self.seconds))

    def session(self, *, self_hosted: bool) -> str:
        found = f"sesn_{next(self.numbers)}"
        info = SessionInfo(FORMAT, found, agent="a")
        new = NewSession(found, info, {"budget": None}, "a", self_hosted=self_hosted)
        self.db.write(lambda conn: self.live.start(conn, new))
        return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Database.open(Path(tmp_path_factory.mktemp("fold")) / "r.db") as db:
        yield Desk(db)


class Story:
    """One session, and things that happen to it: those that its state does not allow are refused."""

    def __init__(self, desk: Desk, *, self_hosted: bool) -> None:
        self.live, self.id = desk.live, desk.session(self_hosted=self_hosted)
        self.keys = itertools.count()

    def tell(self, what: str, number: int) -> None:
        state = self.live.state(self.id)
        threads = [name for name, thread in state.threads.items() if thread.status != "terminated"]
        thread = threads[number % len(threads)] if threads else PRIMARY_THREAD
        calls = list(state.pending)
        call = calls[number % len(calls)] if calls else "sevt_none"
        try:
            getattr(self, what)(thread, call)
        except UsageError:
            assert self.live.state(self.id) == state, "what is refused leaves no trace"

    def message(self, thread: str, call: str) -> None:
        self._send("user.message", content=CONTENT)

    def take(self, thread: str, call: str) -> None:
        self.live.take(self.id)

    def run(self, thread: str, call: str) -> None:
        self.live.turn(self.id, "running", thread=thread)

    def rest(self, thread: str, call: str) -> None:
        self.live.turn(self.id, "idle", thread=thread)

    def spend(self, thread: str, call: str) -> None:
        self.live.turn(self.id, "idle", thread=thread, stop={"type": "budget_reached"})

    def reschedule(self, thread: str, call: str) -> None:
        self.live.turn(self.id, "rescheduling", thread=thread)

    def child(self, thread: str, call: str) -> None:
        self.live.open_thread(self.id, {"name": "helper"})

    def end_child(self, thread: str, call: str) -> None:
        if thread:
            self.live.archive_thread(self.id, thread)

    def close_child(self, thread: str, call: str) -> None:
        if thread:
            self.live.advance(self.id, lambda page: page.close_thread(thread), lambda conn: None)

    def custom(self, thread: str, call: str) -> None:
        self._call("agent.custom_tool_use", thread, name="n", input={})

    def ask(self, thread: str, call: str) -> None:
        self._call("agent.tool_use", thread, name="bash", input={}, evaluated_permission="ask")

    def use(self, thread: str, call: str) -> None:
        self._emit("agent.tool_use", thread, name="web_fetch", input={}, evaluated_permission="allow")

    def model(self, thread: str, call: str) -> None:
        self._emit("span.model_request_end", thread, model_usage=USAGE, list_cost="0.5")

    def allow(self, thread: str, call: str) -> None:
        self._send("user.tool_confirmation", tool_use_id=call, result="allow")

    def deny(self, thread: str, call: str) -> None:
        self._send("user.tool_confirmation", tool_use_id=call, result="deny")

    def answer(self, thread: str, call: str) -> None:
        self._send("user.custom_tool_result", custom_tool_use_id=call)

    def result(self, thread: str, call: str) -> None:
        self._send("user.tool_result", tool_use_id=call)

    def interrupt(self, thread: str, call: str) -> None:
        self._send("user.interrupt")

    def outcome(self, thread: str, call: str) -> None:
        self._send("user.define_outcome", description="d", rubric={"type": "text", "content": "r"})

    def archive(self, thread: str, call: str) -> None:
        self.live.archive(self.id)

    def _send(self, type: Any, **payload: Any) -> None:
        self.live.send(self.id, [ClientEvent(type, payload)])

    def _call(self, type: Any, thread: str, **payload: Any) -> None:
        if self.live.state(self.id).threads[thread].status == "running":  # none calls that rests
            self._emit(type, thread, **payload)

    def _emit(self, type: Any, thread: str, **payload: Any) -> None:
        self.live.emit(self.id, [NewEvent(type, payload, key=f"k{next(self.keys)}", thread=thread)])


ACTS = [name for name in vars(Story) if not name.startswith("_") and name not in ("tell", "archive")]
STORIES = st.lists(st.tuples(st.sampled_from([*ACTS, *["run", "rest"] * 3]), st.integers(0, 5)), max_size=25)


@settings(max_examples=40)
@given(story=STORIES, self_hosted=st.booleans(), cut=st.integers(0, 60), end=st.booleans())
def test_what_is_stored_is_the_fold_of_the_log(
    desk: Desk, story: list[tuple[str, int]], self_hosted: bool, cut: int, end: bool
) -> None:
    told = Story(desk, self_hosted=self_hosted)
    for what, number in [*story, *([("archive", 0)] if end else [])]:
        told.tell(what, number)
    events, stored = desk.log.events(told.id), desk.live.state(told.id)
    beginning = SessionState(self_hosted=self_hosted)
    whole = fold(events, _named(beginning))
    assert whole == stored
    halfway = loads(json_text(fold(events[:cut], _named(beginning))), SessionState)
    assert fold(events[cut:], halfway) == stored, "a state that was kept goes on as if it had not been"
    assert desk.live.row(told.id).status == session_status(stored)


@settings(max_examples=40)
@given(story=STORIES, self_hosted=st.booleans())
def test_what_the_log_tells_of_the_session_is_its_state(
    desk: Desk, story: list[tuple[str, int]], self_hosted: bool
) -> None:
    told = Story(desk, self_hosted=self_hosted)
    for what, number in story:
        told.tell(what, number)
        _check(desk, told.id)


def _check(desk: Desk, session_id: str) -> None:
    events, state = desk.log.events(session_id), desk.live.state(session_id)
    statuses = [event for event in events if event.type.startswith("session.status_")]
    if not statuses:
        assert session_status(state) == "idle"
        return
    word = {"rescheduling": "rescheduled"}.get(session_status(state), session_status(state))
    assert statuses[-1].type == f"session.status_{word}"
    for before, event in itertools.pairwise(events):
        if event.type == "session.status_idle":
            assert before.type == "session.usage", "usage is told right before every idle"
    reason = stop_reason(state)
    if reason is not None and reason["type"] == "requires_action":
        told = statuses[-1].payload["stop_reason"]
        assert told == reason and set(told["event_ids"]) <= set(state.pending)
    started = sum(thread.active_seconds for thread in state.threads.values())
    assert state.active_seconds <= started + 1e-9, "what overlaps counts once"


def _named(state: SessionState) -> SessionState:
    from msgspec.structs import replace

    return replace(state, threads={PRIMARY_THREAD: replace(state.threads[PRIMARY_THREAD], agent_name="a")})
