"""``reverie team run|resume|show|stop``."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

TEAMING = Path(__file__).parents[1] / "agents" / "teaming.py"
TEAM = f"""
[team]
task = "read this"
lead = {{ model = "scripted:{TEAMING}:lead", tools = [] }}

[specialists.reader]
model = "scripted:{TEAMING}:reader"
tools = []

[specialists.failing]
model = "scripted:{TEAMING}:failing"
tools = []
"""
PLAN = (
    TEAM
    + """
[plan]
name = "release"

[[plan.tasks]]
id = "build"
agent = "reader"
prompt = "build it"

[[plan.tasks]]
id = "test"
agent = "failing"
prompt = "test it"
depends_on = ["build"]
"""
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "team.toml").write_text(TEAM)
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "bad.toml").write_text(PLAN.replace("test it", "fail at it"))
    return tmp_path


def last(cli: Cli) -> str:
    return str(max(cli.json("sessions", "list"), key=lambda each: each["started_at"])["id"])


def test_the_lead_does_the_files_task_or_the_one_told(cli: Cli) -> None:
    done = cli("team", "run", "team.toml")
    assert done.stdout.startswith("They say:")
    assert "→ send_to_agent" in done.stderr and "reader READ THIS" in done.stderr
    assert "end_turn" in done.stderr
    assert "reader AND THAT" in cli("team", "run", "team.toml", "and", "that").stderr
    assert "reader OR THIS" in cli("team", "run", "plan.toml", "-", input="or this").stderr
    shown = cli("team", "show", last(cli)).stdout
    assert "reader" in shown and "has reported" in shown


def test_a_plan_shows_what_becomes_of_each_task(cli: Cli) -> None:
    done = cli("team", "run", "plan.toml")
    assert "plan release: 2 tasks, 20 at a time" in done.stderr
    for line in ("· build running", "✓ build finished", "✓ test finished", "reader (build) BUILD IT"):
        assert line in done.stderr
    assert "release: completed · 2 of 2 finished" in done.stderr
    failed = cli("team", "run", "bad.toml", code=1)
    assert "✗ test failed: " in failed.stderr and "1 of 2 finished, 1 failed" in failed.stderr
    assert "error of failing (test)" in failed.stderr
    shown = cli("team", "show", last(cli)[:13]).stdout
    assert "completed · 1 of 2 finished, 1 failed" in shown and "ValueError" in shown
    told = cli.json("team", "show", last(cli))
    (plan,) = told["plans"]
    assert (plan["name"], plan["result"]) == ("release", "completed")
    assert [(each["id"], each["agent"], each["status"]) for each in plan["tasks"]] == [
        ("build", "reader", "finished"),
        ("test", "failing", "failed"),
    ]


def test_json_is_a_line_for_each_event_and_one_for_the_end(cli: Cli) -> None:
    lines = [json.loads(line) for line in cli("team", "run", "plan.toml", "--json").stdout.splitlines()]
    assert lines[-1]["type"] == "reverie.result"
    assert "workflow_run.status_ended" in {line["type"] for line in lines}


def test_one_model_for_all_of_them(cli: Cli) -> None:
    done = cli("team", "run", "bad.toml", "--model", f"scripted:{TEAMING}:reader")
    assert "failing (test) FAIL AT IT" in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("nowhere.toml",), 1, "there is no such file"),
        (("cycle.toml",), 2, "plan.tasks"),
        (("none.toml",), 2, "not said what to do"),
        (("team.toml", "-"), 2, "standard input is empty"),
        (("team.toml", "--model", "nope:x"), 1, ""),
    ],
)
def test_errors_are_one_message(cli: Cli, here: Path, args: tuple[str, ...], code: int, words: str) -> None:
    (here / "cycle.toml").write_text(
        PLAN.replace('prompt = "build it"', 'prompt = "x"\ndepends_on = ["test"]')
    )
    (here / "none.toml").write_text(TEAM.replace('task = "read this"', ""))
    done = cli("team", "run", *args, code=code)
    assert words in done.stderr and "Traceback" not in done.output


def test_a_session_goes_on_with_what_its_lead_is_told(cli: Cli) -> None:
    cli("team", "run", "team.toml")
    session = last(cli)
    models = [part for name in ("lead", "reader") for part in ("--model", f"scripted:{TEAMING}:{name}")]
    more = cli("team", "resume", session[:13], "and that", *models)
    assert more.stdout.startswith("They say:")
    assert cli("team", "resume", session, *models).stdout == ""
    assert "nobody" in cli("team", "show", alone(cli)).stdout
    assert "no plan of it goes on" in cli("team", "stop", session, code=3).stderr


def test_tail_tells_who_speaks(cli: Cli) -> None:
    cli("team", "run", "team.toml")
    session = last(cli)
    whole = cli("sessions", "tail", session, "--until-idle", "-n", "100")
    assert "reader READ THIS" in whole.stderr and whole.stdout.startswith("They say:")
    assert "sthr_" in cli("sessions", "tail", session, "--until-idle", "-n", "12").stderr


def alone(cli: Cli) -> str:
    """A session of one agent."""
    model = f"scripted:{TEAMING}:reader"
    done = cli("agent", "run", "--model", model, "--tool", "none", "--json", "hello").stdout
    return str(json.loads(done.splitlines()[-1])["session_id"])


# ---------------------------------------------------------------------- in a terminal, and Ctrl-C

GATED = """
[team]
name = "crew"
lead = {{ model = "scripted:{models}:lead", tools = [] }}

