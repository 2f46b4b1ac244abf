"""Looking into foreign JSON without believing it: every accessor gives the type it names, or nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Final, cast

from reverie.domain.events import Json

__all__ = [
    "blocks",
    "fact",
    "headline",
    "instant",
    "integer",
    "mapping",
    "repository_of",
    "sequence",
    "string",
    "text_block",
    "user_of",
]

FACT_LENGTH: Final = 500
GOAL_LENGTH: Final = 300
_MILLISECONDS: Final = 10**11  # an epoch beyond this many seconds is the year 5138: it is in milliseconds
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_HOME: Final = re.compile(r"^(?:/(?:Users|home)|[A-Za-z]:[\\/]Users)[\\/]([^\\/]+)")
_WORKTREES: Final = re.compile(r"^(?P<repository>.+?)/(?:\.worktrees?|\.[^/]+/worktrees?)/.+$")
_NOBODY: Final = frozenset({"shared", "public", "runner", "root"})


def mapping(value: Json) -> dict[str, Json]:
    """``value`` when it is an object, else an empty one."""
    return cast(dict[str, Json], value) if isinstance(value, dict) else {}


def sequence(value: Json) -> list[Json]:
    """``value`` when it is a list, else an empty one."""
    return cast(list[Json], value) if isinstance(value, list) else []


def string(value: Json) -> str | None:
    """``value`` when it is a string that is not empty."""
    return value if isinstance(value, str) and value else None


def integer(value: Json) -> int | None:
    """``value`` when it is a whole number (a boolean is none)."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def fact(value: Json) -> str | None:
    """A short string fit for a column of its own: one line, no control characters, at most 500 long."""
    if not isinstance(value, str):
        return None
    line = value if value.isprintable() else _CONTROL.sub(" ", value)
    return line.strip()[:FACT_LENGTH] or None


def instant(value: Json) -> datetime | None:
    """An aware UTC datetime from ISO 8601 text (naive: taken as UTC) or an epoch in seconds or milliseconds."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def text_block(text: str) -> dict[str, Json]:
    return {"type": "text", "text": text}


def blocks(content: Json) -> list[dict[str, Json]]:
    """Message content in its one canonical shape, a list of blocks. Strings become text blocks."""
    if isinstance(content, str):
        return [text_block(content)] if content else []
    return [text_block(b) if isinstance(b, str) else mapping(b) for b in sequence(content) if b]


def headline(text: str) -> str | None:
    """``text`` on one line, at most 300 characters, cut at a word."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    if len(line) <= GOAL_LENGTH:
        return line or None
    return line[:GOAL_LENGTH].rsplit(" ", 1)[0] + " …"


def user_of(cwd: Json) -> str | None:
    """The account name in a home directory's path; None for paths and accounts that name nobody."""
    found = _HOME.match(cwd) if isinstance(cwd, str) else None
    name = found[1] if found else None
    return None if name is None or name.lower() in _NOBODY else fact(name)


def repository_of(cwd: Json) -> str | None:
    """A guess at the repository's name: the working directory's last part, a worktree's parent repository."""
    path = string(cwd)
    if path is None:
        return None
    path = path.replace("\\", "/").rstrip("/")
    inside = _WORKTREES.match(path)
    if inside:
        path = inside["repository"]
    return fact(PurePosixPath(path).name)
