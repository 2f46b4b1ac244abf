"""Dreams through the SDK: asked for, worked off, canceled, failed, taken up again; findings and proposals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from tests.conftest import SteppingClock
from tests.contract.serving import ENGINES
from tests.transcripts import write_sessions

from reverie.app import Reverie
from reverie.dreaming.night import Night
from reverie.dreaming.requests import LEASE

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
Strict = Callable[..., None]
MODEL = "claude-opus-5"


@pytest.fixture
def sessions(reverie: Reverie, tmp_path: Path) -> list[str]:
    """Two dozen sessions with a mistake, a remedy and a wish in them."""
    reverie.import_paths(*write_sessions(tmp_path / "transcripts"))
    return [session.id for session in reverie.log.sessions()]


@pytest.fixture
def store(client: anthropic.Anthropic) -> str:
    made = client.beta.memory_stores.create(name="desk", description="d", metadata={"a": "b"})
    client.beta.memory_stores.memories.create(made.id, path="/kept.md", content="Kept.\n")
    return made.id


def inputs(store: str, sessions: Sequence[str]) -> Any:
    return [
        {"type": "memory_store", "memory_store_id": store},
        {"type": "sessions", "session_ids": list(sessions)},
    ]


def work(reverie: Reverie) -> None:
    reverie.night_watch().work()


def ask(client: anthropic.Anthropic, store: str, sessions: Sequence[str], **more: Any) -> str:
    return client.beta.dreams.create(inputs=inputs(store, sessions), model=MODEL, **more).id


def propose(http: httpx2.Client, store: str, sessions: Sequence[str]) -> str:
    body = {"inputs": inputs(store, sessions), "model": MODEL, "output_behavior": {"type": "propose"}}
    answer = http.post("/v1/dreams", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


# ---------------------------------------------------------------------- the life of a dream


@both
def test_every_method(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], strict: Strict
) -> None:
    dreams = client.beta.dreams
    made = dreams.create(
        inputs=inputs(store, sessions[::-1]),
        model={"id": MODEL, "speed": "standard"},
        instructions="Be brief.",
    )
    strict(made)
    assert (made.status, made.outputs, made.error, made.ended_at) == ("pending", [], None, None)
    assert made.inputs[1].to_dict()["session_ids"] == sorted(sessions)
    assert made.model.id == MODEL and made.instructions == "Be brief." and made.session_id is None
    assert made.output_behavior.type == "create_new"
    with pytest.raises(anthropic.BadRequestError, match="pending"):
        dreams.archive(made.id)
    work(reverie)
    done = dreams.retrieve(made.id)
    strict(done)
    assert done.status == "completed" and done.ended_at is not None and done.ended_at > done.created_at
    assert set(done.usage.to_dict().values()) == {0}
    strict(dreams.list().data)
    assert [dream.id for dream in dreams.list()] == [made.id]
    with pytest.raises(anthropic.BadRequestError, match="completed"):
        dreams.cancel(made.id)
    archived = dreams.archive(made.id)
    strict(archived)
    assert archived.archived_at is not None and dreams.archive(made.id) == archived
    assert list(dreams.list()) == [] and len(list(dreams.list(include_archived=True))) == 1
    another = dreams.create(inputs=inputs(store, sessions), model=MODEL)
    canceled = dreams.cancel(another.id)
    strict(canceled)
    assert canceled.status == "canceled" and canceled.ended_at is not None
    assert dreams.cancel(another.id) == canceled
    work(reverie)
    assert dreams.retrieve(another.id) == canceled


def test_every_method_async(
    async_client: anthropic.AsyncAnthropic, reverie: Reverie, sessions: list[str], strict: Strict
) -> None:
    async def steps() -> None:
        store = (await async_client.beta.memory_stores.create(name="desk")).id
        dreams = async_client.beta.dreams
        made = await dreams.create(inputs=inputs(store, sessions), model=MODEL)
        strict(made)
        strict(await dreams.retrieve(made.id))
        assert [dream.id async for dream in dreams.list(limit=1)] == [made.id]
        strict(await dreams.cancel(made.id))
        strict(await dreams.archive(made.id))

    asyncio.run(steps())


@both
def test_by_default_the_result_is_a_new_store_and_the_input_stays(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    before = list(client.beta.memory_stores.memory_versions.list(store))
    asked = ask(client, store, sessions)
    work(reverie)
    done = client.beta.dreams.retrieve(asked)
    assert done.status == "completed", done.error
    (output,) = done.outputs
    assert output.memory_store_id != store
    copy = client.beta.memory_stores.retrieve(output.memory_store_id)
    assert copy.name.startswith("desk (dream 2026-") and (copy.description, copy.metadata) == (
        "d",
        {"a": "b"},
    )
    memories = {item.path: item for item in client.beta.memory_stores.memories.list(copy.id, view="full")}
    assert memories["/kept.md"].content == "Kept.\n" and len(memories) > 1  # type: ignore[union-attr]
    assert list(client.beta.memory_stores.memory_versions.list(store)) == before
    told = done.to_dict()
    assert told["proposals_applied"] == len(memories) - 1 and told["proposals_pending"] == 0
    written = [v for v in client.beta.memory_stores.memory_versions.list(copy.id) if v.path != "/kept.md"]
    assert {v.to_dict()["created_by"]["service_account_id"] for v in written} == {f"dream:{asked}"}
    assert reverie.verify().problem is None


def test_an_update_writes_into_the_store_but_not_what_untrusted_text_had_a_hand_in(
    client: anthropic.Anthropic, http: httpx2.Client, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    behavior: Any = {"type": "update_existing", "memory_store_id": store}
    asked = ask(client, store, sessions, output_behavior=behavior)
    with pytest.raises(anthropic.ConflictError, match="another dream updates"):
        ask(client, store, sessions, output_behavior=behavior)
    work(reverie)
    done = client.beta.dreams.retrieve(asked)
    assert done.status == "completed" and [o.memory_store_id for o in done.outputs] == [store]
    proposals = http.get(f"/v1/dreams/{asked}/proposals").json()["data"]
    for proposal in proposals:
        assert proposal["status"] == ("pending" if proposal["tainted"] else "approved"), proposal["title"]
    paths = {item.path for item in client.beta.memory_stores.memories.list(store)}
    assert paths == {"/kept.md", *(p["path"] for p in proposals if not p["tainted"])}
    told = done.to_dict()
    assert told["proposals_applied"] + told["proposals_pending"] == len(proposals) > 0
    assert {p["tainted"] for p in proposals} == {True, False}  # both kinds are in these transcripts
    ask(client, store, sessions, output_behavior=behavior)  # the first one has stopped


def test_an_update_that_was_canceled_holds_the_store_until_its_worker_stopped(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], clock: SteppingClock
) -> None:
    behavior: Any = {"type": "update_existing", "memory_store_id": store}
    asked = ask(client, store, sessions, output_behavior=behavior)
    night = reverie.night("w")
    assert night._take() is not None  # a worker has it, and does not come back
    client.beta.dreams.cancel(asked)
    with pytest.raises(anthropic.ConflictError):
        ask(client, store, sessions, output_behavior=behavior)
    clock.now += LEASE
    ask(client, store, sessions, output_behavior=behavior)


def test_proposals_wait_for_review_and_nothing_is_written(
    client: anthropic.Anthropic, http: httpx2.Client, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = propose(http, store, sessions)
    work(reverie)
    done = http.get(f"/v1/dreams/{asked}").json()
    assert (done["status"], done["outputs"], done["output_behavior"]) == (
        "completed",
        [],
        {"type": "propose"},
    )
    assert [item.path for item in client.beta.memory_stores.memories.list(store)] == ["/kept.md"]
    proposals = http.get(f"/v1/dreams/{asked}/proposals").json()["data"]
    assert proposals and {p["status"] for p in proposals} == {"pending"}
    assert [p["position"] for p in proposals] == list(range(len(proposals)))
    assert done["proposals_pending"] == len(proposals) and done["proposals_applied"] == 0
    again = propose(http, store, sessions)  # another request for the same: answered by the same dream
    work(reverie)
    assert http.get(f"/v1/dreams/{again}/proposals").json()["data"] == proposals


def test_more_than_a_hundred_sessions_are_taken(
    http: httpx2.Client, reverie: Reverie, store: str, tmp_path: Path
) -> None:
    reverie.import_paths(*write_sessions(tmp_path / "many", 101))
    sessions = [session.id for session in reverie.log.sessions()]
    asked = propose(http, store, sessions)
    work(reverie)
    done = http.get(f"/v1/dreams/{asked}").json()
    assert done["status"] == "completed" and len(done["inputs"][1]["session_ids"]) == 101


def test_a_rejected_idea_does_not_come_back_in_a_copy(
    client: anthropic.Anthropic, http: httpx2.Client, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = propose(http, store, sessions)
    work(reverie)
    proposals = http.get(f"/v1/dreams/{asked}/proposals").json()["data"]
    for proposal in proposals:
        http.post(f"/v1/proposals/{proposal['id']}/reject", json={"reason": "useless"})
    copied = ask(client, store, sessions)
    work(reverie)
    done = client.beta.dreams.retrieve(copied)
    assert done.status == "completed" and done.to_dict()["proposals_applied"] == 0


def test_what_is_redacted_or_deleted_is_not_kept_by_dreams_either(
    client: anthropic.Anthropic, http: httpx2.Client, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    propose(http, store, sessions)
    work(reverie)
    proposals = http.get("/v1/proposals", params={"limit": 100}).json()["data"]
    text = proposals[0]["content"]
    http.post(f"/v1/proposals/{proposals[0]['id']}/approve", json={})
    assert text in everything(reverie)
    (version,) = (
        v for v in client.beta.memory_stores.memory_versions.list(store, view="full") if v.content == text
    )
    client.beta.memory_stores.memories.delete(version.memory_id, memory_store_id=store)
    client.beta.memory_stores.memory_versions.redact(version.id, memory_store_id=store)
    assert text not in everything(reverie)
    client.beta.memory_stores.delete(store)
    kept = everything(reverie)
    assert not [p["path"] for p in proposals if p["content"] in kept]


def everything(reverie: Reverie) -> str:
    """Every text in the database that could hold a memory's, as it would be read back."""
    from sqlalchemy import select

    from reverie.storage import tables

    told: list[str] = []
    with reverie._db.read() as conn:
        for table in (tables.memories, tables.memory_versions, tables.proposals, tables.dream_stages):
            told += [str(value) for row in conn.execute(select(table)) for value in row]
    return "\n".join(told).replace("\\n", "\n").replace('\\"', '"')


