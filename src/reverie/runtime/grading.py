"""Judging the work: when the loop says that it is time, an evaluation runs its checks and asks graders, each on a
thread of its own in a throw-away copy of the folders, and its verdict goes to the log, once.

What was judged is in the log as it is judged, so that an evaluation that was cut off goes on where it was: threads
and briefs are made from the start's own id and nonce, and a verdict that a grader gave counts as it stands there.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from reverie.domain.errors import Invalid, LeaseLost, ReverieError, SandboxFailed, StorageError
from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject
from reverie.domain.ids import derived_id
from reverie.domain.outcomes import (
    GRADER,
    Criterion,
    CriterionVerdict,
    GraderSettings,
    Rubric,
    Verdict,
    Work,
)
from reverie.outcomes import evidence, planning, settling, verdicts
from reverie.outcomes.briefing import Brief, make_brief
from reverie.outcomes.checks.running import run_checks
from reverie.outcomes.deliverables import read_work
from reverie.outcomes.files import Folder
from reverie.outcomes.rubrics import read_rubric
from reverie.outcomes.suspicion import examine, withheld
from reverie.plugins import Sandbox
from reverie.runtime.attention import Attention, Interrupted, broken_off, together
from reverie.runtime.context import SessionContext, ThreadContext
from reverie.runtime.grader import MAX_STEPS, MAX_VERDICTS, VerdictTool, grader, verdict_calls
from reverie.runtime.hands import Workshop
from reverie.runtime.house import Copy, Mounted
from reverie.runtime.journal import Journal
from reverie.runtime.judged import earlier, ended, goes_on
from reverie.runtime.resting import message
from reverie.runtime.seats import Seats
from reverie.runtime.toolbox import OwnTool
from reverie.runtime.wanted import Wanted
from reverie.sessions.pages import Page
from reverie.sessions.turns import graders_usage

__all__ = ["Grading"]

log: Final = logging.getLogger("reverie.runtime")
MAX_REMINDERS: Final = 2
MAX_RUNS: Final = 3
"""Graders in a row for one vote, where one was talked round."""
PATIENCE: Final = 1_800.0
"""Seconds of one grader."""
HEARTBEAT: Final = 30.0
"""Seconds between two events that say that an evaluation goes on."""

_NOTHING: Final = Folder(Path(os.devnull))
_REMINDER: Final = "You have not called the tool `verdict` yet. Nothing else counts: call it now."


class _Gone(Exception):
    """The outcome is worked on no more: a person interrupted it."""


class _Paused(Exception):
    """The budget is spent; what was begun goes on when there is more."""


class _Unjudged(Exception):
    """There is no judgement to be had; the message says why."""


@dataclass(slots=True)
class _Evaluation:
    """One evaluation. ``start`` is its first event; ``previous`` are the verdicts so far, ``before`` the work that they
    are about by its digest, as far as it is known."""

    start: Event
    wanted: Wanted
    rubric: Rubric
    settings: GraderSettings
    work: Work
    previous: Sequence[CriterionVerdict]
    changed: set[str]
    before: Mapping[str, Work]
    workshop: Workshop
    files: Folder
    sandbox: Sandbox | None

    @property
    def iteration(self) -> int:
        return int(self.start.payload["iteration"])

    @property
    def nonce(self) -> str:
        return str(self.start.payload["private"]["nonce"])

    @property
    def seen(self) -> str:
        return evidence.digest(self.work)

    @property
    def sandboxed(self) -> bool:
        return self.sandbox is not None


class Grading:
    """Judges what a session's worker made. ``drive`` is the loop's: it drives a grader's thread like any other."""

    def __init__(
        self,
        journal: Journal,
        context: SessionContext,
        attention: Attention,
        seats: Seats,
        drive: Callable[[str], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._context = context
        self._attention = attention
        self._seats = seats
        self._drive = drive
        self._tools: dict[str, VerdictTool] = {}
        self._before: Mapping[str, Work] = {}

    # ------------------------------------------------------------------ the loop's door

    def tools(self, thread: ThreadContext) -> Sequence[OwnTool]:
        """What of ours the grader at a thread has."""
        tool = self._tools.get(thread.name)
        return [] if tool is None else [tool]

    def done(self, thread: ThreadContext) -> bool:
        """Whether a grader has nothing more to do: its verdict is taken, or none will be."""
        tool = self._tools.get(thread.name)
        if tool is None or thread.open or not (calls := verdict_calls(thread)):
            return False
        return len(calls) >= MAX_VERDICTS or tool.settled(thread) is not None

    async def dismiss(self) -> None:
        """Let go of graders whose evaluation was ended while nobody was at work."""
        wanted = self._context.thread(PRIMARY_THREAD).outcome
        left = any(thread.agent_name == GRADER for thread in self._context.threads.values())
        if left and (wanted is None or wanted.evaluation is None):
            await self._journal.write(_closed)

    async def evaluate(self, thread: ThreadContext) -> bool:
        """The evaluation that was begun on a thread, to its verdict. Whether there is something to do after it."""
        wanted = thread.outcome
        if wanted is None or wanted.evaluation is None:
            return True
        start, one, fault = wanted.evaluation, None, None
        try:
            await self._alive(wanted, start)
            one = await self._opened(thread, wanted, start)
            verdict = await self._attention.interruptible(
                thread, self._beating(thread, one), key="evaluation"
            )
        except _Paused:
            await self._journal.write(_pause)
            return False
        except (_Gone, Interrupted):
            verdict = None
        except _Unjudged as error:
            verdict = settling.failed(int(start.payload["iteration"]), str(error))
        except (LeaseLost, StorageError):
            raise
        except Exception as error:  # noqa: BLE001  (logged below, where the session is still there to be told)
            fault = error
            why = f"An internal fault stopped the evaluation: {type(error).__name__}: {error}"
            verdict = settling.failed(int(start.payload["iteration"]), why)
        finally:
            await self._left(start, one)
        await self._end(wanted, start, verdict, one)  # raises where the session itself is over
        if fault is not None:
            about = {"session_id": self._journal.session_id}
            log.error("an evaluation failed", exc_info=fault, extra=about)
        known = {} if one is None else {**one.before, one.seen: one.work}
        self._before = planning.judged_works(() if verdict is None else verdict.criteria, known)
        return True

    # ------------------------------------------------------------------ one evaluation

    async def _opened(self, thread: ThreadContext, wanted: Wanted, start: Event) -> _Evaluation:
        body = self._seats.body
        settings = GraderSettings.of(body["agent"], body, wanted.told)
        told: JsonObject = wanted.told.get("rubric") or {}
        try:
            rubric = read_rubric(str(told.get("content", "")))
        except Invalid as error:
            raise _Unjudged(f"The rubric cannot be read: {error}") from None
        workshop = self._copied(start, settings)
        files = await self._files(workshop)
        said = thread.text if wanted.given is None else str(wanted.given.get("message") or "")
        reading = asyncio.to_thread(read_work, files, said)
        work = await self._attention.interruptible(thread, reading, key="work")
        previous, marks = earlier(wanted)
        changed = evidence.changed(marks, evidence.marks(work)) if previous else set[str]()
        sandbox = await self._sandbox(workshop)
        return _Evaluation(
            start, wanted, rubric, settings, work, previous, changed, self._before, workshop, files, sandbox
        )

    def _copied(self, start: Event, settings: GraderSettings) -> Workshop:
        """A workshop with a throw-away copy of what the worker left."""

        async def copy() -> Mounted:
            main = await self._seats.main.open()
            return await asyncio.to_thread(main.copy, _copy_name(start), settings.network)

        return self._seats.workshop(copy)

    async def _files(self, workshop: Workshop) -> Folder:
        """What was handed over; nothing, where that is at the client."""
        if workshop.self_hosted:
            return _NOTHING
        try:
            copy = cast(Copy, await workshop.open())
        except ReverieError as error:
            raise _Unjudged(f"The work cannot be copied to be judged: {error}") from None
        return Folder(copy.outputs)

    async def _verdict(self, thread: ThreadContext, one: _Evaluation) -> Verdict:
        notes = list(examine(one.work))
        checked = await self._checked(one)
        full = one.settings.full or not one.previous
        criteria = planning.next_pass(one.rubric, one.previous, checked, one.changed, one.work, full=full)
        first = await self._judged(thread, one, 1, criteria)
        current = planning.merged(one.rubric, one.previous, checked, first.criteria)
        summary, inapplicable = first.summary, first.inapplicable
        if inapplicable is None and settling.would_satisfy(one.rubric, current, notes):
            left = planning.left_for_full_pass(one.rubric, current, one.seen)
            second = await self._judged(thread, one, 2, left)
            current = planning.merged(one.rubric, current, second.criteria)
            summary, inapplicable = second.summary or summary, second.inapplicable
        return settling.settle(
            one.rubric,
            current,
            notes,
            iteration=one.iteration,
            max_iterations=int(one.wanted.told.get("max_iterations") or 3),
            inapplicable=inapplicable,
            summary=summary,
        )

    async def _checked(self, one: _Evaluation) -> Sequence[CriterionVerdict]:
        checks = [criterion for criterion in one.rubric.criteria if criterion.check is not None]
        if not checks:
            return []
        return await run_checks(
            checks,
            one.work,
            one.files,
            one.sandbox,
            folder=None if one.sandbox is None else _inside(one.sandbox, one.files.root),
            iteration=one.iteration,
            seen=one.seen,
        )

    async def _sandbox(self, workshop: Workshop) -> Sandbox | None:
        if workshop.self_hosted:
            return None
        try:
            return await workshop.sandbox()
        except SandboxFailed:
            return None

    # ------------------------------------------------------------------ graders

    async def _judged(
        self, thread: ThreadContext, one: _Evaluation, number: int, criteria: Sequence[Criterion]
    ) -> verdicts.Accepted:
        """What the graders of one pass say: each votes, and most of them count."""
        if not criteria:
            return verdicts.Accepted(())
        gave = await together(
            self._vote(thread, one, f"{number}:{vote}", criteria) for vote in range(one.settings.votes)
        )
        votes = [vote for vote in gave if isinstance(vote, verdicts.Accepted)]
        if failed := [vote for vote in gave if isinstance(vote, _Unjudged)]:
            log.warning("%d of %d graders gave no verdict: %s", len(failed), len(gave), failed[0])
            if 2 * len(votes) <= len(gave):
                raise failed[0]
        refused = [vote.inapplicable for vote in votes if vote.inapplicable is not None]
        if 2 * len(refused) > len(votes):
            return verdicts.Accepted((), votes[0].summary, refused[0])
        counted = [vote.criteria for vote in votes if vote.inapplicable is None]
        found = counted[0] if len(votes) == 1 else verdicts.vote(counted)
        return verdicts.Accepted(found, votes[0].summary)

    async def _vote(
        self, thread: ThreadContext, one: _Evaluation, number: str, criteria: Sequence[Criterion]
    ) -> verdicts.Accepted | _Unjudged:
        """What one vote comes to. That it gave none is told, and does not stop the others."""
        try:
            for run in range(MAX_RUNS):
                found = await self._run(thread, one, f"{one.start.id}:{number}:{run}", criteria)
                if isinstance(found, verdicts.Accepted):
                    return found
        except _Unjudged as error:
            return error
        return _Unjudged(
            f"No grader could be relied on: {MAX_RUNS} of them called a criterion met that was planted as unmet. "
            "The work may be talking to its grader, or the grader's model may be too weak for this rubric."
        )

    async def _run(
        self, thread: ThreadContext, one: _Evaluation, key: str, criteria: Sequence[Criterion]
    ) -> verdicts.Accepted | verdicts.Refused:
        """One grader, from its brief to its verdict.

        Raises:
            _Unjudged: it gave none.
            _Gone, _Paused: it could not go on.
        """
        brief = _brief(one, key, criteria)
        name = derived_id("sthr", self._journal.session_id, key)
        tool = self._tools[name] = VerdictTool(brief, one.iteration, one.seen)
        await self._seated(one, key, name, brief)
        for reminder in range(MAX_REMINDERS + 1):
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._drive(name)
            except TimeoutError:
                raise _Unjudged(f"The grader gave no verdict within {PATIENCE:.0f} seconds.") from None
            if thread.outcome is not one.wanted:
                raise _Gone
            mine = self._context.thread(name)
            if (found := tool.settled(mine)) is not None:
                return found
            _still(mine)
            if self.done(mine):
                break
            if reminder < MAX_REMINDERS:
                await self._said(name, _REMINDER, f"{key}:reminder {reminder}")
        why = tool.last_refusal(self._context.thread(name))
        raise _Unjudged(f"The grader gave no verdict that counts. {why}")

    async def _seated(self, one: _Evaluation, key: str, name: str, brief: Brief) -> None:
        """A thread for a grader, with its brief, made once."""
        agent = grader(self._seats.body["agent"], one.settings.model, tools=one.sandboxed)
        if name not in self._context.threads:
            told = message(
                self._journal, PRIMARY_THREAD, name, brief.text, key=key, names=("reverie", GRADER)
            )[1:]

            def work(page: Page) -> None:
                page.open_thread(agent, key=key)
                for event in told:
                    page.add(event)

            await self._journal.write(work)
        self._seats.seat(self._context.thread(name), agent, one.workshop, max_steps=MAX_STEPS, sift=_sifted)

    async def _said(self, name: str, text: str, key: str) -> None:
        told = message(self._journal, PRIMARY_THREAD, name, text, key=key, names=("reverie", GRADER))[1:]

        def work(page: Page) -> None:
            for event in told:
                page.add(event)

        await self._journal.write(work)

    # ------------------------------------------------------------------ the end

    async def _end(
        self, wanted: Wanted, start: Event, verdict: Verdict | None, one: _Evaluation | None
    ) -> None:
        """The verdict, and what follows from it, in one transaction; nothing of it where a person was faster."""

        rubric = None if one is None else one.rubric
        marks = {} if one is None else evidence.marks(one.work)

        def whole(page: Page) -> None:
            active, usage = page.state.outcome, graders_usage(page.state)
            _closed(page)
            if verdict is None or active is None or active.start_id != start.id:
                return
            page.add(self._journal.masked(ended(wanted, start, verdict, usage, rubric, marks)))
            if not (goes_on(wanted, verdict) or page.waits()):
                page.turn("idle", stop={"type": "end_turn"})

        await self._journal.write(whole)
        for name in list(self._tools):
            del self._tools[name]
            await self._seats.leave(name)

    async def _left(self, start: Event, one: _Evaluation | None) -> None:
        """The copy is thrown away, and what runs in it ends."""
        if one is not None:
            await one.workshop.close()
        if self._seats.main.opened:
            main = await self._seats.main.open()
            await asyncio.to_thread(main.discard, _copy_name(start))

    # ------------------------------------------------------------------ signs of life

    async def _alive(self, wanted: Wanted, start: Event) -> None:
        """Say that the evaluation goes on.

        Raises:
            _Gone: it does not.
        """
        told = {"outcome_id": wanted.id, "iteration": int(start.payload["iteration"])}
        beat = self._journal.new("span.outcome_evaluation_ongoing", told, PRIMARY_THREAD)

        def work(page: Page) -> bool:
            active = page.state.outcome
            if active is None or active.start_id != start.id:
                return False
            page.turn("running")
            page.add(beat)
            return True

        _, alive = await self._journal.written(work)
        if not alive:
            raise _Gone

    async def _beating(self, thread: ThreadContext, one: _Evaluation) -> Verdict:
        """The verdict; until it is there, again and again an event that says that it is being made."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT)
                await self._alive(one.wanted, one.start)

        beats = asyncio.ensure_future(beat())
        try:
            return await self._verdict(thread, one)
        finally:
            await broken_off([beats])


# ---------------------------------------------------------------------- pieces


def _sifted(text: str) -> str:
    """What a grader's tools show it, without what is addressed to it."""
    return withheld(text)[0]


def _pause(page: Page) -> None:
    page.turn("idle", stop={"type": "budget_reached"})


def _closed(page: Page) -> None:
    """Every grader is let go of."""
    for name in [name for name, state in page.state.threads.items() if state.agent_name == GRADER]:
        page.close_thread(name)


def _still(grader: ThreadContext) -> None:
    """What a grader's rest without a verdict means.

    Raises:
        _Paused: the budget is spent.
        _Unjudged: its model gave up, or refused.
    """
    if grader.stopped == "budget_reached":
        raise _Paused
    if grader.stopped in ("retries_exhausted", "refusal"):
        trouble = f": {grader.trouble}" if grader.trouble else "."
        raise _Unjudged(f"The grader could not go on ({grader.stopped}){trouble}")


def _inside(sandbox: Sandbox, folder: Path) -> str | None:
    """What a folder of this machine is called in a sandbox."""
    return next((mount.inside for mount in sandbox.spec.mounts if mount.folder == folder), None)


def _copy_name(start: Event) -> str:
    return f"grader-{start.id}"


def _brief(one: _Evaluation, key: str, criteria: Sequence[Criterion]) -> Brief:
    nonce = hashlib.sha256(f"{one.nonce} {key}".encode()).hexdigest()[:32]
    again = bool(one.previous) and not one.settings.full and len(criteria) < len(one.rubric.criteria)
    again = again and one.sandboxed  # who has no tools cannot read what is left out
    return make_brief(
        str(one.wanted.told.get("description", "")),
        one.rubric,
        criteria,
        one.work,
        nonce=nonce,
        rng=random.Random(nonce),  # noqa: S311  (seeded with 128 random bits)
        previous=one.previous,
        instructions=one.settings.instructions,
        before=planning.oldest(criteria, one.previous, one.before) if again else None,
    )
