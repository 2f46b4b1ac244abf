"""A sandbox for tests that is a folder of this machine and no wall: paths inside are paths outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from reverie.environments.files import Files
from reverie.plugins import FileFacts, Finished, Mount, SandboxSpec, Surroundings


async def _read(end: int, output: bytearray, most: int, on_output: Callable[[bytes], None] | None) -> int:
    """Read a pipe to its end; what was left out is counted."""
    reader, dropped = asyncio.StreamReader(), 0
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(end, "rb")
    )
    while chunk := await reader.read(65_536):
        if on_output is not None:
            on_output(chunk)
        kept = chunk[: most - len(output)]
        output += kept
        dropped += len(chunk) - len(kept)
    transport.close()
    return dropped


class Room:
    """Implements ``reverie.plugins.Sandbox`` over a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._spec = SandboxSpec(id="room", mounts=(Mount(folder, str(folder)),), home=str(folder))
        self.variables = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
        self.full = False
        self.reads = 0
        self._files = Files(self._spec.mounts, self._spec.home)

    @property
    def spec(self) -> SandboxSpec:
        return self._spec

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        cwd: str | None = None,
        variables: Mapping[str, str] | None = None,
        timeout_s: float = 120.0,
        max_output: int = 1 << 20,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Finished:
        reading_end, writing_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing_end,
                stderr=writing_end,
                cwd=cwd or self.folder,
                env={**self.variables, **(variables or {})},
                start_new_session=True,
            )
        finally:
            os.close(writing_end)
        output, timed_out = bytearray(), False
        reading = asyncio.ensure_future(_read(reading_end, output, max_output, on_output))
        try:
            await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            timed_out = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # background processes end with the command
            dropped = await reading
            code = await process.wait()
        return Finished(code, bytes(output), dropped, timed_out)

    def read(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        self.reads += 1
        return self._files.read(path, offset=offset, limit=limit)

    def write(self, path: str, data: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self._files.write(path, data)

    def facts(self, path: str) -> FileFacts:
        return self._files.facts(path)

    def walk(self, path: str, *, limit: int = 100_000) -> Iterator[FileFacts]:
        return self._files.walk(path, limit=limit)

    def delete(self, path: str) -> None:
        self._files.delete(path)

    async def close(self) -> None:
        pass


def surroundings(room: Room, **fields: object) -> Surroundings:
    told: dict[str, object] = {
        "sandbox": room, "session_id": "sesn_1", "thread": "", "config": {}, "state": {}, **fields
    }  # fmt: skip
    return Surroundings(**told)  # type: ignore[arg-type]
