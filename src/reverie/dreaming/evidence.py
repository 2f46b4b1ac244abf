"""Which sessions count as evidence, what rests on each, and what is proposed when one is taken out."""

from __future__ import annotations

from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import NotFound
from reverie.domain.proposals import Proposal
from reverie.dreaming.descent import Descendants, Descent
from reverie.dreaming.withdrawing import withdrawals
from reverie.memory.stores import MemoryService, valid_name
from reverie.review.review import ReviewService
from reverie.sessions.log import SessionLog
from reverie.storage import audit
from reverie.storage import findings as finding_rows
from reverie.storage.database import Connection, Database
from reverie.workspaces.resources import Resources

__all__ = ["Evidence"]

_KIND: Final = "not_evidence"


class Evidence:
    """The sessions of a workspace as evidence.

    A session that is taken out stays in the log. No later dream reads it, and what no longer stands without
    it is proposed for withdrawal. A deleted session is out as well.
    """

    def __init__(
        self,
        db: Database,
        resources: Resources,
        log: SessionLog,
        memory: MemoryService,
        review: ReviewService,
        *,
        clock: Clock,
    ) -> None:
        self._db = db
        self._resources = resources
        self._log = log
        self._memory = memory
        self._review = review
        self._clock = clock

    def descendants(self, session_id: str) -> Descendants:
        """Every finding, proposal and version of memory that rests on a session, directly or through memory
        that later sessions read. A session that was deleted is named by its whole id.

        Raises:
            NotFound, Ambiguous: the session, if it never was evidence of anything.
        """
        return Descent(self._db, self._log).of({self._id(session_id)})

    def out(self) -> frozenset[str]:
        """The ids of the sessions that were taken out."""
        return frozenset(str(each.parent) for each in self._resources.list(_KIND))

    def take_out(self, session_id: str, *, by: str, reason: str) -> list[Proposal]:
        """Let a session be no evidence any more; again changes nothing. Gives what is proposed for withdrawal.

        Raises:
            NotFound, Ambiguous: the session.
            UsageError: an empty name.
        """
        found, name = self._log.session(session_id).id, valid_name(by)

        def work(conn: Connection) -> None:
            if not self._resources.taken(_KIND, found, conn=conn):
                body = {"by": name, "reason": reason}
                self._resources.create(_KIND, body, prefix="sesrsc", parent=found, key=found, conn=conn)
                audit.append(conn, self._clock(), name, "session.taken_out", found, {"reason": reason})

        self._db.write(work)
        return self.withdraw(found)

    def withdraw(self, session_id: str) -> list[Proposal]:
        """Propose to withdraw what no longer stands without a session that was taken out or deleted (whole
        id), and all that were taken out before. Gives those that wait; what was decided is not asked again."""
        if not self._cited(session_id):
            return []
        descent, gone = Descent(self._db, self._log), {session_id, *self.out()}
        memories = [m for store in self._memory.stores() for m in self._memory.list(store.id)]
        found = withdrawals(descent, memories, gone, now=self._clock())
        self._review.submit(found)
        asked = {(proposal.store_id, proposal.idea) for proposal in found}  # perhaps before, under another id
        return [p for p in self._review.list(status="pending") if (p.store_id, p.idea) in asked]

    def _id(self, session_id: str) -> str:
        try:
            return self._log.session(session_id).id
        except NotFound:
            if self._cited(session_id):  # it was deleted; what was learned from it names it still
                return session_id
            raise

    def _cited(self, session_id: str) -> bool:
        with self._db.read() as conn:
            return finding_rows.cited(conn, session_id)
