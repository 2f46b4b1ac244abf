"""Sandboxes made by bubblewrap: namespaces of their own, a filter of system calls, limits, no network.

See ``docs/explanation/sandbox.md`` for what holds and what does not.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from reverie.domain.errors import ReverieError, SandboxFailed
from reverie.environments import beneath, control, seccomp
from reverie.environments.doorway import PORT
from reverie.environments.egress import Egress
from reverie.environments.files import Files
from reverie.environments.held import Filed, true_in
from reverie.environments.limits import resource_limits
from reverie.environments.output import Output
from reverie.environments.ownership import give, sandbox_user
from reverie.environments.room import options
from reverie.environments.spawner import Ended, Spawner
from reverie.environments.spawning import Group, Order
from reverie.plugins import Finished, SandboxSpec

__all__ = ["Bubblewrap", "BubblewrapSandbox"]

_NOT_FOUND: Final = b"bwrap: execvp "
_NEEDED: Final = ("--args", "--block-fd", "--json-status-fd", "--seccomp", "--size", "--sync-fd")
_SWITCHES: Final = (
    ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "give bwrap an AppArmor profile with `userns,` (Ubuntu: apt install apparmor-profiles, "
        "and copy bwrap-userns-restrict to /etc/apparmor.d)",
    ),
)


class Bubblewrap:
    """The environment ``bubblewrap``.

    A server that is root gives up being it for each sandbox: its folders and processes belong to the user
    ``$REVERIE_SANDBOX_UID`` (65534 where it is not set), since root is held to no limit of processes.

    Args:
        program: Where ``bwrap`` is; looked for in the system's folders where None.
        variables: For settings.
        egress: What makes the way out of a sandbox whose spec has one.
    """

    name = "bubblewrap"

    def __init__(
        self,
        program: str | None = None,
        *,
        variables: Mapping[str, str] = os.environ,
        egress: Callable[[SandboxSpec], Egress] = Egress,
    ) -> None:
        self._program = program or shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin") or "bwrap"
        self._variables = variables
        self._egress = egress
        self._spawner = Spawner()
        self._lock = threading.Lock()
        self._found: list[str | None] = []
        self._nested = False

    def obstacle(self) -> str | None:
        """Why it cannot be used here, and what to do; found out once, by running ``true`` in a sandbox."""
        with self._lock:
            if not self._found:
                self._found.append(self._look())
            return self._found[0]

    def open(self, spec: SandboxSpec) -> BubblewrapSandbox:
        """A sandbox. Where the server is root, the folders that may be written are given to the sandbox's
        user, with all that is root's in them.

        Raises:
            SandboxFailed: there is an obstacle, or the spec's mounts make no sense.
        """
        obstacle = self.obstacle()
        if obstacle is not None:
            raise SandboxFailed(obstacle, where=self.name)
        return self._open(spec)

    def _open(self, spec: SandboxSpec) -> BubblewrapSandbox:
        owner = sandbox_user(self._variables)
        files = Files(spec.mounts, spec.home, owner)
        if owner is not None:
            for mount in spec.mounts:
                if mount.writable:
                    give(mount.folder, *owner)
        return BubblewrapSandbox(
            spec,
            files,
            self._spawner,
            self._egress(spec),
            program=self._program,
            owner=owner,
            nested=self._nested,
            group=control.control_group(self._variables, spec.limits),
        )

    def _look(self) -> str | None:
        if sys.platform != "linux":
            return "bubblewrap is for Linux alone"
        try:
            usage = subprocess.run(  # noqa: S603  (no shell)
                [self._program, "--help"], capture_output=True, text=True, check=False
            )
        except OSError:
            return "bubblewrap is not installed (apt install bubblewrap)"
        missing = [option for option in _NEEDED if option not in usage.stdout]
        if missing:
            return f"bubblewrap is too old: it has no {missing[0]} (0.8 has all that is needed)"
        self._nested = "--disable-userns" in usage.stdout
        return seccomp.obstacle() or beneath.obstacle() or control.obstacle(self._variables) or self._try()

    def _try(self) -> str | None:
        """Run ``true``."""
        try:
            finished = true_in(self._open)
        except (ReverieError, OSError) as error:
            return _explained(str(error))
        return None if finished.exit_code == 0 else f"`true` ended with {finished.exit_code} in a sandbox"


class BubblewrapSandbox(Filed):
    """A ``Sandbox``; see there. Each command is a sandbox of its own over the same folders: what a command
    leaves in ``/tmp`` and ``$HOME`` is gone with it, unless the spec mounts folders there.

    A command that is not there ends with 127. One that ends with 129 to 159 is taken, as by shells, for one
    that a signal ended.
    """

    def __init__(
        self,
        spec: SandboxSpec,
        files: Files,
        spawner: Spawner,
        egress: Egress,
        *,
        program: str,
        owner: tuple[int, int] | None,
        nested: bool,
        group: Group | None,
    ) -> None:
        super().__init__(spec, files)
        self._spawner = spawner
        self._egress = egress
        self._program = program
        self._owner = owner
        self._nested = nested
        self._group = group

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
        """See ``Sandbox.run``. ``on_output`` is told all that is written, and runs on the event loop.

        Raises:
            SandboxFailed: the sandbox could not be made (a ``cwd`` that is not there, too), or was closed.
        """
        self._check_open()
        output = Output(max_output, on_output)
        order = self._order(argv, cwd, variables or {})
        ended = await self._held(
            self._spawner.run(
                order,
                seccomp.program(sockets="all"),
                stdin=stdin,
                output=output,
                timeout_s=timeout_s,
                listening=self._egress.at if self._egress.wanted else None,
            )
        )
        return _finished(ended, output)

    def _order(self, argv: Sequence[str], cwd: str | None, variables: Mapping[str, str]) -> Order:
        spec = self._egress.spec
        for name, text in {**variables, "argv": "".join(argv)}.items():
            if not argv or not name or "=" in name or "\0" in name + text:
                raise SandboxFailed(f"no program can be given this: {name!r}", where=self._spec.id)
        return Order(
            program=self._program,
            options=options(
                spec,
                posixpath.normpath(posixpath.join(spec.home, cwd or ".")),
                variables,
                nested=self._nested,
            ),
            command=list(argv),
            folders=[str(mount.folder.absolute()) for mount in spec.mounts],
            owner=self._owner,
            limits=resource_limits(spec.limits),
            door=PORT if self._egress.wanted else None,
            group=self._group,
        )

    async def close(self) -> None:
        """As ``Held.close``; and nothing goes out any more."""
        await super().close()
        await self._egress.aclose()


def _finished(ended: Ended, output: Output) -> Finished:
    """
    Raises:
        SandboxFailed: there was no sandbox.
    """
    if ended.failed is not None:
        raise SandboxFailed(ended.failed)
    code, text = ended.code, output.kept
    if code is None and (ended.timed_out or (ended.bwrap is not None and ended.bwrap < 0)):
        code = -signal.SIGKILL
    if code is None and text.startswith(_NOT_FOUND):
        code, text = 127, text.removeprefix(_NOT_FOUND)
    if code is None:
        raise SandboxFailed(text.decode(errors="replace").strip() or f"bwrap ended with {ended.bwrap}")
    code = 128 - code if 128 < code < 160 else code
    return Finished(code, text, output.dropped, ended.timed_out)


def _explained(problem: str) -> str:
    """With the switch of this machine that is probably the cause."""
    for name, value, remedy in _SWITCHES:
        with suppress(OSError):
            if Path("/proc/sys", name).read_text().strip() == value:
                return f"{problem}; {name.replace('/', '.')} is {value} here: {remedy}"
    return problem
