"""kill -9 of ``reverie dream --model …`` while its author is at work: begun again it goes on in the same session, asks for
no answer that was recorded, and comes to the very same proposals."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.dream_model import PAUSE_S, asked
from tests.transcripts import write_sessions

import reverie
from reverie.dreaming.authors import DREAMER
from reverie.storage.events import read

MODEL = "scripted:tests.acceptance.dream_model:slow"
PATIENCE = 120.0


class House:
    """A database of its own, and the real program over it."""

    def __init__(self, folder: Path) -> None:
        self.db, self.requests = folder / "reverie.db", folder / "requests"
        with reverie.open(self.db) as rv:
            rv.import_paths(*write_sessions(folder / "transcripts"))

    def dream(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "reverie", "dream", "--model", MODEL, "--json", "--db", str(self.db)]
        env = {**os.environ, "REQUESTS": str(self.requests)}
        return subprocess.Popen(
            command,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def dreamed(self) -> dict[str, Any]:
        process = self.dream()
        said, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        return json.loads(said)

    def recorded(self) -> int:
        """How many answers of the model are in the log. It was written in one session, if any."""
        with reverie.open(self.db) as rv:
            written = [each.id for each in rv.log.sessions() if each.info.agent == DREAMER]
            assert len(written) <= 1
            events = [read(link) for id in written for link in rv.live.log_after(id, 0, 10_000)]
        return sum(e.type == "span.model_request_end" and not e.payload.get("is_error") for e in events)

    def kill_in_the_middle(self, chance: random.Random) -> bool:
        """Whether it was killed before its end: it is, a while after its author has asked for something."""
        process, wanted = self.dream(), len(asked(self.requests)) + chance.randint(1, 4)
        until = time.monotonic() + PATIENCE
        while process.poll() is None and len(asked(self.requests)) < wanted:
            assert time.monotonic() < until
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 2 * PAUSE_S))
        process.kill()
        process.communicate()
        return process.returncode != 0


def survives(folder: Path, kills: int, seed: int) -> None:
    """Kill it so often, unless it was faster; then let it finish."""
    chance, house = random.Random(seed), House(folder)
    for _ in range(kills):
        known, before = house.recorded(), len(asked(house.requests))
        killed = house.kill_in_the_middle(chance)
        assert all(request >= known for request in asked(house.requests)[before:])
        if not killed:
            break
    known, before = house.recorded(), len(asked(house.requests))
    told = house.dreamed()
    requests = asked(house.requests)
    assert all(request >= known for request in requests[before:])
    assert sorted(set(requests)) == list(range(house.recorded()))  # none left out, none without its answer
    dream = told["dream"]
    assert dream["writing"]["fell_back"] is None and dream["status"] == "completed"
    with reverie.open(house.db) as rv:
        assert len(rv.dreams()) == 1 and rv.verify().problem is None

    (folder / "whole").mkdir()
    whole = House(folder / "whole")
    assert _proposed(whole.dreamed()) == _proposed(told)


def _proposed(told: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(each["path"], each["content"]) for each in told["proposals"]]
    assert found
    return [
        (path, "\n".join(line for line in text.splitlines() if "dream:" not in line)) for path, text in found
    ]


def test_a_dream_killed_while_a_model_writes_it_pays_for_no_answer_twice(tmp_path: Path) -> None:
    survives(tmp_path, kills=3, seed=8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_many_kills(tmp_path: Path, seed: int) -> None:
    survives(tmp_path, kills=12, seed=seed)
