"""Patterns that models write: of paths (doublestar globs) and of text. Both run on RE2, whose time is linear
in what it reads, so that no pattern can hang the process that was asked to search by it."""

from __future__ import annotations

import posixpath
from typing import Any, Final, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

from reverie.tools.answers import Told

__all__ = ["Matcher", "glob_matcher", "glob_root", "text_matcher"]

_LONGEST: Final = 1_000
_MEMORY: Final = 8 << 20  # bytes that one pattern's automaton may take
_MAGIC: Final = frozenset("*?[{")
_re2: Any = re2
_NotAPattern = cast(type[Exception], _re2.error)


class Matcher(Protocol):
    """A pattern that was understood."""

    def search(self, text: bytes, pos: int = 0) -> Any: ...


def text_matcher(pattern: str, *, ignore_case: bool = False) -> Matcher:
    """A regular expression over the bytes of UTF-8 text. ``^`` and ``$`` are the ends of lines.

    Raises:
        Told: it is none that RE2 knows.
    """
    return _compiled(f"(?m{'i' if ignore_case else ''}){pattern}", pattern, lines=True)


def glob_matcher(pattern: str) -> Matcher:
    """A pattern of whole relative paths: ``*`` and ``?`` stay within a segment, ``**`` is any number of
    segments, ``[a-z]`` and ``[!a-z]`` are classes, ``{a,b}`` is a choice.

    Raises:
        Told: it is absolute, leads upwards, or has a brace or bracket too many.
    """
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise Told("a pattern is relative and has no `..`: name the folder in `path`.")
    return _compiled(rf"\A(?s:{_translated(posixpath.normpath(pattern))})\z", pattern, lines=False)


def glob_root(pattern: str) -> tuple[str, str]:
    """The folder that an absolute pattern begins with, and the rest: (``/a``, ``*.py``) of ``/a/*.py``."""
    segments = pattern.split("/")
    plain = next((n for n, part in enumerate(segments) if _MAGIC & set(part)), len(segments) - 1)
    return "/".join(segments[:plain]) or "/", "/".join(segments[plain:])


def _compiled(expression: str, pattern: str, *, lines: bool) -> Matcher:
    if len(pattern) > _LONGEST:
        raise Told(f"a pattern has at most {_LONGEST:,} characters, this has {len(pattern):,}.")
    options = _re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.never_nl = lines  # a match is within a line, even where a class could hold its end
    try:
        return cast(Matcher, _re2.compile(expression.encode(), options))
    except UnicodeEncodeError:
        raise Told("the pattern holds half of a surrogate pair.") from None
    except _NotAPattern as error:
        raise Told(f"this is no pattern of RE2 (which has no look-around and no \\1): {error}") from None


def _translated(pattern: str) -> str:
    out, at, braces = "", 0, 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            piece, end = "(?:[^/]+/)*", at + 3
        elif pattern.startswith("**", at):
            piece, end = ".*", at + 2
        elif pattern[at] == "[":
            piece, end = _class(pattern, at)
        else:
            piece, end = _piece(pattern[at], braces), at + 1
            braces += {"(?:": 1, ")": -1}.get(piece, 0)
        out, at = out + piece, end
    if braces:
        raise Told("a brace is open at the end of the pattern.")
    return out


def _piece(sign: str, braces: int) -> str:
    match sign:
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case "{":
            return "(?:"
        case "}" if braces:
            return ")"
        case "," if braces:
            return "|"
        case _:
            return _literal(sign)


def _class(pattern: str, at: int) -> tuple[str, int]:
    """The class that begins at a bracket, and where it ends."""
    end = pattern.find("]", at + 2 if pattern[at + 1 : at + 2] in ("!", "^", "]") else at + 1)
    if end < 0:
        raise Told("a bracket is open at the end of the pattern.")
    inside = pattern[at + 1 : end]
    negated = inside[:1] in ("!", "^")
    signs = "".join(sign if sign == "-" else _literal(sign) for sign in inside[negated:])
    return f"[{'^/' if negated else ''}{signs}]", end + 1


def _literal(sign: str) -> str:
    return sign if sign.isalnum() or sign in "_/ " or ord(sign) > 127 else f"\\x{{{ord(sign):x}}}"
