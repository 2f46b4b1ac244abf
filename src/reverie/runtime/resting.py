"""What becomes of a thread whose turn is over: it goes idle, its lead hears what it found, and work towards an
outcome is judged. All in the transaction that ends the turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from reverie.domain.events import PRIMARY_THREAD, JsonObject, NewEvent
from reverie.domain.messages import ModelResponse, Text
from reverie.domain.outcomes import GRADER
from reverie.runtime.context import SessionContext, ThreadContext
from reverie.runtime.journal import Journal
from reverie.sessions.pages import Page
from reverie.sessions.turns import thread_id

__all__ = [
    "ADVISOR",
    "deliver",
    "given_up",
    "interruption",
    "judges_only",
    "message",
    "over",
    "overspent",
    "reports",
    "said",
    "stopped",
]

Ending: TypeAlias = Callable[[Page], None]

ADVISOR: Final = "anthropic.advisor"
"""The name that the wire gives to an advisor's thread."""
_END_TURN: Final[JsonObject] = {"type": "end_turn"}
_GAVE_UP: Final[JsonObject] = {"type": "retries_exhausted"}
_BROKEN_OFF: Final[JsonObject] = {"type": "end_turn", "broken_off": True}
_NOTHING: Final = "[It ended without a word.]"
_INTERRUPTED: Final = "[It was interrupted by a person, and works no more. What it did so far stays.]"


def said(response: ModelResponse) -> str:
    """What a model said, as text."""
    return "".join(part.text for part in response.parts if isinstance(part, Text))


def over(
    journal: Journal,
    context: SessionContext,
    thread: ThreadContext,
    words: str,
    *,
    heard: int,
    refused: JsonObject | None = None,
) -> Ending:
    """The turn came to its end; ``words`` are what its lead is told. ``heard``: how many messages of other threads the
    turn took into account (more may become known while this is written, and no turn answered them). ``refused`` are
    the details of a model that refused to go on. A thread that a person interrupted meanwhile goes no further than
    that."""
    report = _report(journal, thread, (words or _NOTHING) if refused is None else _refused(refused, words))
    evaluation = _evaluation(journal, thread)
    turn = _refusal(refused) if refused is not None else {"stop": _END_TURN}

    def ending(page: Page) -> None:
        mine = page.state.threads[thread.name]
        if mine.interrupted or mine.pending:  # or it waits for the client: its turn is not over
            page.turn("idle", thread=thread.name, stop=_END_TURN)
            return
        if mine.received != heard and refused is None:
            return  # somebody told it something meanwhile: it goes on with that
        if thread.name == PRIMARY_THREAD and refused is None:
            if page.waits():
                return  # it goes on with that
            if evaluation is not None and _judged(page, context, thread):
                page.turn("running")
                page.add(evaluation)
                return
        deliver(page, thread.name, report)
        page.turn("idle", thread=thread.name, **turn)

    return ending


def given_up(journal: Journal, thread: ThreadContext, why: str) -> Ending:
    """The turn was given up. What waits is not worked on either."""
    report = _report(journal, thread, f"[It could not go on: {why}]")

    def ending(page: Page) -> None:
        if thread.name == PRIMARY_THREAD:
            page.take()
        deliver(page, thread.name, report)
        page.turn("idle", thread=thread.name, stop=_GAVE_UP)

    return ending


def overspent(journal: Journal, thread: ThreadContext) -> Ending:
    """What the thread alone might use is spent."""
    report = _report(journal, thread, "[It was stopped: the tokens that it might use are spent.]")

    def ending(page: Page) -> None:
        deliver(page, thread.name, report)
        page.turn("idle", thread=thread.name, stop={"type": "budget_reached", "of_thread": True})

    return ending


def stopped(journal: Journal, thread: ThreadContext) -> Ending:
    """The turn was broken off: by a person, of which its lead hears where it goes on itself, or by its lead."""
    tell = interruption(journal, thread)

    def ending(page: Page) -> None:
        tell(page)
        by_person = page.state.threads[thread.name].interrupted
        page.turn("idle", thread=thread.name, stop=_END_TURN if by_person else _BROKEN_OFF)

    return ending


