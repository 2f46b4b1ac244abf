"""A dream, top to bottom: gather → observe → mine → write → check → submit.

Each stage is a function of what the stages before it gave, and what it gives is stored before the next
one starts. A dream's id is the digest of its inputs, so a dream that was killed is found again by the
next run with the same inputs and goes on at the first stage that is missing; and two runs at once are
two hands writing the same thing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from reverie.domain.clock import Clock, iso
from reverie.domain.dreams import Dream, Estimate, Stage, Wish, Withheld, Writing
from reverie.domain.errors import ConfigError, NothingToDo, UsageError
from reverie.domain.findings import Finding, Silence
from reverie.domain.memories import Memory
from reverie.domain.observations import Observation
from reverie.domain.policies import by_policy
from reverie.domain.proposals import Proposal
from reverie.domain.sessions import Session
from reverie.dreaming.authors import DREAMER, Author, Study
from reverie.dreaming.check import check
from reverie.dreaming.composing import Composed, Composer
from reverie.dreaming.desk import Writer, joined
from reverie.dreaming.inputs import Inputs
from reverie.dreaming.observing import Observing, as_told
from reverie.dreaming.write import TemplateWriter
from reverie.dreaming.writing import written
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
"""Called with (stage, done, total) as a dream goes on; never called after the dream ends. While a model writes, it
is called with the tokens that were used and those that are expected. What it raises stops the dream where it is."""

_TEMPLATES: Final = Wish()
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
        author: Author | None = None,
        ready: Callable[[str], object] = lambda model: None,
        taken_out: Callable[[], Set[str]] = frozenset,
        policies: Policies | None = None,
    ) -> None:
        """``writer``: who words what was found; None: the templates, which need no model. ``author`` writes where a
        model is wished for, and ``ready`` raises where there is none of that name, or no key for it. ``taken_out`` gives
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
        self._author = author
        self._ready = ready
        self._taken_out = taken_out
        self._policies = policies

    def dream(
        self,
        store: str = "default",
        *,
        since: datetime | None = None,
        sessions: Sequence[str] | None = None,
        heed: str | None = None,
        wish: Wish = _TEMPLATES,
        dry_run: bool = False,
        workers: int | None = None,
        begun: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> DreamResult:
        """Dream over the sessions that began at or after ``since`` (default: all), or over ``sessions``.

        ``wish`` says how it is written: by a model, else by the templates. What a model fails at, the templates
        write, and ``Dream.writing.fell_back`` says why; what it was asked and answered is never asked again, by whoever
        goes on with the dream. Sessions in which dreams were written are left out unless ``sessions`` names them. ``heed`` names a store whose decisions count too: the one that ``store`` is a copy of. ``dry_run``
        computes everything and stores no dream and no proposal (a model is asked, and its session stays). ``workers``: how many processes observe (see
        ``Observing``); the findings are the same for any number. ``begun`` hears the dream's id at once.

        Raises:
            UsageError: ``workers`` is less than 1; instructions or a budget, and no model.
            ConfigError, NotFound: there is no such model, or no key for it; before anything else is done.
            WorkerLost: a worker was killed; the next dream goes on from what is kept.
            NothingToDo: no session is in scope.
            NotFound, Ambiguous: a name in ``sessions``, or the store.
        """
        tell = progress or _silent
        self._can_write(wish)
        inputs = self._gather(store, since, sessions, heed, wish, tell)
        dream = self._begin(inputs, dry_run)
        if begun is not None:
            begun(dream.id)
        if dream.status == "completed" and not dry_run:
            return self.finished(dream.id, repeated=True)
        try:
            return self._run(dream, inputs, dry_run, workers, tell)
        except Exception as error:
            if not dry_run:
                self._change(dream.id, status="failed", ended_at=self._clock(), error=str(error))
            raise

    def estimate(
        self,
        store: str = "default",
        *,
        since: datetime | None = None,
        sessions: Sequence[str] | None = None,
        wish: Wish,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> Estimate:
        """What writing such a dream with a model is expected to use. Asks no model, and keeps nothing but the cache
        of what was observed.

        Raises:
            As ``dream``; UsageError too where ``wish`` names no model.
        """
        if wish.model is None:
            raise UsageError(
                "no model is named, and the templates use no tokens", hint="--model provider:name"
            )
        tell = progress or _silent
        author = self._can_write(wish)
        assert author is not None
        inputs = self._gather(store, since, sessions, None, wish, tell)
        study = self._study(inputs, *self._found(inputs, None, workers, tell)[:2])
        return author.estimate(study)

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
        self, dream: Dream, inputs: Inputs, dry_run: bool, workers: int | None, tell: Progress
    ) -> DreamResult:
        keeper = None if dry_run else dream
        observations, findings, silences = self._found(inputs, keeper, workers, tell)
        composed = self._write(dream, self._study(inputs, observations, findings), inputs, dry_run, tell)
        findings = [*findings, *composed.supposed]
        dream = replace(dream, writing=composed.writing, written_by=composed.by)
        proposals, doubts = self._check(composed, findings, observations, inputs, dream, tell)
        if not dry_run:
            self._save(dream, "check", dumps([proposals, doubts]))
        dream = replace(
            dream,
            status="completed",
            stage="submit",
            ended_at=self._clock(),
            findings=len(findings),
            proposals=len(proposals),
            withheld=(*composed.withheld, *doubts),
            silences=tuple(silences),
        )
        return self._submit(dream, inputs, findings, proposals, dry_run, tell)

    def _found(
        self, inputs: Inputs, keeper: Dream | None, workers: int | None, tell: Progress
    ) -> tuple[list[Observation], list[Finding], list[Silence]]:
        """What was observed, and what the miners say of it. ``keeper``: the dream that keeps it."""
        observations = self._observe(inputs.sessions, workers, tell)
        said, silences = self._mine(keeper, observations, inputs.memories, tell)
        seen = {observation.session_id: observation for observation in observations}
        return observations, [joined(finding, seen, inputs.tainted) for finding in said], silences

    def _can_write(self, wish: Wish) -> Author | None:
        """Who writes with the model that is wished for; None where none is.

        Raises:
            UsageError: what steers or bounds a model, and none is named.
            ConfigError, NotFound: there is no such model, or no key for it.
        """
        if wish.model is None:
            if wish.instructions is not None or wish.max_tokens is not None:
                raise UsageError(
                    "instructions and a budget are for a model, and none is named",
                    hint="--model provider:name",
                )
            return None
        if wish.max_tokens is not None and wish.max_tokens < 1:
            raise UsageError("a budget is at least 1 token", where=str(wish.max_tokens))
        if self._author is None:
            raise ConfigError("nothing here writes dreams with a model", where=wish.model)
        self._ready(wish.model)
        return self._author

    # ------------------------------------------------------------------ stages

    def _gather(
        self,
        store: str,
        since: datetime | None,
        names: Sequence[str] | None,
        heed: str | None,
        wish: Wish,
        tell: Progress,
    ) -> Inputs:
        tell("gather", 0, 1)
        chosen = [self._log.session(name).id for name in names] if names is not None else None
        out = self._taken_out()
        there = self._log.sessions(since=since, ids=chosen)
        sessions = [s for s in there if s.id not in out and (chosen is not None or s.info.agent != DREAMER)]
        if not sessions:
            raise NothingToDo(
                "there is no session to dream over" + (f" since {iso(since)}" if since is not None else ""),
                hint="reverie import PATH   (or: reverie import claude-code)",
            )
        kept = self._memory.store(store)
        decided = {} if heed is None else dict(self._review.decided_ideas(heed))
        decided |= self._review.decided_ideas(kept.id)
        with self._db.read() as conn:
            tainted = tainted_paths(conn, kept.id)
        memories, parameters = self._memory.list(kept.id), self._parameters(wish)
        inputs = Inputs(kept, sessions, memories, tainted, decided, parameters, wish)
        tell("gather", 1, 1)
        return inputs

    def _parameters(self, wish: Wish) -> dict[str, str]:
        said = {
            "observer": self._observer.version,
            "writer": self._writer.name,
            "reach": self._writer.reach,
            **{f"miner:{miner.name}": miner.version for miner in self._miners},
        }
        if wish.model is not None and self._author is not None:
            said["author"] = self._author.version(wish)
            said["wish"] = hashlib.sha256(dumps(wish).encode()).hexdigest()[:16]
        return said

    def _begin(self, inputs: Inputs, dry_run: bool) -> Dream:
        dream = Dream(
            id=inputs.id,
            store_id=inputs.store.id,
            status="running",
            stage="gather",
            created_at=self._clock(),
            sessions=len(inputs.sessions),
            new_sessions=self._count_new(inputs),
            parameters=inputs.parameters,
            writing=None if inputs.wish.model is None else Writing(inputs.wish.model),
        )
        if dry_run:
            return dream
        body = dumps({session.id: session.content_sha256 for session in inputs.sessions})

        def work(conn: rows.Connection) -> Dream:
            kept = rows.begin(conn, dream)
            rows.save_stage(conn, dream.id, "gather", body, iso(dream.created_at))
            return kept

        return self._db.write(work)

    def _count_new(self, inputs: Inputs) -> int:
        """Sessions that no finished dream into this store has seen with these contents."""
        with self._db.read() as conn:
            seen = rows.dreamed_sessions(conn, inputs.store.id)
        return sum(session.content_sha256 not in seen for session in inputs.sessions)

    def _observe(self, sessions: Sequence[Session], workers: int | None, tell: Progress) -> list[Observation]:
        tell("observe", 0, len(sessions))
        stage = Observing(self._db, self._observer, workers=workers)
        observations = stage.observe(sessions, lambda done, total: tell("observe", done, total))
        # The cache holds what the events say; who and how it ended may be told later (a label file).
        return [as_told(o, s) for o, s in zip(observations, sessions, strict=True)]

    def _mine(
        self,
        keeper: Dream | None,
        observations: Sequence[Observation],
        memories: Sequence[Memory],
        tell: Progress,
    ) -> tuple[list[Finding], list[Silence]]:
        stored = None if keeper is None else self._load(keeper.id, "mine")
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
        if keeper is not None:
            self._save(keeper, "mine", dumps([findings, silences]))
        return findings, silences

    def _study(
        self, inputs: Inputs, observations: Sequence[Observation], findings: Sequence[Finding]
    ) -> Study:
        """What may be used for writing, whoever writes."""
        return Study(
            dream_id=inputs.id,
            wish=inputs.wish,
            findings=findings,
            memories=inputs.memories,
            tainted=inputs.tainted,
            observations={observation.session_id: observation for observation in observations},
            begun=lambda session_id: None,
            going_on=lambda: None,
        )

    def _write(self, dream: Dream, study: Study, inputs: Inputs, dry_run: bool, tell: Progress) -> Composed:
        stored = None if dry_run else self._load(dream.id, "write")
        if stored is not None:
            return loads(stored, Composed)
        tell("write", 0, 1)
        author = None if dream.writing is None else self._author
        if author is None:
            drafts, withheld = written(
                self._writer, dream.id, study.findings, study.memories, study.tainted, inputs.decided
            )
            composed = Composed(drafts, withheld, by=(self._writer.name,))
        else:
            composed = self._authored(author, dream, study, inputs, dry_run, tell)
        tell("write", 1, 1)
        if not dry_run:
            kept = replace(dream, writing=composed.writing, written_by=composed.by)
            self._save(kept, "write", dumps(composed))
        return composed

    def _authored(
        self, author: Author, dream: Dream, study: Study, inputs: Inputs, dry_run: bool, tell: Progress
    ) -> Composed:
        before = dream.writing or Writing(str(inputs.wish.model))
        composer = Composer(
            author,
            self._writer,
            before=replace(before, ended=False, fell_back=None),
            keep=lambda writing: None if dry_run else self._change(dream.id, writing=writing),
            progress=lambda used, expected: tell("write", used, expected),
        )
        if before.ended:
            study = replace(study, after=before.session_id)
        return composer.compose(study, inputs.decided)

    def _check(
        self,
        composed: Composed,
        findings: Sequence[Finding],
        observations: Sequence[Observation],
        inputs: Inputs,
        dream: Dream,
        tell: Progress,
    ) -> tuple[list[Proposal], list[Withheld]]:
        drafts = composed.drafts
        tell("check", 0, len(drafts))
        proposals, doubts = check(
            drafts,
            {finding.id: finding for finding in findings},
            {observation.session_id: observation for observation in observations},
            inputs.memories,
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
        inputs: Inputs,
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

    def _change(self, dream_id: str, **fields: Any) -> None:
        """Change a dream that has not ended: a twin may have finished it meanwhile."""

        def work(conn: rows.Connection) -> None:
            now = rows.dream(conn, dream_id)
            if now.status == "running":
                rows.put(conn, replace(now, **fields))

        self._db.write(work)


def _silent(stage: Stage, done: int, total: int) -> None:
    """Nobody watches."""
