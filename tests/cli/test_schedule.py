"""``reverie schedule``: made, shown, run, removed; and the timers that are printed."""

from __future__ import annotations

import json
import plistlib
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli


def made(cli: Cli, *said: str) -> Any:
    return json.loads(cli("schedule", "add", *said, "--json").stdout)


def test_from_making_one_to_removing_it(cli: Cli, transcripts: Path) -> None:
    assert "no schedules" in cli("schedule", "list").stdout
    night = made(cli, "nightly", "--cron", "0 3 * * *", "--zone", "Europe/Berlin")
    assert night["trigger"] == {"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"}
    assert (night["min_sessions"], len(night["upcoming"]), night["status"]) == (5, 5, "active")
    listed = cli("schedule", "list").stdout
    assert "nightly" in listed and "at 0 3 * * * (Europe/Berlin)" in listed
    assert "0 new sessions since the last dream, and it takes 5" in cli("schedule", "run", night["id"]).stdout
    assert "0 new sessions" in cli("schedule", "status").stdout
    cli("import", str(transcripts), "--quiet")
    ran = cli("schedule", "run", night["id"][:12])
    assert "completed, with" in ran.stdout and "for review" in ran.stdout
    (status,) = cli.json("schedule", "status")
    assert status["last_run"]["dream_id"] and "completed" in status["last"]
    assert cli.json("proposals", "list")
    cli("schedule", "pause", night["id"])
    assert "paused" in cli("schedule", "list").stdout
    cli("schedule", "unpause", night["id"])
    cli("schedule", "remove", night["id"])
    assert cli.json("schedule", "list") == []


def test_what_is_due_is_dreamed_here(cli: Cli, transcripts: Path) -> None:
    made(cli, "often", "--every", "10")
    assert "nothing is due" in cli("schedule", "run", "--due").stdout
    cli("import", str(transcripts), "--quiet")
    assert "completed" in cli("schedule", "run", "--due").stdout
    assert "nothing is due" in cli("schedule", "run", "--due").stdout


def test_kinds_of_triggers(cli: Cli) -> None:
    assert made(cli, "a", "--every", "7")["trigger"] == {"type": "sessions", "every": 7}
    assert made(cli, "b", "--on-failure", "--min-sessions", "2")["trigger"] == {"type": "failed_outcome"}
    assert made(cli, "c")["trigger"] == {"type": "manual"}
    shown = cli("schedule", "status").stdout
    for words in ("every 7 sessions", "when a session failed, with 2 new sessions", "by hand", "never"):
        assert words in shown


def test_mistakes_are_told(cli: Cli) -> None:
    said = {
        ("add", "x", "--cron", "@daily"): "five fields of cron",
        ("add", "x", "--cron", "0 3 * * *", "--zone", "Mars/Base"): "time zone",
        ("add", "x", "--every", "3", "--on-failure"): "one of",
        ("add", "x", "--zone", "UTC"): "--zone is for --cron",
        ("run",): "--due",
        ("run", "dsched_x"): "no schedules begin with",
        ("install",): "installs nothing",
    }
    for words, why in said.items():
        assert why in cli("schedule", *words, code=2).stderr


@pytest.mark.parametrize("manager", ["systemd", "launchd", "cron"])
def test_timers_run_what_is_due(cli: Cli, manager: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/my tools/reverie"])
    told = cli("schedule", "install", "--print", "--for", manager, "--db", "/data/100% ours/r.db").stdout
    expected = ["/opt/my tools/reverie", "schedule", "run", "--due", "--db", "/data/100% ours/r.db"]
    if manager == "launchd":
        assert plistlib.loads(told.encode())["ProgramArguments"] == expected
    elif manager == "cron":
        command = "'/opt/my tools/reverie' schedule run --due --db '/data/100\\% ours/r.db'"
        assert f"*/15 * * * * {command}" in told.splitlines()
    else:
        command = '"/opt/my tools/reverie" schedule run --due --db "/data/100%% ours/r.db"'
        assert f"ExecStart={command}" in told.splitlines()
    assert "reverie" in cli("schedule", "install", "--print", "--for", manager).stdout


def test_a_url_of_the_environment_is_not_printed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_DB", "postgresql+psycopg://u:secret@h/d")
    refused = cli("schedule", "install", "--print", code=2)
    assert "--db URL" in refused.stderr and "secret" not in refused.output
