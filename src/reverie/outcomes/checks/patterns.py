"""Patterns in checks: regular expressions on RE2, which no pattern can hang, and globs of relative paths."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

__all__ = ["MAX_PATTERN", "Expression", "compiled", "fits"]

MAX_PATTERN: Final = 1_000
"""Characters of a pattern."""
_MEMORY: Final = 8 << 20  # bytes that one expression's automaton may take
_re2: Any = re2
_NotAPattern = cast(type[Exception], _re2.error)


class Expression(Protocol):
    """An expression that was understood; a match has ``group()``, ``start()`` and ``end()``."""

    def search(self, text: str, pos: int = 0) -> Any: ...

    def finditer(self, text: str) -> Any: ...


@lru_cache(maxsize=512)
def compiled(pattern: str, *, ignore_case: bool = False) -> Expression:
    """A regular expression. ``^`` and ``$`` are the ends of lines.

    Raises:
        ValueError: it is none that RE2 knows; the message says why.
    """
    options = _re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignore_case
    try:
        return cast(Expression, _re2.compile(f"(?m){pattern}", options))
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair") from None
    except _NotAPattern as error:
        told = error.args[0] if error.args else error
        raise ValueError(told.decode() if isinstance(told, bytes) else str(told)) from None


def fits(path: str, pattern: str) -> bool:
    """Whether a relative path fits a glob: ``*``, ``?`` and ``[…]`` stay within a segment, ``**`` is any
    number of segments."""
    reached = {0}  # how many segments of the pattern may have been used so far
    wanted = pattern.split("/")
    for segment in path.split("/"):
        reached = {step for at in _skipping(reached, wanted) for step in _after(at, wanted, segment)}
    return len(wanted) in _skipping(reached, wanted)


def _skipping(reached: set[int], wanted: list[str]) -> set[int]:
    every = set(reached)
    for at in range(len(wanted)):
        if at in every and wanted[at] == "**":
            every.add(at + 1)
    return every


def _after(at: int, wanted: list[str], segment: str) -> tuple[int, ...]:
    if at == len(wanted):
        return ()
    if wanted[at] == "**":
        return (at,)
    return (at + 1,) if fnmatchcase(segment, wanted[at]) else ()