def interruption(journal: Journal, thread: ThreadContext) -> Ending:
    """A lead hears that a person interrupted its specialist, and nobody else."""
    report = _report(journal, thread, _INTERRUPTED) if thread.unheard else ()
    return lambda page: deliver(page, thread.name, report)


def reports(thread: ThreadContext) -> bool:
    """Whether somebody waits for what a thread found: its lead, who is not told of what a workflow run or a
    grader does."""
    return thread.parent is not None and thread.run is None and thread.agent_name not in (GRADER, ADVISOR)


def message(
    journal: Journal,
    sender: str,
    to: str,
    text: str,
    *,
    key: str | None = None,
    names: tuple[str, str] = ("", ""),
) -> Sequence[NewEvent]:
    """A message of one thread to another: what the sender's log shows of it, and the receiver's. ``names`` are
    those of their agents."""
    content = [{"type": "text", "text": text}]
    session = journal.session_id
    sent: dict[str, Any] = {"to_session_thread_id": thread_id(session, to), "content": content}
    received: dict[str, Any] = {"from_session_thread_id": thread_id(session, sender), "content": content}
    if names[1]:
        sent["to_agent_name"] = names[1]
    if names[0]:
        received["from_agent_name"] = names[0]
    return [
        journal.new("agent.thread_message_sent", sent, sender, key=None if key is None else f"{key}:sent"),
        journal.new(
            "agent.thread_message_received", received, to, key=None if key is None else f"{key}:received"
        ),
    ]


def judges_only(thread: ThreadContext) -> bool:
    """Whether there is nothing to do but to judge what was made elsewhere."""
    wanted = thread.outcome
    return wanted is not None and wanted.given is not None and wanted.evaluation is None


def _judged(page: Page, context: SessionContext, thread: ThreadContext) -> bool:
    """Whether the work is ready to be judged: an outcome is open, and nobody is at work on it any more."""
    active = page.state.outcome
    others = (state.status for name, state in page.state.threads.items() if name != thread.name)
    return (
        active is not None
        and thread.outcome is not None
        and active.outcome_id == thread.outcome.id
        and not any(status in ("running", "rescheduling") for status in others)
        and not page.state.open_runs
    )


def _evaluation(journal: Journal, thread: ThreadContext) -> NewEvent | None:
    """The start of the next evaluation of the outcome that a thread works towards."""
    wanted = thread.outcome
    if wanted is None:
        return None
    told = {
        "outcome_id": wanted.id,
        "iteration": len(wanted.verdicts),
        "private": {"nonce": journal.entropy(16).hex()},
    }
    return journal.new("span.outcome_evaluation_start", told, thread.name)


def _report(journal: Journal, thread: ThreadContext, words: str) -> Sequence[NewEvent]:
    if not reports(thread) or thread.parent is None:
        return []
    return message(journal, thread.name, thread.parent, words, names=(thread.agent_name, ""))


def _refused(details: JsonObject, words: str) -> str:
    why = details.get("explanation") or details.get("category") or "its model did not say why"
    return f"[It refused to go on: {why}]\n\n{words}".strip()


def _refusal(details: JsonObject) -> dict[str, Any]:
    told = {
        "type": "refusal",
        "category": details.get("category"),
        "explanation": details.get("explanation"),
    }
    return {"stop": {"type": "refusal"}, "details": told}


def deliver(page: Page, thread: str | None, messages: Sequence[NewEvent]) -> None:
    """Messages, and whoever of others they are for goes on with them: at once, so that nobody takes the session for
    done in between. One for a thread that is gone is heard by nobody."""
    for event in messages:
        mine = page.state.threads.get(event.thread)
        if mine is None:
            continue
        wakes = event.thread != thread and event.type == "agent.thread_message_received"
        if wakes and mine.status == "idle" and not mine.pending:
            page.turn("running", thread=event.thread)
        page.add(event)
