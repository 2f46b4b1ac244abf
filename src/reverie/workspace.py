"""A workspace: its services, and what one does with several of them at once.

With ``services``, which puts them together, and ``app``, which opens the house, the only file that knows every room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from reverie.domain.dream_requests import NO_MODEL, DreamForecast
from reverie.domain.dreams import Dream, Wish
from reverie.domain.errors import ConfigError, NotFound, UsageError
from reverie.domain.events import Event, JsonObject
from reverie.domain.findings import Finding
from reverie.domain.imports import FileReport
from reverie.domain.memories import Memory
from reverie.domain.policies import by_policy
from reverie.domain.proposals import Proposal, ProposalStatus, RejectReason
from reverie.domain.sessions import Outcome, SessionInfo
from reverie.dreaming.author.author import ModelAuthor
from reverie.dreaming.author.session import Door
from reverie.dreaming.author.tokens import allowance
from reverie.dreaming.authors import Author
from reverie.dreaming.comparing import Comparison, compare
from reverie.dreaming.descent import Descendants
from reverie.dreaming.dream import Dreamer, DreamResult, Progress
from reverie.dreaming.night import Night
from reverie.dreaming.processes import is_gone
from reverie.dreaming.recounting import heeding
from reverie.dreaming.render import dream_json, finding_json
from reverie.dreaming.requests import Asked
from reverie.dreaming.trials.service import Terms
from reverie.plugins import (
    HYPOTHESES,
    Hypotheses,
    load,
)
from reverie.review.checks import Note, examine
from reverie.runtime.house import McpLink, Mounted
from reverie.services import Services, miners
from reverie.sessions.imports import ImportReport
from reverie.sessions.recorder import SessionRecorder
from reverie.sessions.transcript import as_json as event_json
from reverie.sessions.transcript import transcript
from reverie.sessions.verify import Problem, verify_audit
from reverie.storage import audit as audit_rows
from reverie.storage import dreams as dream_rows
from reverie.storage.audit import AuditEntry
from reverie.storage.database import Connection
from reverie.storage.managed import SessionRow
from reverie.tools.link import Link

__all__ = ["Workspace"]

_REINSTALL: Final = "reinstall: pip install --force-reinstall reverie-agents"


class Workspace(Services):
    """One workspace of an opened database and everything that can be done in it.

    Its services see nothing of other workspaces; give them to whoever may see all of this one.
    """

    # ------------------------------------------------------------------ sessions

    def session(
        self, goal: str | None = None, *, agent: str | None = None, user: str | None = None, **facts: Any
    ) -> SessionRecorder:
        """Write a session of your own agent; see ``SessionRecorder``.

        ``facts`` are further fields of ``SessionInfo`` (task, model, repository, timezone …).
        """
        native = facts.pop("native_id", None) or self._entropy(16).hex()
        info = SessionInfo("reverie", native, goal=goal, agent=agent, user=user, **facts)
        return SessionRecorder(self.log, info, clock=self._clock, entropy=self._entropy)

    def import_paths(
        self,
        *paths: str | Path,
        format: str | None = None,
        labels: Mapping[str, Outcome] | None = None,
        on_file: Callable[[FileReport], None] | None = None,
    ) -> ImportReport:
        """Read transcripts from files, folders, or named places (``"claude-code"``, ``"codex"``).

        Reading the same thing twice changes nothing; a file that grew is continued.

        Raises:
            NotFound: a path does not exist.
            UsageError: an unknown format.
        """
        return self.importer().run(paths, format=format, labels=labels, on_file=on_file)

    def transcript(
        self, session_id: str, *, around: str | None = None, before: int = 3, after: int = 3
    ) -> str:
        """A session for reading; with ``around`` only that event and its neighbours.

        Raises:
            NotFound, Ambiguous: the session, or an event that is not in it.
        """
        session = self.log.session(session_id)
        if around is not None:
            event = self.log.event(around)
            if event.session_id != session.id:
                raise NotFound(f"{event.id} is an event of {event.session_id}", where=session.id)
            around = event.id
        return transcript(session, self.log.events(session.id), around=around, before=before, after=after)

    def descendants(self, session_id: str) -> Descendants:
        """What was learned from a session, directly or through memory. See ``Evidence.descendants``."""
        return self.evidence.descendants(session_id)

    def event_json(self, event: Event) -> dict[str, Any]:
        """An event as plain data."""
        return event_json(event)

    def audit(
        self,
        limit: int = 50,
        *,
        subject: str | None = None,
        before: int | None = None,
        actor: str | None = None,
        action: str | None = None,
    ) -> list[AuditEntry]:
        """Decisions and changes, newest first; about ``subject``, of lines before number ``before``, by whoever's name
        begins with ``actor``, of what begins with ``action``."""
        with self._db.read() as conn:
            return audit_rows.entries(
                conn, limit=limit, subject=subject, before=before, actor=actor, action=action
            )

    def verify_audit(self) -> tuple[int, Problem | None]:
        """Walk the chain of this workspace's audit log: how many lines fit, and the first thing that does not."""
        return verify_audit(self._db)

    # ------------------------------------------------------------------ what the runtime asks for

    def load_file(self, file_id: str) -> tuple[str, bytes]:
        """The media type and the bytes of an uploaded file.

        Raises:
            NotFound: there is none.
        """
        found, chunks = self.files.read(file_id)
        return str(found.body.get("mime_type") or "application/octet-stream"), b"".join(chunks)

    def mount(self, session_id: str, body: JsonObject) -> Mounted:
        """The folders of a session on this machine, made or found as they were. Blocks.

        Raises:
            StorageError: the database does not answer.
        """
        return self.folders.open(self.id, session_id, body)

    def outputs_of(self, session_id: str) -> Path:
        """The folder of this machine with what a session hands over. Blocks.

        Raises:
            NotFound: there is no such session.
            UsageError: its folders are with its own worker, or it was imported and has none.
        """
        body = self.live.row(session_id).body
        if body is None or body["self_hosted"]:
            raise UsageError("this session has no folders on this machine", where=session_id)
        return self.folders.outputs(self.id, session_id)

    def sweep_folders(self) -> Sequence[str]:
        """Take away the folders that were made more than 30 days ago on this machine, but for those of
        sessions at work; whose they were. Blocks."""
        return self.folders.sweep(self.id, busy=self._at_work)

    def _at_work(self, session_id: str) -> bool:
        try:
            return self.live.row(session_id).status in ("running", "rescheduling")
        except NotFound:
            return False

    def mcp(self, server: JsonObject, body: JsonObject) -> McpLink:
        """A connection to an MCP server of a session, with the session's credentials."""
        return Link(server["name"], server["url"], self.bearers.of(server["url"], body), self._allow)

    def pinned(self, session_id: str, server: str, found: Mapping[str, str]) -> Mapping[str, str]:
        """The digests of a server's tools, each as this session saw it first, until a person sets the session's
        tools anew."""

        def pin(conn: Connection, row: SessionRow) -> JsonObject:
            pins = _pins(row)
            return {**(row.body or {}), "mcp_pins": {**pins, server: {**found, **pins.get(server, {})}}}

        known = _pins(self.live.row(session_id)).get(server, {})
        if not found.keys() <= known.keys():
            known = _pins(self.live.rewrite(session_id, pin))[server]
        return known

    # ------------------------------------------------------------------ dreams

    def dream(
        self,
        store: str = "default",
        *,
        since: datetime | None = None,
        sessions: Sequence[str] | None = None,
        model: str | None = None,
        instructions: str | None = None,
        max_tokens: int | None = None,
        dry_run: bool = False,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> DreamResult:
        """Find out what the sessions show and propose changes to a memory store. With ``model`` (``provider:name``) an
        agent writes them, steered by ``instructions``, with ``max_tokens`` in all at most. See ``Dreamer.dream``. Then
        look at what is on trial."""
        result = self.dreamer().dream(
            store,
            since=since,
            sessions=sessions,
            wish=Wish(model, instructions, max_tokens),
            dry_run=dry_run,
            workers=workers,
            progress=progress,
        )
        if not dry_run:
            self.trials.look()
        return result

    def night(self, worker: str, stopping: Callable[[], bool] = lambda: False) -> Night:
        """What works off the requests for dreams. See ``Night``."""
        return Night(
            self._db,
            self.resources,
            self.stores,
            self.log,
            self.review,
            self.dreamer,
            self.dream_requests,
            usable=self._usable,
            worker=worker,
            clock=self._clock,
            announce=self.webhooks.emit,
            gone=is_gone,
            stopping=stopping,
        )

    def forecast(self, asked: Asked) -> DreamForecast:
        """What a dream would take that is asked for so. Asks no model and keeps nothing but the cache of what was
        observed.

        Raises:
            NotFound, Invalid: as ``DreamRequests.create``.
            NothingToDo: none of the sessions is evidence any more.
        """
        self.dream_requests.check(asked)
        count = len(asked.session_ids)
        if asked.model == NO_MODEL:
            return DreamForecast(count)
        try:
            model = self._usable(asked.model)
        except (ConfigError, NotFound) as error:
            return DreamForecast(count, fell_back=error.what)
        wish = Wish(model, asked.instructions, asked.max_tokens)
        told = self.dreamer().estimate(asked.store_id, sessions=asked.session_ids, wish=wish)
        return DreamForecast(
            count, model, told, max_tokens=asked.max_tokens or allowance(told.input + told.output)
        )

    def dreamer(self) -> Dreamer:
        """What runs dreams, with every installed miner."""
        marks = self.exclusions.every()
        return Dreamer(
            self._db,
            self.log,
            self.memory,
            self.review,
            self._observer(),
            [heeding(miner, marks) for miner in miners()],
            clock=self._clock,
            leaks=self._mask.leaks,
            taken_out=lambda: self.evidence.out() | self.replays.sessions(),
            policies=self.policies,
            author=self._author(),
            ready=self._model,
        )

    def _author(self) -> Author | None:
        with suppress(ConfigError):
            return self.author()
        return None

    def _usable(self, model: str) -> str:
        """The whole name of a model that can be used here.

        Raises:
            ConfigError, NotFound: it cannot.
        """
        whole = self.models.resolve(model)
        self._model(whole)
        return whole

    def author(self) -> ModelAuthor:
        """Who writes dreams with a model: an agent whose session is one of this workspace.

        Raises:
            ConfigError: nothing is installed that tests what it supposes.
        """
        door = Door(
            self.sessions,
            self.live,
            self.agents,
            self.environments,
            self.feed,
            attend=self._attend,
            model=self._model,
        )
        for kind in load(HYPOTHESES).values():
            return ModelAuthor(door, self.log, cast(Hypotheses, kind()), self._mask.leaks)
        raise ConfigError("nothing tests hypotheses", where=HYPOTHESES, hint=_REINSTALL)

    def dreams(self, store: str | None = None) -> list[Dream]:
        """Every dream, newest first."""
        with self._db.read() as conn:
            return dream_rows.dreams(conn, None if store is None else self.memory.store(store).id)

    def dreamed(self, dream_id: str) -> DreamResult:
        """A dream with what it found and proposed, by its id or a unique prefix. Changes nothing.

        Raises:
            NotFound, Ambiguous: none or several fit.
        """
        with self._db.read() as conn:
            dream = dream_rows.dream(conn, dream_id)
            findings = dream_rows.findings(conn, dream.id)
        proposals = tuple(self.review.list(dream_id=dream.id))
        applied = tuple(each.id for each in proposals if by_policy(each))
        return DreamResult(dream, tuple(findings), proposals, repeated=False, applied=applied)

    def stored_dream(self, dream_id: str) -> Dream | None:
        """A dream by its whole id; None where it has not begun, or is none of this workspace."""
        with self._db.read() as conn:
            found = dream_rows.stored(conn, dream_id)
        return None if found is None else found[0]

    def compare_dreams(self, before: str, after: str) -> Comparison:
        """What is different from one dream to another: findings and proposals that are new, gone or changed.

        Raises:
            NotFound: there is no such dream.
        """
        told = self.dream_requests
        return compare(*((told.findings(each), told.proposals(each)) for each in (before, after)))

    def finding(self, finding_id: str) -> Finding:
        """A finding by id or unique prefix.

        Raises:
            NotFound, Ambiguous: none or several fit.
        """
        with self._db.read() as conn:
            return dream_rows.finding(conn, finding_id)

    def as_json(self, what: DreamResult | Finding) -> dict[str, Any]:
        """A dream or a finding with its quotes, as plain data (the shape ``--json`` prints)."""
        if isinstance(what, Finding):
            return finding_json(what, self.log.event)
        return dream_json(what.dream, what.findings, what.proposals, self.log.event)

    # ------------------------------------------------------------------ review

    def proposals(
        self, store: str | None = None, *, status: ProposalStatus | None = "pending"
    ) -> list[Proposal]:
        """Proposals in order of importance; ``status=None`` for all."""
        return self.review.list(store=store, status=status)

    def examine(self, content: str, *, path: str, store_id: str) -> list[Note]:
        """What a reviewer should know of a text before it is written at ``path``: secrets, size, hidden
        characters, words that command their reader, dates that age, what memory says already."""
        memories = self.memory.list(store_id)
        return examine(content, path=path, memories=memories, leaks=self._mask.leaks)

    def approve(
        self, proposal_id: str, *, by: str, note: str | None = None, trial: Terms | None = None
    ) -> Proposal:
        """Write a proposal into memory, in one transaction with the decision; with ``trial`` the memory is on trial
        from its first session on. See ``ReviewService`` and ``Trials``."""
        then = None if trial is None else self.trials.at_approval(proposal_id, by=by, terms=trial)
        return self.review.approve(proposal_id, by=by, note=note, then=then)

    def modify(
        self,
        proposal_id: str,
        content: str,
        *,
        by: str,
        note: str | None = None,
        trial: Terms | None = None,
    ) -> Proposal:
        """Approve a proposal with a text of your own; ``trial`` as for ``approve``."""
        then = None if trial is None else self.trials.at_approval(proposal_id, by=by, terms=trial)
        return self.review.modify(proposal_id, content, by=by, note=note, then=then)

    def recall(self, store: str = "default", *, session: str | None = None) -> list[Memory]:
        """The memories of a store that a session (its id) is to see, in order of path: all but those that were
        withdrawn, or are on trial and whose coin says no, which is written down. For agents of your own, which read
        memory in a session that they log. Without a session: what an export holds."""
        kept = self.memory.store(store).id
        hidden = self.trials.exposure.hidden(session, kept)
        return [each for each in self.memory.list(kept) if each.path not in hidden]

    def reject(self, proposal_id: str, *, reason: RejectReason, by: str, note: str | None = None) -> Proposal:
        """Refuse a proposal; the idea comes back only when its evidence has doubled."""
        return self.review.reject(proposal_id, reason=reason, by=by, note=note)

    def undo(self, proposal_id: str, *, by: str) -> Proposal:
        """Take a decision back; an approved text leaves memory by a new version."""
        return self.review.undo(proposal_id, by=by)


def _pins(row: SessionRow) -> Mapping[str, Mapping[str, str]]:
    """Digests of tools by server, as a session saw them first."""
    return (row.body or {}).get("mcp_pins") or {}
