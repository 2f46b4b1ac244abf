"""What sandboxes of every kind have alike: commands that run until the sandbox is closed, and files."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from reverie.domain.errors import SandboxFailed
from reverie.environments.files import Files
from reverie.plugins import FileFacts, Finished, Mount, Sandbox, SandboxSpec

__all__ = ["Filed", "Held", "true_in"]

T = TypeVar("T")


class Held:
    """The part of a ``Sandbox`` that sees to its commands' end."""

    def __init__(self, spec: SandboxSpec) -> None:
        self._spec = spec
        self._live: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def spec(self) -> SandboxSpec:
        """As it was given."""
        return self._spec

    def _check_open(self) -> None:
        """
        Raises:
            SandboxFailed: it was closed.
        """
        if self._closed:
            raise SandboxFailed("the sandbox is closed", where=self._spec.id)

    async def _held(self, work: Coroutine[Any, Any, T]) -> T:
        """``work``, unless the sandbox is closed meanwhile.

        Raises:
            SandboxFailed: it was.
        """
        running = asyncio.create_task(work)
        self._live.add(running)
        running.add_done_callback(self._live.discard)
        try:
            return await running
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise SandboxFailed("the sandbox was closed", where=self._spec.id) from None

    async def close(self) -> None:
        """Kill what runs: their callers are told by SandboxFailed. Files stay."""
        self._closed = True
        live = list(self._live)
        for running in live:
            running.cancel()
        await asyncio.gather(*live, return_exceptions=True)


class Filed(Held):
    """One whose files are those of its mounts."""

    def __init__(self, spec: SandboxSpec, files: Files) -> None:
        super().__init__(spec)
        self._files = files

    def read(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """See ``Files.read``."""
        return self._files.read(path, offset=offset, limit=limit)

    def write(self, path: str, data: bytes) -> None:
        """See ``Files.write``."""
        self._files.write(path, data)

    def facts(self, path: str) -> FileFacts:
        """See ``Files.facts``."""
        return self._files.facts(path)

    def walk(self, path: str, *, limit: int = 100_000) -> Iterator[FileFacts]:
        """See ``Files.walk``."""
        return self._files.walk(path, limit=limit)

    def delete(self, path: str) -> None:
        """See ``Files.delete``."""
        self._files.delete(path)


def true_in(open: Callable[[SandboxSpec], Sandbox]) -> Finished:
    """What comes of ``true`` in a sandbox; in a thread, for a loop may be running in this one.

    Raises:
        SandboxFailed, OSError: no sandbox can be made.
    """

    async def run() -> Finished:
        with tempfile.TemporaryDirectory(prefix="reverie-try-") as folder:
            sandbox = open(SandboxSpec("try", [Mount(Path(folder), "/workspace")]))
            try:
                return await sandbox.run(["true"], timeout_s=30)
            finally:
                await sandbox.close()

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(lambda: asyncio.run(run())).result()
