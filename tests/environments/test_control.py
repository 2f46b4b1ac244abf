"""Control groups: each command in one of its own, which goes with it."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.environments.conftest import Hut

from reverie.environments.bubblewrap import Bubblewrap
from reverie.environments.control import control_group, obstacle
from reverie.environments.spawning import Group
from reverie.plugins import Limits, SandboxSpec

ROOTS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A group that may be written."""
    root = next((root for root in ROOTS if (root / "cgroup.controllers").exists()), None)
    if root is None or not os.access(root / "cgroup.procs", os.W_OK):
        pytest.skip("no control group may be made here")
    folder = root / f"test-{secrets.token_hex(4)}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no control group may be made here")
    yield folder
    folder.rmdir()


def test_what_is_limited() -> None:
    limits = Limits(memory_bytes=1 << 20, processes=10)
    assert control_group({}, limits) is None
    group = control_group({"REVERIE_CGROUP": "/sys/fs/cgroup/ours"}, limits)
    assert group is not None
    assert group["parent"] == "/sys/fs/cgroup/ours"
    assert group["files"] == {"memory.max": "1048576", "memory.oom.group": "1", "pids.max": "13"}


def test_a_folder_that_cannot_limit_is_an_obstacle(folder: Path, tmp_path: Path) -> None:
    """Here the controllers may be those of version 1: then there is no memory to be had."""
    for given in (tmp_path, tmp_path / "gone"):
        assert "REVERIE_CGROUP" in (obstacle({"REVERIE_CGROUP": str(given)}) or "")
        assert Bubblewrap(variables={"REVERIE_CGROUP": str(given)}).obstacle() is not None
    assert obstacle({}) is None
    (folder / "reverie-left-over").mkdir()
    has_memory = "memory" in (folder / "cgroup.controllers").read_text()
    assert (obstacle({"REVERIE_CGROUP": str(folder)}) is None) == has_memory
    assert not (folder / "reverie-left-over").exists()


def test_a_command_is_in_a_group_of_its_own(hut: Hut, folder: Path) -> None:
    sandbox = hut.environment.open(SandboxSpec("x", hut.mounts))
    sandbox._group = Group(parent=str(folder), files={"cgroup.max.descendants": "0"})
    seen: list[tuple[int, str]] = []

    def on_output(chunk: bytes) -> None:
        (group,) = folder.glob("reverie-*")
        count = len((group / "cgroup.procs").read_text().split())
        seen.append((count, (group / "cgroup.max.descendants").read_text().strip()))
        (hut.folder / "workspace" / "seen").touch()

    waiting = "echo; until [ -e /workspace/seen ]; do sleep 0.05; done"
    finished = asyncio.run(sandbox.run(["bash", "-c", waiting], on_output=on_output))
    assert finished.exit_code == 0
    assert seen[0][0] >= 3
    assert seen[0][1] == "0"
    assert list(folder.glob("reverie-*")) == []


def test_a_group_that_cannot_be_made_fails_with_nothing_run(hut: Hut, tmp_path: Path) -> None:
    from reverie.domain.errors import SandboxFailed

    sandbox = hut.environment.open(SandboxSpec("x", hut.mounts))
    sandbox._group = Group(parent=str(tmp_path / "gone"), files={})
    with pytest.raises(SandboxFailed):
        asyncio.run(sandbox.run(["touch", "ran"]))
    assert not (hut.folder / "workspace" / "ran").exists()
