"""The courier: takes what is due to its endpoints, many at once, so that nobody waits for a slow one."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import AddressRefused, ReverieError, Unanswered
from reverie.domain.webhooks import Attempt
from reverie.domain.workspaces import EVERYWHERE
from reverie.storage import deliveries as rows
from reverie.storage.database import Database
from reverie.workspaces.outbound import Outbound
from reverie.workspaces.webhooks import Parcel, Webhooks, headers

__all__ = ["Courier"]

_log: Final = logging.getLogger("reverie.webhooks")
_LOOK: Final = 0.25  # seconds between looks
_BREATH: Final = 0.01
_GRACE: Final = 2.0  # seconds for what is in flight when the courier stops
_SWEEP: Final = timedelta(hours=1)


class Courier:
    """Delivers for every workspace of a database. Several may run at once, in this process or others.

    Args:
        webhooks: The service of a workspace.
        outbound: Makes what requests are sent with; the courier closes it.
        clock: Gives the present, in UTC.
    """

    def __init__(
        self,
        db: Database,
        webhooks: Callable[[str], Webhooks],
        outbound: Callable[[], Outbound],
        *,
        clock: Clock,
    ) -> None:
        self._everywhere = db.scoped(EVERYWHERE)
        self._webhooks = webhooks
        self._new_outbound = outbound
        self._clock = clock
        self._busy: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._swept = clock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    # ------------------------------------------------------------------ in the background

    def start(self) -> None:
        """Work in a thread until ``stop``."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="reverie-courier", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, and give the attempts in flight two seconds: what they leave open is due again
        when their lease has ended. Idempotent."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        asyncio.run(self._go_on())

    async def _go_on(self) -> None:
        outbound = self._new_outbound()
        try:
            while not self._stopping.is_set():
                try:
                    await self._look(outbound)
                except ReverieError as error:  # a database that is away comes back
                    _log.warning("webhooks wait: %s", error.what)
                await self._until_next()
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=_GRACE)
        finally:
            await self._break_off()
            await outbound.aclose()

    async def _until_next(self) -> None:
        """Wait until an attempt has ended, and so a place is free, or for a quarter of a second."""
        pause = asyncio.create_task(asyncio.sleep(_LOOK))
        await asyncio.wait({pause, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        if self._tasks:
            await asyncio.sleep(_BREATH)  # those that end together are followed by one look
        pause.cancel()

    async def _break_off(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------ one look

    async def deliver(self) -> int:
        """Attempt everything that is due, and what becomes due meanwhile, until nothing is. How many
        attempts that took. For those who keep their own time."""
        outbound = self._new_outbound()
        attempts = 0
        try:
            while begun := await self._look(outbound):
                attempts += begun
                await self._arrived()
            return attempts
        finally:
            await outbound.aclose()

    async def _look(self, outbound: Outbound) -> int:
        """Begin an attempt for everything that is due and has a free place; how many were begun."""
        begun = 0
        for workspace in await asyncio.to_thread(self._due):
            service = self._webhooks(workspace)
            for parcel in await asyncio.to_thread(service.take, dict(self._busy)):
                self._begin(service, parcel, outbound)
                begun += 1
            if self._clock() - self._swept > _SWEEP:
                self._swept = self._clock()
                await asyncio.to_thread(service.sweep)
        return begun

    def _due(self) -> list[str]:
        with self._everywhere.read() as conn:
            return rows.workspaces_due(conn, self._clock())

    def _begin(self, service: Webhooks, parcel: Parcel, outbound: Outbound) -> None:
        self._busy[parcel.delivery.webhook_id] += 1
        task = asyncio.create_task(self._attempt(service, parcel, outbound))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _arrived(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _attempt(self, service: Webhooks, parcel: Parcel, outbound: Outbound) -> None:
        try:
            attempt = await self._send(parcel, outbound)
            await asyncio.to_thread(service.settle, parcel, attempt)
        except ReverieError as error:  # it is due again when the lease ends
            _log.warning("the outcome of %s was not kept: %s", parcel.delivery.id, error.what)
        finally:
            self._busy[parcel.delivery.webhook_id] -= 1

    async def _send(self, parcel: Parcel, outbound: Outbound) -> Attempt:
        began = self._clock()
        status: int | None = None
        error: str | None = None
        refused = False
        try:
            reply = await outbound.send(
                "POST",
                parcel.url,
                headers=headers(parcel, began),
                content=parcel.delivery.payload.encode(),
            )
            status = reply.status
            error = None if 200 <= status < 300 else f"HTTP {status}"
        except AddressRefused as refusal:
            error, refused = str(refusal), True
        except Unanswered as silence:
            error = silence.what
        ended = self._clock()
        return Attempt(ended, status, error, (ended - began) // timedelta(milliseconds=1), refused)
