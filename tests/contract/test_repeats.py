"""``Idempotency-Key``: a request that comes twice is done once, and answered twice alike."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import anthropic
import httpx2
import pytest
from tests.conftest import SteppingClock
from tests.contract import serving

from reverie.app import Reverie
from reverie.server.app import App, build

BODY = {"name": "a", "model": "scripted:x"}


def _count(http: httpx2.Client, headers: dict[str, str] | None = None) -> int:
    return len(http.get("/v1/agents?limit=100", headers=headers).json()["data"])


def _post(http: httpx2.Client, key: str, body: Any = BODY, path: str = "/v1/agents") -> httpx2.Response:
    return http.post(path, json=body, headers={"idempotency-key": key})


def test_a_repeat_gets_the_first_answer_and_does_nothing(http: httpx2.Client) -> None:
    first, second = _post(http, "k1"), _post(http, "k1")
    assert first.status_code == 200 and first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["content-type"] == "application/json"
    assert _count(http) == 1
    assert _post(http, "k2").json()["id"] != first.json()["id"]


def test_another_request_under_the_same_key_is_refused(http: httpx2.Client) -> None:
    agent = _post(http, "k1").json()["id"]
    other = _post(http, "k1", {**BODY, "name": "b"})
    assert other.status_code == 409 and "Idempotency-Key" in other.json()["error"]["message"]
    assert _count(http) == 1
    assert _post(http, "k1", path=f"/v1/agents/{agent}/archive").status_code == 200  # another route


def test_a_request_that_was_refused_may_be_mended_and_sent_again(http: httpx2.Client) -> None:
    assert _post(http, "k1", {"name": "a"}).status_code == 400
    assert _post(http, "k1", path="/v1/agents/agent_none/archive").status_code == 404
    assert _post(http, "k1").status_code == 200
    assert _count(http) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9\x01"])
def test_a_key_has_its_limits(http: httpx2.Client, key: str) -> None:
    headers = [(b"idempotency-key", key.encode("latin-1"))]
    answer = http.post("/v1/agents", json=BODY, headers=headers)
    assert answer.status_code == 400 and "Idempotency-Key" in answer.json()["error"]["message"]
    assert _post(http, "x" * 255).status_code == 200
    assert _count(http) == 1


def test_workspaces_do_not_share_keys(reverie: Reverie) -> None:
    tokens = [
        reverie.keys.create("key", by="ana", workspace=reverie.workspaces.create(name, by="ana").id).token
        for name in ("one", "two")
    ]
    with serving.sync_http(build(reverie)) as http:
        answers = [
            http.post("/v1/agents", json=BODY, headers={"x-api-key": token, "idempotency-key": "same"})
            for token in tokens
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["id"] != answers[1].json()["id"]
        assert [_count(http, {"x-api-key": token}) for token in tokens] == [1, 1]


@pytest.mark.parametrize("database_url", serving.ENGINES, indirect=True)
def test_fifty_at_once_are_one(api: App, clock: SteppingClock) -> None:
    clock.step = timedelta(0)  # two minutes of looks at it, and a claim lapses

    async def crowd() -> set[bytes]:
        async with serving.async_http(api) as http:
            posts = [
                http.post("/v1/agents", json=BODY, headers={"idempotency-key": "same"}) for _ in range(50)
            ]
            answers = await asyncio.gather(*posts)
            assert {answer.status_code for answer in answers} == {200}
            listed = await http.get("/v1/agents")
            assert len(listed.json()["data"]) == 1
            return {answer.content for answer in answers}

    assert len(asyncio.run(crowd())) == 1


def test_the_sdk_can_say_one(client: anthropic.Anthropic) -> None:
    said = {"Idempotency-Key": "from-the-sdk"}
    first = client.beta.agents.create(name="a", model="scripted:x", extra_headers=said)
    again = client.beta.agents.create(name="a", model="scripted:x", extra_headers=said)
    assert first.id == again.id


def test_an_upload_takes_none(http: httpx2.Client) -> None:
    answer = http.post("/v1/files", files={"file": ("a", b"a")}, headers={"idempotency-key": "k"})
    assert answer.status_code == 400 and "upload" in answer.json()["error"]["message"]
    assert http.get("/v1/files").json()["data"] == []
