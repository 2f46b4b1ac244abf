"""Sessions that run: what clients send, what the loop takes and emits, and how a session ends.

What a client sent and nobody took yet waits in the inbox; everything else is in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from msgspec import structs

from reverie.domain.errors import NotFound, UsageError
from reverie.domain.events import (
    PRIMARY_THREAD,
    Event,
    EventType,
    JsonObject,
    NewEvent,
    QueuedEvent,
    event_text,
)
from reverie.domain.sessions import Outcome, SessionInfo
from reverie.sessions import children
from reverie.sessions.accepting import Accepted, ClientEvent, accept
from reverie.sessions.ledger import Ledger, Settled
from reverie.sessions.pages import Fence, Page, Work
from reverie.sessions.status import SessionState, Status, StopReason, session_status
from reverie.sessions.turns import Draft, break_off, label, terminate, thread_id, turn
from reverie.storage import audit, inbox, managed, threads
from reverie.storage import events as event_rows
from reverie.storage import sessions as session_rows
from reverie.storage.codec import loads
from reverie.storage.database import Connection
from reverie.storage.managed import SessionRow
from reverie.storage.text import json_text
from reverie.storage.threads import ThreadRow

__all__ = ["FORMAT", "LiveSessions", "NewSession"]

FORMAT: Final = "reverie-managed"
"""The format of sessions that are run here, beside those of the tools that sessions are imported from."""
GOAL_LENGTH: Final = 300  # characters of the first request that stand for the whole


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be made. ``body`` is what its client said of it; ``refs`` are ids that lists can ask for."""

    id: str
    info: SessionInfo
    body: JsonObject
    agent_name: str
    self_hosted: bool = False
    deployment: str | None = None
    refs: Collection[str] = ()


