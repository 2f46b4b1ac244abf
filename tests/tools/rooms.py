"""A sandbox for tests that is a folder of this machine and no wall: paths inside are paths outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

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

    def path(self, path: str) -> Path:
        if "\0" in path:
            raise ValueError("embedded null byte")
        found = Path(os.path.normpath(self.folder / path))
        if found != self.folder and self.folder not in found.parents:
            raise FileNotFoundError(2, "No such file or directory", path)
        if self.folder.resolve() not in (found.resolve(), *found.resolve().parents):
            raise FileNotFoundError(2, "No such file or directory", path)
        return found

    def read(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        with self.path(path).open("rb") as file:
            file.seek(offset)
            return file.read(-1 if limit is None else limit)

    def write(self, path: str, data: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def facts(self, path: str) -> FileFacts:
        found = self.path(path)
        return self._facts(found, found.lstat())

    @staticmethod
    def _facts(path: Path, status: os.stat_result) -> FileFacts:
        kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link"))
        kind = next((name for test, name in kinds if test(status.st_mode)), "other")
        return FileFacts(str(path), kind, status.st_size, status.st_mtime)  # type: ignore[arg-type]

    def walk(self, path: str, *, limit: int = 100_000) -> Iterator[FileFacts]:
        count = 0
        for folder, folders, files in os.walk(self.path(path)):
            folders.sort()
            for name in sorted(folders + files):
                if count >= limit:
                    return
                count += 1
                found = Path(folder) / name
                yield self._facts(found, found.lstat())

    def delete(self, path: str) -> None:
        self.path(path).unlink()

    async def close(self) -> None:
        pass


def surroundings(room: Room, **fields: object) -> Surroundings:
    told: dict[str, object] = {
        "sandbox": room, "session_id": "sesn_1", "thread": "", "config": {}, "state": {}, **fields
    }  # fmt: skip
    return Surroundings(**told)  # type: ignore[arg-type]
