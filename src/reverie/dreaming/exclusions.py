"""What a reviewer marks as no evidence for a claim, with who and why; and the claim as it counts without it.

A mark holds for the idea, in every later dream, until it is taken back. See ``recounting`` for how it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final, Literal

from reverie.domain.clock import Clock
from reverie.domain.errors import Conflict, NotFound, UsageError
from reverie.domain.findings import Finding
from reverie.domain.resources import Resource
from reverie.dreaming.observing import Observing, as_told
from reverie.dreaming.recounting import FALLEN, Exclusion, counted_without
from reverie.memory.stores import valid_name
from reverie.plugins import Corpus, Miner, Observer
from reverie.sessions.log import SessionLog
from reverie.storage import audit
from reverie.storage import dreams as dream_rows
from reverie.storage import findings as finding_rows
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection, Database
from reverie.storage.lineage import memories_at
from reverie.workspaces.resources import Resources

__all__ = ["Exclusions", "Recount", "Standing"]

Standing = Literal[
    "stands",  # the miner still makes the claim: ``Recount.finding`` has its numbers
    "fallen",  # it does not: the claim is below its threshold
    "unknown",  # it cannot be asked: ``Recount.why``
]

_MARK: Final = "exclusion"
_COUNT: Final = "recount"
_LONGEST: Final = 1_000  # characters of a reason


@dataclass(frozen=True, slots=True)
class Recount:
    """A finding as it counts without what was marked. ``finding`` is what its miner tells now."""

    standing: Standing
    finding: Finding | None
    why: str | None
    exclusions: tuple[Exclusion, ...]


class Exclusions:
    """The marks of a workspace, and the findings as they count without them."""

    def __init__(
        self,
        db: Database,
        resources: Resources,
        log: SessionLog,
        observer: Callable[[], Observer],
        miners: Callable[[], Sequence[Miner]],
        *,
        clock: Clock,
        taken_out: Callable[[], Set[str]],
    ) -> None:
        """``taken_out`` gives the ids of sessions that are no evidence of anything."""
        self._db = db
        self._resources = resources
        self._log = log
        self._observer = observer
        self._miners = miners
        self._clock = clock
        self._taken_out = taken_out

    # ------------------------------------------------------------------ looking

    def every(self) -> list[Exclusion]:
        """All marks, the oldest first."""
        return [_mark(each) for each in self._resources.list(_MARK, newest_first=False)]

    def of(self, finding: Finding) -> Recount | None:
        """The finding as it counts without what was marked; None where nothing is. Counts anew where a mark
        came or went since, by whatever finding of the same idea."""
        marks = self._marks(finding.key)
        if not marks:
            return None
        kept = self._resources.list(_COUNT, parent=finding.id, limit=1)
        if kept and kept[0].body["marks"] == [each.id for each in marks]:
            return _recount(kept[0], marks)
        return self._counted(finding)

    def fallen(self, finding_id: str) -> bool:
        """Whether a finding (whole id) was counted, without what is marked now, and is below its threshold."""
        kept = self._resources.list(_COUNT, parent=finding_id, statuses=["fallen"], limit=1)
        return bool(kept) and kept[0].body["marks"] == [m.id for m in self._marks(kept[0].body["key"])]

    # ------------------------------------------------------------------ marking

    def mark(
        self, finding_id: str, session_id: str, event_id: str | None = None, *, by: str, reason: str = ""
    ) -> Recount:
        """Say that a session, or one event of it (whole ids), is not evidence for a finding; again changes
        nothing. Gives the finding as it counts now.

        Raises:
            NotFound, Ambiguous: the finding, or an event that is not in the session.
            UsageError: the finding does not rest on the session; an empty name; a reason that is too long.
        """
        finding, name = self._finding(finding_id), valid_name(by)
        self._fits(finding, session_id, event_id, reason)
        key = f"{finding.key}|{session_id}|{event_id or ''}"

        def work(conn: Connection) -> None:
            if self._resources.taken(_MARK, key, conn=conn):
                return
            body = {
                "miner": finding.miner,
                "finding_id": finding.id,
                "session_id": session_id,
                "event_id": event_id,
                "by": name,
                "reason": reason,
            }
            self._resources.create(_MARK, body, prefix="excl", parent=finding.key, key=key, conn=conn)
            told = {"session_id": session_id, "event_id": event_id, "reason": reason}
            audit.append(conn, self._clock(), name, "finding.not_evidence", finding.id, told)

        self._db.write(work)
        return self._counted(finding)

    def take_back(self, finding_id: str, exclusion_id: str, *, by: str) -> Recount | None:
        """Let a mark count no longer. Gives the finding as it counts now; None where no mark is left.

        Raises:
            NotFound, Ambiguous: the finding, or no such mark on its idea.
        """
        finding, name = self._finding(finding_id), valid_name(by)

        def work(conn: Connection) -> None:
            found = _mark(self._resources.get(_MARK, exclusion_id, parent=finding.key, lock=True, conn=conn))
            self._resources.delete(_MARK, exclusion_id, conn=conn)
            told = {"session_id": found.session_id, "event_id": found.event_id, "marked_by": found.by}
            audit.append(conn, self._clock(), name, "finding.evidence_restored", finding.id, told)

        self._db.write(work)
        return self.of(finding)

    def _fits(self, finding: Finding, session_id: str, event_id: str | None, reason: str) -> None:
        cited = (each.session_id for each in (*finding.evidence, *finding.counter_evidence))
        if session_id not in {*finding.sessions, *cited}:
            raise UsageError("the finding does not rest on this session", where=session_id)
        if len(reason) > _LONGEST:
            raise UsageError(f"the reason is longer than {_LONGEST:,} characters")
        if event_id is not None:
            event = self._log.event(event_id)
            if (event.id, event.session_id) != (event_id, session_id):
                raise NotFound(f"there is no event {event_id!r} in this session", where=session_id)

    # ------------------------------------------------------------------ counting

    def _finding(self, finding_id: str) -> Finding:
        with self._db.read() as conn:
            return finding_rows.finding(conn, finding_id)

    def _marks(self, idea: str) -> list[Exclusion]:
        return [_mark(each) for each in self._resources.list(_MARK, parent=idea, newest_first=False)]

    def _counted(self, finding: Finding) -> Recount:
        """Count, and keep it with the marks that it was counted without: whoever finds others there counts again."""
        marks = self._marks(finding.key)
        found = self._ask(finding, marks)
        body = {
            "key": finding.key,
            "marks": [each.id for each in marks],
            "finding": None if found.finding is None else dumps(found.finding),
            "why": found.why,
        }

        def work(conn: Connection) -> None:
            for old in self._resources.list(_COUNT, parent=finding.id, conn=conn):
                self._resources.delete(_COUNT, old.id, conn=conn)
            self._resources.create(
                _COUNT, body, prefix="excl", parent=finding.id, status=found.standing, conn=conn
            )

        self._db.write(work)
        return found

    def _ask(self, finding: Finding, marks: Sequence[Exclusion]) -> Recount:
        miner = next((each for each in self._miners() if each.name == finding.miner), None)
        if miner is None or miner.version != finding.miner_version:
            had = "is not installed" if miner is None else f"is now at version {miner.version}"
            why = f"{finding.miner} {finding.miner_version} found it, and {had}; the next dream counts anew"
            return Recount("unknown", None, why, tuple(marks))
        now = counted_without(miner, self._corpus(finding), finding.key, marks)
        if now is None:
            return Recount("fallen", None, FALLEN, tuple(marks))
        kept = replace(now, origins=finding.origins)  # fewer places do not make it more trusted
        return Recount("stands", kept, None, tuple(marks))

    def _corpus(self, finding: Finding) -> Corpus:
        """What the dream of a finding looked at: its sessions as they are in the log, and memory as it stood."""
        with self._db.read() as conn:
            dream = dream_rows.dream(conn, finding_rows.dream_of(conn, finding.id))
            gathered = dream_rows.stage(conn, dream.id, "gather")
            memories = memories_at(conn, dream.store_id, dream.created_at)
        if gathered is None:
            raise Conflict("the dream of this finding does not say what it looked at", where=dream.id)
        out = self._taken_out()
        ids = [id for id in loads(gathered, dict[str, str]) if id not in out]
        sessions = self._log.sessions(ids=ids)
        observed = Observing(self._db, self._observer()).observe(sessions, _silent)
        return Corpus([as_told(o, s) for o, s in zip(observed, sessions, strict=True)], memories)


def _silent(done: int, total: int) -> None:
    """Nobody watches."""


def _mark(kept: Resource) -> Exclusion:
    body = kept.body
    return Exclusion(
        id=kept.id,
        key=kept.parent or "",
        miner=body["miner"],
        finding_id=body["finding_id"],
        session_id=body["session_id"],
        event_id=body["event_id"],
        by=body["by"],
        reason=body["reason"],
        at=kept.created_at,
    )


_STANDINGS: Final[dict[str, Standing]] = {"stands": "stands", "fallen": "fallen"}


def _recount(kept: Resource, marks: Sequence[Exclusion]) -> Recount:
    told = kept.body["finding"]
    standing = _STANDINGS.get(kept.status or "", "unknown")
    return Recount(standing, None if told is None else loads(told, Finding), kept.body["why"], tuple(marks))