class LiveSessions(Ledger):
    """The sessions of one workspace that are run here.

    Every method may raise the storage errors of ``Database``; NotFound where there is no such session;
    UsageError where its state does not allow what is asked. What was written is on the disk when a method
    returns; then listeners are told, and the loop is woken where there is something for it to do.
    """

    # ------------------------------------------------------------------ clients

    def start(self, conn: Connection, new: NewSession, events: Sequence[ClientEvent] = ()) -> Settled:
        """Make a session, in the caller's transaction; give the result to ``tell`` when it is committed."""
        now = self._clock()
        session_rows.create(conn, new.id, replace(new.info, started_at=now), now)
        managed.describe(conn, new.id, new.body, new.deployment)
        managed.refer(conn, new.id, new.refs)
        state = SessionState(self_hosted=new.self_hosted)
        state = _named(state, PRIMARY_THREAD, new.agent_name)
        primary = thread_id(new.id, PRIMARY_THREAD)
        body = loads(json_text(state), dict[str, Any])  # the state of the session lives there
        threads.create(conn, ThreadRow(primary, new.id, None, "idle", now, now, None, body))
        draft = self._draft(new.id, state, lambda: new.body.get("budget"))
        accepted = accept(draft, self._masked(events), self._entropy)
        _aim(conn, draft)
        return self._save(conn, draft, accepted)

    def send(
        self,
        session_id: str,
        events: Sequence[ClientEvent],
        *,
        then: Callable[[Connection, SessionState], None] | None = None,
    ) -> list[Accepted]:
        """Take events of a client, all or none: each is in the log or in the inbox, under its id. ``then``
        adds to the transaction.

        Raises:
            UsageError: the session is archived, terminated or imported, or its state does not allow one.
        """
        masked = self._masked(events)

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            accepted = accept(draft, masked, self._entropy)
            _aim(conn, draft)
            settled = self._save(conn, draft, accepted)
            if then is not None:
                then(conn, draft.state)
            return settled

        settled = self._db.write(work)
        self.tell(settled)
        return list(settled.accepted)

    def label(self, session_id: str, outcome: Outcome, explanation: str | None = None) -> None:
        """Say how a session ended. Also of one that has ended, or was imported: a label is no input."""
        payload = {"label": outcome.label, "explanation": explanation}
        told = self._mask(NewEvent("session.outcome", payload, key=""))[0].payload["explanation"]

        def work(conn: Connection) -> Settled:
            known = managed.row(conn, session_id, lock=True).outcome
            state = structs.replace(self._state(conn, session_id), label=known)
            draft = self._draft(session_id, state, lambda: None)
            label(draft, outcome, told)
            return self._save(conn, draft)

        self.tell(self._db.write(work))

    def archive(self, session_id: str, *, then: Callable[[Connection], None] | None = None) -> None:
        """End a session for good and keep its log. Again is harmless; what waits in the inbox is dropped.
        ``then`` adds to the transaction, the first time.

        Raises:
            UsageError: it is running.
        """

        def work(conn: Connection) -> Settled:
            row = managed.row(conn, session_id, lock=True)
            if row.archived_at is not None:
                return Settled(session_id)
            _must_rest(row, "archived")
            at = self._clock()
            settled = Settled(session_id)
            if row.body is not None:
                draft = self._draft(session_id, self._state(conn, session_id), lambda: None)
                if session_status(draft.state) != "terminated":
                    terminate(draft)
                inbox.clear(conn, session_id)
                threads.archive(conn, session_id, None, at)
                settled = self._save(conn, draft)
            managed.write(conn, session_id, at, archived_at=at)
            if then is not None:
                then(conn)
            return settled

        self.tell(self._db.write(work))

    def delete(self, conn: Connection, session_id: str, actor: str) -> None:
        """Remove a session and its log, in the caller's transaction; then say ``gone``. The audit log keeps
        who did it, and how much there was.

        Raises:
            UsageError: it is running.
        """
        row, at = managed.row(conn, session_id, lock=True), self._clock()
        _must_rest(row, "deleted")
        managed.delete(conn, session_id, at)
        audit.append(conn, at, actor, "session.deleted", session_id, {"events": row.events})

    def gone(self, session_id: str) -> None:
        """Tell whoever follows it that a session was deleted."""
        self._feed.gone(session_id)

    def update(
        self,
        session_id: str,
        change: Callable[[SessionRow, SessionState], tuple[JsonObject, JsonObject | None]],
    ) -> SessionRow:
        """Change what is said of a session. ``change`` gives the new body and what ``session.updated``
        tells of it; None where nothing changed.

        Raises:
            UsageError: the session has ended, or was imported.
        """

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            body, changed = change(managed.row(conn, session_id), draft.state)
            if changed is None:
                return Settled(session_id)
            draft.budget = lambda: body.get("budget")
            draft.add("session.updated", changed)
            draft.wake = "budget" in changed and _held_by_budget(draft.state)
            managed.write(conn, session_id, draft.now, body=body)
            return self._save(conn, draft)

        self.tell(self._db.write(work))
        return self.row(session_id)

    def rewrite(self, session_id: str, change: Callable[[Connection, SessionRow], JsonObject]) -> SessionRow:
        """Change what is said of a session without telling of it; ``change`` gives the new body.

        Raises:
            UsageError: the session has ended, or was imported.
        """

        def work(conn: Connection) -> None:
            draft = self._open(conn, session_id)
            body = change(conn, managed.row(conn, session_id))
            managed.write(conn, session_id, draft.now, body=body)

        self._db.write(work)
        return self.row(session_id)

    def archive_thread(self, session_id: str, thread: str) -> None:
        """End a child thread that is idle. Again is harmless.

        Raises:
            NotFound: no such thread.
            UsageError: it is the primary one, or it is running.
        """

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            found = threads.get(conn, session_id, thread)
            if found is None:
                raise NotFound(f"there is no thread {thread!r} in this session")
            if found.parent is not None and found.status in ("running", "rescheduling"):
                raise UsageError(f"it is {found.status}: interrupt it first", where=thread)
            children.close(conn, draft, thread)
            return self._save(conn, draft)

        self.tell(self._db.write(work))

    def limit_thread(self, session_id: str, thread: str, max_tokens: int | None) -> None:
        """Say what a thread alone may use, by its id; None lifts the limit. One that rests because it used
        what it might goes on.

        Raises:
            NotFound: no such thread.
            Invalid: no more than what it used already.
            UsageError: it has ended.
        """

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            children.limit(conn, draft, thread, max_tokens)
            return self._save(conn, draft)

        self.tell(self._db.write(work))

    def ask_of_runs(
        self,
        session_id: str,
        ask: Callable[[SessionState], Sequence[NewEvent]],
        *,
        then: Callable[[Connection, SessionState], None] | None = None,
    ) -> list[Event]:
        """What a client wants of workflow runs, as events of ours, for the loop to do. ``then`` adds to the
        transaction where there are any.

        Raises:
            UsageError: the session is archived, terminated or imported.
        """

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            for event in map(self.masked, ask(draft.state)):
                draft.add(event.type, event.payload, thread=event.thread, key=event.key)
                draft.wake = True
            settled = self._save(conn, draft)
            if then is not None and draft.wake:
                then(conn, draft.state)
            return settled

        settled = self._db.write(work)
        self.tell(settled)
        return list(settled.events)

    # ------------------------------------------------------------------ the loop

    def take(self, session_id: str, limit: int = 1_000) -> list[Event]:
        """Move what waits in the inbox to the log, in order; gives it as it stands there. The moment is
        the events' ``at``: they are being processed."""

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            self._take(conn, draft, limit)
            return self._save(conn, draft)

        return self._run(work)

    def emit(self, session_id: str, events: Sequence[NewEvent]) -> list[Event]:
        """Append events of the loop. One whose key is in the log already is not written again.

        Calls of tools may leave ``tool_use_id`` out: it is the event's own id.
        """
        ids = [event_rows.event_id(session_id, event.key) for event in events]
        masked = [self._mask(_with_own_id(e, id))[0] for e, id in zip(events, ids, strict=True)]

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            known = event_rows.present(conn, ids)
            for id, event in zip(ids, masked, strict=True):
                if id not in known:
                    draft.add(event.type, event.payload, thread=event.thread, key=event.key, id=id)
                    known.add(id)
            return self._save(conn, draft)

        return self._run(work)

    def advance(self, session_id: str, work: Work, fence: Fence) -> list[Event]:
        """What the loop does in one transaction: ``work`` with the session's page. Gives the events as they
        stand in the log. ``fence`` is asked first, in the same transaction.

        Raises:
            LeaseLost: as the fence says.
            UsageError: the session is archived or terminated.
        """

        def whole(conn: Connection) -> Settled:
            fence(conn)
            draft = self._open(conn, session_id)
            work(Page(conn, draft, self._take))
            return self._save(conn, draft)

        return self._run(whole)

    def masked(self, event: NewEvent) -> NewEvent:
        """The event with secrets masked: fit for ``Page.add``."""
        return self._mask(event)[0]

    def turn(
        self,
        session_id: str,
        status: Status,
        *,
        thread: str = PRIMARY_THREAD,
        stop: StopReason | None = None,
        details: JsonObject | None = None,
    ) -> list[Event]:
        """A thread begins to run, goes idle, is rescheduled or ends. ``stop`` is why it goes idle; where
        calls wait for the client that is ``requires_action`` by itself.

        Idle comes with ``session.usage`` before it. A status that the thread has already changes nothing.
        """

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            turn(draft, status, thread=thread, stop=stop, details=details)
            return self._save(conn, draft)

        return self._run(work)

    def terminate(self, session_id: str) -> list[Event]:
        """End a session after an error that nothing mends."""

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            break_off(draft)
            return self._save(conn, draft)

        return self._run(work)

    def open_thread(
        self, session_id: str, agent: JsonObject, *, parent: str = PRIMARY_THREAD, run: str | None = None
    ) -> str:
        """Make a child thread that runs ``agent`` (a snapshot, as on the wire); gives its name and id.
        ``run`` is the workflow run that makes it.

        Raises:
            UsageError: there are 25 children that are not archived.
        """

        def work(conn: Connection) -> Settled:
            draft = self._open(conn, session_id)
            children.make(conn, draft, agent, parent=parent, run=run)
            return self._save(conn, draft)

        (created,) = self._run(work)
        return str(created.payload["session_thread_id"])

    def waiting(self) -> list[str]:
        """Sessions with input that nobody took: what a loop looks for when it starts."""
        with self._db.read() as conn:
            return inbox.sessions(conn)

    def preview(self, session_id: str, preview: JsonObject, *, thread: str = PRIMARY_THREAD) -> None:
        """Show ``event_start`` or ``event_delta`` to streams that asked for it. Best effort, never kept."""
        self._feed.preview(session_id, thread, preview)

    # ------------------------------------------------------------------ inside

    def _masked(self, events: Sequence[ClientEvent]) -> list[ClientEvent]:
        masked = [self._mask(NewEvent(event.type, event.payload, key=""))[0] for event in events]
        return [ClientEvent(event.type, event.payload) for event in masked]

    def _take(self, conn: Connection, draft: Draft, limit: int) -> None:
        found = inbox.waiting(conn, draft.session_id, limit=limit)
        for queued in found:
            draft.take(_logged(queued, draft))
        inbox.remove(conn, draft.session_id, [queued.position for queued in found])


