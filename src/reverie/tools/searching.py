"""The tools ``glob`` and ``grep``: which files there are, and what is in them.

Both go through the sandbox's own walk and read, so that they see the same in every kind of sandbox, follow
no link and open nothing but plain files. They stop by themselves after a time, and tell so.
"""

from __future__ import annotations

import heapq
import posixpath
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, cast

from reverie.domain.events import JsonObject
from reverie.domain.messages import ToolSpec
from reverie.plugins import FileFacts, Output, Sandbox, Surroundings
from reverie.tools.answers import attempted, counted, input_schema, said, shown
from reverie.tools.patterns import Matcher, glob_matcher, glob_root, text_matcher
from reverie.tools.scanning import Hit, hits, told_lines
from reverie.tools.spilling import MOST

__all__ = ["MOST_ENTRIES", "MOST_PATHS", "PATIENCE_S", "Glob", "Grep"]

MOST_PATHS: Final = 200
MOST_ENTRIES: Final = 100_000
"""Files and folders that one search looks at."""
PATIENCE_S: Final = 30.0

_ROOM: Final = MOST - 500
_PASSED_BY: Final = (".git", "node_modules")
_FOLDER: Final = {
    "type": "string",
    "minLength": 1,
    "description": "Where to look; the working folder if left out.",
}


class Glob:
    """``glob``: {pattern, path?}. The newest 200 that match."""

    spec = ToolSpec(
        name="glob",
        description=(
            "List files and folders by a pattern of their path: `**/*.py`, `src/*.{ts,tsx}`. "
            f"The newest come first, at most {MOST_PATHS}. .git and node_modules are passed by unless named."
        ),
        input_schema=input_schema(
            {
                "pattern": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Doublestar glob, relative to `path`.",
                }
            },
            {"path": _FOLDER},
        ),
    )
    repeatable = True

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic

    def risk(self, input: JsonObject) -> Literal["low"]:
        return "low"

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        pattern, path = cast(str, input["pattern"]), cast("str | None", input.get("path"))
        if path is None and pattern.startswith("/"):
            path, pattern = glob_root(pattern)
        search = _Search(where.sandbox, path, pattern, self._monotonic)
        try:
            return await attempted(partial(_glob, search, pattern), f"{shown(path or '.')} cannot be listed")
        finally:
            search.stop.set()


class Grep:
    """``grep``: {pattern, path?, glob?, ignore_case?, context?, output_mode?}. Lines that match, by RE2."""

    spec = ToolSpec(
        name="grep",
        description=(
            "Search the lines of files by a regular expression (RE2: no look-around, no back-references). "
            "Binary files are left out; .git and node_modules are passed by unless named."
        ),
        input_schema=input_schema(
            {"pattern": {"type": "string", "minLength": 1, "description": "The regular expression."}},
            {
                "path": {**_FOLDER, "description": "A file or folder; the working folder if left out."},
                "glob": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Only files such as `*.py`, `src/**/*.ts`.",
                },
                "ignore_case": {"type": "boolean"},
                "context": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 20,
                    "description": "Lines around each.",
                },
                "output_mode": {
                    "type": "string",
                    "enum": ["content", "files", "count", None],
                    "description": "The lines (default), the files that have some, or how many each has.",
                },
            },
        ),
    )
    repeatable = True

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic

    def risk(self, input: JsonObject) -> Literal["low"]:
        return "low"

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        path, only = cast("str | None", input.get("path")), cast("str | None", input.get("glob"))
        search = _Search(where.sandbox, path, only or "", self._monotonic)
        try:
            return await attempted(
                partial(_grep, search, input, only), f"{shown(path or '.')} cannot be searched"
            )
        finally:
            search.stop.set()


