"""A door in the wall of a sandbox, made from outside: a port on the loopback of its network namespace.

A sandbox has a network namespace with nothing in it but a loopback. A socket belongs to the namespace in
which it was made, whoever holds it afterwards; so a child of ours enters the namespace, listens there, hands
the listening socket back, and ends. Our proxy (``egress``) answers it as it would any other: nothing of ours
runs in the sandbox, nothing is mounted into it, and no ``socat`` is needed. About 2 ms.

Entering a user namespace is allowed to whoever made it, and only to a process of one thread: hence the
child. ``listen_inside`` is for a process that has one thread itself (a spawner); everybody else runs this
file as a program: ``python -I -S doorway.py PID PORT FD``. It needs the standard library alone.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import sys
from typing import Final

__all__ = ["PORT", "listen_inside"]

PORT: Final = 3128
"""Where the proxy is found in every sandbox, on 127.0.0.1."""

_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_IP_FREEBIND: Final = 15
_NS_GET_USERNS: Final = 0xB701  # ioctl_ns(2): the user namespace that owns a namespace


def listen_inside(pid: int, port: int = PORT) -> socket.socket:
    """A socket that listens on 127.0.0.1 in the network namespace of a process, which must not have begun
    yet to run what is not ours.

    Raises:
        OSError: the process is gone, or the namespace may not be entered.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            os._exit(_hand_over(pid, port, theirs))
        theirs.close()
        try:
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        finally:
            _, status = os.waitpid(child, 0)
    if not fds:
        code = os.waitstatus_to_exitcode(status)
        raise OSError(code, f"the network of process {pid} cannot be entered: {os.strerror(code)}")
    return socket.socket(fileno=fds[0])


def _hand_over(pid: int, port: int, to: socket.socket) -> int:
    """In the child. Its exit code is the errno of what went wrong."""
    try:
        _enter(pid)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)  # the loopback may not have been started yet
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
            socket.send_fds(to, [b"."], [listener.fileno()])
    except OSError as error:
        return error.errno or 1
    return 0


def _enter(pid: int) -> None:
    """Into the network namespace of ``pid``; first, where it is another, into the user namespace that owns
    it (which need not be the one that the process is in)."""
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    if os.fstat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:  # noqa: PTH116  (a stat, as it is)
        _setns(owner, _CLONE_NEWUSER)
    _setns(network, _CLONE_NEWNET)


def _setns(fd: int, kind: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, kind) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[3])) as reply:
        sys.exit(_hand_over(int(sys.argv[1]), int(sys.argv[2]), reply))