# ---------------------------------------------------------------------- lists


def test_lists(client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]) -> None:
    made = [ask(client, store, sessions) for _ in range(5)]
    client.beta.dreams.cancel(made[0])
    by_hand = reverie.dream(store, sessions=sessions[:4]).dream  # from the command line, without a request
    everything = [by_hand.id, *reversed(made)]
    for limit in (1, 2, 4, 100):
        assert [dream.id for dream in client.beta.dreams.list(limit=limit)] == everything
    for statuses, expected in (
        (["canceled"], [made[0]]),
        (["pending"], made[:0:-1]),
        (["canceled", "completed"], [by_hand.id, made[0]]),
        (["running", "failed"], []),
    ):
        assert [d.id for d in client.beta.dreams.list(statuses=statuses)] == expected  # type: ignore[arg-type]
    third = client.beta.dreams.retrieve(made[2]).created_at
    assert [d.id for d in client.beta.dreams.list(created_at_gt=third)] == [by_hand.id, *made[:2:-1]]
    assert [d.id for d in client.beta.dreams.list(created_at_lt=third)] == [made[1], made[0]]
    for asked in ({"limit": 0}, {"limit": 101}, {"page": "nonsense"}, {"statuses": ["asleep"]}):
        with pytest.raises(anthropic.BadRequestError):
            client.beta.dreams.list(**asked)  # type: ignore[arg-type]


