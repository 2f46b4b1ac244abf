"""The desk as a world of the proof: practice and held-out matters, played through the engine or rehearsed without."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import reverie
from examples.desk.advice import Rule, parse
from examples.desk.matters import KINDS, MIX, Matter, make_matter
from examples.desk.people import reply
from examples.desk.scorer import judge
from examples.desk.simulate import SYSTEM, Ran, run_matter
from examples.desk.tools import Tools
from examples.desk.truth import PLANTED
from examples.prove.clock import WorldClock
from examples.prove.world import Lesson, Played, Split, Task
from reverie.agents.agent import attended
from reverie.agents.session import RunSession
from reverie.domain.sessions import Outcome

__all__ = ["CLERK", "Desk"]

CLERK: Final = "scripted:examples.desk.policy:clerk"
_HELD_OUT: Final = 500_000_000
_SEEDS: Final = 10_000
_A_DAY: Final = 8
"""Matters that come in on a day."""
_LATE: Final = timedelta(minutes=14)


class Desk:
    """Legal documents, drafted and filed (``prove.World``).

    Open the house with ``clock`` (``reverie.open(…, clock=world.clock)``), or its log does not know the hours.
    """

    def __init__(self) -> None:
        self.clock = WorldClock()
        self._rehearsed: dict[Sequence[Rule], dict[Task, Played]] = {}

    @property
    def name(self) -> str:
        return "desk"

    @property
    def planted(self) -> Sequence[str]:
        return PLANTED

    def judge(self, memory: str) -> Lesson:
        """What the text of one memory is worth, by the planted truth; see ``scorer``."""
        return judge(memory)

    def tasks(self, split: Split, count: int, seed: int) -> Sequence[Task]:
        """``count`` matters of the usual mix; those of each ``seed`` and split are others."""
        draw = random.Random(f"{split}:{seed}")  # noqa: S311  (a world, not a secret)
        first = (_HELD_OUT if split == "held out" else 0) + seed * _SEEDS
        kinds = draw.choices(KINDS, [MIX[kind] for kind in KINDS], k=count)
        return [Task(kind, first + number) for number, kind in enumerate(kinds)]

    def play(
        self,
        rv: reverie.Reverie,
        tasks: Sequence[Task],
        *,
        store: str | None = None,
        model: str | None = None,
    ) -> Sequence[Played]:
        """Play matters as sessions, a working day's after another by their hours; they are labelled by the truth.

        ``rv`` was opened with ``clock``, or the hours are not in its log.
        """
        played: dict[Task, Played] = {}
        for task in _by_days(tasks):
            matter = make_matter(task.kind, task.seed)
            self.clock.set(matter.hour, matter.minute, _LATE)
            played[task] = asyncio.run(self._play(rv, task, matter, store, model))
        return [played[task] for task in tasks]

    async def _play(
        self, rv: reverie.Reverie, task: Task, matter: Matter, store: str | None, model: str | None
    ) -> Played:
        ran = Ran(Tools(matter, self.clock))
        session = await _begun(rv, ran.tools, store, model)
        await session.send(matter.request)
        if (said := reply(ran.tools)) is not None:
            ran.late = matter.urgent
            await session.send(said)
        await asyncio.to_thread(rv.sessions.label, session.id, _outcome(ran))
        used = session.usage
        calls = sum(event.type == "agent.custom_tool_use" for event in session.events)
        return Played(
            task, not ran.failures, ran.failures, session.id, used.input_tokens + used.output_tokens, calls
        )

    def rehearse(self, tasks: Sequence[Task], memory: str) -> Sequence[Played]:
        """The same without engine and log, with ``memory`` in the clerk's system prompt. A clerk knows no more of a
        memory than the rules in it, so a matter is worked off once for the same rules."""
        known = self._rehearsed.setdefault(parse(memory), {})
        for task in (each for each in tasks if each not in known):
            ran = run_matter(make_matter(task.kind, task.seed), memory)
            known[task] = Played(task, not ran.failures, ran.failures, None, 0, ran.calls)
        return [known[task] for task in tasks]

    def practise(self, rv: reverie.Reverie, tasks: Sequence[Task], memory: str = "") -> Sequence[Played]:
        """Rehearse, and write what was done into the log of ``rv`` as sessions of agents of one's own: as good a
        transcript as that of ``play``, in a sixth of the time, for questions that take thousands of sessions."""
        played: dict[Task, Played] = {}
        for task in _by_days(tasks):
            matter = make_matter(task.kind, task.seed)
            self.clock.set(matter.hour, matter.minute, _LATE)
            ran = run_matter(matter, memory, self.clock)
            played[task] = Played(task, not ran.failures, ran.failures, self._logged(rv, ran), 0, ran.calls)
        return [played[task] for task in tasks]

    def _logged(self, rv: reverie.Reverie, ran: Ran) -> str:
        matter = ran.tools.matter
        facts = {"agent": f"desk {matter.agent}", "user": matter.user, "task": matter.kind, "model": CLERK}
        with rv.session(native_id=matter.name, **facts) as session:
            for line in ran.lines:
                if line.tool:
                    session.action(line.tool, **line.given)
                    (session.error if line.is_error else session.result)(line.result)
                else:
                    (session.user if line.who == matter.user else session.message)(line.result)
            outcome = _outcome(ran)
            session.outcome(outcome.label, source=outcome.source or "")
        return session.id


def _by_days(tasks: Iterable[Task]) -> Iterable[Task]:
    """As many as come in on a day, in the order of their hours; then the next."""
    left = list(tasks)
    for start in range(0, len(left), _A_DAY):
        yield from sorted(left[start : start + _A_DAY], key=_time)


def _time(task: Task) -> tuple[int, int]:
    matter = make_matter(task.kind, task.seed)
    return matter.hour, matter.minute


def _outcome(ran: Ran) -> Outcome:
    return Outcome("failure" if ran.failures else "success", source="registry")


async def _begun(rv: reverie.Reverie, tools: Tools, store: str | None, model: str | None) -> RunSession:
    """A new session of the clerk, who may use these tools and read that store."""
    matter = tools.matter
    memory: Mapping[str, str] = {} if store is None else {store: "read_only"}
    agent = reverie.Agent(
        name=f"desk {matter.agent}",
        model=model or CLERK,
        system=SYSTEM.format(agent=matter.agent),
        tools=[*tools.named().values(), *(["grep", "read"] if memory else [])],
        memory=memory,  # type: ignore[arg-type]
    )
    asked = await asyncio.to_thread(agent.definition.session, rv, matter.request)
    asked["metadata"] = {"user": matter.user, "task": matter.kind}
    made = await asyncio.to_thread(partial(rv.sessions.create, asked))
    return await attended(rv, made.row.id, agent.functions)
