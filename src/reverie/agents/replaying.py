"""``reverie.replay``: tasks played in pairs, with an edit of memory and without, before anybody adopts it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from reverie.agents.agent import Agent, opened
from reverie.agents.functions import Functions
from reverie.agents.pursuing import Grader, Pursuit, start
from reverie.agents.session import RunSession
from reverie.app import Reverie
from reverie.domain.errors import ReverieError, UsageError
from reverie.domain.events import PRIMARY_THREAD, Event
from reverie.dreaming.replays import PAIRS, Replay
from reverie.dreaming.trials.pairs import Pair
from reverie.dreaming.trials.plans import AIMS, Aims
from reverie.sessions.live import FORMAT

__all__ = ["OnPair", "Play", "Rehearsal", "Work", "of_agent", "of_sessions", "playable", "replay"]

Play: TypeAlias = Callable[[str, str], Awaitable[bool]]
"""``await play(task, store)``: play a task with the memory store of that id, and say whether it succeeded."""
OnPair: TypeAlias = Callable[[Replay, Pair], object]

AT_ONCE: Final = 2


async def replay(
    proposals: Sequence[str],
    tasks: Sequence[str],
    play: Play,
    *,
    pairs: int = PAIRS,
    aims: Aims = AIMS,
    at_once: int = AT_ONCE,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
    on_pair: OnPair = lambda replay, pair: None,
) -> Replay:
    """Find out whether proposals help, by playing tasks with and without them, in ``pairs`` pairs at most.

        async def play(task: str, store: str) -> bool: ...
        found = await reverie.replay([proposal.id], tasks, play)
        found.status  # "adopt" or "give up"

    Of edits that do nothing at most 5 % come out as "adopt", of those that harm by ten points at most 1 %, however the
    tasks differ (``trials.design``). Tasks should be others than those that the proposals were learned from. What was
    played is kept: the same call again goes on where it was, or gives the answer that it had.

    Args:
        play: Plays one task. Called for both sides of a pair at once; what it raises stops the replay, and what was
            played stays.
        at_once: Pairs at a time.
        on_pair: Told of each pair that is done.

    Raises:
        NotFound, Ambiguous, Invalid, UsageError, StaleBase: as ``dreaming.replays.Replays.begin``.
    """
    house = reverie or await asyncio.to_thread(opened, db)
    begun = await asyncio.to_thread(lambda: house.replays.begin(proposals, tasks, pairs=pairs, aims=aims))
    return await Rehearsal(house, begun, play, on_pair).work(at_once)


@dataclass(slots=True)
class Rehearsal:
    """A replay while this program plays it."""

    house: Reverie
    replay: Replay
    play: Play
    on_pair: OnPair
    playing: dict[int, str] = field(default_factory=dict[int, str])

    async def work(self, at_once: int) -> Replay:
        """Play pairs until the plan has its answer."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                while len(tasks) < at_once and (wanted := self.replay.next(self.playing)) is not None:
                    self.playing[wanted[0]] = wanted[1]
                    tasks.add(asyncio.ensure_future(self._pair(*wanted)))
                if not tasks or self.replay.status != "running":
                    return self.replay
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pair(self, number: int, task: str) -> None:
        sides = (self.replay.with_store, self.replay.without_store)
        with_edit, without = await asyncio.gather(*(self.play(task, store) for store in sides))
        pair = Pair(task, with_edit, without)
        self.replay = await asyncio.to_thread(self.house.replays.add, self.replay.id, number, pair)
        del self.playing[number]
        self.on_pair(self.replay, pair)


# ---------------------------------------------------------------------- what is played


@dataclass(frozen=True, slots=True)
class Work:
    """A task that is pursued: what to do, and the rubric that says whether it was done."""

    task: str
    rubric: str | Path


def of_agent(
    agent: Callable[[str], Agent], works: Mapping[str, Work], *, grader: Grader = None, reverie: Reverie
) -> Play:
    """Plays works, by name, with an agent (``agent`` makes it, given the memory store that it is to read). A work
    succeeded if the grader was satisfied at once."""

    async def play(task: str, store: str) -> bool:
        work = works[task]
        pursuit = await start(
            work.task,
            agent=agent(store),
            rubric=work.rubric,
            grader=grader,
            max_iterations=1,
            reverie=reverie,
        )
        return _judged(await pursuit.session.wait(), task)

    return play


