"""The most that one command in a sandbox may take, as resource limits of its processes."""

from __future__ import annotations

from typing import Final

from reverie.plugins import Limits

__all__ = ["resource_limits"]

OPEN_FILES: Final = 4096
RESERVED: Final = 16
"""Programs reserve more addresses than they use (Node 10 GiB for each WebAssembly memory): this many times
the memory. What counts as memory is what may be written and is not shared: RLIMIT_DATA."""


def resource_limits(limits: Limits) -> dict[str, int]:
    """Names of the ``resource`` module, and bytes, seconds or counts. Each process is held to them alone; the
    number of processes is counted within the sandbox, as long as its user is not root outside."""
    return {
        "RLIMIT_DATA": limits.memory_bytes,
        "RLIMIT_AS": limits.memory_bytes * RESERVED,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_CPU": limits.cpu_s,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
    }
