"""The one loop: it wakes a session, folds its log, does what the brain decides, and writes down what came of
it, until there is nothing to do. All that it knows is in the log; whoever wakes the session next knows as much.

Two transactions make a step: results and the start of a request, before a model is asked; its answer, before
anything is done. Nothing has an effect before it is on the disk that it will.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from reverie.domain.errors import ConfigError, ContextTooLong, ModelFailed, NotFound, ReverieError
from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject
from reverie.domain.messages import ModelRequest, ModelResponse, Text
from reverie.domain.outcomes import GRADER
from reverie.orchestration.roster import roster_of
from reverie.orchestration.runs import Run as WorkflowRun
from reverie.plugins import Handler, Output
from reverie.runtime import brain, compacting, resting
from reverie.runtime.answering import Preview, answered, ended, stopped, told_of
from reverie.runtime.attention import Attention, Interrupted, broken_off
from reverie.runtime.brain import Act, Ask, Close, Compact, Exhausted, Grade, Want, decide
from reverie.runtime.budget import allows, resume
from reverie.runtime.context import Call, SessionContext, ThreadContext
from reverie.runtime.delegating import Delegating
from reverie.runtime.grading import Grading
from reverie.runtime.hands import Hands, result_payload, result_type
from reverie.runtime.house import Plugs, Room
from reverie.runtime.journal import Asked, Journal
from reverie.runtime.seats import Seats
from reverie.runtime.toolbox import OwnTool
from reverie.runtime.workflows import Workflows
from reverie.sessions.pages import Fence, Page

__all__ = ["Run"]

log: Final = logging.getLogger("reverie.runtime")
MAX_TRIES: Final = 5
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
_LOOK: Final = 1.0  # seconds between two looks at the inbox, while only others than the primary thread work
_LONGEST_ASKED: Final = 600.0  # however long a provider asks us to wait


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
        self.room = room
        self.plugs = plugs
        self._handlers = handlers
        self._fresh = context is None
        self.context = SessionContext(room.load_file) if context is None else context
        self.attention = Attention(self.context, lambda: self.journal.read())  # noqa: PLW0108  (not there yet)
        self.journal = Journal(
            room.live,
            session_id,
            self.context,
            fence=fence,
            asked=asked,
            entropy=entropy,
            told=self.attention.told,
        )
        self._cut_off: set[str] = set()
        self._at_rest: dict[str, int] = {}
        self._driven: dict[str, asyncio.Task[None]] = {}
        self._input = False

    @property
    def at_once(self) -> int:
        """How many of its threads are driven now."""
        return len(self._driven)

    # ------------------------------------------------------------------ from wake to rest

    async def work(self) -> None:
        """Go on with the session until it rests.

        Raises:
            LeaseLost: somebody else goes on with it.
            StorageError: nothing can be written now.
        """
        row = await self.journal.db(lambda: self.room.live.row(self.session_id))
        self.seats = Seats(
            self.room, self.plugs, self.session_id, row.body or {}, self._handlers, self.journal, self._own
        )
        self._team = Delegating(self.journal, self.context, self.attention, self.room.live)
        self._workflows = Workflows(
            self.journal, self.context, self.room.live.clock, self._agents, self._break_off
        )
        self._grading = Grading(
            self.journal,
            self.context,
            self.attention,
            self.seats,
            self.drive,
        )
        unsubscribe = self.room.feed.subscribe(self.session_id, self.attention)
        try:
            await self._begin()
            await self._drive_all()
        finally:
            unsubscribe()
            self.attention.close()
            await self.seats.close()

    async def _begin(self) -> None:
        await self.journal.read()
        if not self._fresh:
            return
        threads = self.context.threads.values()
        self._cut_off = {call.id for thread in threads for call in thread.open.values() if call.begun}
        for thread in threads:
            thread.listen()  # whoever asked its model is gone
        await self._grading.dismiss()

    async def _drive_all(self) -> None:
        """Every thread that has something to do, side by side, until none has."""
        driven = self._driven
        changed = self.attention.listen()
        news = asyncio.ensure_future(changed.wait())
        try:
            while True:
                if news.done():
                    changed.clear()
                    news = asyncio.ensure_future(changed.wait())
                pause = await self._workflows.advance() if self.context.runs.open else None
                due = self._due(driven)
                await self._resumed(due)
                for name in due:
                    driven[name] = asyncio.ensure_future(self.drive(name))
                if not driven and (pause is None or not self._workflows.waits):
                    return
                looks = PRIMARY_THREAD not in driven  # somebody in another process may have said something
                done, _ = await asyncio.wait(
                    (news, *driven.values()),
                    return_when=asyncio.FIRST_COMPLETED,
                    timeout=min(pause or _LOOK, _LOOK) if looks else pause,
                )
                self._input = self._input or (looks and not done)
                for name in [name for name, task in driven.items() if task in done]:
                    await self._driven_out(name, driven.pop(name))
        finally:
            self.attention.unlisten(changed)
            await broken_off([news, *driven.values()])

    async def _resumed(self, names: Sequence[str]) -> None:
        """There may be a budget again: all that it had stopped work from now on, so that the session does not seem to
        rest because one of them is done before another has begun."""
        paused = [name for name in names if self.context.thread(name).stopped == "budget_reached"]
        if len(paused) > 1:
            await self.journal.write(lambda page: resume(page, paused))

    def look(self) -> None:
        """Something was said to the session: its primary thread takes it, though it may rest while others work. May
        be called from any thread."""
        self._input = True
        self.attention.changed()

    async def _driven_out(self, name: str, task: asyncio.Task[None]) -> None:
        """A thread was driven as far as it goes. Where one of a specialist broke, the others go on."""
        try:
            await task
        except Exception as error:
            thread = self.context.threads.get(name)
            if isinstance(error, ReverieError) or thread is None or name == PRIMARY_THREAD:
                raise
            log.exception("a thread failed", extra={"session_id": self.session_id, "thread": name})
            await self._give_up(thread, "unknown_error", f"{type(error).__name__}: {error}"[:2_000])

    def _due(self, driven: Mapping[str, object]) -> list[str]:
        """Threads that somebody said something to since they rested. A grader's is driven by who asked it."""
        called, self._input = self._input and PRIMARY_THREAD not in driven, False
        return [
            name
            for name, thread in self.context.threads.items()
            if name not in driven
            and thread.agent_name != GRADER
            and (self._at_rest.get(name) != thread.news or (called and name == PRIMARY_THREAD))
            and (name == PRIMARY_THREAD or thread.due or thread.open or thread.interrupted or thread.unheard)
        ]

    async def drive(self, name: str) -> None:
        """One thread, step by step."""
        thread = self.context.thread(name)
        while True:
            self._at_rest[name] = thread.news
            if self.context.changed:
                await self._changed()
            want = await self._decided(thread)
            if not await self._do(thread, want):
                return

    async def _decided(self, thread: ThreadContext) -> Want:
        if not (thread.due or thread.open or thread.interrupted or thread.judged) or self._grading.done(
            thread
        ):
            return brain.Rest()
        try:
            seat = await self.seats.of(thread)
            return decide(thread, await seat.rules(), self._cut_off)
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
            case Grade():
                return await self._grading.evaluate(thread)
            case brain.Rest():
                return await self._rest(thread)
        return True

    # ------------------------------------------------------------------ steps

    async def _ask(self, thread: ThreadContext) -> bool:
        await self._prepare(thread)
        start = await self._start(thread)
        if start is None:
            return False
        seat = await self.seats.of(thread)
        hands = await seat.hands()
        request = ModelRequest(
            tuple(thread.messages), await seat.system(), hands.toolbox.specs, seat.settings
        )
        response = await self._respond(thread, start, request)
        if response is None:
            return True
        await self.journal.write(self._answered(thread, start, response, hands))
        return True

    def _answered(
        self, thread: ThreadContext, start: Event, response: ModelResponse, hands: Hands
    ) -> Callable[[Page], None]:
        """An answer goes to the log; where it is the last of the turn, the thread rests in the same transaction,
        unless that is not all there is to it (``_rest``)."""
        events = answered(self.session_id, thread.name, start, response, hands.toolbox)
        calls = any(event.type.endswith("tool_use") for event in events)
        refused = response.stop == "refusal"
        rest = (
            None
            if calls
            else resting.over(
                self.journal,
                self.context,
                thread,
                resting.said(response),
                heard=thread.received,
                refused=response.details if refused else None,
            )
        )

        def work(page: Page) -> None:
            for event in events:
                page.add(event)
            if rest is not None and not thread.holds and not self.seats.has_area(thread):
                rest(page)

        return work

    async def _prepare(self, thread: ThreadContext) -> None:
        """What has to be there before a model is asked, and what went wrong with it."""
        seat = await self.seats.of(thread)
        if thread.steps == thread.failures == 0:
            await seat.renew()
        await seat.hands()
        await seat.system()
        for error in seat.workshop.troubles:
            self.journal.put("session.error", {"error": error}, PRIMARY_THREAD)
        seat.workshop.troubles.clear()

    async def _start(self, thread: ThreadContext) -> Event | None:
        """Begin a request: with whatever waits, and if the budget allows. In one transaction."""
        start = self.journal.new("span.model_request_start", {}, thread.name)
        model = await (await self.seats.of(thread)).model()
        overspent = resting.overspent(self.journal, thread)

        def work(page: Page) -> None:
            mine = page.state.threads[thread.name]
            if mine.interrupted:
                return  # it is in the log behind what we know
            if thread.name == PRIMARY_THREAD:
                page.take()
            if mine.spent:
                overspent(page)
                return
            if not allows(page, thread.name, model):
                return
            page.turn("running", thread=thread.name)
            page.add(start)

        events = await self.journal.write(work)
        return next((event for event in events if event.key == start.key), None)

    async def _respond(
        self, thread: ThreadContext, start: Event, request: ModelRequest
    ) -> ModelResponse | None:
        """Ask the model. None where it has no answer; then the log says why."""
        live = self.room.live
        preview = Preview(
            self.session_id, start, lambda shown: live.preview(self.session_id, shown, thread=thread.name)
        )
        try:
            model = await (await self.seats.of(thread)).model()
            return await self.attention.interruptible(thread, model.respond(request, preview))
        except Interrupted:
            await self.journal.write(lambda page: page.add(stopped(thread.name, start, interrupted=True)))
        except (ConfigError, NotFound) as error:
            await self._failed(thread, start, ModelFailed(str(error), retryable=False))
        except ModelFailed as error:
            await self._failed(thread, start, error)
        return None

    async def _failed(self, thread: ThreadContext, start: Event, error: ModelFailed) -> None:
        end = stopped(thread.name, start, interrupted=False)
        tries = thread.failures + 1
        if isinstance(error, ContextTooLong):
            await self.journal.write(lambda page: page.add(end))
            thread.too_long += 1  # the brain sees to it
            return
        again = error.retryable and tries < MAX_TRIES
        told = told_of(error, "retrying" if again else "exhausted")
        failure = self.journal.new("session.error", {"error": told}, thread.name)
        given_up = resting.given_up(self.journal, thread, str(error))

        def work(page: Page) -> None:
            page.add(end)
            page.add(failure)
            if again:
                page.turn("rescheduling", thread=thread.name)
            else:
                given_up(page)

        await self.journal.write(work)
        if again:
            await self._wait(thread, tries, error.retry_after)

    async def _wait(self, thread: ThreadContext, tries: int, told: float | None) -> None:
        seconds = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tries - 1)) * (0.5 + self.plugs.jitter())
        try:
            wanted = min(told or 0.0, _LONGEST_ASKED)
            await self.attention.interruptible(thread, self.plugs.sleep(max(seconds, wanted)))
        except Interrupted:
            return

    async def _act(self, thread: ThreadContext, calls: Sequence[Call]) -> None:
        hands = await (await self.seats.of(thread)).hands()
        if not thread.running or (self.journal.outbox and not all(map(hands.repeatable, calls))):
            await self.journal.write(lambda page: page.turn("running", thread=thread.name))
        if len(calls) == 1:
            made = [(calls[0], await self._made(thread, hands, calls[0]))]
        else:
            results = await asyncio.gather(*(self._made(thread, hands, call) for call in calls))
            made = list(zip(calls, results, strict=True))
        for call, payload in made:
            if payload is not None and call.id in thread.open:
                self.journal.put(result_type(call.kind), payload, thread.name)
            self._cut_off.discard(call.id)

    async def _made(self, thread: ThreadContext, hands: Hands, call: Call) -> dict[str, Any] | None:
        try:
            return await self.attention.interruptible(thread, hands.make(call), key=call.id)
        except Interrupted:
            return None

    async def _close(self, thread: ThreadContext, calls: Sequence[tuple[Call, str]], stop: bool) -> None:
        for call, why in calls:
            payload = result_payload(call.kind, call.id, Output([Text(why)], is_error=True))
            self.journal.put(result_type(call.kind), payload, thread.name)
        self._cut_off -= {call.id for call, _ in calls}
        if stop:
            await self.journal.write(resting.stopped(self.journal, thread))

    async def _compact(self, thread: ThreadContext) -> bool:
        await self._prepare(thread)
        start = await self._start(thread)
        if start is None:
            return False
        seat = await self.seats.of(thread)
        specs = (await seat.hands()).toolbox.specs
        request = compacting.asking(thread, await seat.system(), specs, seat.settings)
        response = await self._respond(thread, start, request)
        if response is None:
            return True
        told = {
            "trigger": "auto",
            "pre_tokens": thread.prompt_tokens,
            "summary": compacting.summary(thread, response),
        }
        compacted = self.journal.new("agent.thread_context_compacted", told, thread.name)
        end = ended(thread.name, start, response, compaction=True)

        def work(page: Page) -> None:
            page.add(compacted)
            page.add(end)

        await self.journal.write(work)
        return True

    async def _give_up(self, thread: ThreadContext, kind: str, message: str) -> None:
        told = {"type": kind, "message": message, "retry_status": {"type": "exhausted"}}
        failure = self.journal.new("session.error", {"error": told}, thread.name)
        given_up = resting.given_up(self.journal, thread, message)

        def work(page: Page) -> None:
            page.turn("running", thread=thread.name)
            page.add(failure)
            given_up(page)

        await self.journal.write(work)

    # ------------------------------------------------------------------ what is ours

    def _own(self, thread: ThreadContext, agent: JsonObject) -> Sequence[OwnTool]:
        """The tools of ours that the agent of a thread has."""
        return [*self._grading.tools(thread), *self._team.tools(thread, agent)]

    async def _agents(self, run: WorkflowRun) -> Mapping[str, JsonObject]:
        """The agents that tasks of a run may name."""
        lead = await self.seats.of(self.context.thread(run.lead))
        return {**roster_of(lead.agent).workflows, **run.invented}

    async def _break_off(self, name: str) -> None:
        """End what a thread is about, and let go of it."""
        if (task := self._driven.pop(name, None)) is not None:
            await broken_off([task])
        self.journal.forget(name)
        await self.seats.leave(name)

    # ------------------------------------------------------------------ rest

    async def _rest(self, thread: ThreadContext) -> bool:
        """Go idle, unless something waits: it is taken in the same transaction that finds it. Whether there
        is something to do after all."""
        waiting, heard = frozenset(thread.open), thread.received
        troubles = await self.seats.merge(thread) if not waiting else []
        said = "\n\n".join((thread.text, *troubles))
        over, tell = (
            resting.over(self.journal, self.context, thread, said, heard=heard),
            resting.interruption(self.journal, thread),
        )

        def work(page: Page) -> bool:
            mine = page.state.threads.get(thread.name)
            if mine is None:
                return False  # it was archived meanwhile
            if mine.received != heard or not waiting <= mine.pending.keys():
                return True  # somebody said something, or answered: it is in the log behind what we know
            known = len(page.added)  # what others left to be written is no reason to go on
            tell(page)
            if thread.name == PRIMARY_THREAD and not waiting:
                page.take()
            if len(page.added) == known and (
                mine.status in ("running", "rescheduling") or resting.judges_only(thread)
            ):
                over(page)
            return False

        events, answered = await self.journal.written(work)
        if answered:
            await self.journal.read()
        return answered or (bool(events) and (thread.due or thread.judged))

    # ------------------------------------------------------------------ what the session says of itself

    async def _changed(self) -> None:
        """The session's tools or servers were changed by its client."""
        self.context.changed = False
        row = await self.journal.db(lambda: self.room.live.row(self.session_id))
        await self.seats.changed(row.body or {})
