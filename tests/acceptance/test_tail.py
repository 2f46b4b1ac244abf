"""`reverie sessions tail` follows a session that another process works on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import reverie

ECHO = f"scripted:{Path(__file__).parents[1] / 'cli' / 'models.py'}:echo"


def test_what_another_process_does_shows_as_it_happens(tmp_path: Path) -> None:
    db = tmp_path / "r.db"
    with reverie.open(db) as house:
        agent = reverie.Agent(model=ECHO)
        session = agent.run_sync("one", reverie=house)
        before = len(session.events)
        command = [sys.executable, "-m", "reverie", "sessions", "tail", session.id, "--json", "--db", str(db)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stderr is not None
            try:
                shown = [json.loads(process.stdout.readline()) for _ in range(before)]
                asyncio.run(session.send("two"))
                shown += [json.loads(process.stdout.readline()) for _ in session.events[before:]]
                house.sessions.delete(session.id, actor="test")
                assert process.wait(timeout=60) == 0
                assert "the session was deleted" in process.stderr.read()
            finally:
                process.kill()
    assert [event["id"] for event in shown] == [event.id for event in session.events]
    assert [event["seq"] for event in shown] == list(range(1, len(shown) + 1))
