"""``reverie worker``: the real program, on each kind of database, with the real loop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.jobs.work import HELLO, house_of

from reverie.app import Reverie
from reverie.storage.database import Database

MODEL = f"scripted:{Path(__file__).with_name('models.py')}:greet"


def begun(house: Reverie) -> str:
    agent = house.agents.create({"name": "a", "model": {"id": MODEL}}).id
    place = house.environments.create({"name": "e", "config": {"type": "cloud"}}).id
    id = house.sessions.create({"agent": agent, "environment_id": place}).row.id
    house.sessions.send(id, HELLO)
    return id


def test_a_worker_answers_what_was_left_and_what_comes(db_url: str, tmp_path: Path) -> None:
    with Database.open(db_url) as db:
        house = house_of(db)
        ids = [begun(house)]  # before there is a worker
        command = [sys.executable, "-m", "reverie", "worker", "--db", db_url, "--sessions", "2"]
        env = {**os.environ, "REVERIE_HOME": str(tmp_path), "REVERIE_MODELS": MODEL}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as program:
            try:
                _until_answered(house, ids[0])
                ids.append(begun(house))  # nobody wakes it: the worker looks by itself
                _until_answered(house, ids[1])
            finally:
                program.send_signal(signal.SIGTERM)
                _, said = program.communicate(timeout=30)
        assert program.returncode == 0, said
    lines = [json.loads(line) for line in said.splitlines()]
    done = [line["session_id"] for line in lines if line.get("how") == "done"]
    assert set(ids) <= set(done)
    assert lines[-1]["logger"] == "reverie.worker"


def _until_answered(house: Reverie, id: str) -> None:
    deadline = time.monotonic() + 30
    while "agent.message" not in {event.type for event in house.log.events(id)}:
        assert time.monotonic() < deadline, [event.type for event in house.log.events(id)]
        time.sleep(0.05)
