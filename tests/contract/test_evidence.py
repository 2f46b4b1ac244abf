"""What is no evidence, merges and bulk approvals: ours, over plain HTTP, and on the command line."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
from tests.contract.making import proposal
from typer.testing import CliRunner

from reverie.app import Reverie
from reverie.cli.main import app
from reverie.testing.desk import DeskClock, file_documents


@pytest.fixture
def finding(http: httpx2.Client, reverie: Reverie) -> dict[str, Any]:
    """One with several sessions, of a dream over forty."""
    for _ in file_documents(reverie.session, clock=DeskClock(), sessions=40, seed=7):
        pass
    found = max(reverie.dream().findings, key=lambda each: each.counts.sessions)
    return http.get(f"/v1/findings/{found.id}").json()


def test_a_mark_counts_at_once_and_is_taken_back(http: httpx2.Client, finding: dict[str, Any]) -> None:
    path = f"/v1/findings/{finding['id']}/exclusions"
    assert http.get(path).json()["standing"] is None
    cited = finding["evidence"][0]
    body = {
        "session_id": cited["session_id"],
        "event_id": cited["event_id"],
        "reason": "down",
        "reviewer": "Ana",
    }
    marked = http.post(path, json=body)
    assert marked.status_code == 200, marked.text
    told = marked.json()
    assert told["standing"] == "stands" and told["counts"]["sessions"] == finding["counts"]["sessions"] - 1
    assert told["effect"]["strata"] and told["exclusions"][0]["by"].startswith("Ana")
    assert http.get(path).json() == told
    again = http.post(path, json=body).json()
    assert again["exclusions"] == told["exclusions"]
    undo = f"{path}/{told['exclusions'][0]['id']}/undo"
    assert http.post(undo, json={}).json()["standing"] is None
    assert http.post(undo, json={}).status_code == 404
    actions = [each["action"] for each in http.get("/v1/audit").json()["data"][:2]]
    assert actions == ["finding.evidence_restored", "finding.not_evidence"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"session_id": "sesn_none"}, 400),
        ({}, 400),
        ({"session_id": "", "event_id": "x", "reason": "y" * 1_001}, 400),
    ],
)
def test_what_cannot_be_marked(
    http: httpx2.Client, finding: dict[str, Any], body: dict[str, Any], status: int
) -> None:
    assert http.post(f"/v1/findings/{finding['id']}/exclusions", json=body).status_code == status
    assert http.post("/v1/findings/find_none/exclusions", json={"session_id": "x"}).status_code == 404


def test_the_strata_add_up_to_the_comparison(finding: dict[str, Any]) -> None:
    effect = finding["effect"]
    assert sum(each["with"]["total"] for each in effect["strata"]) == effect["raw"]["with"]["total"]
    assert sum(each["without"]["total"] for each in effect["strata"]) == effect["raw"]["without"]["total"]


def test_many_are_approved_together_each_on_its_own(http: httpx2.Client, reverie: Reverie) -> None:
    made = [proposal(reverie.memory.store().id, path=f"/n{n}.md", idea=str(n)) for n in range(3)]
    tainted = proposal(reverie.memory.store().id, path="/t.md", idea="t", origins=("tool",))
    reverie.review.submit([*made, tainted])
    ids = [each.id for each in (*made, tainted)]
    glance = http.post("/v1/proposals/bulk_look", json={"proposal_ids": ids}).json()
    assert [each["proposal_id"] for each in glance["previews"]] == ids[:3]
    assert glance["left_out"] == [{"proposal_id": ids[3], "why": "foreign text had a hand in it"}]
    seen = {each["proposal_id"]: each["seen_sha256"] for each in glance["previews"]}
    http.post(f"/v1/proposals/{ids[1]}/reject", json={"reason": "wrong"})
    done = http.post("/v1/proposals/bulk_approve", json={"seen": seen}).json()
    assert done["approved"] == [ids[0], ids[2]]
    assert done["left_out"] == [{"proposal_id": ids[1], "why": "it was rejected"}]
    assert http.post("/v1/proposals/bulk_look", json={"proposal_ids": []}).status_code == 400


def test_a_merge_is_told_stretch_by_stretch(http: httpx2.Client, reverie: Reverie) -> None:
    reverie.memory.write("default", "/a.md", "one\ntwo\n", actor="ana")
    base = reverie.memory.read("default", "/a.md")
    made = proposal(
        reverie.memory.store().id, path="/a.md", kind="update", content="one\n2\n", base_content=base.content,
        base_sha256=base.content_sha256,
    )  # fmt: skip
    reverie.review.submit([made])
    reverie.memory.write("default", "/a.md", "one\nzwei\n", actor="ben")
    told = http.get(f"/v1/proposals/{made.id}/merge").json()
    assert told["conflicts"] == 1 and "<<<<<<< memory" in told["merged"]
    assert told["chunks"][-1] == {"kind": "conflict", "base": "two\n", "memory": "zwei\n", "proposal": "2\n"}
    body = {"content": "one\nzwei, 2\n", "seen_sha256": told["seen_sha256"]}
    assert http.post(f"/v1/proposals/{made.id}/modify", json=body).json()["status"] == "modified"


def test_the_command_line_says_the_same(tmp_path: Path) -> None:
    import reverie

    where = str(tmp_path / "r.db")
    clock = DeskClock()
    with reverie.open(where, clock=clock, entropy=Random(1).randbytes) as rv:
        for _ in file_documents(rv.session, clock=clock, sessions=40, seed=7):
            pass
        found = max(rv.dream().findings, key=lambda each: each.counts.sessions)
        plain = [each.id for each in rv.review.list(status="pending") if not each.tainted]
    run = CliRunner()
    common = ["--db", where, "--by", "ana"]
    said = run.invoke(
        app, ["proposals", "exclude", found.id, "--session", found.sessions[0], "--reason", "a test", *common]
    )
    assert said.exit_code == 0, said.output
    assert f"{found.counts.sessions - 1} of {found.counts.of_sessions - 1} sessions" in said.output
    with reverie.open(where) as rv:
        (mark,) = rv.exclusions.every()
    told = run.invoke(app, ["proposals", "excluded", found.id, "--json", "--db", where])
    assert mark.id in told.output and '"stands"' in told.output
    assert "nothing is marked" in run.invoke(app, ["proposals", "include", found.id, mark.id, *common]).output
    shown = run.invoke(app, ["proposals", "bulk", *plain, *common])
    assert f"{len(plain)} would be approved" in shown.output and "+" in shown.output
    assert f"{len(plain)} approved" in run.invoke(app, ["proposals", "bulk", *plain, "--yes", *common]).output
