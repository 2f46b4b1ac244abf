"""The program that starts what ``landlock`` holds: small, with one thread, of the standard library alone.

    python -I -S landlocking.py SERVER_PID       (a SOCK_SEQPACKET socket as its standard input)

It takes orders as ``spawning`` does (see there for the words), and forks for each a keeper that answers it.
A keeper is the parent of everything that its command starts, however often that forks: what loses its parent
becomes the keeper's child (``PR_SET_CHILD_SUBREAPER``). Where namespaces are to be had, the command lives in
some of its own, and dies with the first process there. The keeper answers when nothing is left.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import runpy
import select
import signal
import socket
import stat
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypedDict

__all__ = ["Order", "Rule", "landlock_abi", "main"]

Rule = tuple[str, str]
"""A path, and what is allowed beneath it: a word of ``_RIGHTS``."""


class Order(TypedDict):
    """``room``: options as for bwrap (``room.options``), or None for a command that sees the system's own
    files. ``owner``: the user and group to become. ``limits``: by name; that of processes is on top of what
    the user runs already. ``door``: a port to listen at inside, or None."""

    room: list[Any] | None
    folders: list[str]
    command: list[str]
    cwd: str
    variables: dict[str, str]
    owner: tuple[int, int] | None
    limits: dict[str, int]
    rules: list[Rule]
    door: int | None


_FDS: Final = 5
_REPORT: Final = 3
"""The descriptor on which a process says why it could not become the command."""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)

_PDEATHSIG, _DUMPABLE, _SECCOMP, _SUBREAPER, _NO_NEW_PRIVS = 1, 4, 22, 36, 38
_FILTER: Final = 2  # SECCOMP_MODE_FILTER
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

# <linux/landlock.h>, by the version of the interface that brought them.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_FILES_OF_VERSION: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_OF_A_FILE: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_RIGHTS: Final = {"read": _READ, "write": (1 << 16) - 1 - _IOCTL_DEV, "device": (1 << 16) - 1}
_TCP: Final = 3  # bind, connect
_SCOPES: Final = 3  # abstract unix sockets, signals


# ------------------------------------------------------------------ orders


def main() -> None:
    """Serve the process whose number is given, until it ends."""
    server = int(sys.argv[1])
    watched = os.pidfd_open(server)
    if os.getppid() != server:
        return
    _prctl(_SUBREAPER, 1)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    control = socket.socket(fileno=fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the server decides when all is over
    _serve(control, watched)


def _serve(control: socket.socket, server: int) -> None:
    keepers: dict[int, socket.socket] = {}
    woken = _woken_by_children()
    while True:
        ready, _, _ = select.select([control, server, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(keepers)
        if control in ready:
            word, fds, _, _ = socket.recv_fds(control, 16, _FDS)
            if not word:
                return _kill_all()
            if len(fds) == _FDS:
                pid = _kept(
                    fds, (control.fileno(), server, woken, *map(socket.socket.fileno, keepers.values()))
                )
                keepers[pid] = socket.socket(fileno=os.dup(fds[1]))
            for fd in fds:
                os.close(fd)
        if server in ready:
            return _kill_all()


def _kept(fds: list[int], not_his: tuple[int, ...]) -> int:
    """A keeper for an order."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in not_his:
            os.close(fd)
        _keep(*fds)
        code = 0
    finally:
        os._exit(code)


def _reap(keepers: dict[int, socket.socket]) -> None:
    """A keeper that was killed leaves its children to us, and its answer: they end, and it is given then."""
    dead: list[socket.socket] = []
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            answers = keepers.pop(ended[0], None)
            if answers is not None and ended[1] == 0:
                answers.close()
            elif answers is not None:
                dead.append(answers)
    while strays := [pid for pid in _children() if pid not in keepers]:
        for pid in strays:
            _kill(pid)
            os.waitpid(pid, 0)
    for answers in dead:
        with suppress(OSError), answers:
            answers.sendall(json.dumps({"failed": "the command's keeper was killed"}).encode() + b"\n")


# ------------------------------------------------------------------ a keeper


