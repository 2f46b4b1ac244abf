"""kill -9 of the real program at random moments: what was acknowledged is there, and the next run completes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.transcripts import write_sessions

import reverie

FEW = pytest.mark.parametrize("kills", [6, pytest.param(40, marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transcripts")
    write_sessions(folder, 60)
    return folder


class Program:
    """The real command line with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.db = home / "reverie.db"
        self._env = {**os.environ, "REVERIE_HOME": str(home), "REVERIE_DB": "", "REVERIE_USER": "ana"}

    def run(self, *args: str) -> str:
        done = subprocess.run(self._command(args), env=self._env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def killed(self, after: float, *args: str) -> str:
        """Start, kill -9 after ``after`` seconds unless it ended, and give what it had printed."""
        process = subprocess.Popen(
            self._command(args), env=self._env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            out, _ = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        return out

    def json(self, *args: str) -> Any:
        return json.loads(self.run(*args, "--json"))

    def length_of(self, *args: str) -> tuple[float, float]:
        """(start-up, whole run) in seconds: between them the killing is worth while."""
        began = time.monotonic()
        self.run("--version")
        started = time.monotonic()
        self.run(*args)
        return (started - began) * 0.7, time.monotonic() - started

    @staticmethod
    def _command(args: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "reverie", *args]


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Program]:
    return (Program(tmp_path / f"home-{number}") for number in range(1_000))


def contents(program: Program) -> dict[str, str]:
    with reverie.open(program.db) as rv:
        assert rv.verify().problem is None
        return {session.id: session.content_sha256 for session in rv.log.sessions()}


def said(dream: dict[str, Any]) -> Any:
    """A dream without its times and without what other dreams made of its proposals."""
    proposals = [
        {k: v for k, v in p.items() if k not in ("created_at", "status", "decision")}
        for p in dream["proposals"]
    ]
    return dream["dream"]["id"], dream["findings"], proposals


@FEW
def test_import(files: Path, homes: Iterator[Program], kills: int) -> None:
    dice = random.Random(1)
    reference = next(homes)
    low, high = reference.length_of("import", str(files))
    whole = contents(reference)
    program = next(homes)
    kept: dict[str, str] = {}
    for _ in range(kills):
        program.killed(dice.uniform(low, high), "import", str(files), "--quiet")
        if not program.db.exists():
            continue
        now = contents(program)
        assert kept.items() <= now.items(), "a session that was there before the kill is gone or changed"
        assert now.items() <= whole.items(), "half a session was kept"
        kept = now
        if now == whole:
            program, kept = next(homes), {}
    program.run("import", str(files))
    assert contents(program) == whole


@FEW
def test_dream(files: Path, homes: Iterator[Program], kills: int) -> None:
    dice = random.Random(2)
    reference = next(homes)
    reference.run("import", str(files))
    low, high = reference.length_of("dream")
    expected = said(reference.json("dream"))
    assert expected[1], "the transcripts hold a mistake to be found"
    program = next(homes)
    program.run("import", str(files))
    for _ in range(kills):
        program.killed(dice.uniform(low, high), "dream")
        with reverie.open(program.db) as rv:
            assert rv.verify().problem is None
            finished = [dream for dream in rv.dreams() if dream.status == "completed"]
            assert bool(finished) == bool(rv.proposals()), (
                "proposals come with the finished dream, or not at all"
            )
    assert said(program.json("dream")) == expected
    assert len(program.json("proposals", "list")) == len(expected[2]), "nothing was proposed twice"


@FEW
def test_approval(files: Path, homes: Iterator[Program], kills: int) -> None:
    dice = random.Random(3)
    program = next(homes)
    program.run("import", str(files))
    program.run("dream")
    low, high = program.length_of("proposals", "list")
    ids = list(states(program))
    for round_ in range(kills):
        wanted = ids[round_ % len(ids)]
        verb = ("approve", "undo")[round_ // len(ids) % 2]
        before = states(program)
        printed = program.killed(dice.uniform(low, high * 1.2), verb, wanted)
        after = states(program)
        if printed.strip():
            assert after[wanted] != before[wanted], "a decision that was acknowledged is not there"


def states(program: Program) -> dict[str, str]:
    """Proposal id → status, once it is certain that memory says the same and nothing was tampered with."""
    with reverie.open(program.db) as rv:
        assert rv.verify().problem is None
        proposals = rv.proposals(status=None)
        memory = {memory.path for memory in rv.memory.list("default")}
    approved = {proposal.path for proposal in proposals if proposal.status == "approved"}
    assert memory == approved, "a decision without its memory, or a memory without its decision"
    return {proposal.id: proposal.status for proposal in proposals}
