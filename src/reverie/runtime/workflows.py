"""Plans that are carried out: what ``orchestration`` decides is done here, each batch of it in one transaction. A
task runs on a thread of its own, which ends with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from reverie.domain.clock import Clock
from reverie.domain.events import JsonObject, NewEvent
from reverie.domain.ids import derived_id
from reverie.domain.plans import Plan
from reverie.orchestration.deciding import (
    BeginPhase,
    Cut,
    Decision,
    End,
    EndPhase,
    Skip,
    Start,
    decide,
    due,
    retry_wait,
)
from reverie.orchestration.progress import Failed, Finished, Halted, News, PlanState, news_json, step
from reverie.orchestration.runs import Run
from reverie.orchestration.showing import summary
from reverie.runtime.context import SessionContext, ThreadContext
from reverie.runtime.journal import Journal
from reverie.runtime.resting import deliver, message
from reverie.sessions.children import MAX_OF_A_RUN
from reverie.sessions.pages import Page
from reverie.storage.events import event_id

__all__ = ["Agents", "Workflows"]

Agents = Callable[[Run], Awaitable[Mapping[str, JsonObject]]]
"""The agents that tasks of a run may name, by name."""

_LOST: Final = ("retries_exhausted", "refusal")


class Workflows:
    """The open runs of one session. ``stop`` ends what a thread is about, at once, and lets go of it."""

    def __init__(
        self,
        journal: Journal,
        context: SessionContext,
        clock: Clock,
        agents: Agents,
        stop: Callable[[str], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._context = context
        self._clock = clock
        self._agents = agents
        self._stop = stop

    @property
    def waits(self) -> bool:
        """Whether time alone makes more of it: a task is to be tried again. (Where all else rests, it is somebody
        else who has to do something: to answer, or to raise the budget.)"""
        now = self._clock()
        return any(
            task.status == "waiting" and task.attempts > 0 and retry_wait(task, now) > 0
            for run in self._context.runs.open
            if not self._spent(run.state)
            for task in run.state.tasks.values()
        )

    async def advance(self) -> float | None:
        """Do whatever is to be done now, in every open run. Gives the seconds until time alone makes more of it;
        None where it does not."""
        for run in self._context.runs.open:
            while await self._advanced(run.id):
                pass
        waits = [due(run.state, self._clock()) for run in self._context.runs.open]
        return min((wait for wait in waits if wait is not None), default=None)

    async def _advanced(self, run_id: str) -> bool:
        """One batch of a run; whether there was one."""
        run, now = self._context.runs.runs[run_id], self._clock()
        over = list(self._over(run, now))
        state = run.state
        for news in over:
            state = step(state, news)
        decisions: Sequence[Decision] = decide(state, free=MAX_OF_A_RUN - _running(state), now=now)
        if self._spent(state):
            decisions = [each for each in decisions if not isinstance(each, Start | BeginPhase)]
        if not over and not decisions:
            return False
        await self._do(run, state, over, decisions, now)
        return True

    def _over(self, run: Run, now: datetime) -> Iterator[News]:
        """Tasks whose threads have come to rest since."""
        if run.state.stop is not None:
            return  # what runs is cut
        for name, task in run.state.tasks.items():
            thread = self._context.threads.get(task.thread or "")
            if task.status != "running" or thread is None or thread.working:
                continue
            if thread.broken_off:
                yield Halted(now, name, "it was interrupted")
            elif thread.stopped == "end_turn":
                yield Finished(now, name, thread.name, "\n\n".join((thread.text, *thread.conflicts)))
            elif thread.stopped in _LOST or self._overspent(thread):
                why = thread.trouble or "its model refused to go on"
                yield Failed(now, name, why, thread.name, retryable=thread.stopped == "retries_exhausted")

    def _spent(self, state: PlanState) -> bool:
        """Whether the session's budget is spent: what rests because of it goes on when there is more."""
        threads = (self._context.threads.get(task.thread or "") for task in state.tasks.values())
        return any(
            thread is not None and thread.stopped == "budget_reached" and not self._overspent(thread)
            for thread in threads
        )

    def _overspent(self, thread: ThreadContext) -> bool:
        return thread.stopped == "budget_reached" and thread.overspent

    # ------------------------------------------------------------------ doing

    async def _do(
        self, run: Run, state: PlanState, over: Sequence[News], decisions: Sequence[Decision], now: datetime
    ) -> None:
        ended = (
            run.state.tasks[news.task].thread for news in over if isinstance(news, Finished | Failed | Halted)
        )
        gone = [thread for thread in ended if thread is not None]
        gone += [each.thread for each in decisions if isinstance(each, Cut)]
        for thread in gone:
            await self._stop(thread)
        starts = [each for each in decisions if isinstance(each, Start)]
        agents: Mapping[str, JsonObject] = await self._agents(run) if starts else {}
        told = [self._news(run, news) for news in over]
        began = [self._begun(run, each, agents[each.agent], now) for each in starts]
        others = [
            event for each in decisions if not isinstance(each, Start) for event in self._told(run, each, now)
        ]
        report = self._report(run, state, decisions, now)
        first = not any(task.attempts for task in run.state.tasks.values())

        def work(page: Page) -> None:
            for event in told:
                page.add(event)
            for thread in gone:
                page.close_thread(thread)
            if first and began:
                page.say("workflow_run.status_running", {"workflow_run_id": run.id}, run.lead)
            deliver(page, None, report)
            for event in others:
                page.add(event)
            for agent, key, task, most, events in began:
                thread = page.open_thread(
                    agent, parent=run.lead, run=run.id, key=key, name=task, max_tokens=most
                )
                page.turn("running", thread=thread)
                for event in events:
                    page.add(event)

        await self._journal.write(work)

    def _begun(
        self, run: Run, start: Start, agent: JsonObject, now: datetime
    ) -> tuple[JsonObject, str, str, int | None, list[NewEvent]]:
        """What begins a task: a thread that is made once for each attempt, its prompt, and the news of it."""
        key = f"{run.id} {start.task} {start.attempt}"
        thread = derived_id("sthr", self._journal.session_id, key)
        names = (self._context.thread(run.lead).agent_name, str(agent.get("name", "")))
        _, prompt = message(self._journal, run.lead, thread, start.prompt, names=names)
        news = self._news(run, start.news(now, thread))
        return agent, key, start.task, _most(run.state.plan, start.task), [prompt, news]

    def _told(self, run: Run, decision: Decision, now: datetime) -> Iterator[NewEvent]:
        if isinstance(decision, Start):
            return
        yield self._news(run, decision.news(now))
        of_run: dict[str, Any] = {"workflow_run_id": run.id}
        match decision:
            case BeginPhase(phase):
                told = {**of_run, "workflow_run_phase_id": phase}
                yield self._journal.new(
                    "workflow_run.phase_started", told, run.lead, key=_phase_key(run, phase)
                )
            case EndPhase(phase):
                began = event_id(self._journal.session_id, _phase_key(run, phase))
                told = {**of_run, "workflow_run_phase_id": phase, "phase_started_id": began}
                yield self._journal.new("workflow_run.phase_ended", told, run.lead)
            case End():
                told = {**of_run, "result": _result(decision)}
                yield self._journal.new("workflow_run.status_ended", told, run.lead)
            case Cut() | Skip():
                pass

    def _news(self, run: Run, news: News) -> NewEvent:
        told = {"workflow_run_id": run.id, "news": news_json(news)}
        return self._journal.new("workflow_run.news", told, run.lead)

    def _report(
        self, run: Run, state: PlanState, decisions: Sequence[Decision], now: datetime
    ) -> list[NewEvent]:
        """What the lead is told when a run is over, unless a call of its waits for that, or a person stopped it."""
        end = next((each for each in decisions if isinstance(each, End)), None)
        lead = self._context.thread(run.lead)
        wanted = run.asked or state.plan.reduce is not None or lead.outcome is not None
        if end is None or run.call is not None or not wanted or state.stop is not None:
            return []
        text = summary(step(state, end.news(now)))
        return [message(self._journal, run.lead, run.lead, text, names=("reverie", ""))[1]]


def _running(state: PlanState) -> int:
    return sum(1 for task in state.tasks.values() if task.status == "running")


def _most(plan: Plan, task: str) -> int | None:
    return next(each.max_tokens for each in plan.tasks if each.id == task)


def _phase_key(run: Run, phase: str) -> str:
    return f"{run.id} phase {phase}"


def _result(end: End) -> JsonObject:
    if end.result != "error":
        return {"type": end.result}
    kinds = {"timeout": "timeout_error"}
    return {
        "type": "error",
        "error": {"type": kinds.get(end.error or "", "program_error"), "message": end.why},
    }