@dataclass(slots=True)
class _Search:
    """One walk through the files, with an end to it: when it takes too long, or nobody waits for it."""

    sandbox: Sandbox
    path: str | None
    naming: str
    monotonic: Callable[[], float]
    stop: threading.Event = field(default_factory=threading.Event)
    ends: float = field(init=False)
    cut: str = ""

    def __post_init__(self) -> None:
        self.ends = self.monotonic() + PATIENCE_S

    def over(self) -> bool:
        if self.monotonic() > self.ends:
            self.cut = f"[stopped after {PATIENCE_S:g} s: look in a smaller folder]"
        return bool(self.cut) or self.stop.is_set()

    def entries(self) -> Iterator[tuple[str, FileFacts]]:
        """(path relative to where the search began, the facts) of everything that is not passed by."""
        root = self.path or self.sandbox.spec.home
        if self.sandbox.facts(root).kind == "file":
            yield posixpath.basename(root), self.sandbox.facts(root)
            return
        passed = set(_PASSED_BY) - set(self.naming.split("/"))
        below = len(root.rstrip("/")) + 1
        for count, facts in enumerate(self.sandbox.walk(root, limit=MOST_ENTRIES), 1):
            if self.over():
                return
            if count == MOST_ENTRIES:
                self.cut = f"[only the first {MOST_ENTRIES:,} files and folders were looked at]"
            relative = facts.path[below:]
            if not passed & set(relative.split("/")):
                yield relative, facts

    def name(self, facts: FileFacts) -> str:
        """The path as it is shown: relative to the home, as commands that start there would call it."""
        return shown(facts.path.removeprefix(self.sandbox.spec.home.rstrip("/") + "/"))


# ------------------------------------------------------------------ by name


def _glob(search: _Search, pattern: str) -> Output:
    matcher = glob_matcher(pattern)
    count = 0

    def matching() -> Iterator[tuple[float, str, FileFacts]]:
        nonlocal count
        for relative, facts in search.entries():
            if matcher.search(relative.encode("utf-8", "replace")):
                count += 1
                yield facts.mtime, relative, facts

    newest = heapq.nlargest(MOST_PATHS, matching(), key=lambda one: one[0])
    lines = [search.name(facts) + ("/" if facts.kind == "folder" else "") for _, _, facts in newest]
    if count > len(lines):
        lines.append(f"[the newest {len(lines)} of {count:,}]")
    return _listed(lines, search, "no matches")


def _listed(lines: list[str], search: _Search, none: str) -> Output:
    """Lines as an answer, with a word on where they were cut."""
    told: list[str] = []
    room = _ROOM
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            told.append(f"[cut here: {counted(len(lines) - number, 'more line')}; ask for less]")
            break
        told.append(line)
    return said("\n".join([*(told or [none]), *([search.cut] if search.cut else [])]))


# ------------------------------------------------------------------ by content


def _grep(search: _Search, input: JsonObject, only: str | None) -> Output:
    matcher = text_matcher(cast(str, input["pattern"]), ignore_case=bool(input.get("ignore_case")))
    wanted = None if only is None else glob_matcher(only if "/" in only else f"**/{only}")
    mode = input.get("output_mode") or "content"
    telling = _content if mode == "content" else _counts
    lines: list[str] = []
    room = _ROOM
    for relative, facts in search.entries():
        if facts.kind != "file" or not _wanted(wanted, relative):
            continue
        for line in telling(search, facts, matcher, input):
            lines.append(line)
            room -= len(line) + 1
            if room < 0:
                return _listed([*lines[:-1], "[cut here: more lines match; ask for less]"], search, "")
        if search.over():
            break
    return _listed(lines, search, "no matches")


def _wanted(matcher: Matcher | None, relative: str) -> bool:
    return matcher is None or bool(matcher.search(relative.encode("utf-8", "replace")))


def _content(search: _Search, facts: FileFacts, matcher: Matcher, input: JsonObject) -> Iterator[str]:
    context = cast(int, input.get("context") or 0)
    return told_lines(search.name(facts), _hits(search, facts, matcher), context)


def _counts(search: _Search, facts: FileFacts, matcher: Matcher, input: JsonObject) -> Iterator[str]:
    """``files`` and ``count``: one line for a file that has a match."""
    found = _hits(search, facts, matcher)
    if input["output_mode"] == "files":
        if next(found, None) is not None:
            yield search.name(facts)
        return
    count = sum(1 for _ in found)
    if count:
        yield f"{search.name(facts)}:{count}"


def _hits(search: _Search, facts: FileFacts, matcher: Matcher) -> Iterator[Hit]:
    try:
        yield from hits(search.sandbox, facts.path, matcher, search.over)
    except OSError:  # gone or closed to us since the walk saw it: as if it had not been there
        return
