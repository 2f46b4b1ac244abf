"""What is known of a session's folders, kept in small files beside them where no sandbox sees it."""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec

__all__ = ["boot", "keep", "kept"]

T = TypeVar("T")

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def kept(path: Path, kind: type[T]) -> T:
    """What was kept there, or an empty one where nothing was, or nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return kind()


def keep(path: Path, what: object) -> None:
    """Keep it: who reads finds the old or the new one. Not forced to the disk: see ``boot``."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    fresh.write_bytes(msgspec.json.encode(what))
    fresh.replace(path)


@cache
def boot() -> str:
    """Which start of the machine this is. Files written before another one may have been lost half-way by a
    power cut: what is missing then was not deleted by anybody."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""
