"""Models that write dreams, for ``test_dreams_written``: a careful one, behind a door that a test may stand at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reverie.domain.messages import ModelRequest
from reverie.testing.dreamer import careful

__all__ = ["DOOR", "broken", "watched"]

DOOR: list[Callable[[ModelRequest], object]] = []
"""What is called before each answer."""


def watched(request: ModelRequest) -> Any:
    """Careful, once nobody stands at the door."""
    for visit in DOOR:
        visit(request)
    return careful(request)


def broken(request: ModelRequest) -> Any:
    """It says nothing of use, however often it is asked."""
    return "I would rather talk about the weather."