def test_a_dream_that_was_started_here_is_shown_too(
    client: anthropic.Anthropic,
    http: httpx2.Client,
    reverie: Reverie,
    store: str,
    sessions: list[str],
    strict: Strict,
) -> None:
    dream = reverie.dream(store, sessions=sessions).dream
    shown = http.get(f"/v1/dreams/{dream.id}").json()
    assert (shown["status"], shown["model"]["id"]) == ("completed", "none")
    assert shown["inputs"] == inputs(store, sorted(sessions))
    assert http.get(f"/v1/dreams/{dream.id}/findings").json()["data"]
    with pytest.raises(anthropic.BadRequestError, match="not asked for over the API"):
        client.beta.dreams.cancel(dream.id)
    assert client.beta.dreams.archive(dream.id).archived_at is not None
    assert list(client.beta.dreams.list()) == []
    with pytest.raises(anthropic.NotFoundError):
        client.beta.dreams.retrieve(dream.id[:-2])  # ids are whole ids here


# ---------------------------------------------------------------------- what is refused


def test_what_is_refused(client: anthropic.Anthropic, store: str, sessions: list[str]) -> None:
    good: dict[str, Any] = {
        "inputs": inputs(store, sessions),
        "model": "m" * 256,
        "instructions": "i" * 4_096,
    }
    client.beta.dreams.create(**good)
    one, some = inputs(store, sessions)
    for asked, told in (
        ({"inputs": [one]}, "inputs"),
        ({"inputs": [some]}, "inputs"),
        ({"inputs": [one, one]}, "inputs"),
        ({"inputs": [some, some]}, "inputs"),
        ({"inputs": [one, some, some]}, "inputs"),
        ({"inputs": [one, {**some, "session_ids": []}]}, "session_ids"),
        ({"inputs": [one, {**some, "session_ids": [sessions[0], sessions[0]]}]}, "each session once"),
        ({"inputs": [one, {"type": "files"}]}, "inputs"),
        ({"model": ""}, "model"),
        ({"model": "m" * 257}, "model"),
        ({"model": {"id": MODEL, "speed": "fast"}}, "model"),
        ({"instructions": ""}, "instructions"),
        ({"instructions": "i" * 4_097}, "instructions"),
        (
            {"output_behavior": {"type": "update_existing", "memory_store_id": "memstore_x"}},
            "memory_store_id",
        ),
        ({"output_behavior": {"type": "overwrite"}}, "output_behavior"),
    ):
        with pytest.raises(anthropic.BadRequestError, match=told):
            client.beta.dreams.create(**{**good, **asked})
    for asked in (
        inputs("memstore_nothing", sessions),
        inputs(store, [*sessions, "sesn_nothing"]),
        inputs(store, [sessions[0][:-3]]),
    ):
        with pytest.raises(anthropic.NotFoundError):
            client.beta.dreams.create(**{**good, "inputs": asked})
    client.beta.memory_stores.archive(store)
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        client.beta.dreams.create(**good)
    for missing in (client.beta.dreams.retrieve, client.beta.dreams.cancel, client.beta.dreams.archive):
        with pytest.raises(anthropic.NotFoundError):
            missing("drm_nothing")


