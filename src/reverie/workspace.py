"""A workspace put together: every service of it, and what one does with several of them at once.

Beside ``app``, which opens the house, this is the only file that knows every room.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from reverie.domain.clock import Clock
from reverie.domain.dreams import Dream, Wish
from reverie.domain.errors import ConfigError, NotFound, ReverieError, UsageError
from reverie.domain.events import Event, JsonObject
from reverie.domain.findings import Finding
from reverie.domain.imports import FileReport
from reverie.domain.memories import Memory
from reverie.domain.policies import by_policy
from reverie.domain.proposals import Proposal, ProposalStatus, RejectReason
from reverie.domain.sessions import Outcome, SessionInfo
from reverie.dreaming.author.author import ModelAuthor
from reverie.dreaming.author.session import Door
from reverie.dreaming.authors import Author
from reverie.dreaming.comparing import Comparison, compare
from reverie.dreaming.descent import Descendants
from reverie.dreaming.dream import Dreamer, DreamResult, Progress
from reverie.dreaming.evidence import Evidence
from reverie.dreaming.exclusions import Exclusions
from reverie.dreaming.night import Night
from reverie.dreaming.processes import is_gone
from reverie.dreaming.recounting import heeding
from reverie.dreaming.render import dream_json, finding_json
from reverie.dreaming.replays import Replays
from reverie.dreaming.requests import DreamRequests
from reverie.dreaming.schedule_runs import DreamScheduleRuns
from reverie.dreaming.schedules import DreamSchedules
from reverie.dreaming.trials.service import Terms, Trials
from reverie.folders.mounts import Mounts as Folders
from reverie.memory.catalog import Catalog
from reverie.memory.records import Records
from reverie.memory.stores import MemoryService
from reverie.plugins import (
    HYPOTHESES,
    IMPORTERS,
    MINERS,
    OBSERVERS,
    Hypotheses,
    Importer,
    Miner,
    Model,
    Observer,
    Waker,
    load,
)
from reverie.review.bulk import Bulk
from reverie.review.checks import Note, examine
from reverie.review.merges import Merger
from reverie.review.pile import Pile
from reverie.review.policies import Policies
from reverie.review.review import ReviewService
from reverie.runtime.house import McpLink, Mounted
from reverie.sessions.feed import Feed
from reverie.sessions.imports import ImportReport, ImportService
from reverie.sessions.live import LiveSessions
from reverie.sessions.log import SessionLog
from reverie.sessions.recorder import SessionRecorder
from reverie.sessions.secrets import Masker
from reverie.sessions.transcript import as_json as event_json
from reverie.sessions.transcript import transcript
from reverie.storage import audit as audit_rows
from reverie.storage import dreams as dream_rows
from reverie.storage.audit import AuditEntry
from reverie.storage.database import Connection, Database
from reverie.storage.managed import SessionRow
from reverie.tools.link import Link
from reverie.workspaces.agents import Agents
from reverie.workspaces.bearers import Bearers
from reverie.workspaces.credentials import Credentials
from reverie.workspaces.deployment_runs import DeploymentRuns
from reverie.workspaces.deployments import Deployments
from reverie.workspaces.environments import Environments
from reverie.workspaces.files import Files
from reverie.workspaces.idempotency import Idempotency
from reverie.workspaces.imports import Imports
from reverie.workspaces.keys import Keys
from reverie.workspaces.models import MODELS, Models
from reverie.workspaces.obstacles import Obstacles
from reverie.workspaces.outbound import Outbound
from reverie.workspaces.plans import Plans
from reverie.workspaces.renewing import MAX_ANSWER, Renewer
from reverie.workspaces.resources import Resources
from reverie.workspaces.sealing import Sealer
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.session_news import announcer
from reverie.workspaces.session_resources import Mounts
from reverie.workspaces.session_search import SessionSearch
from reverie.workspaces.sessions import Sessions
from reverie.workspaces.threads import Threads
from reverie.workspaces.validating import Validator
from reverie.workspaces.vaults import Vaults
from reverie.workspaces.webhooks import Webhooks
from reverie.workspaces.work import WorkQueue

__all__ = ["Workspace"]

_REINSTALL: Final = "reinstall: pip install --force-reinstall reverie-agents"


class Workspace:
    """One workspace of an opened database and everything that can be done in it.

    Its services see nothing of other workspaces; give them to whoever may see all of this one.
    """

    def __init__(
        self,
        db: Database,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        mask: Masker,
        sealer: Callable[[], Sealer],
        feed: Feed,
        wake: Waker,
        attend: Callable[[], None],
        model: Callable[[str], Model],
        home: Path,
        allow: Sequence[str] = (),
    ) -> None:
        self._db = db
        self.feed = feed
        self._clock = clock
        self._entropy = entropy
        # One's secrets are none of another's. (``secrets`` is not there yet: it registers with the mask.)
        self._mask = mask.apart(lambda: self.secrets.refresh())  # noqa: PLW0108
        self._sealer = sealer
        self._allow = allow
        self._attend = attend
        self._model = model
        self.id: Final = db.workspace
        self.log = SessionLog(db, clock=clock, mask=self._mask)
        self.resources = Resources(db, workspace=db.workspace, clock=clock, entropy=entropy)
        self.idempotency = Idempotency(db, clock=clock, entropy=entropy)
        self.secrets = Secrets(db, sealer, self._mask.register, clock=clock)
        self.webhooks = Webhooks(
            db, self.resources, self.secrets, check=Outbound(allow=allow).check, clock=clock, entropy=entropy
        )
        self.memory = MemoryService(db, clock=clock, entropy=entropy)
        self.stores = Catalog(db, clock=clock, entropy=entropy, announce=self.webhooks.emit)
        self.memories = Records(db, self.memory, clock=clock)
        self.review = ReviewService(db, self.memory, clock=clock, announce=self.webhooks.emit)
        self.policies = Policies(
            db, self.resources, self.log, self.memory, self.review, clock=clock, leaks=self._mask.leaks
        )
        self.evidence = Evidence(db, self.resources, self.log, self.memory, self.review, clock=clock)
        self.exclusions = Exclusions(
            db, self.resources, self.log, self._observer, _miners, clock=clock, taken_out=self.evidence.out
        )
        self.bulk = Bulk(self.review, self.exclusions.fallen)
        self.merger = Merger(self.memory, self.review)
        self.pile = Pile(db)
        self.replays = Replays(
            db, self.resources, self.stores, self.memory, self.review, clock=clock, entropy=entropy
        )
        self.imports = Imports(db, self.resources, self.importer)
        emit = self.webhooks.emit
        self.dream_requests = DreamRequests(
            db,
            self.resources,
            self.stores,
            self.log,
            self.review,
            clock=clock,
            announce=emit,
            end=self._end_session,
        )
        self.dream_schedules = DreamSchedules(self.resources, self.stores, clock=clock)
        self.dream_schedule_runs = DreamScheduleRuns(self.resources, self.stores, self.dream_requests)
        self.agents = Agents(self.resources, self.secrets, self.webhooks, check_schema=_flaws, clock=clock)
        self.environments = Environments(self.resources, self.webhooks, clock=clock)
        keys = Keys(db, clock=clock, entropy=entropy)
        self.work = WorkQueue(db, self.resources, keys, clock=clock, entropy=entropy)
        self.vaults = Vaults(self.resources, self.secrets, self.webhooks, clock=clock)
        self.credentials = Credentials(self.resources, self.secrets, self.webhooks, clock=clock)
        self.files = Files(db, self.resources, clock=clock)
        self.models = Models(os.environ.get(MODELS, ""))
        self.live = LiveSessions(
            db,
            feed,
            wake,
            clock=clock,
            entropy=entropy,
            mask=self._mask,
            announce=announcer(self.webhooks),
        )
        self.sessions = Sessions(
            db,
            self.live,
            agents=self.agents,
            environments=self.environments,
            vaults=self.vaults,
            files=self.files,
            mounts=Mounts(self.resources, self.memory, self.secrets, entropy=entropy),
            work=self.work,
            webhooks=self.webhooks,
            clock=clock,
            entropy=entropy,
            forget=self._forget,
        )
        self.trials = self._trials(clock, entropy)
        self.threads = Threads(db, self.live, clock=clock)
        self.session_search = SessionSearch(db)
        self.plans = Plans(db, self.live, self.work, clock=clock, entropy=entropy)
        self.bearers, self.validator = self._renewing(clock)
        self.folders = self._folders(home, clock)
        self.deployments, self.deployment_runs = self._deployments(clock)

    def _trials(self, clock: Clock, entropy: Callable[[int], bytes]) -> Trials:
        return Trials(
            self._db,
            self.resources,
            self.secrets,
            self.log,
            self.memory,
            self.review,
            self._observer,
            clock=clock,
            entropy=entropy,
            announce=self.webhooks.emit,
        )

    def _renewing(self, clock: Clock) -> tuple[Bearers, Validator]:
        outbound = partial(Outbound, allow=self._allow, most=MAX_ANSWER)
        renewer = Renewer(self.resources, self.secrets, outbound, clock=clock)
        bearers = Bearers(self.credentials, self.secrets, renewer)
        validator = Validator(
            self.credentials, self.secrets, renewer, outbound, self._mask.mask_text, clock=clock
        )
        return bearers, validator

    def _forget(self, session_id: str) -> None:
        """What follows when a session was deleted."""
        self.folders.remove(self.id, session_id)
        self.evidence.withdraw(session_id)

    def _folders(self, home: Path, clock: Clock) -> Folders:
        return Folders(
            catalog=self.stores,
            memories=self.memories,
            files=self.files,
            environments=self.environments,
            credentials=self.credentials,
            secrets=self.secrets,
            home=home,
            clock=clock,
            mask=self._mask.mask_text,
            hides=self.trials.exposure.hidden,
        )

    def _deployments(self, clock: Clock) -> tuple[Deployments, DeploymentRuns]:
        deployments = Deployments(
            self.resources,
            agents=self.agents,
            environments=self.environments,
            vaults=self.vaults,
            files=self.files,
            memory=self.memory,
            secrets=self.secrets,
            webhooks=self.webhooks,
            clock=clock,
        )
        obstacles = Obstacles(self.resources, self.agents, self.memory)
        runs = DeploymentRuns(self.resources, self.sessions, obstacles, self.secrets, self.webhooks)
        return deployments, runs

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

    def importer(self) -> ImportService:
        """The import service with every installed reader."""
        readers = {name: cast(Importer, kind()) for name, kind in load(IMPORTERS).items()}
        return ImportService(self._db, self.log, readers, clock=self._clock)

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
        self, limit: int = 50, *, subject: str | None = None, before: int | None = None
    ) -> list[AuditEntry]:
        """Decisions and changes, newest first; about ``subject``, and of lines before number ``before``."""
        with self._db.read() as conn:
            return audit_rows.entries(conn, limit=limit, subject=subject, before=before)

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

    def dreamer(self) -> Dreamer:
        """What runs dreams, with every installed miner."""
        marks = self.exclusions.every()
        return Dreamer(
            self._db,
            self.log,
            self.memory,
            self.review,
            self._observer(),
            [heeding(miner, marks) for miner in _miners()],
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

    def _end_session(self, session_id: str) -> bool:
        """Archive a session, or interrupt it, if it is at work; whether it has ended."""
        try:
            self.sessions.archive(session_id)
        except NotFound:
            return True
        except UsageError:
            with suppress(ReverieError):
                self.sessions.send(session_id, [{"type": "user.interrupt"}])
            return False
        return True

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

    def _observer(self) -> Observer:
        found = load(OBSERVERS)
        if "default" not in found:
            raise ConfigError(
                "no observer is installed",
                where=OBSERVERS,
                hint=_REINSTALL,
            )
        return cast(Observer, found["default"]())

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


def _miners() -> list[Miner]:
    """Every installed miner."""
    return [cast(Miner, kind()) for kind in load(MINERS).values()]


def _flaws(schema: Mapping[str, Any]) -> Sequence[str]:
    """Why ``schema`` cannot describe a tool's input. (The validator is loaded when the first one comes.)"""
    from reverie.tools.schemas import check_schema

    return check_schema(schema)


def _pins(row: SessionRow) -> Mapping[str, Mapping[str, str]]:
    """Digests of tools by server, as a session saw them first."""
    return (row.body or {}).get("mcp_pins") or {}
