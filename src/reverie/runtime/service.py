"""Works on sessions in this process: claims one that wants work, runs the loop on it, lets it go."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final, ParamSpec, TypeVar

from reverie.domain.errors import LeaseLost, NotFound, StorageError, UsageError
from reverie.domain.events import NewEvent
from reverie.domain.workspaces import EVERYWHERE
from reverie.orchestration.progress import Ended, news_json
from reverie.plugins import Handler
from reverie.runtime.context import SessionContext
from reverie.runtime.house import House, Plugs
from reverie.runtime.loop import Run
from reverie.runtime.sweeping import Sweeper
from reverie.sessions.pages import Fence, Page
from reverie.storage import leases
from reverie.storage.database import Connection

__all__ = ["RuntimeService"]

P = ParamSpec("P")
T = TypeVar("T")
log: Final = logging.getLogger("reverie.runtime")
AT_ONCE: Final = 64
_THREADS: Final = 32  # that wait for the database
_REMEMBERED: Final = 128  # sessions whose fold is kept between two runs
_GRACE: Final = 10.0


class RuntimeService:
    """The runtime of one opened house; see ``plugins.Runtime``."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._db = house.database.scoped(EVERYWHERE)
        self._engine = house.engine_of_work()
        self._executor = _Threads(_THREADS, thread_name_prefix="reverie-run")
        self._handlers: dict[str, Mapping[str, Handler]] = {}
        self._folds: OrderedDict[str, tuple[int, SessionContext]] = OrderedDict()
        self._plugs: Plugs | None = None
        self._attends = False
        self._sweeper = Sweeper(house.sweep)
        self._runs: set[Run] = set()

    # ------------------------------------------------------------------ the door

    def attend(self, at_once: int | None = None) -> None:
        """Begin to work on sessions, those that were left behind among them: at most ``at_once`` at a time.
        Again is harmless.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        if not self._attends:
            self._engine.start(self._work, at_once=at_once or AT_ONCE)
            self._attends = True
            self._sweeper.start()

    def wake(self, workspace: str, session_id: str) -> None:
        """There is something to do in a session."""
        for run in tuple(self._runs):
            if run.session_id == session_id:
                run.look()
        self._engine.wake(workspace, session_id)

    def handle(self, session_id: str, handlers: Mapping[str, Handler]) -> None:
        """Answer calls of these custom tools of a session in this process, from its next run on."""
        self._handlers[session_id] = dict(handlers)

    def close(self) -> None:
        """Let go of everything; what was under way goes on from the log."""
        self._sweeper.stop()
        self._engine.close(grace_s=_GRACE)
        self._executor.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------ one session

    async def _work(self, workspace: str, session_id: str) -> None:
        epoch = await self._asked(
            lambda: self._db.write(lambda conn: leases.claim(conn, session_id, self._engine.worker))
        )
        if epoch is None:
            return
        done = False
        try:
            done = await self._run(workspace, session_id, epoch)
        finally:
            await _whole(self._release(workspace, session_id, epoch, done=done))

    async def _run(self, workspace: str, session_id: str, epoch: int) -> bool:
        """Run a session to its rest; whether it came there."""
        run = Run(
            self._house.workspace(workspace),
            self._plugged(),
            session_id,
            fence=_fence(session_id, epoch),
            asked=self._asked,
            handlers=self._handlers.get(session_id, {}),
            context=self._fold(session_id, epoch),
            entropy=_Dice(),
        )
        self._runs.add(run)
        try:
            await run.work()
        except LeaseLost:
            log.info("somebody else goes on with the session", extra={"session_id": session_id})
            return False
        except StorageError:
            raise
        except Exception as error:
            if isinstance(error, NotFound | UsageError) and await self._asked(
                lambda: self._over(workspace, session_id)
            ):
                return True
            told = f"{type(error).__name__}: {error}"[:2_000]
            log.exception("the session's run failed", extra={"session_id": session_id})
            await self._asked(lambda: self._tell(workspace, session_id, epoch, told))
            return True
        finally:
            self._runs.discard(run)
        self._remember(session_id, epoch, run.context)
        return True

    def _over(self, workspace: str, session_id: str) -> bool:
        """Whether a session was deleted, archived or terminated meanwhile."""
        try:
            row = self._house.workspace(workspace).live.row(session_id)
        except NotFound:
            return True
        return row.archived_at is not None or row.status == "terminated"

    def _tell(self, workspace: str, session_id: str, epoch: int, fault: str) -> None:
        """A fault of ours: the session says so, rests, and stays usable."""
        message = f"an internal fault stopped this turn: {fault}"
        told = {"type": "unknown_error", "message": message, "retry_status": {"type": "exhausted"}}
        live = self._house.workspace(workspace).live
        failure = live.masked(NewEvent("session.error", {"error": told}, os.urandom(16).hex()))

        def work(page: Page) -> None:
            page.take()
            page.turn("running")
            page.add(failure)
            for run_id in page.state.open_runs:
                page.add(live.masked(_run_failed(run_id, live.clock(), message)))
                result = {"type": "error", "error": {"type": "unknown_error", "message": message}}
                page.say("workflow_run.status_ended", {"workflow_run_id": run_id, "result": result})
            for name, thread in page.state.threads.items():
                if thread.status in ("running", "rescheduling"):
                    page.turn("idle", thread=name, stop={"type": "retries_exhausted"})

        live.advance(session_id, work, _fence(session_id, epoch))

    async def _release(self, workspace: str, session_id: str, epoch: int, *, done: bool) -> None:
        again = await self._asked(
            lambda: self._db.write(lambda conn: leases.release(conn, session_id, epoch, done=done))
        )
        if again and done:
            self._engine.wake(workspace, session_id)

    # ------------------------------------------------------------------ folds

    def _fold(self, session_id: str, epoch: int) -> SessionContext | None:
        """The fold of a session as this process left it, if nobody else had the session since."""
        known = self._folds.pop(session_id, None)
        return known[1] if known is not None and known[0] == epoch - 1 else None

    def _remember(self, session_id: str, epoch: int, context: SessionContext) -> None:
        self._folds[session_id] = (epoch, context)
        if len(self._folds) > _REMEMBERED:
            self._folds.popitem(last=False)

    def _plugged(self) -> Plugs:
        if self._plugs is None:
            self._plugs = self._house.plugs()
        return self._plugs

    async def _asked(self, work: Callable[[], T]) -> T:
        """What the database says to ``work``. Where one thread is driven, and the database is a file, it is asked
        here and now: nobody else has to wait meanwhile, and to pass it to a thread and back costs more than
        most transactions. Where there are several, one flush of the disk does for all that wait for it."""
        if sum(run.at_once for run in self._runs) <= 1 and self._db.dialect == "sqlite":
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


class _Dice:
    """Random bytes of the system's, fetched many at a time: every event wants some, and to ask for 16 costs as much
    as to ask for thousands."""

    _MANY: Final = 4_096

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        if self._at + count > len(self._bytes):
            self._bytes, self._at = os.urandom(max(count, self._MANY)), 0
        self._at += count
        return self._bytes[self._at - count : self._at]


class _Threads(ThreadPoolExecutor):
    """Threads that Python ends before it lets us close, at the end of a program that closes nothing itself. Who
    wants one then is broken off: what is under way goes on from the log, next time."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError:
            raise asyncio.CancelledError from None


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """``work`` to its end, also where we are cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _run_failed(run_id: str, at: datetime, why: str) -> NewEvent:
    news = news_json(Ended(at, "error", why, "unknown"))
    return NewEvent("workflow_run.news", {"workflow_run_id": run_id, "news": news}, os.urandom(16).hex())


def _fence(session_id: str, epoch: int) -> Fence:
    def fence(conn: Connection) -> None:
        if not leases.holds(conn, session_id, epoch):
            raise LeaseLost("another worker goes on with this session", where=session_id)

    return fence
