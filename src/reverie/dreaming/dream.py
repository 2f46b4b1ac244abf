"""A dream, top to bottom: gather → observe → mine → write → check → submit.

Each stage is a function of what the stages before it gave, and what it gives is stored before the next
one starts. A dream's id is the digest of its inputs, so a dream that was killed is found again by the
next run with the same inputs and goes on at the first stage that is missing; and two runs at once are
two hands writing the same thing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from reverie.domain.clock import Clock, iso
from reverie.domain.dreams import Dream, Stage, Withheld
from reverie.domain.errors import NothingToDo
from reverie.domain.findings import Finding, Silence
from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory, MemoryStore
from reverie.domain.observations import Observation
from reverie.domain.policies import by_policy
from reverie.domain.proposals import Proposal
from reverie.domain.sessions import Session
from reverie.dreaming.check import check
from reverie.dreaming.desk import Writer, joined
from reverie.dreaming.observing import Observing
from reverie.dreaming.write import TemplateWriter
from reverie.dreaming.writing import Written, written
from reverie.memory.lineage import tainted_paths
from reverie.memory.stores import MemoryService
from reverie.plugins import Corpus, Miner, Observer
from reverie.review.policies import Policies
from reverie.review.review import ReviewService
from reverie.sessions.log import SessionLog
from reverie.storage import dreams as rows
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Database

__all__ = ["DreamResult", "Dreamer", "Progress"]

Progress = Callable[[Stage, int, int], None]
"""Called with (stage, done, total) as a dream goes on; never called after the dream ends."""

_LEFT_BEHIND: Final = "it was stopped before its end, and a later dream saw more"


@dataclass(frozen=True, slots=True)
class DreamResult:
    """A finished dream with everything it says. ``repeated`` is True when the same inputs had been
    dreamed before and nothing was computed anew. ``applied``: the ids of those proposals that review policies
    let into memory."""

    dream: Dream
    findings: tuple[Finding, ...]
    proposals: tuple[Proposal, ...]
    repeated: bool = False
    applied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a dream is a function of."""

    store: MemoryStore
    sessions: Sequence[Session]
    memories: Sequence[Memory]
    tainted: frozenset[str]
    decided: Mapping[str, int]
    parameters: Mapping[str, str]

    @property
    def id(self) -> str:
        digest = hashlib.sha256()
        for session in self.sessions:  # an outcome may be told later, by a file of labels
            told = session.info
            facts = f"{told.outcome.label} {told.outcome.score} {told.task} {told.user}"
            digest.update(f"{session.id} {session.content_sha256} {facts}\n".encode())
        for memory in self.memories:
            taint = " tainted" if memory.path in self.tainted else ""
            digest.update(f"{memory.path} {memory.content_sha256}{taint}\n".encode())
        for idea, weight in sorted(self.decided.items()):
            digest.update(f"{idea} {weight}\n".encode())
        return derived_id(
            "drm", self.store.id, digest.hexdigest(), dumps(dict(sorted(self.parameters.items())))
        )


