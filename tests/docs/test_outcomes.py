"""The guide to judged work and the page on graders do not lie: examples run, commands exist, figures are measured."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from benchmarks.manipulation import SETTINGS
from tests.outcomes.benign import BENIGN
from tests.outcomes.chain import Defences, evaluate
from tests.outcomes.manipulations import ATTEMPTS, UNSEEN, Attempt
from typer.main import get_command
from typer.testing import CliRunner

import reverie
from reverie.cli.main import app
from reverie.domain.messages import ModelRequest, ToolCall, ToolResult, UserTurn
from reverie.outcomes.lint import lint
from reverie.outcomes.rubrics import read_rubric
from reverie.outcomes.suspicion import withheld

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "how-to" / "outcomes.md").read_text("utf-8")
PAGE = (DOCS / "explanation" / "grading.md").read_text("utf-8")
GRADER = f"scripted:{Path(__file__).parents[1] / 'agents' / 'judging.py'}:honest"
PYTHON = [
    each.replace("anthropic:claude-opus-5", GRADER)
    for each in re.findall(r"```python\n(.*?)```", GUIDE, flags=re.S)
]
(RUBRIC,) = re.findall(r"````markdown\n(.*?)````", GUIDE, flags=re.S)
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.S)
    for line in block.splitlines()
    if line.startswith("reverie ")
]


def writer(request: ModelRequest) -> Any:
    """Writes a report, at first without a word on who tested."""
    last = request.messages[-1]
    if isinstance(last, UserTurn) and any(isinstance(part, ToolResult) for part in last.parts):
        return "It is done."
    tested = "" if len(request.messages) == 1 else ", tested by Ruiz"
    text = f"# Summary\nAll is tight.\n# Findings\nValve 7 is tight{tested}.\n"
    given = {"file_path": "/mnt/session/outputs/report.md", "content": text}
    return ToolCall(f"write-{len(request.messages)}", "write", given)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERIE_MODELS", f"scripted:{__file__}:writer")
    (tmp_path / "rubric.md").write_text(RUBRIC)
    return tmp_path


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (
            0,
            [
                "satisfied\n0 needs_revision 0.33",
                "Each finding says who tested",
                "1 satisfied 0.66",
                "report.md",
            ],
        ),
        (1, ["satisfied 0.66", "sections satisfied check", "tester satisfied grader"]),
    ],
)
def test_python(
    number: int, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    houses: dict[str, reverie.Reverie] = {}
    monkeypatch.setattr("reverie.agents.agent._houses", houses)  # else they stay open as long as the program
    exec(compile(PYTHON[number], "outcomes.md", "exec"), {})
    for house in houses.values():
        house.close()
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


def test_the_rubric_is_a_good_one() -> None:
    rubric = read_rubric(RUBRIC)
    assert [(each.id, each.must) for each in rubric.criteria][:2] == [("sections", True), ("tester", True)]
    assert rubric.criteria[0].check is not None and not rubric.criteria[2].must
    assert lint(rubric) == []


def test_every_example_is_tested() -> None:
    assert len(PYTHON) == 2 and len(COMMANDS) >= 7


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    _, name, *rest = shlex.split(line)
    command: Any = get_command(app).commands[name]  # type: ignore[attr-defined]
    if hasattr(command, "commands"):
        command = command.commands[rest[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_exit_codes_are_those_of_the_command() -> None:
    table = re.findall(r"^\| (\d+) \|", GUIDE, flags=re.M)
    told = re.search(
        r"Exit codes: (.*)", " ".join(CliRunner().invoke(app, ["grade", "--help"]).output.split())
    )
    assert told is not None and re.findall(r"\b(\d+) ", told[1].replace("│", "")) == table


def flips(defences: Defences, attempts: list[Attempt] | tuple[Attempt, ...]) -> int:
    return sum(evaluate(attempt, defences).result == "satisfied" for attempt in attempts)


def test_the_figures_are_those_of_the_benchmark() -> None:
    known, unseen = re.findall(r"\| \| of (\d+) \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)
    for (count, table), attempts in ((known, ATTEMPTS), (unseen, UNSEEN)):
        assert int(count) == len(attempts)
        for name, told in re.findall(r"^\| (.*?) \| (\d+) \|$", table, flags=re.M):
            assert flips(SETTINGS[name], attempts) == int(told), name
    assert len(re.findall(r"^\| .* \|$", known[1], flags=re.M)) == len(SETTINGS)
    seen = sum(bool(withheld(attempt.text)[1]) for attempt in UNSEEN)
    assert f"The scan knew {seen} of them" in PAGE
    assert (
        f"Of {len(BENIGN)} honest texts about grading, {sum(bool(withheld(t)[1]) for t in BENIGN)} are flagged"
        in PAGE
    )


def test_the_page_names_files_that_are_there() -> None:
    for path in re.findall(r"`((?:outcomes|runtime|folders)/[\w/.]+)`", PAGE):
        assert (Path(reverie.__file__).parent / path).exists(), path
