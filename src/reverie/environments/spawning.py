"""The program that starts sandboxes: small, with one thread, and outlived by none of them.

    python -I -S spawning.py SERVER_PID          (a SOCK_SEQPACKET socket as its standard input)

Why it is a process of its own: ``bwrap --die-with-parent`` ends a sandbox when the *thread* that started it
ends; a sandbox leaves a process behind that somebody must reap, which a subreaper does at once; a fork of a
small process is cheap; and when the server is killed, this one sees it and ends everything.

An order is a packet with descriptors: what to do (a memory file with JSON: ``Order``), a socket on which the
order is answered, what the command reads, where it writes, and the filter of system calls. A word on the
order's socket, or its end, kills the sandbox. The answer is one line of JSON (``_Run.answered``), sent when
every process of the sandbox is gone and not before. The standard library alone is imported here.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import itertools
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import struct
import sys
from array import array
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypedDict

__all__ = ["FDS", "GROUP_PREFIX", "Group", "Order", "main", "received"]

FDS: Final = 5
GROUP_PREFIX: Final = "reverie-"

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_CLONE_NEWNS: Final = 0x0002_0000
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_PRIVATE: Final = 1 << 18
_MS_NOSUID_NODEV: Final = 2 | 4
_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the server decides when all is over
_STAGE: Final = "/tmp"  # noqa: S108  (bwrap covers it too, and nothing is written there)


_count: Final = itertools.count()


class Group(TypedDict):
    """A control group for one sandbox: a folder to be made in ``parent``, and what is written to its files."""

    parent: str
    files: dict[str, str]


class Order(TypedDict):
    """A sandbox to be started. In ``options`` a number stands for one of ``folders``, wherever it can be
    reached, and ``{"data": …}`` for a descriptor with that text. ``owner``: the user and group to become.
    ``limits`` are soft and hard ones, by name. ``door``: a port to listen at inside, or none."""

    program: str
    options: list[str | int | dict[str, str]]
    command: list[str]
    folders: list[str]
    owner: tuple[int, int] | None
    limits: dict[str, int]
    door: int | None
    group: Group | None


def received(from_: socket.socket, most: int) -> tuple[bytes, list[int]]:
    """What was said, with the descriptors that came with it: no program that is started inherits them
    (those of ``socket.recv_fds`` every program does)."""
    room = socket.CMSG_SPACE(most * struct.calcsize("i"))
    said, ancillary, _, _ = from_.recvmsg(4096, room, socket.MSG_CMSG_CLOEXEC)
    fds = array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return said, list(fds)


class _Run:
    """One sandbox, from its order to its answer."""

    def __init__(
        self, order: Order, answers: socket.socket, pid: int, status: int, gate: int, group: Path | None
    ) -> None:
        self.order = order
        self.group = group
        self.answers = answers
        self.pid = pid
        self.status = status
        self.gate = gate
        self.said = b""
        self.inner: int | None = None
        """The first process in the sandbox: when it is gone, all are."""
        self.failed: str | None = None
        self.ended: int | None = None

    def kill(self) -> None:
        if self.ended is None:
            os.kill(self.pid, signal.SIGKILL)  # the rest dies with it
        elif self.inner is not None and _is_child(self.inner):
            os.kill(self.inner, signal.SIGKILL)

    def listen(self) -> None:
        """Take what bwrap tells: first the process, at the end its exit code."""
        with suppress(BlockingIOError):
            while said := os.read(self.status, 4096):
                self.said += said
        if self.inner is None and (pid := self._told("child-pid")) is not None:
            self.inner = pid
            self._begin(pid)

    def _begin(self, pid: int) -> None:
        """Set what could not be set before there was a sandbox, and let the command run."""
        try:
            with _seen_as(self.order["owner"]):
                for name, value in self.order["limits"].items():
                    _limit(pid, getattr(resource, name), value)
            if self.order["door"] is not None:
                with _listen_inside()(pid, self.order["door"]) as listener:
                    socket.send_fds(self.answers, [b"d"], [listener.fileno()])
            os.write(self.gate, b".")
        except (ProcessLookupError, FileNotFoundError):
            return  # it is gone already: bwrap says why
        except OSError as error:
            self.failed = f"the sandbox cannot be made ready: {error}"
            self.kill()

    def _told(self, key: str) -> int | None:
        """bwrap writes one JSON object a line; a line of ours says why there is no bwrap."""
        for line in self.said.split(b"\n")[:-1]:
            told: dict[str, Any] = json.loads(line)
            self.failed = told.get("failed", self.failed)
            if key in told:
                return int(told[key])
        return None

    def answered(self) -> None:
        """``code``: the command's, where it began; ``ended``: how bwrap did, negative for a signal."""
        answer = {"code": self._told("exit-code"), "ended": self.ended, "failed": self.failed}
        if self.group is not None:
            with suppress(OSError):
                self.group.rmdir()
        with suppress(OSError), self.answers:
            self.answers.sendall(json.dumps(answer).encode() + b"\n")
        os.close(self.status)
        os.close(self.gate)


