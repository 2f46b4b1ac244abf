"""Who sits at a thread: an agent as it was when the thread began, with its tools, its hands, its model, and what
it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from reverie.domain.areas import Unmerged
from reverie.domain.events import PRIMARY_THREAD, JsonObject
from reverie.domain.outcomes import GRADER
from reverie.plugins import Handler, Model
from reverie.runtime.brain import MAX_STEPS, Rules
from reverie.runtime.context import ThreadContext
from reverie.runtime.hands import Hands, Sift, Workshop, trouble
from reverie.runtime.house import Mounted, Plugs, Room
from reverie.runtime.journal import Journal
from reverie.runtime.toolbox import OwnTool, Toolbox

__all__ = ["Models", "OwnTools", "Seat", "Seats"]

OwnTools: TypeAlias = Callable[[ThreadContext, JsonObject], Sequence[OwnTool]]
"""The tools of ours that the agent of a thread has."""

_CONTEXT: Final = 200_000  # tokens, of a model that does not say


class Models:
    """The models of one run, each made once."""

    def __init__(self, plugs: Plugs) -> None:
        self._plugs = plugs
        self._made: dict[str, Model] = {}

    async def get(self, name: str) -> Model:
        """
        Raises:
            ConfigError, NotFound: there is none of that name, or no key for it.
        """
        if name not in self._made:  # a provider's modules take a second or two to load
            self._made[name] = await asyncio.to_thread(self._plugs.model, name)
        return self._made[name]


class Seat:
    """The agent of one thread, at work. ``own`` are tools of ours that it has besides (``OwnTool``)."""

    def __init__(
        self,
        thread: ThreadContext,
        agent: JsonObject,
        workshop: Workshop,
        plugs: Plugs,
        models: Models,
        handlers: Mapping[str, Handler],
        own: Sequence[OwnTool] = (),
        max_steps: int = MAX_STEPS,
        sift: Sift | None = None,
    ) -> None:
        self.agent = agent
        self._sift = sift
        self._max_steps = max_steps
        self.workshop = workshop
        self._thread = thread
        self._plugs = plugs
        self._models = models
        self._handlers = handlers
        self._own = own
        self._hands: Hands | None = None
        self._turns = 0

    @property
    def name(self) -> str:
        """The agent's."""
        return str(self.agent.get("name", ""))

    async def hands(self) -> Hands:
        """Its hands, with the tools that its servers have now."""
        if self._hands is None:
            toolbox = await self._toolbox()
            self.workshop.wanted = self.workshop.wanted or toolbox.built_in
            self._hands = Hands(self.workshop, toolbox, self._plugs, self._handlers, self._thread, self._sift)
        return self._hands

    async def renew(self) -> None:
        """A turn begins: what changed in the stores comes in, and servers are asked anew what they have."""
        await self.workshop.refresh()
        if self._turns and self._hands is not None and self.agent.get("mcp_servers"):
            await self.workshop.hang_up()
            self._hands.toolbox = await self._toolbox()
        self._turns += 1

    async def _toolbox(self) -> Toolbox:
        servers = self.agent.get("mcp_servers") or ()
        mcp = [tool for told in servers for tool in await self.workshop.mcp(told)]
        return Toolbox(self.agent, self._plugs.tools, mcp, self._plugs.validate, self._own)

    async def rules(self) -> Rules:
        """What its brain goes by.

        Raises:
            ConfigError, NotFound: its model is none.
        """
        hands = await self.hands()
        tokens = (await self.model()).context_tokens or _CONTEXT if self._thread.due else _CONTEXT
        return Rules(hands.mine, hands.repeatable, tokens, self._max_steps)

    async def model(self) -> Model:
        """Its model.

        Raises:
            ConfigError, NotFound: there is none of that name, or no key for it.
        """
        return await self._models.get(str(self.agent["model"]["id"]))

    @property
    def settings(self) -> JsonObject:
        """How its model is asked."""
        told: JsonObject = self.agent["model"]
        effort: JsonObject = told.get("effort") or {}
        return {"effort": effort.get("type"), "speed": told.get("speed")}

    async def system(self) -> str:
        """What it is told before everything else."""
        parts = (str(self.agent.get("system") or ""), await self.workshop.briefing())
        return "\n\n".join(part for part in parts if part)


