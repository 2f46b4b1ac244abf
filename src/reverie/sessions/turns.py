"""Changes of a session that are more than one event: turns that begin and end, interrupts, calls answered.

A ``Draft`` collects the events of one transaction and folds them as it goes, so that each rule sees the
state that its predecessors left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from reverie.domain.events import PRIMARY_THREAD, Event, EventType, JsonObject, QueuedEvent
from reverie.domain.ids import IdPrefix, derived_id, new_id
from reverie.domain.outcomes import GRADER
from reverie.domain.sessions import Outcome
from reverie.sessions.outcomes import of_exit, of_verdict, stands
from reverie.sessions.status import (
    SessionState,
    Status,
    StopReason,
    ThreadState,
    Usage,
    ended,
    session_status,
    step,
    stop_reason,
)
from reverie.storage.events import End, event_id

__all__ = [
    "Draft",
    "Standing",
    "break_off",
    "budget_reached",
    "end_outcome",
    "goes_on",
    "graders_usage",
    "interrupt",
    "label",
    "standing",
    "terminate",
    "thread_id",
    "tokens_body",
    "turn",
    "usage_body",
]

Standing: TypeAlias = tuple[Status, StopReason | None]
"""What a session shows of itself: its status and, when idle, why."""

_WORDS: Final[dict[Status, str]] = {
    "running": "running",
    "rescheduling": "rescheduled",
    "idle": "idle",
    "terminated": "terminated",
}
_END_TURN: Final[StopReason] = {"type": "end_turn"}
_OF_RUNS: Final = (
    "workflow_run.created",
    "workflow_run.status_ended",
)  # a session runs as long as one is open
_INTERRUPTED: Final = "This call was interrupted before it had a result; please retry if it is still needed."


@lru_cache(maxsize=1_024)  # asked for in every transaction
def thread_id(session_id: str, name: str) -> str:
    """The id on the wire of the thread that the log calls ``name``."""
    return name if name.startswith("sthr_") else derived_id("sthr", session_id, name)


class Draft:
    """Events on their way to one session's log. ``queued`` wait in the inbox instead; ``wake`` tells
    whether there is something for the loop to do."""

    def __init__(
        self,
        session_id: str,
        state: SessionState,
        now: datetime,
        entropy: Callable[[int], bytes],
        *,
        budget: Callable[[], JsonObject | None],
    ) -> None:
        self.session_id = session_id
        self.before = state
        self.state = state
        self.now = now
        self.budget = budget
        """Asked for only where it is told: it is in the body of the session."""
        self.events: list[Event] = []
        self.queued: list[QueuedEvent] = []
        self.ended: dict[str, ThreadState] = {}
        """Child threads that ended, as they were: they have left the state."""
        self.wake = False
        self.end: End | None = None
        """Of the log, where whoever opened the session has learnt it."""
        self._entropy = entropy

    def add(
        self,
        type: EventType,
        payload: JsonObject,
        *,
        thread: str = PRIMARY_THREAD,
        key: str | None = None,
        id: str | None = None,
    ) -> Event:
        """One more event, now; its id is that of its key, by default a fresh one. A verdict also labels
        the session."""
        key = self._entropy(16).hex() if key is None else key
        found = event_id(self.session_id, key) if id is None else id
        before = standing(self.state) if type in _OF_RUNS else None
        event = self.take(Event(found, self.session_id, 0, type, payload, key, self.now, thread, None, b""))
        if type == "span.outcome_evaluation_end":
            label(self, of_verdict(payload.get("result")), payload.get("explanation"))
        if before is not None:
            _tell_if_changed(self, before, None)
        return event

    def take(self, event: Event) -> Event:
        """One more event, as it is."""
        self.events.append(event)
        if (last := ended(self.state, event)) is not None:
            self.ended[event.thread] = last
        self.state = step(self.state, event)
        return event

    def new_id(self, prefix: IdPrefix) -> str:
        """An id for something that comes to be with these events."""
        return new_id(prefix, self._entropy)

    def queue(self, type: EventType, payload: JsonObject) -> QueuedEvent:
        """One more event for the inbox."""
        found = event_id(self.session_id, self._entropy(16).hex())
        queued = QueuedEvent(found, self.session_id, 0, type, payload, PRIMARY_THREAD, self.now)
        self.queued.append(queued)
        self.wake = True
        return queued


def standing(state: SessionState) -> Standing:
    """What the session shows of itself."""
    return session_status(state), stop_reason(state)


def turn(
    draft: Draft,
    status: Status,
    *,
    thread: str = PRIMARY_THREAD,
    stop: StopReason | None = None,
    details: JsonObject | None = None,
    before: Standing | None = None,
) -> None:
    """Thread ``thread`` takes ``status``; the session is told of it where its own changes by that.

    An idle thread that has calls waiting stops with ``requires_action``, whatever ``stop`` says but the
    budget. ``before`` is what the session showed before the change that led here.
    """
    mine = draft.state.threads.get(thread)
    if mine is None or mine.status == "terminated" or (mine.status == status and status != "idle"):
        return
    payload = _stopped(draft.state, thread, stop, details) if status == "idle" else {}
    if not draft.state.teamed:
        _tell(draft, status, payload)
        return
    before = before or standing(draft.state)
    named = {"session_thread_id": thread_id(draft.session_id, thread), "agent_name": mine.agent_name}
    kind = cast(EventType, f"session.thread_status_{_WORDS[status]}")
    draft.add(kind, {**named, **payload}, thread=thread)
    _tell_if_changed(draft, before, details)


def _stopped(
    state: SessionState, thread: str, stop: StopReason | None, details: JsonObject | None
) -> dict[str, Any]:
    pending = state.threads[thread].pending
    if pending and (stop is None or stop.get("type") in ("end_turn", "requires_action")):
        stop = {"type": "requires_action", "event_ids": list(pending)}
    return {"stop_reason": stop or _END_TURN, "stop_details": details}


def _tell_if_changed(draft: Draft, before: Standing, details: JsonObject | None) -> None:
    after = standing(draft.state)
    if after == before or after[0] == before[0] != "idle":
        return
    reason = after[1] or _END_TURN
    shown = details if reason.get("type") == "refusal" else None
    _tell(draft, after[0], {"stop_reason": reason, "stop_details": shown} if after[0] == "idle" else {})


def _tell(draft: Draft, status: Status, payload: JsonObject) -> None:
    label(draft, of_exit(status, payload.get("stop_reason")))
    if status == "idle":
        draft.add("session.usage", {"usage": usage_body(draft.state, draft.now), "budget": draft.budget()})
    draft.add(cast(EventType, f"session.status_{_WORDS[status]}"), payload)


def goes_on(draft: Draft, before: Standing) -> None:
    """Nothing is waited for any more: where the session runs by that, it says so."""
    if standing(draft.state)[0] == "running":
        _tell_if_changed(draft, before, None)


def terminate(draft: Draft) -> None:
    """End the session: every thread of it, for good."""
    for name, thread in draft.state.threads.items():
        if draft.state.teamed and thread.status != "terminated":
            named = {"session_thread_id": thread_id(draft.session_id, name), "agent_name": thread.agent_name}
            draft.add("session.thread_status_terminated", named, thread=name)
    draft.add("session.status_terminated", {})


def break_off(draft: Draft) -> None:
    """End the session, because of an error that nothing mends: it failed."""
    label(draft, of_exit("terminated", None))
    terminate(draft)


def label(draft: Draft, said: Outcome | None, explanation: str | None = None) -> None:
    """Say how the session ended, unless that is known, or somebody who counts for more said so."""
    if said is None or not stands(said, draft.state.label):
        return
    told = {"label": said.label, "score": said.score, "label_source": said.source, "explanation": explanation}
    draft.add("session.outcome", {name: value for name, value in told.items() if value is not None})


def budget_reached(state: SessionState) -> bool:
    """Whether the session is paused because its budget is spent."""
    status, reason = standing(state)
    return status == "idle" and reason is not None and reason.get("type") == "budget_reached"


# ---------------------------------------------------------------------- interrupts


def interrupt(draft: Draft, thread: str | None) -> None:
    """What an interrupt does by itself: calls that wait are closed with an error and their threads go idle
    with ``end_turn``; an active outcome ends. A thread that runs is the loop's to stop."""
    names = [thread] if thread is not None else list(draft.state.threads)
    before = standing(draft.state)
    for name in names:
        mine = draft.state.threads[name]
        if mine.status == "idle" and mine.pending:
            for call, asked in mine.pending.items():
                _close(draft, name, call, asked)
            turn(draft, "idle", thread=name, stop=_END_TURN, before=before)
            draft.wake = draft.wake or (
                thread is not None and name != PRIMARY_THREAD
            )  # its lead is to hear of it
        elif mine.status in ("running", "rescheduling"):
            draft.wake = True
    draft.wake = draft.wake or (thread is None and bool(draft.state.open_runs))
    if PRIMARY_THREAD in names:
        end_outcome(draft, "interrupted", "Interrupted by the user.")


