"""The guide to teams does not lie: its Python runs, its commands exist, its file is a team's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import reverie
from reverie.agents.team_files import read_team
from reverie.cli.main import app
from reverie.domain.errors import Invalid
from reverie.domain.messages import ModelRequest, Text, UserTurn
from reverie.orchestration.checking import checked_plan
from reverie.orchestration.roster import roster_of
from reverie.orchestration.specs import lead_specs

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "teams.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.S)
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.S)
    for line in block.splitlines()
    if line.startswith("reverie ")
]


def model(request: ModelRequest) -> str:
    """Says how it begins what it was told last."""
    parts = [part for turn in request.messages if isinstance(turn, UserTurn) for part in turn.parts]
    return "Done: " + next(part.text for part in reversed(parts) if isinstance(part, Text)).splitlines()[0]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, ["Done: Review the change"]),
        (
            1,
            [
                "completed [('build', 'finished'), ('unit', 'finished'), ('docs', 'finished')]",
                "Done: Build it.",
            ],
        ),
        (2, ["30 ", "Done: "]),
        (3, ["completed ['Done: Read a.', 'Done: Read b.']"]),
    ],
)
def test_python(
    number: int,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERIE_MODELS", f"scripted:{__file__}:model")
    houses: dict[str, reverie.Reverie] = {}
    monkeypatch.setattr("reverie.agents.agent._houses", houses)  # else they stay open as long as the program
    exec(compile(PYTHON[number], "teams.md", "exec"), {})
    for house in houses.values():
        house.close()
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


def test_every_example_is_tested() -> None:
    assert len(PYTHON) == 4 and len(COMMANDS) == 5


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    _, name, *rest = shlex.split(line)
    command: Any = get_command(app).commands[name].commands[rest[0]]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_file_is_a_team(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, flags=re.S)
    (tmp_path / "reviewers.toml").write_text(text)
    read = read_team(tmp_path / "reviewers.toml")
    assert read.plan is not None and len(read.plan.tasks) == 3 and read.task and read.ignored == ()


def test_a_cycle_is_refused_as_told() -> None:
    names = ("collect", "judge", "write")
    tasks = [
        {"id": name, "agent": "a", "prompt": "x", "depends_on": [names[number - 1]]}
        for number, name in enumerate(names)
    ]
    (told,) = re.findall(r"```text\n(.*?)\n```", GUIDE, flags=re.S)
    with pytest.raises(Invalid) as refused:
        checked_plan({"name": "x", "tasks": tasks}, ["a"])
    told = told.rpartition(": ")[0]
    assert str(refused.value).startswith(told)


def test_the_leads_tools_are_those_told() -> None:
    roster = roster_of({"multiagent": {"type": "coordinator", "agents": []}, "name": "lead"})
    told = GUIDE.partition("tools of ours:")[2].partition("A specialist that rests")[0]
    assert {spec.name for spec in lead_specs(roster)} <= set(re.findall(r"`(\w+)`", told))
