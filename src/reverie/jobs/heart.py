"""The heart of a worker: it shows that the worker lives, and looks for others that do not, and for what they left."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reverie.domain.errors import ReverieError
from reverie.domain.workspaces import EVERYWHERE
from reverie.jobs.bench import Key
from reverie.storage import leases
from reverie.storage.database import Connection, Database

__all__ = ["PACE", "Body", "Heart", "Pace", "this_host"]

_log: Final = logging.getLogger("reverie.jobs")


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: between two signs of life; the silence after which a worker is given up for dead; between two
    looks at what there is to do. What the dead had goes on ``dead_s + look_s`` after their last sign."""

    beat_s: float = 2.0
    dead_s: float = 8.0
    look_s: float = 1.0


PACE: Final = Pace()


@dataclass(frozen=True, slots=True)
class Body:
    """What a heart beats for. ``busy`` gives what is worked on here; ``stop`` has all of that stopped, since
    the worker was given up for dead; ``found`` is told, at every look, what there is to do that nobody does,
    and the names of all workers, in order. ``looks``, given these names, says whether it is to be told."""

    busy: Callable[[], Collection[Key]]
    stop: Callable[[], None]
    found: Callable[[Collection[Key], Sequence[str]], None]
    looks: Callable[[Sequence[str]], bool] = lambda workers: True


@dataclass(frozen=True, slots=True)
class _Look:
    dead: list[str]
    open: list[Key] | None
    workers: list[str]


class Heart:
    """Beats in a thread of its own, so that no work can hold it up.

    A worker on this machine whose process is gone is dead at once; any other after ``dead_s`` of silence. Who
    has not reached the database for a while, or was stopped itself, leaves others as long to show that they
    live: they may have been away with him.
    """

    def __init__(
        self,
        db: Database,
        worker: str,
        body: Body,
        *,
        pace: Pace = PACE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db.scoped(EVERYWHERE)
        self._worker = worker
        self._body = body
        self._pace = pace
        self._now = now
        self._host = this_host()
        self._looked = self._beat = now()
        self._patient_until = 0.0
        self._away = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Be among the living, and look for the first time, before this returns.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        self._register()
        self._look()
        self._thread = threading.Thread(target=self._go_on, name="reverie-heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Again is harmless."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def leave(self) -> None:
        """Be among the living no more: what the worker had is anybody's."""
        try:
            self._db.write(lambda conn: leases.leave(conn, self._worker))
        except ReverieError as error:  # the others will find out
            _log.warning("%s could not say that it leaves: %s", self._worker, error.what)

    def _go_on(self) -> None:
        while not self._stopping.wait(self._pace.look_s):
            try:
                self._look()
            except ReverieError as error:  # a database that is away comes back
                self._missed(error.what)
            except Exception:  # noqa: BLE001  (a worker whose heart stops is dead)
                _log.exception("%s could not look", self._worker)

    def _missed(self, why: str) -> None:
        if not self._away:
            _log.warning("%s waits for the database: %s", self._worker, why)
        self._away = True

    def _register(self) -> None:
        self._db.write(lambda conn: leases.register(conn, self._worker, host=self._host, pid=os.getpid()))

    def _look(self) -> None:
        now = self._now()
        if now - self._looked > self._pace.dead_s / 2:  # since a look that succeeded
            self._patient_until = now + self._pace.dead_s
        beats, buries = now - self._beat >= self._pace.beat_s, now >= self._patient_until
        busy = set(self._body.busy())
        seen = self._db.write(lambda conn: self._seen(conn, busy, beats=beats, buries=buries))
        self._looked, self._away = now, False
        if beats:
            self._beat = now
        if seen is None:
            _log.warning("%s was given up for dead: it stops what it does, and begins anew", self._worker)
            self._body.stop()
            self._register()
            return
        if seen.dead:
            _log.info("gave up for dead: %s", ", ".join(seen.dead))
        if seen.open is not None:
            self._body.found(seen.open, seen.workers)

    def _seen(self, conn: Connection, busy: set[Key], *, beats: bool, buries: bool) -> _Look | None:
        """One look, in one transaction; None when we are dead ourselves. Who buries shows that it lives before that:
        a clock may have been set on."""
        if (beats or buries) and not leases.beat(conn, self._worker):
            return None
        dead = self._gone(conn)
        if buries:
            dead += leases.bury(conn, self._pace.dead_s)
        self._release_orphans(conn, busy)
        workers = [worker.id for worker in leases.listed(conn)]
        return _Look(dead, leases.unowned(conn) if self._body.looks(workers) else None, workers)

    def _gone(self, conn: Connection) -> list[str]:
        """Workers of this machine whose process is there no more."""
        here = [other for other in leases.listed(conn) if other.host == self._host]
        dead = [other.id for other in here if not _runs(other.pid)]
        for worker in dead:
            leases.leave(conn, worker)
        return dead

    def _release_orphans(self, conn: Connection, busy: set[Key]) -> None:
        """Let go of what this worker has by the book and nobody here works on: whoever did could not say that
        he was through, since the database was away."""
        held = leases.held(conn, self._worker)
        busy = busy | set(self._body.busy())  # begun since
        for workspace, session_id, epoch in held:
            if (workspace, session_id) not in busy:
                leases.release(conn, session_id, epoch, done=False)


def this_host() -> str:
    """A name for what shares process ids with us: the machine since it was started, or a container of it."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
