"""SQL by noun: what is put is given back, in order, and an id may be shortened."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import START

from reverie.domain.dreams import Dream, Withheld
from reverie.domain.errors import Ambiguous, NotFound
from reverie.domain.findings import Citation, Comparison, Condition, Counts, Effect, Finding, Rate
from reverie.domain.imports import FileReport, Quarantined
from reverie.domain.observations import Call, Failure, Observation, Remark, Span
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.sessions.log import SessionLog
from reverie.storage import audit, dreams, findings, observations, sources
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection, Database
from reverie.storage.sources import Source

SPAN = Span("sevt_1", 1, "/content/0/text", 0, 5)


def a_dream(**fields: object) -> Dream:
    dream = Dream("drm_abcdef", "memstore_1", "running", "gather", START, parameters={"b": "2", "a": "1"})
    return replace(dream, **fields)


def a_finding(id: str = "find_abc", **fields: object) -> Finding:
    finding = Finding(
        id=id,
        key="edit before read",
        kind="recurring_mistake",
        nature="behaviour",
        claim="Edit fails when the file was not read",
        statement={"template": "File has not been read", "n": [1, 2.5, None]},
        miner="recurring-mistakes",
        miner_version="1",
        parameters={"least": 3},
        counts=Counts(4, 10, 6, 3, 2, 4),
        effect=Effect(Comparison(Rate(1, 4), Rate(5, 6), -0.58, -0.9, -0.1, 0.03, "Fisher"), None, "task"),
        p_value=0.01,
        p_adjusted=None,
        first_seen=START,
        last_seen=START + timedelta(days=2),
        evidence=(Citation("sesn_1", SPAN),),
        counter_evidence=(),
        origins=("tool", "agent"),
        conditions=(Condition("ext", "in", (".docx", 1, None)), Condition("size", ">=", 50.0, 40.0, 60.0)),
    )
    return replace(finding, **fields)


def an_observation(session: str, contents: str = "c1") -> Observation:
    call = Call(
        1, "sevt_1", "sevt_2", "", 1, START, "Bash", "Bash: make", "s1", SPAN, {"command": "make", "n": 1, "x": None},
        Failure("exit <n>", "exit 2", SPAN, hidden=True),
    )  # fmt: skip
    remark = Remark("correction", SPAN, "No, use make.", "use make", None)
    return Observation(
        session, contents, "test", None, None, "ana", None, "t1", None, "2026-03-01", START, None, "failure", 0.5,
        {"ext": ".docx", "size": 62.5, "night": True}, {"turns": 3}, (call,), (remark,),
    )  # fmt: skip


def test_json_is_the_same_for_the_same_value() -> None:
    assert dumps({"b": 1, "a": {"d": 2, "c": 3}}) == '{"a":{"c":3,"d":2},"b":1}'
    for value in (a_finding(), a_dream(), an_observation("sesn_1")):
        assert loads(dumps(value), type(value)) == value


# ------------------------------------------------------------------ dreams and findings


def test_a_dream_begins_once(db: Database) -> None:
    first = db.write(lambda conn: dreams.begin(conn, a_dream()))
    later = db.write(lambda conn: dreams.begin(conn, a_dream(created_at=START + timedelta(days=1))))
    assert first == later == a_dream()


def test_a_dream_that_failed_begins_again_and_one_that_is_done_does_not(db: Database) -> None:
    ended = START + timedelta(minutes=1)
    db.write(lambda conn: dreams.put(conn, a_dream(status="failed", error="killed", ended_at=ended)))
    assert db.write(lambda conn: dreams.begin(conn, a_dream())) == a_dream()
    done = a_dream(status="completed", ended_at=ended, withheld=(Withheld("find_1", "c", "w"),))
    db.write(lambda conn: dreams.finish(conn, done))
    assert db.write(lambda conn: dreams.begin(conn, a_dream())) == done


def test_dreams_are_listed_newest_first_and_by_store(db: Database) -> None:
    made = [
        a_dream(id=f"drm_{n}", store_id=f"memstore_{n % 2}", created_at=START + timedelta(n))
        for n in range(4)
    ]
    db.write(lambda conn: [dreams.put(conn, dream) for dream in made] and None)
    with db.read() as conn:
        assert [dream.id for dream in dreams.dreams(conn)] == ["drm_3", "drm_2", "drm_1", "drm_0"]
        assert [dream.id for dream in dreams.dreams(conn, "memstore_1")] == ["drm_3", "drm_1"]


def test_a_stage_is_kept_as_it_was_first_given(db: Database) -> None:
    def work(conn: Connection) -> None:
        dreams.put(conn, a_dream())
        dreams.save_stage(conn, "drm_abcdef", "mine", "[1]", "t1")
        dreams.save_stage(conn, "drm_abcdef", "mine", "[2]", "t2")

    db.write(work)
    with db.read() as conn:
        assert dreams.stage(conn, "drm_abcdef", "mine") == "[1]"
        assert dreams.stage(conn, "drm_abcdef", "write") is None


def test_a_store_remembers_which_contents_it_has_seen(db: Database) -> None:
    done = a_dream(status="completed")
    db.write(lambda conn: dreams.finish(conn, done, ["c2", "c1", "c2"]))
    db.write(lambda conn: dreams.finish(conn, replace(done, id="drm_b"), ["c2", "c3"]))
    with db.read() as conn:
        assert dreams.dreamed_sessions(conn, "memstore_1") == {"c1", "c2", "c3"}
        assert dreams.dreamed_sessions(conn, "memstore_2") == set()


def test_findings_keep_their_order_and_the_newest_dream_answers(db: Database) -> None:
    old, new = a_dream(id="drm_old"), a_dream(id="drm_new", created_at=START + timedelta(1))

    def work(conn: Connection) -> None:
        dreams.put(conn, old)
        dreams.put(conn, new)
        dreams.put_findings(conn, "drm_old", [a_finding(claim="then")])
        dreams.put_findings(conn, "drm_new", [a_finding("find_zzz")])
        dreams.put_findings(conn, "drm_new", [a_finding("find_zzz"), a_finding(claim="now")])

    db.write(work)
    with db.read() as conn:
        assert [f.id for f in dreams.findings(conn, "drm_new")] == ["find_zzz", "find_abc"]
        assert findings.finding(conn, "abc").claim == "now"


@pytest.mark.parametrize("given", ["drm_ab", "drm_abc", "ab", "drm_ab%", "drm_a_c", "", "drm_", "zz"])
def test_ids_may_be_shortened_but_not_guessed(db: Database, given: str) -> None:
    db.write(lambda conn: dreams.put(conn, a_dream(id="drm_abc")))
    with db.read() as conn:
        if given in ("drm_ab", "drm_abc", "ab"):
            assert dreams.dream(conn, given).id == "drm_abc"
        else:
            with pytest.raises(NotFound, match="reverie dream"):
                dreams.dream(conn, given)


def test_an_ambiguous_id_shows_what_it_could_mean(db: Database) -> None:
    db.write(lambda conn: [dreams.put(conn, a_dream(id=f"drm_a{n}")) for n in range(5)] and None)
    with db.read() as conn, pytest.raises(Ambiguous, match="drm_a0, drm_a1, drm_a2 …"):
        dreams.dream(conn, "a")


# ------------------------------------------------------------------ observations


def test_an_observation_is_found_by_session_contents_and_observer(db: Database) -> None:
    kept = [an_observation(f"sesn_{n}") for n in range(1_200)]
    db.write(lambda conn: observations.put_many(conn, kept, "v1"))
    db.write(lambda conn: observations.put_many(conn, [an_observation("sesn_7", "c2")], "v1"))
    wanted = {f"sesn_{n}": "c1" for n in range(1_300)}
    with db.read() as conn:
        found = observations.get_many(conn, wanted, "v1")
        assert found.keys() == {f"sesn_{n}" for n in range(1_200)} - {"sesn_7"}
        assert found["sesn_3"] == kept[3]
        assert observations.get_many(conn, wanted, "v2") == {}


# ------------------------------------------------------------------ sources


def test_a_source_is_kept_with_its_account(db: Database) -> None:
    report = FileReport("/a b/s.jsonl", "claude-code", records=3, used=2, skipped=Counter(progress=1))
    source = Source("/a b/s.jsonl", "claude-code", "1", 10, 123, "ab" * 32, report, START)
    bad = [Quarantined(4, "not JSON", None), Quarantined(None, "torn", "/x")]

    def work(conn: Connection) -> None:
        sources.put(conn, source, [Quarantined(1, "was there before")])
        sources.put(conn, replace(source, size=20), bad)

    db.write(work)
    with db.read() as conn:
        assert sources.by_uri(conn, "/a b/s.jsonl") == replace(source, size=20)
        assert sources.by_uri(conn, "/other") is None
        assert sources.quarantined(conn, source.id) == bad
        assert [s.uri for s in sources.by_sha256(conn, "ab" * 32)] == ["/a b/s.jsonl"]


def test_a_session_knows_the_files_it_was_read_from(db: Database) -> None:
    log = SessionLog(db)
    report = FileReport("/s")
    db.write(lambda conn: sources.put(conn, Source("/s", "t", "1", 1, 1, "", report, START)))
    transcript = Transcript(SessionInfo("t", "1"), ())
    for _ in range(2):
        recorded = log.record(transcript, source_id=sources.source_id("/s"))
    with db.read() as conn:
        assert sources.sessions_of(conn, sources.source_id("/s")) == [recorded.session_id]


# ------------------------------------------------------------------ audit


def test_the_audit_log_tells_newest_first(db: Database) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for n in range(3):
        db.write(
            lambda conn, n=n: audit.append(
                conn, at, "ana", "approve", f"prop_{n % 2}", {"n": n, "s": "\ud800"}
            )
        )
    with db.read() as conn:
        found = audit.entries(conn)
        assert [(entry.seq, entry.subject, entry.detail["n"]) for entry in found] == [
            (3, "prop_0", 2),
            (2, "prop_1", 1),
            (1, "prop_0", 0),
        ]
        assert found[0].at == at
        assert found[0].detail["s"] == "\ufffd"
        assert [entry.seq for entry in audit.entries(conn, subject="prop_0", limit=1)] == [3]
