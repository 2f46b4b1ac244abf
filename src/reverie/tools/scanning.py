"""The lines of one file that match a pattern, block by block, and how they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.plugins import Sandbox
from reverie.tools.patterns import Matcher

__all__ = ["Hit", "hits", "told_lines"]

_BLOCK: Final = 1 << 20  # small enough for the slowest of patterns to be stopped in time
_BINARY: Final = 8_192  # a NUL among the first bytes: no text
_LINE: Final = 1_000  # characters of one line that are shown
_BEFORE: Final = 200  # of them in front of the match, where the line is longer


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that matches. ``number`` is its place in the file, from 1; ``lines`` is the block it is in,
    ``index`` its place there; ``column`` is the byte at which the match begins."""

    number: int
    index: int
    column: int
    lines: Sequence[bytes]


def hits(sandbox: Sandbox, path: str, matcher: Matcher, over: Callable[[], bool]) -> Iterator[Hit]:
    """The matching lines of a text file; none of a binary one. Lines end in ``\\n`` or ``\\r\\n``.

    Raises:
        OSError: it cannot be read (any more).
    """
    passed = 0
    for block in _blocks(sandbox, path):
        yield from _within(block, passed, matcher, over)
        if over():
            return
        passed += block.count(b"\n")


def _within(block: bytes, passed: int, matcher: Matcher, over: Callable[[], bool]) -> Iterator[Hit]:
    lines: list[bytes] | None = None
    start, index = 0, 0
    while start < len(block) and not over():
        match = matcher.search(block, start)
        if match is None:
            return
        at = match.start()
        if at >= len(block) and block.endswith(b"\n"):
            return  # behind the last line's end nothing begins
        lines = lines if lines is not None else block.split(b"\n")
        begins = block.rfind(b"\n", start, at) + 1 or start
        index += block.count(b"\n", start, begins)
        yield Hit(passed + index + 1, index, at - begins, lines)
        end = block.find(b"\n", at)
        if end < 0:
            return
        start, index = end + 1, index + 1


def _blocks(sandbox: Sandbox, path: str) -> Iterator[bytes]:
    """The file in pieces that end where a line does, unless a line is longer than a piece."""
    data = sandbox.read(path, limit=_BLOCK)
    if b"\0" in data[:_BINARY]:
        return
    offset, rest = len(data), b""
    while data:
        more = sandbox.read(path, offset=offset, limit=_BLOCK) if len(data) == _BLOCK else b""
        cut = data.rfind(b"\n") + 1 if more else len(data)
        if cut or len(rest) > _BLOCK:
            yield _unix(rest + data[:cut])
            rest = b""
        rest, data = rest + data[cut:], more
        offset += len(more)


def _unix(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n") if b"\r\n" in data else data


def told_lines(name: str, found: Iterable[Hit], context: int) -> Iterator[str]:
    """``name:12:line`` for what matches, ``name-11-line`` for ``context`` lines around it, ``--`` between
    places apart. Where a file has several blocks, context ends with its block."""
    told = 0  # the number of the last line that was told
    pending: Hit | None = None
    for hit in found:
        if pending is not None:
            yield from _after(name, pending, min(context, hit.number - pending.number - 1))
            told = max(told, min(pending.number + context, hit.number - 1))
        first = max(hit.number - context, told + 1)
        if context and told and first > told + 1:
            yield "--"
        yield from _before(name, hit, first)
        yield f"{name}:{hit.number}:{_shortened(hit.lines[hit.index], hit.column)}"
        told, pending = hit.number, hit
    if pending is not None:
        yield from _after(name, pending, context)


def _before(name: str, hit: Hit, first: int) -> Iterator[str]:
    for number in range(first, hit.number):
        index = hit.index - (hit.number - number)
        if index >= 0:
            yield f"{name}-{number}-{_shortened(hit.lines[index], 0)}"


def _after(name: str, hit: Hit, most: int) -> Iterator[str]:
    end = len(hit.lines) - (hit.lines[-1] == b"")  # what is behind the last line's end is no line
    for index in range(hit.index + 1, min(hit.index + 1 + most, end)):
        yield f"{name}-{hit.number + index - hit.index}-{_shortened(hit.lines[index], 0)}"


def _shortened(line: bytes, column: int) -> str:
    if len(line) <= _LINE:
        return line.decode("utf-8", "replace")
    begins = max(0, column - _BEFORE)
    cut = line[begins : begins + _LINE].decode("utf-8", "replace")
    return f"{'… ' if begins else ''}{cut}{' …' if begins + _LINE < len(line) else ''}"
