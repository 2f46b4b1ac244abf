"""The vendor's TypeScript client against the served program: compiled strictly, run by Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TURN = [
    "session.status_running", "user.message", "span.model_request_start", "agent.message",
    "span.model_request_end", "session.usage", "session.status_idle",
]  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, str(HERE / "echo_server.py"), str(tmp_path / "reverie.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's project, its packages installed from npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("the TypeScript client needs Node and npm")
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "tsconfig.json", "client.ts"):
        shutil.copy(HERE / "typescript" / name, folder)
    cache = {**os.environ, "npm_config_cache": str(folder / "cache"), "npm_config_update_notifier": "false"}
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=1"]
    try:
        done = subprocess.run(
            install, cwd=folder, env=cache, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the TypeScript client needs npm, which cannot install it here: it takes too long")
    if done.returncode:
        pytest.skip(f"the TypeScript client needs npm, which cannot install it here: {done.stderr[-200:]}")
    return folder


def test_a_typescript_client_runs_a_session(project: Path, url: str) -> None:
    compiled = _run(project, str(project / "node_modules" / ".bin" / "tsc"))
    assert compiled.returncode == 0, compiled.stdout
    done = _run(project, "node", "built/client.js", url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "agent": "clerk",
        "archived": "terminated",
        "listed": TURN,
        "said": "¡hola!",
        "status": "idle",
        "streamed": TURN,
        "threads": ["idle"],
        "tokens": 9,
    }


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
