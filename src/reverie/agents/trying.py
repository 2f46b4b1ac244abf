"""Trying a grader out: on work that no rubric should pass, and against what people said of the same work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from reverie.agents.pursuing import Grader, grade_async
from reverie.app import Reverie
from reverie.domain.errors import UsageError
from reverie.domain.outcomes import CriterionStatus, Rubric, Verdict
from reverie.outcomes.agreement import Agreement, Label, Pair, measure
from reverie.outcomes.controls import Probe, probes
from reverie.outcomes.rubrics import read_rubric

__all__ = ["Compared", "Done", "Tried", "compared", "probed"]

K = TypeVar("K")
T = TypeVar("T")
AT_ONCE: Final = 4
"""Works that are judged at a time."""

Done: TypeAlias = Callable[[str], object]
"""Told the name of each work when it was judged."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A negative control, and what the grader made of it."""

    probe: Probe
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether it was satisfied, which nothing justifies."""
        return self.verdict.result == "satisfied"

    @property
    def judged(self) -> bool:
        """Whether there was a judgement."""
        return self.verdict.result != "failed"


@dataclass(frozen=True, slots=True)
class Compared:
    """How well a grader agrees with people. ``verdicts`` are by item; those that ``failed`` count nowhere."""

    agreement: Agreement
    verdicts: Mapping[str, Verdict]

    @property
    def unjudged(self) -> dict[str, str]:
        """Items of which there is no judgement, and why."""
        return {item: v.explanation for item, v in self.verdicts.items() if v.result == "failed"}


async def probed(
    rubric: str, *, grader: Grader = None, reverie: Reverie, on_done: Done = lambda name: None
) -> list[Tried]:
    """Every negative control for a rubric (``outcomes.controls``), judged as work would be.

    Raises:
        Invalid: a rubric that is none.
        ConfigError: a model is needed, and none is named.
    """

    async def one(probe: Probe) -> Tried:
        files = {each.path: each.text or "" for each in probe.work.deliverables}
        said = probe.work.message
        verdict = await grade_async(files, rubric, message=said, grader=grader, reverie=reverie)
        on_done(probe.name)
        return Tried(probe, verdict)

    return await _few_at_once(one, probes(read_rubric(rubric)))


async def compared(
    labels: Sequence[Label],
    rubric: str,
    folder: Path,
    *,
    task: str = "",
    grader: Grader = None,
    reverie: Reverie,
    on_done: Done = lambda name: None,
) -> Compared:
    """Judge every work that people labelled, and measure how well the two agree.

    Args:
        labels: Whose items are files or folders, relative to ``folder``.

    Raises:
        UsageError: an item that is not there, a criterion that the rubric has not, two labels of one criterion.
        Invalid, ConfigError: as ``reverie.grade``.
    """
    told = _by_item(labels, read_rubric(rubric))
    if missing := [item for item in told if not (folder / item).exists()]:
        raise UsageError(f"there is no such work: {', '.join(missing[:5])}", where=str(folder))

    async def one(item: str) -> tuple[str, Verdict]:
        verdict = await grade_async(folder / item, rubric, task=task, grader=grader, reverie=reverie)
        on_done(item)
        return item, verdict

    verdicts = dict(await _few_at_once(one, told))
    pairs = [
        Pair(each.criterion, human, each.status)
        for item, verdict in verdicts.items()
        if verdict.result != "failed"
        for each in verdict.criteria
        if (human := told[item].get(each.criterion)) is not None
    ]
    return Compared(measure(pairs), verdicts)


def _by_item(labels: Sequence[Label], rubric: Rubric) -> dict[str, dict[str, CriterionStatus]]:
    """What people said: item → id of the criterion → status."""
    ids = {name: each.id for each in rubric.criteria for name in (each.text, each.id)}
    told: dict[str, dict[str, CriterionStatus]] = {}
    for label in labels:
        if label.criterion not in ids:
            hint = f"its criteria are {', '.join(each.id for each in rubric.criteria[:8])}"
            raise UsageError(f"the rubric has no criterion {label.criterion!r}", where=label.item, hint=hint)
        said = told.setdefault(label.item, {})
        if said.setdefault(ids[label.criterion], label.status) != label.status:
            raise UsageError(f"two labels of {label.criterion!r} that differ", where=label.item)
    return told


async def _few_at_once(one: Callable[[K], Awaitable[T]], works: Iterable[K]) -> list[T]:
    """What each comes to, in order. The first error ends all, and is raised as it is."""
    room = asyncio.Semaphore(AT_ONCE)

    async def in_turn(work: K) -> T:
        async with room:
            return await one(work)

    tasks = [asyncio.ensure_future(in_turn(work)) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
