"""What a session's events add up to: its threads' statuses, what it waits for, outcomes, usage.

A pure fold. Fold the whole log and you have the state; fold one more event and you have the next. What is
stored beside a session (``storage.states``) is a cache of it, written in the transaction of the append.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec
from msgspec.structs import replace

from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject
from reverie.domain.sessions import Outcome
from reverie.sessions.usage import Usage, cents, total

__all__ = [
    "FINAL_RESULTS",
    "Asked",
    "OutcomeState",
    "SessionState",
    "Status",
    "StopReason",
    "ThreadState",
    "Usage",
    "ended",
    "fold",
    "session_status",
    "step",
    "stop_reason",
]

Status = Literal["running", "rescheduling", "idle", "terminated"]
StopReason: TypeAlias = JsonObject
"""``{"type": "end_turn"}``, ``{"type": "requires_action", "event_ids": […]}`` …, as on the wire."""
Asked = Literal["confirmation", "mcp_confirmation", "custom_result", "result"]
"""What a call waits for: a person's yes or no (to a built-in tool, or one of an MCP server), a custom tool's
result, a result from the client's environment."""

FINAL_RESULTS: Final = frozenset({"satisfied", "max_iterations_reached", "failed", "interrupted"})
_ORDER: Final[tuple[Status, ...]] = ("running", "rescheduling", "idle", "terminated")
_WEB: Final = {"web_search": "web_search_requests", "web_fetch": "web_fetch_requests"}
_TURN_OVER: Final[StopReason] = {"type": "end_turn"}