class Seats:
    """The seats of one session: every thread's, made when the thread is first driven here."""

    def __init__(
        self,
        room: Room,
        plugs: Plugs,
        session_id: str,
        body: JsonObject,
        handlers: Mapping[str, Handler],
        journal: Journal,
        own: OwnTools,
    ) -> None:
        self._room = room
        self._plugs = plugs
        self._session_id = session_id
        self._body = body
        self._handlers = handlers
        self._journal = journal
        self._own = own
        self.models = Models(plugs)
        self.main = Workshop(room, plugs, session_id, body, self._mount)
        self._seats: dict[str, Seat] = {}

    @property
    def body(self) -> JsonObject:
        """What is said of the session."""
        return self._body

    async def of(self, thread: ThreadContext) -> Seat:
        """Who sits at a thread."""
        found = self._seats.get(thread.name)
        if found is None:
            agent = await self._agent(thread)
            workshop = self.main if thread.name == PRIMARY_THREAD else self._apart(thread)
            found = self._seats[thread.name] = self.seat(thread, agent, workshop)
        return found

    def seat(
        self,
        thread: ThreadContext,
        agent: JsonObject,
        workshop: Workshop,
        *,
        max_steps: int = MAX_STEPS,
        sift: Sift | None = None,
    ) -> Seat:
        """A seat, and whoever asks for it later finds it."""
        own = self._own(thread, agent)
        made = Seat(thread, agent, workshop, self._plugs, self.models, self._handlers, own, max_steps, sift)
        self._seats[thread.name] = made
        return made

    async def leave(self, thread: str) -> None:
        """Nobody sits at a thread any more."""
        seat = self._seats.pop(thread, None)
        if seat is not None and seat.workshop is not self.main:
            await seat.workshop.close()

    def has_area(self, thread: ThreadContext) -> bool:
        """Whether a specialist has a copy of the workspace, to be merged when it rests."""
        seat = self._seats.get(thread.name)
        return seat is not None and _merges(thread) and seat.workshop.opened

    async def merge(self, thread: ThreadContext) -> list[str]:
        """Bring what a specialist made into the session's workspace; what could not be, in words for its lead.
        Nothing is overwritten, and nothing is lost."""
        if not self.has_area(thread):
            return []
        main = await self.main.open()
        report = await asyncio.to_thread(main.merge, thread.name, str(thread.news))
        await self.main.keep()  # what was merged is handed over, too
        told = [_unmerged(thread.agent_name, each) for each in report.conflicts]
        for each in told:
            error = {**trouble(each, "merge_conflict"), "session_thread_id": thread.name}
            self._journal.put("session.error", {"error": error}, PRIMARY_THREAD)
        return told

    async def changed(self, body: JsonObject) -> None:
        """What is said of the session was changed: the agent of its primary thread with it, and nobody else's. What
        its servers had is asked anew: the change may be a person's word on that."""
        await self.main.hang_up()
        self._body = self.main.body = body
        self._seats.pop(PRIMARY_THREAD, None)
        for seat in self._seats.values():
            seat.workshop.body = body

    async def close(self) -> None:
        """Kill what runs, hang up; folders stay."""
        for seat in self._seats.values():
            if seat.workshop is not self.main:
                await seat.workshop.close()
        await self.main.close()

    # ------------------------------------------------------------------ inside

    async def _agent(self, thread: ThreadContext) -> JsonObject:
        if thread.name == PRIMARY_THREAD:
            return self._body["agent"]
        return await self._journal.db(lambda: self._room.live.agent_of(self._session_id, thread.name))

    def _apart(self, thread: ThreadContext) -> Workshop:
        """A specialist's: the same session, its own copy of the workspace."""

        async def fork() -> Mounted:
            main = await self.main.open()
            return await asyncio.to_thread(main.fork, thread.name)

        return self.workshop(fork)

    def workshop(self, mount: Callable[[], Awaitable[Mounted]]) -> Workshop:
        """A workshop of this session with folders of its own."""
        return Workshop(self._room, self._plugs, self._session_id, self._body, mount)

    async def _mount(self) -> Mounted:
        return await asyncio.to_thread(self._room.mount, self._session_id, self._body)


def _unmerged(who: str, conflict: Unmerged) -> str:
    aside = "" if conflict.kept_at is None else f" Their version is at {conflict.kept_at}."
    return f"Conflict: what {who} did to {conflict.path} was not taken over: {conflict.why}.{aside}"


def _merges(thread: ThreadContext) -> bool:
    return thread.name != PRIMARY_THREAD and thread.agent_name != GRADER
