"""`reverie agent run` in a real terminal: questions answered by keys, Ctrl-C stops the work and not the session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.test_terminal import Terminal, pty

import reverie

MODELS = Path(__file__).parents[1] / "cli" / "models.py"


@contextmanager
def working(db: Path, model: str, *words: str) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """The program in a terminal of its own, which sends it SIGINT on Ctrl-C as terminals do."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
    command = [sys.executable, "-m", "reverie", "agent", "run", "--db", str(db)]
    command += ["--model", f"scripted:{MODELS}:{model}", *words]
    pipes = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen(command, env=env, preexec_fn=_own_terminal, **pipes)  # noqa: PLW1509
    os.close(theirs)
    try:
        yield Terminal(ours), process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _own_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


WRITE = 'write {"file_path": "/workspace/a.txt", "content": "hello"}'


def test_a_person_says_yes_or_no(tmp_path: Path) -> None:
    options = ("--tool", "write", "--permissions", "always_ask", WRITE)
    with working(tmp_path / "r.db", "caller", *options) as (terminal, process):
        terminal.wait_for("/workspace/a.txt")
        terminal.wait_for("allow?")
        terminal.type("perhaps\n")
        terminal.wait_for("allow?")
        terminal.type("y\n")
        terminal.wait_for("it gave: Wrote")
        terminal.wait_for("end_turn")
        assert process.wait(timeout=60) == 0
    with working(tmp_path / "r.db", "caller", *options) as (terminal, process):
        terminal.wait_for("allow?")
        terminal.type("\n")  # a no, where nothing is said
        terminal.wait_for("did not allow")
        assert process.wait(timeout=60) == 0


def test_ctrl_c_stops_the_work_and_the_session_can_go_on(tmp_path: Path) -> None:
    with working(tmp_path / "r.db", "caller", "--tool", "bash", 'bash {"command": "sleep 600"}') as (
        terminal,
        process,
    ):
        terminal.wait_for("calling")
        terminal.type("\x03")
        terminal.wait_for("stopping")
        terminal.wait_for("✗")
        terminal.wait_for("sesn_")
        assert process.wait(timeout=60) == 130
    with reverie.open(tmp_path / "r.db") as house:
        (session,) = house.log.sessions()
        status = house.sessions.get(session.id).row.status
        types = [event.type for event in house.log.events(session.id)]
    assert status == "idle" and "user.interrupt" in types
    assert types[-1] == "session.status_idle"


def test_ctrl_c_at_a_question_leaves_it_open(tmp_path: Path) -> None:
    """It is asked again by whoever resumes."""
    options = ("--tool", "write", "--permissions", "always_ask", WRITE)
    with working(tmp_path / "r.db", "caller", *options) as (terminal, process):
        terminal.wait_for("allow?")
        terminal.type("\x03")
        terminal.wait_for("left as it stands")
        assert process.wait(timeout=60) == 130
    with reverie.open(tmp_path / "r.db") as house:
        (session,) = house.log.sessions()
        assert list(house.live.state(session.id).pending.values()) == [("", "confirmation")]
