"""Requests for dreams: kept, listed, canceled, archived. ``night`` works them off."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, cast

from reverie.domain.clock import Clock, iso, time_or_none
from reverie.domain.dream_requests import (
    ENDED,
    DreamError,
    DreamErrorType,
    DreamRequest,
    OutputBehavior,
    RequestStatus,
)
from reverie.domain.dreams import Dream
from reverie.domain.errors import Conflict, Invalid, NotFound, UsageError
from reverie.domain.findings import Finding
from reverie.domain.policies import by_policy
from reverie.domain.proposals import Proposal
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.dreaming.closing import close_writing
from reverie.memory.catalog import Catalog
from reverie.memory.stores import writable
from reverie.review.review import ReviewService
from reverie.sessions.log import SessionLog
from reverie.storage import dreams as rows
from reverie.storage import proposals as proposal_rows
from reverie.storage.codec import loads
from reverie.storage.database import Connection, Database
from reverie.storage.deliveries import Announce
from reverie.workspaces.resources import Resources

__all__ = ["KIND", "LEASE", "MAX_SESSIONS", "Asked", "DreamRequests", "as_request"]

KIND: Final = "dream"
MAX_SESSIONS: Final = 10_000
LEASE: Final = timedelta(seconds=60)
"""How long a running request belongs to its worker without a sign of life from it."""
_STANDS: Final = 1_000  # requests that are open at once, looked through when another comes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants. ``into`` is the store that an update names, which must be the input; ``max_tokens`` what the
    model may use in all (None: as the estimate says)."""

    store_id: str
    session_ids: Sequence[str]
    model: str
    instructions: str | None = None
    output: OutputBehavior = "create_new"
    into: str | None = None
    max_tokens: int | None = None