class ThreadState(msgspec.Struct, frozen=True):
    """One thread. ``running_since`` is set while it runs; ``active_seconds`` counts up to then.

    ``workflow_run`` is the run that made it; ``max_tokens`` is what it alone may use (None: no limit of its
    own). ``interrupted``: a person interrupted it, and it works still. ``received`` are messages of other threads
    so far.
    """

    status: Status = "idle"
    stop_reason: StopReason | None = None
    agent_name: str = ""
    pending: dict[str, Asked] = {}
    usage: Usage = Usage()
    active_seconds: float = 0.0
    running_since: datetime | None = None
    started: bool = False
    workflow_run: str | None = None
    max_tokens: int | None = None
    interrupted: bool = False
    received: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has used all the tokens that it may."""
        return self.max_tokens is not None and self.usage.tokens >= self.max_tokens


class OutcomeState(msgspec.Struct, frozen=True):
    """One defined outcome and where its evaluation is."""

    outcome_id: str
    description: str
    max_iterations: int = 3
    result: str = "pending"
    iteration: int = 0
    explanation: str | None = None
    completed_at: datetime | None = None
    start_id: str = ""

    @property
    def active(self) -> bool:
        return self.result not in FINAL_RESULTS


class SessionState(msgspec.Struct, frozen=True):
    """Everything the fold knows. ``threads`` are by their name in the log, the primary one under ``""``.

    A child thread that ends leaves: a session may have had a thousand, and its state is written with every
    change. What they used stays in ``retired`` and ``retired_seconds``. ``teamed``: there was a child, so
    that the primary thread has events of its own. ``open_runs``: workflow runs that have not ended.
    ``self_hosted``: built-in tools run at the client, and wait for its results. ``label``: how the session
    ended, as far as somebody said so.
    """

    threads: dict[str, ThreadState] = msgspec.field(default_factory=lambda: {PRIMARY_THREAD: ThreadState()})
    outcomes: tuple[OutcomeState, ...] = ()
    label: Outcome = Outcome()
    self_hosted: bool = False
    active_seconds: float = 0.0
    running_since: datetime | None = None
    teamed: bool = False
    retired: Usage = Usage()
    retired_seconds: float = 0.0
    open_runs: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage:
        """Of all threads together, those that have ended among them."""
        return total((self.retired, *(thread.usage for thread in self.threads.values())))

    @property
    def pending(self) -> dict[str, tuple[str, Asked]]:
        """Calls that wait for the client: event id → (thread, what for)."""
        return {
            event_id: (name, asked)
            for name, thread in self.threads.items()
            for event_id, asked in thread.pending.items()
        }

    @property
    def outcome(self) -> OutcomeState | None:
        """The outcome that is worked on, if there is one."""
        return next((outcome for outcome in reversed(self.outcomes) if outcome.active), None)


def session_status(state: SessionState) -> Status:
    """Of all its threads: one that runs makes the session run. So does a workflow run that goes on by itself, also
    where none of its tasks is at work at this moment."""
    told = {thread.status for thread in state.threads.values()}
    status: Status = next(status for status in _ORDER if status in told)
    return "running" if status == "idle" and state.open_runs and not _held_up(state) else status


def _held_up(state: SessionState) -> bool:
    """Whether a client has to do something before anything goes on."""
    kinds = {_kind(thread) for thread in state.threads.values() if not thread.spent}
    return not kinds.isdisjoint(("requires_action", "budget_reached"))


def stop_reason(state: SessionState) -> StopReason | None:
    """Why an idle session stopped: waiting for the client outranks the budget, which outranks the rest.

    None unless it is idle and has worked before.
    """
    if session_status(state) != "idle":
        return None
    idle = [thread for thread in state.threads.values() if thread.status == "idle" and thread.stop_reason]
    waiting = [thread for thread in idle if _kind(thread) == "requires_action"]
    if waiting:
        ids = [event_id for thread in waiting for event_id in thread.pending]
        return {"type": "requires_action", "event_ids": ids}
    # a child that has used what it alone may does not stop the others
    spent = next((each for each in idle if _kind(each) == "budget_reached" and not each.spent), None)
    return (spent or state.threads[PRIMARY_THREAD]).stop_reason


def fold(events: Iterable[Event], state: SessionState | None = None) -> SessionState:
    """The state after ``events``, going on from ``state`` (by default that of a new session)."""
    state = SessionState() if state is None else state
    for event in events:
        state = step(state, event)
    return state


def step(state: SessionState, event: Event) -> SessionState:
    """The state after one more event; the same object when the event changes nothing of it."""
    change = _CHANGES.get(event.type)
    return state if change is None else change(state, event)


# ---------------------------------------------------------------------- statuses


def _kind(thread: ThreadState) -> str:
    return "" if thread.stop_reason is None else str(thread.stop_reason.get("type"))


def ended(state: SessionState, event: Event) -> ThreadState | None:
    """The last state of the child thread that ``event`` ends; None where it ends none."""
    thread = state.threads.get(event.thread)
    if event.type != "session.thread_status_terminated" or event.thread == PRIMARY_THREAD or thread is None:
        return None
    return _over(thread, event.at)


def _over(thread: ThreadState, at: datetime | None) -> ThreadState:
    seconds = thread.active_seconds + _between(thread.running_since, at)
    return replace(
        thread, status="terminated", stop_reason=None, pending={}, active_seconds=seconds, running_since=None
    )


def _retired(state: SessionState, name: str, event: Event) -> SessionState:
    last = _over(state.threads[name], event.at)
    after = replace(
        state,
        threads={other: thread for other, thread in state.threads.items() if other != name},
        retired=total((state.retired, last.usage)),
        retired_seconds=state.retired_seconds + last.active_seconds,
    )
    return _session_clock(after, event.at)


def _with(state: SessionState, name: str, **changes: Any) -> SessionState:
    thread = replace(state.threads[name], **changes)
    return replace(state, threads={**state.threads, name: thread})


def _turned(state: SessionState, name: str, event: Event, status: Status) -> SessionState:
    """Thread ``name`` takes ``status`` at the time of ``event``; the clocks of both go on or stop."""
    thread = state.threads.get(name)
    if thread is None:
        return state
    if status == "terminated" and name != PRIMARY_THREAD:
        return _retired(state, name, event)
    changes: dict[str, Any] = {"status": status, "started": thread.started or status == "running"}
    if status == "running":
        changes |= {"running_since": thread.running_since or event.at, "stop_reason": None}
    else:
        changes |= {
            "active_seconds": thread.active_seconds + _between(thread.running_since, event.at),
            "running_since": None,
            "interrupted": thread.interrupted and status == "rescheduling",
            "stop_reason": event.payload.get("stop_reason") if status == "idle" else None,
        }
    if status == "terminated":
        changes["pending"] = {}
    return _session_clock(_with(state, name, **changes), event.at)


def _session_clock(state: SessionState, at: datetime | None) -> SessionState:
    running = any(thread.status == "running" for thread in state.threads.values())
    if running == (state.running_since is not None):
        return state
    if running:
        return replace(state, running_since=at)
    seconds = state.active_seconds + _between(state.running_since, at)
    return replace(state, active_seconds=seconds, running_since=None)


def _between(start: datetime | None, end: datetime | None) -> float:
    return 0.0 if start is None or end is None else max(0.0, (end - start).total_seconds())


def _thread_status(status: Status) -> Callable[[SessionState, Event], SessionState]:
    def change(state: SessionState, event: Event) -> SessionState:
        after = _turned(state, event.thread, event, status)
        return _outcome_running(after) if status == "running" and event.thread == PRIMARY_THREAD else after

    return change


def _session_told(status: Status) -> Callable[[SessionState, Event], SessionState]:
    """``session.status_*`` speaks for the primary thread as long as it is the only one; else each thread
    speaks for itself. What ends the session ends them all."""

    def change(state: SessionState, event: Event) -> SessionState:
        if status == "terminated":
            for name in state.threads:
                state = _turned(state, name, event, status)
            return state
        if state.teamed:
            return state
        after = _turned(state, PRIMARY_THREAD, event, status)
        return _outcome_running(after) if status == "running" else after

    return change


def _created(state: SessionState, event: Event) -> SessionState:
    name = event.payload.get("session_thread_id")
    if not isinstance(name, str) or name in state.threads:
        return state  # an imported log names its threads otherwise, and has no state
    told = event.payload
    thread = ThreadState(
        agent_name=str(told.get("agent_name", "")),
        workflow_run=told.get("workflow_run_id"),
        max_tokens=told.get("max_tokens"),
    )
    return replace(state, threads={**state.threads, name: thread}, teamed=True)


def _received(state: SessionState, event: Event) -> SessionState:
    thread = state.threads.get(event.thread)
    return state if thread is None else _with(state, event.thread, received=thread.received + 1)


def _limited(state: SessionState, event: Event) -> SessionState:
    if event.thread not in state.threads:
        return state
    return _with(state, event.thread, max_tokens=event.payload.get("max_tokens"))


# ---------------------------------------------------------------------- calls that wait


def _called(state: SessionState, event: Event) -> SessionState:
    state = _counted(state, event)
    asked = _asked(state, event)
    if asked is None or event.thread not in state.threads:
        return state
    pending = state.threads[event.thread].pending
    return _with(state, event.thread, pending={**pending, event.id: asked})


def _asked(state: SessionState, event: Event) -> Asked | None:
    if event.type == "agent.custom_tool_use":
        return "custom_result"
    permission = event.payload.get("evaluated_permission")
    if permission == "ask":
        return "confirmation" if event.type == "agent.tool_use" else "mcp_confirmation"
    private: JsonObject = event.payload.get("private") or {}
    at_client = state.self_hosted and event.type == "agent.tool_use" and permission != "deny"
    at_client = at_client and not private.get("own")  # those act on the session, and are ours to make
    return "result" if at_client else None


def _counted(state: SessionState, event: Event) -> SessionState:
    counter = _WEB.get(str(event.payload.get("name"))) if event.type == "agent.tool_use" else None
    if counter is None or event.payload.get("evaluated_permission") == "deny":
        return state
    return _more(state, event.thread, replace(Usage(), **{counter: 1}))


def _settled(field: str) -> Callable[[SessionState, Event], SessionState]:
    def change(state: SessionState, event: Event) -> SessionState:
        call: object = event.payload.get(field)
        for name, thread in state.threads.items():
            if call in thread.pending:
                left: dict[str, Asked] = {key: asked for key, asked in thread.pending.items() if key != call}
                return _with(state, name, pending=left, stop_reason=_remainder(thread, left))
        return state

    return change


def _remainder(thread: ThreadState, left: Mapping[str, Asked]) -> StopReason | None:
    """The stop reason with what it still waits for; with nothing left the turn will go on by itself."""
    if _kind(thread) != "requires_action":
        return thread.stop_reason
    return {"type": "requires_action", "event_ids": list(left)} if left else None


def _confirmed(state: SessionState, event: Event) -> SessionState:
    call = str(event.payload.get("tool_use_id"))
    if state.self_hosted and event.payload.get("result") == "allow":
        for name, thread in state.threads.items():
            if thread.pending.get(call) == "confirmation":  # allowed: now the client has to run it
                return _with(state, name, pending={**thread.pending, call: "result"})
    return _SETTLED_CONFIRMATION(state, event)


_SETTLED_CONFIRMATION: Final = _settled("tool_use_id")


# ---------------------------------------------------------------------- outcomes


def _defined(state: SessionState, event: Event) -> SessionState:
    told = event.payload
    outcome = OutcomeState(
        str(told.get("outcome_id")), str(told.get("description")), told.get("max_iterations") or 3
    )
    return replace(state, outcomes=(*state.outcomes, outcome))


def _outcome_running(state: SessionState) -> SessionState:
    active = state.outcome
    if active is None or active.result != "pending":
        return state
    return _outcome(state, active.outcome_id, result="running")


def _outcome(state: SessionState, outcome_id: object, **changes: Any) -> SessionState:
    outcomes = tuple(
        replace(known, **changes) if known.outcome_id == outcome_id else known for known in state.outcomes
    )
    return replace(state, outcomes=outcomes)


def _evaluating(state: SessionState, event: Event) -> SessionState:
    iteration = int(event.payload.get("iteration", 0))
    outcome_id = event.payload.get("outcome_id")
    return _outcome(state, outcome_id, result="evaluating", iteration=iteration, start_id=event.id)


def _evaluated(state: SessionState, event: Event) -> SessionState:
    result = str(event.payload.get("result"))
    final = result in FINAL_RESULTS
    return _outcome(
        state,
        event.payload.get("outcome_id"),
        result=result if final else "running",
        explanation=event.payload.get("explanation"),
        iteration=int(event.payload.get("iteration", 0)),
        completed_at=event.at if final else None,
        start_id="",
    )  # what it used was counted on the grader's own thread


def _labelled(state: SessionState, event: Event) -> SessionState:
    told = event.payload
    return replace(state, label=Outcome(told["label"], told.get("score"), told.get("label_source")))


def _run_created(state: SessionState, event: Event) -> SessionState:
    runs = (*state.open_runs, str(event.payload.get("workflow_run_id")))
    return replace(state, open_runs=runs, teamed=True)  # there will be threads beside the primary one


def _interrupted(state: SessionState, event: Event) -> SessionState:
    names = list(state.threads) if event.payload.get("session_thread_id") is None else [event.thread]
    for name in names:
        thread = state.threads.get(name)
        if thread is not None and thread.status in ("running", "rescheduling"):
            state = _with(state, name, interrupted=True)
    return state


def _run_ended(state: SessionState, event: Event) -> SessionState:
    ended = event.payload.get("workflow_run_id")
    return replace(state, open_runs=tuple(run for run in state.open_runs if run != ended))


# ---------------------------------------------------------------------- usage


def _requested(state: SessionState, event: Event) -> SessionState:
    return _used(state, event, "model_usage")


def _used(state: SessionState, event: Event, field: str) -> SessionState:
    told: object = event.payload.get(field)
    if not isinstance(told, Mapping):
        return state
    told = cast(JsonObject, told)
    more = Usage(
        input_tokens=told.get("input_tokens") or 0,
        output_tokens=told.get("output_tokens") or 0,
        cache_read_input_tokens=told.get("cache_read_input_tokens") or 0,
        ephemeral_5m_input_tokens=told.get("cache_creation_input_tokens") or 0,
        list_cost=cents(event.payload.get("list_cost")),
    )
    return _more(state, event.thread, more)


def _more(state: SessionState, name: str, used: Usage) -> SessionState:
    """Thread ``name`` used more; what one uses that has ended is the session's all the same."""
    thread = state.threads.get(name)
    if thread is None:
        return replace(state, retired=total((state.retired, used)))
    return _with(state, name, usage=total((thread.usage, used)))


