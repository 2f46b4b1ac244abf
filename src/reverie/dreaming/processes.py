"""Names of processes, and whether the one of a name still lives: as far as this machine can tell."""

from __future__ import annotations

import os
import socket
from functools import cache

__all__ = ["is_gone", "this_process"]


def this_process() -> str:
    """A name that no other process has, nor one with the same number tomorrow: machine, number, and
    something random."""
    return _name(os.getpid())


@cache
def _name(number: int) -> str:
    return f"{socket.gethostname()}:{number}:{os.urandom(6).hex()}"


def is_gone(name: str) -> bool:
    """Whether the process of a name is dead for sure. False of those on other machines, and of names that
    ``this_process`` did not give."""
    machine, number, random = ([*name.rsplit(":", 2), "", ""])[:3]
    if machine != socket.gethostname() or not number.isdigit() or not random:
        return False
    if int(number) == os.getpid():  # in a container everybody is number 1
        return name != this_process()
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # not ours to signal, so it is there
        return False
    return False
