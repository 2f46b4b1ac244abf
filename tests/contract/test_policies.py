"""Review policies over HTTP: made, listed, archived, refused; and what the API tells of what they applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.contract.serving import ENGINES
from tests.transcripts import write_sessions

from reverie.app import Reverie

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
PATH = "/v1/review_policies"


@pytest.fixture
def store(reverie: Reverie) -> str:
    return reverie.stores.create("desk", actor="ana").id


@both
def test_from_making_one_to_archiving_it(http: httpx2.Client, reverie: Reverie, store: str) -> None:
    made = http.post(PATH, json={"memory_store_id": store, "author": "Ana"}).json()
    assert made["type"] == "review_policy" and made["written_by"] == "Ana (api:local)"
    assert (made["kinds"], made["min_sessions"], made["min_users"]) == (["add", "update"], 5, 2)
    assert made["memory_kinds"] == ["note", "playbook", "preference", "warning"]
    assert http.get(f"{PATH}/{made['id']}").json() == made
    other = http.post(PATH, json={"memory_store_id": store, "kinds": ["retire"], "why": "so"}).json()
    assert [p["id"] for p in http.get(PATH).json()["data"]] == [other["id"], made["id"]]
    first = http.get(PATH, params={"limit": 1}).json()
    rest = http.get(PATH, params={"limit": 1, "page": first["next_page"]}).json()
    assert [p["id"] for p in (*first["data"], *rest["data"])] == [other["id"], made["id"]]
    gone = http.post(f"{PATH}/{made['id']}/archive", json={}).json()
    assert gone["archived_at"] and http.post(f"{PATH}/{made['id']}/archive", json={}).json() == gone
    assert [p["id"] for p in http.get(PATH, params={"memory_store_id": store}).json()["data"]] == [
        other["id"]
    ]
    everything = http.get(PATH, params={"include_archived": "true"}).json()["data"]
    assert [p["id"] for p in everything] == [other["id"], made["id"]]
    told = [(e.action, e.subject, e.actor) for e in reverie.audit() if e.action.startswith("review_policy.")]
    assert told == [
        ("review_policy.archived", made["id"], "api:local"),
        ("review_policy.created", other["id"], "api:local"),
        ("review_policy.created", made["id"], "Ana (api:local)"),
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"kinds": []}, "kinds"),
        ({"kinds": ["burn"]}, "kinds"),
        ({"kinds": ["merge"]}, "why"),
        ({"memory_kinds": ["spell"]}, "memory_kinds"),
        ({"min_sessions": 0}, "min_sessions"),
        ({"max_risk": "none"}, "max_risk"),
        ({"author": ""}, "author"),
    ],
)
def test_what_is_refused(http: httpx2.Client, store: str, asked: dict[str, Any], told: str) -> None:
    answer = http.post(PATH, json={"memory_store_id": store, **asked})
    assert answer.status_code == 400 and told in answer.json()["error"]["message"]
    assert http.get(PATH).json()["data"] == []


def test_what_is_not_there(http: httpx2.Client) -> None:
    assert http.post(PATH, json={"memory_store_id": "memstore_x"}).status_code == 404
    assert http.get(f"{PATH}/rpol_x").status_code == 404
    assert http.post(f"{PATH}/rpol_x/archive", json={}).status_code == 404


def test_who_may_decide_may_not_yet_make_rules(http: httpx2.Client, reverie: Reverie, store: str) -> None:
    key = reverie.keys.create("reviewer", by="ana", scopes=["proposals:*", "policies:read"])
    http.headers["x-api-key"] = key.token
    assert http.get(PATH).status_code == 200
    refused = http.post(PATH, json={"memory_store_id": store})
    assert refused.status_code == 403 and "policies:write" in refused.json()["error"]["message"]


def test_a_dream_says_how_much_policies_let_in(
    http: httpx2.Client, reverie: Reverie, store: str, tmp_path: Path
) -> None:
    reverie.import_paths(*write_sessions(tmp_path / "transcripts"))
    inputs = [
        {"type": "memory_store", "memory_store_id": store},
        {"type": "sessions", "session_ids": [session.id for session in reverie.log.sessions()]},
    ]
    asked = {"memory_store_id": store, "min_sessions": 1, "min_users": 1, "author": "Ana"}
    policy = http.post(PATH, json=asked).json()
    body = {"inputs": inputs, "model": "none", "output_behavior": {"type": "propose"}}
    dream = http.post("/v1/dreams", json=body).json()["id"]
    reverie.night_watch().work()
    done = http.get(f"/v1/dreams/{dream}").json()
    proposals = http.get(f"/v1/dreams/{dream}/proposals").json()["data"]
    applied = [p for p in proposals if p["status"] == "approved"]
    assert done["proposals_applied"] == done["proposals_applied_by_policy"] == len(applied) > 0
    assert done["proposals_pending"] == len(proposals) - len(applied) > 0 and done["notices"] == []
    assert {p["decision"]["by"] for p in applied} == {f"policy:{policy['id']} (written by Ana (api:local))"}
    assert not [p for p in applied if p["tainted"]] and [p for p in proposals if p["tainted"]]
    by_hand = reverie.dream(store).dream.id
    shown = http.get(f"/v1/dreams/{by_hand}").json()
    assert shown["written_by"] == ["template/2"] and shown["model"]["id"] == "none"
