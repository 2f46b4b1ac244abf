"""How tools answer: plain sentences for a model, whatever the file's name or the system's error was."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Callable
from typing import Any, Final

from reverie.domain.events import JsonObject
from reverie.domain.messages import Text
from reverie.plugins import Output

__all__ = [
    "Told",
    "attempted",
    "counted",
    "encoded",
    "failed",
    "input_schema",
    "optional",
    "reason",
    "said",
    "shown",
]

_ODD: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_REASONS: Final = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "not allowed here",
    errno.EPERM: "not allowed here",
    errno.EROFS: "it can be read and not written here",
    errno.ENOSPC: "there is no room left on the disk",
    errno.EDQUOT: "there is no room left on the disk",
    errno.EINVAL: "it is no plain file",
    errno.EFBIG: "the file would be too large",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "links lead in a circle, or out of the sandbox",
}


class Told(Exception):
    """What stands in the way of a call, in the words that the model is to read."""


async def attempted(work: Callable[[], Output], what: str) -> Output:
    """What ``work`` gives, done off the event loop; ``what`` begins the sentence where a file cannot be had."""
    try:
        return await asyncio.to_thread(work)
    except Told as told:
        return failed(str(told))
    except (OSError, ValueError) as error:
        return failed(f"{what}: {reason(error)}.")


def said(text: str) -> Output:
    """An answer that is one text."""
    return Output((Text(text),))


def failed(text: str) -> Output:
    """What went wrong, in one text."""
    return Output((Text(text),), is_error=True)


def reason(error: OSError | ValueError) -> str:
    """Why a file could not be had, in words that name no place of the machine outside the sandbox."""
    if isinstance(error, OSError):
        known = _REASONS.get(error.errno or 0)
        return known or (os.strerror(error.errno) if error.errno else "the system refused").lower()
    return "this is no path"  # a NUL in it, or a surrogate


def shown(path: str) -> str:
    """A path on one line, whatever is in it. A name with control characters, or one that is no UTF-8, is
    quoted with those escaped: a file cannot be called so that it looks like two."""
    if not _ODD.search(path):
        return path
    return '"' + _ODD.sub(_escaped, path.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    )


def encoded(text: str, field: str) -> bytes:
    """
    Raises:
        Told: it holds what UTF-8 cannot.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Told(f"`{field}` holds half of a surrogate pair, which no file can.") from None


def counted(number: int, noun: str) -> str:
    """``1 line``, ``1,200 lines``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def optional(schema: JsonObject) -> dict[str, Any]:
    """The schema of a field that may also be null: some models fill in every field."""
    return {**schema, "type": [schema["type"], "null"]}


def input_schema(required: JsonObject, others: JsonObject | None = None) -> dict[str, Any]:
    """The schema of an input: its required fields, and its optional ones."""
    rest = {name: optional(field) for name, field in (others or {}).items()}
    return {
        "type": "object",
        "properties": {**required, **rest},
        "required": list(required),
        "additionalProperties": False,
    }
