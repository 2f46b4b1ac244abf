"""The one loop: it wakes a session, folds its log, does what the brain decides, and writes down what came of
it, until there is nothing to do. All that it knows is in the log; whoever wakes the session next knows as much.

Two transactions make a step: results and the start of a request, before a model is asked; its answer, before
anything is done. Nothing has an effect before it is on the disk that it will.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

from reverie.domain.errors import (
    ConfigError,
    ContextTooLong,
    ModelBilling,
    ModelFailed,
    ModelOverloaded,
    ModelRateLimited,
    NotFound,
)
from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject, NewEvent
from reverie.domain.messages import ModelRequest, ModelResponse, Text
from reverie.plugins import Handler, Model, Output
from reverie.runtime import brain, compacting
from reverie.runtime.answering import Preview, answered, ended, stopped
from reverie.runtime.brain import Act, Ask, Close, Compact, Exhausted, Rules, Want, decide
from reverie.runtime.budget import allows
from reverie.runtime.context import Call, SessionContext, ThreadContext
from reverie.runtime.hands import Hands, Workshop, result_payload, result_type
from reverie.runtime.house import Plugs, Room
from reverie.runtime.journal import Asked, Journal
from reverie.runtime.toolbox import Toolbox
from reverie.sessions.pages import Fence, Page
from reverie.storage.events import Link

__all__ = ["Run"]

T = TypeVar("T")
log: Final = logging.getLogger("reverie.runtime")

MAX_TRIES: Final = 5
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
_LONGEST_ASKED: Final = 600.0  # however long a provider asks us to wait
_PAGE: Final = 1_000
_CONTEXT: Final = 200_000  # tokens, of a model that does not say
_END_TURN: Final[JsonObject] = {"type": "end_turn"}
_GAVE_UP: Final[JsonObject] = {"type": "retries_exhausted"}


class Run:
    """One session while this process works on it. ``context`` is its fold, as far as it is known already;
    ``cut_off`` are calls that somebody who is gone may have started."""

    def __init__(
        self,
        room: Room,
        plugs: Plugs,
        session_id: str,
        *,
        fence: Fence,
        asked: Asked,
        handlers: Mapping[str, Handler],
        context: SessionContext | None,
        entropy: Callable[[int], bytes],
    ) -> None:
        self.session_id = session_id
        self._room = room
        self._plugs = plugs
        self._handlers = handlers
        self._fresh = context is None
        self.context = SessionContext(room.load_file) if context is None else context
        self._journal = Journal(
            room.live,
            session_id,
            self.context,
            fence=fence,
            asked=asked,
            entropy=entropy,
            told=self._told,
        )
        self._cut_off: set[str] = set()
        self._busy: dict[str, asyncio.Task[Any]] = {}
        self._news: asyncio.Task[None] | None = None
        self._hands: dict[str, Hands] = {}
        self._models: dict[str, Model] = {}
        self._loop = asyncio.get_running_loop()

    # ------------------------------------------------------------------ from wake to rest

    async def work(self) -> None:
        """Go on with the session until it rests.

        Raises:
            LeaseLost: somebody else goes on with it.
            StorageError: nothing can be written now.
        """
        row = await self._journal.db(lambda: self._room.live.row(self.session_id))
        self._workshop = Workshop(self._room, self._plugs, self.session_id, row.body or {})
        unsubscribe = self._room.feed.subscribe(self.session_id, self)
        try:
            await self._begin()
            await self.drive(PRIMARY_THREAD)
        finally:
            unsubscribe()
            if self._news is not None:
                self._news.cancel()
            await self._workshop.close()

    async def _begin(self) -> None:
        await self._journal.read()
        if self._fresh:
            calls = (call for thread in self.context.threads.values() for call in thread.open.values())
            self._cut_off = {call.id for call in calls if call.begun}

    async def drive(self, name: str) -> None:
        """One thread, step by step."""
        thread = self.context.thread(name)
        while True:
            if self.context.changed:
                await self._changed()
            want = await self._decided(thread)
            if not await self._do(thread, want):
                return

    async def _decided(self, thread: ThreadContext) -> Want:
        if not (thread.due or thread.open):
            return brain.Rest()
        try:
            return decide(thread, await self._rules(thread), self._cut_off)
        except (ConfigError, NotFound) as error:
            return Exhausted("model_request_failed_error", str(error))

    async def _do(self, thread: ThreadContext, want: Want) -> bool:
        match want:
            case Ask():
                return await self._ask(thread)
            case Act(calls):
                await self._act(thread, calls)
            case Close(calls, stop):
                await self._close(thread, calls, stop)
            case Compact():
                return await self._compact(thread)
            case Exhausted(kind, message):
                await self._give_up(thread, kind, message)
            case brain.Rest():
                return await self._rest(thread)
        return True

    # ------------------------------------------------------------------ steps

    async def _ask(self, thread: ThreadContext) -> bool:
        await self._prepare(thread)
        start = await self._start(thread)
        if start is None:
            return False
        hands = await self._hands_of(thread)
        request = ModelRequest(
            tuple(thread.messages), await self._system(), hands.toolbox.specs, self._settings
        )
        response = await self._respond(thread, start, request)
        if response is None:
            return True
        events = answered(self.session_id, thread.name, start, response, hands.toolbox)
        calls = any(event.type.endswith("tool_use") for event in events)
        await self._journal.write(lambda page: _settle(page, thread, events, response, calls=calls))
        return True

    async def _prepare(self, thread: ThreadContext) -> None:
        """What has to be there before a model is asked, and what went wrong with it."""
        if thread.steps == 0:
            await self._workshop.refresh()
        await self._hands_of(thread)
        await self._system()
        for error in self._workshop.troubles:
            self._journal.put("session.error", {"error": error}, PRIMARY_THREAD)
        self._workshop.troubles.clear()

    async def _start(self, thread: ThreadContext) -> Event | None:
        """Begin a request: with whatever waits, and if the budget allows. In one transaction."""
        start = self._journal.new("span.model_request_start", {}, thread.name)
        model = await self._model()

        def work(page: Page) -> None:
            if thread.name == PRIMARY_THREAD:
                page.take()
            if not allows(page, thread.name, model):
                return
            page.turn("running", thread=thread.name)
            page.add(start)

        events = await self._journal.write(work)
        return next((event for event in events if event.key == start.key), None)

    async def _respond(
        self, thread: ThreadContext, start: Event, request: ModelRequest
    ) -> ModelResponse | None:
        """Ask the model. None where it has no answer; then the log says why."""
        live = self._room.live
        preview = Preview(
            self.session_id, start, lambda shown: live.preview(self.session_id, shown, thread=thread.name)
        )
        try:
            model = await self._model()
            return await self._interruptible(thread, model.respond(request, preview))
        except _Interrupted:
            await self._journal.write(lambda page: page.add(stopped(thread.name, start, interrupted=True)))
        except (ConfigError, NotFound) as error:
            await self._failed(thread, start, ModelFailed(str(error), retryable=False))
        except ModelFailed as error:
            await self._failed(thread, start, error)
        return None

    async def _failed(self, thread: ThreadContext, start: Event, error: ModelFailed) -> None:
        end = stopped(thread.name, start, interrupted=False)
        tries = thread.failures + 1
        if isinstance(error, ContextTooLong):
            await self._journal.write(lambda page: page.add(end))
            thread.too_long += 1  # the brain sees to it
            return
        again = error.retryable and tries < MAX_TRIES
        told = _model_error(error, "retrying" if again else "exhausted")
        failure = self._journal.new("session.error", {"error": told}, thread.name)

        def work(page: Page) -> None:
            page.add(end)
            page.add(failure)
            if again:
                page.turn("rescheduling", thread=thread.name)
            else:
                page.take()  # what waits is not worked on either
                page.turn("idle", thread=thread.name, stop=_GAVE_UP)

        await self._journal.write(work)
        if again:
            await self._wait(thread, tries, error.retry_after)

    async def _wait(self, thread: ThreadContext, tries: int, told: float | None) -> None:
        seconds = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tries - 1)) * (0.5 + self._plugs.jitter())
        try:
            wanted = min(told or 0.0, _LONGEST_ASKED)
            await self._interruptible(thread, self._plugs.sleep(max(seconds, wanted)))
        except _Interrupted:
            return

    async def _act(self, thread: ThreadContext, calls: Sequence[Call]) -> None:
        hands = await self._hands_of(thread)
        if not thread.running or (self._journal.outbox and not all(map(hands.repeatable, calls))):
            await self._journal.write(lambda page: page.turn("running", thread=thread.name))
        if len(calls) == 1:
            made = [(calls[0], await self._made(thread, hands, calls[0]))]
        else:
            results = await asyncio.gather(*(self._made(thread, hands, call) for call in calls))
            made = list(zip(calls, results, strict=True))
        for call, payload in made:
            if payload is not None and call.id in thread.open:
                self._journal.put(result_type(call.kind), payload, thread.name)
            self._cut_off.discard(call.id)

    async def _made(self, thread: ThreadContext, hands: Hands, call: Call) -> dict[str, Any] | None:
        try:
            return await self._interruptible(thread, hands.make(call), key=call.id)
        except _Interrupted:
            return None

    async def _close(self, thread: ThreadContext, calls: Sequence[tuple[Call, str]], stop: bool) -> None:
        for call, why in calls:
            payload = result_payload(call.kind, call.id, Output([Text(why)], is_error=True))
            self._journal.put(result_type(call.kind), payload, thread.name)
        self._cut_off -= {call.id for call, _ in calls}
        if stop:

            def work(page: Page) -> None:
                page.turn("idle", thread=thread.name, stop=_END_TURN)

            await self._journal.write(work)
            thread.interrupted = thread.due = False

    async def _compact(self, thread: ThreadContext) -> bool:
        await self._prepare(thread)
        start = await self._start(thread)
        if start is None:
            return False
        hands = await self._hands_of(thread)
        request = compacting.asking(thread, await self._system(), hands.toolbox.specs, self._settings)
        response = await self._respond(thread, start, request)
        if response is None:
            return True
        told = {
            "trigger": "auto",
            "pre_tokens": thread.prompt_tokens,
            "summary": compacting.summary(thread, response),
        }
        compacted = self._journal.new("agent.thread_context_compacted", told, thread.name)
        end = ended(thread.name, start, response, compaction=True)

        def work(page: Page) -> None:
            page.add(compacted)
            page.add(end)

        await self._journal.write(work)
        return True

    async def _give_up(self, thread: ThreadContext, kind: str, message: str) -> None:
        told = {"type": kind, "message": message, "retry_status": {"type": "exhausted"}}
        failure = self._journal.new("session.error", {"error": told}, thread.name)

        def work(page: Page) -> None:
            page.take()
            page.turn("running", thread=thread.name)
            page.add(failure)
            page.turn("idle", thread=thread.name, stop=_GAVE_UP)

        await self._journal.write(work)

    async def _rest(self, thread: ThreadContext) -> bool:
        """Go idle, unless something waits: it is taken in the same transaction that finds it. Whether there
        is something to do after all."""
        waiting = frozenset(thread.open)

        def work(page: Page) -> bool:
            mine = page.state.threads[thread.name]
            if not waiting <= mine.pending.keys():
                return True  # the client has answered: it is in the log behind what we know
            if thread.name == PRIMARY_THREAD and not waiting:
                page.take()
            if not page.added and mine.status in ("running", "rescheduling"):
                page.turn("idle", thread=thread.name, stop=_END_TURN)
            return False

        events, answered = await self._journal.written(work)
        if answered:
            await self._journal.read()
        return answered or (bool(events) and thread.due)

    # ------------------------------------------------------------------ news of others, interrupts

    def appended(self, links: Sequence[Link]) -> None:
        if any(link.type == "user.interrupt" for link in links):
            self.changed()

    def changed(self) -> None:
        self._loop.call_soon_threadsafe(self._look)

    def previewed(self, thread: str, preview: JsonObject) -> None:
        """Our own."""

    def deleted(self) -> None:
        """The next write will say so."""

    def _look(self) -> None:
        if self._busy and (self._news is None or self._news.done()):
            self._news = self._loop.create_task(self._journal.read())

    def _told(self) -> None:
        """The fold has changed: what an interrupted thread is about ends."""
        for thread in self.context.threads.values():
            if thread.interrupted:
                for key, task in self._busy.items():
                    if key.startswith(f"{thread.name}\0"):
                        task.cancel()

    async def _interruptible(
        self, thread: ThreadContext, work: Awaitable[T] | Coroutine[Any, Any, T], key: str = ""
    ) -> T:
        """``work``, unless a person interrupts the thread meanwhile.

        Raises:
            _Interrupted: one did.
        """
        name = f"{thread.name}\0{key}"
        task = self._busy[name] = asyncio.ensure_future(work)
        try:
            if thread.interrupted:
                task.cancel()
            return await task
        except asyncio.CancelledError:
            if thread.interrupted and (current := asyncio.current_task()) and not current.cancelling():
                raise _Interrupted from None
            task.cancel()
            raise
        finally:
            del self._busy[name]

    # ------------------------------------------------------------------ what the session says of itself

    @property
    def _agent(self) -> JsonObject:
        return self._workshop.body["agent"]

    async def _changed(self) -> None:
        """The session's tools or servers were changed by its client."""
        self.context.changed = False
        row = await self._journal.db(lambda: self._room.live.row(self.session_id))
        self._workshop.body = row.body or {}
        self._hands.clear()

    async def _hands_of(self, thread: ThreadContext) -> Hands:
        found = self._hands.get(thread.name)
        if found is None:
            agent = self._agent
            mcp = [
                tool for server in agent.get("mcp_servers") or () for tool in await self._workshop.mcp(server)
            ]
            toolbox = Toolbox(agent, self._plugs.tools, mcp, self._plugs.validate)
            self._workshop.wanted = self._workshop.wanted or toolbox.built_in
            found = self._hands[thread.name] = Hands(
                self._workshop, toolbox, self._plugs, self._handlers, thread
            )
        return found

    async def _rules(self, thread: ThreadContext) -> Rules:
        hands = await self._hands_of(thread)
        tokens = (await self._model()).context_tokens or _CONTEXT if thread.due else _CONTEXT
        return Rules(hands.mine, hands.repeatable, tokens)

    async def _model(self) -> Model:
        """The agent's model.

        Raises:
            ConfigError, NotFound: there is none of that name, or no key for it.
        """
        name = str(self._agent["model"]["id"])
        if name not in self._models:  # a provider's modules take a second or two to load
            self._models[name] = await asyncio.to_thread(self._plugs.model, name)
        return self._models[name]

    @property
    def _settings(self) -> JsonObject:
        told: JsonObject = self._agent["model"]
        effort: JsonObject = told.get("effort") or {}
        return {"effort": effort.get("type"), "speed": told.get("speed")}

    async def _system(self) -> str:
        parts = (str(self._agent.get("system") or ""), await self._workshop.briefing())
        return "\n\n".join(part for part in parts if part)


class _Interrupted(Exception):
    """A person interrupted the thread."""


def _settle(
    page: Page, thread: ThreadContext, events: Sequence[NewEvent], response: ModelResponse, *, calls: bool
) -> None:
    """An answer goes to the log; where it is the last of the turn, the thread rests in the same transaction."""
    for event in events:
        page.add(event)
    if response.stop == "refusal":
        category = response.details.get("category")
        details = {
            "type": "refusal",
            "category": category,
            "explanation": response.details.get("explanation"),
        }
        page.turn("idle", thread=thread.name, stop={"type": "refusal"}, details=details)
    elif not calls and not (thread.name == PRIMARY_THREAD and page.waits()):
        page.turn("idle", thread=thread.name, stop=_END_TURN)


def _model_error(error: ModelFailed, retry: str) -> JsonObject:
    kinds: Mapping[type[ModelFailed], str] = {
        ModelOverloaded: "model_overloaded_error",
        ModelRateLimited: "model_rate_limited_error",
        ModelBilling: "billing_error",
    }
    kind = kinds.get(type(error), "model_request_failed_error")
    return {"type": kind, "message": str(error), "retry_status": {"type": retry}}
