"""How a source says that a run went well: rewards, flags, words. What is not said stays unknown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from reverie.domain.events import Json
from reverie.domain.sessions import Outcome, OutcomeLabel

__all__ = ["explicit", "finite", "from_flag", "from_reward", "from_word"]

_WORDS: Final[Mapping[str, OutcomeLabel]] = {
    **dict.fromkeys(
        ("success", "successful", "succeeded", "pass", "passed", "resolved", "correct", "solved"),
        "success",
    ),
    **dict.fromkeys(
        ("failure", "failed", "fail", "unresolved", "incorrect", "wrong", "unsolved"),
        "failure",
    ),
    "unknown": "unknown",
}
_FLAGS: Final = ("success", "passed", "resolved", "is_correct", "correct", "solved")
_LABELS: Final = ("outcome", "label", "verdict", "result")


def finite(value: Json) -> float | None:
    """A finite number (no boolean) as a float."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def from_reward(value: Json, source: str = "reward") -> Outcome | None:
    """A reward of 1 (or more) is success, less is failure, as agent benchmarks mean it."""
    if isinstance(value, bool):
        value = float(value)
    reward = finite(value)
    if reward is None:
        return None
    return Outcome("success" if reward >= 1.0 - 1e-9 else "failure", reward, source)


def from_flag(value: Json, source: str) -> Outcome | None:
    """True is success, False is failure."""
    return Outcome("success" if value else "failure", None, source) if isinstance(value, bool) else None


def from_word(value: Json, source: str) -> Outcome | None:
    """``passed``, ``failed``, ``resolved``, …; None for a word that does not say."""
    label = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    return Outcome(label, None, source) if label is not None else None


def explicit(record: Mapping[str, Json]) -> Outcome | None:
    """What a record says about its own success, under the names people use for that.

    A word (``outcome``, ``label`` …) counts before a flag (``success``, ``passed`` …), a flag before a
    reward; a bare ``score`` is kept without a label, because nobody knows what it counts.
    """
    score = finite(record.get("score"))
    reward = from_reward(record.get("reward"))
    labelled = next(_labels(record), reward)
    if labelled is None:
        return Outcome("unknown", score, "score") if score is not None else None
    kept = score if score is not None else reward.score if reward is not None else labelled.score
    return Outcome(labelled.label, kept, labelled.source)


def _labels(record: Mapping[str, Json]) -> Iterator[Outcome]:
    for key in _LABELS:
        value = record.get(key)
        found = from_flag(value, key) or from_word(value, key)
        if found is not None:
            yield found
    for key in _FLAGS:
        found = from_flag(record.get(key), key)
        if found is not None:
            yield found
