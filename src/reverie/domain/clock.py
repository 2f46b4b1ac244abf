"""Time, as it enters the house: a function that gives the present, in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

__all__ = ["Clock", "iso", "system_clock"]

Clock: TypeAlias = Callable[[], datetime]
"""Gives an aware UTC datetime. Tests pass their own."""


def system_clock() -> datetime:
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """``2026-11-22T15:54:00.123456Z``: always six digits, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"  # for +00:00
