"""Errors on the wire: which status and type an error of ours has, and how a wrong field is told.

Every error, whoever raises it, leaves as
``{"type": "error", "error": {"type": …, "message": …}, "request_id": …}`` with the header ``request-id``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec

from reverie.domain import errors as ours
from reverie.domain.errors import Invalid, ReverieError, UsageError
from reverie.server.wire.base import Wire

__all__ = [
    "NOT_SUPPORTED",
    "STATUS",
    "ErrorBody",
    "ErrorObject",
    "MalformedBody",
    "Refusal",
    "WireError",
    "decoding_error",
    "refusal",
    "validation_error",
]

NOT_SUPPORTED: Final = "not_supported_error"


class ErrorObject(Wire):
    """What went wrong: a broad type, and a message for people. ``details`` only where there are any."""

    type: str
    message: str
    details: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class ErrorBody(Wire):
    """The body of every answer that is an error."""

    error: ErrorObject
    request_id: str
    type: str = "error"


class WireError(ReverieError):
    """An error that only the wire knows: its own status, type, and details (``error_code`` and fields)."""

    def __init__(
        self,
        what: str,
        *,
        status: int,
        type: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what)
        self.status = status
        self.type = type
        self.details = details
        self.headers = dict(headers or {})


class MalformedBody(UsageError):
    """The body is not JSON in UTF-8, or is nested too deeply."""


class Refusal(NamedTuple):
    """An error as it leaves: status, body, headers."""

    status: int
    error: ErrorObject
    headers: dict[str, str]


STATUS: Final[dict[type[ReverieError], tuple[int, str]]] = {
    ours.Unauthenticated: (401, "authentication_error"),
    ours.Forbidden: (403, "permission_error"),
    ours.NotFound: (404, "not_found_error"),
    ours.PreconditionFailed: (412, "precondition_failed_error"),
    ours.StaleMemory: (409, "memory_precondition_failed_error"),
    ours.PathTaken: (409, "memory_path_conflict_error"),
    ours.Conflict: (409, "conflict_error"),
    ours.TooLarge: (413, "request_too_large"),
    ours.RateLimited: (429, "rate_limit_error"),
    ours.Unsupported: (501, NOT_SUPPORTED),
    ours.Busy: (529, "overloaded_error"),
    ours.Unavailable: (503, "api_error"),
    ours.DiskFull: (507, "api_error"),
    ours.StorageError: (500, "api_error"),
    ours.Tampered: (500, "api_error"),
    ours.ConfigError: (500, "api_error"),
    ours.ReverieError: (400, "invalid_request_error"),  # whatever else: the request could not be met
}
_NO_RETRY: Final = {"x-should-retry": "false"}  # clients repeat 409 and 5xx; where that cannot help, say so
_INTERNAL: Final = "something went wrong here; the server's log has the details under this request id"


def refusal(error: BaseException) -> Refusal:
    """The answer to an error: of ours by the table above, any other a 500 that tells nothing of the inside."""
    if isinstance(error, WireError):
        details = dict(error.details) if error.details is not None else msgspec.UNSET
        told = ErrorObject(type=error.type, message=str(error), details=details)
        return Refusal(error.status, told, error.headers)
    if not isinstance(error, ReverieError):
        return Refusal(500, ErrorObject(type="api_error", message=_INTERNAL), {})
    status, kind = next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)
    message = _INTERNAL if status == 500 else _message(error)
    return Refusal(status, ErrorObject(type=kind, message=message), _headers(error, status))


def _message(error: ReverieError) -> str:
    """What, where and what next; but not where the database is."""
    inside = error.where is None or isinstance(error, ours.StorageError)
    told = error.what if inside else f"{error.where}: {error.what}"
    return told if error.hint is None else f"{told} ({error.hint})"


def _headers(error: ReverieError, status: int) -> dict[str, str]:
    if isinstance(error, ours.RateLimited):
        return {"retry-after": str(max(1, math.ceil(error.retry_after)))}
    if status == 401:
        return {"www-authenticate": 'Bearer realm="reverie"'}
    if status in (503, 529):
        return {"retry-after": "1"}
    return dict(_NO_RETRY) if status in (409, 501, 507) else {}


# ---------------------------------------------------------------------- fields

_AT: Final = re.compile(r" - at `(?:(?P<key>key)` in `)?\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\[(\d+|\.\.\.)\]|\.?((?:[^.\[]|\[(?!\d+\]|\.\.\.\]))+)")
_LENGTH: Final = re.compile(r"Expected `(str|array|object|bytes)` of length (<=|>=|==) (\d+)")
_RANGE: Final = re.compile(r"Expected `(?:int|float|decimal)[^`]*` (<=|>=|<|>) (\S+)")
_PATTERN: Final = re.compile(r"Expected `str` matching regex (.*)")
_TYPE: Final = re.compile(r"Expected `([^`]+)`(?:, got `([^`]+)`)?")
_MISSING: Final = re.compile(r"Object missing required field `(.+?)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`")
_SIDES: Final = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than", "==": "exactly"}
_UNITS: Final = {"str": "characters", "array": "items", "object": "entries", "bytes": "bytes"}
_NAMES: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "datetime": "a time (RFC 3339)",
    "bytes": "base64",
}
_KINDS: Final[dict[type, str]] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    list: "array",
    dict: "object",
    type(None): "null",
}
_LONGEST: Final = 120
_SECRETS: Final = frozenset(
    {
        *("auth", "access_token", "authorization_token", "client_secret", "refresh_token", "secret_value"),
        "token",
    }
)
"""Fields whose values are never repeated, nor what is inside them."""
_ABSENT: Final = object()


def validation_error(error: msgspec.ValidationError, data: Any) -> UsageError:
    """A wrong field, told as field, limit and value. ``data`` is the whole input as plain data."""
    text = str(error)
    at = _AT.search(text)
    said = text[: at.start()] if at else text
    steps = _steps(at["path"]) if at else []
    if missing := _MISSING.match(said):
        return Invalid(_field([*steps, missing[1]]), "required, and it is missing")
    if unknown := _UNKNOWN.match(said):
        return Invalid(_field([*steps, unknown[1]]), "unknown here")
    if at and at["key"]:
        return Invalid(_field(steps), f"keys of {_limit(said)}", _longest_key(_walk(data, steps)))
    steps = _settle(data, steps, said)
    value = _walk(data, steps)
    if _LENGTH.match(said) and isinstance(value, str | list | dict):
        return Invalid(_field(steps), _limit(said), len(cast(str, value)))
    hidden = value is _ABSENT or not _SECRETS.isdisjoint(steps)
    shown = "" if hidden else f", this is {_shown(value)}"
    return Invalid(_field(steps), _limit(said) + shown)


def decoding_error(error: Exception) -> UsageError:
    """A body that is not JSON at all."""
    if isinstance(error, RecursionError):
        return MalformedBody("the body is nested too deeply")
    if isinstance(error, UnicodeError):
        return MalformedBody("the body is not UTF-8, or holds half a surrogate pair")
    return MalformedBody(f"the body is not JSON: {error}")


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for index, name in _STEP.findall(path):
        steps.append(name or (index if index == "..." else int(index)))
    return steps


def _field(steps: list[str | int]) -> str:
    told = "".join(f"[{step}]" if isinstance(step, int) or step == "..." else f".{step}" for step in steps)
    return told.removeprefix(".") or "body"


def _walk(data: Any, steps: list[str | int]) -> Any:
    """What is at the end of ``steps``; ``_ABSENT`` when that cannot be told (one value of a mapping)."""
    for step in steps:
        if isinstance(data, dict) and step in data:
            data = cast(dict[Any, Any], data)[step]
        elif isinstance(data, list) and isinstance(step, int) and step < len(cast(list[Any], data)):
            data = cast(list[Any], data)[step]
        else:
            return _ABSENT
    return data


def _longest_key(found: Any) -> int | None:
    return max(map(len, cast(dict[str, Any], found)), default=None) if isinstance(found, dict) else None


def _settle(data: Any, steps: list[str | int], said: str) -> list[str | int]:
    """``steps`` with the key in place of "one of the mapping's values", which is all that msgspec says: the
    first whose value breaks what was said."""
    if "..." not in steps:
        return steps
    at = steps.index("...")
    found = _walk(data, steps[:at])
    keys = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    settled = [_settle(data, [*steps[:at], key, *steps[at + 1 :]], said) for key in keys]
    return next((tried for tried in settled if _breaks(said, _walk(data, tried))), steps)


def _breaks(said: str, value: Any) -> bool:
    if found := _LENGTH.match(said):
        size, most = len(cast(str, value)) if isinstance(value, str | list | dict) else 0, int(found[3])
        return {"<=": size > most, ">=": size < most, "==": size != most}[found[2]]
    if found := _TYPE.match(said):
        return found[2] == _KINDS.get(type(cast(object, value)))
    return value is not _ABSENT


def _limit(said: str) -> str:
    """msgspec's sentence in ours: ``at most 255 characters``, ``at least 1``, ``a text``."""
    if found := _LENGTH.match(said):
        return f"{_SIDES[found[2]]} {found[3]} {_UNITS[found[1]]}"
    if found := _RANGE.match(said):
        return f"{_SIDES[found[1]]} {found[2]}"
    if found := _PATTERN.match(said):
        return f"of the form {found[1]}"
    if found := _TYPE.match(said):
        return " or ".join(_NAMES.get(part, part) for part in found[1].split(" | "))
    return "one of the known values" if said.startswith(("Invalid enum value", "Invalid value")) else said


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):  # there may be anything in it
        return _NAMES["object" if isinstance(value, dict) else "array"]
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
