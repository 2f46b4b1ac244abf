"""``reverie trial`` and ``reverie approve --trial``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.contract.making import proposal
from tests.dreaming.trials.trying import LORE

import reverie


@pytest.fixture
def trial(cli: Cli) -> str:
    with reverie.open(cli.db) as rv:
        rv.memory.write("default", LORE, "Sign the form.\n", actor="ana")
    return cli("trial", "start", LORE, "--share", "0.5", "--by", "ana").stdout.strip()


def harm(cli: Cli) -> None:
    with reverie.open(cli.db) as rv:
        for each in range(60):
            with rv.session("file it", agent="clerk", native_id=f"n{each}") as session:
                seen = bool(rv.recall(session=session.id))
                session.user("File it.")
                session.outcome("failure" if seen else "success")


def test_nothing_is_on_trial(cli: Cli) -> None:
    assert "reverie trial start" in cli("trial", "list").stdout
    assert "nothing is on trial" in cli("trial", "look").stdout


def test_from_the_beginning_to_a_verdict(cli: Cli, trial: str, tmp_path: Path) -> None:
    told = cli("sync", str(tmp_path / "AGENTS.md"))
    assert (
        "1 of these are on trial" in told.stderr and "Sign the form" in (tmp_path / "AGENTS.md").read_text()
    )
    harm(cli)
    looked = cli("trial", "look")
    assert "harmful" in looked.stdout and "next: reverie review" in looked.stderr
    shown = cli("trial", "show", trial[:12]).stdout
    for part in ("withdrawn · harmful", "0 of", "verdict", "e-values", "failed with"):
        assert part in shown
    assert "harmful" in cli("trial", "list").stdout
    found = json.loads(cli("trial", "show", trial, "--json").stdout)
    assert found["verdict"] == "harmful" and found["points"][-1]["sessions"] == 60
    cli("sync", str(tmp_path / "AGENTS.md"))
    assert not (tmp_path / "AGENTS.md").exists()  # nothing is left that anybody may read
    assert "round 2" in cli("trial", "resume", trial, "--by", "ana").stdout
    assert "withdrawn" in cli("trial", "withdraw", trial, "--by", "ana", "--why", "no").stdout
    cli("trial", "resume", trial, "--by", "ana")
    assert "has ended" in cli("trial", "end", trial, "--by", "ana").stdout


def test_a_share_that_compares_nothing_is_refused(cli: Cli) -> None:
    assert "between 0 and 1" in cli("trial", "start", LORE, "--share", "1", code=2).stderr


def test_an_approval_puts_on_trial(cli: Cli) -> None:
    with reverie.open(cli.db) as rv:
        made = proposal(rv.memory.store().id)
        rv.review.submit([made])
    assert "--share is for --trial" in cli("approve", made.id, "--share", "0.5", code=2).stderr
    cli("approve", made.id, "--trial", "--share", "0.5", "--by", "ana")
    (found,) = json.loads(cli("trial", "list", "--json").stdout)
    assert (found["source"], found["share"], found["status"]) == (made.id, 0.5, "running")
