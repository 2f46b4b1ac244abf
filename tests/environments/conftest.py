"""A sandbox to be tried, over folders of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from reverie.environments.bubblewrap import Bubblewrap, BubblewrapSandbox
from reverie.plugins import Finished, Limits, Mount, SandboxSpec

PYTHON = "python3"  # as found in a sandbox


@pytest.fixture(scope="session")
def bubblewrap() -> Bubblewrap:
    environment = Bubblewrap()
    obstacle = environment.obstacle()
    if obstacle is not None:
        pytest.skip(f"bubblewrap: {obstacle}")
    return environment


class Hut:
    """A sandbox with a workspace, a memory and read-only uploads. ``run`` runs one command of it to its end."""

    def __init__(self, environment: Bubblewrap, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        for name in ("workspace", "memory", "uploads"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "uploads" / "plan.txt").write_text("the plan")
        self.mounts = [
            Mount(folder / "workspace", "/workspace"),
            Mount(folder / "memory", "/mnt/memory/notes"),
            Mount(folder / "uploads", "/mnt/session/uploads", writable=False),
        ]

    def open(
        self, limits: Limits | None = None, variables: Mapping[str, str] | None = None
    ) -> BubblewrapSandbox:
        spec = SandboxSpec("hut", self.mounts, limits=limits or Limits(), variables=variables or {})
        return self.environment.open(spec)

    def run(self, *argv: str, limits: Limits | None = None, **options: object) -> Finished:
        sandbox = self.open(limits)
        return asyncio.run(sandbox.run(argv, **options))  # type: ignore[arg-type]

    def bash(self, script: str, **options: object) -> Finished:
        return self.run("bash", "-c", script, **options)  # type: ignore[arg-type]

    def python(self, code: str, **options: object) -> Finished:
        return self.run(PYTHON, "-IS", "-c", code, **options)  # type: ignore[arg-type]


@pytest.fixture
def hut(bubblewrap: Bubblewrap, tmp_path: Path) -> Iterator[Hut]:
    return Hut(bubblewrap, tmp_path)


@pytest.fixture
def make_hut(bubblewrap: Bubblewrap) -> Callable[[Path], Hut]:
    return lambda folder: Hut(bubblewrap, folder)
