"""The README does not lie: its Python runs, its commands and options exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.transcripts import write_sessions
from typer.main import get_command

from reverie.cli.main import app

README = Path(__file__).parents[2] / "README.md"
PYTHON = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.S)
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
    exec(compile(example, "README.md", "exec"), {})
    if "print" in example:
        assert "Read" in capsys.readouterr().out


def test_there_are_examples_to_test() -> None:
    assert len(PYTHON) >= 2
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    _, name, *rest = shlex.split(line)
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known
