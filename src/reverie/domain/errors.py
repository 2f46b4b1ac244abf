"""Every error of ours, drawn as one tree.

    ReverieError                       exit code 1
    ├── UsageError                     2   the request itself is malformed
    ├── NotFound                       1   no such session, proposal, memory, store
    ├── Ambiguous                      2   an id prefix that fits several things
    ├── NothingToDo                    3   well-formed, but there is nothing to work on
    ├── Conflict                       1   the thing changed since you looked
    │   ├── StaleBase                      a memory is no longer what the proposal was written against
    │   └── AlreadyDecided                 a proposal was decided before
    ├── InvalidMemory                  2   a path or text that memory does not take
    ├── ImportFailed                   1   a source that could not be read at all
    │   └── NotATranscript                 no reader knows this file
    ├── StorageError                   1   the database said no
    │   ├── Unavailable                    cannot be opened or reached
    │   ├── DiskFull                       no room left: nothing half-written stays
    │   ├── SchemaMismatch                 made by a newer or foreign version
    │   └── Busy                           another process holds the writer's place too long
    ├── Tampered                       1   a hash chain does not verify
    └── ConfigError                    4   a setting is missing or wrong

The docstring of a class says when it is raised; the message says what, where and what next.
"""

from __future__ import annotations

__all__ = [
    "AlreadyDecided",
    "Ambiguous",
    "Busy",
    "ConfigError",
    "Conflict",
    "DiskFull",
    "ImportFailed",
    "InvalidMemory",
    "NotATranscript",
    "NotFound",
    "NothingToDo",
    "ReverieError",
    "SchemaMismatch",
    "StaleBase",
    "StorageError",
    "Tampered",
    "Unavailable",
    "UsageError",
]


class ReverieError(Exception):
    """The root: catch this to catch everything Reverie raises on purpose."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        return text if self.hint is None else f"{text}\n  next: {self.hint}"


class UsageError(ReverieError):
    """The request itself is malformed (an unknown option value, a bad date)."""

    exit_code = 2


class NotFound(ReverieError):
    """There is no such session, proposal, memory or store."""


class Ambiguous(ReverieError):
    """An id prefix fits more than one thing."""

    exit_code = 2


class NothingToDo(ReverieError):
    """The request is well-formed, but there is nothing to work on."""

    exit_code = 3


class Conflict(ReverieError):
    """The thing changed since the caller looked at it."""


class StaleBase(Conflict):
    """A memory is no longer what the proposal was written against, and the two changes overlap.

    ``merged`` holds the three-way merge with conflict markers, for showing.
    """

    def __init__(self, what: str, *, merged: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.merged = merged


class AlreadyDecided(Conflict):
    """The proposal was approved, modified, rejected or superseded before."""


class InvalidMemory(ReverieError):
    """A path or a text that memory does not take (grammar, size, encoding)."""

    exit_code = 2


class ImportFailed(ReverieError):
    """A source could not be read at all; nothing of it was kept."""


class NotATranscript(ImportFailed):
    """No reader recognises the file."""


class StorageError(ReverieError):
    """The database refused or failed."""


class Unavailable(StorageError):
    """The database cannot be opened or reached."""


class DiskFull(StorageError):
    """There is no room left on the device; the whole write was rolled back."""


class SchemaMismatch(StorageError):
    """The database was made by a newer version, or is not Reverie's."""


class Busy(StorageError):
    """Another process held the writer's place for too long."""


class Tampered(ReverieError):
    """A hash chain does not verify: something was changed outside Reverie."""


class ConfigError(ReverieError):
    """A setting is missing or wrong."""

    exit_code = 4
