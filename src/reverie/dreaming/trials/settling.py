"""Outcomes in: how each session of a trial ended, found once and kept.

A session counts when somebody said how it ended and it is at rest. One that is deleted, or that nobody says
anything about within the trial's patience, counts as a failure: to leave it out would judge a memory on the sessions
that were pleasant to label. That costs both sides alike where it has nothing to do with the memory, and where it
has, it is the memory's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.observations import Observation
from reverie.domain.trials import Exposed, Trial
from reverie.dreaming.observing import Observing
from reverie.dreaming.trials.marks import hit, stratum
from reverie.plugins import Observer
from reverie.sessions.log import SessionLog
from reverie.storage import trials as rows
from reverie.storage.database import Database

__all__ = ["Settling"]

_GOOD: Final = "success"


class Settling:
    """Finds out how the sessions of trials ended. ``observer`` is asked for when there is something to observe."""

    def __init__(
        self, db: Database, log: SessionLog, observer: Callable[[], Observer], *, clock: Clock
    ) -> None:
        self._db = db
        self._log = log
        self._observer = observer
        self._clock = clock

    def settle(self, trial: Trial) -> list[Exposed]:
        """The sessions of the round under way, in the order in which they began; of those that have ended by now,
        how. What was kept before is not looked at again."""
        with self._db.read() as conn:
            found = rows.exposed(conn, trial.id, trial.round.number)
            open_ = [each for each in found if each.settled_at is None]
            endings = rows.endings(conn, [each.session_id for each in open_])
        now = self._clock()
        over = [each for each in open_ if _over(each, endings.get(each.session_id), trial, now)]
        if not over:
            return found
        observed = self.observe([each.session_id for each in over if _there(each, endings)])
        settled = [_settled(each, observed.get(each.session_id), trial, now) for each in over]
        self._db.write(lambda conn: rows.settle(conn, trial.id, settled))
        with self._db.read() as conn:  # another look may have been faster, and what it kept counts
            return rows.exposed(conn, trial.id, trial.round.number)

    def observe(self, session_ids: Sequence[str]) -> dict[str, Observation]:
        """Observations of these sessions, from the cache where they are in it, by id; of those that are there."""
        if not session_ids:
            return {}
        sessions = self._log.sessions(ids=session_ids)
        found = Observing(self._db, self._observer(), workers=1).observe(sessions, _silent)
        told = [
            (o, s.info) for o, s in zip(found, sessions, strict=True)
        ]  # what was said after it was observed
        return {o.session_id: replace(o, outcome=info.outcome.label, task=info.task) for o, info in told}


def _over(each: Exposed, ending: rows.Ending | None, trial: Trial, now: datetime) -> bool:
    if now - each.at >= timedelta(days=trial.patience_days):
        return True
    if ending is None:  # a session that has not come to be yet
        return False
    return ending.deleted or (ending.outcome != "unknown" and not ending.at_work)


def _there(each: Exposed, endings: Mapping[str, rows.Ending]) -> bool:
    ending = endings.get(each.session_id)
    return ending is not None and not ending.deleted


def _settled(each: Exposed, seen: Observation | None, trial: Trial, now: datetime) -> Exposed:
    if seen is None:
        return replace(each, good=False, hit=True, settled_at=now)
    return replace(
        each, good=seen.outcome == _GOOD, hit=hit(seen, trial.marks), stratum=stratum(seen), settled_at=now
    )


def _silent(done: int, total: int) -> None:
    """Nobody watches."""
