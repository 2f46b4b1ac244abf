"""Memory: named stores of small texts at paths; a write is a new version, nothing is overwritten."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from reverie.domain.errors import InvalidMemory

__all__ = [
    "MAX_CONTENT_BYTES",
    "MAX_MEMORIES",
    "MAX_PATH_BYTES",
    "MAX_PATH_SEGMENTS",
    "Memory",
    "MemoryStore",
    "MemoryVersion",
    "Operation",
    "content_sha256",
    "valid_content",
    "valid_path",
]

MAX_PATH_BYTES: Final = 1024
MAX_PATH_SEGMENTS: Final = 20
MAX_CONTENT_BYTES: Final = 102_400
MAX_MEMORIES: Final = 2_000

Operation = Literal["created", "modified", "deleted"]

_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Unicode categories that no eye sees: two paths that look the same shall be the same."""


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """A named set of memories. Names need not be unique; an archived store is only read.

    ``updated_at`` is of the store itself: what happens to its memories does not count.
    """

    id: str
    name: str
    description: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Memory:
    """The newest version of one text document. ``content_sha256`` (hex) is what a writer names to say
    "I saw this one": the optimistic lock. ``created_at`` is None in one that was never kept."""

    id: str
    store_id: str
    path: str
    content: str
    content_sha256: str
    version_id: str
    version: int
    updated_at: datetime
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MemoryVersion:
    """One append-only row of a memory's history. ``content`` is None for a deletion; path and content are
    empty and None once it is redacted, and only who and when remain."""

    id: str
    memory_id: str
    store_id: str
    path: str
    version: int
    operation: Operation
    content: str | None
    content_sha256: str | None
    actor: str
    reason: str | None
    proposal_id: str | None
    created_at: datetime
    redacted_at: datetime | None = None
    redacted_by: str | None = None


def content_sha256(content: str) -> str:
    """The hex digest of the UTF-8 bytes of ``content``."""
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def valid_path(path: str) -> str:
    """``path`` as memory keeps it (absolute, NFC). A path is a key in a table, never a place on a disk,
    and still must be harmless when someone writes it to one.

    Raises:
        InvalidMemory: not absolute, empty or dotted segments, control characters, too long or too deep.
    """
    normal = unicodedata.normalize("NFC", path)
    try:
        size = len(normal.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidMemory("a memory path must be valid Unicode", where=repr(path)) from None
    segments = normal.split("/")[1:]
    if not normal.startswith("/"):
        raise InvalidMemory("a memory path starts with '/'", where=path, hint=f"write it as /{path}")
    if any(s in ("", ".", "..") for s in segments):
        raise InvalidMemory("a memory path has no empty, '.' or '..' segment", where=path)
    if "\\" in normal or any(unicodedata.category(c) in _UNSEEN for c in normal):
        raise InvalidMemory(
            "a memory path has no control or format characters, no line separators and no backslash",
            where=repr(path),
        )
    if len(segments) > MAX_PATH_SEGMENTS:
        raise InvalidMemory(
            f"{len(segments)} segments; a memory path has at most {MAX_PATH_SEGMENTS}", where=path
        )
    if size > MAX_PATH_BYTES:
        raise InvalidMemory(f"{size} bytes; a memory path has at most {MAX_PATH_BYTES}", where=path[:80])
    return normal


def valid_content(content: str, *, where: str) -> str:
    """``content`` unchanged.

    Raises:
        InvalidMemory: over 102,400 bytes, or not valid Unicode, or holding NUL.
    """
    try:
        size = len(content.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidMemory("the text is not valid Unicode (a lone surrogate)", where=where) from None
    if "\x00" in content:
        raise InvalidMemory("the text holds a NUL character", where=where)
    if size > MAX_CONTENT_BYTES:
        raise InvalidMemory(
            f"{size:,} bytes; a memory holds at most {MAX_CONTENT_BYTES:,}",
            where=where,
            hint="split it into several memories",
        )
    return content
