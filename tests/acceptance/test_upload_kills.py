"""kill -9 in the middle of an upload: what was acknowledged is whole, of the rest there is nothing to see."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.storage.database import Database

UPLOADER = Path(__file__).parent / "uploader.py"


def killed_in_the_middle(url: str) -> set[str]:
    """The ids of the files that an uploader acknowledged before it was killed in its second one."""
    with subprocess.Popen([sys.executable, UPLOADER, url], stdout=subprocess.PIPE, text=True) as uploader:
        assert uploader.stdout is not None
        told: list[str] = []
        while told.count("half") < 2:
            told.append(uploader.stdout.readline().strip())
            assert told[-1], "the uploader ended by itself"
        os.kill(uploader.pid, signal.SIGKILL)
        told += uploader.stdout.read().split()
    return {line for line in told if line != "half"}


@pytest.mark.parametrize("engine", ENGINES)
def test_kill_9_leaves_no_half_a_file(engine: str, request: pytest.FixtureRequest) -> None:
    url: str = request.getfixturevalue(f"{engine}_url")
    acknowledged = killed_in_the_middle(url)
    with Reverie(Database.open(url)) as house:
        seen = house.files.list(limit=100)
        assert acknowledged <= {file.id for file in seen}
        for file in seen:
            _, chunks = house.files.read(file.id)
            assert sum(map(len, chunks)) == file.body["size_bytes"] == 32 << 20
        left = {file.id for file in house.resources.list("file")} - {file.id for file in seen}
        assert len(left) == 1
    later = datetime.now(UTC) + timedelta(hours=2)
    with Reverie(Database.open(url), clock=lambda: later) as house:
        house.files.store(io.BytesIO(b"y"), filename="b")
        assert not left & {file.id for file in house.resources.list("file")}
