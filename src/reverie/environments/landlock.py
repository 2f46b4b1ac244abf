"""Sandboxes held by Landlock, for machines on which ``bwrap`` is missing or may not make namespaces.

Where this process may make namespaces itself, a command runs in a room of the same plan as bubblewrap's,
built by hand, with Landlock around it besides. Where it may not, Landlock and a filter of system calls are
all there is, and the isolation is less:

- Commands see the machine's own files under ``/usr`` and a few others, and the names and sizes (not the
  contents) of all that their user may look up. ``/workspace`` is not there: commands run in the real folder
  behind it. The file methods know both names.
- There is no network, not even a way out through the proxy, and no unix socket (their paths are not
  Landlock's business: one of them might be a container engine's): only pairs of connected ones.
- A keeper ends whatever descends from a command. Should somebody kill both it and its parent in one moment,
  what runs then stays.
- Limits hold for each process; that of processes counts what the same user runs elsewhere.

Either way it is for one tenant: ``reduced``.

Anchors: landlock(7), pivot_root(2), user_namespaces(7).
"""

from __future__ import annotations

import os
import posixpath
import shutil
import signal
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from reverie.domain.errors import ReverieError, SandboxFailed
from reverie.environments import beneath, landlocking, seccomp
from reverie.environments.doorway import PORT
from reverie.environments.egress import Egress
from reverie.environments.files import Files
from reverie.environments.held import Filed, true_in
from reverie.environments.limits import resource_limits
from reverie.environments.output import Output
from reverie.environments.ownership import give, sandbox_user
from reverie.environments.places import inside_path, real_path
from reverie.environments.room import ETC, HOME, MERGED, VARIABLES, options
from reverie.environments.spawner import Spawner
from reverie.plugins import FileFacts, Finished, SandboxSpec

__all__ = ["Landlocked", "LandlockedSandbox"]

_LEAST: Final = 4
_LEAST_BARE: Final = 6
"""The version from which on signals and abstract sockets have a scope."""
_READABLE: Final = (
    *("/usr", *MERGED, *ETC, "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd"),
    *(f"/proc/{name}" for name in ("cpuinfo", "filesystems", "meminfo", "stat", "version")),
)
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class Landlocked:
    """The environment ``landlock``.

    A server that is root gives up being it for each sandbox, as with bubblewrap.

    Args:
        rooms: Whether commands live in namespaces; found out by trying where None.
        variables: For settings.
        egress: What makes the way out of a sandbox whose spec has one.
    """

    name = "landlock"
    reduced = True
    """Not for tenants who do not trust each other."""

    def __init__(
        self,
        *,
        rooms: bool | None = None,
        variables: Mapping[str, str] = os.environ,
        egress: Callable[[SandboxSpec], Egress] = Egress,
    ) -> None:
        self._rooms = rooms
        self._variables = variables
        self._egress = egress
        self._spawner = Spawner(landlocking.__file__)
        self._lock = threading.Lock()
        self._found: list[str | None] = []

    def obstacle(self) -> str | None:
        """Why it cannot be used here, and what to do; found out once, by running ``true`` in a sandbox."""
        with self._lock:
            if not self._found:
                self._found.append(self._look())
            return self._found[0]

    def open(self, spec: SandboxSpec) -> LandlockedSandbox:
        """A sandbox. Where the server is root, the folders that may be written are given to the sandbox's
        user, with all that is root's in them.

        Raises:
            SandboxFailed: there is an obstacle, the spec's mounts make no sense, or it wants a way out and
                this machine allows none.
        """
        obstacle = self.obstacle()
        if obstacle is not None:
            raise SandboxFailed(obstacle, where=self.name)
        if not self._rooms and (spec.network.everything or spec.network.hosts):
            raise SandboxFailed(
                "this machine allows no namespaces, and without them there is no way out to allowed hosts",
                where=self.name,
                hint="let this user make namespaces, install bubblewrap, or allow no hosts",
            )
        return self._open(spec)

    def _open(self, spec: SandboxSpec) -> LandlockedSandbox:
        owner = sandbox_user(self._variables)
        files = Files(spec.mounts, spec.home, owner)
        if owner is not None:
            for mount in spec.mounts:
                if mount.writable:
                    give(mount.folder, *owner)
        make = LandlockedSandbox if self._rooms else _BareSandbox
        return make(spec, files, self._spawner, self._egress(spec), owner)

    def _look(self) -> str | None:
        if sys.platform != "linux":
            return "Landlock is for Linux alone"
        abi = landlocking.landlock_abi()
        if abi < _LEAST:
            return f"Landlock is missing or too old (version {abi}; Linux 6.7 has {_LEAST})"
        found = seccomp.obstacle() or beneath.obstacle()
        if found is not None or self._rooms is not None:
            return found or self._try()
        self._rooms = True
        no_rooms = self._try()
        return None if no_rooms is None else self._look_without_rooms(abi, no_rooms)

    def _look_without_rooms(self, abi: int, no_rooms: str) -> str | None:
        self._rooms = False
        if not Path("/proc/thread-self/children").exists():
            return f"{no_rooms}; and without namespaces the kernel must list children (CONFIG_PROC_CHILDREN)"
        if abi < _LEAST_BARE:
            return (
                f"{no_rooms}; and without namespaces Landlock is too old (version {abi}, not {_LEAST_BARE})"
            )
        return self._try()

    def _try(self) -> str | None:
        """Run ``true``."""
        try:
            finished = true_in(self._open)
        except (ReverieError, OSError) as error:
            return str(error)
        return None if finished.exit_code == 0 else f"`true` ended with {finished.exit_code} in a sandbox"


