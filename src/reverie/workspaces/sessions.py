"""Sessions as clients make and keep them: what they refer to is looked up and kept as it was then."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import Archived, Invalid, NotFound, UsageError
from reverie.domain.events import Event, JsonObject, QueuedEvent
from reverie.domain.ids import new_id
from reverie.domain.resources import Cursor
from reverie.domain.sessions import Outcome, SessionInfo
from reverie.sessions import views
from reverie.sessions.accepting import Accepted, ClientEvent
from reverie.sessions.ledger import Settled
from reverie.sessions.live import FORMAT, LiveSessions, NewSession
from reverie.sessions.status import SessionState, session_status
from reverie.sessions.views import Asking, Place, View
from reverie.storage import inbox, managed, timeline
from reverie.storage.database import Connection, Database
from reverie.storage.events import read
from reverie.storage.managed import Filters, SessionRow
from reverie.workspaces.agents import Agents
from reverie.workspaces.environments import Environments
from reverie.workspaces.files import Files
from reverie.workspaces.grading import resolved_grader, rubric_text
from reverie.workspaces.metadata import patched
from reverie.workspaces.session_agents import changed_tools, snapshot
from reverie.workspaces.session_resources import Mounts, check, refs
from reverie.workspaces.tools import CheckSchema
from reverie.workspaces.vaults import Vaults
from reverie.workspaces.webhooks import Webhooks
from reverie.workspaces.work import WorkQueue

__all__ = ["MAX_FILE_BLOCKS", "SessionView", "Sessions"]

Said: TypeAlias = Mapping[str, Any]
Body: TypeAlias = dict[str, Any]

MAX_FILE_BLOCKS: Final = 100
_BEGINS_WORK: Final = frozenset({"user.message", "user.define_outcome"})


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as of ``now``. ``state`` is None where it was imported."""

    row: SessionRow
    state: SessionState | None
    now: datetime