# ---------------------------------------------------------------------- in the middle


def meddle(reverie: Reverie, at: str, act: Callable[[], object]) -> None:
    """Have ``act`` happen when a dream reaches a stage."""
    make = reverie.dreamer

    def dreamer() -> Any:
        real = make()
        dream = real.dream

        def meddled(*args: Any, progress: Any, **more: Any) -> Any:
            def tell(stage: str, done: int, total: int) -> None:
                if stage == at and done == 0:
                    act()
                progress(stage, done, total)

            return dream(*args, progress=tell, **more)

        real.dream = meddled
        return real

    reverie.dreamer = dreamer  # type: ignore[method-assign]


@pytest.mark.parametrize("stage", ["gather", "observe", "mine", "check", "submit"])
def test_canceled_while_it_runs(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], stage: str
) -> None:
    asked = ask(client, store, sessions)
    meddle(reverie, stage, lambda: client.beta.dreams.cancel(asked))
    work(reverie)
    done = client.beta.dreams.retrieve(asked)
    assert done.status == "canceled"
    (output,) = done.outputs  # what was made stays
    assert [item.path for item in client.beta.memory_stores.memories.list(output.memory_store_id)] == [
        "/kept.md"
    ]
    assert [dream.id for dream in client.beta.dreams.list()] == [asked]


