"""Every error of ours, drawn as one tree.

    ReverieError                       exit code 1
    ├── UsageError                     2   the request itself is malformed
    │   ├── Invalid                            a field breaks a limit: which, which limit, which value
    │   ├── Archived                           what was archived is not changed or used any more
    │   ├── TooLarge                           more bytes than are taken
    │   └── AddressRefused                     a URL that is not connected to
    ├── Unauthenticated                1   no key, or none that is good
    ├── Forbidden                      1   the key does not allow it
    ├── RateLimited                    1   too many requests for now
    ├── Unsupported                    1   known, and not offered here
    ├── Unanswered                     1   somebody else's server gave no answer
    ├── NotFound                       1   no such session, proposal, memory, store
    ├── Ambiguous                      2   an id prefix that fits several things
    ├── NothingToDo                    3   well-formed, but there is nothing to work on
    ├── Conflict                       1   the thing changed since you looked
    │   ├── PreconditionFailed             it is not in the state that the caller named
    │   ├── StaleMemory                    a memory is not the one its writer saw
    │   ├── PathTaken                      another memory is at the path
    │   ├── StaleBase                      a memory is no longer what the proposal was written against
    │   └── AlreadyDecided                 a proposal was decided before
    ├── InvalidMemory                  2   a path or text that memory does not take
    │   └── StoreFull                          one memory more than a store holds
    ├── ImportFailed                   1   a source that could not be read at all
    │   └── NotATranscript                 no reader knows this file
    ├── StorageError                   1   the database said no
    │   ├── Unavailable                    cannot be opened or reached
    │   ├── DiskFull                       no room left: nothing half-written stays
    │   ├── SchemaMismatch                 made by a newer or foreign version
    │   └── Busy                           another process holds the writer's place too long
    ├── WorkerLost                     1   a process that worked for us ended before its work did
    ├── LeaseLost                      1   somebody else goes on with what we were doing
    ├── ModelFailed                    1   a model gave no answer
    │   ├── ModelOverloaded                    its provider has no room now
    │   ├── ModelRateLimited                   its provider was asked too often
    │   ├── ModelBilling                       its provider wants to be paid
    │   ├── ModelRefusedRequest                its provider does not take the request as it is
    │   └── ContextTooLong                     the request is longer than the model can read
    ├── SandboxFailed                  1   a sandbox could not be made, or ended by itself
    ├── ToolServerFailed               1   an MCP server gave no answer
    │   ├── ToolServerDenied                   it does not accept the credential
    │   └── ToolsChanged                       its tools are not those that were approved
    ├── Tampered                       1   a hash chain does not verify
    └── ConfigError                    4   a setting is missing or wrong

The docstring of a class says when it is raised; the message says what, where and what next.
"""

from __future__ import annotations

__all__ = [
    "AddressRefused",
    "AlreadyDecided",
    "Ambiguous",
    "Archived",
    "Busy",
    "ConfigError",
    "Conflict",
    "ContextTooLong",
    "DiskFull",
    "Forbidden",
    "ImportFailed",
    "Invalid",
    "InvalidMemory",
    "LeaseLost",
    "ModelBilling",
    "ModelFailed",
    "ModelOverloaded",
    "ModelRateLimited",
    "ModelRefusedRequest",
    "NotATranscript",
    "NotFound",
    "NothingToDo",
    "PathTaken",
    "PreconditionFailed",
    "RateLimited",
    "ReverieError",
    "SandboxFailed",
    "SchemaMismatch",
    "StaleBase",
    "StaleMemory",
    "StorageError",
    "StoreFull",
    "Tampered",
    "TooLarge",
    "ToolServerDenied",
    "ToolServerFailed",
    "ToolsChanged",
    "Unanswered",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "UsageError",
    "WorkerLost",
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


class Invalid(UsageError):
    """A field of a request breaks a limit: ``Invalid("name", "at most 255 characters", 300)``.

    ``value`` is what was given: a number reads "this has 300", anything else is quoted.
    """

    def __init__(
        self, field: str, limit: str, value: object | None = None, *, hint: str | None = None
    ) -> None:
        told = (
            "" if value is None else f", this has {value}" if isinstance(value, int) else f", not {value!r}"
        )
        super().__init__(limit + told, where=f"`{field}`", hint=hint)
        self.field = field
        self.limit = limit
        self.value = value


class Archived(UsageError):
    """The thing was archived, which is for good: it is read, and not changed or used any more."""


class TooLarge(UsageError):
    """A request, or a file in it, has more bytes than are taken."""


class AddressRefused(UsageError):
    """A URL that requests are not sent to: not https, not public, or not a URL at all."""


class Unauthenticated(ReverieError):
    """A request without a key, or with one that is unknown, malformed, expired or revoked."""


class Forbidden(ReverieError):
    """The key is good and does not allow this."""


class RateLimited(ReverieError):
    """Too many requests, or too many things held open, for now. ``retry_after`` is in seconds."""

    def __init__(
        self, what: str, *, retry_after: float, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.retry_after = retry_after


class Unsupported(ReverieError):
    """It is known what is meant, and it is not offered here."""


class Unanswered(ReverieError):
    """Somebody else's server could not be reached, or gave no whole answer in time."""


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


class PreconditionFailed(Conflict):
    """The thing is not in the state that the caller named (a lease that is lost)."""


class StaleMemory(Conflict):
    """A memory is not (or no longer) the one that its writer says to have seen."""


class PathTaken(Conflict):
    """Another memory is at the path already."""


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


class StoreFull(InvalidMemory):
    """A memory store holds as many memories as it may."""


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


class WorkerLost(ReverieError):
    """A worker process was killed, or could not do its work. What it did before is kept."""


class LeaseLost(ReverieError):
    """What we were doing has been given to another worker; whatever we would write is refused."""


class ModelFailed(ReverieError):
    """A model gave no answer, or none that can be read.

    ``retryable``: asking again may help. ``retry_after`` is in seconds, where the provider said so.
    """

    def __init__(
        self,
        what: str,
        *,
        retryable: bool = True,
        retry_after: float | None = None,
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.retryable = retryable
        self.retry_after = retry_after


class ModelOverloaded(ModelFailed):
    """The model's provider has no room for the request now."""


class ModelRateLimited(ModelFailed):
    """The model's provider was asked too often."""


class ModelBilling(ModelFailed):
    """The model's provider wants to be paid first."""


class ModelRefusedRequest(ModelFailed):
    """The model's provider does not take the request, and will not take it again (a bad key, a bad field)."""


class ContextTooLong(ModelFailed):
    """The request is longer than what the model can read."""


class SandboxFailed(ReverieError):
    """A sandbox could not be made, or ended by itself. Nothing ran outside it instead."""


class ToolServerFailed(ReverieError):
    """An MCP server could not be reached, or gave no whole answer."""


class ToolServerDenied(ToolServerFailed):
    """An MCP server does not accept our credential."""


class ToolsChanged(ToolServerFailed):
    """An MCP server describes its tools otherwise than when they were approved."""


class Tampered(ReverieError):
    """A hash chain does not verify: something was changed outside Reverie."""


class ConfigError(ReverieError):
    """A setting is missing or wrong."""

    exit_code = 4
