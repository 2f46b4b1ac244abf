"""The observe stage: what is cached is read, the rest is observed here or by worker processes.

A worker is a program of its own (``python -m reverie.dreaming.worker``) that is handed stored rows and
gives observations back as JSON, so nothing is pickled, no connection crosses a process, and it does not
matter what ``__main__`` is. Every batch is stored as soon as it is done: what a kill or an error costs is
the batches under way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from queue import SimpleQueue
from typing import Final

from reverie.domain.errors import UsageError
from reverie.domain.observations import Observation
from reverie.domain.sessions import Session
from reverie.dreaming.batches import Batch, observed
from reverie.dreaming.pool import Worker, importable
from reverie.plugins import Observer
from reverie.storage import events as event_rows
from reverie.storage import observations as rows
from reverie.storage.codec import loads
from reverie.storage.database import Database

__all__ = ["MOST_WORKERS", "Observing", "as_told"]

MOST_WORKERS: Final = 8
WORTH_WORKERS: Final = 40_000
"""Events from which workers are started unasked: fewer are observed before a worker has started."""

_SESSIONS: Final = 50  # in a batch at most,
_EVENTS: Final = 5_000  # unless they are as long: bounds memory, and what a kill can cost


class Observing:
    """Observes sessions with one observer, over one database."""

    def __init__(self, db: Database, observer: Observer, *, workers: int | None = None) -> None:
        """``workers``: how many processes observe; None: as many as there are cores, at most
        ``MOST_WORKERS``, and 1 where there is little to do; 1: this process alone.

        Raises:
            UsageError: ``workers`` is less than 1.
        """
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be at least 1, not {workers}", where="workers")
        self._db = db
        self._observer = observer
        self._workers = workers

    def observe(self, sessions: Sequence[Session], tell: Callable[[int, int], None]) -> list[Observation]:
        """One observation a session, in the order given; the same whatever the number of workers.

        ``tell`` is called with (done, total) as it goes on.

        Raises:
            WorkerLost: a worker ended before its work did, or its observer raised.
        """
        with self._db.read() as conn:
            wanted = {s.id: s.content_sha256 for s in sessions}
            found = rows.get_many(conn, wanted, self._observer.version)
        tell(len(found), len(sessions))
        unread = [s for s in sessions if s.id not in found]
        for batch in self._fresh(unread):
            found.update((o.session_id, o) for o in batch)
            tell(len(found), len(sessions))
        return [found[s.id] for s in sessions]

    def _fresh(self, unread: Sequence[Session]) -> Iterator[Sequence[Observation]]:
        """The observations of sessions nobody observed before, batch by batch, stored."""
        batches = list(_batches(unread))
        workers = min(self._how_many(unread), len(batches))
        if workers > 1:
            yield from self._by_workers(batches, workers)
            return
        for batch in batches:
            yield self._kept(observed(self._read(batch), self._observer))

    def _how_many(self, unread: Sequence[Session]) -> int:
        if not importable(type(self._observer)):
            return 1  # a worker could not make one
        if self._workers is not None:
            return self._workers
        return min(_cores(), MOST_WORKERS) if sum(s.events for s in unread) >= WORTH_WORKERS else 1

    def _by_workers(
        self, batches: Sequence[Sequence[Session]], workers: int
    ) -> Iterator[Sequence[Observation]]:
        idle: SimpleQueue[Worker] = SimpleQueue()

        def work(batch: Sequence[Session]) -> Sequence[Observation]:
            stored = self._read(batch)  # while all workers are busy, the next batch is read
            worker = idle.get()
            try:
                answer = worker.ask(stored)
            finally:
                idle.put(worker)
            return self._kept(answer)

        with ExitStack() as stack:
            for _ in range(workers):
                idle.put(stack.enter_context(Worker(type(self._observer), self._observer.version)))
            threads = stack.enter_context(ThreadPoolExecutor(workers + 1, "observe"))
            stack.callback(threads.shutdown, wait=False, cancel_futures=True)
            yield from threads.map(work, batches)

    def _read(self, batch: Sequence[Session]) -> Batch:
        links: dict[str, list[event_rows.Link]] = {s.id: [] for s in batch}
        with self._db.read() as conn:
            for link in event_rows.links_of(conn, list(links)):
                links[link.session_id].append(link)
        return [(s, links[s.id]) for s in batch]

    def _kept(self, bodies: Iterable[str]) -> Sequence[Observation]:
        """What every later dream will read, stored: so none of them sees anything else than the first."""
        fresh = [loads(body, Observation) for body in bodies]
        self._db.write(lambda conn: rows.put_many(conn, fresh, self._observer.version))
        return fresh


def _batches(sessions: Iterable[Session]) -> Iterator[Sequence[Session]]:
    batch: list[Session] = []
    for session in sessions:
        if batch and (len(batch) == _SESSIONS or sum(s.events for s in batch) + session.events > _EVENTS):
            yield batch
            batch = []
        batch.append(session)
    if batch:
        yield batch


def _cores() -> int:
    """Those this process may run on, where the platform says."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def as_told(observation: Observation, session: Session) -> Observation:
    """An observation with what is told of its session now. The cache holds what the events say; who it was
    for and how it ended may be told later (a label file)."""
    info = session.info
    return replace(
        observation,
        outcome=info.outcome.label,
        score=info.outcome.score,
        user=info.user or observation.user,  # else whose home directory the work was done in
        task=info.task,
    )
