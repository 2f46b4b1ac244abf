"""Schedules of dreams over HTTP: made, changed under a lock, run, paused, archived, listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.contract.serving import ENGINES, sync_http

from reverie.app import Reverie
from reverie.server.app import App

AT = "/v1/dream_schedules"
NIGHTLY = {"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"}
both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)


@pytest.fixture
def store(http: httpx2.Client) -> str:
    made: str = http.post("/v1/memory_stores", json={"name": "notes"}).json()["id"]
    return made


def ask(http: httpx2.Client, path: str, body: Any = None, status: int = 200) -> Any:
    answer = http.post(path, json=body) if body is not None else http.post(path)
    assert answer.status_code == status, answer.text
    return answer.json()


def plan(http: httpx2.Client, store: str, **more: Any) -> Any:
    return ask(http, AT, {"memory_store_id": store, "name": "nightly", "trigger": NIGHTLY, **more})


@both
def test_a_schedule_lives(http: httpx2.Client, store: str) -> None:
    made = plan(http, store, metadata={"team": "a"})
    assert made["id"].startswith("dsched_")
    due = made["trigger"].pop("upcoming_runs_at")
    assert due[0] == "2026-03-02T02:00:00Z" and len(due) == 5
    at = f"{AT}/{made['id']}"
    expected = {
        "trigger": NIGHTLY, "min_sessions": 5, "output_behavior": {"type": "propose"}, "version": 1,
        "status": "active", "last_run": None, "paused_reason": None, "model": "none", "type": "dream_schedule",
        "metadata": {"team": "a"}, "instructions": None,
    }  # fmt: skip
    assert expected.items() <= made.items()
    run = ask(http, f"{at}/run")
    assert run["id"].startswith("dsrun_") and run["skipped"]["type"] == "too_few_sessions"
    assert (run["dream_id"], run["error"], run["trigger_context"]) == (None, None, {"type": "manual"})
    changed = ask(http, at, {"trigger": {"type": "sessions", "every": 9}, "min_sessions": 1, "version": 1})
    assert (changed["version"], changed["trigger"]) == (2, {"type": "sessions", "every": 9})
    assert changed["last_run"]["id"] == run["id"]
    refused = ask(http, at, {"name": "b", "version": 1}, status=409)
    assert refused["error"]["type"] == "conflict_error"
    assert ask(http, f"{at}/pause")["paused_reason"] == {"type": "manual"}
    assert ask(http, f"{at}/unpause")["status"] == "active"
    assert ask(http, f"{at}/archive")["archived_at"] is not None
    ask(http, f"{at}/run", status=400)
    assert http.get(AT).json()["data"] == []
    assert len(http.get(AT, params={"include_archived": "true"}).json()["data"]) == 1
    assert [each["id"] for each in http.get(f"{at}/runs").json()["data"]] == [run["id"]]


def test_lists_are_narrowed_and_walked(http: httpx2.Client, store: str) -> None:
    made = [plan(http, store)["id"] for _ in range(3)]
    other = ask(http, "/v1/memory_stores", {"name": "other"})["id"]
    elsewhere = plan(http, other, trigger={"type": "manual"})["id"]
    ask(http, f"{AT}/{made[0]}/pause")

    def ids(**query: Any) -> list[str]:
        return [each["id"] for each in http.get(AT, params=query).json()["data"]]

    assert ids(memory_store_id=store) == made[::-1] and ids(memory_store_id=other) == [elsewhere]
    assert ids(status="paused") == [made[0]]
    first = http.get(AT, params={"limit": 2}).json()
    assert ids(limit=2, page=first["next_page"]) == [made[1], made[0]]
    for _ in range(3):
        ask(http, f"{AT}/{made[1]}/run")
    runs = http.get(f"{AT}/{made[1]}/runs", params={"limit": 2}).json()
    assert len(runs["data"]) == 2 and runs["next_page"]
    assert http.get(f"{AT}/{made[1]}/runs", params={"outcome": "dream"}).json()["data"] == []


def test_a_dream_by_schedule_is_a_dream(http: httpx2.Client, store: str, reverie: Reverie) -> None:
    with reverie.session(goal="a") as session:
        session.action("look")
    made = plan(http, store, min_sessions=1, instructions="be brief", trigger={"type": "failed_outcome"})
    dream_id = ask(http, f"{AT}/{made['id']}/run")["dream_id"]
    dream = http.get(f"/v1/dreams/{dream_id}").json()
    assert (dream["status"], dream["instructions"]) == ("pending", "be brief")
    assert dream["inputs"][0]["memory_store_id"] == store
    reverie.night_watch().work()
    assert http.get(f"/v1/dreams/{dream_id}").json()["status"] == "completed"
    assert ask(http, f"{AT}/{made['id']}/run")["skipped"]["type"] == "too_few_sessions"


@pytest.fixture
def dreamer(reverie: Reverie, api: App) -> Iterator[Any]:
    """A caller that may ask for dreams, and write nothing into stores."""
    key = reverie.keys.create("d", by="ana", scopes=["dreams:write", "dreams:read"])
    with sync_http(api) as http:
        http.headers["x-api-key"] = key.token
        yield http


def test_to_write_into_a_store_wants_the_scope_for_it(
    http: httpx2.Client, store: str, dreamer: httpx2.Client
) -> None:
    made = plan(dreamer, store)["id"]
    update = {"output_behavior": {"type": "update_existing", "memory_store_id": store}}
    for path in (AT, f"{AT}/{made}"):
        said = {"memory_store_id": store, "name": "n", "trigger": NIGHTLY, **update}
        refused = ask(dreamer, path, said if path == AT else update, status=403)
        assert "memory_stores:write" in refused["error"]["message"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"trigger": {**NIGHTLY, "expression": "@daily"}}, "schedule.expression"),
        ({"trigger": {**NIGHTLY, "timezone": "Mars/Base"}}, "schedule.timezone"),
        ({"trigger": {"type": "sessions", "every": 0}}, "trigger"),
        ({"trigger": {"type": "moon"}}, "trigger"),
        ({"min_sessions": 0}, "min_sessions"),
        ({"name": ""}, "name"),
        (
            {"output_behavior": {"type": "update_existing", "memory_store_id": "memstore_other"}},
            "output_behavior.memory_store_id",
        ),
    ],
)
def test_mistakes_are_named(http: httpx2.Client, store: str, said: Any, told: str) -> None:
    body = {"memory_store_id": store, "name": "n", "trigger": NIGHTLY, **said}
    assert told in ask(http, AT, body, status=400)["error"]["message"]


@both
def test_a_store_that_cannot_be(http: httpx2.Client, store: str) -> None:
    for odd in ("memstore_none", "\x00"):
        ask(http, AT, {"memory_store_id": odd, "name": "n", "trigger": NIGHTLY}, status=404)
    ask(http, f"/v1/memory_stores/{store}/archive")
    ask(http, AT, {"memory_store_id": store, "name": "n", "trigger": NIGHTLY}, status=400)


def test_a_schedule_has_a_model_and_a_budget_for_each_dream(
    http: httpx2.Client, store: str, reverie: Reverie
) -> None:
    asked = {"memory_store_id": store, "name": "n", "trigger": {"type": "manual"}, "min_sessions": 1}
    made = http.post(
        "/v1/dream_schedules", json={**asked, "model": "a:b", "budget": {"max_tokens": 900}}
    ).json()
    assert made["model"] == "a:b" and made["budget"] == {"max_tokens": 900}
    path = f"/v1/dream_schedules/{made['id']}"
    assert http.post(path, json={"name": "m"}).json()["budget"] == {"max_tokens": 900}
    with reverie.session("x", native_id="x") as session:
        session.user("hello")
    run = http.post(f"{path}/run", json={}).json()
    dream = http.get(f"/v1/dreams/{run['dream_id']}").json()
    assert dream["model"]["id"] == "a:b" and dream["budget"] == {"max_tokens": 900}
    assert http.post(path, json={"budget": None}).json()["budget"] is None
    refused = http.post(path, json={"budget": {"max_tokens": 0}})
    assert refused.status_code == 400 and "max_tokens" in refused.json()["error"]["message"]
