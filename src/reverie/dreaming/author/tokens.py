"""How many tokens a dream will take, said before it begins, and what reading everything would take.

Tokens are counted, not measured: four characters are one, rounded up, as scripted models count them too. A provider's
own count differs by some tens of per cent; what was used is told from its answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from reverie.domain.dreams import Estimate
from reverie.domain.events import event_text
from reverie.dreaming.author.calls import tool_specs
from reverie.dreaming.author.prompts import prompt
from reverie.sessions.log import SessionLog

__all__ = ["allowance", "estimate", "everything", "expected", "requests_for", "standing", "tokens"]

_CHARACTERS: Final = 4
_BATCH: Final = 50
_LOOKED: Final = 700  # tokens of a look at one finding
_WRITTEN: Final = 350  # … of one proposal with its citations
_AT_ONCE: Final = 8  # proposals or looks in one answer
_ENDING: Final = 1


def tokens(text: str | int) -> int:
    """Of a text, or of so many characters."""
    return -(-(text if isinstance(text, int) else len(text)) // _CHARACTERS)


def standing() -> int:
    """What every request begins with: the instructions and the tools."""
    return tokens(prompt("dreamer")) + tokens(json.dumps(tool_specs()))


def requests_for(topics: int) -> int:
    """How many requests a desk of so many topics is expected to take: looks, proposals, an end."""
    return 2 * -(-topics // _AT_ONCE) + _ENDING


def expected(desks: Sequence[tuple[str, int]]) -> tuple[int, int]:
    """(input, output) for desks, each its first message and its number of topics. All that was said before is read
    again with every request."""
    before, read, written = standing(), 0, 0
    for brief, topics in desks:
        before += tokens(brief)
        requests = requests_for(topics)
        grows = topics * (_LOOKED // 2 + _WRITTEN) // requests
        read += requests * before + grows * requests * (requests - 1) // 2
        before += grows * requests
        written += topics * _WRITTEN + requests * 20
    return read, written


def allowance(expected: int) -> int:
    """The most that may be used where nobody said how much, by what is expected."""
    return 2 * expected


def everything(log: SessionLog, sessions: Iterable[str]) -> int:
    """What reading each transcript once would take: all readable text of all events, thoughts left out."""
    wanted, found = list(sessions), 0
    for start in range(0, len(wanted), _BATCH):
        for events in log.events_of(wanted[start : start + _BATCH]).values():
            found += sum(
                tokens(event_text(event.type, event.payload))
                for event in events
                if event.type != "agent.thinking"
            )
    return found


def estimate(log: SessionLog, sessions: Iterable[str], desks: Sequence[tuple[str, int]]) -> Estimate:
    """The estimate of a dream over ``sessions``."""
    read, written = expected(desks)
    return Estimate(read, written, everything(log, sessions))
