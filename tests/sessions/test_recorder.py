"""The session logger: each call is there when it returns, and nothing it is given can break the agent."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import START, SteppingClock

from reverie.domain.errors import StorageError, Unavailable, UsageError
from reverie.domain.events import Event
from reverie.domain.sessions import Outcome, SessionInfo
from reverie.sessions.log import SessionLog
from reverie.sessions.recorder import SessionRecorder
from reverie.sessions.verify import verify
from reverie.storage.database import Database

INFO = SessionInfo(
    "reverie", "one", goal="file it", agent="clerk", user="ana", task="t1", timezone="Europe/Berlin"
)


@pytest.fixture
def log(db: Database, clock: SteppingClock) -> SessionLog:
    return SessionLog(db, clock=clock)


@pytest.fixture
def begin(
    log: SessionLog, clock: SteppingClock, entropy: Callable[[int], bytes]
) -> Callable[..., SessionRecorder]:
    return lambda info=INFO: SessionRecorder(log, info, clock=clock, entropy=entropy)


def shown(events: list[Event]) -> list[tuple[str, Any]]:
    def payload(event: Event) -> Any:
        content = event.payload.get("content")
        return content[0]["text"] if content else event.payload.get("name") or event.payload.get("label")

    return [(event.type, payload(event)) for event in events]


Begin = Callable[..., SessionRecorder]


def test_a_session_reads_as_it_was_written(log: SessionLog, begin: Begin) -> None:
    with begin() as s:
        first = s.user("File the report, please.")
        call = s.action("upload", name="report.docx", size_mb=62)
        assert s.error("413: refused") != s.result({"retry": True})
        s.message("It was refused.")
        s.outcome("failure", 0.25, source="portal", explanation="refused")
    events = log.events(s.id)
    assert shown(events) == [
        ("user.message", "File the report, please."),
        ("agent.tool_use", "upload"),
        ("agent.tool_result", "413: refused"),
        ("agent.tool_result", '{"retry":true}'),
        ("agent.message", "It was refused."),
        ("session.outcome", "failure"),
    ]
    assert events[0].id == first
    assert events[1].payload == {
        "tool_use_id": call,
        "name": "upload",
        "input": {"name": "report.docx", "size_mb": 62},
    }
    assert [events[n].payload["tool_use_id"] for n in (2, 3)] == [call, call]
    assert [events[n].payload["is_error"] for n in (2, 3)] == [True, False]
    assert events[5].payload["label_source"] == "portal"
    times = [event.at for event in events]
    assert times == sorted(times)
    info = log.session(s.id).info
    assert (info.goal, info.agent, info.user, info.task, info.timezone) == (
        "file it",
        "clerk",
        "ana",
        "t1",
        "Europe/Berlin",
    )
    assert info.outcome == Outcome("failure", 0.25, "portal")
    assert info.started_at == START
    assert info.ended_at is not None
    assert info.ended_at > times[-1]


def test_each_call_is_there_when_it_returns(db: Database, log: SessionLog, begin: Begin) -> None:
    with begin() as s:
        assert log.session(s.id).info.outcome == Outcome("unknown")
        for n in range(3):
            s.message(f"{n}")
            assert len(log.events(s.id)) == n + 1
        s.outcome("success")
        assert log.session(s.id).info.outcome.label == "success"
        assert log.session(s.id).info.ended_at is None


def test_leaving_without_a_word_leaves_the_outcome_unknown(log: SessionLog, begin: Begin) -> None:
    with begin() as s:
        s.message("done, I think")
    assert log.session(s.id).info.outcome == Outcome("unknown")


def test_an_exception_is_the_answer_of_the_open_action_and_a_failure(log: SessionLog, begin: Begin) -> None:
    with pytest.raises(ValueError, match="no such file"), begin() as s:
        s.action("read")
        s.result("fine")
        s.action("upload")
        raise ValueError("no such file")
    assert shown(log.events(s.id))[2:] == [
        ("agent.tool_use", "upload"),
        ("agent.tool_result", "ValueError: no such file"),
        ("session.outcome", "failure"),
    ]
    assert log.session(s.id).info.outcome == Outcome("failure", None, "exception")


def test_an_exception_between_actions_is_the_programs_own(log: SessionLog, begin: Begin) -> None:
    with pytest.raises(KeyError), begin() as s:
        s.action("read")
        s.result("fine")
        s.outcome("success", source="test")
        raise KeyError("x")
    last, answered = log.events(s.id)[-1], log.events(s.id)[1]
    assert answered.payload["is_error"] is False
    assert (last.type, last.payload["kind"]) == ("system.message", "error")
    assert log.session(s.id).info.outcome == Outcome("success", None, "test")  # said before: it stands


def test_ctrl_c_is_an_interruption_and_leaving_on_purpose_is_nothing(log: SessionLog, begin: Begin) -> None:
    with pytest.raises(KeyboardInterrupt), begin() as s:
        raise KeyboardInterrupt
    assert [event.type for event in log.events(s.id)] == ["user.interrupt"]
    assert log.session(s.id).info.outcome.label == "unknown"
    with pytest.raises(SystemExit), begin(SessionInfo("reverie", "two")) as s:
        raise SystemExit
    assert log.events(s.id) == []


def test_an_error_before_any_action_is_the_programs_own(log: SessionLog, begin: Begin) -> None:
    with begin() as s:
        s.error(OSError("no network"))
        with pytest.raises(UsageError, match="no action"):
            s.result("of what?")
    assert shown(log.events(s.id)) == [("system.message", "OSError: no network")]


def test_overlapping_actions_name_theirs(log: SessionLog, begin: Begin) -> None:
    with begin() as s:
        one, two = s.action("one"), s.action("two")
        s.result("first", action=one)
        s.error("second", action=two)
    assert [e.payload["tool_use_id"] for e in log.events(s.id)[2:]] == [one, two]


def test_threads_do_not_take_each_others_actions(log: SessionLog, db: Database, begin: Begin) -> None:
    with begin() as s:

        def work(name: str) -> None:
            for n in range(5):
                s.action(name, n=n)
                s.result(name)

        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        s.action("begun here")
        thread = threading.Thread(target=s.result, args=("ended there",))
        thread.start()
        thread.join()
    events = log.events(s.id)
    called = {e.payload["tool_use_id"]: e.payload["name"] for e in events if e.type == "agent.tool_use"}
    answers = [(e.payload["tool_use_id"], shown([e])[0][1]) for e in events if e.type == "agent.tool_result"]
    assert len(answers) == len(called) == 21
    assert all(called[call] == answer for call, answer in answers[:-1])
    assert called[answers[-1][0]] == "begun here"
    assert verify(db).problem is None


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@dataclass
class Size:
    mb: int


def test_any_value_is_taken(log: SessionLog, begin: Begin) -> None:
    numpy = pytest.importorskip("numpy")
    endless: list[Any] = []
    endless.append(endless)
    values = {
        "text": ("\ud800", "\ufffd"),
        "path": (Path("/a/b"), "/a/b"),
        "data": (Size(3), {"mb": 3}),
        "tuple": ((1, None), [1, None]),
        "int": (numpy.int64(5), 5),
        "float": (numpy.float64(0.5), 0.5),
        "nan": (float("nan"), None),
        "huge": (10**30, 10**30),
        "bytes": (b"\xff", "/w=="),
        "keys": ({(1, 2): 3}, "{(1, 2): 3}"),
        "endless": (endless, "[[...]]"),
        "rude": (Rude(), "<Rude>"),
    }
    with begin() as s:
        s.action("x", **{name: value for name, (value, _) in values.items()})
        for value, _ in values.values():
            s.result(value)
    events = log.events(s.id)
    assert events[0].payload["input"] == {name: expected for name, (_, expected) in values.items()}
    assert len(events) == 1 + len(values)


def test_a_wrong_outcome_is_refused(log: SessionLog, begin: Begin) -> None:
    with begin() as s:
        with pytest.raises(UsageError, match="one of success, failure, unknown"):
            s.outcome("great")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="finite"):
            s.outcome("success", float("nan"))
    assert log.events(s.id) == []


def test_without_with_it_says_so(begin: Begin) -> None:
    with pytest.raises(UsageError, match=r"with reverie\.session"):
        begin().message("hello")


def test_a_session_goes_on_under_the_same_name(log: SessionLog, begin: Begin) -> None:
    with begin() as s:
        s.message("one")
    with begin() as again:
        again.message("two")
    assert again.id == s.id
    assert [text for _, text in shown(log.events(s.id))] == ["one", "two"]
    assert log.session(s.id).info.started_at == START


def test_a_log_that_fails_does_not_hide_why_the_agent_failed(db: Database, begin: Begin) -> None:
    with pytest.raises(ZeroDivisionError) as caught, begin():
        db.close()
        raise ZeroDivisionError
    assert "could not be logged" in caught.value.__notes__[0]
    assert issubclass(Unavailable, StorageError)


def test_processes_write_one_session_at_once(sqlite_url: str) -> None:
    program = """
import sys
from reverie.domain.sessions import SessionInfo
from reverie.sessions.log import SessionLog
from reverie.sessions.recorder import SessionRecorder
from reverie.storage.database import Database
with Database.open(sys.argv[1]) as db, SessionRecorder(SessionLog(db), SessionInfo("reverie", "one")) as s:
    for n in range(25):
        s.message(f"{sys.argv[2]} {n}")
"""
    running = [subprocess.Popen([sys.executable, "-c", program, sqlite_url, name]) for name in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    with Database.open(sqlite_url) as db:
        (session,) = SessionLog(db).sessions()
        texts = [text for _, text in shown(SessionLog(db).events(session.id))]
        for name in "abc":
            assert [text for text in texts if text.startswith(name)] == [f"{name} {n}" for n in range(25)]
        assert len(texts) == 75
        assert verify(db).problem is None