def _close(draft: Draft, thread: str, call: str, asked: str) -> None:
    result = {"content": [{"type": "text", "text": _INTERRUPTED}], "is_error": True}
    if asked == "custom_result":
        draft.add("user.custom_tool_result", {"custom_tool_use_id": call, **result}, thread=thread)
    elif asked == "mcp_confirmation":
        draft.add("agent.mcp_tool_result", {"mcp_tool_use_id": call, **result}, thread=thread)
    else:
        draft.add("agent.tool_result", {"tool_use_id": call, **result}, thread=thread)


def end_outcome(draft: Draft, result: str, explanation: str) -> None:
    """Close the outcome that is worked on, if there is one, without a verdict of the grader's."""
    active = draft.state.outcome
    if active is not None:
        draft.add(
            "span.outcome_evaluation_end",
            {
                "outcome_id": active.outcome_id,
                "outcome_evaluation_start_id": active.start_id,
                "iteration": active.iteration,
                "result": result,
                "explanation": explanation,
                "usage": graders_usage(draft.state),
            },
        )


# ---------------------------------------------------------------------- usage


def usage_body(state: SessionState, now: datetime) -> dict[str, Any]:
    """The usage of a session as the wire has it."""
    seconds = state.active_seconds
    if state.running_since is not None:
        seconds += max(0.0, (now - state.running_since).total_seconds())
    return tokens_body(state.usage, seconds)


