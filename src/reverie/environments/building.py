"""A room for a command, built by hand where there is no ``bwrap`` to build it, of the same plan: its options.

Standard library alone: ``landlocking`` loads it as a file.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import stat
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

__all__ = ["build", "give_up_rights", "separate"]

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NEWUSER: Final = 0x1000_0000
_NEW: Final = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x2000_0000 | 0x4000_0000
"""Mounts, control groups, host name, IPC, processes, network."""
_MACHINE: Final = platform.machine()
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}.get(_MACHINE, -1)
_CAPSET: Final = {"x86_64": 126, "aarch64": 91}.get(_MACHINE, -1)
_MOUNT_SETATTR: Final = 442
_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_MNT_DETACH: Final = 2
_RDONLY: Final = 1  # of mount_setattr, whose NOSUID, NODEV and NOEXEC are those of mount
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_CAPABILITIES: Final = 0x2008_0522
_INSIDE_ID: Final = 1000
_STAGE: Final = "/tmp"  # noqa: S108  (covered by a file system of its own)
_DONE_OTHERWISE: Final = frozenset(
    {
        *("--unshare-all", "--unshare-user", "--uid", "--gid", "--hostname", "--die-with-parent"),
        *("--new-session", "--clearenv", "--setenv", "--chdir", "--disable-userns"),
    }
)
_ARGUMENTS: Final = {
    **dict.fromkeys(("--bind", "--ro-bind", "--ro-bind-try", "--symlink", "--file", "--setenv"), 2),
    **dict.fromkeys(("--dir", "--tmpfs", "--proc", "--dev", "--remount-ro", "--perms", "--size"), 1),
    **dict.fromkeys(("--uid", "--gid", "--hostname", "--chdir"), 1),
}
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS: Final = {
    "fd": "/proc/self/fd",
    "ptmx": "pts/ptmx",
    **{name: f"/proc/self/fd/{number}" for number, name in enumerate(("stdin", "stdout", "stderr"))},
}


def separate(as_user: bool) -> None:
    """Leave the namespaces of this process; ``as_user``, by way of a user namespace (root needs none).

    Raises:
        OSError: this machine does not let us.
    """
    user, group = os.geteuid(), os.getegid()
    _checked(_LIBC.unshare(_NEW | (_NEWUSER if as_user else 0)), "namespaces")
    if as_user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{_INSIDE_ID} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{_INSIDE_ID} {group} 1")


def build(plan: Sequence[Any], folders: Sequence[str], owner: tuple[int, int] | None) -> None:
    """Put the plan's room in the place of the file system that is there, and start the loopback. In the plan
    a number stands for one of ``folders``; ``owner`` is who is to own what is made.

    Raises:
        OSError: this machine does not let us.
    """
    socket.sethostname("sandbox")
    _start_loopback()
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount("tmpfs", _STAGE, "tmpfs", _NOSUID | _NODEV)
    for place in ("old", "new"):
        (Path(_STAGE) / place).mkdir()
    _pivot(_STAGE, f"{_STAGE}/old")
    os.chdir("/")
    _mount("tmpfs", "/new", "tmpfs", _NOSUID | _NODEV, "mode=755")
    builder = _Builder(os.open("/new", os.O_PATH | os.O_CLOEXEC), folders, owner)
    builder.follow(list(plan))
    os.chdir("/new")
    _checked(_LIBC.umount2(b"/old", _MNT_DETACH), "the old root")
    _pivot(".", ".")  # pivot_root(2): the old root now lies over the new one
    _checked(_LIBC.umount2(b".", _MNT_DETACH), "the old root")
    os.chdir("/")


def give_up_rights() -> None:
    """All capabilities of this process, and of what it forks."""
    header, none = struct.pack("=Ii", _CAPABILITIES, 0), bytes(24)
    _checked(_LIBC.syscall(_CAPSET, header, none), "capset")


class _Builder:
    """Follows a plan beneath ``/new``; what is there of the system is beneath ``/old``."""

    def __init__(self, root: int, folders: Sequence[str], owner: tuple[int, int] | None) -> None:
        self._root = root
        self._folders = folders
        self._owner = owner
        self._perms = "0755"
        self._size = ""

    def follow(self, plan: list[Any]) -> None:
        while plan:
            word = plan.pop(0)
            count = _ARGUMENTS.get(word, 0)
            arguments, plan = plan[:count], plan[count:]
            self._do(word, *arguments)
            if word not in ("--perms", "--size"):
                self._perms, self._size = "0755", ""

    def _do(self, word: str, *said: Any) -> None:
        match word:
            case "--bind" | "--ro-bind" | "--ro-bind-try":
                self._bind(word, *said)
            case "--symlink":
                self._link(*said)
            case "--file":
                self._file(*said)
            case "--dir":
                os.close(self._at(*said, folder=True))
            case "--tmpfs":
                self._tmpfs(*said)
            case "--proc":
                self._fresh("proc", said[0], _NOSUID | _NODEV | _NOEXEC)
            case "--dev":
                self._devices(*said)
            case "--remount-ro":
                self._restrict(said[0], _RDONLY, 0)
            case "--perms":
                (self._perms,) = said
            case "--size":
                (self._size,) = said
            case _:
                if word not in _DONE_OTHERWISE:
                    raise OSError(f"the plan says {word}")

    def _bind(self, how: str, source: str | int, inside: str) -> None:
        path = f"/old{source if isinstance(source, str) else os.path.realpath(self._folders[source])}"
        if how == "--ro-bind-try" and not Path(path).exists():
            return
        place = self._at(inside, folder=Path(path).is_dir())
        _mount(path, _by_fd(place), None, _BIND | _REC)
        os.close(place)
        self._restrict(inside, _NOSUID | _NODEV | (0 if how == "--bind" else _RDONLY), _AT_RECURSIVE)

    def _link(self, target: str, inside: str) -> None:
        folder = self._at(os.path.dirname(inside), folder=True)  # noqa: PTH120
        os.symlink(target, Path(inside).name, dir_fd=folder)
        os.close(folder)

    def _file(self, content: dict[str, str], inside: str) -> None:
        place = self._at(inside, folder=False)
        with open(_by_fd(place), "w") as file:  # noqa: PTH123
            file.write(content["data"])
        Path(_by_fd(place)).chmod(int(self._perms, 8))
        os.close(place)

    def _tmpfs(self, inside: str) -> None:
        said = [f"mode={self._perms}", *([f"size={self._size}"] if self._size else [])]
        if self._owner is not None:
            said += [f"uid={self._owner[0]}", f"gid={self._owner[1]}"]
        self._fresh("tmpfs", inside, _NOSUID | _NODEV, ",".join(said))

    def _fresh(self, kind: str, inside: str, flags: int, said: str = "") -> None:
        place = self._at(inside, folder=True)
        _mount(kind, _by_fd(place), kind, flags, said)
        os.close(place)

    def _devices(self, inside: str) -> None:
        self._fresh("tmpfs", inside, _NOSUID | _NOEXEC, "mode=755")
        for name in _DEVICES:
            place = self._at(f"{inside}/{name}", folder=False)
            with suppress(FileNotFoundError):
                _mount(f"/old/dev/{name}", _by_fd(place), None, _BIND)
            os.close(place)
        for name, target in _DEVICE_LINKS.items():
            self._link(target, f"{inside}/{name}")
        for name in ("shm", "pts"):
            os.close(self._at(f"{inside}/{name}", folder=True))
        with suppress(OSError):  # terminals are a comfort
            self._fresh("devpts", f"{inside}/pts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")

    def _restrict(self, inside: str, what: int, how: int) -> None:
        place = self._at(inside, folder=None)
        attributes = struct.pack("=QQQQ", what, 0, 0, 0)
        number = ctypes.c_size_t(len(attributes))
        done = _LIBC.syscall(_MOUNT_SETATTR, place, b"", _AT_EMPTY_PATH | how, attributes, number)
        _checked(done, f"mount_setattr on {inside}")
        os.close(place)

    def _at(self, inside: str, *, folder: bool | None) -> int:
        """A place in the room, made where it is not there. No step may be a link: whoever owns what lies in a
        folder that was mounted before may have put it there."""
        place = os.dup(self._root)
        parts = [part for part in inside.split("/") if part]
        for number, part in enumerate(parts, 1):
            here = place
            if folder is not None:
                _make(here, part, folder=folder or number < len(parts))
            place = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            if stat.S_ISLNK(os.fstat(place).st_mode):
                raise OSError(f"{inside} leads over a link")
        return place


def _make(folder_fd: int, name: str, *, folder: bool) -> None:
    with suppress(FileExistsError):
        if folder:
            os.mkdir(name, 0o755, dir_fd=folder_fd)
        else:
            os.close(
                os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=folder_fd)
            )


def _by_fd(fd: int) -> str:
    return f"/old/proc/self/fd/{fd}"


def _pivot(new: str, old: str) -> None:
    _checked(_LIBC.syscall(_PIVOT_ROOT, os.fsencode(new), os.fsencode(old)), "pivot_root")


def _mount(source: str | None, target: str, kind: str | None, flags: int, said: str = "") -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    _checked(_LIBC.mount(*texts, ctypes.c_ulong(flags), said.encode() or None), f"mount on {target}")


def _start_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _checked(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