class LandlockedSandbox(Filed):
    """A ``Sandbox``; see there. Each command is in a room of its own over the same folders: what a command
    leaves in ``/tmp`` and ``$HOME`` is gone with it, unless the spec mounts folders there. A command that is
    not there ends with 127.
    """

    _sockets: seccomp.Sockets = "all"  # the namespace has no network; the loopback is the sandbox's own

    def __init__(
        self,
        spec: SandboxSpec,
        files: Files,
        spawner: Spawner,
        egress: Egress,
        owner: tuple[int, int] | None,
    ) -> None:
        super().__init__(spec, files)
        self._spawner = spawner
        self._egress = egress
        self._owner = owner

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
        order = self._order(argv, cwd, self._checked(argv, variables or {}))
        ended = await self._held(
            self._spawner.run(
                cast("Mapping[str, object]", order),
                seccomp.program(sockets=self._sockets),
                stdin=stdin,
                output=output,
                timeout_s=timeout_s,
                listening=self._egress.at if order["door"] is not None else None,
            )
        )
        if ended.failed is not None:
            raise SandboxFailed(ended.failed, where=self._spec.id)
        code = -signal.SIGKILL if ended.code is None else ended.code
        return Finished(code, output.kept, output.dropped, ended.timed_out)

    def _checked(self, argv: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
        """All variables of a command."""
        found = {**VARIABLES, **self._egress.spec.variables, **variables}
        for name, text in {**found, "argv": "".join(argv)}.items():
            if not argv or not name or "=" in name or "\0" in name + text:
                raise SandboxFailed(f"no program can be given this: {name!r}", where=self._spec.id)
        return found

    def _order(self, argv: Sequence[str], cwd: str | None, variables: dict[str, str]) -> landlocking.Order:
        spec = self._egress.spec
        writable = [mount.inside for mount in spec.mounts if mount.writable]
        start = posixpath.join(spec.home, cwd or "")
        return landlocking.Order(
            room=options(spec, "/", {}, nested=False),
            folders=[str(mount.folder.absolute()) for mount in spec.mounts],
            command=list(argv),
            cwd=start,
            variables={"PWD": start, **variables},
            owner=self._owner,
            limits=resource_limits(spec.limits),
            rules=[
                ("/", "read"),
                ("/dev", "device"),
                *((place, "write") for place in ("/tmp", "/dev/shm", HOME, *writable)),  # noqa: S108
            ],
            door=PORT if self._egress.wanted else None,
        )

    async def close(self) -> None:
        """As ``Held.close``; and nothing goes out any more."""
        await super().close()
        await self._egress.aclose()


class _BareSandbox(LandlockedSandbox):
    """Without namespaces: the machine's own file system, of which a command may read the system's programs
    and use the spec's folders, and a folder for ``/tmp`` and ``$HOME`` that lasts as long as the sandbox."""

    _sockets: seccomp.Sockets = "none"

    def __init__(
        self,
        spec: SandboxSpec,
        files: Files,
        spawner: Spawner,
        egress: Egress,
        owner: tuple[int, int] | None,
    ) -> None:
        super().__init__(spec, files, spawner, egress, owner)
        _check_nesting(spec)
        self._scratch = ""
        self._remove_scratch: Callable[[], object] = lambda: None

    def _order(self, argv: Sequence[str], cwd: str | None, variables: dict[str, str]) -> landlocking.Order:
        spec = self._spec
        scratch = self._own_scratch()
        start = real_path(spec, cwd or "")
        theirs = {name: scratch for name in ("HOME", "TMPDIR") if variables[name] == VARIABLES[name]}
        return landlocking.Order(
            room=None,
            folders=[],
            command=list(argv),
            cwd=start,
            variables={"PWD": start, **variables, **theirs},
            owner=self._owner,
            limits=resource_limits(spec.limits),
            rules=[
                *((place, "read") for place in _READABLE),
                *((place, "device") for place in _DEVICES),
                *((str(m.folder.absolute()), "write" if m.writable else "read") for m in spec.mounts),
                (scratch, "write"),
            ],
            door=None,
        )

    def _own_scratch(self) -> str:
        if not self._scratch:
            self._scratch = tempfile.mkdtemp(prefix="reverie-scratch-")
            self._remove_scratch = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
            if self._owner is not None:
                os.chown(self._scratch, *self._owner)
        return self._scratch

    def read(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """See ``Files.read``; the real path will do as well."""
        return super().read(inside_path(self._spec, path), offset=offset, limit=limit)

    def write(self, path: str, data: bytes) -> None:
        """See ``Files.write``; the real path will do as well."""
        super().write(inside_path(self._spec, path), data)

    def facts(self, path: str) -> FileFacts:
        """See ``Files.facts``; the real path will do as well."""
        return super().facts(inside_path(self._spec, path))

    def walk(self, path: str, *, limit: int = 100_000) -> Iterator[FileFacts]:
        """See ``Files.walk``; the real path will do as well."""
        return super().walk(inside_path(self._spec, path), limit=limit)

    def delete(self, path: str) -> None:
        """See ``Files.delete``; the real path will do as well."""
        super().delete(inside_path(self._spec, path))

    async def close(self) -> None:
        """Kill what runs, and remove what is in ``/tmp``'s place. Files stay."""
        await super().close()
        self._remove_scratch()


def _check_nesting(spec: SandboxSpec) -> None:
    """Landlock's rules add up: beneath a folder that may be written nothing is read-only.

    Raises:
        SandboxFailed: the spec wants it.
    """
    for outer in spec.mounts:
        for inner in spec.mounts:
            if (
                outer.writable
                and not inner.writable
                and inner.folder.resolve().is_relative_to(outer.folder.resolve())
            ):
                raise SandboxFailed(
                    f"without namespaces {inner.inside} cannot be read-only beneath {outer.inside}",
                    where=spec.id,
                )
