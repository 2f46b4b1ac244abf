"""``reverie.Team``: a lead that may call specialists, in a dozen lines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from reverie.agents.agent import Agent, attended, begun, opened
from reverie.agents.definition import Definition
from reverie.agents.functions import Functions
from reverie.agents.session import OnEvent, RunSession, Task
from reverie.app import Reverie
from reverie.domain.errors import UsageError
from reverie.domain.plans import AT_ONCE, Plan, TaskState
from reverie.orchestration.checking import checked_plan
from reverie.orchestration.notation import plan_json
from reverie.orchestration.progress import PlanState
from reverie.orchestration.runs import runs_of

__all__ = ["MAX_SPECIALISTS", "PlanResult", "Team", "plans_of"]

MAX_SPECIALISTS: Final = 20
Input: TypeAlias = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan that was carried out, as far as it came: ``state`` is what became of each task, ``session`` the lead's,
    with the whole log. ``plans_of(session)`` gives them anew."""

    session: RunSession
    run_id: str
    state: PlanState

    @property
    def tasks(self) -> Mapping[str, TaskState]:
        return self.state.tasks

    @property
    def result(self) -> str | None:
        """``completed`` (every task has ended, well or not), ``stopped`` or ``error``; None while it goes on."""
        ended = self.state.ended
        return None if ended is None else ended.result

    @property
    def texts(self) -> list[str | None]:
        """What each task gave, whole, in the plan's order; None where it gave nothing."""
        said = self.session.said
        return [
            said.get(task.thread or "") if task.status == "finished" else None for task in self.tasks.values()
        ]

    @property
    def text(self) -> str:
        """What the lead made of it, where it was asked to."""
        return self.session.text


def plans_of(session: RunSession) -> list[PlanResult]:
    """Every plan that was begun in a session, in order, as of the last time it was waited for: also of one that was
    resumed, or whose lead made the plan."""
    found = runs_of(session.events).runs.values()
    return [PlanResult(session, run.id, run.state) for run in found]


