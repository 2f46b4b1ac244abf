"""kill -9 of the server while it dreams and delivers: what was asked for is done by the next one, once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.transcripts import write_sessions

import reverie

PATIENCE = 120.0


class Server:
    """The real program, as often as it is started."""

    def __init__(self, home: Path) -> None:
        self.db = home / "reverie.db"
        self._process: subprocess.Popen[str] | None = None
        self.http = httpx2.Client()

    def start(self) -> None:
        command = [sys.executable, "-m", "reverie", "serve", "--port", "0", "--allow-address", "127.0.0.1"]
        command += ["--creates-per-minute", "0", "--reads-per-minute", "0"]
        env = {**os.environ, "REVERIE_DB": str(self.db), "COLUMNS": "200"}
        self._process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        self.http.close()
        self.http = httpx2.Client(base_url=url, timeout=30)

    def kill(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def post(self, path: str, body: Any) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    running.start()
    yield running
    running.kill()
    running.http.close()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_dream_that_was_killed_three_times_is_dreamed_once(server: Server, tmp_path: Path) -> None:
    files = [("file", (p.name, p.read_bytes())) for p in write_sessions(tmp_path / "transcripts", 80)]
    report = server.http.post("/v1/imports", files=files).json()
    sessions = [id for file in report["files"] for id in file["session_ids"]]
    store = server.post("/v1/memory_stores", {"name": "desk"})["id"]
    inputs = [
        {"type": "memory_store", "memory_store_id": store},
        {"type": "sessions", "session_ids": sessions},
    ]
    asked = server.post("/v1/dreams", {"inputs": inputs, "model": "any"})["id"]
    chance = random.Random(4)
    for _ in range(3):
        time.sleep(chance.uniform(0.2, 1.5))
        server.kill()
        server.start()
    until(lambda: server.http.get(f"/v1/dreams/{asked}").json()["status"] not in ("pending", "running"))
    done = server.http.get(f"/v1/dreams/{asked}").json()
    assert done["status"] == "completed", done["error"]
    (output,) = done["outputs"]
    stores = server.http.get("/v1/memory_stores").json()["data"]
    assert {each["id"] for each in stores} == {store, output["memory_store_id"]}
    made = next(each for each in stores if each["id"] != store)
    assert made["memory_count"] == done["proposals_applied"] > 0
    assert server.http.get("/v1/dreams").json()["data"] == [done]
    with reverie.open(server.db) as house:
        assert house.verify().problem is None


class Ear(BaseHTTPRequestHandler):
    """A receiver of webhooks."""

    heard: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.heard.append(json.loads(body)["data"]["id"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@pytest.mark.slow
def test_every_notice_of_an_acknowledged_change_arrives(server: Server) -> None:
    ear = type("OneEar", (Ear,), {"heard": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), ear) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_port}/"
        server.post("/v1/organizations/webhooks", {"url": url, "enabled_events": ["memory_store.created"]})
        chance = random.Random(6)
        acknowledged: list[str] = []
        for _ in range(10):
            for number in range(chance.randint(3, 12)):
                acknowledged.append(server.post("/v1/memory_stores", {"name": f"store {number}"})["id"])
            time.sleep(chance.uniform(0, 0.3))
            server.kill()
            server.start()
        until(lambda: set(acknowledged) <= set(ear.heard))  # type: ignore[attr-defined]
        receiver.shutdown()