def playable(house: Reverie) -> list[str]:
    """The ids of the sessions that ``of_sessions`` can play, the newest first."""
    rehearsed = house.replays.sessions()
    found = [each for each in house.log.sessions() if each.id not in rehearsed and each.info.format == FORMAT]
    return [each.id for each in reversed(found) if _can_be_played(house, each.id)]


def _can_be_played(house: Reverie, session_id: str) -> bool:
    try:
        _recorded(house, session_id, "", "")
    except UsageError:
        return False
    return True


def of_sessions(replaced: str, *, functions: Functions | None = None, reverie: Reverie) -> Play:
    """Plays sessions anew, by id: the same agent at the same version, environment and other stores, the same words and
    the same rubric, with another memory store in the place of ``replaced`` (or besides, where it had none).

    A session succeeds if its outcome was reached at once. Raises ``UsageError`` for one that was imported, that has no
    outcome to be judged by, or that needs what only its client has.
    """
    house = reverie

    async def play(session_id: str, store: str) -> bool:
        asked, said = await asyncio.to_thread(_recorded, house, session_id, replaced, store)
        made = await asyncio.to_thread(house.sessions.create, asked)
        tools = functions or Functions(())
        tools.here()
        house.handle(made.row.id, tools.handlers())
        await asyncio.to_thread(house.attend)
        session = await RunSession.open(house, made.row.id, tools)
        await asyncio.to_thread(house.sessions.send, session.id, said)
        return _judged(await (await RunSession.open(house, session.id, tools)).wait(), session_id)

    return play


def _judged(session: RunSession, task: str) -> bool:
    result = Pursuit(session).result
    if result is None or result in ("failed", "interrupted"):
        why = session.error or session.stop_reason or result
        raise ReverieError(
            f"it could not be judged: {why}",
            where=f"{task} ({session.id})",
            hint="what was played is kept: the same command again goes on",
        )
    return result == "satisfied"


def _recorded(
    house: Reverie, session_id: str, replaced: str, store: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What to ask for to play a session anew, and what to say to it."""
    found = house.log.session(session_id)
    body = house.live.row(found.id).body
    if body is None:
        raise UsageError("it was imported: only sessions that ran here can be played anew", where=session_id)
    agent = body["agent"]
    custom = [tool["name"] for tool in agent.get("tools") or () if tool["type"] == "custom"]
    if body.get("self_hosted") or custom:
        needs = ", ".join(custom) or "its own environment"
        raise UsageError(f"it needs what only its client has: {needs}", where=session_id)
    said = [_said(each) for each in house.log.stream(found.id) if _words(each)]
    outcomes = [each for each in said if each["type"] == "user.define_outcome"]
    if len(outcomes) != 1:
        told = "several outcomes" if outcomes else "no outcome"
        raise UsageError(f"it has {told}: nothing says whether a replay of it succeeds", where=session_id)
    outcomes[0]["max_iterations"] = 1
    asked: dict[str, Any] = {
        "agent": {"type": "agent", "id": agent["id"], "version": agent["version"]},
        "environment_id": body["environment_id"],
        "title": body.get("title"),
        "resources": _resources(body.get("resources") or (), replaced, store),
    }
    return asked, said


def _resources(before: Sequence[Mapping[str, Any]], replaced: str, store: str) -> list[dict[str, Any]]:
    stores = [each for each in before if each["type"] == "memory_store"]
    kept = [
        {"type": "memory_store", "memory_store_id": each["memory_store_id"], "access": each["access"]}
        for each in stores
        if each["memory_store_id"] != replaced
    ]
    return [*kept, {"type": "memory_store", "memory_store_id": store, "access": "read_only"}]


def _words(event: Event) -> bool:
    return event.thread == PRIMARY_THREAD and event.type in ("user.message", "user.define_outcome")


def _said(event: Event) -> dict[str, Any]:
    told = {name: event.payload[name] for name in _FIELDS[event.type] if event.payload.get(name) is not None}
    return {"type": event.type, **told}


_FIELDS: Final = {
    "user.message": ("content",),
    "user.define_outcome": ("description", "rubric", "max_iterations", "grader"),
}
