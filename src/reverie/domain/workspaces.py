"""Workspaces: walls inside one database. What is in one cannot be seen or changed from another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reverie.domain.errors import Invalid

__all__ = ["DEFAULT_WORKSPACE", "EVERYWHERE", "WorkspaceInfo", "identity", "valid_label"]

DEFAULT_WORKSPACE: Final = "wrkspc_default"
"""Where everything is when nobody speaks of workspaces."""

EVERYWHERE: Final = "*"
"""No workspace: the scope of the few jobs that look after the whole database (checking keys, walking hash
chains, delivering). A query that asks for one workspace finds nothing from here."""


_MAX_LABEL: Final = 200


@dataclass(frozen=True, slots=True)
class WorkspaceInfo:
    """A workspace. ``created_at`` is None for the default one, which is always there."""

    id: str
    name: str
    created_at: datetime | None = None
    archived_at: datetime | None = None


def identity(workspace: str, *parts: str) -> tuple[str, ...]:
    """What identifies a thing whose id is derived: ``parts`` alone in the default workspace, so that ids
    are what they were before there were others, and the workspace before them elsewhere."""
    return parts if workspace == DEFAULT_WORKSPACE else (workspace, *parts)


def valid_label(field: str, text: str) -> str:
    """What somebody calls a workspace or a key, without outer blanks.

    Raises:
        Invalid: it is empty, longer than 200 characters, or holds unprintable ones.
    """
    plain = text.strip()
    if not 0 < len(plain) <= _MAX_LABEL:
        raise Invalid(field, f"1 to {_MAX_LABEL} characters", len(plain))
    if not plain.isprintable():
        raise Invalid(field, "printable characters", plain)
    return plain
