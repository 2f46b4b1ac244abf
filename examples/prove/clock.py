"""The time of a world. It belongs to the tasks and not to the machine, so that the same seed has the same hours and days."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

__all__ = ["WorldClock", "in_turn"]

T = TypeVar("T")
P = TypeVar("P")

_MOMENT: Final = timedelta(milliseconds=1, microseconds=113)
_START: Final = datetime(2026, 1, 5, tzinfo=UTC)
_SLOT: Final = timedelta(minutes=20)


class WorldClock:
    """It goes on a moment each time somebody looks, and is set to where a task begins.

    How often somebody looks depends on threads and on the machine; at which time a task begins does not.
    """

    def __init__(self, moment: timedelta = _MOMENT) -> None:
        self._at = _START
        self._moment = moment
        self._door = threading.Lock()

    def __call__(self) -> datetime:
        with self._door:
            self._at += self._moment
            return self._at

    def set(self, hour: int, minute: int, late: timedelta) -> None:
        """Go on to that time of the day: tomorrow's where today's hour, or more than ``late``, has passed since; where
        less has, stay where it is now."""
        with self._door:
            at = self._at.replace(hour=hour, minute=minute, second=0, microsecond=0)
            if at + late < self._at or hour < self._at.hour:
                at += timedelta(days=1)
            self._at = max(at, self._at)

    def slot(self) -> None:
        """Go on to the next twenty minutes."""
        with self._door:
            self._at = _START + ((self._at - _START) // _SLOT + 1) * _SLOT


async def in_turn(clock: WorldClock, tasks: Iterable[T], play: Callable[[T], Awaitable[P]]) -> list[P]:
    """Play tasks one after the other, each at a time of its own."""
    played: list[P] = []
    for task in tasks:
        clock.slot()
        played.append(await play(task))
    return played