class Sessions:
    """The sessions of one workspace, for clients. All methods raise ``NotFound`` for what is not in it."""

    def __init__(
        self,
        db: Database,
        live: LiveSessions,
        *,
        agents: Agents,
        environments: Environments,
        vaults: Vaults,
        files: Files,
        mounts: Mounts,
        work: WorkQueue,
        webhooks: Webhooks,
        clock: Clock,
        entropy: Callable[[int], bytes],
        forget: Callable[[str], None] = lambda session_id: None,
    ) -> None:
        self._db = db
        self._forget = forget
        self._live = live
        self._agents = agents
        self._environments = environments
        self._vaults = vaults
        self._files = files
        self._mounts = mounts
        self._work = work
        self._webhooks = webhooks
        self._clock = clock
        self._entropy = entropy

    # ------------------------------------------------------------------ sessions

    def create(
        self,
        asked: Said,
        *,
        deployment: str | None = None,
        also: Callable[[Connection, str], None] | None = None,
        session_id: str | None = None,
    ) -> SessionView:
        """A new session; with ``initial_events`` it begins to work at once. ``also`` is done with its id in
        the transaction that makes it. ``session_id``: the id that it shall have, where that is derived from
        what it is about and none has it yet.

        Raises:
            NotFound: an agent, environment, vault, file or store that is not here.
            Archived: one that is archived.
            Invalid: resources that break a limit; more than one outcome among the first events.
        """
        events = self._events(asked.get("initial_events") or [], "initial_events")

        def work(conn: Connection) -> Settled:
            new = self._new(conn, asked, deployment, session_id or new_id("sesn", self._entropy))
            settled = self._live.start(conn, new, events)
            if new.self_hosted and events:
                self._work.enqueue(new.body["environment_id"], new.id, conn=conn)
            self._webhooks.emit(conn, "session.created", new.id)
            if also is not None:
                also(conn, new.id)
            return settled

        settled = self._db.write(work)
        self._live.tell(settled)
        return self.get(settled.session_id)

    def get(self, session_id: str) -> SessionView:
        """A session."""
        with self._db.read() as conn:
            return self._view(conn, managed.row(conn, session_id))

    def list(
        self, filters: Filters, *, after: Cursor | None = None, limit: int, newest_first: bool = True
    ) -> builtins.list[SessionView]:
        """Sessions by the time they came into the workspace, imported ones among them."""
        with self._db.read() as conn:
            rows = managed.listed(conn, filters, after=after, limit=limit, newest_first=newest_first)
            states = self._live.states(conn, [row.id for row in rows if row.body is not None])
        return [SessionView(row, states.get(row.id), self._clock()) for row in rows]

    def update(self, session_id: str, asked: Said) -> SessionView:
        """Change title, metadata, budget, or (while it is idle) the agent's tools and MCP servers.

        Raises:
            UsageError: its state does not allow it; vaults, which cannot be changed.
            Invalid: a budget that may not be set so, too much metadata, tools that do not fit together.
        """
        if asked.get("vault_ids") is not None:
            raise UsageError("`vault_ids`: the vaults of a session cannot be changed")

        def change(row: SessionRow, state: SessionState) -> tuple[JsonObject, JsonObject | None]:
            body = dict(row.body or {})
            changed = {
                **_title(body, asked),
                **_metadata(body, asked),
                **_budget(body, asked, state),
                **_tools(body, asked, state, self._agents.check_schema),
            }
            return ({**body, **changed}, _told(changed)) if changed else (body, None)

        self._live.update(session_id, change)
        return self.get(session_id)

    def label(self, session_id: str, outcome: Outcome, explanation: str | None = None) -> SessionView:
        """Say how a session ended, whatever its state, and also of one that was imported.

        Raises:
            Invalid: a score that is not finite.
        """
        if outcome.score is not None and not isfinite(outcome.score):
            raise Invalid("score", "a finite number", outcome.score)
        self._live.label(session_id, outcome, explanation)
        return self.get(session_id)

    def archive(self, session_id: str) -> SessionView:
        """End a session for good, and keep it. Again is harmless.

        Raises:
            UsageError: it is running.
        """
        self._live.archive(
            session_id, then=lambda conn: self._webhooks.emit(conn, "session.archived", session_id)
        )
        self._work.end(session_id)
        return self.get(session_id)

    def delete(self, session_id: str, *, actor: str) -> None:
        """Remove a session, its events, its sandbox and the files it made. ``actor`` is named in the audit log.

        Raises:
            UsageError: it is running.
        """

        def work(conn: Connection) -> None:
            row = managed.row(conn, session_id, lock=True)
            self._live.delete(conn, session_id, actor)
            for resource in (row.body or {}).get("resources", ()):
                self._mounts.forget(conn, resource)
            self._files.delete_of_session(session_id, conn)
            self._work.end(session_id, conn=conn)
            self._webhooks.emit(conn, "session.deleted", session_id)

        self._db.write(work)
        self._live.gone(session_id)
        self._forget(session_id)

    # ------------------------------------------------------------------ events

    def send(self, session_id: str, asked: Sequence[Said]) -> builtins.list[Accepted]:
        """Take events of a client, all or none.

        Raises:
            UsageError, Invalid: the session's state, or the others among them, do not allow one.
            NotFound: a file that is not here.
        """
        events = self._events(asked, "events")
        begins = any(event.type in _BEGINS_WORK for event in events)

        def enqueue(conn: Connection, state: SessionState) -> None:
            if begins and state.self_hosted:
                body = managed.row(conn, session_id).body or {}
                self._work.enqueue(body["environment_id"], session_id, conn=conn)

        return self._live.send(session_id, events, then=enqueue)

    def events(
        self, session_id: str, asking: Asking, *, thread: str | None = None, after: Place | None, limit: int
    ) -> tuple[View, SessionRow, builtins.list[Event | QueuedEvent]]:
        """A page of a session's events, or of one of its threads, and the view they show in."""
        with self._db.read() as conn:
            row = managed.row(conn, session_id)
            seen = self._seen(conn, row, thread)
            return seen, row, views.page(conn, seen, asking, after, limit)

    def event(self, session_id: str, event_id: str) -> tuple[View, SessionRow, Event | QueuedEvent]:
        """One event of a session, of whichever thread."""
        with self._db.read() as conn:
            row = managed.row(conn, session_id)
            seen, link = views.view(row), timeline.event(conn, session_id, event_id)
            if link is not None:
                (logged,) = views.answered(conn, seen, [read(link)])
                return seen, row, logged
            found = inbox.event(conn, session_id, event_id)
        if found is None:
            raise NotFound(f"there is no event {event_id!r} in this session")
        return seen, row, found

    def view(self, session_id: str, thread: str | None = None) -> tuple[View, SessionRow]:
        """The view of a session, or of one of its threads."""
        with self._db.read() as conn:
            row = managed.row(conn, session_id)
            return self._seen(conn, row, thread), row

    # ------------------------------------------------------------------ resources

    def resources(self, session_id: str) -> tuple[Body, ...]:
        """What is mounted in a session."""
        return tuple((self._live.row(session_id).body or {}).get("resources", ()))

    def resource(self, session_id: str, resource_id: str) -> Body:
        """One of them."""
        return _resource(self.resources(session_id), resource_id)

    def add_resource(self, session_id: str, asked: Said) -> Body:
        """Mount one more file.

        Raises:
            Invalid: too many, or its path is taken.
            UsageError: the session has ended, or runs in a self-hosted environment.
        """

        def change(conn: Connection, row: SessionRow) -> JsonObject:
            body = dict(row.body or {})
            if body["self_hosted"]:
                raise UsageError("a self-hosted environment mounts no files", where=session_id)
            resources = [*body["resources"], self._mounts.file(conn, asked, self._clock())]
            check(resources)
            managed.refer(conn, session_id, refs(resources[-1:]))
            return {**body, "resources": resources}

        row = self._live.rewrite(session_id, change)
        added: Body = (row.body or {})["resources"][-1]
        return added

    def rotate_token(self, session_id: str, resource_id: str, token: str) -> Body:
        """Another token for a mounted repository.

        Raises:
            Invalid: the resource is no repository.
        """

        def change(conn: Connection, row: SessionRow) -> JsonObject:
            body = row.body or {}
            known = _resource(body["resources"], resource_id)
            fresh = self._mounts.rotate(conn, known, token, self._clock())
            return {**body, "resources": [fresh if r is known else r for r in body["resources"]]}

        row = self._live.rewrite(session_id, change)
        return _resource((row.body or {})["resources"], resource_id)

    def delete_resource(self, session_id: str, resource_id: str) -> None:
        """Unmount a file or a repository.

        Raises:
            UsageError: it is a memory store: those stay as long as the session.
        """

        def change(conn: Connection, row: SessionRow) -> JsonObject:
            body = row.body or {}
            known = _resource(body["resources"], resource_id)
            if known["type"] == "memory_store":
                raise UsageError("memory stores are mounted at create, and stay", where=resource_id)
            self._mounts.forget(conn, known)
            return {**body, "resources": [r for r in body["resources"] if r is not known]}

        self._live.rewrite(session_id, change)

    # ------------------------------------------------------------------ inside

    def _view(self, conn: Connection, row: SessionRow) -> SessionView:
        state = None if row.body is None else self._live.states(conn, [row.id])[row.id]
        return SessionView(row, state, self._clock())

    def _seen(self, conn: Connection, row: SessionRow, thread: str | None) -> View:
        seen = views.view(row) if thread is None else views.thread_view(conn, row, thread)
        if seen is None:
            raise NotFound(f"there is no thread {thread!r} in this session")
        return seen

    def _new(self, conn: Connection, asked: Said, deployment: str | None, session_id: str) -> NewSession:
        agent = snapshot(self._agents, asked["agent"], conn)
        environment = self._environments.kept(asked["environment_id"], conn)
        if environment.archived_at is not None:
            raise Archived("the environment is archived: no session starts in it", where=environment.id)
        self_hosted = environment.body["config"]["type"] == "self_hosted"
        vaults = self._open_vaults(conn, asked.get("vault_ids") or [])
        wanted: Sequence[Said] = asked.get("resources") or ()
        resources = self._mounts.all(conn, wanted, self._clock(), self_hosted=self_hosted)
        body = {
            "agent": agent,
            "environment_id": environment.id,
            "self_hosted": self_hosted,
            "title": asked.get("title"),
            "metadata": dict(asked.get("metadata") or {}),
            "budget": asked.get("budget"),
            "vault_ids": vaults,
            "resources": resources,
        }
        if grader := resolved_grader(asked.get("grader") or {}):
            body["grader"] = grader
        return NewSession(
            session_id,
            _info(session_id, agent, asked),
            body,
            agent_name=agent["name"],
            self_hosted=self_hosted,
            deployment=deployment,
            refs=[*_agent_refs(agent), environment.id, *vaults, *refs(resources)],
        )

    def _open_vaults(self, conn: Connection, vault_ids: Sequence[str]) -> builtins.list[str]:
        for vault_id in vault_ids:
            if self._vaults.get(vault_id, conn=conn).archived_at is not None:
                raise Archived("the vault is archived: no session opens it", where=vault_id)
        return list(dict.fromkeys(vault_ids))

    def _events(self, asked: Sequence[Said], field: str) -> builtins.list[ClientEvent]:
        """The events with what they refer to looked up; ``field`` is what the request calls them.

        Raises:
            NotFound: a file that is not here.
            Invalid: more than 100 documents from files; a rubric that is none.
        """
        outcomes = sum(said["type"] == "user.define_outcome" for said in asked)
        if outcomes > 1:
            raise Invalid(field, "at most one user.define_outcome", outcomes)
        files = list(_files(asked))
        if len(files) > MAX_FILE_BLOCKS:
            raise Invalid(field, f"at most {MAX_FILE_BLOCKS} documents from files", len(files))
        for file_id in {*files, *_images(asked)}:
            self._files.get(file_id)
        return [
            ClientEvent(said["type"], self._payload(said, f"{field}[{number}]"))
            for number, said in enumerate(asked)
        ]

    def _payload(self, said: Said, field: str) -> JsonObject:
        payload = {name: value for name, value in said.items() if name != "type"}
        if said["type"] == "user.define_outcome":
            text = rubric_text(said["rubric"], f"{field}.rubric", self._files)
            payload["rubric"] = {"type": "text", "content": text}
            if grader := resolved_grader(payload.pop("grader", None) or {}):
                payload["grader"] = grader
        return payload