def _keep(order_fd: int, answers_fd: int, stdin: int, output: int, filter_: int) -> None:
    """Carry out an order, and answer it when nothing of it is left."""
    _prctl(_SUBREAPER, 1)
    answers = socket.socket(fileno=answers_fd)
    order: Order = json.loads(os.read(order_fd, os.fstat(order_fd).st_size))
    calls = os.read(filter_, os.fstat(filter_).st_size)
    os.close(filter_)
    heard, told = os.pipe()
    if order["room"] is None or os.geteuid() == 0:
        order["limits"]["RLIMIT_NPROC"] += _tasks_of((order["owner"] or (os.geteuid(), 0))[0])
    try:
        start = _command if order["room"] is None else _room
        pid = start(order, answers, (stdin, output), told, calls)
    except OSError as error:
        _say(told, failed=str(error))
        pid = None
    for fd in (stdin, output, told):
        os.close(fd)
    code = None if pid is None else _seen_out(pid, answers)
    _kill_all()
    said = b""
    while more := os.read(heard, 4096):  # ends: nobody who could write is left
        said += more
    answer: dict[str, Any] = {"code": code, "ended": code, "failed": None}
    for line in said.splitlines():
        answer |= json.loads(line)
    if order["room"] is not None and b'"code"' not in said:
        answer["code"] = None
    with suppress(OSError):
        answers.sendall(json.dumps(answer).encode() + b"\n")


def _seen_out(pid: int, answers: socket.socket) -> int:
    """How the process ends: by itself, or because the server says so or does not listen any more."""
    process = os.pidfd_open(pid)
    select.select([process, answers], [], [])
    _kill(pid)  # a zombie, or what is to end
    os.close(process)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _kill_all() -> None:
    """Everything that descends from this process: it is stopped first, so that it cannot fork away."""
    while True:
        below = _descendants()
        for pid in below:
            _kill(pid, signal.SIGSTOP)
        for pid in below:
            _kill(pid)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _descendants() -> list[int]:
    found, front = list[int](), _children()
    while front:
        found += front
        front = [child for pid in front for child in _children(pid)]
    return found


def _children(pid: int | None = None) -> list[int]:
    place = Path("/proc/thread-self/children" if pid is None else f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(word) for word in place.read_text().split()]
    except OSError:
        return []


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


# ------------------------------------------------------------------ the command


def _command(order: Order, _: socket.socket, fds: tuple[int, int], told: int, calls: bytes) -> int:
    """Fork a process that becomes the command."""
    pid = os.fork()
    if pid == 0:
        try:
            _become(order, fds, told, calls)
        except BaseException as error:  # noqa: BLE001  (nothing may return from here)
            _say(_REPORT, failed=f"the command cannot begin: {error}")
        os._exit(126)
    return pid


def _become(order: Order, fds: tuple[int, int], told: int, calls: bytes) -> None:
    os.setsid()
    for fd, number in ((fds[0], 0), (fds[1], 1), (fds[1], 2)):
        os.dup2(fd, number)
    if told != _REPORT:
        os.dup2(told, _REPORT, inheritable=False)
    _close_behind(_REPORT)
    for usual in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(usual, signal.SIG_DFL)
    os.umask(0o022)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # where memory ends, sandboxes go first
    if order["owner"] is not None and os.geteuid() == 0:
        _drop(*order["owner"])
    _limit(order["limits"])
    _go_to(order["cwd"])
    _prctl(_NO_NEW_PRIVS, 1)
    _enclose(order["rules"], bare=order["room"] is None)
    if order["room"] is None:  # in a room, the first process has the filter already
        _filter_calls(calls)
    _execute(order["command"], order["variables"])


def _execute(command: list[str], variables: dict[str, str]) -> None:
    name = command[0]
    places = [""] if "/" in name else [f"{part}/" for part in variables.get("PATH", "").split(":")]
    problem: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for place in places:
        try:
            os.execve(place + name, command, variables)  # noqa: S606  (no shell)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problem = error
    os.write(2, f"{name}: {problem.strerror}\n".encode())
    os._exit(127 if isinstance(problem, FileNotFoundError) else 126)


