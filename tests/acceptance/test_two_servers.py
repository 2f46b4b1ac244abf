"""Two served programs on one database: what is done at one is streamed by the other; one is killed, and
its stream goes on at the other where it was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx2

HERE = Path(__file__).parent
PATIENCE = 60.0


@contextmanager
def served(database: str) -> Iterator[tuple[subprocess.Popen[str], anthropic.Anthropic]]:
    command = [sys.executable, str(HERE / "echo_server.py"), database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            yield process, anthropic.Anthropic(api_key="x", base_url=url, timeout=PATIENCE, max_retries=0)
        finally:
            process.kill()


def ids(sdk: anthropic.Anthropic, session_id: str, after: int, until: int) -> Iterator[int]:
    """The ids of a stream's events from behind ``after``, up to ``until``."""
    path = str(sdk.base_url.join(f"/v1/sessions/{session_id}/events/stream"))
    with httpx2.stream("GET", path, headers={"Last-Event-ID": str(after)}, timeout=PATIENCE) as response:
        at, event = after, ""
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            at = int(value) if name == "id" else at
            event = value if name == "event" else event
            if name == "data" and event != "ping":
                yield at
                if at == until:
                    return


def say(sdk: anthropic.Anthropic, session_id: str, text: str) -> None:
    message: Any = {"type": "user.message", "content": [{"type": "text", "text": text}]}
    sdk.beta.sessions.events.send(session_id, events=[message])


def test_a_stream_outlives_its_server(db_url: str) -> None:
    turn = 7  # events of one: see echo_server.py
    with served(db_url) as (first, one), served(db_url) as (_, two):
        agent = one.beta.agents.create(model="scripted:echo", name="a")
        place = one.beta.environments.create(name="e")
        session = one.beta.sessions.create(agent=agent.id, environment_id=place.id).id
        across = ids(two, session, 0, 3 * turn)
        say(one, session, "said at one, heard at two")
        assert [next(across) for _ in range(turn)] == list(range(1, turn + 1))
        here = ids(one, session, 0, 3 * turn)
        assert [next(here) for _ in range(4)] == [1, 2, 3, 4]
        first.kill()
        say(two, session, "one is gone")
        assert [next(across) for _ in range(turn)] == list(range(turn + 1, 2 * turn + 1))
        with served(db_url) as (_, again):
            say(again, session, "and back")
            assert list(ids(again, session, 4, 3 * turn)) == list(range(5, 3 * turn + 1))
            assert list(across) == list(range(2 * turn + 1, 3 * turn + 1))
