"""`reverie review` in a real terminal: keys go in through a pseudo-terminal, decisions come out in memory."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.transcripts import write_sessions

import reverie

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
PATIENCE = 60.0  # seconds to wait for a prompt before calling it a failure


@pytest.fixture
def db(tmp_path: Path) -> Path:
    write_sessions(tmp_path / "transcripts")
    path = tmp_path / "reverie.db"
    with reverie.open(path) as rv:
        rv.import_paths(tmp_path / "transcripts")
        rv.dream()
    return path


class Terminal:
    """The far end of a terminal: type, and wait for words to appear."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.seen = ""
        self._read_to = 0

    def wait_for(self, words: str) -> None:
        """Until the words come, after those waited for before."""
        while (found := self.seen.find(words, self._read_to)) < 0:
            ready, _, _ = select.select([self._handle], [], [], PATIENCE)
            assert ready, f"no {words!r} in:\n{self.seen}"
            self.seen += self._read()
        self._read_to = found + len(words)

    def type(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def _read(self) -> str:
        try:
            return os.read(self._handle, 65_536).decode("utf-8", "replace")
        except OSError:  # Linux says so when the other end is closed
            raise AssertionError(f"the program left:\n{self.seen}") from None


@contextmanager
def reviewing(db: Path) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    env = {**os.environ, "REVERIE_USER": "ana", "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, "-m", "reverie", "review", "--db", str(db)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, close_fds=True)
    os.close(theirs)
    try:
        yield Terminal(ours), process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_keys_decide(db: Path) -> None:
    with reviewing(db) as (terminal, process):
        terminal.wait_for("quit")
        terminal.type("v")
        terminal.wait_for("quit")
        terminal.type("a")
        terminal.wait_for("quit")
        terminal.type("q")
        terminal.wait_for("1 decided")
        assert process.wait(PATIENCE) == 0
    with reverie.open(db) as rv:
        (approved,) = rv.proposals(status="approved")
        assert approved.decision is not None
        assert approved.decision.by == "ana"
        assert [memory.path for memory in rv.memory.list("default")] == [approved.path]


def test_the_terminal_is_left_as_it_was(db: Path) -> None:
    import termios

    with reviewing(db) as (terminal, process):
        terminal.wait_for("quit")
        terminal.type("\x1b")
        terminal.wait_for("0 decided")
        process.wait(PATIENCE)
        flags = termios.tcgetattr(terminal._handle)[3]
        assert flags & termios.ICANON
        assert flags & termios.ECHO