@pytest.mark.parametrize("what", ["archive", "delete"])
@pytest.mark.parametrize("stage", ["gather", "mine", "submit"])
def test_the_store_goes_away_meanwhile(
    client: anthropic.Anthropic,
    http: httpx2.Client,
    reverie: Reverie,
    sessions: list[str],
    what: str,
    stage: str,
) -> None:
    for into in ("a copy", "proposals"):
        store = client.beta.memory_stores.create(name="desk").id
        asked = ask(client, store, sessions) if into == "a copy" else propose(http, store, sessions)
        meddle(reverie, stage, lambda store=store: getattr(reverie.stores, what)(store, actor="ana"))
        work(reverie)
        done = http.get(f"/v1/dreams/{asked}").json()
        assert done["status"] == "failed" and done["ended_at"] is not None
        assert done["error"]["type"] == "input_memory_store_unavailable"
        del reverie.dreamer


def test_a_session_goes_away_meanwhile(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = ask(client, store, sessions)
    meddle(reverie, "mine", lambda: gone(reverie, sessions[3]))
    work(reverie)
    done = client.beta.dreams.retrieve(asked)
    assert done.error is not None and done.error.type == "input_session_unavailable"
    assert sessions[3] in done.error.message


def gone(reverie: Reverie, session_id: str) -> None:
    from reverie.storage import tables

    change = (
        tables.sessions.update()
        .where(tables.sessions.c.id == session_id)
        .values(deleted_at="2026-03-01T00:00:00.000000Z")
    )
    reverie._db.write(lambda conn: conn.execute(change).rowcount)


def test_a_fault_in_a_plug_in_ends_the_dream_and_not_the_worker(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    def fault() -> None:
        raise ZeroDivisionError("something of mine")

    first = ask(client, store, sessions)
    meddle(reverie, "mine", fault)
    work(reverie)
    done = client.beta.dreams.retrieve(first)
    assert done.status == "failed" and done.error is not None
    assert done.error.type == "internal_error" and "something of mine" not in done.error.message
    del reverie.dreamer
    second = ask(client, store, sessions)
    work(reverie)
    assert client.beta.dreams.retrieve(second).status == "completed"


def test_a_dream_takes_a_day_at_most(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], clock: SteppingClock
) -> None:
    asked = ask(client, store, sessions)

    def wait() -> None:
        clock.now += timedelta(days=1, seconds=1)

    meddle(reverie, "mine", wait)
    work(reverie)
    done = client.beta.dreams.retrieve(asked)
    assert done.error is not None and done.error.type == "timeout"


class Killed(BaseException):
    """The process is gone: nothing of its own is tidied up."""


@both
@pytest.mark.parametrize("stage", ["gather", "observe", "mine", "check", "submit"])
def test_what_a_killed_worker_left_is_taken_up(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], stage: str,
    clock: SteppingClock, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def die() -> None:
        raise Killed

    asked = ask(client, store, sessions)
    meddle(reverie, stage, die)
    with pytest.raises(Killed):
        reverie.night("first").work()
    del reverie.dreamer
    assert client.beta.dreams.retrieve(asked).status == "running"
    assert reverie.night("second").work() is None  # it is somebody else's, as far as one can tell
    clock.now += LEASE
    assert reverie.night("second").work() is not None
    done = client.beta.dreams.retrieve(asked)
    assert done.status == "completed" and len(done.outputs) == 1
    assert len(list(client.beta.memory_stores.list())) == 2  # the copy was made once
    assert done.to_dict()["proposals_applied"] > 0


def test_a_worker_that_was_killed_while_it_wrote_writes_the_rest(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], clock: SteppingClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    approve, written = reverie.review.approve, []

    def once(*args: Any, **more: Any) -> Any:
        if written:
            raise Killed
        written.append(1)
        return approve(*args, **more)

    asked = ask(client, store, sessions)
    monkeypatch.setattr(reverie.review, "approve", once)
    with pytest.raises(Killed):
        reverie.night("first").work()
    monkeypatch.undo()
    clock.now += LEASE
    reverie.night("second").work()
    told = client.beta.dreams.retrieve(asked).to_dict()
    assert told["status"] == "completed" and told["proposals_applied"] > 1 and told["proposals_pending"] == 0


def test_a_worker_that_stops_lets_go_at_once(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = ask(client, store, sessions)
    stopping: list[bool] = []
    meddle(reverie, "mine", lambda: stopping.append(True))
    reverie.night("first", lambda: bool(stopping)).work()
    assert client.beta.dreams.retrieve(asked).status == "running"
    del reverie.dreamer
    reverie.night("second").work()  # without waiting for the lease
    assert client.beta.dreams.retrieve(asked).status == "completed"


def test_two_workers_do_not_take_the_same(
    reverie: Reverie, client: anthropic.Anthropic, store: str, sessions: list[str]
) -> None:
    ask(client, store, sessions), ask(client, store, sessions)
    nights: list[Night] = [reverie.night(name) for name in ("a", "b", "c")]
    taken = [night._take() for night in nights]
    assert len({request.id for request in taken if request}) == 2 and taken[2] is None


def test_the_watch_works_in_the_background(
    reverie: Reverie, http: httpx2.Client, store: str, sessions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    end = Night._end

    def noted(self: Night, *args: Any) -> None:
        end(self, *args)
        done.set()

    monkeypatch.setattr(Night, "_end", noted)
    watch = reverie.night_watch()
    watch.start()
    try:
        asked = propose(http, store, sessions)
        assert done.wait(60)
    finally:
        watch.stop()
    assert http.get(f"/v1/dreams/{asked}").json()["status"] == "completed"


def test_webhooks_tell_of_dreams_and_proposals(
    client: anthropic.Anthropic, http: httpx2.Client, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    from reverie.domain.webhooks import EVENT_TYPES

    ours = sorted(t for t in EVENT_TYPES if t.startswith(("dream.", "proposal.")))
    made, _ = reverie.webhooks.create("https://hooks.example.com/", ours)
    asked = propose(http, store, sessions)
    canceled = propose(http, store, sessions)
    client.beta.dreams.cancel(canceled)
    work(reverie)
    proposals = http.get(f"/v1/dreams/{asked}/proposals").json()["data"]
    first, second = proposals[0]["id"], proposals[1]["id"]
    http.post(f"/v1/proposals/{first}/approve", json={})
    http.post(f"/v1/proposals/{first}/undo", json={})
    http.post(f"/v1/proposals/{second}/reject", json={"reason": "wrong"})
    told = {(d.type, d.subject) for d in reverie.webhooks.deliveries(made.id, limit=100)}
    assert told >= {
        ("dream.created", asked), ("dream.started", asked), ("dream.completed", asked),
        ("dream.created", canceled), ("dream.canceled", canceled),
        ("proposal.created", first), ("proposal.approved", first), ("proposal.reverted", first),
        ("proposal.rejected", second),
    }  # fmt: skip
