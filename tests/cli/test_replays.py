"""``reverie trial replay``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.agents.test_replaying import GRADER, RUBRIC, propose, writer
from tests.cli.conftest import Cli

import reverie
from reverie.cli.replays import read_works
from reverie.domain.errors import NotFound, UsageError

AGENTS = Path(__file__).parents[1] / "agents"
WORKER = f"scripted:{AGENTS / 'remembering.py'}:worker"
AGENT = f"""
name = "clerk"
model = "{WORKER}"
tools = ["read"]
memory = ["default"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def proposal(cli: Cli) -> str:
    with reverie.open(cli.db) as house:
        house.memory.write("default", "/how.md", "Send letters as they are.\n", actor="ana")
        return propose(house, "Seal with red wax.\n")


def test_tasks_of_a_file_are_played_until_it_is_clear(cli: Cli, here: Path, proposal: str) -> None:
    (here / "clerk.toml").write_text(AGENT)
    (here / "rubric.md").write_text(RUBRIC)
    lines = [json.dumps({"name": f"letter {n}", "task": f"Send letter {n}."}) for n in range(8)]
    (here / "tasks.jsonl").write_text("\n".join(lines))
    given = ["--tasks", "tasks.jsonl", "--agent", "clerk.toml", "--rubric", "rubric.md", "--grader", GRADER]
    done = cli("trial", "replay", proposal[:14], *given)
    assert done.stdout.startswith("adopt: they help\n") and "with done, without not done" in done.stderr
    again = json.loads(cli("trial", "replay", proposal, *given, "--json").stdout)
    assert again["status"] == "adopt" and again["lost"] == 0 and len(again["done"]) == again["pairs"]


def test_sessions_that_ran_here_are_played_anew(cli: Cli, proposal: str) -> None:
    with reverie.open(cli.db) as house:
        for n in range(6):
            asyncio.run(
                reverie.pursue(f"Send letter {n}.", agent=writer("default"), rubric=RUBRIC, grader=GRADER,
                               max_iterations=1, reverie=house)
            )  # fmt: skip
    models = [part for name in (WORKER, GRADER) for part in ("--model", name)]
    assert "adopt" in cli("trial", "replay", proposal, "--pairs", "30", *models).stdout


def test_nothing_to_play(cli: Cli, proposal: str) -> None:
    assert "no session can be played" in cli("trial", "replay", proposal, code=3).stderr
    assert "belong together" in cli("trial", "replay", proposal, "--tasks", "x", code=2).stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "no JSON object"),
        ('{"name": "a"}', "only task must"),
        ('{"task": "a", "colour": "red"}', "only task must"),
        ('{"task": "a"}', "nothing says when"),
        ('{"name": "a", "task": "a", "rubric": "- b"}\n{"name": "a", "task": "a", "rubric": "- b"}', "two tasks"),
        ("\n", "no task in it"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_tasks(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "tasks.jsonl").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_works(tmp_path / "tasks.jsonl", None)
    with pytest.raises(NotFound):
        read_works(tmp_path / "none.jsonl", None)
