"""A session that an agent runs, as a program sees it: what it said, what it waits for, what it cost."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, overload

from reverie.agents.functions import Functions
from reverie.agents.watch import Appended, Look, Previewed, Watch
from reverie.app import Reverie
from reverie.domain.errors import UsageError
from reverie.domain.events import PRIMARY_THREAD, Event, Json, JsonObject, QueuedEvent, event_text
from reverie.domain.sessions import Outcome
from reverie.runtime.hands import result_payload
from reverie.sessions.status import Asked, SessionState, Status, Usage, session_status, step, stop_reason
from reverie.sessions.views import Asking
from reverie.storage.events import Link, read

__all__ = ["OnEvent", "PendingCall", "Piece", "RunSession", "Task"]

Task: TypeAlias = str | Sequence[Mapping[str, Any]]
"""What a person says: text, or blocks as on the wire (images, documents)."""
OnEvent: TypeAlias = Callable[[Event], Any]
"""Called with each event in its order, on the loop that waits; may be async."""

_PAGE: Final = 256
_INPUT: Final = ("user.message", "user.define_outcome")  # the loop takes it up, and comes to rest again
_OF_CLIENTS: Final = ("user.", "system.")
_RESTS: Final = ("session.status_idle", "session.status_terminated")


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that waits: for a person's yes or no, or for what a tool of the client's gives."""

    id: str
    name: str
    input: JsonObject
    waits_for: Asked


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a message while it is made. The event with that id will hold the whole of it."""

    event_id: str
    text: str


class RunSession:
    """One session. Made by ``Agent.run``, ``Agent.start`` or ``reverie.resume``.

    What it tells is as of the last time it was waited for (``wait``, ``stream``, ``send`` …). It can be used
    from one event loop after another, and the session goes on without it: it is in the log, not in here.
    """

    def __init__(self, house: Reverie, session_id: str, functions: Functions) -> None:
        self.id: Final = session_id
        self._house = house
        self._functions = functions
        self._events: list[Event] = []
        self._state = SessionState()
        self._told = 0  # events that a stream gave, or somebody waited for
        self._sent: set[str] = set()  # input of ours that the loop has not taken yet
        self._heard: set[str] = set()  # what clients said that is in the log
        self._asked = False  # it took input since it last rested
        self._text = ""
        self._said: dict[str, str] = {}
        self._started: set[str] = set()  # runs of plans that are not in what is known yet
        self._open: set[str] = set()
        self._outcome = Outcome()

    # ------------------------------------------------------------------ what is known

    @property
    def events(self) -> Sequence[Event]:
        """The log, of every thread, in order."""
        return self._events

    @property
    def status(self) -> Status:
        """``idle`` is the state of rest, also of a session that has done its work."""
        return session_status(self._state)

    @property
    def stop_reason(self) -> str | None:
        """Why it rests: ``end_turn``, ``requires_action``, ``budget_reached``, ``retries_exhausted`` or
        ``refusal``; None while it works, or has not begun."""
        reason = stop_reason(self._state)
        return None if reason is None else str(reason["type"])

    @property
    def text(self) -> str:
        """What the agent said last."""
        return self._text

    @property
    def said(self) -> Mapping[str, str]:
        """What the agent of each thread said last, by the thread's id; the primary one's under ``""``."""
        return self._said

    @property
    def pending(self) -> list[PendingCall]:
        """What it waits for: to be answered with ``confirm``, or with ``answer``."""
        waiting = self._state.pending
        return [
            PendingCall(event.id, str(event.payload["name"]), event.payload["input"], waiting[event.id][1])
            for event in self._events
            if event.id in waiting
        ]

    @property
    def error(self) -> str | None:
        """What went wrong last, since it was last told something."""
        for event in reversed(self._events):
            if event.type == "session.error":
                return str(event.payload["error"]["message"])
            if event.type in _INPUT:
                break
        return None

    @property
    def usage(self) -> Usage:
        """What it used so far, in tokens; of all threads together."""
        return self._state.usage

    @property
    def cost_usd(self) -> Decimal | None:
        """What it cost so far at list prices, in US dollars; None where its models have no price."""
        cents = self._state.usage.list_cost
        return None if cents is None else Decimal(cents) / 100

    @property
    def outcome(self) -> Outcome:
        """How it ended, as far as somebody said so: what dreams learn from."""
        return self._outcome

    def deliverables(self) -> dict[str, bytes]:
        """What it handed over: the files of its outputs folder, by name, as they were kept last."""
        found = self._house.files.list(session_id=self.id, limit=1_000)
        return {
            str(each.body["filename"]): b"".join(self._house.files.read(each.id)[1])
            for each in reversed(found)
        }

    @property
    def resting(self) -> bool:
        """Whether nothing happens any more until somebody says something."""
        if self.status == "terminated":
            return True
        primary = self._state.threads[PRIMARY_THREAD]
        reason = stop_reason(self._state)
        stopped = reason is not None and reason.get("type") in ("requires_action", "budget_reached")
        going_on = primary.started and stop_reason(self._state) is None  # every call was answered
        waited = self._asked or self._sent or self._started
        return self.status == "idle" and not (going_on or waited or (self._open and not stopped))

    def __repr__(self) -> str:
        told = self.status if self.stop_reason is None else f"{self.status}: {self.stop_reason}"
        return f"<RunSession {self.id} {told}, {len(self._events)} events>"

    # ------------------------------------------------------------------ what happens

    @overload
    def stream(self) -> AsyncGenerator[Event]: ...

    @overload
    def stream(self, *, pieces: Literal[True]) -> AsyncGenerator[Event | Piece]: ...

    async def stream(self, *, pieces: bool = False) -> AsyncGenerator[Event | Piece]:
        """Every event that was not streamed or waited for yet, as it comes, until the session rests. With
        ``pieces``, messages also while they are made.

        Raises:
            NotFound: the session was deleted.
        """
        self._functions.here()
        at = self._told
        with Watch(self._house.feed, self.id) as watch:
            while True:
                news = await watch.next()
                if isinstance(news, Previewed):
                    if pieces and (piece := _piece(news)) is not None:
                        yield piece
                    continue
                await self._take(news)
                while at < len(self._events):
                    at += 1
                    self._told = max(self._told, at)
                    yield self._events[at - 1]
                if watch.quiet and self.resting:
                    return

    async def wait(self, on_event: OnEvent | None = None) -> RunSession:
        """Wait until the session rests. Gives itself.

        Raises:
            NotFound: the session was deleted.
        """
        async for event in self.stream():
            if on_event is not None and inspect.isawaitable(done := on_event(event)):
                await done
        return self

    # ------------------------------------------------------------------ what is said to it

    async def send(self, message: Task, *, wait: bool = True, on_event: OnEvent | None = None) -> RunSession:
        """Say something to the agent, and (unless told otherwise) wait until the session rests. What is said
        while it works waits for its turn.

        Raises:
            UsageError: the session has ended, or its budget is spent.
        """
        content = [{"type": "text", "text": message}] if isinstance(message, str) else list(message)
        await self._send({"type": "user.message", "content": content})
        return await self.wait(on_event) if wait else self

    async def define_outcome(self, asked: JsonObject) -> RunSession:
        """Say what is wanted and how it is judged (``user.define_outcome``, as on the wire); ``wait`` for it.

        Raises:
            UsageError: another outcome is not finished, the session has ended, or its budget is spent.
            Invalid: a rubric that is none.
        """
        await self._send({"type": "user.define_outcome", **asked})
        return self

    async def start_plan(self, plan: Mapping[str, Any]) -> str:
        """Have a plan carried out by the specialists that the agent may call; gives the id of the run. ``wait`` for
        it.

        Raises:
            Invalid: a plan that cannot be carried out.
            UsageError: ten runs are open, the session has ended, or its budget is spent.
        """
        started = await asyncio.to_thread(self._house.plans.start, self.id, plan)
        self._started.add(started.id)
        return started.id

    async def stop_plan(self, run_id: str, why: str = "stopped by the program") -> RunSession:
        """Stop a run of a plan: what works is broken off, what has finished stays.

        Raises:
            NotFound: there is no such run.
        """
        await asyncio.to_thread(self._house.plans.stop, self.id, run_id, why)
        return await self.wait()

    async def confirm(
        self, call_id: str, *, allow: bool, message: str | None = None, wait: bool = True
    ) -> RunSession:
        """Say yes or no to a call that asks; with no, ``message`` tells the agent why.

        Raises:
            UsageError: the call does not wait for this.
        """
        said: dict[str, Any] = {"type": "user.tool_confirmation", "tool_use_id": call_id}
        said["result"] = "allow" if allow else "deny"
        if message is not None and not allow:
            said["deny_message"] = message
        await self._send(said)
        return await self.wait() if wait else self

    async def answer(
        self, call_id: str, result: str, *, is_error: bool = False, wait: bool = True
    ) -> RunSession:
        """Give what a custom tool gave that no function of this program answers.

        Raises:
            UsageError: the call does not wait for this.
        """
        content = [{"type": "text", "text": result}]
        said = {"type": "user.custom_tool_result", "custom_tool_use_id": call_id, "content": content}
        await self._send({**said, "is_error": is_error})
        return await self.wait() if wait else self

    async def answer_pending(self, *, wait: bool = True) -> RunSession:
        """Call this program's functions for calls that wait for them: of a session that was resumed, and
        that went on elsewhere meanwhile, without them. Whether somebody began them then, nobody knows."""
        for call in self.pending:
            if call.waits_for != "custom_result":
                continue
            output = await self._functions.call(call.name, call.input)
            if output is not None:
                told = result_payload("custom", call.id, output)
                await self._send({"type": "user.custom_tool_result", **told})
        return await self.wait() if wait else self

    async def interrupt(self, *, wait: bool = True) -> RunSession:
        """Stop what it does. It can be told to go on."""
        await self._send({"type": "user.interrupt"})
        return await self.wait() if wait else self

    # ------------------------------------------------------------------ inside

    @classmethod
    async def open(cls, house: Reverie, session_id: str, functions: Functions) -> RunSession:
        """The session of that id as it is now; input that waits in it is waited for.

        Raises:
            NotFound: there is none.
            UsageError: it was imported, and runs nowhere.
        """
        newest = Asking(newest_first=True)
        _, row, found = await asyncio.to_thread(
            house.sessions.events, session_id, newest, after=None, limit=1
        )
        if row.body is None:
            raise UsageError("this session was imported: it is a record, and does not run", where=session_id)
        session = cls(house, session_id, functions)
        session._state = SessionState(self_hosted=bool(row.body["self_hosted"]))
        session._sent |= {each.id for each in found if isinstance(each, QueuedEvent)}
        await session._take(Look())
        session._told = len(session._events)  # what was before is history
        return session

    async def _send(self, said: Mapping[str, Json]) -> None:
        for taken in await asyncio.to_thread(self._house.sessions.send, self.id, [said]):
            if isinstance(taken, QueuedEvent) and taken.id not in self._heard:  # it may be ahead of us
                self._sent.add(taken.id)

    async def _take(self, news: Appended | Look) -> None:
        """Add what is new to what is known."""
        if isinstance(news, Appended) and news.links[0].seq <= len(self._events) + 1:
            self._add(news.links)
            return
        while True:
            links = await asyncio.to_thread(self._house.live.log_after, self.id, len(self._events), _PAGE)
            self._add(links)
            if len(links) < _PAGE:
                return

    def _add(self, links: Sequence[Link]) -> None:
        for link in links:
            if link.seq == len(self._events) + 1:  # another who waits may have read it meanwhile
                self._grow(read(link))

    def _grow(self, event: Event) -> None:
        self._events.append(event)
        self._state = step(self._state, event)
        if event.type.startswith(_OF_CLIENTS):
            self._heard.add(event.id)
            self._sent.discard(event.id)
        if event.type in _INPUT:
            self._asked = True
        elif event.type in _RESTS:
            self._asked = False
        elif event.type == "agent.message":
            text = self._said[event.thread] = event_text(event.type, event.payload)
            if event.thread == PRIMARY_THREAD:
                self._text = text
        elif event.type == "workflow_run.created":
            self._started.discard(str(event.payload["workflow_run_id"]))
            self._open.add(str(event.payload["workflow_run_id"]))
        elif event.type == "workflow_run.status_ended":
            self._open.discard(str(event.payload["workflow_run_id"]))
        elif event.type == "session.outcome":
            said = event.payload
            self._outcome = Outcome(said["label"], said.get("score"), said.get("label_source"))


def _piece(news: Previewed) -> Piece | None:
    """What is being said on the primary thread; of thoughts nothing is shown."""
    if news.thread != PRIMARY_THREAD or news.preview["type"] != "event_delta":
        return None
    content: JsonObject = news.preview["delta"].get("content") or {}
    return Piece(str(news.preview["event_id"]), str(content.get("text", "")))