class DreamRequests:
    """The requests of one workspace, and the dreams that were started here without one.

    Raises (all methods that take an id): NotFound.
    """

    def __init__(
        self,
        db: Database,
        resources: Resources,
        stores: Catalog,
        log: SessionLog,
        review: ReviewService,
        *,
        clock: Clock,
        announce: Announce,
        end: Callable[[str], bool] = lambda session_id: True,
    ) -> None:
        """``end`` interrupts and archives a session, and says whether it has ended by now."""
        self._db = db
        self._resources = resources
        self._stores = stores
        self._log = log
        self._review = review
        self._clock = clock
        self._announce = announce
        self._end = end

    # ------------------------------------------------------------------ asking

    def create(self, asked: Asked) -> DreamRequest:
        """A request that waits to be worked off.

        Raises:
            NotFound: the store, or a session.
            Archived: the store was.
            Invalid: no session, too many, one twice; an update of another store than the input.
            Conflict: another request that updates the store has not fully stopped.
        """
        self.check(asked)
        return as_request(self._db.write(partial(self.begin, asked)))

    def begin(self, asked: Asked, conn: Connection) -> Resource:
        """``create`` within the caller's transaction, which has seen that the sessions are there.

        Raises:
            NotFound, Archived, Conflict: as ``create``.
        """
        body = {
            "store_id": asked.store_id,
            "session_ids": sorted(asked.session_ids),
            "model": asked.model,
            "instructions": asked.instructions,
            "max_tokens": asked.max_tokens,
            "output": asked.output,
        }
        writable(self._stores.get(asked.store_id, lock=True, conn=conn))
        if asked.output == "update_existing":
            self._nobody_else(conn, asked.store_id)
        made = self._resources.create(KIND, body, prefix="drm", status="pending", conn=conn)
        self._announce(conn, "dream.created", made.id)
        return made

    def open_on(self, store_id: str, conn: Connection) -> builtins.list[Resource]:
        """The requests about a store that are open, or were canceled and may still write."""
        now = iso(self._clock())
        found = self._resources.list(
            KIND, statuses=["pending", "running", "canceled"], archived=None, limit=_STANDS, conn=conn
        )
        return [
            each
            for each in found
            if each.body["store_id"] == store_id
            and (each.status != "canceled" or (each.body.get("lease_until") or "") > now)
        ]

    def cancel(self, dream_id: str) -> DreamRequest:
        """Stop a request that has not ended. What it has written so far stays; a model that is writing is
        interrupted. Again changes nothing.

        Raises:
            UsageError: it completed or failed, or was not asked for over the API.
        """

        def change(found: Resource) -> Resource:
            if found.status in ("completed", "failed"):
                raise UsageError(f"the dream has {found.status}: there is nothing to cancel", where=dream_id)
            if found.status == "canceled":
                return found
            return replace(found, status="canceled", body={**found.body, "ended_at": iso(self._clock())})

        def work(conn: Connection) -> Resource:
            before = self._asked_for(dream_id, "cancel", conn)
            after = self._resources.change(KIND, dream_id, change, conn=conn)
            if before.status != after.status:
                self._announce(conn, "dream.canceled", dream_id)
            return after

        canceled = self._db.write(work)
        if canceled.parent is not None:
            self.close(canceled.parent)
        return self._told(as_request(canceled))

    def close(self, dream_id: str) -> bool:
        """End the session in which a dream is written that nobody wants any more; whether it has ended by now."""
        wanted = self._resources.count(KIND, parent=dream_id, statuses=["running"], archived=None)
        return bool(wanted) or close_writing(self._db, dream_id, self._end)

    def archive(self, dream_id: str) -> DreamRequest:
        """Leave a request that ended out of lists, for good. Again changes nothing.

        Raises:
            UsageError: it has not ended.
        """
        found = self.get(dream_id)
        if found.status not in ENDED:
            raise UsageError(f"the dream is {found.status}: cancel it first", where=dream_id)
        if found.archived_at is not None:
            return found
        now = self._clock()

        def work(conn: Connection) -> None:
            if found.model is None:
                rows.archive(conn, dream_id, now)
            else:
                self._resources.change(KIND, dream_id, lambda r: replace(r, archived_at=now), conn=conn)

        self._db.write(work)
        return self.get(dream_id)

    # ------------------------------------------------------------------ looking

    def get(self, dream_id: str) -> DreamRequest:
        """A request, or a dream that was started here, archived or not."""
        try:
            return self._told(as_request(self._resources.get(KIND, dream_id)))
        except NotFound:
            with self._db.read() as conn:
                found = rows.stored(conn, dream_id)
            if found is None:
                raise
            return self._started_here(*found)

    def list(
        self,
        *,
        statuses: Sequence[RequestStatus] | None = None,
        archived: bool | None = False,
        created: Period = ALWAYS,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> builtins.list[DreamRequest]:
        """Requests and dreams that were started here, newest first."""
        asked = self._resources.list(
            KIND, statuses=statuses, archived=archived, created=created, after=after, limit=limit
        )
        with self._db.read() as conn:
            others = rows.unasked(
                conn, statuses=statuses, archived=archived, created=created, after=after, limit=limit
            )
        found = [
            *(self._told(as_request(each)) for each in asked),
            *(self._started_here(*each) for each in others),
        ]
        return sorted(found, key=lambda r: (r.created_at, r.id), reverse=True)[:limit]

    def findings(self, dream_id: str) -> builtins.list[Finding]:
        """What the dream found, the weightiest first; nothing while it has not ended."""
        inner = self.get(dream_id).dream_id
        if inner is None:
            return []
        with self._db.read() as conn:
            return rows.findings(conn, inner)

    def proposals(self, dream_id: str, limit: int | None = None) -> builtins.list[Proposal]:
        """What the dream proposed, the most important first, and what became of it; at most ``limit``."""
        inner = self.get(dream_id).dream_id
        return [] if inner is None else self._review.list(dream_id=inner, limit=limit)

    # ------------------------------------------------------------------ inside

    def check(self, asked: Asked) -> None:
        """Whether it can be asked for.

        Raises:
            NotFound, Invalid: as ``create``.
        """
        wanted = asked.session_ids
        if not 1 <= len(wanted) <= MAX_SESSIONS:
            raise Invalid("inputs.session_ids", f"1 to {MAX_SESSIONS:,} sessions", len(wanted))
        if len(set(wanted)) < len(wanted):
            raise Invalid("inputs.session_ids", "each session once")
        if asked.output == "update_existing" and asked.into != asked.store_id:
            raise Invalid("output_behavior.memory_store_id", "the memory store of the inputs", asked.into)
        self._stores.get(asked.store_id)
        there = {session.id for session in self._log.sessions(ids=list(wanted))}
        for session_id in wanted:
            if session_id not in there:
                raise NotFound(f"there is no session {session_id!r}")

    def _nobody_else(self, conn: Connection, store_id: str) -> None:
        """Refuse while a request that updates the store is open, or was canceled and still writes."""
        for other in self.open_on(store_id, conn):
            if other.body["output"] == "update_existing":
                raise Conflict(
                    "another dream updates this memory store",
                    where=other.id,
                    hint="wait for it, or cancel it",
                )

    def _asked_for(self, dream_id: str, verb: str, conn: Connection) -> Resource:
        try:
            return self._resources.get(KIND, dream_id, conn=conn)
        except NotFound:
            if rows.stored(conn, dream_id) is None:
                raise
            raise UsageError(
                f"the dream was not asked for over the API: stop the program that runs it, to {verb} it",
                where=dream_id,
            ) from None

    def _told(self, request: DreamRequest) -> DreamRequest:
        """A request, with what its dream says of how it was written."""
        if request.dream_id is None:
            return request
        with self._db.read() as conn:
            found = rows.stored(conn, request.dream_id)
        return request if found is None else _written(request, found[0])

    def _started_here(self, dream: Dream, archived_at: datetime | None) -> DreamRequest:
        with self._db.read() as conn:
            gathered = rows.stage(conn, dream.id, "gather")
            counts = proposal_rows.tally(conn, dream.id)
        sessions = () if gathered is None else tuple(sorted(loads(gathered, dict[str, str])))
        error = None if dream.error is None else DreamError("internal_error", dream.error)
        approved = self._review.list(dream_id=dream.id, status="approved") if counts.get("approved") else []
        request = DreamRequest(
            id=dream.id,
            status=dream.status,
            store_id=dream.store_id,
            session_ids=sessions,
            output="propose",
            created_at=dream.created_at,
            dream_id=dream.id,
            error=error if dream.status == "failed" else None,
            stage=dream.stage,
            applied=counts.get("approved", 0) + counts.get("modified", 0),
            left=counts.get("pending", 0),
            by_policy=sum(map(by_policy, approved)),
            ended_at=dream.ended_at,
            archived_at=archived_at,
        )
        return _written(request, dream)


def as_request(resource: Resource) -> DreamRequest:
    """A request as it is kept."""
    body: Mapping[str, Any] = resource.body
    error = body.get("error")
    return DreamRequest(
        id=resource.id,
        status=cast(RequestStatus, resource.status),
        store_id=body["store_id"],
        session_ids=tuple(body["session_ids"]),
        output=body["output"],
        created_at=resource.created_at,
        model=body["model"],
        instructions=body["instructions"],
        max_tokens=body.get("max_tokens"),
        output_store_id=body.get("output_store_id"),
        dream_id=resource.parent,
        error=None if error is None else DreamError(cast(DreamErrorType, error["type"]), error["message"]),
        stage=body.get("stage"),
        applied=body.get("applied", 0),
        left=body.get("left", 0),
        by_policy=body.get("by_policy", 0),
        fell_back=body.get("fell_back"),
        ended_at=time_or_none(body.get("ended_at")),
        archived_at=resource.archived_at,
    )


def _written(request: DreamRequest, dream: Dream) -> DreamRequest:
    writing = dream.writing
    return replace(
        request,
        model=request.model or (None if writing is None else writing.model),
        writing=writing,
        written_by=dream.written_by if request.status == "completed" else (),
        fell_back=request.fell_back or (None if writing is None else writing.fell_back),
    )
