"""How a session that is run here ended, as far as anybody says so: the label that dreams learn from.

A person outranks a verdict on a defined outcome, which outranks the way the last turn ended. Among equals
the last word counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reverie.domain.events import JsonObject
from reverie.domain.sessions import PERSON, Outcome, OutcomeLabel

__all__ = ["EXIT", "VERDICT", "of_exit", "of_verdict", "stands"]

EXIT: Final = "exit"
VERDICT: Final = "verdict"

_RANKS: Final[Mapping[str | None, int]] = {EXIT: 1, VERDICT: 2, PERSON: 3}
_VERDICTS: Final[Mapping[object, OutcomeLabel]] = {
    "satisfied": "success",
    "failed": "failure",
    "max_iterations_reached": "failure",
}


def stands(said: Outcome, known: Outcome) -> bool:
    """Whether ``said`` takes the place of what is ``known``: it is something else, and no lesser word."""
    if said.source == EXIT and said.label == known.label:
        return False  # how a turn ended is no news where nothing better is known
    return said != known and _RANKS.get(said.source, 0) >= _RANKS.get(known.source, 0)


def of_verdict(result: object) -> Outcome | None:
    """What the end of an evaluation says; None where it is not the last, or nothing was judged."""
    label = _VERDICTS.get(result)
    return None if label is None else Outcome(label, None, VERDICT)


def of_exit(status: str, stop: JsonObject | None) -> Outcome | None:
    """What the end of a turn says. Giving up is failure; to have ended says nothing (an agent stops when it
    believes that it is done), but takes back that a turn before gave up. Waiting is no end."""
    kind = None if stop is None else stop.get("type")
    if status == "terminated" or kind == "retries_exhausted":
        return Outcome("failure", None, EXIT)
    ended = status == "idle" and kind != "requires_action"
    return Outcome("unknown", None, EXIT) if ended else None
