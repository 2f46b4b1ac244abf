"""What a memory is worth, by the planted truth: which planted things it teaches, warns of, and what in it is false.

A memory is judged by what it does: clerks who read it and nothing else work off probes, matters that go wrong in a
known way without it. It *teaches* a planted thing where at most a fifth of its probes still go wrong; it *warns* of one
that it speaks of without that. It is *false* where clerks do otherwise because of it and nothing is prevented, where
something goes wrong that went well, and where it blames what has nothing to do with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from examples.desk.matters import KINDS, Matter, make_matter
from examples.desk.simulate import run_matter
from examples.desk.truth import PLANTED
from examples.prove.world import Lesson

__all__ = ["judge"]

_PROBES: Final = 15
"""Matters for each planted thing."""
_AT_RANDOM: Final = 40
_FIRST: Final = 900_000_000
_LEFT: Final = 0.2
_HARMED: Final = 2
_ABOUT: Final[Mapping[str, str]] = {
    "evening-upload": r"gateway code 7|`upload_filing`.*(?:17:00|size_mb)",
    "lost-tables": r"keep_tables",
    "stale-index": r"refresh_index",
    "sign-first": r"sign_document.*stamp_document|stamp_document.*sign_document",
    "lindau-dates": r"field 3 could not be read|hearing_date",
    "cite-paragraphs": r"cite",
    "harbour-mornings": r"recipient address incomplete",
    "held-record": r"record in use",
    "past-z": r"`exhibits`|`scheme`",
}
_MATTERS: Final[Mapping[str, frozenset[str]]] = {
    "upload_filing": frozenset({"file_ext", "mime", "size_mb", "hour"}),
    "fill_form": frozenset({"court", "hearing_date"}),
    "open_record": frozenset({"record"}),
    "serve_notice": frozenset({"registry", "hour", "by"}),
    "the session": frozenset({"keep_tables", "scheme", "exhibits", "cite"}),
}
"""What has to do with it that calls of a tool fail."""
_BLAMED: Final = re.compile(r"when (?P<when>[^“\n]*?), expect `?(?P<what>\w+|the session)`? to", re.I)


def judge(memory: str) -> Lesson:
    """What the text of one memory is worth."""
    teaches: list[str] = []
    changed = harmed = 0
    for name, probes in _probes().items():
        left = 0
        for matter, before, calls in probes:
            ran = run_matter(matter, memory)
            left += name in ran.failures
            changed += (ran.failures, ran.trail) != (before, calls)
            harmed += bool(set(ran.failures) - set(before))
        if name in PLANTED and left <= _LEFT * len(probes):
            teaches.append(name)
    said = re.sub(r"\s+", " ", memory)
    warns = [name for name in PLANTED if name not in teaches and re.search(_ABOUT[name], said)]
    return Lesson(tuple(teaches), tuple(warns), tuple(_false(memory, bool(teaches), changed, harmed)))


def _false(memory: str, useful: bool, changed: int, harmed: int) -> Iterator[str]:
    if changed and not useful:
        yield f"changes {changed} matters and prevents nothing"
    if harmed >= _HARMED:
        yield f"{harmed} matters go wrong in a new way"
    for found in _BLAMED.finditer(memory):
        names = set(re.findall(r"`(\w+)` is", found["when"])) | (
            {"weekday"} if "day" in found["when"] else set()
        )
        if strange := names - _MATTERS.get(found["what"], frozenset()):
            yield f"blames {', '.join(sorted(strange))}"


_Probe = tuple[Matter, tuple[str, ...], Sequence[str]]


@lru_cache(maxsize=1)
def _probes() -> Mapping[str, Sequence[_Probe]]:
    """For each planted thing matters that fail of it, with what was done; and some of all kinds."""
    found: dict[str, list[_Probe]] = {name: [] for name in (*PLANTED, "")}
    counts: Counter[str] = Counter()
    seed = _FIRST
    while min(len(found[name]) for name in PLANTED) < _PROBES:
        matter = make_matter(KINDS[seed % len(KINDS)], seed)
        ran = run_matter(matter)
        for name in ran.failures:
            if name in found and counts[name] < _PROBES:
                counts[name] += 1
                found[name].append((matter, ran.failures, ran.trail))
        if len(found[""]) < _AT_RANDOM:
            found[""].append((matter, ran.failures, ran.trail))
        seed += 1
    return found