def _go_to(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise OSError(error.errno, f"chdir to {folder}: {error.strerror}") from None


def _close_behind(last: int) -> None:
    os.closerange(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _drop(user: int, group: int) -> None:
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        number = getattr(resource, name)
        _, most = resource.getrlimit(number)
        least = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(number, (least, least))


def _tasks_of(user: int) -> int:
    """What a user runs already: the kernel counts it too, but within a user namespace."""
    count = 0
    for place in Path("/proc").iterdir():
        with suppress(OSError):
            if place.name.isdecimal() and place.stat().st_uid == user:
                count += len(os.listdir(place / "task"))  # noqa: PTH208
    return count


# ------------------------------------------------------------------ a room of its own

_BUILDING: Final = runpy.run_path(str(Path(__file__).with_name("building.py")))
_separate: Final[Callable[[bool], None]] = _BUILDING["separate"]
_build: Final[Callable[..., None]] = _BUILDING["build"]
_give_up_rights: Final[Callable[[], None]] = _BUILDING["give_up_rights"]


def _room(order: Order, answers: socket.socket, fds: tuple[int, int], told: int, calls: bytes) -> int:
    """Fork the first process of new namespaces, which starts the command and tells how it ends. When it
    ends, the kernel ends all that is there with it."""
    _separate(os.geteuid() != 0)
    pid = os.fork()
    if pid == 0:
        code = 126
        try:
            _first(order, answers, fds, told, calls)
            code = 0
        except BaseException as error:  # noqa: BLE001  (nothing may return from here)
            _say(told, failed=f"the room cannot be built: {error}")
        os._exit(code)
    return pid


def _first(order: Order, answers: socket.socket, fds: tuple[int, int], told: int, calls: bytes) -> None:
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if order["door"] is not None:
        _open_door(order["door"], answers)
    _build(order["room"], order["folders"], order["owner"])
    answers.close()
    if order["owner"] is not None:
        _drop(*order["owner"])
        _prctl(_PDEATHSIG, signal.SIGKILL)  # a change of user takes it away
    _give_up_rights()
    _prctl(_NO_NEW_PRIVS, 1)
    _prctl(_DUMPABLE, 0)
    _filter_calls(calls)
    command = _command(order, answers, fds, told, calls)
    for fd in fds:
        os.close(fd)
    while True:
        pid, status = os.wait()
        if pid == command:
            return _say(told, code=os.waitstatus_to_exitcode(status))


def _open_door(port: int, answers: socket.socket) -> None:
    """What the proxy is to answer: a socket of this namespace, handed out of it."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        socket.send_fds(answers, [b"d"], [listener.fileno()])


# ------------------------------------------------------------------ Landlock and seccomp


def landlock_abi() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def _enclose(rules: list[Rule], *, bare: bool) -> None:
    """Allow what the rules say, and nothing else; ``bare``, no TCP, no signal and no abstract socket to
    what is outside either (where there are namespaces, these see to it)."""
    abi = landlock_abi()
    handled = max(right for version, right in _FILES_OF_VERSION.items() if version <= abi)
    attributes = struct.pack("=QQQ", handled, _TCP if bare else 0, _SCOPES if bare else 0)
    size = 24 if abi >= 6 else 16
    ruleset = _checked(
        int(_LIBC.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))), "landlock"
    )
    for path, kind in rules:
        with suppress(FileNotFoundError):
            _allow(ruleset, path, _RIGHTS[kind] & handled)
    _checked(int(_LIBC.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0))), "landlock")
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, fd)
        _checked(int(_LIBC.syscall(_ADD_RULE, ruleset, 1, rule, ctypes.c_uint32(0))), f"landlock: {path}")
    finally:
        os.close(fd)


def _filter_calls(calls: bytes) -> None:
    held = ctypes.create_string_buffer(calls)
    program = struct.pack("@HP", len(calls) // 8, ctypes.addressof(held))
    _checked(int(_LIBC.prctl(_SECCOMP, _FILTER, program, 0, 0)), "seccomp")


# ------------------------------------------------------------------ small things


def _say(told: int, **what: object) -> None:
    os.write(told, json.dumps(what).encode() + b"\n")


def _prctl(option: int, value: int) -> None:
    _checked(int(_LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0)), "prctl")


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _woken_by_children() -> int:
    """A descriptor that can be read when a child has ended."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    return woken


def _nothing(_number: int, _frame: object) -> None:
    """The descriptor was written to: that is all."""


if __name__ == "__main__":
    main()
