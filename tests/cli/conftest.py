"""The command line in process, on a database of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.transcripts import write_sessions
from typer.testing import CliRunner, Result

from reverie.cli.main import app


class Cli:
    """``cli("dream", "--json")`` runs a command; ``.json(…)`` reads what it printed."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self._runner = CliRunner()

    def __call__(self, *args: str, code: int = 0, input: str | None = None) -> Result:
        result = self._runner.invoke(app, list(args), input=input)
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        return result

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "--json").stdout)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    db = tmp_path / "home" / "reverie.db"
    monkeypatch.setenv("REVERIE_DB", str(db))
    monkeypatch.setenv("REVERIE_USER", "ana")
    monkeypatch.setenv("COLUMNS", "200")
    return Cli(db)


@pytest.fixture
def transcripts(tmp_path: Path) -> Path:
    folder = tmp_path / "transcripts"
    write_sessions(folder)
    return folder


@pytest.fixture
def dreamed(cli: Cli, transcripts: Path) -> Callable[[], list[dict[str, Any]]]:
    """Imports and dreams; calling it gives the pending proposals."""
    cli("import", str(transcripts), "--quiet")
    cli("dream", "--quiet")
    return lambda: cli.json("proposals", "list")
