"""A build's log, read: lines without colours and clocks, their templates, and how they differ from a passing log.

Lines are numbered from 1 and end at CR, LF or CRLF, so that each redrawing of a progress bar is a line. Nothing
here asks a model, and the same log gives the same answer.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

__all__ = ["Change", "Line", "Log", "Rarity", "changes", "clean", "read", "template"]

Change: TypeAlias = Literal["same", "moved", "more", "new"]
"""Of a line against the passing log: in its place; there too, but elsewhere; more of them than there; not there."""

_ENDS: Final = re.compile(r"\r\n|\r|\n")
_ESCAPES: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x08\x00\ufeff]"
)
_CLOCKS: Final = re.compile(
    r"(?:[^\t]{1,120}\t[^\t]{1,120}\t)?"  # GitHub's job and step
    r"(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?)"
    r"(?: \d\d[OE][+ ]?)?(?:[ \t]|$)"  # GitLab's stream
)
_STREAM: Final = re.compile(
    r"#\d+ (?:\d+\.\d+ )?|[A-Za-z][\w.-]{0,40} +\| "
)  # BuildKit's step, a service of Compose


@dataclass(frozen=True, slots=True)
class Line:
    """One line: as it stands in the file, without colours and clocks, and of which of several streams it is."""

    number: int
    raw: str
    text: str
    stream: str
    template: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


class Log:
    """The lines of one log."""

    def __init__(self, name: str, text: str) -> None:
        pieces = _ENDS.split(text)
        if pieces and not pieces[-1]:
            pieces.pop()
        self.name: Final = name
        self.lines: Final = [_line(number, raw) for number, raw in enumerate(pieces, 1)]

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def templates(self) -> Counter[str]:
        """How often each template occurs."""
        return Counter(line.template for line in self.lines)


def read(path: Path, name: str | None = None) -> Log:
    """The log in a file; what is not UTF-8 in it is replaced.

    Raises:
        OSError: it cannot be read.
    """
    return Log(name or path.name, path.read_bytes().decode("utf-8", "replace"))


def clean(raw: str) -> str:
    """A line without escape sequences, backspaces and the clock (or job and step) in front of it."""
    text = _ESCAPES.sub("", raw)
    clock = _CLOCKS.match(text)
    return text[clock.end() :] if clock else text


def _line(number: int, raw: str) -> Line:
    text = clean(raw)
    stream = _STREAM.match(text)
    said = text[stream.end() :] if stream else text
    return Line(number, raw, said, stream[0].split(" ")[0] if stream else "", template(said))


# ------------------------------------------------------------------ templates

_COUNTED: Final = re.compile(
    r"(?i)\b((?:failures?|errors?|failed|errored|broken|exit(?:ed)?(?: with)?(?: code| status)?|returned|status)[:= ]{1,3})(\d+)"
    r"|\b(\d+)( (?:failures?|errors?|failed|errored|problems?)\b)"
)
_VOLATILE: Final = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+.-]{1,12}://[^\s'\"<>)\]]+)"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"
    r"|(?P<q>'[\w.$-]{1,80}'|`[\w.$-]{1,80}`|\"[\w.$-]{1,80}\")"
    r"|(?P<path>(?<![\w<])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@+~%$*=-]+){2,}[/\\]?|(?<![\w/.<])(?:[\w.@+=-]+/){2,}[\w.@+*=-]+|(?<![\w/.<])[\w@+=-]+/[\w.@+=-]*\.[a-z]{1,5}\b)"
    r"|(?P<hash>\b(?:sha\d+[:-])?(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,128}\b|\bsha\d+-[A-Za-z0-9+/=]{20,})"
    r"|(?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?|\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\b(?: [AP]M\b)?)"
    r"|(?P<size>\b\d+(?:[.,]\d+)*\s?(?:[kKMGT]i?B|[kKMG]|bytes|B)(?:/s)?\b)"
    r"|(?P<duration>\b(?:\d+\s?m\s?)?\d+(?:[.,]\d+)?\s?(?:ms|µs|ns|secs?|seconds?|mins?|minutes?|hours?|s|m|h)\b)"
    r"|(?P<n>[-+]?\d+(?:[.,]\d+)*%?)"
)
_DIGIT: Final = re.compile(r"\d")
_TELLTALE: Final = re.compile(r"[\d/\\'\"`]")  # nothing without one of these is masked
_DRAWN: Final = re.compile(r"([=#*_~.>\-█▓▒░⠀-⣿])\1{3,}")
_BAR: Final = re.compile(r"[\[|][=#*.>\-\s█▓▒░]{6,}[\]|]?")
_LONGEST: Final = 600


@lru_cache(maxsize=65_536)
def template(text: str) -> str:
    """A line with everything volatile in it masked. Of numbers only this stays: whether a count of failures,
    or an exit code, is nought."""
    told = text[:_LONGEST]
    if _DIGIT.search(told):
        told = _COUNTED.sub(_nought, told)
    if _TELLTALE.search(told):
        told = _VOLATILE.sub(_masked, told)
    told = _DRAWN.sub(r"\1", _BAR.sub("<bar>", told))
    return " ".join(told.split())


def _nought(found: re.Match[str]) -> str:
    count = found[2] or found[3]
    some = "<none>" if int(count) == 0 else "<some>"
    return f"{found[1]}{some}" if found[1] else f"{some}{found[4]}"


def _masked(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"


# ------------------------------------------------------------------ rarity


class Rarity:
    """How many passing logs have each template."""

    def __init__(self, passing: Iterable[Log]) -> None:
        self._logs = 0
        self._having = Counter[str]()
        for log in passing:
            self._logs += 1
            self._having.update(log.templates.keys())

    @property
    def logs(self) -> int:
        return self._logs

    def having(self, template: str) -> int:
        """The number of passing logs that have the template."""
        return self._having[template]

    def of(self, template: str) -> float:
        """0 for what every passing log has, 1 for what none has: the inverse document frequency, smoothed
        and scaled (Spärck Jones 1972)."""
        if self._logs == 0:
            return 1.0
        return math.log((self._logs + 1) / (self._having[template] + 1)) / math.log(self._logs + 1)


# ------------------------------------------------------------------ the difference


def changes(log: Log, passing: Log) -> list[Change]:
    """What became of each line. Lines are alike when their templates are, so durations, versions, sizes and
    hashes make no difference; those in another order are ``moved``."""
    anchored = _anchored(log, passing)
    left = passing.templates.copy()
    left.subtract(log.lines[i].template for i in anchored)
    found: list[Change] = []
    for i, line in enumerate(log.lines):
        if i in anchored:
            found.append("same")
        elif line.template not in passing.templates:
            found.append("new")
        elif left[line.template] > 0:
            left[line.template] -= 1
            found.append("moved")
        else:
            found.append("more")
    return found


def _anchored(log: Log, passing: Log) -> set[int]:
    """Lines that stand in order in both logs: those that are unique in both and in the same order (patience
    diff), and from each of them on whatever is alike before and behind it."""
    here, there = [line.template for line in log.lines], [line.template for line in passing.lines]
    pairs = _rising(_unique_pairs(here, there))
    matched, used = {i for i, _ in pairs}, {j for _, j in pairs}
    for step in (1, -1):
        for start, goal in pairs:
            i, j = start + step, goal + step
            while 0 <= i < len(here) and 0 <= j < len(there) and here[i] == there[j]:
                if i in matched or j in used:
                    break
                matched.add(i)
                used.add(j)
                i, j = i + step, j + step
    return matched


def _unique_pairs(here: Sequence[str], there: Sequence[str]) -> list[tuple[int, int]]:
    places = _once(there)
    return [(i, places[text]) for text, i in _once(here).items() if text in places]


def _once(texts: Sequence[str]) -> Mapping[str, int]:
    places: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        places[text].append(i)
    return {text: found[0] for text, found in places.items() if len(found) == 1}


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs that rises in both (patience sorting); pairs come in order of their first."""
    tops: list[int] = []
    top_pairs: list[int] = []
    before: list[int | None] = []
    for k, (_, j) in enumerate(pairs):
        at = bisect_left(tops, j)
        before.append(top_pairs[at - 1] if at else None)
        tops[at : at + 1] = [j]
        top_pairs[at : at + 1] = [k]
    run: list[tuple[int, int]] = []
    k = top_pairs[-1] if top_pairs else None
    while k is not None:
        run.append(pairs[k])
        k = before[k]
    return run[::-1]
