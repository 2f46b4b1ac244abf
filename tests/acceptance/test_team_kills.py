"""kill -9 of whoever works on a team of twenty, again and again: what is finished is not done again, no report is
lost or comes twice, and all comes to its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.team_nursery import SPECIALISTS, STEPS, asked_for

import reverie
from reverie.app import Reverie
from reverie.domain.events import Event
from reverie.storage.events import read

PATIENCE = 120.0
LOOK = {"type": "custom", "name": "look", "description": "Looks.", "input_schema": {"type": "object"}}


class Nursery:
    """Workers on one database, one after the other."""

    def __init__(self, url: str, effects: Path, pause_s: float) -> None:
        command = [sys.executable, "-m", "tests.acceptance.team_nursery", url, str(effects), str(pause_s)]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, text=True, start_new_session=True, **pipes)

    def say(self, word: str) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip(), "the nursery has ended"

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # the worker too
        self._process.communicate()


@contextmanager
def nursery(url: str, effects: Path, pause_s: float) -> Iterator[Nursery]:
    opened = Nursery(url, effects, pause_s)
    try:
        yield opened
    finally:
        opened.close()


def begin(house: Reverie, how: str) -> str:
    """A session of a lead and its specialist, and the word that sets them to work."""
    place = house.environments.create({"name": f"for {how}"}).id
    s = house.agents.create({"name": "s", "model": "scripted:s", "tools": [LOOK]})
    team = {"type": "coordinator", "agents": [s.id]}
    agent = house.agents.create({"name": "lead", "model": "scripted:lead", "multiagent": team})
    session = house.sessions.create({"agent": agent.id, "environment_id": place}).row.id
    content = [{"type": "text", "text": how}]
    house.sessions.send(session, [{"type": "user.message", "content": content}])
    return session


def wait(enough: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not enough():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def log_of(house: Reverie, session: str) -> list[Event]:
    return [read(link) for link in house.live.log_after(session, 0, 100_000)]


def said(events: list[Event]) -> list[str]:
    return [e.payload["content"][0]["text"] for e in events if e.type == "agent.message" and not e.thread]


def kill_often(url: str, folder: Path, how: str, kills: int) -> None:
    dice, effects = random.Random(7), folder / f"effects {how}"
    with reverie.open(url) as house:
        with nursery(url, effects, 1.5) as workers:
            session = begin(house, how)
            done = 0
            while done < kills and not said(log_of(house, session)):
                workers.say("begin")
                time.sleep(0.08 + 0.2 * dice.random())
                workers.say("kill")
                done += 1
            assert done == kills, f"it came to its end after {done}"
            workers.say("begin")
            wait(lambda: said(log_of(house, session)), "the lead does not come to its end")
            wait(lambda: house.live.row(session).status == "idle", "the session does not settle")
        check(log_of(house, session), asked_for(effects), how, done)
        assert house.verify().problem is None


def check(events: list[Event], asked: list[tuple[str, int]], how: str, kills: int) -> None:
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert said(events) == [f"{SPECIALISTS} results"]
    made = [e for e in events if e.type == "session.thread_created"]
    assert len(made) == SPECIALISTS, "each was begun once"
    for created in made:
        thread = created.payload["session_thread_id"]
        mine = [e for e in events if e.thread == thread]
        assert sum(e.type == "agent.message" for e in mine) == 1
        assert sum(e.type == "agent.custom_tool_use" for e in mine) == STEPS
        assert sum(e.type == "user.custom_tool_result" for e in mine) == STEPS
    reports = [e for e in events if e.type == "agent.thread_message_received" and not e.thread]
    texts = Counter(e.payload["content"][0]["text"] for e in reports)
    wanted = {} if how == "plan" else {f"result of t{n}": 1 for n in range(SPECIALISTS)}
    assert texts == wanted, "no report is lost, and none comes twice"
    times = Counter(asked)
    assert set(times) == {(f"t{n}", step) for n in range(SPECIALISTS) for step in range(STEPS + 1)}
    assert sum(times.values()) - len(times) <= kills * SPECIALISTS, (
        "at most what was under way is asked again"
    )
    for task in {task for task, _ in times}:
        steps = [step for name, step in asked if name == task]
        assert steps == sorted(steps), "a step that is in the log is not made again"


@pytest.mark.parametrize("how", ["one by one", "plan"])
def test_a_team_survives_its_workers(tmp_path: Path, how: str) -> None:
    kill_often(f"sqlite:///{tmp_path / 'reverie.db'}", tmp_path, how, 10)


def test_a_team_survives_its_workers_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    kill_often(postgresql_url, tmp_path, "one by one", 5)


@pytest.mark.slow
@pytest.mark.parametrize("round", range(10))
@pytest.mark.parametrize("how", ["one by one", "plan"])
def test_a_team_survives_many_more(tmp_path: Path, how: str, round: int) -> None:
    kill_often(f"sqlite:///{tmp_path / 'reverie.db'}", tmp_path, how, 25)
