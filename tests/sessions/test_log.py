"""The log: the same transcript twice is once, a grown one continues, and nobody forks a chain."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import START

from reverie.domain.errors import Ambiguous, NotFound
from reverie.domain.events import NewEvent, Origin
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.sessions.log import SessionLog, no_mask, session_id
from reverie.sessions.verify import verify
from reverie.storage.database import Database

INFO = SessionInfo("test", "one", agent="clerk", goal="file the report", started_at=START)


def said(n: int, words: str = "hello", **fields: Any) -> NewEvent:
    event = NewEvent("agent.message", {"content": [{"type": "text", "text": words}]}, f"k{n}", START)
    return replace(event, **fields)


def transcript(n: int, info: SessionInfo = INFO) -> Transcript:
    return Transcript(info, [said(i) for i in range(n)])


names = (f"session-{n}" for n in itertools.count())  # hypothesis runs many examples on one database


@pytest.fixture
def log(db: Database) -> SessionLog:
    return SessionLog(db, clock=lambda: START)


# ------------------------------------------------------------------ record


def test_a_transcript_is_given_back_as_it_came(log: SessionLog) -> None:
    origin = Origin("test", "/home/ana/s.jsonl", 3, "/a/0", "native-1", "ab" * 32)
    events = [
        said(1, "ünïcode \x00 and \u2028"),
        NewEvent(
            "agent.tool_use",
            {"tool_use_id": "t", "name": "x", "input": {"z": 1, "a": [None, 1.5, True]}},
            "k2",
        ),
        said(3, thread="worker", origin=origin, at=datetime(999, 1, 1, tzinfo=UTC)),
    ]
    recorded = log.record(Transcript(INFO, events))
    assert (recorded.new_session, recorded.new_events) == (True, 3)
    found = log.events(recorded.session_id)
    assert [(e.seq, e.type, e.payload, e.key, e.at, e.thread, e.origin) for e in found] == [
        (n, e.type, e.payload, e.key, e.at, e.thread, e.origin) for n, e in enumerate(events, 1)
    ]
    assert list(found[1].payload["input"]) == ["z", "a"]  # in the order it came
    session = log.session(recorded.session_id)
    assert (session.info, session.events) == (INFO, 3)
    assert session.content_sha256 == found[-1].hash.hex()
    assert log.event(found[1].id) == found[1]


def test_the_digest_of_a_log_is_the_same_everywhere_and_for_ever(log: SessionLog) -> None:
    recorded = log.record(transcript(3))
    digest = "299c61a0d42bfd92ff1c89259c3bacdf6ff6c93c977d89c3b23d12149e10a8be"
    assert log.session(recorded.session_id).content_sha256 == digest


def test_the_same_transcript_again_changes_nothing(log: SessionLog) -> None:
    first = log.record(transcript(5))
    before = log.session(first.session_id), log.events(first.session_id)
    again = log.record(transcript(5))
    assert (again.session_id, again.new_session, again.new_events) == (first.session_id, False, 0)
    assert (log.session(first.session_id), log.events(first.session_id)) == before


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 12), max_size=4))
def test_a_log_that_grew_in_pieces_is_the_log_read_at_once(log: SessionLog, cuts: list[int]) -> None:
    pieces = replace(INFO, native_id=next(names))
    for cut in [*cuts, 12]:
        log.record(transcript(cut, pieces))
    grown = log.session(session_id(pieces))
    assert grown.events == 12
    assert [event.key for event in log.events(grown.id)] == sorted(
        {f"k{n}" for n in range(12)}, key=lambda k: int(k[1:])
    )
    assert log.record(transcript(12, pieces)).new_events == 0


def test_events_with_one_key_are_one_event(log: SessionLog) -> None:
    recorded = log.record(Transcript(INFO, [said(1, "first"), said(1, "second"), said(2)]))
    assert recorded.new_events == 2
    found = log.append(recorded.session_id, [said(3, "first"), said(3, "second"), said(1, "third")])
    assert [(e.seq, e.payload["content"][0]["text"]) for e in found] == [
        (3, "first"),
        (3, "first"),
        (1, "first"),
    ]
    assert log.session(recorded.session_id).events == 3


def test_what_a_later_reading_does_not_know_stays(log: SessionLog) -> None:
    known = replace(
        INFO, outcome=Outcome("failure", 0.2, "reward"), ended_at=START + timedelta(5), extra={"a": 1, "b": 2}
    )
    log.record(Transcript(known, ()))
    later = SessionInfo("test", "one", user="ana", started_at=START + timedelta(1), extra={"b": 3})
    recorded = log.record(Transcript(later, ()))
    assert not recorded.new_session
    info = log.session(recorded.session_id).info
    assert info == replace(known, user="ana", extra={"a": 1, "b": 3})
    log.record(Transcript(replace(later, outcome=Outcome("success")), ()))
    assert log.session(recorded.session_id).info.outcome == Outcome("success")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=4), max_size=3))
def test_any_json_comes_back_and_verifies(log: SessionLog, db: Database, payloads: list) -> None:
    events = [NewEvent("raw", payload, f"k{n}") for n, payload in enumerate(payloads)]
    recorded = log.record(Transcript(SessionInfo("json", next(names)), events))
    assert [event.payload for event in log.events(recorded.session_id)] == payloads
    assert verify(db).problem is None


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb", "\ud83d"])
def test_lone_surrogates_become_a_replacement_character(log: SessionLog, bad: str) -> None:
    info = SessionInfo(f"f{bad}", f"n{bad}", goal=bad, extra={bad: [bad]})
    origin = Origin("t", f"/tmp/{bad}", 1, None, None, "")
    event = NewEvent("raw", {bad: [{"x": (bad, 1)}]}, key=bad, thread=bad, origin=origin)
    recorded = log.record(Transcript(info, [event]))
    good = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in bad)
    (found,) = log.events(recorded.session_id)
    assert found.payload == {good: [{"x": [good, 1]}]}
    assert found.origin is not None
    assert found.origin.uri == f"/tmp/{good}"
    assert log.session(recorded.session_id).info.extra == {good: [good]}
    assert log.record(Transcript(info, [event])).new_events == 0


def test_nul_is_taken_where_json_holds_it_and_replaced_where_a_column_does(log: SessionLog) -> None:
    recorded = log.record(Transcript(replace(INFO, goal="a\x00b"), [said(1, "a\x00b")]))
    assert log.session(recorded.session_id).info.goal == "a\ufffdb"
    assert log.events(recorded.session_id)[0].payload["content"][0]["text"] == "a\x00b"


# ------------------------------------------------------------------ masking


def hide(event: NewEvent) -> tuple[NewEvent, Counter[str]]:
    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("hunter2", "[password]")
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        return [clean(item) for item in value] if isinstance(value, list) else value

    payload = clean(event.payload)
    return replace(event, payload=payload), Counter(password=int(payload != event.payload))


def test_secrets_are_masked_at_the_door_and_counted_once(db: Database) -> None:
    log = SessionLog(db, mask=hide)
    info = replace(INFO, goal="use hunter2", extra={"note": "hunter2"}, repository="https://x:hunter2@h/r")
    recorded = log.record(Transcript(info, [said(1, "hunter2"), said(2), said(3, "hunter2")]))
    assert recorded.redactions == Counter(password=2)
    assert log.record(Transcript(info, [said(1, "hunter2"), said(4, "hunter2")])).redactions == Counter(
        password=1
    )
    log.append(recorded.session_id, [said(5, "hunter2")])
    with db.read() as conn:
        rows = [conn.exec_driver_sql(f"SELECT * FROM {table}").all() for table in ("events", "sessions")]
    assert "hunter2" not in repr(rows)
    assert "[password]" in repr(rows)


# ------------------------------------------------------------------ inside a transaction of others


def test_a_transcript_becomes_part_of_the_callers_transaction(db: Database, log: SessionLog) -> None:
    prepared = log.prepare(transcript(3))

    def work(conn: Any) -> None:
        assert log.record(prepared, conn=conn).new_events == 3
        assert log.record(transcript(4), conn=conn).new_events == 1
        raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError):
        db.write(work)
    assert log.sessions() == []
    assert log.record(prepared).new_events == 3


def test_what_was_prepared_before_others_wrote_the_same_is_not_written_twice(log: SessionLog) -> None:
    prepared = log.prepare(transcript(4))
    log.record(transcript(2))
    assert log.record(prepared).new_events == 2
    assert [event.key for event in log.events(prepared.session_id)] == ["k0", "k1", "k2", "k3"]


# ------------------------------------------------------------------ finding


def test_sessions_come_in_order_of_id_and_by_their_beginning(log: SessionLog) -> None:
    times = [START + timedelta(days=n) for n in range(4)]
    made = [
        session_id(info) for n, at in enumerate(times) for info in [SessionInfo("t", f"{n}", started_at=at)]
    ]
    for n, at in enumerate(times):
        log.record(Transcript(SessionInfo("t", f"{n}", started_at=at), ()))
    undated = log.record(Transcript(SessionInfo("t", "undated"), ())).session_id  # came in at START

    def ids(**chosen: Any) -> list[str]:
        return [session.id for session in log.sessions(**chosen)]

    assert ids() == sorted([*made, undated])
    assert ids(since=times[1], until=times[3]) == sorted(made[1:3])
    assert undated in ids(until=times[1])
    assert undated not in ids(since=times[1])
    assert ids(ids=[made[2], made[0], "sesn_unknown"]) == sorted([made[0], made[2]])
    assert ids(ids=[]) == []


def test_many_named_sessions_are_found(log: SessionLog, db: Database) -> None:
    made = [log.prepare(transcript(0, SessionInfo("t", f"{n}"))) for n in range(30)]
    db.write(lambda conn: [log.record(each, conn=conn) for each in made] and None)
    wanted = [each.session_id for each in made] + [f"sesn_{n}" for n in range(40_000)]
    assert len(log.sessions(ids=wanted)) == 30


def test_what_is_not_there_is_said(log: SessionLog) -> None:
    log.record(transcript(1))
    for call in (log.session, log.events, log.event):
        with pytest.raises(NotFound):
            call("nothing_of_the_kind")
    with pytest.raises(NotFound):
        log.append("sesn_nothing", [said(1)])


def test_an_ambiguous_session_is_said(log: SessionLog) -> None:
    for n in range(40):  # 40 ids over 32 first characters: two begin alike
        log.record(transcript(0, SessionInfo("t", f"{n}")))
    firsts = Counter(session.id[:6] for session in log.sessions())
    with pytest.raises(Ambiguous):
        log.session(firsts.most_common(1)[0][0])


def test_a_long_session_streams_in_order(log: SessionLog) -> None:
    recorded = log.record(transcript(1_000))
    stream = log.stream(recorded.session_id)
    assert next(stream).seq == 1
    log.append(recorded.session_id, [said(1_000)])  # not seen by a stream that has begun
    assert [event.seq for event in stream] == list(range(2, 1_001))
    assert len(log.events(recorded.session_id)) == 1_001


# ------------------------------------------------------------------ at once


def run(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_concurrent_appends_to_one_session_never_fork_it(log: SessionLog, db: Database) -> None:
    this = log.record(transcript(0)).session_id

    def write(thread: int) -> None:
        for n in range(10):
            log.append(this, [said(n, key=f"{thread}-{n}"), said(n, key=f"shared-{n}")][: 1 + n % 2])

    run([threading.Thread(target=write, args=(n,)) for n in range(8)])
    found = log.events(this)
    assert [event.seq for event in found] == list(range(1, 8 * 10 + 5 + 1))
    for thread in range(8):  # each in its own order
        assert [e.key for e in found if e.key.startswith(f"{thread}-")] == [
            f"{thread}-{n}" for n in range(10)
        ]
    assert verify(db).problem is None


def test_the_same_transcript_recorded_by_many_at_once_is_there_once(log: SessionLog, db: Database) -> None:
    results: list[int] = []
    run(
        [
            threading.Thread(target=lambda: results.append(log.record(transcript(20)).new_events))
            for _ in range(8)
        ]
    )
    assert sum(results) == 20
    assert log.session(session_id(INFO)).events == 20
    assert verify(db).problem is None


def test_no_mask_leaves_an_event_alone() -> None:
    assert no_mask(said(1)) == (said(1), Counter())
