"""The README does not lie: its Python runs, its commands and options exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.transcripts import write_sessions
from typer.main import get_command

import reverie
from reverie.cli.main import app
from reverie.domain.messages import ModelRequest, ToolCall, ToolResult

README = Path(__file__).parents[2] / "README.md"
PYTHON = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.S)
GRADER = f"scripted:{Path(__file__).parents[1] / 'agents' / 'judging.py'}:honest"
MODELS = {
    "pursue": ("writer", "satisfied ['The work is not done yet."),
    "Team": ("editor", "I was told: You put reviews together."),
    "def price": ("clerk", "3.5 end_turn"),
    "rv.dream": ("clerk", "Read"),
}
"""What is in an example: the program that is its model, and what it prints."""
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README.read_text("utf-8"), flags=re.S)
    for line in block.splitlines()
    if line.startswith("reverie ")
]


@pytest.mark.parametrize("example", PYTHON, ids=range(len(PYTHON)))
def test_python(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sessions(tmp_path / "transcripts")
    monkeypatch.chdir(tmp_path)
    houses: dict[str, reverie.Reverie] = {}
    monkeypatch.setattr("reverie.agents.agent._houses", houses)  # else they stay open as long as the program
    who, words = next((each for name, each in MODELS.items() if name in example), ("clerk", ""))
    told = example.replace(
        'model="ollama:qwen3"', f'model="scripted:{__file__}:{who}"'
    )  # nobody pulls one here
    exec(compile(told.replace("anthropic:claude-opus-5", GRADER), "README.md", "exec"), {})
    for house in houses.values():
        house.close()
    assert words in capsys.readouterr().out


def writer(request: ModelRequest) -> ToolCall | str:
    """Writes a report, at first without a word on who tested."""
    if any(isinstance(part, ToolResult) for part in getattr(request.messages[-1], "parts", ())):
        return "It is done."
    tested = "" if len(request.messages) == 1 else ", tested by Ruiz"
    given = {"file_path": "/mnt/session/outputs/report.md", "content": f"Valve 7 is tight{tested}."}
    return ToolCall(f"write-{len(request.messages)}", "write", given)


def editor(request: ModelRequest) -> str:
    """Says who it is."""
    return f"I was told: {request.system.splitlines()[0]}"


def clerk(request: ModelRequest) -> ToolCall | str:
    """Looks up the price of tea, and says it."""
    for part in getattr(request.messages[-1], "parts", ()):
        if isinstance(part, ToolResult):
            return "".join(getattr(each, "text", "") for each in part.content)
    return ToolCall("call", "price", {"article": "tea"})


def test_there_are_examples_to_test() -> None:
    assert len(PYTHON) >= 5 and all(any(name in each for each in PYTHON) for name in MODELS)
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    _, name, *rest = shlex.split(line)
    command: Any = get_command(app).commands[name]  # type: ignore[attr-defined]
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known
