"""Control groups (version 2): limits of a whole sandbox, where resource limits are of each process.

They want a group that somebody has given us: ``$REVERIE_CGROUP`` is its folder, such as that of a systemd
service with ``Delegate=yes`` and ``DelegateSubgroup=server``. Each command is in a group of its own below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from reverie.environments.spawning import GROUP_PREFIX, Group
from reverie.plugins import Limits

__all__ = ["GROUP_VARIABLE", "control_group", "obstacle"]

GROUP_VARIABLE: Final = "REVERIE_CGROUP"
_CONTROLLERS: Final = ("memory", "pids")
_OWN_PROCESSES: Final = 3  # of bwrap: the one that waits outside, the first one inside, and one that it forks


def control_group(variables: Mapping[str, str], limits: Limits) -> Group | None:
    """The group of one command; None where no folder is given to us."""
    folder = variables.get(GROUP_VARIABLE)
    if not folder:
        return None
    files = {
        "memory.max": str(limits.memory_bytes),
        "memory.oom.group": "1",
        "pids.max": str(limits.processes + _OWN_PROCESSES),
    }
    return Group(parent=folder, files=files)


def obstacle(variables: Mapping[str, str]) -> str | None:
    """Why the folder that is given to us cannot be used; None where it can, or none is given. Groups that
    are left of a server that was killed are removed."""
    said = variables.get(GROUP_VARIABLE)
    if not said:
        return None
    folder = Path(said)
    try:
        for left in folder.glob(f"{GROUP_PREFIX}*"):
            with suppress(OSError):
                left.rmdir()
        control = folder / "cgroup.subtree_control"
        missing = [name for name in _CONTROLLERS if name not in control.read_text().split()]
        if missing:
            control.write_text(" ".join(f"+{name}" for name in missing))
    except OSError as error:
        return (
            f"${GROUP_VARIABLE} is {said}, where sandboxes cannot be limited: {error}; name a folder of cgroup "
            "v2 that this user may write and in which no process is (systemd: Delegate=yes, DelegateSubgroup=)"
        )
    return None