def graders_usage(state: SessionState) -> dict[str, Any]:
    """What the graders at work have used, as an evaluation's end tells it."""
    used = [thread.usage for thread in state.threads.values() if thread.agent_name == GRADER]
    made = sum(each.ephemeral_5m_input_tokens + each.ephemeral_1h_input_tokens for each in used)
    return {
        "cache_creation_input_tokens": made,
        "cache_read_input_tokens": sum(each.cache_read_input_tokens for each in used),
        "input_tokens": sum(each.input_tokens for each in used),
        "output_tokens": sum(each.output_tokens for each in used),
        "speed": None,
    }


def tokens_body(usage: Usage, active_seconds: float) -> dict[str, Any]:
    """Counts as the wire has them. Cents are rounded to whole ones."""
    cost: Mapping[str, str] | None = None
    if usage.list_cost is not None:
        cost = {"amount": f"{round(float(usage.list_cost))}", "currency": "USD"}
    return {
        "active_seconds": active_seconds,
        "cache_creation": {
            "ephemeral_1h_input_tokens": usage.ephemeral_1h_input_tokens,
            "ephemeral_5m_input_tokens": usage.ephemeral_5m_input_tokens,
        },
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "input_tokens": usage.input_tokens,
        "list_cost": cost,
        "output_tokens": usage.output_tokens,
        "server_tool_use": {
            "web_fetch_requests": usage.web_fetch_requests,
            "web_search_requests": usage.web_search_requests,
        },
    }
