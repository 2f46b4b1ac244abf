"""Dreams that a model writes, through the SDK: their session, what they use, and whatever can happen meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from tests.contract import dream_models
from tests.contract.test_dreams import inputs, meddle, work
from tests.transcripts import write_sessions

import reverie as product
from reverie.app import Reverie
from reverie.domain.messages import ModelRequest
from reverie.domain.webhooks import EVENT_TYPES

WATCHED = "scripted:tests.contract.dream_models:watched"
BROKEN = "scripted:tests.contract.dream_models:broken"
VENDORS = "claude-opus-5"
Strict = Callable[..., None]


@pytest.fixture
def reverie(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reverie]:
    monkeypatch.setenv("REVERIE_MODELS", f"{WATCHED},{BROKEN}")
    monkeypatch.setattr(dream_models, "DOOR", [])
    with product.open(sqlite_url, allow=["127.0.0.1"]) as house:
        house.import_paths(*write_sessions(tmp_path / "transcripts"))
        yield house


@pytest.fixture
def sessions(reverie: Reverie) -> list[str]:
    return [session.id for session in reverie.log.sessions()]


@pytest.fixture
def store(client: anthropic.Anthropic) -> str:
    return client.beta.memory_stores.create(name="desk").id


def at_the_door(act: Callable[[], object], *, request: int = 1) -> None:
    """Have ``act`` happen while the model is asked for the n-th time."""
    asked: list[ModelRequest] = []

    def visit(each: ModelRequest) -> None:
        asked.append(each)
        if len(asked) == request:
            act()

    dream_models.DOOR.append(visit)


def ask(client: anthropic.Anthropic, store: str, sessions: Sequence[str], **more: Any) -> str:
    return client.beta.dreams.create(inputs=inputs(store, sessions), **{"model": VENDORS, **more}).id


def test_a_vendors_model_id_means_the_one_that_is_configured_and_its_session_can_be_watched(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], strict: Strict
) -> None:
    asked = ask(client, store, sessions, instructions="Begin with the forms.")
    meanwhile: list[Any] = []
    at_the_door(lambda: meanwhile.append(client.beta.dreams.retrieve(asked)), request=2)
    work(reverie)
    (running,) = meanwhile
    assert running.status == "running" and running.session_id is not None and running.usage.input_tokens > 0
    assert running.to_dict()["estimate"]["input_tokens"] > 0
    done = client.beta.dreams.retrieve(asked)
    strict(done)
    told = done.to_dict()
    assert done.status == "completed" and done.model.id == VENDORS and done.session_id == running.session_id
    assert told["notices"] == [] and told["fell_back"] is None and told["budget"] is None
    assert [name.partition(":")[0] for name in told["written_by"]] == ["model/1"]
    assert done.usage.input_tokens > running.usage.input_tokens and done.usage.output_tokens > 0
    session = client.beta.sessions.retrieve(done.session_id)
    assert session.archived_at is not None and session.status == "terminated"
    events = list(client.beta.sessions.events.list(done.session_id))
    assert "Begin with the forms." in events[0].to_json() and "agent.custom_tool_use" in {
        e.type for e in events
    }
    assert told["proposals_applied"] > 0
    assert sorted(sessions) == done.inputs[1].to_dict()["session_ids"]


def test_what_it_would_take_is_told_before_it_is_asked_for(
    client: anthropic.Anthropic, http: httpx2.Client, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    wanted = {"inputs": inputs(store, sessions), "model": VENDORS, "instructions": "Begin with the forms."}
    told: Any = client.post("/v1/dreams/estimate", body=wanted, cast_to=object)
    assert told["type"] == "dream_estimate" and told["model"]["id"] == WATCHED
    assert told["session_count"] == len(sessions) and told["fell_back"] is None
    whole = told["estimate"]["input_tokens"] + told["estimate"]["output_tokens"]
    assert whole > 0 and told["budget"] == {"max_tokens": 2 * whole}
    assert not list(client.beta.dreams.list()) and len(reverie.log.sessions()) == len(sessions)
    asked = ask(client, store, sessions, instructions="Begin with the forms.")
    work(reverie)
    assert client.beta.dreams.retrieve(asked).to_dict()["estimate"] == told["estimate"]

    mine: Any = client.post(
        "/v1/dreams/estimate", body={**wanted, "budget": {"max_tokens": 9}}, cast_to=object
    )
    assert mine["budget"] == {"max_tokens": 9}
    for model, why in (("none", None), ("nobody:else", "nobody")):
        other: Any = client.post("/v1/dreams/estimate", body={**wanted, "model": model}, cast_to=object)
        assert (other["model"]["id"], other["estimate"], other["budget"]) == ("none", None, None)
        assert (why is None) == (other["fell_back"] is None) and (why or "") in (other["fell_back"] or "")
    refused = http.post("/v1/dreams/estimate", json={**wanted, "inputs": inputs(store, ["sesn_gone"])})
    assert refused.status_code == 404 and "sesn_gone" in refused.text


def test_its_events_stream(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = ask(client, store, sessions)
    streamed: list[str] = []
    threads: list[threading.Thread] = []
    opened = threading.Event()

    def follow(session_id: str) -> None:
        with client.beta.sessions.events.stream(session_id) as stream:
            opened.set()
            for event in stream:  # which does not end by itself: archived sessions are streamed as well
                streamed.append(event.type)
                if event.type == "session.status_terminated":
                    return

    def watch() -> None:
        session_id = client.beta.dreams.retrieve(asked).session_id
        threads.append(threading.Thread(target=follow, args=(session_id,)))
        threads[0].start()
        assert opened.wait(30)

    at_the_door(watch)
    work(reverie)
    threads[0].join(30)
    assert {"agent.custom_tool_use", "user.custom_tool_result", "session.status_terminated"} <= set(streamed)


@pytest.mark.parametrize("model", ["nobody:else", "scripted:tests.contract.dream_models:absent"])
def test_a_model_that_is_not_configured_is_told_and_the_templates_write(
    http: httpx2.Client,
    client: anthropic.Anthropic,
    reverie: Reverie,
    store: str,
    sessions: list[str],
    model: str,
) -> None:
    asked = ask(client, store, sessions, model=model, instructions="Be brief.")
    work(reverie)
    done = http.get(f"/v1/dreams/{asked}").json()
    assert done["status"] == "completed" and done["model"]["id"] == model and done["session_id"] is None
    assert done["written_by"] == ["template/2"] and set(done["usage"].values()) == {0}
    wrote, heeded = done["notices"]
    assert model in wrote and "templates wrote" in wrote and "did not heed" in heeded
    assert done["fell_back"] in wrote and done["proposals_applied"] > 0


def test_nothing_configured_and_a_vendors_id_is_told_too(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REVERIE_MODELS", raising=False)
    with product.open(sqlite_url) as house:
        house.import_paths(*write_sessions(tmp_path / "transcripts"))
        ids = [session.id for session in house.log.sessions()]
        from reverie.dreaming.requests import Asked

        made = house.dream_requests.create(Asked(house.memory.store().id, ids, VENDORS, output="propose"))
        house.night_watch().work()
        done = house.dream_requests.get(made.id)
        assert done.status == "completed" and "'claude-opus-5' is not configured here" in str(done.fell_back)


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"model": BROKEN}, "proposed nothing"), ({"extra_body": {"budget": {"max_tokens": 50}}}, "50")],
)
def test_what_the_model_fails_at_the_templates_write(
    http: httpx2.Client, client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str],
    asked: dict[str, Any], why: str,
) -> None:  # fmt: skip
    dream = ask(client, store, sessions, **asked)
    work(reverie)
    done = http.get(f"/v1/dreams/{dream}").json()
    assert done["status"] == "completed" and done["written_by"] == ["template/2"]
    assert why in done["fell_back"] and done["fell_back"] in done["notices"][0]
    assert (done["budget"] is None) == ("extra_body" not in asked)
    assert done["proposals_applied"] > 0


# ---------------------------------------------------------------------- in the middle


def test_canceled_in_the_middle_of_a_turn(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = ask(client, store, sessions)
    at_the_door(lambda: client.beta.dreams.cancel(asked), request=2)
    work(reverie)
    done = client.beta.dreams.retrieve(asked)
    assert done.status == "canceled" and done.usage.input_tokens > 0 and done.session_id is not None
    assert client.beta.sessions.retrieve(done.session_id).archived_at is not None
    (output,) = done.outputs
    assert list(client.beta.memory_stores.memories.list(output.memory_store_id)) == []


def test_asked_for_again_after_it_was_canceled(
    http: httpx2.Client, client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    more = {"extra_body": {"output_behavior": {"type": "propose"}}}
    first = ask(client, store, sessions, **more)
    at_the_door(lambda: client.beta.dreams.cancel(first), request=2)
    work(reverie)
    canceled = client.beta.dreams.retrieve(first)
    second = ask(client, store, sessions, **more)
    work(reverie)
    done = http.get(f"/v1/dreams/{second}").json()
    assert done["status"] == "completed" and done["fell_back"] is None and done["proposals_pending"] > 0
    assert done["session_id"] != canceled.session_id
    assert done["usage"]["input_tokens"] > canceled.usage.input_tokens


@pytest.mark.parametrize("what", ["archive", "delete"])
def test_the_store_goes_away_while_the_model_writes(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str], what: str
) -> None:
    asked = ask(client, store, sessions)
    at_the_door(lambda: getattr(reverie.stores, what)(store, actor="ana"))
    work(reverie)
    done = client.beta.dreams.retrieve(asked)
    assert done.status == "failed" and done.error is not None
    assert done.error.type == "input_memory_store_unavailable" and done.usage.input_tokens > 0


def test_the_writing_session_is_deleted_under_it(
    http: httpx2.Client, client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = ask(client, store, sessions)
    meddle(
        reverie,
        "check",
        lambda: client.beta.sessions.delete(str(client.beta.dreams.retrieve(asked).session_id)),
    )
    work(reverie)
    done = http.get(f"/v1/dreams/{asked}").json()
    assert done["status"] == "completed" and done["usage"]["input_tokens"] > 0
    assert http.get(f"/v1/sessions/{done['session_id']}").status_code == 404


def test_a_server_that_stops_leaves_it_to_the_next_which_asks_nothing_twice(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = ask(client, store, sessions)
    requests: list[ModelRequest] = []
    stopping: list[bool] = []
    dream_models.DOOR.append(requests.append)
    at_the_door(lambda: stopping.append(True), request=2)
    reverie.night("first", lambda: bool(stopping)).work()
    left = client.beta.dreams.retrieve(asked)
    assert (
        left.status == "running" and client.beta.sessions.retrieve(str(left.session_id)).archived_at is None
    )
    reverie.night("second").work()
    done = client.beta.dreams.retrieve(asked)
    assert done.status == "completed" and done.session_id == left.session_id
    said = [message for request in requests for message in [str(request.messages)]]
    assert len(said) == len(set(said))  # no request was made twice


def test_canceled_while_nobody_works_on_it(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    asked = ask(client, store, sessions)
    stopping: list[bool] = []
    at_the_door(lambda: stopping.append(True), request=2)
    reverie.night("first", lambda: bool(stopping)).work()
    session_id = str(client.beta.dreams.retrieve(asked).session_id)
    settled(reverie, session_id)
    canceled = client.beta.dreams.cancel(asked)
    assert canceled.status == "canceled" and canceled.usage.input_tokens > 0
    assert client.beta.sessions.retrieve(session_id).archived_at is not None
    assert reverie.night("second").work() is None


def settled(reverie: Reverie, session_id: str) -> None:
    """Wait until the model's answer is in the log, and the session rests with its calls."""
    for _ in range(300):
        if reverie.live.row(session_id).status == "idle":
            return
        threading.Event().wait(0.05)
    raise AssertionError("it does not rest")