class Team:
    """A lead and the specialists that it may call: each with its own context, instructions, tools and model. They
    work side by side, in areas of their own that are merged into the lead's workspace when they report.

        team = reverie.Team(
            lead=reverie.Agent(model="anthropic:claude-opus-5", system="You put reviews together."),
            specialists={
                "security": reverie.Agent(model="ollama:qwen3", system="You look for holes.", tools=["*"]),
                "style": reverie.Agent(model="ollama:qwen3", system="You look for ugliness.", tools=["*"]),
            },
        )
        session = await team.run("Review the change in change.diff.")

    Args:
        lead: Who is spoken to. Its environment and its budget hold for the whole session.
        specialists: Whom it may call, by the name that it calls them: at most 20.
        inline: Whether the lead may also invent agents of its own.

    Raises:
        UsageError: nobody, or too many; two functions of one name; a specialist that is called as the lead.
    """

    def __init__(self, *, lead: Agent, specialists: Mapping[str, Agent], inline: bool = False) -> None:
        if not 1 <= len(specialists) <= MAX_SPECIALISTS:
            raise UsageError(f"from 1 to {MAX_SPECIALISTS} specialists, not {len(specialists)}")
        if lead.definition.name in specialists:
            what = f"the lead is called {lead.definition.name!r}, as one of its specialists"
            raise UsageError(what, hint="give it a name of its own")
        members = [replace(agent.definition, name=name) for name, agent in specialists.items()]
        self.definition: Final[Definition] = replace(
            lead.definition,
            specialists=members,
            inline=inline,
            memory={key: how for each in (*members, lead.definition) for key, how in each.memory.items()},
        )
        self.functions: Final = _together([lead, *specialists.values()])

    # ------------------------------------------------------------------ a task for the lead

    async def start(
        self, task: Task, *, db: str | Path | None = None, reverie: Reverie | None = None
    ) -> RunSession:
        """Give the lead a task; see ``Agent.start``."""
        text = task if isinstance(task, str) else " ".join(str(block.get("text", "")) for block in task)
        session = await self._begun(text, db, reverie)
        return await session.send(task, wait=False)

    async def run(
        self,
        task: Task,
        *,
        db: str | Path | None = None,
        reverie: Reverie | None = None,
        on_event: OnEvent | None = None,
    ) -> RunSession:
        """As ``start``, and wait until everybody rests."""
        session = await self.start(task, db=db, reverie=reverie)
        return await session.wait(on_event)

    def run_sync(
        self,
        task: Task,
        *,
        db: str | Path | None = None,
        reverie: Reverie | None = None,
        on_event: OnEvent | None = None,
    ) -> RunSession:
        """``run`` for programs without an event loop."""
        return asyncio.run(self.run(task, db=db, reverie=reverie, on_event=on_event))

    # ------------------------------------------------------------------ a plan

    async def carry_out(
        self,
        plan: Plan | Mapping[str, Any],
        *,
        db: str | Path | None = None,
        reverie: Reverie | None = None,
        on_event: OnEvent | None = None,
    ) -> PlanResult:
        """Have a plan carried out: tasks with ``depends_on``, each by a specialist; what is ready runs in parallel.
        The lead is asked only where the plan says so (``reduce``).

            await team.carry_out({"name": "release", "tasks": [
                {"id": "build", "agent": "builder", "prompt": "Build it."},
                {"id": "test", "agent": "tester", "prompt": "Test it.", "depends_on": ["build"]},
            ]})

        Raises:
            Invalid: a plan that cannot be carried out: a cycle, an unknown specialist, a missing dependency.
        """
        session = await self.start_plan(plan, db=db, reverie=reverie)
        await session.wait(on_event)
        return plans_of(session)[0]

    async def start_plan(
        self,
        plan: Plan | Mapping[str, Any],
        *,
        db: str | Path | None = None,
        reverie: Reverie | None = None,
    ) -> RunSession:
        """Begin what ``carry_out`` does, and do not wait: ``plans_of(session)`` tells how it stands."""
        told = plan_json(plan) if isinstance(plan, Plan) else plan
        checked_plan(told, [each.name for each in self.definition.specialists])  # before a session is there
        session = await self._begun(str(told.get("name") or "plan"), db, reverie)
        await session.start_plan(told)
        return session

    async def go_on_with(
        self, session: RunSession, plan: Mapping[str, Any], *, on_event: OnEvent | None = None
    ) -> PlanResult:
        """``carry_out`` in a session of this team that is there."""
        run_id = await session.start_plan(plan)
        await session.wait(on_event)
        return next(each for each in plans_of(session) if each.run_id == run_id)

    async def resume(
        self, session_id: str, *, db: str | Path | None = None, reverie: Reverie | None = None
    ) -> RunSession:
        """Go on with a session of this team that another program began; ``wait`` for it. What has finished is not
        done again. ``plans_of`` tells what became of its plans; see ``reverie.resume``.

        Raises:
            NotFound: there is no such session.
        """
        house = reverie or await asyncio.to_thread(opened, db)
        for each in (self.definition, *self.definition.specialists):
            each.allow(house)
        return await attended(house, session_id, self.functions)

    async def map(
        self,
        specialist: str,
        inputs: Sequence[Input],
        *,
        prompt: str = "{input}",
        at_once: int = AT_ONCE,
        reduce: str | None = None,
        retries: int = 0,
        timeout_s: float | None = None,
        max_tokens: int | None = None,
        db: str | Path | None = None,
        reverie: Reverie | None = None,
        on_event: OnEvent | None = None,
    ) -> PlanResult:
        """One specialist over many inputs (up to 1,000), ``at_once`` at a time; ``reduce`` asks the lead to make
        something of the results.

        Args:
            prompt: A template: ``{input}``, ``{index}`` from 1, and the fields of inputs that are mappings.
            retries: Attempts after the first, for each input.
            timeout_s: Seconds that one attempt may take.
            max_tokens: What each input may use.

        Raises:
            Invalid: an unknown specialist, nothing to do or too much, a template that does not fit.
        """
        mapped = {
            "agent": specialist,
            "inputs": [each if isinstance(each, str) else dict(each) for each in inputs],
            "prompt": prompt,
            "retries": retries,
            "timeout_s": timeout_s,
            "max_tokens": max_tokens,
        }
        told = {"name": f"map {specialist}"[:64], "map": mapped, "at_once": at_once, "reduce": reduce}
        return await self.carry_out(told, db=db, reverie=reverie, on_event=on_event)

    # ------------------------------------------------------------------ inside

    async def _begun(self, about: str, db: str | Path | None, reverie: Reverie | None) -> RunSession:
        house = reverie or await asyncio.to_thread(opened, db)
        return await begun(house, self.definition, about, self.functions)


def _together(agents: Iterable[Agent]) -> Functions:
    """The functions of all of them: a call names its function, and no more."""
    known: dict[str, Any] = {}
    for agent in agents:
        for name, function in agent.functions.by_name.items():
            if known.setdefault(name, function) is not function:
                raise UsageError(f"two functions of the team are called {name!r}: give one another name")
    return Functions(known.values())
