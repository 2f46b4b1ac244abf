"""Webhooks: registration through the SDK, deliveries that its ``unwrap`` verifies, receivers that misbehave."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import anthropic
import httpx2
import pytest
import standardwebhooks.webhooks
from anthropic.types.beta import BetaWebhookEvent
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.domain.webhooks import EVENT_TYPES, SCHEDULE
from reverie.storage.database import Database
from reverie.workspaces.sealing import KEY_VARIABLE

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
Strict = Callable[..., None]
URL = "https://hooks.example.com/reverie"
ALL = sorted(EVENT_TYPES)


class Hand:
    """A clock that goes when it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def reverie(database_url: str, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reverie]:
    """A house that may deliver to loopback."""
    monkeypatch.setenv(KEY_VARIABLE, "A" * 43 + "=")
    db = Database.open(database_url, clock=hand)
    with Reverie(db, clock=hand, entropy=random.Random(5).randbytes, allow=["127.0.0.1"]) as house:
        yield house


@dataclass
class Receiver:
    """A server on loopback. ``answers`` gives (status, seconds to wait) for the n-th request."""

    answers: Callable[[int], tuple[int, float]] = lambda n: (200, 0)
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in head[1:] if line)
        headers = {name.lower(): value for name, _, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.got.append((headers, body.decode()))
        status, wait = self.answers(len(self.got) - 1)
        await asyncio.sleep(wait)
        told = f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
        writer.write(told.encode())
        await writer.drain()

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@asynccontextmanager
async def listening(*receivers: Receiver) -> AsyncIterator[None]:
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def noted(receiver: Receiver, reader: Any, writer: Any) -> None:
        tasks.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        await receiver.serve(reader, writer)

    for receiver in receivers:
        server = await asyncio.start_server(lambda r, w, it=receiver: noted(it, r, w), "127.0.0.1", 0)
        receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def happen(reverie: Reverie, type: str = "agent.created", id: str = "agent_1", **more: str) -> None:
    reverie.resources.write(lambda conn: reverie.webhooks.emit(conn, type, id, **more))


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await work()

    return asyncio.run(main())


# ---------------------------------------------------------------------- registration


@both
def test_every_method(client: anthropic.Anthropic, strict: Strict) -> None:
    webhooks = client.beta.organization.webhooks
    made = webhooks.create(url=URL, enabled_events=["external_key.failed"], name="a", description="b")
    strict(made)
    assert made.signing_secret.startswith("whsec_") and (made.state, made.disabled_reason) == ("enabled", "")
    found = webhooks.retrieve(made.id)
    strict(found)
    assert "signing_secret" not in found.to_dict() and found.url == URL
    changed = webhooks.update(made.id, name="c", enabled_events=[], state="disabled")
    strict(changed)
    assert (changed.name, changed.description, changed.state) == ("c", "b", "disabled")
    assert changed.enabled_events == ["external_key.failed"]  # an empty list leaves them
    assert webhooks.update(made.id, state="enabled").state == "enabled"
    fresh = webhooks.regenerate_signing_secret(made.id)
    strict(fresh)
    assert fresh.signing_secret != made.signing_secret
    strict(webhooks.delete(made.id))
    with pytest.raises(anthropic.NotFoundError):
        webhooks.retrieve(made.id)


def test_every_method_async(async_client: anthropic.AsyncAnthropic, strict: Strict) -> None:
    async def work() -> None:
        webhooks = async_client.beta.organization.webhooks
        made = await webhooks.create(url=URL, enabled_events=["external_key.failed"])
        strict(made)
        strict(await webhooks.retrieve(made.id))
        strict(await webhooks.update(made.id, name="c"))
        assert [each.id async for each in webhooks.list()] == [made.id]
        strict(await webhooks.regenerate_signing_secret(made.id))
        strict(await webhooks.delete(made.id))

    asyncio.run(work())


def test_lists_go_by_ids_in_both_directions(client: anthropic.Anthropic, hand: Hand, strict: Strict) -> None:
    webhooks = client.beta.organization.webhooks
    made: list[str] = []
    for _ in range(32):
        hand.now += timedelta(seconds=1)
        made.append(webhooks.create(url=URL, enabled_events=["external_key.failed"]).id)
    page = webhooks.list(limit=5)
    strict(page.data)
    assert [each.id for each in page] == made[::-1]
    assert [each.id for each in webhooks.list(order="asc", limit=7)] == made
    assert len(webhooks.list().data) == len(webhooks.list(limit=0).data) == 20
    assert [e.id for e in webhooks.list(before_id=made[0], limit=3).data] == made[:-4:-1]  # the first ones
    with pytest.raises(anthropic.BadRequestError, match="at most 32"):
        webhooks.create(url=URL, enabled_events=["external_key.failed"])
    with pytest.raises(anthropic.NotFoundError):
        webhooks.list(after_id="wh_nothing")
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        webhooks.list(limit=101)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"url": "http://hooks.example.com/"}, "https"),
        ({"url": "https://10.0.0.1/"}, "not a public address"),
        ({"url": "https://hooks.example.com:8443/"}, "port 443"),
        ({"url": "https://user:secret@hooks.example.com/"}, "password"),
        ({"url": "https://hooks.example.com/" + "x" * 2_048}, "url"),
        ({"url": ""}, "url"),
        ({"enabled_events": []}, "enabled_events"),
        ({"enabled_events": ["nothing.known"]}, "nothing.known"),
        ({"name": "n" * 256}, "name"),
        ({"description": "d" * 1_025}, "description"),
    ],
)
def test_what_is_refused(client: anthropic.Anthropic, asked: dict[str, Any], told: str) -> None:
    good: dict[str, Any] = {
        "url": URL,
        "enabled_events": ["agent.created"],
        "name": "n" * 255,
        "description": "d" * 1_024,
    }
    made = client.beta.organization.webhooks.create(**good)
    with pytest.raises(anthropic.BadRequestError, match=told):
        client.beta.organization.webhooks.create(**{**good, **asked})
    if asked != {"enabled_events": []}:
        with pytest.raises(anthropic.BadRequestError, match=told):
            client.beta.organization.webhooks.update(made.id, **asked)


