"""End to end: a desk's sessions are dreamed over, and what is known only of many of them reaches the reader."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from reverie.app import Reverie
from reverie.cli.show import companion_lines, finding_lines
from reverie.dreaming.dream import DreamResult
from reverie.storage.database import Database
from reverie.testing.desk import DeskClock, file_documents


@pytest.fixture(scope="module")
def dreamed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reverie, DreamResult]]:
    clock = DeskClock()
    place = tmp_path_factory.mktemp("desk") / "demo.db"
    with Reverie(Database.open(place), clock=clock, entropy=Random(7).randbytes) as rv:
        for _ in file_documents(rv.session, clock=clock, sessions=120, seed=7):
            pass
        yield rv, rv.dream()


def told(dreamed: tuple[Reverie, DreamResult]) -> dict[str, Any]:
    rv, result = dreamed
    return rv.as_json(result)


def test_the_flagship_is_in_the_json(dreamed: tuple[Reverie, DreamResult]) -> None:
    (finding,) = [f for f in told(dreamed)["findings"] if f["kind"] == "conditional_pattern"]
    conditions = {c["attribute"]: c for c in finding["conditions"]}
    assert conditions["file_ext"] == {"attribute": "file_ext", "op": "==", "value": ".docx"}
    assert (conditions["hour"]["op"], conditions["hour"]["value"]) == (">=", 17)
    assert conditions["size_mb"]["op"] == ">="
    low, high = conditions["size_mb"]["interval"]
    assert low <= 50.5 <= high
    assert len(conditions) == 3
    assert finding["nature"] == "situation"
    assert {c["quote"] for c in finding["evidence"]} == {"413 Payload refused by the evening gateway"}


def test_one_mistake_is_one_proposal_when_expect_instead(dreamed: tuple[Reverie, DreamResult]) -> None:
    rv, result = dreamed
    (proposal,) = [p for p in result.proposals if "413" in p.content]
    kinds = [rv.finding(finding).kind for finding in proposal.findings]
    assert kinds == ["conditional_pattern", "workaround", "recurring_mistake"]
    assert proposal.path.startswith("/warnings/")
    lesson = proposal.content.split("\n\n")
    assert any(
        part.startswith("When `file_ext` is .docx, it is 17:00 or later and `size_mb` is ") for part in lesson
    )
    assert any(
        "expect `upload` to fail with “413 Payload refused by the evening gateway”" in part for part in lesson
    )
    assert "Instead: use `upload_in_parts`; the same call again does not help." in lesson


def test_the_terminal_shows_the_limits_and_what_else_it_rests_on(
    dreamed: tuple[Reverie, DreamResult],
) -> None:
    rv, result = dreamed
    proposal = next(p for p in result.proposals if "413" in p.content)
    lines = [*finding_lines(rv, rv.finding(proposal.findings[0])), *companion_lines(rv, proposal)]
    assert "file_ext is .docx and hour ≥ 17 and size_mb ≥ " in lines[0]
    assert any("size_mb from " in line and " to " in line for line in lines)
    assert sum(line.startswith("[dim]and: ") for line in lines) == 2


def test_what_was_not_looked_at_is_kept_with_the_dream(dreamed: tuple[Reverie, DreamResult]) -> None:
    rv, result = dreamed
    silences = told(dreamed)["dream"]["silences"]
    assert {"miner", "about", "why"} == set(silences[0])
    assert any("known only afterwards" in s["why"] and "turns" in s["about"] for s in silences)
    assert any("the step `check_in`" in s["why"] for s in silences)
    assert rv.dreams()[0].silences == result.dream.silences


def test_the_same_dream_again_says_the_same(dreamed: tuple[Reverie, DreamResult]) -> None:
    rv, result = dreamed
    again = rv.dream()
    assert again.repeated
    assert (again.findings, again.dream.silences) == (result.findings, result.dream.silences)