[specialists.counted]
model = "scripted:{models}:counted"
tools = []

[specialists.gated]
model = "scripted:{models}:gated"
tools = []

[[plan.tasks]]
id = "first"
agent = "counted"
prompt = "{folder}/count first"

[[plan.tasks]]
id = "second"
agent = "gated"
prompt = "{folder}/gate"
depends_on = ["first"]
"""


class Terminal:
    """The program in a terminal of its own."""

    def __init__(self, *args: str) -> None:
        self._ours, theirs = pty.openpty()
        program = "from reverie.cli.main import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
            start_new_session=True,
        )
        os.close(theirs)
        self.said = ""

    def until(self, words: str) -> None:
        """Read until it has said something; the program's end is the end of patience."""
        while words not in self.said:
            if not self._read():
                raise AssertionError(f"it never said {words!r}: {self.said}")

    def ends(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait()

    def _read(self) -> bool:
        try:
            found = os.read(self._ours, 65536)
        except OSError:
            return False
        self.said += found.decode("utf-8", "replace")
        return bool(found)


def test_a_plan_that_was_left_goes_on_where_it_was(cli: Cli, here: Path) -> None:
    (here / "gated.toml").write_text(GATED.format(models=TEAMING, folder=here))
    screen = Terminal("team", "run", "gated.toml")
    screen.until("first finished")
    screen.until("second running")
    screen.until("task    agent")  # the view
    screen.process.send_signal(signal.SIGINT)
    assert screen.ends() == 130
    assert "left as it stands" in screen.said and "reverie team resume sesn_" in screen.said
    assert "Traceback" not in screen.said
    session = last(cli)
    assert cli.json("team", "show", session)["plans"][0]["result"] is None
    (here / "gate").touch()
    models: list[Any] = [
        part for name in ("counted", "gated") for part in ("--model", f"scripted:{TEAMING}:{name}")
    ]
    done = cli("team", "resume", session, *models)
    assert "2 of 2 finished" in done.stderr
    assert (here / "count").read_text() == "first\n", "what had finished was not done again"


def test_a_plan_that_was_left_can_be_stopped_for_good(cli: Cli, here: Path) -> None:
    (here / "gated.toml").write_text(GATED.format(models=TEAMING, folder=here))
    screen = Terminal("team", "run", "gated.toml")
    screen.until("second running")
    screen.process.send_signal(signal.SIGINT)
    assert screen.ends() == 130
    assert "crew: stopped" in cli("team", "stop", last(cli), "--because", "enough").stdout


def test_a_lead_is_stopped_and_can_be_told_more(cli: Cli, here: Path) -> None:
    (here / "waiting.toml").write_text(TEAM.replace(f"{TEAMING}:reader", f"{TEAMING}:gated"))
    screen = Terminal("team", "run", "waiting.toml", str(here / "gate"))
    screen.until("reader works on it")
    screen.process.send_signal(signal.SIGINT)
    assert screen.ends() == 130
    assert "stopped; what was finished is kept" in screen.said and "reverie team resume sesn_" in screen.said
    (here / "gate").touch()
    models = [part for name in ("lead", "gated") for part in ("--model", f"scripted:{TEAMING}:{name}")]
    assert "They say:" in cli("team", "resume", last(cli), "go on", *models).stdout
