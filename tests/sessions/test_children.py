"""Child threads: made once for what they are made for, gone from the state when they end, kept in their rows."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reverie.domain.errors import NotFound, UsageError
from reverie.domain.events import Event, NewEvent
from reverie.domain.outcomes import GRADER
from reverie.domain.sessions import SessionInfo
from reverie.sessions.children import MAX_CHILDREN, MAX_OF_A_RUN, last_state
from reverie.sessions.feed import Feed
from reverie.sessions.live import FORMAT, LiveSessions, NewSession
from reverie.sessions.log import SessionLog
from reverie.sessions.pages import Page
from reverie.sessions.status import SessionState, stop_reason
from reverie.storage import threads
from reverie.storage.database import Database
from reverie.storage.text import json_text

ID = "sesn_team"
HELPER = {"name": "helper"}


class Desk:
    """A session whose lead works, and a clock that goes on by a second at each look."""

    def __init__(self, db: Database) -> None:
        self.db, self.seconds = db, itertools.count()
        self.keys = itertools.count()
        start = datetime(2026, 3, 1, tzinfo=UTC)
        self.live = LiveSessions(
            db,
            Feed(db),
            lambda *_: None,
            clock=lambda: start + timedelta(seconds=next(self.seconds)),
            entropy=random.Random(7).randbytes,
        )
        new = NewSession(ID, SessionInfo(FORMAT, ID, agent="lead"), {"budget": None}, "lead")
        db.write(lambda conn: self.live.start(conn, new))
        self.live.turn(ID, "running")

    def work(self, work: Callable[[Page], Any]) -> Any:
        made: list[Any] = []
        self.live.advance(ID, lambda page: made.append(work(page)), lambda conn: None)
        return made[-1]

    def open(self, **asked: Any) -> str:
        return self.work(lambda page: page.open_thread(asked.pop("agent", HELPER), **asked))

    def close(self, name: str) -> None:
        self.work(lambda page: page.close_thread(name))

    def use(self, name: str, tokens: int) -> None:
        told = {"model_usage": {"input_tokens": tokens}, "list_cost": "0.5"}
        self.live.emit(ID, [NewEvent("span.model_request_end", told, f"k{next(self.keys)}", thread=name)])

    def row(self, name: str) -> threads.ThreadRow:
        with self.db.read() as conn:
            found = threads.get(conn, ID, name)
        assert found is not None
        return found

    def events(self) -> list[Event]:
        return SessionLog(self.db, clock=self.live.clock).events(ID)

    @property
    def state(self) -> SessionState:
        return self.live.state(ID)


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def test_a_thread_is_made_once_for_what_it_is_made_for(desk: Desk) -> None:
    first = desk.open(key="run task", name="task", run="wrun_1", max_tokens=50)
    assert desk.open(key="run task") == first and desk.open(key="run other") != first
    told = [
        e for e in SessionLog(desk.db, clock=lambda: None).events(ID) if e.type == "session.thread_created"
    ]  # type: ignore[arg-type, return-value]
    assert [e.payload["session_thread_id"] for e in told].count(first) == 1
    assert (told[0].payload["name"], told[0].payload["max_tokens"]) == ("task", 50)
    state = desk.state.threads[first]
    assert (state.workflow_run, state.max_tokens, state.agent_name) == ("wrun_1", 50, "helper")
    desk.close(first)
    assert desk.open(key="run task") == first and first not in desk.state.threads, "it is not begun again"


def test_what_has_ended_leaves_the_state_and_keeps_its_own(desk: Desk) -> None:
    before = len(json_text(desk.state))
    for number in range(3):
        child = desk.open(key=f"{number}")
        desk.live.turn(ID, "running", thread=child)
        desk.use(child, 10)
        desk.live.turn(ID, "idle", thread=child)
        desk.close(child)
        desk.close(child)
        row = desk.row(child)
        last = last_state(row)
        assert row.status == "terminated" and row.archived_at is not None and last is not None
        assert (last.usage.input_tokens, last.status, last.started) == (10, "terminated", True)
        assert last.active_seconds > 0 and row.body["agent"] == HELPER
    assert list(desk.state.threads) == [""]
    assert desk.state.usage.input_tokens == 30 and desk.state.usage.list_cost == "1.5"
    assert desk.state.retired_seconds > 0
    assert len(json_text(desk.state)) < before + 100, "it does not grow with what has ended"
    desk.use(child, 5)
    assert desk.state.usage.input_tokens == 35 and list(desk.state.threads) == [""], "the dead stay dead"


def test_one_that_works_or_waits_can_be_closed(desk: Desk) -> None:
    working, waiting = desk.open(), desk.open()
    for each in (working, waiting):
        desk.live.turn(ID, "running", thread=each)
    call = NewEvent("agent.custom_tool_use", {"name": "n", "input": {}}, "call", thread=waiting)
    desk.live.emit(ID, [call])
    desk.live.turn(ID, "idle", thread=waiting)
    desk.live.turn(ID, "idle")
    assert desk.state.pending
    desk.close(waiting)
    assert not desk.state.pending and desk.live.row(ID).status == "running"
    desk.close(working)
    assert desk.live.row(ID).status == "idle"
    assert stop_reason(desk.state) == {"type": "end_turn"}
    with pytest.raises(NotFound):
        desk.close("sthr_none")
    with pytest.raises(UsageError, match="primary"):
        desk.close("")


def test_what_has_ended_takes_no_turn(desk: Desk) -> None:
    child = desk.open()
    desk.close(child)
    before = desk.state
    desk.live.turn(ID, "running", thread=child)
    assert desk.state == before


def test_there_is_room_for_so_many(desk: Desk) -> None:
    children = [desk.open() for _ in range(MAX_CHILDREN)]
    with pytest.raises(UsageError, match="at most 25"):
        desk.open()
    desk.open(agent={"name": GRADER})
    run = [desk.open(run="wrun_1") for _ in range(MAX_OF_A_RUN)]
    with pytest.raises(UsageError, match=r"wrun_1.*at most 64"):
        desk.open(run="wrun_1")
    desk.open(run="wrun_2")
    desk.close(children[0])
    desk.close(run[0])
    desk.open()
    desk.open(run="wrun_1")


def test_a_child_that_has_used_its_own_share_does_not_stop_the_session(desk: Desk) -> None:
    child = desk.open(max_tokens=10)
    desk.live.turn(ID, "running", thread=child)
    desk.use(child, 10)
    assert desk.state.threads[child].spent
    desk.live.turn(ID, "idle", thread=child, stop={"type": "budget_reached"})
    desk.live.turn(ID, "idle")
    assert stop_reason(desk.state) == {"type": "end_turn"}
