"""The Moon as a world of the proof (``examples.prove``): crews that read memory, and what there is to be learned."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, cast, get_args

import reverie
from examples.moon import mission as engine
from examples.moon.advice import CHOICES, Advice, Condition, parse, warned
from examples.moon.simulate import run_mission
from examples.moon.terrain import KINDS, Kind
from examples.moon.tools import Mission
from examples.prove.clock import WorldClock, in_turn
from examples.prove.world import Lesson, Played, Split, Task
from reverie.domain.sessions import PERSON, Outcome

__all__ = ["Moon"]

_FIRST: Final[Mapping[Split, int]] = {"practice": 1_000_000, "held out": 2_000_000}
_A_SEED: Final = 10_000  # so many sites of a kind, and of a seed
_SITES: Final[Mapping[str, tuple[Condition, ...]]] = {
    "slopes": (Condition("ground", "is", "sloping"),),
    "boulders": (Condition("ground", "is", "rocky"),),
    "dusty": (Condition("surface", "is", "dusty"),),
    "shadow": (Condition("light", "is", "dark"), Condition("ground", "is", "unseen")),
    "far": (Condition("distance_m", ">=", 150.0),),
}
"""By what a crew can tell a kind of site."""
_HELPS: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "slopes": frozenset({("survey", "not camera"), ("max_slope_deg", "is")}),
    "boulders": frozenset({("survey", "not camera"), ("survey", "is"), ("divert_margin_m", ">=")}),
    "dusty": frozenset(
        {
            ("hover_m", "is"),
            ("hover_s", ">="),
            ("inertial_below_m", ">="),
            ("engine_cut_m", "<"),
            ("engine_cut_m", "is"),
        }
    ),
    "shadow": frozenset({("survey", "not camera"), ("survey", "is"), ("divert_margin_m", ">=")}),
    "far": frozenset({("descent_mps", ">="), ("reserve_kg", ">=")}),
}
"""Which choice helps there, and which way."""
_FUEL: Final = "lidar's fuel"
"""Nobody planted this: a lidar scan takes 8 s of hovering, so on firm and level ground, where it shows nothing that a camera
does not, it only costs fuel; of 60 far sites 35 are reached by naive crews, and 8 by those that scan with lidar."""


class Moon:
    """Missions over all kinds of sites in turn. One succeeds where its first drone stands near its target."""

    def __init__(self) -> None:
        self.clock = WorldClock()
        self._rehearsed: dict[tuple[object, ...], dict[Task, Played]] = {}

    @property
    def name(self) -> str:
        return "moon"

    @property
    def planted(self) -> Sequence[str]:
        return tuple(_SITES)

    def judge(self, memory: str) -> Lesson:
        advice = parse(memory)
        teaches = {kind for each in advice for kind in _true_of(each)}
        false = [_said(each) for each in advice if not _true_of(each)]
        warns: set[str] = set()
        for when in warned(memory):
            kinds = {kind for kind in _SITES if any(_tells(kind, condition) for condition in when)}
            warns |= kinds
            if not kinds and not any(condition.name in CHOICES for condition in when):
                false.append(f"expects failure when {', '.join(map(_words, when))}")
        if not (teaches or warns or false):
            false.append(memory.partition("\n# ")[2].partition("\n")[0] or "says nothing of landing")
        return Lesson(tuple(sorted(teaches)), tuple(sorted(warns - teaches)), tuple(false))

    def tasks(self, split: Split, count: int, seed: int) -> Sequence[Task]:
        first = _FIRST[split] + seed * _A_SEED
        return [Task(KINDS[at % len(KINDS)], first + at // len(KINDS)) for at in range(count)]

    def play(
        self,
        rv: reverie.Reverie,
        tasks: Sequence[Task],
        *,
        store: str | None = None,
        model: str | None = None,
    ) -> Sequence[Played]:
        memory = [] if store is None else [store]
        return asyncio.run(in_turn(self.clock, tasks, lambda task: _flown(rv, task, memory, model)))

    def rehearse(self, tasks: Sequence[Task], memory: str) -> Sequence[Played]:
        """A crew knows no more of a memory than its advice and its warnings, so a mission is flown once for the same."""
        known = self._rehearsed.setdefault((parse(memory), warned(memory)), {})
        for task in (each for each in tasks if each not in known):
            known[task] = _ended(task, run_mission(_kind(task), task.seed, memory=memory).mission)
        return [known[task] for task in tasks]


# ------------------------------------------------------------------ missions


async def _flown(rv: reverie.Reverie, task: Task, memory: Sequence[str], model: str | None) -> Played:
    mission = Mission(_kind(task), task.seed)
    session = await engine.fly(mission, model=model, memory=memory, reverie=rv)
    label = "success" if mission.succeeded else "failure"
    await asyncio.to_thread(rv.live.label, session.id, Outcome(label, source=PERSON))
    calls = sum(event.type == "span.model_request_end" for event in session.events)
    return _ended(task, mission, session.id, session.usage.tokens, calls)


def _ended(
    task: Task, mission: Mission, session_id: str | None = None, tokens: int = 0, calls: int = 0
) -> Played:
    """What became of a mission. What it fails of is named by its kind of site: that is what was planted there."""
    failures = () if mission.succeeded or task.kind not in _SITES else (task.kind,)
    return Played(task, mission.succeeded, failures, session_id, tokens, calls)


def _kind(task: Task) -> Kind:
    if task.kind not in get_args(Kind):
        raise ValueError(f"no kind of site: {task.kind}")
    return cast(Kind, task.kind)


# ------------------------------------------------------------------ the truth


def _true_of(advice: Advice) -> list[str]:
    """The kinds of sites on which it helps to do as advised, of those that the advice is about."""
    what = advice.what
    way = f"not {what.value}" if what.op == "not" else what.op
    if (what.name, way) == ("survey", "not lidar"):
        open_ground = (Condition("ground", "is", "smooth"), Condition("light", "is", "lit"))
        far = any(_tells("far", each) for each in advice.when)
        return [_FUEL] if far or any(each in open_ground for each in advice.when) else []
    told = [kind for kind in _SITES if any(_tells(kind, condition) for condition in advice.when)]
    about = told or [kind for kind in _SITES if all(c.name in CHOICES for c in advice.when)]
    return [kind for kind in about if (what.name, way) in _HELPS[kind]]


def _tells(kind: str, condition: Condition) -> bool:
    """Whether a condition holds on such sites and not on most others."""
    for mark in _SITES[kind]:
        if condition.name == mark.name and condition.op == mark.op:
            if mark.op == "is" and condition.value == mark.value:
                return True
            if mark.op == ">=" and 100.0 <= float(condition.value) <= 225.0:
                return True
    return False


def _said(advice: Advice) -> str:
    when = ", ".join(map(_words, advice.when))
    return f"{_words(advice.what)} when {when}" if when else _words(advice.what)


def _words(condition: Condition) -> str:
    return f"{condition.name} {condition.op} {condition.value}"
