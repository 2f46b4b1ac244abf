"""What becomes of a path that an area may have changed, and those it was forked from, too: pure functions.

Three entries tell: what both had (``was``), what the area has (``mine``) and what the others have (``theirs``).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, TypeVar

from reverie.folders.entries import Entry
from reverie.memory.merge import mergeable, three_way

__all__ = ["Action", "Decision", "decide", "merged_text", "unit"]

T = TypeVar("T")

Action: TypeAlias = Literal["agreed", "taken", "deleted", "merged", "clash"]


class Decision(NamedTuple):
    """``after``: what is to stand there, for both. Of a clash that is what the others have; its texts may still
    be merged."""

    action: Action
    after: Entry | None


def decide(was: Entry | None, mine: Entry | None, theirs: Entry | None) -> Decision:
    """Three-way, for a path as a whole; of two files, bytes and permissions apart."""
    if mine in (was, theirs):
        return Decision("agreed", theirs)
    if theirs == was:
        return Decision("deleted" if mine is None else "taken", mine)
    if mine is not None and theirs is not None and mine.kind == theirs.kind:
        return _both(was or Entry(mine.kind, -1, ""), mine, theirs)
    if (
        mine is not None
        and mine.kind == "folder"
        and theirs is None
        and was is not None
        and was.kind != "folder"
    ):
        return Decision("taken", mine)  # nothing stands in its way any more
    folder = "folder" in (mine.kind if mine else None, theirs.kind if theirs and mine is None else None)
    return Decision(
        "agreed" if folder else "clash", theirs
    )  # of a folder, what is in it says what is to be said


def _both(was: Entry, mine: Entry, theirs: Entry) -> Decision:
    """Both have a file there, or a link, or a folder, and not the same as before."""
    if mine.id not in (was.id, theirs.id) and theirs.id != was.id:
        return Decision("clash", theirs)
    after = Entry(mine.kind, _pick(was.mode, mine.mode, theirs.mode), _pick(was.id, mine.id, theirs.id))
    return Decision("agreed" if after == theirs else "taken", after)


def _pick(was: T, mine: T, theirs: T) -> T:
    """Whoever changed it decides; of two, the others."""
    return mine if theirs == was else theirs


def merged_text(was: bytes, mine: bytes, theirs: bytes) -> bytes | None:
    """One text with the changes of both; None where they meet, or one is no text."""
    try:
        base, ours, other = was.decode("utf-8"), mine.decode("utf-8"), theirs.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "\0" in ours or "\0" in other or not mergeable(base, ours, other):
        return None
    merge = three_way(base, other, ours)
    return merge.text.encode("utf-8") if merge.clean else None


def unit(name: str) -> str | None:
    """What a path is to be judged together with: git's own files describe one state, and half of another one
    would break it. Its objects are named by what is in them, and fit everywhere."""
    before, git, within = f"/{name}".partition("/.git/")
    return before + git if git and not within.startswith("objects/") and within != "objects" else None