class _Spawner:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._runs: dict[int, _Run] = {}
        """By the process that their end waits for: bwrap's, then the first one in the sandbox."""

    def serve(self, server: int) -> None:
        """Until the server is gone."""
        for fd in (self._control.fileno(), server, _woken_by_children()):
            self._selector.register(fd, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fd == server or (key.fd == self._control.fileno() and not self._take()):
                    self._end()
                    return
                if key.data is not None:
                    key.data()
                elif key.fd != self._control.fileno():
                    with suppress(BlockingIOError):
                        os.read(key.fd, 4096)
            self._reap()

    def _take(self) -> bool:
        """An order; False where none will come any more."""
        word, fds = received(self._control, FDS)
        if len(fds) != FDS:  # the end, or no more descriptors here: then the order's socket ends
            for fd in fds:
                os.close(fd)
            return bool(word)
        order_fd, answers_fd, *others = fds
        answers = socket.socket(fileno=answers_fd)
        try:
            with os.fdopen(order_fd, "rb") as file:
                order: Order = json.loads(file.read())
            self._follow(_start(order, answers, *others))
        except OSError as error:
            with answers, suppress(OSError):
                answers.sendall(json.dumps({"failed": str(error)}).encode() + b"\n")
        finally:
            for fd in others:
                os.close(fd)
        return True

    def _follow(self, run: _Run) -> None:
        self._runs[run.pid] = run
        self._selector.register(run.status, selectors.EVENT_READ, lambda: self._heard(run))
        self._selector.register(run.answers, selectors.EVENT_READ, lambda: self._stop(run))

    def _heard(self, run: _Run) -> None:
        run.listen()
        if run.inner is not None:  # what it says at the end is read at the end
            self._selector.unregister(run.status)

    def _stop(self, run: _Run) -> None:
        """The server said so, or does not wait any more."""
        self._selector.unregister(run.answers)
        run.kill()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
                self._reaped(*ended)

    def _reaped(self, pid: int, status: int) -> None:
        run = self._runs.pop(pid, None)
        if run is None:  # of a sandbox whose end is being waited for, or was
            return
        if run.ended is None:
            run.ended = os.waitstatus_to_exitcode(status)
            run.listen()
            if run.inner is not None and _is_child(run.inner):  # ours since bwrap is gone
                self._runs[run.inner] = run
                run.kill()
                return
            if run.inner is None:
                self._kill_strays()
        for fd in (run.status, run.answers.fileno()):
            with suppress(KeyError):
                self._selector.unregister(fd)
        run.answered()

    def _kill_strays(self) -> None:
        """bwrap died before it could tell of its child: which is now ours, and belongs to no run."""
        known = {*self._runs, *(run.inner for run in self._runs.values())}
        for pid in _children():
            if pid not in known:
                os.kill(pid, signal.SIGKILL)

    def _end(self) -> None:
        for run in list(self._runs.values()):
            run.kill()
        with suppress(ChildProcessError):
            while self._runs:
                self._reaped(*os.waitpid(-1, 0))


def _start(order: Order, answers: socket.socket, stdin: int, output: int, filter_: int) -> _Run:
    group = _grouped(order["group"])
    heard, told = os.pipe()
    waits, gate = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            if group is not None:
                (group / "cgroup.procs").write_text("0")
            _become(order, parent, told, (stdin, output, filter_, waits, gate))
        except BaseException as error:  # noqa: BLE001  (nothing may return from here)
            os.write(told, json.dumps({"failed": str(error)}).encode() + b"\n")
        os._exit(126)
    os.close(told)
    os.close(waits)
    os.set_blocking(heard, False)
    return _Run(order, answers, pid, heard, gate, group)


def _grouped(group: Group | None) -> Path | None:
    if group is None:
        return None
    made = Path(group["parent"], f"{GROUP_PREFIX}{os.getpid()}-{next(_count)}")
    made.mkdir()
    for name, value in group["files"].items():
        (made / name).write_text(value)
    return made


def _become(order: Order, parent: int, told: int, fds: tuple[int, int, int, int, int]) -> None:
    """In the child, which becomes bwrap."""
    stdin, output, filter_, waits, gate = fds
    places = order["folders"]
    Path("/proc/self/oom_score_adj").write_text("1000")  # where memory ends, sandboxes go first
    if order["owner"] is not None:
        places = _staged(places)
        _drop(*order["owner"])
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(126)
    for fd, number in ((stdin, 0), (output, 1), (output, 2)):
        os.dup2(fd, number)
    for fd in (filter_, waits, gate, told):
        os.set_inheritable(fd, True)
    for ignored in (*_IGNORED, signal.SIGPIPE, signal.SIGXFSZ):  # by us or by Python: it would be inherited
        signal.signal(ignored, signal.SIG_DFL)
    os.umask(0o022)
    ours = ["--seccomp", filter_, "--block-fd", waits, "--json-status-fd", told]
    ours += ["--sync-fd", gate]  # while bwrap has it too, the end of the spawner does not open the gate
    options = [*map(str, ours), *(_option(option, places) for option in order["options"])]
    if any("\0" in option for option in options):
        raise ValueError("an option has a NUL in it")  # it would become another option
    arguments = _text_fd("\0".join(options) + "\0")  # other users of the machine see a command line
    command = ["bwrap", "--args", str(arguments), "--", *order["command"]]
    os.execve(order["program"], command, {})  # noqa: S606  (no shell)


def _option(option: str | int | dict[str, str], places: Sequence[str]) -> str:
    if isinstance(option, str):
        return option
    return places[option] if isinstance(option, int) else str(_text_fd(option["data"]))


def _text_fd(text: str) -> int:
    fd = os.memfd_create("text", 0)  # stays open in the program
    os.write(fd, os.fsencode(text))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _staged(folders: Sequence[str]) -> list[str]:
    """The folders where everybody can reach them, whatever stands above them: in a namespace of this
    process. Without the right to make one they stay where they are."""
    libc = _libc()
    if libc.unshare(_CLONE_NEWNS) != 0:
        return list(folders)
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    held = [os.open(folder, os.O_PATH | os.O_CLOEXEC) for folder in folders]
    _mount("tmpfs", _STAGE, "tmpfs", _MS_NOSUID_NODEV)
    staged = [f"{_STAGE}/{number}" for number in range(len(folders))]
    for fd, place in zip(held, staged, strict=True):
        Path(place).mkdir()
        _mount(f"/proc/self/fd/{fd}", place, None, _MS_BIND | _MS_REC)
    return staged


def _limit(pid: int, kind: int, value: int) -> None:
    """Lower both limits; a hard one that is lower already stays."""
    _, hard = resource.prlimit(pid, kind)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.prlimit(pid, kind, (most, most))


@contextmanager
def _seen_as(owner: tuple[int, int] | None) -> Generator[None]:
    """Meanwhile our real user is the sandbox's: whose limits one may change who has not all of root's rights
    (in containers root often has not)."""
    if owner is None:
        yield
        return
    user, group = os.getuid(), os.getgid()
    os.setresgid(owner[1], -1, -1)
    os.setresuid(owner[0], -1, -1)
    try:
        yield
    finally:
        os.setresuid(user, -1, -1)
        os.setresgid(group, -1, -1)


def _drop(user: int, group: int) -> None:
    try:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    except PermissionError as error:
        raise PermissionError(
            error.errno, f"root may not become user {user} here: CAP_SETUID, CAP_SETGID"
        ) from None


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    _checked(_libc().mount(*texts, ctypes.c_ulong(flags), None), f"mount on {target}")


def _prctl(option: int, value: int) -> None:
    _checked(_libc().prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def _is_child(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _woken_by_children() -> int:
    """A descriptor that can be read when a child has ended."""
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    return woken


def _nothing(_number: int, _frame: object) -> None:
    """The descriptor was written to: that is all."""


@functools.cache
def _listen_inside() -> Callable[[int, int], socket.socket]:
    """As a file beside this one: the package would be loaded with all that it imports."""
    listen: Callable[[int, int], socket.socket] = runpy.run_path(str(Path(__file__).with_name("doorway.py")))[
        "listen_inside"
    ]
    return listen


def main() -> None:
    """Serve the process whose number is given, until it ends."""
    server = int(sys.argv[1])
    watched = os.pidfd_open(server)
    if os.getppid() != server:
        return
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    guardian = os.getpid()
    spawner = os.fork()
    if spawner != 0:
        os.close(0)  # the server is to see the spawner's end
        _guard(spawner)
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guardian:
        return
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    control = socket.socket(fileno=fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    _Spawner(control).serve(watched)


def _guard(spawner: int) -> None:
    """When the spawner is gone, what it leaves is ours: a sandbox that was killed while it was being made
    goes on, for bwrap binds the life of its first process to its own only when all is ready."""
    with suppress(ChildProcessError):
        os.waitpid(spawner, 0)
        while True:
            for pid in _children():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]


if __name__ == "__main__":
    main()