# ---------------------------------------------------------------------- deliveries


@both
def test_what_arrives_is_what_the_sdk_unwraps(
    client: anthropic.Anthropic, reverie: Reverie, strict: Strict
) -> None:
    async def work() -> list[tuple[dict[str, str], str]]:
        receiver = Receiver()
        async with listening(receiver):
            _, secret = reverie.webhooks.create(receiver.url, ALL)
            for type in ALL:
                more = {"vault_id": "vlt_1"} if type.startswith("vault_credential") else {}
                more |= {"session_thread_id": "sthr_1"} if type.startswith("session.thread") else {}
                more |= {"enforcement_action_id": "x"} if "enforcement" in type else {}
                happen(reverie, type, "some_1", **more)
            assert await reverie.courier().deliver() == len(ALL)
            client.webhook_key = secret
        return receiver.got

    got = run(work)
    assert len(got) == len(ALL)
    known = 0
    for headers, body in got:
        event = client.beta.webhooks.unwrap(body, headers=headers)
        assert event.id == headers["webhook-id"] and event.data.id == "some_1"
        assert event.type == "event" and event.data.organization_id.startswith("org_")
        if not event.data.type.startswith(("dream.", "proposal.", "trial.")):
            strict(json.loads(body), BetaWebhookEvent)
            known += 1
        with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
            client.beta.webhooks.unwrap(body + " ", headers=headers)
    assert known == len(ALL) - 15


