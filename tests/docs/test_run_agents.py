"""The guide to running agents does not lie: its Python runs, its commands and options exist, its file is read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import reverie
from reverie.agents.files import read_agent
from reverie.cli.main import app
from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "run-agents.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.S)
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.S)
    for line in block.splitlines()
    if line.startswith("reverie ")
]


def model(request: ModelRequest) -> Any:
    """Looks up the price of tea, or writes it down, and thanks."""
    parts = getattr(request.messages[-1], "parts", ())
    for part in parts:
        if isinstance(part, ToolResult):
            return "".join(getattr(each, "text", "") for each in part.content)
    if any("Never mind" in part.text for part in parts if isinstance(part, Text)):
        return "You are welcome."
    if any(tool.name == "price" for tool in request.tools):
        return ToolCall("call", "price", {"article": "tea"})
    return ToolCall("call", "write", {"file_path": "/workspace/tea.txt", "content": "3.5"})


@pytest.mark.parametrize(("number", "words"), [(0, ["3.5", "end_turn"]), (1, ["agent.tool_use", "welcome"])])
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
    exec(compile(PYTHON[number], "run-agents.md", "exec"), {})
    for house in houses.values():
        house.close()
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


def test_every_example_is_tested() -> None:
    assert len(PYTHON) == 2 and len(COMMANDS) >= 8


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    _, name, *rest = shlex.split(line.split(">", maxsplit=1)[0])
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    if hasattr(command, "commands"):
        command = command.commands[rest[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_file_is_an_agent(tmp_path: Path) -> None:
    (text,) = re.findall(r"```markdown\n(.*?)```", GUIDE, flags=re.S)
    (tmp_path / "clerk.md").write_text(text)
    found = read_agent(tmp_path / "clerk.md")
    assert found.ignored == []
    assert reverie.Agent(**found.arguments).definition.system == "You file documents, and say where."


def test_the_table_names_what_a_session_has() -> None:
    for name in re.findall(r"`(?:await )?session\.(\w+)", GUIDE):
        assert hasattr(reverie.RunSession, name), name