def test_two_requests_for_the_same_are_one_dream_written_once(
    http: httpx2.Client, client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    more = {"extra_body": {"output_behavior": {"type": "propose"}}}
    asked = [ask(client, store, sessions, **more) for _ in range(2)]
    work(reverie)
    one, other = (http.get(f"/v1/dreams/{each}").json() for each in asked)
    assert one["session_id"] == other["session_id"] and one["usage"] == other["usage"]
    assert {one["status"], other["status"]} == {"completed"}


# ---------------------------------------------------------------------- told to others


class Ear(BaseHTTPRequestHandler):
    """A receiver of webhooks."""

    heard: list[tuple[bytes, dict[str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.heard.append((body, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


def test_every_state_is_delivered_and_the_sdk_verifies_it(
    client: anthropic.Anthropic, reverie: Reverie, store: str, sessions: list[str]
) -> None:
    heard: list[tuple[bytes, dict[str, str]]] = []
    ear = type("OneEar", (Ear,), {"heard": heard})
    with ThreadingHTTPServer(("127.0.0.1", 0), ear) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_port}/"
        hook, secret = reverie.webhooks.create(
            url, [t for t in sorted(EVENT_TYPES) if t.startswith("dream.")]
        )
        completed, canceled = ask(client, store, sessions), ask(client, store, sessions)
        client.beta.dreams.cancel(canceled)
        work(reverie)
        gone = client.beta.memory_stores.create(name="gone").id
        failed = ask(client, gone, sessions)
        client.beta.memory_stores.delete(gone)
        work(reverie)
        while any(each.status == "pending" for each in reverie.webhooks.deliveries(hook.id, limit=100)):
            asyncio.run(reverie.courier().deliver())
        receiver.shutdown()
    told = {
        (e.data.type, e.data.id)
        for e in (client.beta.webhooks.unwrap(b.decode(), headers=h, key=secret) for b, h in heard)
    }
    assert told == {
        *((f"dream.{what}", completed) for what in ("created", "started", "completed")),
        *((f"dream.{what}", canceled) for what in ("created", "canceled")),
        *((f"dream.{what}", failed) for what in ("created", "started", "failed")),
    }  # fmt: skip
