"""Trials over HTTP: begun with a memory or with an approval, looked at, withdrawn, resumed, ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.contract.making import proposal

from reverie.app import Reverie
from reverie.domain.sessions import Outcome

AT = "/v1/trials"


def ask(http: httpx2.Client, path: str, body: Any, status: int = 200) -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def store(http: httpx2.Client) -> str:
    made: str = http.post("/v1/memory_stores", json={"name": "notes"}).json()["id"]
    return made


@pytest.fixture
def trial(http: httpx2.Client, store: str) -> Any:
    memory = ask(http, f"/v1/memory_stores/{store}/memories", {"path": "/a.md", "content": "Sign it.\n"})
    said = {"memory_store_id": store, "memory_id": memory["id"], "share": 0.5, "author": "ana"}
    return ask(http, AT, said)


def harm(reverie: Reverie, store: str, number: int = 40) -> None:
    """Sessions that fail where they see the memory."""
    for each in range(number):
        with reverie.session("file it", agent="clerk", native_id=f"n{each}") as session:
            seen = bool(reverie.recall(store, session=session.id))
            session.user("File it.")
            session.outcome("failure" if seen else "success")


def test_a_trial_lives(http: httpx2.Client, reverie: Reverie, store: str, trial: Any) -> None:
    expected = {
        "type": "trial", "share": 0.5, "budget": 1000, "patience_days": 7, "path": "/a.md", "status": "running",
        "verdict": "not enough data", "memory_store_id": store, "finding_id": None, "rulings": [], "why": None,
    }  # fmt: skip
    assert expected.items() <= trial.items()
    assert trial["began_by"].startswith("ana (") and trial["standing"]["sessions"] == 0
    assert not any("key" in name for name in trial)
    harm(reverie, store)
    found = ask(http, f"{AT}/look", None)
    assert found["decided"] == [trial["id"]]
    at = f"{AT}/{trial['id']}"
    now = http.get(at).json()
    (ruling,) = now["rulings"]
    assert (now["status"], now["verdict"], ruling["failures"][1]) == ("withdrawn", "harmful", 0)
    asked = http.get(f"/v1/proposals/{ruling['proposal_id']}").json()
    assert (asked["kind"], asked["status"], asked["path"]) == ("retire", "pending", "/a.md")
    history = http.get(f"{at}/history").json()
    assert history["rulings"] == now["rulings"] and history["points"][-1]["sessions"] == 40
    assert ask(http, f"{at}/end", {}, status=409)["error"]["type"] == "conflict_error"
    again = ask(http, f"{at}/resume", {"author": "ana", "why": "a bad week"})
    assert (again["status"], len(again["rounds"]), again["standing"]["sessions"]) == ("running", 2, 0)
    assert ask(http, f"{at}/withdraw", {"why": "no"})["status"] == "withdrawn"
    ask(http, f"{at}/resume", {})
    assert ask(http, f"{at}/end", {})["status"] == "ended"
    listed = http.get(AT, params={"status": "ended", "memory_store_id": store}).json()
    assert [each["id"] for each in listed["data"]] == [trial["id"]] and listed["data"][0]["standing"] is None


@pytest.mark.parametrize("wrong", [{"share": 0}, {"share": 1}, {"budget": 3}, {"patience_days": 0}])
def test_what_makes_no_trial_is_refused(http: httpx2.Client, store: str, trial: Any, wrong: Any) -> None:
    said = {"memory_store_id": store, "memory_id": trial["memory_id"], **wrong}
    assert ask(http, AT, said, status=400)["error"]["type"] == "invalid_request_error"


def test_a_second_trial_of_a_memory_conflicts(http: httpx2.Client, store: str, trial: Any) -> None:
    said = {"memory_store_id": store, "memory_id": trial["memory_id"]}
    assert trial["id"] in ask(http, AT, said, status=409)["error"]["message"]
    assert http.get(f"{AT}/{trial['id'][:12]}").status_code == 404  # a prefix is for people who type


def test_an_approval_puts_on_trial(http: httpx2.Client, reverie: Reverie, store: str) -> None:
    made = replace(proposal(store), idea="size")
    reverie.review.submit([made])
    ask(http, f"/v1/proposals/{made.id}/approve", {"trial": {"share": 0.6, "budget": 50}})
    (found,) = http.get(AT).json()["data"]
    assert (found["share"], found["budget"], found["proposal_id"]) == (0.6, 50, made.id)


def test_webhooks_hear_of_it(http: httpx2.Client, reverie: Reverie, store: str, trial: Any) -> None:
    types = [f"trial.{what}" for what in ("verdict", "withdrawn", "resumed", "ended")]
    said = {"enabled_events": types, "url": "https://hooks.example/x", "name": "t"}
    hook = ask(http, "/v1/organizations/webhooks", said)["id"]
    harm(reverie, store)
    ask(http, f"{AT}/look", None)
    ask(http, f"{AT}/{trial['id']}/resume", {})
    ask(http, f"{AT}/{trial['id']}/end", {})
    told = http.get(f"/v1/organizations/webhooks/{hook}/deliveries").json()["data"]
    assert sorted(each["event_type"] for each in told) == sorted(types)


def test_an_outcome_that_nobody_told_is_waited_for(
    http: httpx2.Client, reverie: Reverie, store: str, trial: Any
) -> None:
    with reverie.session("file it", agent="clerk", native_id="n") as session:
        reverie.recall(store, session=session.id)
        session.user("File it.")
    (standing,) = ask(http, f"{AT}/look", None)["data"]
    assert standing["standing"]["sessions"] == 0 and standing["id"] == trial["id"]
    assert reverie.log.session(session.id).info.outcome == Outcome()
