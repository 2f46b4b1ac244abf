"""What a run is busy with, and what makes it look up: an interrupt ends what is under way on its threads, and
whatever else happens in the session wakes those that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

from reverie.domain.events import JsonObject
from reverie.runtime.context import SessionContext, ThreadContext
from reverie.storage.events import Link

__all__ = ["Attention", "Interrupted", "broken_off", "together"]

T = TypeVar("T")
_OTHERS: Final = (
    "user.",
    "workflow_run.",
    "session.updated",
    "session.thread_updated",
)  # what may be written by somebody else


class Interrupted(Exception):
    """A person interrupted the thread."""


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each of them gives, done side by side; where one raises, the others are broken off first."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await broken_off(tasks)


async def broken_off(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Every one of them ended, where it has not come to its end by itself."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Attention:
    """Listens to the feed of one session for its run. ``read`` folds what is new in the log."""

    def __init__(self, context: SessionContext, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._context = context
        self._read = read
        self._loop = asyncio.get_running_loop()
        self._busy: dict[str, asyncio.Task[Any]] = {}
        self._news: asyncio.Task[None] | None = None
        self._again = False
        self._waiting: set[asyncio.Event] = set()

    # ------------------------------------------------------------------ the feed's listener

    def appended(self, links: Sequence[Link]) -> None:
        if any(link.type.startswith(_OTHERS) for link in links):
            self.changed()

    def changed(self) -> None:
        self._loop.call_soon_threadsafe(self._look)

    def previewed(self, thread: str, preview: JsonObject) -> None:
        """Our own."""

    def deleted(self) -> None:
        """The next write will say so."""

    def _look(self) -> None:
        self._again = True
        if self._news is None or self._news.done():
            self._news = self._loop.create_task(self._look_up())

    async def _look_up(self) -> None:
        while self._again:
            self._again = False
            await self._read()

    def close(self) -> None:
        """Look up no more."""
        if self._news is not None:
            self._news.cancel()

    # ------------------------------------------------------------------ the fold has changed

    def told(self) -> None:
        """The fold has changed: what an interrupted thread is about ends, and whoever waits looks again."""
        for changed in self._waiting:
            changed.set()
        for thread in self._context.threads.values():
            if thread.interrupted:
                for key, task in self._busy.items():
                    if key.startswith(f"{thread.name}\0"):
                        task.cancel()

    def listen(self) -> asyncio.Event:
        """An event that is set whenever the fold has changed, until ``unlisten``."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        return changed

    def unlisten(self, changed: asyncio.Event) -> None:
        """Set it no more."""
        self._waiting.discard(changed)

    async def until(self, enough: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``enough``, at most ``seconds``; whether it came to that."""
        changed = self.listen()
        try:
            async with asyncio.timeout(seconds):
                while not enough():
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return enough()
        finally:
            self.unlisten(changed)
        return True

    async def interruptible(
        self, thread: ThreadContext, work: Awaitable[T] | Coroutine[Any, Any, T], key: str = ""
    ) -> T:
        """``work``, unless a person interrupts the thread meanwhile.

        Raises:
            Interrupted: one did.
        """
        name = f"{thread.name}\0{key}"
        task = self._busy[name] = asyncio.ensure_future(work)
        try:
            if thread.interrupted:
                task.cancel()
            return await task
        except asyncio.CancelledError:
            if thread.interrupted and (current := asyncio.current_task()) and not current.cancelling():
                raise Interrupted from None
            task.cancel()
            raise
        finally:
            del self._busy[name]
