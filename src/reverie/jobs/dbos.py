"""The engine of many processes on one PostgreSQL: DBOS Transact hands out what there is to do.

A workflow of DBOS, here called a ticket, says that a session wants work, and nothing else: progress is in the
session's log alone, so that a ticket can be withdrawn, doubled or lost without harm. A session has one at a
time, which waits or is worked off; a wake that finds one there leaves its mark in ``runs`` only.

DBOS by itself leaves a dead process's tickets to it for ever. Here the heart (``jobs.heart``) finds the dead;
then the first of the living, by name, withdraws what they had and hands out what nobody has.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from reverie.domain.clock import Clock
from reverie.domain.errors import ConfigError, Unavailable
from reverie.domain.workspaces import EVERYWHERE
from reverie.jobs.bench import Bench, Key
from reverie.jobs.clerk import Clerk
from reverie.jobs.engine import Work
from reverie.jobs.heart import PACE, Body, Heart, Pace
from reverie.jobs.local import worker_name
from reverie.jobs.tickets import APPLICATION, QUEUE, RUN, SCHEMA, VERSION, Tickets
from reverie.storage import leases
from reverie.storage.database import Database

__all__ = ["DbosEngine"]

_log: Final = logging.getLogger("reverie.jobs")
_POLLING_S: Final = 0.05
_KEPT: Final = timedelta(minutes=5)  # how long a ticket that is through can be looked at
_PURGED_EVERY_S: Final = 10.0
_ONCE_MORE_S: Final = 0.2  # a ticket that was about to be through when its session was woken is through then
_only_one = threading.Lock()  # DBOS knows one instance of itself in a process


class DbosEngine:
    """An ``Engine`` (see there) over DBOS Transact. One in a process can work; any number can wake.

    How many sessions are worked on at once is one number for the queue, the one of the worker that started
    last; no process works on more than its own.

    Args:
        entropy: ``entropy(n)`` gives n random bytes, for the worker's name.
    """

    def __init__(
        self,
        db: Database,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes] = os.urandom,
        pace: Pace = PACE,
    ) -> None:
        self._everywhere = db.scoped(EVERYWHERE)
        self._clock = clock
        self._worker = worker_name(entropy)
        self._bench = Bench()
        body = Body(self._bench.busy, self._bench.drop, self._found, self._leads)
        self._heart = Heart(db, self._worker, body, pace=pace)
        self._tickets = Tickets(db.url)
        self._clerk = Clerk()
        self._working = False
        self._rests_until = 0.0
        self._taken: set[str] = set()  # tickets that were taken at the last look, of sessions that nobody had

    @property
    def worker(self) -> str:
        return self._worker

    def start(self, work: Work, *, at_once: int) -> None:
        """As ``Engine.start``.

        Raises:
            ConfigError: another engine works in this process already.
        """
        if not _only_one.acquire(blocking=False):
            raise ConfigError(
                "this process works on another PostgreSQL database already",
                hint="start a process for each: reverie worker --db URL",
            )
        self._working = True
        try:
            self._bench.start(work, at_once)
            _launch(self._everywhere, self._worker, self._bench, at_once)
            self._heart.start()
        except BaseException:
            self.close(grace_s=0.0)
            raise
        self._clerk.every(_PURGED_EVERY_S, self._purge)

    def wake(self, workspace: str, session_id: str) -> None:
        key = (workspace, session_id)
        if key in self._bench.busy():  # it has a ticket, here
            self._bench.wake(key)
        else:
            self._clerk.ask(key, partial(self._call, key))

    def loop(self) -> asyncio.AbstractEventLoop:
        return self._bench.loop()

    def close(self, *, grace_s: float) -> None:
        self._clerk.close()
        self._heart.stop()
        if self._working:
            self._working = False
            DBOS.destroy()  # first, so that it hands out nothing more
            self._bench.close(grace_s)
            self._give_back()
            self._heart.leave()
            _only_one.release()
        self._bench.close(grace_s)
        self._tickets.close()

    def _call(self, key: Key, *, again: bool = True) -> None:
        """Queue a session that was woken. Where it has a ticket: if that waits, it will do; if it is worked off
        elsewhere, who does so finds the mark when he releases the session, or was about to be through, and then
        there is room for a ticket in a moment."""
        if not self._tickets.put(key) and again:
            self._clerk.later(_ONCE_MORE_S, partial(self._call, key, again=False))

    # ------------------------------------------------------------------ looking after the others

    def _leads(self, workers: Sequence[str]) -> bool:
        return workers[:1] == [self._worker]

    def _found(self, keys: Collection[Key], workers: Sequence[str]) -> None:
        if keys and time.monotonic() >= self._rests_until:
            self._clerk.ask("found", partial(self._look_after, list(keys), set(workers)))

    def _look_after(self, keys: Sequence[Key], workers: Collection[str]) -> None:
        began = time.monotonic()
        self._hand_out(keys, workers)
        now = time.monotonic()
        self._rests_until = now + 10 * (now - began)  # where tens of thousands wait it takes its time

    def _hand_out(self, keys: Sequence[Key], workers: Collection[str]) -> None:
        """Queue what nobody has and what has no ticket. A ticket is void when its worker is not among the living,
        or has not claimed the session from one look to the next (DBOS could not note that it was through)."""
        tickets = self._tickets.open()
        wanted = {session_id for _, session_id in keys}
        taken = {each.id for each in tickets if each.worker is not None and each.session_id in wanted}
        void = [
            each
            for each in tickets
            if each.worker is not None and (each.worker not in workers or each.id in taken & self._taken)
        ]
        self._taken = taken
        self._tickets.withdraw(void)
        known = {each.session_id for each in tickets} - {each.session_id for each in void}
        for key in keys:
            if key[1] not in known:
                self._tickets.put(key)

    def _give_back(self) -> None:
        """Withdraw what this worker has taken; the next look of another one finds the sessions."""
        try:
            self._tickets.withdraw([each for each in self._tickets.open() if each.worker == self._worker])
        except Exception as error:  # noqa: BLE001  (whatever DBOS says: the others do it when we are gone)
            _log.debug("%s could not give back its tickets: %s", self._worker, error)

    def _purge(self) -> None:
        with self._everywhere.read() as conn:
            leads = self._leads([worker.id for worker in leases.listed(conn)])
        while leads and self._tickets.purge(self._clock() - _KEPT):
            pass


# ---------------------------------------------------------------------- DBOS

_bench: Bench | None = None


@DBOS.workflow(name=RUN, max_recovery_attempts=None)
async def _run(workspace: str, session_id: str) -> None:
    """Work a ticket off. It ends when the bench is through with the session, however it ended: what is left
    to do then is in the database."""
    if _bench is not None:
        await asyncio.wrap_future(_bench.ran((workspace, session_id)))


def _launch(db: Database, worker: str, bench: Bench, at_once: int) -> None:
    """Start DBOS. In a thread of its own: where it finds a running loop it would use that one.

    Raises:
        Unavailable: it cannot make or reach its tables.
    """
    global _bench  # noqa: PLW0603  (DBOS calls a function, and knows no object of ours)
    _bench = bench
    failed: list[Exception] = []

    def launch() -> None:
        try:
            DBOS(config=_config(db.url, worker))
            DBOS.listen_queues([QUEUE])
            DBOS.launch()
            DBOS.register_queue(
                QUEUE,
                worker_concurrency=at_once,
                polling_interval_sec=_POLLING_S,
                on_conflict="always_update",
            )
        except Exception as error:  # noqa: BLE001  (raised below)
            failed.append(error)

    thread = threading.Thread(target=launch, name="reverie-dbos-launch")
    logger = logging.getLogger("dbos")
    logger.disabled = True  # what goes wrong now is raised
    thread.start()
    thread.join()
    logger.disabled = False
    if failed:
        raise Unavailable(
            f"DBOS could not start ({str(failed[0]).strip().splitlines()[0]})",
            where=db.where,
            hint=f"its user must be allowed to make the schema {SCHEMA}: GRANT CREATE ON DATABASE",
        ) from failed[0]


def _config(url: str, worker: str) -> DBOSConfig:
    return {
        "name": APPLICATION,
        "system_database_url": url,
        "dbos_system_schema": SCHEMA,
        "application_version": VERSION,
        "executor_id": worker,
        "serializer": DBOSPortableJSONSerializer(),
        "sys_db_pool_size": 4,
        "max_executor_threads": 8,
        "use_listen_notify": False,  # that is for messages between workflows
        "notification_listener_polling_interval_sec": 0.25,
        "log_level": "ERROR",
    }
