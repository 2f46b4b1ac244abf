"""Which events of a client a session takes, and what becomes of each: logged at once, queued, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from reverie.domain.errors import Invalid, UsageError
from reverie.domain.events import Event, EventType, JsonObject, QueuedEvent
from reverie.domain.ids import new_id
from reverie.sessions.status import Asked, ThreadState
from reverie.sessions.turns import Draft, budget_reached, goes_on, interrupt, standing, thread_id, turn

__all__ = ["Accepted", "ClientEvent", "accept"]

Accepted: TypeAlias = Event | QueuedEvent
_SETTLES: Final = frozenset(
    {"user.tool_confirmation", "user.tool_result", "user.custom_tool_result", "user.interrupt"}
)
_LEADS_SYSTEM: Final = frozenset({"user.message", "user.tool_result", "user.custom_tool_result"})
_RESULTS: Final = frozenset({"user.tool_result", "user.custom_tool_result"})


class ClientEvent(NamedTuple):
    """An event as a client sends it, its shape checked already."""

    type: EventType
    payload: JsonObject


def accept(draft: Draft, events: Sequence[ClientEvent], entropy: Callable[[int], bytes]) -> list[Accepted]:
    """Take all of ``events`` into ``draft``, in their order, or none.

    Raises:
        UsageError: the session's state, or the others among them, do not allow one of them.
    """
    _system_comes_last(draft, events)
    accepted: list[Accepted] = []
    for number, event in enumerate(events):
        if budget_reached(draft.state) and event.type not in _SETTLES:
            raise UsageError(
                "the session's budget is reached: it takes confirmations, tool results and interrupts only",
                where=f"`events[{number}].type`",
                hint="raise or remove the budget and send it again",
            )
        accepted.append(_TAKERS[event.type](draft, event, f"events[{number}]", entropy))
    return accepted


def _system_comes_last(draft: Draft, events: Sequence[ClientEvent]) -> None:
    places = [number for number, event in enumerate(events) if event.type == "system.message"]
    if not places:
        return
    if len(places) > 1:
        raise Invalid("events", "at most one system.message", len(places))
    (place,) = places
    leader = events[place - 1].type if place else None
    if place != len(events) - 1 or leader not in _LEADS_SYSTEM:
        raise Invalid(
            f"events[{place}]",
            "a system.message is the last event, right behind a user.message, user.tool_result or "
            "user.custom_tool_result",
        )
    _, reason = standing(draft.state)
    if reason is not None and reason.get("type") == "requires_action" and leader not in _RESULTS:
        raise Invalid(
            f"events[{place}]", "while the session waits for tool results, a system.message follows one"
        )


def _message(draft: Draft, event: ClientEvent, where: str, entropy: Callable[[int], bytes]) -> Accepted:
    return draft.queue(event.type, event.payload)


def _interrupt(draft: Draft, event: ClientEvent, where: str, entropy: Callable[[int], bytes]) -> Accepted:
    told = event.payload.get("session_thread_id")
    name = None if told is None else _thread(draft, str(told), where)
    if budget_reached(draft.state):  # accepted, and nothing comes of it
        return Event("", draft.session_id, 0, event.type, event.payload, "", draft.now, "", None, b"")
    logged = draft.add(event.type, event.payload, thread=name or "")
    interrupt(draft, name)
    return logged


def _thread(draft: Draft, told: str, where: str) -> str:
    for name, thread in draft.state.threads.items():
        if thread_id(draft.session_id, name) == told and thread.status != "terminated":
            return name
    raise Invalid(f"{where}.session_thread_id", "a thread of this session that is not archived", told)


def _confirmation(draft: Draft, event: ClientEvent, where: str, entropy: Callable[[int], bytes]) -> Accepted:
    if event.payload.get("deny_message") is not None and event.payload.get("result") != "deny":
        raise Invalid(f"{where}.deny_message", "only with the result deny")
    return _settle(draft, event, where, "tool_use_id", ("confirmation", "mcp_confirmation"))


def _custom_result(draft: Draft, event: ClientEvent, where: str, entropy: Callable[[int], bytes]) -> Accepted:
    return _settle(draft, event, where, "custom_tool_use_id", ("custom_result",))


def _tool_result(draft: Draft, event: ClientEvent, where: str, entropy: Callable[[int], bytes]) -> Accepted:
    if not draft.state.self_hosted:
        raise Invalid(f"{where}.type", "user.tool_result is for sessions in self-hosted environments")
    return _settle(draft, event, where, "tool_use_id", ("result",))


def _settle(draft: Draft, event: ClientEvent, where: str, field: str, fits: tuple[Asked, ...]) -> Accepted:
    call = str(event.payload[field])
    waiting = draft.state.pending.get(call)
    if waiting is None or waiting[1] not in fits:
        raise Invalid(f"{where}.{field}", f"the id of a call that waits for a {event.type}", call)
    name, before = waiting[0], standing(draft.state)
    payload = dict(event.payload)
    if name:
        payload["session_thread_id"] = thread_id(draft.session_id, name)
    logged = draft.add(event.type, payload, thread=name)
    _go_on(draft, name, draft.state.threads[name], before)
    return logged


def _go_on(draft: Draft, name: str, thread: ThreadState, before: Any) -> None:
    """What is left is told again; when nothing is, the loop goes on. A call that was allowed and now has
    to run at the client waits as before."""
    if thread.status != "idle":
        draft.wake = True  # a result that came before the turn's end: the loop may wait for it
    elif not thread.pending:
        draft.wake = True
        goes_on(draft, before)
    else:
        turn(draft, "idle", thread=name, stop=thread.stop_reason, before=before)


def _outcome(draft: Draft, event: ClientEvent, where: str, entropy: Callable[[int], bytes]) -> Accepted:
    active = draft.state.outcome
    if active is not None:
        raise Invalid(
            f"{where}.type",
            f"one outcome at a time, and {active.outcome_id} is not finished",
            hint="wait for its last evaluation, or interrupt it",
        )
    payload = {**event.payload, "outcome_id": new_id("outc", entropy)}
    payload["max_iterations"] = event.payload.get("max_iterations") or 3
    draft.wake = True
    return draft.add(event.type, payload)


_TAKERS: Final[dict[str, Callable[[Draft, ClientEvent, str, Callable[[int], bytes]], Accepted]]] = {
    "user.message": _message,
    "system.message": _message,
    "user.interrupt": _interrupt,
    "user.tool_confirmation": _confirmation,
    "user.custom_tool_result": _custom_result,
    "user.tool_result": _tool_result,
    "user.define_outcome": _outcome,
}
