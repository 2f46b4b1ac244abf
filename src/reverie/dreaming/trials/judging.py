"""Looking at trials: what the outcomes say by now, and what follows from it at once.

A verdict, the withdrawal of a harmful memory and the proposal that a person decides on are one transaction: there is
no moment at which a memory is known to do harm and sessions still begin with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import NotFound
from reverie.domain.memories import Memory, MemoryVersion
from reverie.domain.proposals import Proposal
from reverie.domain.trials import Exposed, Ruling, Trial
from reverie.dreaming.trials.exposure import RENEWED, Exposure
from reverie.dreaming.trials.figures import counted, evidence_of, point_of, ruling_of
from reverie.dreaming.trials.looks import Look
from reverie.dreaming.trials.proposing import proposed
from reverie.dreaming.trials.records import KIND, RUNNING, begun_again, changed, put, trial_of
from reverie.dreaming.trials.settling import Settling
from reverie.dreaming.trials.verdicts import Judgement, Rules, judge
from reverie.review.review import ReviewService
from reverie.storage import audit
from reverie.storage import memories as memory_rows
from reverie.storage import memory_stores as store_rows
from reverie.storage import proposals as proposal_rows
from reverie.storage.database import Connection, Database
from reverie.storage.deliveries import Announce
from reverie.workspaces.resources import Resources

__all__ = ["Judging"]

_RULES: Final = Rules()
_BY: Final = "reverie"
_DELETED: Final = "the memory was deleted"


class Judging:
    """Judges the running trials of one workspace, all together."""

    def __init__(
        self,
        db: Database,
        resources: Resources,
        review: ReviewService,
        exposure: Exposure,
        settling: Settling,
        *,
        clock: Clock,
        announce: Announce,
        rules: Rules = _RULES,
    ) -> None:
        self._db = db
        self._resources = resources
        self._review = review
        self._exposure = exposure
        self._settling = settling
        self._clock = clock
        self._announce = announce
        self._rules = rules

    def look(self) -> list[Look]:
        """Count what has ended since the last look, judge, and do what follows. Trials that are over already are not
        among what it gives.

        Raises:
            StorageError: the database does not answer.
        """
        standing = [self._fresh(each.id) for each in self._resources.list(KIND, statuses=(RUNNING,))]
        found = [(trial, self._settling.settle(trial)) for trial in standing if trial is not None]
        running = [trial for trial, sessions in found if self._sound(trial, sessions)]
        if not running:
            return []
        exposed = {trial.id: sessions for trial, sessions in found}
        settled = {id: counted(each) for id, each in exposed.items()}
        judged = judge({t.id: evidence_of(t, settled[t.id]) for t in running}, self._rules)
        now = self._clock()
        return [
            self._looked(trial, settled[trial.id], len(exposed[trial.id]), judged[trial.id], now)
            for trial in running
        ]

    def _looked(
        self, trial: Trial, settled: Sequence[Exposed], begun: int, judgement: Judgement, now: datetime
    ) -> Look:
        point = point_of(trial, settled, now, self._rules)
        return self._followed(Look(trial, point, ruling_of(judgement, point), begun - len(settled)))

    def _sound(self, trial: Trial, sessions: Sequence[Exposed]) -> bool:
        """Whether what was written of who saw the memory is what the coin says. A trial of which that is not so
        ends: somebody chose its sessions."""
        odd = next((each for each in sessions if not self._exposure.agrees(trial, each)), None)
        if odd is None:
            return True
        why = f"its record was changed outside Reverie: {odd.session_id} does not agree with the coin"

        def work(conn: Connection) -> None:
            now = trial_of(self._resources.get(KIND, trial.id, lock=True, conn=conn))
            if now.status == "running":
                self._ended(conn, now, why, self._clock())

        self._db.write(work)
        return False

    def _fresh(self, trial_id: str) -> Trial | None:
        """A running trial with its memory as it is now: under a new round where its text is another; None where
        the memory is gone, and the trial with it."""

        def work(conn: Connection) -> Trial | None:
            now = trial_of(self._resources.get(KIND, trial_id, lock=True, conn=conn))
            if now.status != "running":
                return None
            memory = _memory(conn, now)
            if memory is None:
                self._ended(conn, now, _DELETED, self._clock())
                return None
            if changed(now, memory):
                at = self._clock()
                return begun_again(self._resources, conn, now, memory, by=_BY, why=RENEWED, at=at)
            if memory.path != now.path:
                return put(self._resources, conn, replace(now, path=memory.path))
            return now

        with self._db.read() as conn:  # mostly nothing is to be written
            now = trial_of(self._resources.get(KIND, trial_id, conn=conn))
            memory = _memory(conn, now)
        same = memory is not None and memory.path == now.path and not changed(now, memory)
        if now.status == "running" and same:
            return now
        return self._db.write(work)

    # ------------------------------------------------------------------ consequences

    def _followed(self, look: Look) -> Look:
        if look.ruling.word == "not enough data" and look.ruling.sessions < look.trial.budget:
            return look
        ruling = look.ruling
        after = self._db.write(lambda conn: self._rule(conn, look.trial, ruling))
        return look if after is None else replace(look, trial=after, decided=True)

    def _rule(self, conn: Connection, seen: Trial, ruling: Ruling) -> Trial | None:
        """The verdict and its consequences; None where another look was faster, or it is about another text by
        now."""
        now = trial_of(self._resources.get(KIND, seen.id, lock=True, conn=conn))
        memory = _memory(conn, now)
        if now.status != "running" or now.round != seen.round or memory is None or changed(now, memory):
            return None
        store_rows.lock_store(conn, now.store_id)
        proposal = proposed(now, ruling, memory, _before(conn, now), _source(conn, now), ruling.at)
        if proposal is not None:
            self._review.submit([proposal], conn=conn)
            ruling = replace(ruling, proposal_id=proposal.id)
        after = replace(now, rulings=(*now.rulings, ruling))
        told = {"verdict": ruling.word, "sessions": ruling.sessions, "proposal_id": ruling.proposal_id}
        audit.append(conn, ruling.at, _BY, "trial.verdict", now.id, told)
        self._announce(conn, "trial.verdict", now.id)
        if ruling.word == "harmful":
            return self._withdrawn(conn, after, ruling.at)
        return self._ended(conn, after, ruling.word, ruling.at)

    def _withdrawn(self, conn: Connection, trial: Trial, at: datetime) -> Trial:
        audit.append(conn, at, _BY, "trial.withdrawn", trial.id, {"path": trial.path, "why": "harmful"})
        self._announce(conn, "trial.withdrawn", trial.id)
        after = replace(trial, status="withdrawn", ended_at=at, ended_by=_BY, why="harmful")
        return put(self._resources, conn, after)

    def _ended(self, conn: Connection, trial: Trial, why: str, at: datetime) -> Trial:
        audit.append(conn, at, _BY, "trial.ended", trial.id, {"path": trial.path, "why": why})
        self._announce(conn, "trial.ended", trial.id)
        after = replace(trial, status="ended", ended_at=at, ended_by=_BY, why=why)
        return put(self._resources, conn, after)


def _memory(conn: Connection, trial: Trial) -> Memory | None:
    return memory_rows.by_ids(conn, trial.store_id, [trial.memory_id]).get(trial.memory_id)


def _before(conn: Connection, trial: Trial) -> MemoryVersion | None:
    """What the memory said before the text that is tried; None: nothing, or it was redacted."""
    tried = memory_rows.version_by_id(conn, trial.round.version_id)
    found = None if tried is None else memory_rows.version(conn, tried.memory_id, tried.version - 1)
    return None if found is None or found.redacted_at is not None else found


def _source(conn: Connection, trial: Trial) -> Proposal | None:
    try:
        return None if trial.source is None else proposal_rows.get(conn, trial.source)
    except NotFound:
        return None
