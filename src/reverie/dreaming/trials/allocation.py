"""Which task to replay next: the one whose pairs are most likely to differ, asked least so far.

A task that always succeeds, or never, says nothing in a pair; half the tasks of a held-out set are often like that.
So pairs go to tasks in proportion to the square of p(1 − p), p being the task's success rate over **both** arms. That looks at
how often the replays of a task succeed and never at which side won, so an edit that does nothing still wins each
differing pair with probability one half, and the plan's errors stay exact. (Neyman 1934 allocated to strata by
their spread; that one may learn the spread on the way is Robbins 1952.)

What is bought with it: the average is one over lively tasks. An edit that helps those and breaks tasks that always
succeeded is found out only as far as the broken ones have become lively; ask all tasks alike where that is feared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reverie.domain.errors import Invalid
from reverie.dreaming.trials.pairs import Pair

__all__ = ["next_task", "urgency"]

Floats = NDArray[np.float64]
PRIOR: Final = 0.5
"""Jeffreys' prior: a task of which nothing is known is about as worth asking as one that has always ended alike once."""
SHARPNESS: Final = 2.0
"""Pairs go by the spread to this power: 0 asks all alike, a large number only the liveliest task."""

HEAD_START: Final = 0.25
"""Small enough that every task is asked once before any is asked twice."""


def urgency(good: Floats, pairs: Floats) -> Floats:
    """How much a task is to be asked next; the greatest is next.

    ``good``: successes of both arms together, at most twice ``pairs``; any shape, the same for both.
    """
    a, b = good + PRIOR, 2 * pairs - good + PRIOR
    spread = a * b / ((a + b) * (a + b + 1))
    return spread**SHARPNESS / (pairs + HEAD_START)


def next_task(tasks: Sequence[str], done: Sequence[Pair]) -> str:
    """The task to replay next, after these pairs; the first of those that are alike. Raises ``Invalid``."""
    if not tasks:
        raise Invalid("tasks", "at least one", 0)
    place = {task: i for i, task in enumerate(tasks)}
    good, pairs = np.zeros(len(tasks)), np.zeros(len(tasks))
    for pair in done:
        if pair.task in place:
            good[place[pair.task]] += pair.with_edit + pair.without
            pairs[place[pair.task]] += 1
    return tasks[int(np.argmax(urgency(good, pairs)))]
