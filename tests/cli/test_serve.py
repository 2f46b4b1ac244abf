"""``reverie serve``: what it says, what it refuses, and how it stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.cli.conftest import Cli

from reverie.server.listening import listen


@contextmanager
def serving(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The real program on a free port; the process and its URL."""
    command = [sys.executable, "-m", "reverie", "serve", "--port", "0", "--db", str(home / "r.db"), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "COLUMNS": "200"}, **pipes) as process:  # type: ignore[call-overload]
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), process.stderr.read()
            yield process, url
        finally:
            process.kill()


def test_it_says_where_it_listens_answers_and_stops_when_told(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url), httpx2.Client(base_url=url) as http:
        assert http.get("/health").json()["status"] == "ok"
        assert http.get("/v1/agents").json() == {"data": [], "next_page": None}
        process.send_signal(signal.SIGTERM)  # while a connection is open
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "SQLite" in said and str(tmp_path) in said
    assert "none yet: programs on this machine may do everything" in said
    assert f'anthropic.Anthropic(base_url="{url}"' in said
    assert said.rstrip().endswith("stopped")
    assert "Traceback" not in said


def test_open_streams_end_when_it_stops(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url), httpx2.Client(base_url=url) as http:
        agent = http.post("/v1/agents", json={"name": "a", "model": "scripted:x"}).json()["id"]
        place = http.post("/v1/environments", json={"name": "e"}).json()["id"]
        made = http.post("/v1/sessions", json={"agent": agent, "environment_id": place}).json()["id"]
        hello = {"type": "user.message", "content": [{"type": "text", "text": "hello"}]}
        http.post(f"/v1/sessions/{made}/events", json={"events": [hello]})
        with http.stream(
            "GET", f"/v1/sessions/{made}/events/stream", headers={"last-event-id": "0"}
        ) as answer:
            lines = answer.iter_lines()
            assert any(line.startswith("id: ") for line in lines)
            process.send_signal(signal.SIGTERM)
            list(lines)  # to its end, which comes, and is an end and no break
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_ctrl_c_is_a_stop_and_no_error(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in said


def test_a_port_that_is_taken_is_one_clear_error(cli: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = cli("serve", "--port", str(port), code=4).stderr
    assert f"port {port} on 127.0.0.1 is taken" in said and "next:" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "reverie.invalid"])
def test_beyond_loopback_it_wants_a_key_first(cli: Cli, host: str) -> None:
    said = cli("serve", "--host", host, code=4).stderr
    assert "there is no API key yet" in said and "reverie keys create" in said


def test_a_public_name_wants_a_key_first(cli: Cli) -> None:
    assert "be called reverie.example" in cli("serve", "--allow-host", "reverie.example", code=4).stderr


@pytest.mark.parametrize("host", ["reverie.invalid", "192.0.2.1", "x" * 300])
def test_an_address_that_is_not_ours_is_one_clear_error(cli: Cli, host: str) -> None:
    cli("keys", "create", "for the server")
    said = cli("serve", "--host", host, code=4).stderr
    assert host[:100] in said and "--host 127.0.0.1" in said


def test_any_free_port_of_either_family() -> None:
    with listen("127.0.0.1", 0) as four:
        assert four.getsockname()[1] > 0
