"""What an engine is: it sees to it that somebody works where there is work, and never two at once.

The log of a session is its only checkpoint. An engine knows no progress, only that there is something to do;
what it runs begins with the log, and is run again whenever that was broken off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

__all__ = ["Engine", "Work"]

Work: TypeAlias = Callable[[str, str], Awaitable[None]]
"""``await work(workspace, session_id)``: claim the session (``storage.leases.claim``, as ``Engine.worker``), do
what there is to do, release it, and wake it again where ``release`` says so. Returns at once where somebody
else has it. It is cancelled when the engine
closes or has been given up for dead; whoever comes next goes on. An error that it raises is logged; the session
is taken up again, ever more patiently."""


class Engine(Protocol):
    """Runs sessions in this process, and passes on what other processes are to run."""

    @property
    def worker(self) -> str:
        """The name by which this process claims sessions."""
        ...

    def start(self, work: Work, *, at_once: int) -> None:
        """Begin to work: at most ``at_once`` sessions at a time in this process.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        ...

    def wake(self, workspace: str, session_id: str) -> None:
        """There is something to do. From any thread, any number of times; returns at once. A session that is
        being worked on is run again after that. Where this process does not work (``start`` was not called),
        another one hears of it."""
        ...

    def loop(self) -> asyncio.AbstractEventLoop:
        """Where work runs: a loop in a thread of its own."""
        ...

    def close(self, *, grace_s: float) -> None:
        """Take nothing more, cancel what runs and wait so long for it to end, let everything go. Again is
        harmless."""
        ...