# ---------------------------------------------------------------------- what is said of a session


def _info(session_id: str, agent: Said, asked: Said) -> SessionInfo:
    """What dreams know of a session: metadata under these names counts as what it says."""
    told: Mapping[str, str] = asked.get("metadata") or {}
    return SessionInfo(
        FORMAT,
        session_id,
        agent=agent["name"],
        agent_version=str(agent["version"]),
        model=agent["model"]["id"],
        goal=asked.get("title"),
        user=told.get("user") or None,
        task=told.get("task") or None,
        repository=told.get("repository") or None,
    )


def _agent_refs(agent: Said) -> tuple[str, str]:
    return agent["id"], f"{agent['id']}@{agent['version']}"


def _resource(resources: Sequence[Body], resource_id: str) -> Body:
    for resource in resources:
        if resource["id"] == resource_id:
            return resource
    raise NotFound(f"there is no resource {resource_id!r} in this session")


def _files(asked: Sequence[Said]) -> builtins.list[str]:
    return _sources(asked, "document")


def _images(asked: Sequence[Said]) -> builtins.list[str]:
    return _sources(asked, "image")


def _sources(asked: Sequence[Said], kind: str) -> builtins.list[str]:
    return [
        block["source"]["file_id"]
        for said in asked
        for block in said.get("content") or ()
        if block["type"] == kind and block["source"]["type"] == "file"
    ]


