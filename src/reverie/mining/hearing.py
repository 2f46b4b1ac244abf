"""Whose idea an argument was: whether its value stood anywhere before the call was made.

A value that stood in the request, in a result, or in another agent's message was given to the agent: it belongs to
the situation. One that stood nowhere is the agent's own, and so is what it says again after it was echoed back.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reverie.domain.events import Scalar

__all__ = ["Hearing", "tells"]

WINDOW: Final = 32_768
"""Characters of a thread's latest texts that are looked through, besides what it heard first: what is older costs
more to look through, the longer a session is."""
FIRST: Final = 8_192
SHORTEST: Final = 2
LONGEST: Final = 40
"""What is longer is a text, not a choice."""

_SHORT_DECIMAL: Final = re.compile(r"-?\d?\d\.\d")


def tells(value: Scalar) -> bool:
    """Whether to find this value in a text means anything: 0, 4 and true stand everywhere, a long text nowhere."""
    return _written(value) is not None


def _written(value: Scalar) -> str | None:
    """How a value stands in a text; None for what would be found in any."""
    if value is None or isinstance(value, bool):
        return None
    text = f"{value:.10g}" if isinstance(value, float) else str(value).strip()
    return text if SHORTEST <= len(text) <= LONGEST else None


@dataclass(slots=True)
class _Texts:
    """What one thread was told: the beginning, and the latest."""

    first: str = ""
    latest: deque[str] = field(default_factory=deque[str])
    chars: int = 0

    def add(self, text: str) -> None:
        text = text[:WINDOW]
        if not self.first:
            self.first = text[:FIRST]
        self.latest.append(text)
        self.chars += len(text)
        while self.chars > WINDOW and len(self.latest) > 1:
            self.chars -= len(self.latest.popleft())

    def holds(self, wanted: str, name: str) -> bool:
        """Whether a value stands here; a short decimal number stands anywhere, so with its name alone."""
        anywhere = _SHORT_DECIMAL.fullmatch(wanted) is not None
        return any(
            _stands(wanted, text) and (not anywhere or name in text) for text in (self.first, *self.latest)
        )


@dataclass(slots=True)
class Hearing:
    """One session, while its events go by. Time is linear in them: texts are looked through in a window."""

    _threads: dict[str, _Texts] = field(default_factory=lambda: defaultdict(_Texts))
    _said: set[str] = field(default_factory=set[str])

    def hear(self, thread: str, text: str) -> None:
        """A thread is told something that its agent did not write."""
        self._threads[thread].add(text)

    def own(self, thread: str, arguments: Mapping[str, Scalar]) -> tuple[str, ...]:
        """The arguments of a call whose values are the agents' own: they said them before anybody else did."""
        told = self._threads[thread]
        found: list[str] = []
        for name, value in arguments.items():
            wanted = _written(value)
            if wanted is not None and (wanted in self._said or not told.holds(wanted, name)):
                self._said.add(wanted)
                found.append(name)
        return tuple(found)


def _stands(wanted: str, text: str) -> bool:
    """Whether a text holds a value as a word or number of its own."""
    at = text.find(wanted)
    return at >= 0 and re.search(rf"(?<![\w.]){re.escape(wanted)}(?!\w|\.\d)", text[at:]) is not None