def _named(state: SessionState, name: str, agent_name: str) -> SessionState:
    """``state`` with the thread's agent named."""
    thread = structs.replace(state.threads[name], agent_name=agent_name)
    return structs.replace(state, threads={**state.threads, name: thread})


def _aim(conn: Connection, draft: Draft) -> None:
    """What the first input asks for is what the session is about, where it has no title."""
    if draft.state.threads[PRIMARY_THREAD].started:
        return
    texts = [event_text(each.type, each.payload) for each in draft.queued if each.type == "user.message"]
    texts += [str(each.payload["description"]) for each in draft.events if each.type == "user.define_outcome"]
    if words := next((found for text in texts if (found := text.split())), None):
        session_rows.aim(conn, draft.session_id, " ".join(words)[:GOAL_LENGTH])


def _held_by_budget(state: SessionState) -> bool:
    """Whether a thread rests because the session's budget is spent; others may work still."""
    reasons = (thread.stop_reason for thread in state.threads.values() if not thread.spent)
    return any(reason is not None and reason.get("type") == "budget_reached" for reason in reasons)


def _must_rest(row: SessionRow, what: str) -> None:
    if row.status in ("running", "rescheduling"):
        raise UsageError(
            f"a session that is {row.status} cannot be {what}",
            where=row.id,
            hint="send user.interrupt and wait until it is idle",
        )


def _logged(queued: QueuedEvent, draft: Draft) -> Event:
    return Event(
        queued.id, queued.session_id, 0, queued.type, queued.payload, queued.id, draft.now, queued.thread,
        None, b"",
    )  # fmt: skip


_CALLS: Final[frozenset[EventType]] = frozenset(
    {"agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use"}
)


def _with_own_id(event: NewEvent, id: str) -> NewEvent:
    """A call with its id in the payload, where readers of imported logs look for it."""
    if event.type not in _CALLS or "tool_use_id" in event.payload:
        return event
    return replace(event, payload={**event.payload, "tool_use_id": id})
