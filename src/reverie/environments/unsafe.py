"""No sandbox at all: commands run as this process's user, on this machine, for development.

Nothing is held back: a command may read and change whatever you may, and reach every network that you reach.
It is refused unless ``REVERIE_ALLOW_UNSAFE_SANDBOX=1``, and whoever uses it must write ``Unsafe.notice`` into
the session's log. ``/workspace`` is not there: commands run in the real folder behind it; the file methods
know both names, and refuse what leads out of the mounts, which protects against mistakes and nothing else.

A command's process group is killed at its end; what leaves the group (``setsid``) stays. The spec's limits
of memory and network are not kept. Secrets stay placeholders, since no proxy puts them in.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from reverie.domain.errors import SandboxFailed
from reverie.environments.choosing import UNSAFE, UNSAFE_VARIABLE
from reverie.environments.held import Held
from reverie.environments.output import Output
from reverie.environments.placeholders import Placeholders
from reverie.environments.places import inside_path, real_path
from reverie.plugins import FileFacts, Finished, SandboxSpec

__all__ = ["Unsafe", "UnsafeSandbox"]

_PASSED_ON: Final = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER")
"""Of this process's variables: keys of providers are not among them."""
_LAST_WORDS_S: Final = 1.0


class Unsafe:
    """The environment ``unsafe-local``."""

    name = UNSAFE
    reduced = True
    notice = (
        "Commands of this session run without a sandbox, as the user of the server: "
        f"{UNSAFE_VARIABLE}=1 is set, which is for development alone."
    )

    def __init__(self, *, variables: Mapping[str, str] = os.environ) -> None:
        self._variables = variables

    def obstacle(self) -> str | None:
        """That it was not allowed; None where it was."""
        if self._variables.get(UNSAFE_VARIABLE) == "1":
            return None
        return f"running commands without a sandbox is off; for development, {UNSAFE_VARIABLE}=1 allows it"

    def open(self, spec: SandboxSpec) -> UnsafeSandbox:
        """A folder to run commands in.

        Raises:
            SandboxFailed: it was not allowed.
        """
        obstacle = self.obstacle()
        if obstacle is not None:
            raise SandboxFailed(obstacle, where=self.name)
        passed_on = {name: self._variables[name] for name in _PASSED_ON if name in self._variables}
        placeholders = Placeholders(spec.id, spec.secrets).variables
        return UnsafeSandbox(spec, {**passed_on, **placeholders, **spec.variables})


class UnsafeSandbox(Held):
    """A ``Sandbox`` that holds nothing back."""

    def __init__(self, spec: SandboxSpec, variables: Mapping[str, str]) -> None:
        super().__init__(spec)
        self._variables = variables

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
        """See ``Sandbox.run``.

        Raises:
            SandboxFailed: the command cannot be given to the system, or the sandbox was closed.
        """
        self._check_open()
        start = real_path(self._spec, cwd or "")
        told = {**self._variables, "PWD": start, **(variables or {})}
        output = Output(max_output, on_output)
        return await self._held(self._run(list(argv), stdin, start, told, timeout_s, output))

    async def _run(
        self,
        argv: list[str],
        stdin: bytes,
        cwd: str,
        variables: Mapping[str, str],
        timeout_s: float,
        output: Output,
    ) -> Finished:
        pipe, writes = os.pipe()
        try:
            try:
                process = await _started(argv, stdin, writes, cwd, variables)
            finally:
                os.close(writes)
            if process is None:
                return Finished(127, f"{argv[0]}: No such file or directory\n".encode())
            with output.read_from(pipe) as end:
                timed_out = await _ended(process, end, timeout_s)
            code = process.returncode
            return Finished(code if code is not None else -1, output.kept, output.dropped, timed_out)
        finally:
            os.close(pipe)

    # ------------------------------------------------------------------ files

    def read(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """See ``Sandbox.read``."""
        with self._real(path).open("rb") as file:
            file.seek(offset)
            return file.read(-1 if limit is None else limit)

    def write(self, path: str, data: bytes) -> None:
        """See ``Sandbox.write``."""
        real = self._real(path, to_change=True)
        real.parent.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=real.parent, prefix=".reverie-")
        new = Path(name)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            new.chmod(stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o644)
            new.replace(real)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def facts(self, path: str) -> FileFacts:
        """See ``Sandbox.facts``."""
        real = self._real(path)
        return _facts(inside_path(self._spec, str(real)), real)

    def walk(self, path: str, *, limit: int = 100_000) -> Iterator[FileFacts]:
        """See ``Sandbox.walk``."""
        waiting = [self._real(path)]
        waiting = sorted(waiting.pop().iterdir(), reverse=True)
        while waiting and limit > 0:
            real = waiting.pop()
            limit -= 1
            found = _facts(inside_path(self._spec, str(real)), real)
            yield found
            if found.kind == "folder":
                waiting += sorted(real.iterdir(), reverse=True)

    def delete(self, path: str) -> None:
        """See ``Sandbox.delete``."""
        real = self._real(path, to_change=True, follow=False)
        if real.is_dir() and not real.is_symlink():
            shutil.rmtree(real)
        else:
            real.unlink()

    def _real(self, path: str, *, to_change: bool = False, follow: bool = True) -> Path:
        """
        Raises:
            FileNotFoundError: it is in no mount.
            PermissionError: it is in one that is read-only, and to be changed.
        """
        asked = Path(real_path(self._spec, inside_path(self._spec, path)))
        real = asked.resolve() if follow else asked.parent.resolve() / asked.name
        for mount in sorted(self._spec.mounts, key=lambda each: -len(str(each.folder))):
            if real.is_relative_to(mount.folder.resolve()):
                if to_change and not mount.writable:
                    raise PermissionError(f"read-only: {path}")
                return real
        raise FileNotFoundError(path)


async def _started(
    argv: list[str], stdin: bytes, output: int, cwd: str, variables: Mapping[str, str]
) -> asyncio.subprocess.Process | None:
    """The process of a command; None where there is no such program.

    Raises:
        SandboxFailed: no process can be made of it.
    """
    with tempfile.TemporaryFile() as reads:
        reads.write(stdin)
        reads.seek(0)
        try:
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=reads,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=variables,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if error.filename == cwd:
                raise SandboxFailed(f"chdir to {cwd}: {error.strerror}") from None
            return None
        except (OSError, ValueError, IndexError, TypeError) as error:
            raise SandboxFailed(f"the command cannot begin: {error}") from None


async def _ended(process: asyncio.subprocess.Process, end: asyncio.Future[None], timeout_s: float) -> bool:
    """Wait for the end, and bring it about where it does not come; whether it did not. An error of whoever
    reads the output is raised."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({waiting, end}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            end.result()
            await asyncio.wait({waiting}, timeout=timeout_s)
        return not waiting.done()
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await waiting
        await asyncio.wait({end}, timeout=_LAST_WORDS_S)  # longer only if a process has left the group


def _facts(path: str, real: Path) -> FileFacts:
    status = real.lstat()
    kinds: dict[int, Literal["file", "folder", "link"]] = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "folder",
        stat.S_IFLNK: "link",
    }
    return FileFacts(path, kinds.get(stat.S_IFMT(status.st_mode), "other"), status.st_size, status.st_mtime)
