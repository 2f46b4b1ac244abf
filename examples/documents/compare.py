"""The tables: what a grader is worth, and what judging again costs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import reverie
from examples.documents.briefs import make
from examples.documents.work import GRADER, WAYS, WRITER, Done, Way, work

__all__ = ["Cost", "compare", "cost", "cost_lines", "done_in", "lines"]


def done_in(
    ways: Iterable[Way], numbers: Sequence[int], *, model: str = WRITER, grader: str = GRADER
) -> dict[Way, list[Done]]:
    """Every brief, worked on in each way, one after the other."""
    return asyncio.run(_done_in(list(ways), numbers, model, grader))


async def _done_in(
    ways: Sequence[Way], numbers: Sequence[int], model: str, grader: str
) -> dict[Way, list[Done]]:
    found: dict[Way, list[Done]] = {way: [] for way in ways}
    with (
        tempfile.TemporaryDirectory(prefix="documents-") as made,
        reverie.open(Path(made) / "documents.db") as house,
    ):
        for number in numbers:
            for way in ways:
                folder = Path(made) / f"brief-{number}"
                done = await work(make(number), folder, way, model=model, grader=grader, reverie=house)
                found[way].append(done)
    return found


def compare(numbers: Sequence[int], *, model: str = WRITER, grader: str = GRADER) -> dict[Way, list[Done]]:
    """With no grader, by the writer's own word, and graded."""
    return done_in(WAYS, numbers, model=model, grader=grader)


def lines(found: dict[Way, list[Done]]) -> Iterator[str]:
    """The first table, in Markdown."""
    yield "| judged by | truly good | let pass, and not good | iterations | model calls of grading | tokens of grading |"
    yield "|---|---|---|---|---|---|"
    for way, all_ in found.items():
        good = sum(done.good for done in all_)
        wrong = sum(done.accepted and not done.good for done in all_)
        calls, tokens = (sum(map(sum, each)) / len(all_) for each in _spent(all_))
        mean = sum(done.iterations for done in all_) / len(all_)
        yield f"| {way} | {good} of {len(all_)} | {wrong} | {mean:.1f} | {calls:.1f} | {tokens:,.0f} |"


def _spent(all_: Sequence[Done]) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
    return [done.calls for done in all_], [done.tokens for done in all_]


@dataclass(frozen=True, slots=True)
class Cost:
    """What later iterations cost, over all briefs."""

    good: int
    later: int
    calls: int
    tokens: int

    @classmethod
    def of(cls, all_: Sequence[Done]) -> Cost:
        return cls(
            sum(done.good for done in all_),
            sum(max(0, done.iterations - 1) for done in all_),
            sum(sum(done.calls[1:]) for done in all_),
            sum(sum(done.tokens[1:]) for done in all_),
        )


def cost(numbers: Sequence[int], *, model: str = WRITER, grader: str = GRADER) -> dict[Way, Cost]:
    """What failed and what was touched, with a full pass before the end; and everything each time."""
    ways: tuple[Way, Way] = ("graded", "graded in full")
    found = done_in(ways, numbers, model=model, grader=grader)
    return {way: Cost.of(all_) for way, all_ in found.items()}


def cost_lines(found: dict[Way, Cost], briefs: int) -> Iterator[str]:
    """The second table, in Markdown."""
    yield "| later iterations | truly good | iterations after the first | model calls in them | tokens in them |"
    yield "|---|---|---|---|---|"
    names: dict[Way, str] = {
        "graded": "what failed or was touched, all before the end",
        "graded in full": "everything each time",
    }
    for way, each in found.items():
        yield f"| {names[way]} | {each.good} of {briefs} | {each.later} | {each.calls} | {each.tokens:,} |"
    part, whole = found["graded"], found["graded in full"]
    yield f"| of it | | | {part.calls / max(1, whole.calls):.2f} | {part.tokens / max(1, whole.tokens):.2f} |"
