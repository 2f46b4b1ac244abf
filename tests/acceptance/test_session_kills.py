"""kill -9 of whoever works on sessions, again and again: nothing acknowledged is lost, no recorded step is made
again, nothing that may have had an effect is repeated silently, and every session comes to its end."""

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
from tests.acceptance.nursery import STEPS, TOOLS, effects

import reverie
from reverie.app import Reverie
from reverie.domain.events import Event
from reverie.storage.events import read

SESSIONS = 4
PATIENCE = 120.0


class Nursery:
    """Workers on one database, one after the other."""

    def __init__(
        self, folder: Path, *, pause_s: float, careless: bool = False, module: str = "nursery"
    ) -> None:
        self.database, self.effects = folder / "reverie.db", folder / "effects"
        more = ["yes"] if careless else []
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"tests.acceptance.{module}",
                self.database,
                self.effects,
                str(pause_s),
                *more,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def say(self, word: str) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip(), "the nursery has ended"

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # the worker too
        self._process.communicate()


@contextmanager
def nursery(folder: Path, **how: Any) -> Iterator[Nursery]:
    opened = Nursery(folder, **how)
    try:
        yield opened
    finally:
        opened.close()


def begun(house: Reverie, count: int) -> list[str]:
    place = house.environments.create({"name": "here"}).id
    sessions: list[str] = []
    for number in range(count):
        agent = house.agents.create(
            {"name": f"clerk{number}", "model": "scripted:it", "system": f"s{number}", "tools": TOOLS}
        )
        sessions.append(house.sessions.create({"agent": agent.id, "environment_id": place}).row.id)
    return sessions


def say(house: Reverie, session: str) -> str:
    content = [{"type": "text", "text": "go"}]
    (taken,) = house.sessions.send(session, [{"type": "user.message", "content": content}])
    return taken.id


def wait(enough: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not enough():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def log_of(house: Reverie, session: str) -> list[Event]:
    return [read(link) for link in house.live.log_after(session, 0, 100_000)]


def check(events: list[Event], acknowledged: list[str], name: str, done: list[tuple[str, str, int]]) -> int:
    """Everything that must hold of one session; gives how many outcomes were unknown."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [e.id for e in events if e.type == "user.message"] == acknowledged
    calls = {e.id: e for e in events if e.type == "agent.custom_tool_use"}
    results = [e for e in events if e.type == "user.custom_tool_result"]
    assert Counter(e.payload["custom_tool_use_id"] for e in results) == Counter(list(calls))
    assert events[-1].type == "session.status_idle"
    assert events[-1].payload["stop_reason"] == {"type": "end_turn"}
    times = Counter(effect for effect in done if effect[1] == name)
    assert [e for e, n in times.items() if e[0] == "change" and n > 1] == []
    unknown = 0
    for result in results:
        call = calls[result.payload["custom_tool_use_id"]]
        input, tool = call.payload["input"], call.payload["name"]
        if result.payload["is_error"]:
            assert tool == "change" and "unknown" in result.payload["content"][0]["text"]
            unknown += 1
        else:
            assert times[tool, name, input["n"]] >= 1
    return unknown


def kill_often(folder: Path, kills: int) -> None:
    dice = random.Random(7)
    with reverie.open(folder / "reverie.db") as house, nursery(folder, pause_s=0.03) as workers:
        sessions = begun(house, SESSIONS)
        acknowledged = {session: [say(house, session)] for session in sessions}
        for number in range(kills):
            before = len(effects(workers.effects))
            workers.say("begin")
            wait(
                lambda n=before: len(effects(workers.effects)) > n or _settled(house, sessions),
                "nobody works",
            )
            time.sleep(0.3 * dice.random())
            if number % 3 == 0:
                acknowledged[chosen := dice.choice(sessions)].append(say(house, chosen))
            workers.say("kill")
        workers.say("begin")
        wanted = {s: STEPS * len(told) for s, told in acknowledged.items()}
        for session in sessions:
            wait(
                lambda s=session: house.live.row(s).status == "idle" and _results(house, s) >= wanted[s],
                f"{session} does not settle",
            )
        done = effects(workers.effects)
        unknown = [
            check(log_of(house, session), acknowledged[session], f"s{number}", done)
            for number, session in enumerate(sessions)
        ]
        assert 0 < sum(unknown) <= kills * SESSIONS, unknown
        assert house.verify().problem is None


def _settled(house: Reverie, sessions: list[str]) -> bool:
    """Whether there is nothing left to do: whoever is killed then had nothing in hand."""
    return all(house.live.row(session).status == "idle" for session in sessions)


def _results(house: Reverie, session: str) -> int:
    return sum(event.type == "user.custom_tool_result" for event in log_of(house, session))


def test_sessions_survive_their_workers(tmp_path: Path) -> None:
    kill_often(tmp_path, 50)


@pytest.mark.slow
def test_a_thousand_times(tmp_path: Path) -> None:
    kill_often(tmp_path, 1_000)


def test_a_runtime_that_repeats_what_it_should_not_is_found_out(tmp_path: Path) -> None:
    """The control: with every tool taken for one that changes nothing, the same kill repeats an effect."""
    with (
        reverie.open(tmp_path / "reverie.db") as house,
        nursery(tmp_path, pause_s=60.0, careless=True) as workers,
    ):
        (session,) = begun(house, 1)
        say(house, session)
        workers.say("begin")
        wait(lambda: effects(workers.effects), "nothing was done")
        workers.say("kill")
        workers.say("begin")
        wait(lambda: len(effects(workers.effects)) > 1, "nothing was done again")
        assert effects(workers.effects) == [("change", "s0", 0)] * 2
