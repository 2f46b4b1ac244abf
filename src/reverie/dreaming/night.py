"""The night: a worker that takes requests for dreams and works them off, one after another.

What it does is durable step by step: the copy of the store, each stage of the dream, each proposal that is
written. A worker that dies leaves its request running; when its lease has ended another one goes on, and
finds done what was done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from reverie.domain.clock import Clock, iso
from reverie.domain.dream_requests import NO_MODEL, DreamErrorType, DreamRequest
from reverie.domain.dreams import Stage, Wish
from reverie.domain.errors import Archived, ConfigError, NotFound, ReverieError, StaleBase
from reverie.domain.policies import by_policy
from reverie.domain.proposals import Proposal
from reverie.domain.resources import Resource
from reverie.domain.workspaces import EVERYWHERE
from reverie.dreaming.dream import Dreamer, Progress
from reverie.dreaming.requests import KIND, LEASE, DreamRequests, as_request
from reverie.memory.catalog import Catalog
from reverie.memory.stores import writable
from reverie.review.review import ReviewService
from reverie.sessions.log import SessionLog
from reverie.storage import dreams as rows
from reverie.storage.database import Connection, Database
from reverie.storage.deliveries import Announce
from reverie.workspaces.resources import Resources

__all__ = ["Night", "NightWatch"]

_log: Final = logging.getLogger("reverie.dreams")

_LONGEST: Final = timedelta(hours=24)
_BEAT: Final = LEASE.total_seconds() / 4
_LOOK: Final = 0.5  # seconds between looks
_PATIENCE: Final = 5.0
_MOMENT: Final = 0.2
_TRIES: Final = 50


class _Stop(Exception):
    """Work on the request ends here: it was canceled, another worker has it, or this one is to stop."""

    def __str__(self) -> str:
        return "it was stopped: canceled, or left for another worker to go on with"


class _Failed(Exception):
    def __init__(self, type: DreamErrorType, message: str) -> None:
        super().__init__(message)
        self.type: DreamErrorType = type


class Night:
    """Works off the requests of one workspace.

    Args:
        dreamer: Gives what runs dreams.
        worker: A name that no other worker has.
        usable: The whole name of a model, by what a request says; raises NotFound or ConfigError where it cannot be
            used here.
        gone: Whether a worker of some name is known to be dead, so that its lease need not be waited for.
        stopping: Whether the worker is to stop. It lets go of the request, for another one to go on with.
    """

    def __init__(
        self,
        db: Database,
        resources: Resources,
        stores: Catalog,
        log: SessionLog,
        review: ReviewService,
        dreamer: Callable[[], Dreamer],
        requests: DreamRequests,
        *,
        usable: Callable[[str], str],
        worker: str,
        clock: Clock,
        announce: Announce,
        gone: Callable[[str], bool] = lambda worker: False,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._db = db
        self._resources = resources
        self._stores = stores
        self._log = log
        self._review = review
        self._dreamer = dreamer
        self._requests = requests
        self._usable = usable
        self._gone = gone
        self._stopping = stopping
        self._worker = worker
        self._clock = clock
        self._announce = announce

    def work(self) -> DreamRequest | None:
        """Take the request that has waited longest and work it off; None where nothing waits."""
        taken = self._take()
        if taken is None:
            return None
        with self._alive(taken.id):
            try:
                self._run(taken)
            except _Stop:
                _log.info("%s was stopped", taken.id)
            except _Failed as failure:
                self._fail(taken.id, failure.type, str(failure))
            except ReverieError as error:
                self._fail(taken.id, "internal_error", error.what)
            except Exception as error:  # noqa: BLE001  (a plug-in's fault ends its dream, not the worker)
                _log.exception("%s failed", taken.id)
                self._fail(taken.id, "internal_error", f"{type(error).__name__}; the log has the details")
        with suppress(NotFound):
            self._let_go(taken.id)
            return self._closed(self._requests.get(taken.id))
        return None

    def _closed(self, request: DreamRequest) -> DreamRequest:
        """A request that was worked on. Where it ended before its dream did, nobody goes on writing that."""
        if request.dream_id is not None and request.status in ("canceled", "failed"):
            for _ in range(_TRIES):  # it stops when the answer that the model is giving is broken off
                if self._requests.close(request.dream_id):
                    break
                threading.Event().wait(_MOMENT)
        return request

    # ------------------------------------------------------------------ whose it is

    def _take(self) -> DreamRequest | None:
        def work(conn: Connection) -> Resource | None:
            waiting = self._resources.list(
                KIND, statuses=["pending", "running"], archived=None, newest_first=False, conn=conn
            )
            free = next(filter(self._free, waiting), None)
            return None if free is None else self._claim(conn, free)

        taken = self._db.write(work)
        return None if taken is None else as_request(taken)

    def _free(self, request: Resource) -> bool:
        """Whether nobody works on it: it waits, its worker let go or died, or gave no sign for too long."""
        worker, until = request.body.get("worker"), request.body.get("lease_until")
        return worker is None or until is None or until <= iso(self._clock()) or self._gone(worker)

    def _claim(self, conn: Connection, waiting: Resource) -> Resource | None:
        def change(now: Resource) -> Resource:
            if now.version != waiting.version:  # another worker was faster
                return now
            return replace(now, status="running", body={**now.body, **self._lease()})

        after = self._resources.change(KIND, waiting.id, change, conn=conn)
        if after.body.get("worker") != self._worker:
            return None
        if waiting.status == "pending":
            self._announce(conn, "dream.started", waiting.id)
        return after

    def _lease(self) -> dict[str, Any]:
        return {"worker": self._worker, "lease_until": iso(self._clock() + LEASE)}

    def _let_go(self, dream_id: str) -> None:
        self._tell(dream_id, lambda now: {**now.body, "worker": None, "lease_until": None})

    @contextmanager
    def _alive(self, dream_id: str) -> Generator[None]:
        """Renew the lease from a thread as long as the block lasts."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT):
                with suppress(ReverieError):
                    self._tell(dream_id, lambda now: {**now.body, **self._lease()})

        thread = threading.Thread(target=beat, name="reverie-dream-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _tell(self, dream_id: str, body: Callable[[Resource], dict[str, Any]]) -> Resource:
        """Change the body of a request that is still this worker's."""

        def change(now: Resource) -> Resource:
            return replace(now, body=body(now)) if now.body.get("worker") == self._worker else now

        return self._resources.change(KIND, dream_id, change)

    def _ours(self, now: Resource) -> None:
        if now.status != "running" or now.body.get("worker") != self._worker:
            raise _Stop

    # ------------------------------------------------------------------ the work

    def _run(self, request: DreamRequest) -> None:
        began = self._clock()
        self._inputs_are_there(request)
        target = self._target(request)
        proposals = self._dreamed(request)
        if proposals is None:
            with self._missing_inputs(request):
                proposals = self._dream(request, target, began)
        counts = self._apply(request, proposals)
        self._inputs_are_there(request)
        self._end(request.id, "completed", counts)

    def _dreamed(self, request: DreamRequest) -> Sequence[Proposal] | None:
        """What the dream of an earlier worker proposed, if that dream was finished. To dream again over
        what has been written since would be another dream."""
        if request.dream_id is None:
            return None
        with self._db.read() as conn:
            found = rows.stored(conn, request.dream_id)
        if found is None or found[0].status != "completed":
            return None
        return self._dreamer().finished(request.dream_id).proposals

    def _dream(self, request: DreamRequest, target: str, began: datetime) -> Sequence[Proposal]:
        result = self._dreamer().dream(
            target,
            sessions=request.session_ids,
            heed=request.store_id,
            wish=self._wish(request),
            begun=lambda dream_id: self._become(request.id, dream_id),
            progress=self._progress(request.id, began),
        )
        return result.proposals

    def _wish(self, request: DreamRequest) -> Wish:
        """How it is to be written: by the model, where that can be used here; else by the templates, and the request
        says why."""
        if request.model is None or request.model == NO_MODEL:
            return Wish()
        wish, why = Wish(), None
        try:
            wish = Wish(self._usable(request.model), request.instructions, request.max_tokens)
        except (ConfigError, NotFound) as error:
            why = error.what
        self._ours(self._tell(request.id, lambda now: {**now.body, "fell_back": why}))
        return wish

    def _inputs_are_there(self, request: DreamRequest) -> None:
        try:
            writable(self._stores.get(request.store_id))
        except (NotFound, Archived):
            raise _Failed(
                "input_memory_store_unavailable", "the input memory store was archived or deleted"
            ) from None
        there = {session.id for session in self._log.sessions(ids=list(request.session_ids))}
        missing = [id for id in request.session_ids if id not in there]
        if missing:
            raise _Failed("input_session_unavailable", f"the session {missing[0]} was deleted")

    @contextmanager
    def _missing_inputs(self, request: DreamRequest) -> Generator[None]:
        """When something is not found in the middle, say which input went away."""
        try:
            yield
        except NotFound:
            self._inputs_are_there(request)
            raise

    def _target(self, request: DreamRequest) -> str:
        """The store that the dream is about: the input, or its copy, made once and with the fact of it."""
        if request.output == "propose":
            return request.store_id
        if request.output_store_id is not None:
            return request.output_store_id

        def work(conn: Connection) -> str:
            self._ours(self._resources.get(KIND, request.id, conn=conn))
            target = request.store_id
            if request.output == "create_new":
                day = iso(request.created_at)[:10]
                name = f"{self._stores.get(target, conn=conn).name[:230]} (dream {day})"
                target = self._stores.copy(target, name, actor=_signature(request.id), conn=conn).id
            self._resources.change(
                KIND,
                request.id,
                lambda now: replace(now, body={**now.body, "output_store_id": target}),
                conn=conn,
            )
            return target

        return self._db.write(work)

    def _progress(self, dream_id: str, began: datetime) -> Progress:
        """Keeps the stage, and stops the dream where it stands when it is to stop."""
        reached: list[Stage] = []

        def tell(stage: Stage, done: int, total: int) -> None:
            if self._clock() - began > _LONGEST:
                raise _Failed("timeout", f"the dream took longer than {_LONGEST}")
            if self._stopping():
                raise _Stop
            if stage in reached:
                self._ours(self._resources.get(KIND, dream_id))
                return
            reached.append(stage)
            self._ours(self._tell(dream_id, lambda now: {**now.body, "stage": stage}))

        return tell

    def _become(self, request_id: str, dream_id: str) -> None:
        self._resources.change(KIND, request_id, lambda now: replace(now, parent=dream_id))

    def _apply(self, request: DreamRequest, proposals: Sequence[Proposal]) -> dict[str, int]:
        """Write what may be written without a person; how many are written, and how many wait."""
        for proposal in proposals:
            if proposal.status == "pending" and _may_be_written(request, proposal):
                self._ours(self._resources.get(KIND, request.id))
                with suppress(StaleBase):  # somebody changed the same lines meanwhile: that is for a person
                    self._review.approve(proposal.id, by=_signature(request.id))
        now = [self._review.get(proposal.id) for proposal in proposals]
        return {
            "applied": sum(each.status in ("approved", "modified") for each in now),
            "left": sum(each.status == "pending" for each in now),
            "by_policy": sum(map(by_policy, now)),
        }

    # ------------------------------------------------------------------ the end

    def _fail(self, dream_id: str, type: DreamErrorType, message: str) -> None:
        with suppress(_Stop, NotFound):
            self._end(dream_id, "failed", {"error": {"type": type, "message": message}})

    def _end(self, dream_id: str, status: str, more: dict[str, Any]) -> None:
        def work(conn: Connection) -> None:
            now = self._resources.get(KIND, dream_id, lock=True, conn=conn)
            self._ours(now)
            body = {**now.body, **more, "ended_at": iso(self._clock()), "worker": None, "lease_until": None}
            self._resources.change(KIND, dream_id, lambda r: replace(r, status=status, body=body), conn=conn)
            self._announce(conn, f"dream.{status}", dream_id)

        self._db.write(work)


class NightWatch:
    """Works off the requests of every workspace, in a thread.

    Args:
        night: The worker of a workspace, given how to ask whether it is to stop.
    """

    def __init__(self, db: Database, night: Callable[[str, Callable[[], bool]], Night]) -> None:
        self._everywhere = db.scoped(EVERYWHERE)
        self._night = night
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Work in a thread until ``stop``."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._go_on, name="reverie-dreams", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Take no further request, and let go of the one in work at the next step of its dream. Waits for
        that a few seconds: a step can be long, and whoever comes next finds what was done. Idempotent."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_PATIENCE)

    def work(self) -> list[DreamRequest]:
        """Work off everything that waits, now; gives the requests as they are then."""
        done: list[DreamRequest] = []
        for workspace in self._waiting():
            night = self._night(workspace, self._stopping.is_set)
            while not self._stopping.is_set() and (request := night.work()) is not None:
                done.append(request)
        return done

    def _waiting(self) -> list[str]:
        with self._everywhere.read() as conn:
            return rows.workspaces_waiting(conn)

    def _go_on(self) -> None:
        while not self._stopping.is_set():
            try:
                self.work()
            except ReverieError as error:  # a database that is away comes back
                _log.warning("dreams wait: %s", error.what)
            self._stopping.wait(_LOOK)


def _signature(dream_id: str) -> str:
    return f"dream:{dream_id}"


def _may_be_written(request: DreamRequest, proposal: Proposal) -> bool:
    """A copy may hold everything: it is read by nobody until somebody takes it up. Into a store in use goes
    only what no untrusted text had a hand in; and taking something out of it is for a person."""
    if request.output == "create_new":
        return True
    return request.output == "update_existing" and not proposal.tainted and proposal.kind != "retire"
