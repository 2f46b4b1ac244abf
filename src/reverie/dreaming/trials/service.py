"""Trials: begun, looked at, ended, withdrawn and resumed by people; ``judging`` says what they show."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from reverie.domain.clock import Clock
from reverie.domain.errors import Conflict
from reverie.domain.proposals import Proposal
from reverie.domain.resources import ALWAYS, Cursor, Period
from reverie.domain.trials import Exposed, Point, Trial, TrialStatus
from reverie.dreaming.trials.beginning import Beginning, Terms
from reverie.dreaming.trials.courses import Course, Courses
from reverie.dreaming.trials.exposure import Exposure
from reverie.dreaming.trials.looks import Look
from reverie.dreaming.trials.records import KIND, begun_again, put, trial_of
from reverie.dreaming.trials.settling import Settling
from reverie.memory.stores import MemoryService, valid_name
from reverie.plugins import Observer
from reverie.review.review import ReviewService
from reverie.sessions.log import SessionLog
from reverie.storage import audit
from reverie.storage import memories as memory_rows
from reverie.storage import trials as rows
from reverie.storage.database import Connection, Database
from reverie.storage.deliveries import Announce
from reverie.storage.prefixes import whole_id
from reverie.storage.tables import resources as ids
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets

if TYPE_CHECKING:
    from reverie.dreaming.trials.judging import Judging

__all__ = ["STANDARD", "History", "Terms", "Trials"]

STANDARD: Final = Terms()
"""What a trial is run on unless somebody says otherwise."""
_EVERY: Final = timedelta(minutes=1)
"""Between two looks of a scheduler."""


@dataclass(frozen=True, slots=True)
class History:
    """What became of one trial: its curve round by round, and its sessions. Verdicts are in ``trial.rulings``."""

    trial: Trial
    points: tuple[Point, ...]
    sessions: tuple[Exposed, ...]


class Trials:
    """The trials of one workspace. Ids may be given as a unique prefix.

    Raises (all methods): NotFound for a trial, a store or a memory that is not there; StorageError.
    """

    def __init__(
        self,
        db: Database,
        resources: Resources,
        secrets: Secrets,
        log: SessionLog,
        memory: MemoryService,
        review: ReviewService,
        observer: Callable[[], Observer],
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        announce: Announce,
    ) -> None:
        self._db = db
        self._resources = resources
        self._memory = memory
        self._review = review
        self._clock = clock
        self._announce = announce
        self.exposure = Exposure(db, resources, secrets, clock=clock)
        """Who sees what."""
        settling = Settling(db, log, observer, clock=clock)
        self._beginning = Beginning(
            db, resources, secrets, settling, clock=clock, entropy=entropy, announce=announce
        )
        self._settling = settling
        self._courses = Courses(db, observer)
        self._looked: datetime | None = None

    # ------------------------------------------------------------------ beginning

    def begin(
        self,
        path: str,
        store: str = "default",
        *,
        by: str,
        terms: Terms = STANDARD,
        finding_id: str | None = None,
    ) -> Trial:
        """Put the memory at a path on trial: from now on each new session that has its store sees it or not.

        ``finding_id`` names what it is about, where that is another finding than the one it was proposed for.

        Raises:
            Conflict: it is on trial already, or was withdrawn.
            Ambiguous: several findings have that prefix.
            ConfigError: there is no key to seal secrets with.
        """
        store_id = self._memory.store(store).id
        where = self._memory.read(store_id, path).path
        source = self._beginning.source(store_id, where)
        about = self._beginning.about(source, finding_id)
        return self._db.write(
            lambda conn: self._beginning.begin(conn, store_id, where, terms, source, about, by=by)
        )

    def at_approval(
        self, proposal_id: str, *, by: str, terms: Terms = STANDARD
    ) -> Callable[[Connection, Proposal], None]:
        """What puts the memory of a proposal on trial in the transaction that approves it, so that no session sees
        it beforehand: give it to ``ReviewService.approve`` as ``then``.

        The function raises what ``begin`` raises, and then nothing is approved.
        """
        about = self._beginning.about(self._review.get(proposal_id), None)

        def then(conn: Connection, decided: Proposal) -> None:
            self._beginning.begin(conn, decided.store_id, decided.path, terms, decided, about, by=by)

        return then

    # ------------------------------------------------------------------ looking

    def get(self, trial_id: str) -> Trial:
        """A trial.

        Raises:
            Ambiguous: several fit.
        """
        with self._db.read() as conn:
            id = whole_id(conn, ids.c.id, KIND, trial_id, noun="trial", hint="reverie trial list")
            return trial_of(self._resources.get(KIND, id, conn=conn))

    def list(
        self,
        *,
        store_id: str | None = None,
        status: TrialStatus | None = None,
        memory_id: str | None = None,
        created: Period = ALWAYS,
        after: Cursor | None = None,
        limit: int | None = None,
    ) -> builtins.list[Trial]:
        """Trials, newest first. ``limit`` counts before ``memory_id`` is looked at."""
        found = self._resources.list(
            KIND,
            parent=store_id,
            statuses=None if status is None else (status,),
            created=created,
            after=after,
            limit=limit,
        )
        trials = [trial_of(each) for each in found]
        return [each for each in trials if memory_id in (None, each.memory_id)]

    def look(self) -> builtins.list[Look]:
        """Count, judge, and do what follows, of all running trials at once: verdicts on several are corrected for
        there being several. Whenever one likes: looking often costs nothing in certainty."""
        return self._judging.look()

    @cached_property
    def _judging(self) -> Judging:
        """Made when first asked for: most programs judge nothing, and need not load what counts."""
        from reverie.dreaming.trials.judging import Judging

        return Judging(
            self._db,
            self._resources,
            self._review,
            self.exposure,
            self._settling,
            clock=self._clock,
            announce=self._announce,
        )

    def attend(self, trial_id: str, now: datetime) -> datetime | None:
        """For the scheduler: look at all of them, once a minute."""
        last = self._looked
        if last is None or not last <= now < last + _EVERY:  # a clock may jump
            self._looked = now
            self.look()
        return now + _EVERY

    def history(self, trial_id: str) -> History:
        """The curve and the sessions of a trial."""
        from reverie.dreaming.trials.figures import counted, points_of

        trial = self.get(trial_id)
        with self._db.read() as conn:
            sessions = rows.exposed(conn, trial.id)
        points: builtins.list[Point] = []
        for each in trial.rounds:
            then = replace(trial, rounds=trial.rounds[: each.number])
            points += points_of(then, counted([s for s in sessions if s.round == each.number]))
        return History(trial, tuple(points), tuple(sessions))

    def of_memory(self, path: str, store: str = "default") -> builtins.list[History]:
        """Every trial of a memory, the newest first: did it help?"""
        memory = self._memory.read(store, path)
        found = self.list(store_id=memory.store_id, memory_id=memory.id)
        return [self.history(each.id) for each in found]

    def course(self, path: str, store: str = "default") -> Course | None:
        """How often the failure that the memory at a path addresses happened before its text was approved, and after:
        what one sees without a trial. None where no proposal brought it, or nobody approved that."""
        store_id = self._memory.store(store).id
        source = self._beginning.source(store_id, self._memory.read(store_id, path).path)
        if source is None or source.decision is None:
            return None
        return self._courses.course(source.decision.at, self._beginning.about(source, None)[1])

    def standing(self, trial_id: str) -> Point:
        """How a trial stands by what was counted so far; ``look`` counts."""
        from reverie.dreaming.trials.figures import counted, point_of

        trial = self.get(trial_id)
        with self._db.read() as conn:
            found = rows.exposed(conn, trial.id, trial.round.number)
        return point_of(trial, counted(found), self._clock())

    # ------------------------------------------------------------------ deciding

    def end(self, trial_id: str, *, by: str, why: str | None = None) -> Trial:
        """End a running trial: all sessions see the memory from now on.

        Raises:
            Conflict: it does not run.
        """

        return self._over(trial_id, "ended", by, why or "a person ended it")

    def withdraw(self, trial_id: str, *, by: str, why: str | None = None) -> Trial:
        """Take the memory of a running trial out of all sessions at once.

        Raises:
            Conflict: it does not run.
        """

        return self._over(trial_id, "withdrawn", by, why or "a person withdrew it")

    def resume(self, trial_id: str, *, by: str, why: str | None = None) -> Trial:
        """Take a withdrawal back: the trial goes on with a new round, since what was counted has had its verdict.
        (What was proposed on account of it still waits for a decision.)

        Raises:
            Conflict: it is not withdrawn, or the memory is gone.
        """

        def act(conn: Connection, trial: Trial, name: str, at: datetime) -> Trial:
            if trial.status != "withdrawn":
                raise Conflict(f"the trial is {trial.status}, not withdrawn", where=trial.id)
            memory = memory_rows.by_ids(conn, trial.store_id, [trial.memory_id]).get(trial.memory_id)
            if memory is None:
                raise Conflict("the memory was deleted", where=trial.path)
            told = why or "a person resumed it"
            return begun_again(self._resources, conn, trial, memory, by=name, why=told, at=at)

        return self._act(trial_id, by, "trial.resumed", act)

    def _over(self, trial_id: str, status: Literal["ended", "withdrawn"], by: str, why: str) -> Trial:
        def act(conn: Connection, trial: Trial, name: str, at: datetime) -> Trial:
            _running(trial)
            return replace(trial, status=status, ended_at=at, ended_by=name, why=why)

        return self._act(trial_id, by, f"trial.{status}", act)

    def _act(
        self, trial_id: str, by: str, what: str, act: Callable[[Connection, Trial, str, datetime], Trial]
    ) -> Trial:
        name, at, id = valid_name(by), self._clock(), self.get(trial_id).id

        def work(conn: Connection) -> Trial:
            before = trial_of(self._resources.get(KIND, id, lock=True, conn=conn))
            after = put(self._resources, conn, act(conn, before, name, at))
            audit.append(conn, at, name, what, id, {"path": after.path, "why": after.why})
            self._announce(conn, what, id)
            return after

        return self._db.write(work)


def _running(trial: Trial) -> None:
    if trial.status != "running":
        hint = f"reverie trial resume {trial.id}" if trial.status == "withdrawn" else None
        raise Conflict(f"the trial is {trial.status}, not running", where=trial.id, hint=hint)
