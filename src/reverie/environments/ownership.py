"""Whose a sandbox's processes and folders are: a server that is root gives up being it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from reverie.domain.errors import SandboxFailed

__all__ = ["NOBODY", "USER_VARIABLE", "give", "sandbox_user"]

USER_VARIABLE: Final = "REVERIE_SANDBOX_UID"
NOBODY: Final = 65534


def sandbox_user(variables: Mapping[str, str]) -> tuple[int, int] | None:
    """The user and group of sandboxes, where they are not the server's own.

    Raises:
        SandboxFailed: it would be root.
    """
    if os.geteuid() != 0:
        return None
    said = variables.get(USER_VARIABLE, str(NOBODY))
    if not said.isdecimal() or int(said) == 0:
        raise SandboxFailed(
            f"${USER_VARIABLE} is {said!r}, which is no user that sandboxes may belong to",
            hint=f"set it to the number of a user who owns nothing else, such as {NOBODY}",
        )
    return int(said), int(said)


def give(folder: Path, user: int, group: int) -> None:
    """A folder and all of root's in it. Links are given, not what they lead to."""
    for _, folders, files, fd in os.fwalk(folder, follow_symlinks=False):
        for name in (".", *folders, *files):
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=fd, follow_symlinks=False).st_uid == 0:
                    os.chown(name, user, group, dir_fd=fd, follow_symlinks=False)
