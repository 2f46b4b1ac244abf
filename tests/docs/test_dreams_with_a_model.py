"""The guide to model-written dreams does not lie: its commands run, its tools and figures are those of the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from benchmarks.transcripts import write_transcripts
from click.testing import CliRunner
from typer.main import get_command

import reverie
from reverie.cli.main import app
from reverie.dreaming.author.calls import TOOLS
from reverie.dreaming.author.supposing import MOST

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "dreams-with-a-model.md").read_text("utf-8")
COMMANDS = re.findall(r"^(reverie dream .*)$", GUIDE, flags=re.M)


def test_its_commands_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "r.db"
    monkeypatch.setenv("REVERIE_DB", str(db))
    write_transcripts(tmp_path / "logs", 12)
    with reverie.open(db) as rv:
        rv.import_paths(tmp_path / "logs")
    command, run = get_command(app), CliRunner()
    with_key = COMMANDS.pop()
    told = [run.invoke(command, shlex.split(line)[1:]) for line in COMMANDS]
    assert [each.exit_code for each in told] == [0, 0], told
    assert "tokens" in told[0].output and "proposals" in told[1].output
    with reverie.open(db) as rv:
        (dream,) = rv.dreams()
        assert dream.writing is not None and dream.writing.fell_back is None
        assert rv.log.session(str(dream.writing.session_id)).info.agent == "reverie.dreamer"
        assert dream.sessions == 12
    standing_in = with_key.replace("ollama:qwen3", "scripted:reverie.testing.dreamer:careful")
    again = run.invoke(command, shlex.split(standing_in)[1:])
    assert again.exit_code == 0, (
        again.output
    )  # other instructions: another dream, and not over the first one's session
    with reverie.open(db) as rv:
        assert {dream.sessions for dream in rv.dreams()} == {12}


def test_its_tools_are_those_of_the_agent() -> None:
    table = GUIDE.partition("## What holds")[0]
    assert {name for name in re.findall(r"`(\w+)`", table) if name in TOOLS} == {*TOOLS}
    assert MOST == 20 and "all twenty guesses" in GUIDE