_CHANGES: Final[dict[str, Callable[[SessionState, Event], SessionState]]] = {
    "session.thread_created": _created,
    "session.thread_updated": _limited,
    "session.thread_status_running": _thread_status("running"),
    "session.thread_status_idle": _thread_status("idle"),
    "session.thread_status_rescheduled": _thread_status("rescheduling"),
    "session.thread_status_terminated": _thread_status("terminated"),
    "session.status_running": _session_told("running"),
    "session.status_idle": _session_told("idle"),
    "session.status_rescheduled": _session_told("rescheduling"),
    "session.status_terminated": _session_told("terminated"),
    "agent.thread_message_received": _received,
    "agent.tool_use": _called,
    "agent.mcp_tool_use": _called,
    "agent.custom_tool_use": _called,
    "agent.tool_result": _settled("tool_use_id"),
    "agent.mcp_tool_result": _settled("mcp_tool_use_id"),
    "user.tool_result": _settled("tool_use_id"),
    "user.custom_tool_result": _settled("custom_tool_use_id"),
    "user.tool_confirmation": _confirmed,
    "user.interrupt": _interrupted,
    "user.define_outcome": _defined,
    "span.outcome_evaluation_start": _evaluating,
    "span.outcome_evaluation_end": _evaluated,
    "span.model_request_end": _requested,
    "workflow_run.created": _run_created,
    "workflow_run.status_ended": _run_ended,
    "session.outcome": _labelled,
}
