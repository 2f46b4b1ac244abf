"""kill -9 of the server under appends and streams: what was acknowledged is there, and a stream that resumes
has no gap and no repeat."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

WRITERS, READERS = 3, 2
PATIENCE = 60.0


class Server:
    """The real program on one port, as often as it is started."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        command = [sys.executable, "-m", "reverie", "serve", "--port", self._port]
        env = {**os.environ, "REVERIE_DB": str(self._home / "reverie.db"), "COLUMNS": "200"}
        self._process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._port = self.url.rpartition(":")[2]

    def kill(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Crowd:
    """Writers and readers that go on whatever happens to the server, and remember what they were told."""

    def __init__(self, server: Server, sessions: list[str]) -> None:
        self.server = server
        self.acknowledged: dict[str, list[str]] = {session: [] for session in sessions}
        self.read: dict[tuple[str, int], list[tuple[int, str]]] = {
            (session, reader): [] for session in sessions for reader in range(READERS)
        }
        self.resumed = 0
        self.problems: list[str] = []
        self._stop, self._last = threading.Event(), threading.Event()
        self._writers = [threading.Thread(target=self._write, args=(session,)) for session in sessions]
        self._readers = [threading.Thread(target=self._follow, args=key) for key in self.read]

    def begin(self) -> None:
        for thread in (*self._writers, *self._readers):
            thread.start()

    def end(self, lasts: Any) -> None:
        """Stop writing, wait until every reader has the last event, and stop reading."""
        self._stop.set()
        for thread in self._writers:
            thread.join(PATIENCE)
        ends = lasts()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if all(rows and rows[-1][1] == ends[session] for (session, _), rows in self.read.items()):
                break
            time.sleep(0.05)
        self._last.set()
        self.server.kill()  # cuts the streams, so that the readers look up
        for thread in self._readers:
            thread.join(PATIENCE)

    def _write(self, session: str) -> None:
        number = 0
        with httpx2.Client(timeout=10) as http:
            while not self._stop.is_set():
                number += 1
                body = {
                    "events": [{"type": "user.message", "content": [{"type": "text", "text": str(number)}]}]
                }
                try:
                    answer = http.post(f"{self.server.url}/v1/sessions/{session}/events", json=body)
                except httpx2.HTTPError:
                    time.sleep(0.1)
                    continue
                if answer.status_code != 200:
                    self.problems.append(f"{answer.status_code} {answer.text}")
                    return
                self.acknowledged[session] += [event["id"] for event in answer.json()["data"]]
                time.sleep(0.002)

    def _follow(self, session: str, reader: int) -> None:
        rows = self.read[session, reader]
        with httpx2.Client(timeout=30) as http:
            while not self._last.is_set():
                try:
                    self._stream(http, session, rows)
                except httpx2.HTTPError:
                    time.sleep(0.1)

    def _stream(self, http: httpx2.Client, session: str, rows: list[tuple[int, str]]) -> None:
        headers = {"last-event-id": str(rows[-1][0]) if rows else "0"}
        where = f"{self.server.url}/v1/sessions/{session}/events/stream"
        with http.stream("GET", where, headers=headers) as answer:
            if answer.status_code != 200:
                self.problems.append(f"{answer.status_code} {answer.read().decode()}")
                self._last.set()
                return
            self.resumed += bool(rows)
            self._take(answer, rows)

    def _take(self, answer: httpx2.Response, rows: list[tuple[int, str]]) -> None:
        place: int | None = None
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                place = int(value)
            elif name == "data" and place is not None and (event := json.loads(value)).get("id"):
                rows.append((place, event["id"]))


def _log(http: httpx2.Client, session: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    page: str | None = ""
    while page is not None:
        query = {"limit": 1000, **({"page": page} if page else {})}
        answer = http.get(f"/v1/sessions/{session}/events", params=query).json()
        told += answer["data"]
        page = answer["next_page"]
    return told


def _run(home: Path, kills: int) -> None:
    dice, server = random.Random(11), Server(home)
    server.start()
    with httpx2.Client(base_url=server.url) as http:
        agent = http.post("/v1/agents", json={"name": "a", "model": "scripted:x"}).json()["id"]
        place = http.post("/v1/environments", json={"name": "e"}).json()["id"]
        said = {"agent": agent, "environment_id": place}
        sessions = [http.post("/v1/sessions", json=said).json()["id"] for _ in range(WRITERS)]
    crowd = Crowd(server, sessions)
    crowd.begin()
    for _ in range(kills):
        time.sleep(0.2 + 0.6 * dice.random())
        server.kill()
        server.start()
    logs: dict[str, list[str]] = {}

    def lasts() -> dict[str, str]:
        with httpx2.Client(base_url=server.url, timeout=30) as http:
            for session in sessions:
                logs[session] = [event["id"] for event in _log(http, session) if event.get("processed_at")]
        return {session: log[-1] for session, log in logs.items()}

    time.sleep(0.5)
    crowd.end(lasts)
    assert crowd.problems == []
    for session in sessions:
        kept = set(logs[session])
        assert len(crowd.acknowledged[session]) >= kills
        assert [event for event in crowd.acknowledged[session] if event not in kept] == []
        for reader in range(READERS):
            rows = crowd.read[session, reader]
            assert [event for _, event in rows] == logs[session]
            assert [place for place, _ in rows] == sorted({place for place, _ in rows})
    assert crowd.resumed >= kills


def test_nothing_acknowledged_is_lost_and_no_stream_has_a_gap(tmp_path: Path) -> None:
    _run(tmp_path, 5)


@pytest.mark.slow
def test_fifty_times(tmp_path: Path) -> None:
    _run(tmp_path, 50)
