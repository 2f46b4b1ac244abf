"""Whether a worker is known to be dead."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from reverie.dreaming.processes import is_gone, this_process


def name(number: object, machine: str = socket.gethostname()) -> str:
    return f"{machine}:{number}:ab12"


def test_only_what_is_dead_for_sure_is_gone() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_gone(name(ended.pid))
    assert is_gone(name(os.getpid()))  # the same number, another life: a container that was started again
    assert this_process() == this_process() and not is_gone(this_process())
    assert not is_gone(name(os.getppid()))
    assert not is_gone(name(ended.pid, machine="another-machine"))
    for odd in (
        "",
        "w",
        "tests",
        "a:b",
        name("x"),
        name(-1),
        name(10**30),
        f"{socket.gethostname()}:{ended.pid}",
    ):
        assert not is_gone(odd)