@both
def test_a_notice_is_written_with_what_it_tells_of(client: anthropic.Anthropic, reverie: Reverie) -> None:
    made, _ = reverie.webhooks.create(
        URL, ["memory_store.created", "memory_store.archived", "memory_store.deleted"]
    )
    store = client.beta.memory_stores.create(name="a")
    client.beta.memory_stores.archive(store.id)
    client.beta.memory_stores.archive(store.id)  # nothing happens, nothing is told
    client.beta.memory_stores.delete(store.id)
    kept = reverie.webhooks.deliveries(made.id)
    assert [(each.type, each.subject, each.status) for each in sorted(kept, key=lambda d: d.type)] == [
        (f"memory_store.{what}", store.id, "pending") for what in ("archived", "created", "deleted")
    ]

    def rolled_back(conn: Any) -> None:
        reverie.webhooks.emit(conn, "memory_store.created", "memstore_x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        reverie.resources.write(rolled_back)
    assert len(reverie.webhooks.deliveries(made.id)) == 3


def test_receivers_that_fail_are_tried_again_by_the_schedule_and_the_id_stays(
    client: anthropic.Anthropic,
    http: httpx2.Client,
    reverie: Reverie,
    hand: Hand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """76 hours in virtual time."""

    async def work() -> tuple[Receiver, str, str]:
        receiver = Receiver(lambda n: (503, 0))
        async with listening(receiver):
            made, secret = reverie.webhooks.create(receiver.url, ["agent.created"])
            happen(reverie)
            courier = reverie.courier()
            for number, wait in enumerate(SCHEDULE):
                hand.now += wait - timedelta(seconds=1) if wait else timedelta(0)
                if wait:
                    assert await courier.deliver() == 0  # not yet
                    hand.now += timedelta(seconds=1)
                assert await courier.deliver() == 1, number
            hand.now += timedelta(days=30)
            assert await courier.deliver() == 0
        return receiver, made.id, secret

    receiver, webhook_id, secret = run(work)
    assert len(receiver.got) == len(SCHEDULE) == 10 and len(set(receiver.ids())) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == 10

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(int(current["webhook-timestamp"]), UTC)

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Later)
    for current, body in receiver.got:
        client.beta.webhooks.unwrap(body, headers=current, key=secret)

    listed = http.get(f"/v1/organizations/webhooks/{webhook_id}/deliveries").json()["data"]
    assert [each["status"] for each in listed] == ["failed"]
    assert [attempt["status"] for attempt in listed[0]["attempts"]] == [503] * 10
    assert listed[0]["attempts"][0]["error"] == "HTTP 503" and listed[0]["next_attempt_at"] is None
    endpoint = client.beta.organization.webhooks.retrieve(webhook_id)
    assert (endpoint.state, endpoint.disabled_reason) == ("disabled", "sustained_failure")


@pytest.mark.parametrize(
    ("status", "reason"), [(410, "gone"), (301, "redirect"), (307, "redirect"), (304, "redirect")]
)
def test_some_answers_disable_the_endpoint_at_once(
    client: anthropic.Anthropic, reverie: Reverie, status: int, reason: str
) -> None:
    async def work() -> tuple[str, int]:
        receiver = Receiver(lambda n: (status, 0))
        async with listening(receiver):
            made, _ = reverie.webhooks.create(receiver.url, ["agent.created"])
            happen(reverie)
            await reverie.courier().deliver()
            happen(reverie)  # while it is disabled: never delivered
            await reverie.courier().deliver()
        return made.id, len(receiver.got)

    webhook_id, got = run(work)
    assert got == 1
    endpoint = client.beta.organization.webhooks.retrieve(webhook_id)
    assert (endpoint.state, endpoint.disabled_reason) == ("disabled", reason)
    assert [d.status for d in reverie.webhooks.deliveries(webhook_id)] == ["failed"]
    enabled = client.beta.organization.webhooks.update(webhook_id, state="enabled")
    assert (enabled.state, enabled.disabled_reason) == ("enabled", "")


def test_an_address_that_turns_private_disables_the_endpoint(
    client: anthropic.Anthropic, reverie: Reverie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reverie, "_allow", ())
    made, _ = reverie.webhooks.create("https://localhost/hook", ["agent.created"])
    happen(reverie)
    run(reverie.courier().deliver)
    (delivery,) = reverie.webhooks.deliveries(made.id)
    assert delivery.status == "failed" and delivery.log[-1].refused
    assert client.beta.organization.webhooks.retrieve(made.id).disabled_reason == "invalid_address"


def test_what_waits_at_a_disabled_endpoint_is_listed_as_failed(
    client: anthropic.Anthropic, reverie: Reverie
) -> None:
    made, _ = reverie.webhooks.create(URL, ["agent.created"])
    happen(reverie)
    client.beta.organization.webhooks.update(made.id, state="disabled")
    (delivery,) = reverie.webhooks.deliveries(made.id)
    assert (delivery.status, delivery.log[-1].error) == ("failed", "the endpoint was disabled")


def test_a_delivery_can_be_repeated(http: httpx2.Client, reverie: Reverie) -> None:
    async def work() -> None:
        receiver = Receiver()
        async with listening(receiver):
            made, _ = reverie.webhooks.create(receiver.url, ["agent.created"])
            happen(reverie)
            at = f"/v1/organizations/webhooks/{made.id}/deliveries"
            (waiting,) = http.get(at).json()["data"]
            refused = http.post(f"{at}/{waiting['id']}/redeliver")
            assert refused.status_code == 409 and "on its way" in refused.text
            await reverie.courier().deliver()
            assert http.get(at, params={"status": "delivered"}).json()["data"][0]["id"] == waiting["id"]
            assert http.get(at, params={"status": "failed"}).json()["data"] == []
            again = http.post(f"{at}/{waiting['id']}/redeliver").json()
            assert again["status"] == "pending" and len(again["attempts"]) == 1
            await reverie.courier().deliver()
            shown = http.get(f"{at}/{waiting['id']}").json()
            assert shown["status"] == "delivered" and len(shown["attempts"]) == 2
            assert len(receiver.got) == 2 and len(set(receiver.ids())) == 1
            reverie.webhooks.update(made.id, state="disabled")
            assert http.post(f"{at}/{waiting['id']}/redeliver").status_code == 409
            assert http.get(f"{at}/whd_x").status_code == 404
            assert http.get("/v1/organizations/webhooks/wh_x/deliveries").status_code == 404

    run(work)


@both
def test_receivers_of_every_kind_get_everything_or_it_is_listed(reverie: Reverie, hand: Hand) -> None:
    """Some fail, some hang, some go away; couriers die in the middle of an attempt."""
    chance = random.Random(3)

    async def work() -> None:
        good, flaky, gone, redirecting = (
            Receiver(),
            Receiver(lambda n: (500 if chance.random() < 0.3 else 200, 0)),
            Receiver(lambda n: (410 if n == 7 else 200, 0)),
            Receiver(lambda n: (302 if n == 3 else 200, 0)),
        )
        receivers = (good, flaky, gone, redirecting)
        async with listening(*receivers):
            endpoints = [reverie.webhooks.create(r.url, ["agent.updated"])[0].id for r in receivers]
            for number in range(12):
                happen(reverie, "agent.updated", f"agent_{number}")
                for _ in range(2):
                    reverie.webhooks.take({})  # a courier that was killed: it took, and never came back
                hand.now += timedelta(seconds=61)
                await reverie.courier().deliver()
            for _ in SCHEDULE:
                hand.now += timedelta(hours=25)
                await reverie.courier().deliver()
        for receiver, endpoint in zip(receivers, endpoints, strict=True):
            deliveries = reverie.webhooks.deliveries(endpoint, limit=100)
            arrived = Counter(receiver.ids())
            assert all(d.status in ("delivered", "failed") for d in deliveries)
            assert all(arrived[d.event_id] >= 1 for d in deliveries if d.status == "delivered")
            enabled = reverie.webhooks.get(endpoint).status == "enabled"
            assert enabled == (receiver in (good, flaky))
            assert len(deliveries) == 12 if enabled else len(deliveries) < 12
        assert all(d.status == "delivered" for d in reverie.webhooks.deliveries(endpoints[0], limit=100))
        assert all(d.status == "delivered" for d in reverie.webhooks.deliveries(endpoints[1], limit=100))

    run(work)


def test_an_endpoint_that_hangs_holds_nobody_up(reverie: Reverie) -> None:
    """The courier as a server runs it: sixty notices arrive while an endpoint has not answered the first."""

    async def work() -> None:
        everything = asyncio.Event()
        hanging = Receiver(lambda n: (200, 3_600))
        good = Receiver(lambda n: (everything.set() if n == 59 else None, (200, 0.0))[1])
        async with listening(hanging, good):
            reverie.webhooks.create(hanging.url, ["agent.updated"])
            reverie.webhooks.create(good.url, ["agent.updated"])
            for number in range(60):
                happen(reverie, "agent.updated", f"agent_{number}")
            courier = reverie.courier()
            courier.start()
            try:
                await asyncio.wait_for(everything.wait(), 30)
                assert len(set(good.ids())) == 60
                assert 1 <= len(hanging.got) <= 16  # and no more of them are in flight
            finally:
                await asyncio.to_thread(courier.stop)

    run(work)


def test_a_new_secret_signs_alone(client: anthropic.Anthropic, reverie: Reverie) -> None:
    async def work() -> tuple[str, str, tuple[dict[str, str], str]]:
        receiver = Receiver()
        async with listening(receiver):
            made, old = reverie.webhooks.create(receiver.url, ["agent.created"])
            new = client.beta.organization.webhooks.regenerate_signing_secret(made.id).signing_secret
            happen(reverie)
            await reverie.courier().deliver()
        return old, new, receiver.got[0]

    old, new, (headers, body) = run(work)
    client.beta.webhooks.unwrap(body, headers=headers, key=new)
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        client.beta.webhooks.unwrap(body, headers=headers, key=old)


def test_secrets_are_sealed_and_workspaces_are_apart(reverie: Reverie, database_url: str) -> None:
    made, secret = reverie.webhooks.create(URL, ["agent.created"])
    other = reverie.workspace("wrkspc_other")
    other.resources.write(lambda conn: other.webhooks.emit(conn, "agent.created", "agent_1"))
    assert reverie.webhooks.deliveries(made.id) == []
    path = database_url.removeprefix("sqlite:///")
    with open(path, "rb") as file, open(path + "-wal", "rb") as log:
        assert secret.removeprefix("whsec_").encode() not in file.read() + log.read()


def test_what_was_settled_a_month_ago_is_forgotten(reverie: Reverie, hand: Hand) -> None:
    async def work() -> None:
        receiver = Receiver()
        async with listening(receiver):
            made, _ = reverie.webhooks.create(receiver.url, ["agent.created"])
            happen(reverie)
            await reverie.courier().deliver()
            reverie.webhooks.sweep()
            assert len(reverie.webhooks.deliveries(made.id)) == 1
            hand.now += timedelta(days=31)
            reverie.webhooks.sweep()
            assert reverie.webhooks.deliveries(made.id) == []

    run(work)