class Dreamer:
    """Runs dreams. Observer, miners and writer come in from outside: a dream does not know their names."""

    def __init__(
        self,
        db: Database,
        log: SessionLog,
        memory: MemoryService,
        review: ReviewService,
        observer: Observer,
        miners: Sequence[Miner],
        *,
        clock: Clock,
        leaks: Callable[[str], bool],
        writer: Writer | None = None,
        taken_out: Callable[[], Set[str]] = frozenset,
        policies: Policies | None = None,
    ) -> None:
        """``writer``: who words what was found; None: the templates, which need no model. ``taken_out`` gives
        the ids of sessions that are no evidence. ``policies`` apply to what a finished dream proposed; None: a
        person decides on all of it."""
        self._db = db
        self._log = log
        self._memory = memory
        self._review = review
        self._observer = observer
        self._miners = sorted(miners, key=lambda miner: miner.name)
        self._clock = clock
        self._leaks = leaks
        self._writer = writer or TemplateWriter()
        self._taken_out = taken_out
        self._policies = policies

    def dream(
        self,
        store: str = "default",
        *,
        since: datetime | None = None,
        sessions: Sequence[str] | None = None,
        heed: str | None = None,
        dry_run: bool = False,
        workers: int | None = None,
        begun: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> DreamResult:
        """Dream over the sessions that began at or after ``since`` (default: all), or over ``sessions``.

        ``heed`` names a store whose decisions count too: the one that ``store`` is a copy of. ``dry_run``
        computes everything and stores no dream and no proposal. ``workers``: how many processes observe (see
        ``Observing``); the findings are the same for any number. ``begun`` hears the dream's id at once.

        Raises:
            UsageError: ``workers`` is less than 1.
            WorkerLost: a worker was killed; the next dream goes on from what is kept.
            NothingToDo: no session is in scope.
            NotFound, Ambiguous: a name in ``sessions``, or the store.
        """
        tell = progress or _silent
        inputs = self._gather(store, since, sessions, heed, tell)
        dream = self._begin(inputs, dry_run)
        if begun is not None:
            begun(dream.id)
        if dream.status == "completed" and not dry_run:
            return self.finished(dream.id, repeated=True)
        try:
            return self._run(dream, inputs, dry_run, workers, tell)
        except Exception as error:
            if not dry_run:
                failed = replace(dream, status="failed", ended_at=self._clock(), error=str(error))
                self._db.write(lambda conn: rows.put(conn, failed))
            raise

    def finished(self, dream_id: str, *, repeated: bool = False) -> DreamResult:
        """A completed dream as it is kept, after review policies were applied to what of it waits. Again is
        harmless: whoever died before the policies, or wrote one since, calls it again.

        Raises:
            NotFound: there is no such dream.
        """
        if self._policies is not None:
            self._policies.apply(self._review.list(dream_id=dream_id, status="pending"))
        with self._db.read() as conn:
            dream = rows.dream(conn, dream_id)
            findings = rows.findings(conn, dream.id)
        proposals = self._review.list(dream_id=dream.id)
        applied = tuple(proposal.id for proposal in proposals if by_policy(proposal))
        return DreamResult(dream, tuple(findings), tuple(proposals), repeated, applied)

    def _run(
        self, dream: Dream, inputs: _Inputs, dry_run: bool, workers: int | None, tell: Progress
    ) -> DreamResult:
        observations = self._observe(inputs.sessions, workers, tell)
        said, silences = self._mine(dream, observations, inputs.memories, dry_run, tell)
        seen = {observation.session_id: observation for observation in observations}
        findings = [joined(finding, seen, inputs.tainted) for finding in said]
        drafts, withheld = self._write(dream, findings, inputs, dry_run, tell)
        proposals, doubts = self._check(drafts, findings, observations, inputs, dream, tell)
        if not dry_run:
            self._save(dream, "check", dumps([proposals, doubts]))
        dream = replace(
            dream,
            status="completed",
            stage="submit",
            ended_at=self._clock(),
            findings=len(findings),
            proposals=len(proposals),
            withheld=(*withheld, *doubts),
            silences=tuple(silences),
        )
        return self._submit(dream, inputs, findings, proposals, dry_run, tell)

    # ------------------------------------------------------------------ stages

    def _gather(
        self,
        store: str,
        since: datetime | None,
        names: Sequence[str] | None,
        heed: str | None,
        tell: Progress,
    ) -> _Inputs:
        tell("gather", 0, 1)
        chosen = [self._log.session(name).id for name in names] if names is not None else None
        out = self._taken_out()
        sessions = [s for s in self._log.sessions(since=since, ids=chosen) if s.id not in out]
        if not sessions:
            raise NothingToDo(
                "there is no session to dream over" + (f" since {iso(since)}" if since is not None else ""),
                hint="reverie import PATH   (or: reverie import claude-code)",
            )
        kept = self._memory.store(store)
        parameters = {
            "observer": self._observer.version,
            "writer": self._writer.name,
            "reach": self._writer.reach,
            **{f"miner:{miner.name}": miner.version for miner in self._miners},
        }
        decided = {} if heed is None else dict(self._review.decided_ideas(heed))
        decided |= self._review.decided_ideas(kept.id)
        with self._db.read() as conn:
            tainted = tainted_paths(conn, kept.id)
        inputs = _Inputs(kept, sessions, self._memory.list(kept.id), tainted, decided, parameters)
        tell("gather", 1, 1)
        return inputs

    def _begin(self, inputs: _Inputs, dry_run: bool) -> Dream:
        dream = Dream(
            id=inputs.id,
            store_id=inputs.store.id,
            status="running",
            stage="gather",
            created_at=self._clock(),
            sessions=len(inputs.sessions),
            new_sessions=self._count_new(inputs),
            parameters=inputs.parameters,
        )
        if dry_run:
            return dream
        body = dumps({session.id: session.content_sha256 for session in inputs.sessions})

        def work(conn: rows.Connection) -> Dream:
            kept = rows.begin(conn, dream)
            rows.save_stage(conn, dream.id, "gather", body, iso(dream.created_at))
            return kept

        return self._db.write(work)

    def _count_new(self, inputs: _Inputs) -> int:
        """Sessions that no finished dream into this store has seen with these contents."""
        with self._db.read() as conn:
            seen = rows.dreamed_sessions(conn, inputs.store.id)
        return sum(session.content_sha256 not in seen for session in inputs.sessions)

    def _observe(self, sessions: Sequence[Session], workers: int | None, tell: Progress) -> list[Observation]:
        tell("observe", 0, len(sessions))
        stage = Observing(self._db, self._observer, workers=workers)
        observations = stage.observe(sessions, lambda done, total: tell("observe", done, total))
        # The cache holds what the events say; who and how it ended may be told later (a label file).
        return [_refreshed(o, s) for o, s in zip(observations, sessions, strict=True)]

    def _mine(
        self,
        dream: Dream,
        observations: Sequence[Observation],
        memories: Sequence[Memory],
        dry_run: bool,
        tell: Progress,
    ) -> tuple[list[Finding], list[Silence]]:
        stored = None if dry_run else self._load(dream.id, "mine")
        if stored is not None:
            return loads(stored, tuple[list[Finding], list[Silence]])
        corpus = Corpus(observations, memories)
        said: list[Finding | Silence] = []
        for done, miner in enumerate(self._miners):
            tell("mine", done, len(self._miners))
            said.extend(miner.mine(corpus))
        findings = [one for one in said if isinstance(one, Finding)]
        silences = [one for one in said if isinstance(one, Silence)]
        findings.sort(key=lambda f: (-f.weight, f.kind, f.key))
        tell("mine", len(self._miners), len(self._miners))
        if not dry_run:
            self._save(dream, "mine", dumps([findings, silences]))
        return findings, silences

    def _write(
        self,
        dream: Dream,
        findings: Sequence[Finding],
        inputs: _Inputs,
        dry_run: bool,
        tell: Progress,
    ) -> tuple[list[Written], list[Withheld]]:
        tell("write", 0, 1)
        drafts, withheld = written(
            self._writer, dream.id, findings, inputs.memories, inputs.tainted, inputs.decided
        )
        tell("write", 1, 1)
        if not dry_run:
            self._save(dream, "write", dumps(drafts))
        return drafts, withheld

    def _check(
        self,
        drafts: Sequence[Written],
        findings: Sequence[Finding],
        observations: Sequence[Observation],
        inputs: _Inputs,
        dream: Dream,
        tell: Progress,
    ) -> tuple[list[Proposal], list[Withheld]]:
        tell("check", 0, len(drafts))
        proposals, doubts = check(
            drafts,
            {finding.id: finding for finding in findings},
            {observation.session_id: observation for observation in observations},
            inputs.memories,
            writer=self._writer.name,
            event=self._log.event,
            leaks=self._leaks,
            store_id=inputs.store.id,
            dream_id=dream.id,
            now=dream.created_at,
        )
        tell("check", len(drafts), len(drafts))
        return proposals, doubts

    def _submit(
        self,
        dream: Dream,
        inputs: _Inputs,
        findings: Sequence[Finding],
        proposals: Sequence[Proposal],
        dry_run: bool,
        tell: Progress,
    ) -> DreamResult:
        tell("submit", 0, 1)
        if dry_run:
            return DreamResult(dream, tuple(findings), tuple(proposals))

        def work(conn: rows.Connection) -> None:
            rows.put_findings(conn, dream.id, findings)
            self._review.submit(proposals, conn=conn)
            rows.finish(conn, dream, (session.content_sha256 for session in inputs.sessions))
            for older in rows.dreams(conn, dream.store_id):
                if older.status == "running" and older.created_at < dream.created_at:
                    rows.put(
                        conn, replace(older, status="failed", ended_at=dream.ended_at, error=_LEFT_BEHIND)
                    )

        self._db.write(work)
        tell("submit", 1, 1)
        return self.finished(dream.id)

    # ------------------------------------------------------------------ storage of stages

    def _load(self, dream_id: str, stage: Stage) -> str | None:
        with self._db.read() as conn:
            return rows.stage(conn, dream_id, stage)

    def _save(self, dream: Dream, stage: Stage, body: str) -> None:
        """Keep what a stage gave, and let the dream say how far it is."""

        def work(conn: rows.Connection) -> None:
            rows.save_stage(conn, dream.id, stage, body, iso(self._clock()))
            if rows.dream(conn, dream.id).status == "running":  # a twin may have finished it meanwhile
                rows.put(conn, replace(dream, stage=stage))

        self._db.write(work)


def _silent(stage: Stage, done: int, total: int) -> None:
    """Nobody watches."""


def _refreshed(observation: Observation, session: Session) -> Observation:
    info = session.info
    return replace(
        observation,
        outcome=info.outcome.label,
        score=info.outcome.score,
        user=info.user or observation.user,  # else whose home directory the work was done in
        task=info.task,
    )
