"""Outcomes × dreams, on the Moon: a rubric and a second drone, a memory that dreams have written, both, neither.

The same held-out missions are flown through the engine four times. With the loop, a crew whose first drone did not stand
as the rubric wants is told so and has the reserve (``reverie.pursue``); with dreams, it reads the memory of the proof.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import reverie
from examples.moon import mission as engine
from examples.moon.terrain import Kind
from examples.moon.tools import Mission
from examples.prove.loop import Tell, mounted
from examples.prove.score import gained, share
from examples.prove.world import Played, Task

__all__ = ["ARMS", "Arm", "Flown", "crossed", "outcome_lines"]


@dataclass(frozen=True, slots=True)
class Arm:
    """Whether there is a rubric to be met, and whether there is memory."""

    name: str
    loop: bool
    dreams: bool


ARMS: Final = (
    Arm("neither", loop=False, dreams=False),
    Arm("the rubric's loop alone", loop=True, dreams=False),
    Arm("dreams alone", loop=False, dreams=True),
    Arm("both", loop=True, dreams=True),
)


@dataclass(frozen=True, slots=True)
class Flown:
    """How one arm's missions ended, by the truth, and how many drones they took."""

    arm: Arm
    results: Sequence[Played]
    drones: int


def crossed(
    arm: Arm,
    memory: Mapping[str, str],
    tasks: Sequence[Task],
    *,
    model: str | None = None,
    tell: Tell = print,
) -> Flown:
    """One arm; every arm on the same missions, each in a house of its own, so that they may go side by side."""
    with (
        tempfile.TemporaryDirectory(prefix="prove-outcomes-") as made,
        reverie.open(Path(made) / "outcomes.db") as rv,
    ):
        tell(f"outcomes: {len(tasks)} missions with {arm.name}")
        store = mounted(rv, memory) if arm.dreams else None
        return asyncio.run(_flown(rv, arm, tasks, [] if store is None else [store], model))


def outcome_lines(flown: Sequence[Flown], practised: int) -> Iterator[str]:
    """The table, in Markdown. ``practised``: sessions that were played for the dreams."""
    before = flown[0].results
    yield "## outcomes × dreams"
    yield ""
    yield (
        f"| moon, the same {len(before)} held-out missions | success (95 %) | points more than neither (95 %) "
        "| tokens a mission | model calls a mission | drones a mission | sessions before |"
    )
    yield "|---|---|---|---|---|---|---|"
    for each in flown:
        n = len(each.results)
        more = "" if each.results is before else str(gained(each.results, before))
        tokens, calls = sum(r.tokens for r in each.results) / n, sum(r.calls for r in each.results) / n
        yield (
            f"| {each.arm.name} | {share(each.results)} | {more} | {tokens:,.0f} | {calls:.1f} | {each.drones / n:.2f} "
            f"| {practised if each.arm.dreams else 0} |"
        )
    yield ""


async def _flown(
    rv: reverie.Reverie, arm: Arm, tasks: Sequence[Task], memory: Sequence[str], model: str | None
) -> Flown:
    results: list[Played] = []
    drones = 0
    for task in tasks:
        mission = Mission(cast(Kind, task.kind), task.seed)
        if arm.loop:
            session = (await engine.land(mission, model=model, memory=memory, reverie=rv)).session
        else:
            session = await engine.fly(mission, model=model, memory=memory, reverie=rv)
        calls = sum(event.type == "span.model_request_end" for event in session.events)
        failed = () if mission.succeeded else (task.kind,)
        results.append(Played(task, mission.succeeded, failed, session.id, session.usage.tokens, calls))
        drones += len(mission.flights)
    return Flown(arm, results, drones)