def _told(changed: Body) -> Body:
    """What ``session.updated`` carries: what changed, but for metadata that was emptied."""
    hidden = ("budget_removed", "mcp_pins", *(("metadata",) if not changed.get("metadata", True) else ()))
    return {name: value for name, value in changed.items() if name not in hidden}


def _title(body: Body, asked: Said) -> Body:
    title = asked.get("title", body["title"])
    return {} if title == body["title"] else {"title": title}


def _metadata(body: Body, asked: Said) -> Body:
    if "metadata" not in asked:
        return {}
    patch = asked["metadata"]
    metadata = {} if patch is None else patched(body["metadata"], patch)
    return {} if metadata == body["metadata"] else {"metadata": metadata}


def _budget(body: Body, asked: Said, state: SessionState) -> Body:
    if "budget" not in asked or asked["budget"] == body["budget"]:
        return {}
    budget: Said | None = asked["budget"]
    if body["budget"] is None:
        why = "removed budgets are not added again" if body.get("budget_removed") else "only at create"
        raise Invalid("budget", f"{why} (budget_create_only)")
    if budget is None:
        return {"budget": None, "budget_removed": True}
    if (money := budget.get("max_list_cost")) is not None:
        _more("max_list_cost.amount", Decimal(state.usage.list_cost or 0), money["amount"])
    if (tokens := budget.get("max_tokens")) is not None:
        _more("max_tokens", Decimal(state.usage.tokens), tokens)
    return {"budget": dict(budget)}


def _more(field: str, used: Decimal, wanted: str) -> None:
    if Decimal(wanted) <= used:
        raise Invalid(
            f"budget.{field}", f"more than what was used already, {used} (budget_not_raised)", wanted
        )


def _tools(body: Body, asked: Said, state: SessionState, check: CheckSchema) -> Body:
    said: Said | None = asked.get("agent")
    if said is None:
        return {}
    if (status := session_status(state)) != "idle":
        raise UsageError(f"`agent`: tools change while a session is idle, and this one is {status}")
    tools = changed_tools(said, body["agent"], check)
    agent: Body = {**body["agent"], **tools}
    if tools and body.get("mcp_pins"):  # whoever says anew what may be used has looked at it: pinned afresh
        return {"agent": agent, "mcp_pins": {}}
    return {} if agent == body["agent"] else {"agent": agent}
