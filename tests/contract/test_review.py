"""Findings down to the events, proposals and decisions, the audit log: ours, over plain HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from tests.contract.making import proposal
from tests.contract.serving import ENGINES
from tests.transcripts import write_sessions

from reverie.app import Reverie

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)


@pytest.fixture
def store(client: anthropic.Anthropic) -> str:
    return client.beta.memory_stores.create(name="desk").id


@pytest.fixture
def dream(http: httpx2.Client, reverie: Reverie, store: str, tmp_path: Path) -> str:
    """A dream that proposed, over two dozen sessions."""
    reverie.import_paths(*write_sessions(tmp_path / "transcripts"))
    inputs = [
        {"type": "memory_store", "memory_store_id": store},
        {"type": "sessions", "session_ids": [session.id for session in reverie.log.sessions()]},
    ]
    body = {"inputs": inputs, "model": "any", "output_behavior": {"type": "propose"}}
    asked = http.post("/v1/dreams", json=body).json()["id"]
    reverie.night_watch().work()
    return asked


def pages(http: httpx2.Client, path: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["data"]) <= params.get("limit", 20)
        found += page["data"]
        if page["next_page"] is None:
            return found
        params["page"] = page["next_page"]


# ---------------------------------------------------------------------- findings


@both
def test_a_finding_leads_down_to_the_events(http: httpx2.Client, reverie: Reverie, dream: str) -> None:
    findings = http.get(f"/v1/dreams/{dream}/findings", params={"limit": 100}).json()["data"]
    assert findings
    for limit in (1, 2):
        assert pages(http, f"/v1/dreams/{dream}/findings", limit=limit) == findings
    for finding in findings:
        assert http.get(f"/v1/findings/{finding['id']}").json() == finding
        assert finding["counts"]["sessions"] == len(finding["sessions"]) > 0
        assert set(finding["effect"]) == {"raw", "within_task", "strata", "stratified_by", "note"}
        assert finding["evidence"]
        for citation in (*finding["evidence"], *finding["counter_evidence"]):
            event = reverie.log.event(citation["event_id"])
            assert event.session_id == citation["session_id"] and citation["quote"]
            assert citation["session_url"] == f"/v1/sessions/{event.session_id}"
            assert citation["event_url"] == f"/v1/sessions/{event.session_id}/events/{event.id}"
            assert citation["event_type"] == event.type and citation["source"]["line"] > 0
    assert http.get(f"/v1/findings/{findings[0]['id'][:-3]}").status_code == 404
    assert http.get("/v1/findings/find_nothing").status_code == 404
    assert http.get("/v1/dreams/drm_nothing/findings").status_code == 404
    cursor = http.get("/v1/proposals", params={"limit": 1}).json()["next_page"]
    assert http.get(f"/v1/dreams/{dream}/findings", params={"page": cursor}).status_code == 400


# ---------------------------------------------------------------------- proposals


@both
def test_proposals_are_listed_by_what_they_are(
    http: httpx2.Client, reverie: Reverie, store: str, client: anthropic.Anthropic
) -> None:
    other = client.beta.memory_stores.create(name="other").id
    reverie.review.submit([proposal(store, f"/{n}", dream_id="drm_a") for n in range(5)])
    reverie.review.submit([proposal(other, "/x", dream_id="drm_b", kind="add", origins=("tool",))])
    everything = pages(http, "/v1/proposals", limit=100)
    assert len(everything) == 6
    for limit in (1, 2, 4):
        assert pages(http, "/v1/proposals", limit=limit) == everything
    assert [p["path"] for p in pages(http, "/v1/proposals", memory_store_id=other)] == ["/x"]
    assert {p["position"] for p in pages(http, "/v1/proposals", memory_store_id=store)} == set(range(5))
    tainted = [p for p in everything if p["tainted"]]
    assert [p["path"] for p in tainted] == ["/x"]
    http.post(f"/v1/proposals/{tainted[0]['id']}/reject", json={"reason": "sensitive"})
    assert [p["path"] for p in pages(http, "/v1/proposals", status="rejected")] == ["/x"]
    assert len(pages(http, "/v1/proposals", status="pending")) == 5
    assert pages(http, "/v1/proposals", kind="retire") == []
    for refused in ({"status": "asleep"}, {"kind": "x"}, {"limit": 0}, {"limit": 101}, {"page": "x"}):
        assert http.get("/v1/proposals", params=refused).status_code == 400
    assert http.get("/v1/proposals", params={"dream_id": "drm_nothing"}).status_code == 404


def test_a_dreams_proposals_are_found_by_either_id(http: httpx2.Client, dream: str) -> None:
    of_dream = pages(http, f"/v1/dreams/{dream}/proposals", limit=1)
    inner = of_dream[0]["dream_id"]
    assert {p["id"] for p in pages(http, "/v1/proposals", dream_id=dream)} == {p["id"] for p in of_dream}
    assert {p["id"] for p in pages(http, "/v1/proposals", dream_id=inner)} == {p["id"] for p in of_dream}
    finding = of_dream[0]["finding_ids"][0]
    assert http.get(f"/v1/findings/{finding}").status_code == 200


@both
def test_decisions(http: httpx2.Client, reverie: Reverie, store: str, client: anthropic.Anthropic) -> None:
    given = [proposal(store, f"/{n}", f"text {n}\n") for n in range(4)]
    reverie.review.submit(given)
    approve, modify, reject, both_ = (f"/v1/proposals/{p.id}" for p in given)

    seen = http.get(f"{approve}/preview").json()
    assert seen["clean"] and seen["result"] == "text 0\n" and "+text 0" in seen["diff"]
    done = http.post(f"{approve}/approve", json={"reviewer": "Ana", "note": "good"}).json()
    assert done["status"] == "approved" and done["decision"]["by"] == "Ana (api:local)"
    assert done["decision"]["note"] == "good" and done["decision"]["memory_version_id"]
    assert http.get(approve).json() == done
    again = http.post(f"{approve}/approve", json={})
    assert again.status_code == 409 and "approved by Ana" in again.json()["error"]["message"]

    changed = http.post(f"{modify}/modify", json={"content": "mine\n", "seen_sha256": ""}).json()
    assert (changed["status"], changed["decision"]["content"]) == ("modified", "mine\n")
    refused = http.post(f"{reject}/reject", json={"reason": "wrong", "note": "no"}).json()
    assert (refused["status"], refused["decision"]["reason"]) == ("rejected", "wrong")
    memories = client.beta.memory_stores.memories
    assert {i.path: i.content for i in memories.list(store, view="full")} == {
        "/0": "text 0\n",
        "/1": "mine\n",
    }  # type: ignore[union-attr]

    assert http.post(f"{approve}/undo", json={}).json()["status"] == "reverted"
    assert http.post(f"{reject}/undo", json={"reviewer": "Bo"}).json()["status"] == "pending"
    assert [i.path for i in memories.list(store)] == ["/1"]
    nothing = http.post(f"{both_}/undo", json={})
    assert nothing.status_code == 409

    for verb, body in (
        ("reject", {}),
        ("reject", {"reason": "because"}),
        ("modify", {}),
        ("modify", {"content": "x" * 102_401}),
        ("modify", {"content": "x", "seen_sha256": "ABC"}),
        ("approve", {"reviewer": ""}),
        ("approve", {"reviewer": "r" * 101}),
        ("approve", {"note": "n" * 4_097}),
    ):
        answer = http.post(f"{both_}/{verb}", json=body)
        assert answer.status_code == 400, (verb, body, answer.text)
    for verb in ("approve", "modify", "reject", "undo"):
        body = {"content": "x", "reason": "wrong"}
        for wrong in ("prop_nothing", given[3].id[:-4]):
            assert http.post(f"/v1/proposals/{wrong}/{verb}", json=body).status_code == 404
    assert reverie.verify().problem is None


def test_a_conflict_shows_both_texts(http: httpx2.Client, reverie: Reverie, store: str) -> None:
    given = proposal(store, "/a", "proposed\n")
    reverie.review.submit([given])
    reverie.memory.write(store, "/a", "somebody else's\n", actor="ana")
    seen = http.get(f"/v1/proposals/{given.id}/preview").json()
    assert not seen["clean"] and "<<<<<<<" in seen["result"]
    conflict = http.post(f"/v1/proposals/{given.id}/approve", json={})
    assert conflict.status_code == 409
    merged = conflict.json()["error"]["details"]["merged"]
    assert "proposed" in merged and "somebody else's" in merged
    unresolved = http.post(f"/v1/proposals/{given.id}/modify", json={"content": merged})
    assert unresolved.status_code == 400 and "conflict markers" in unresolved.text
    stale = http.post(f"/v1/proposals/{given.id}/modify", json={"content": "both\n", "seen_sha256": "0" * 64})
    assert stale.status_code == 409
    good = http.post(
        f"/v1/proposals/{given.id}/modify", json={"content": "both\n", "seen_sha256": seen["seen_sha256"]}
    )
    assert good.json()["status"] == "modified"


# ---------------------------------------------------------------------- audit


@both
def test_the_audit_log_is_read_page_by_page(
    http: httpx2.Client, client: anthropic.Anthropic, reverie: Reverie, store: str
) -> None:
    memories = client.beta.memory_stores.memories
    made = memories.create(store, path="/a", content="one")
    memories.update(made.id, memory_store_id=store, content="two")
    memories.delete(made.id, memory_store_id=store)
    client.beta.memory_stores.update(store, name="new")
    client.beta.memory_stores.archive(store)
    everything = pages(http, "/v1/audit", limit=100)
    assert [(e["seq"], e["actor"], e["action"]) for e in everything] == [
        (6, "api:local", "store.archived"),
        (5, "api:local", "store.updated"),
        (4, "api:local", "memory.deleted"),
        (3, "api:local", "memory.modified"),
        (2, "api:local", "memory.created"),
        (1, "api:local", "store.created"),
    ]
    for limit in (1, 2, 4):
        assert pages(http, "/v1/audit", limit=limit) == everything
    assert [e["seq"] for e in pages(http, "/v1/audit", subject=made.id)] == [4, 3, 2]
    for refused in ({"limit": 0}, {"limit": 101}, {"page": "x"}):
        assert http.get("/v1/audit", params=refused).status_code == 400
    other = reverie.workspace("wrkspc_other")
    assert other.audit() == []
