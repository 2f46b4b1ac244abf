"""What went wrong with something that a session mounts, in words that its agent understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["Kind", "Trouble", "bounded"]

Kind: TypeAlias = Literal[
    "mount_failed",
    "sync_conflict",
    "store_full",
    "invalid_memory",
    "outputs_failed",
    "repository_authentication",
    "repository_forbidden",
    "repository_not_found",
    "repository_checkout",
    "repository_clone",
]
_SINGLY: Final = 5
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that went wrong, and what can be done. ``path`` is where, as the sandbox sees it; ``url`` of
    which repository."""

    kind: Kind
    message: str
    path: str | None = None
    url: str | None = None


def bounded(troubles: Sequence[Trouble]) -> list[Trouble]:
    """The first few of each kind, and the others of it as one: a thousand bad files are no thousand events."""
    told: list[Trouble] = []
    kinds: dict[Kind, None] = dict.fromkeys(trouble.kind for trouble in troubles)
    for kind in kinds:
        mine = [trouble for trouble in troubles if trouble.kind == kind]
        told += mine[:_SINGLY]
        if rest := mine[_SINGLY:]:
            paths = [trouble.path for trouble in rest if trouble.path is not None]
            more = ", …" if len(paths) > _NAMED else ""
            told.append(Trouble(kind, f"{len(rest):,} more like these: {', '.join(paths[:_NAMED])}{more}"))
    return told
