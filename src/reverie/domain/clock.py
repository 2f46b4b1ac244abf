"""Time, as it enters the house: a function that gives the present, in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

__all__ = ["Clock", "iso", "iso_or_none", "system_clock", "time_or_none"]

Clock: TypeAlias = Callable[[], datetime]
"""Gives an aware UTC datetime. Tests pass their own."""


def system_clock() -> datetime:
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """``2026-11-22T15:54:00.123456Z``: always six digits, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"  # for +00:00


def iso_or_none(at: datetime | None) -> str | None:
    """``iso``, of a time that may be missing."""
    return None if at is None else iso(at)


def time_or_none(text: str | None) -> datetime | None:
    """The time that ``iso_or_none`` wrote.

    Raises:
        ValueError: it is none.
    """
    return None if text is None else datetime.fromisoformat(text)
