"""Before adoption: what the replays of held-out tasks, with an edit and without, say so far.

Make a plan (``design.plan_for``) and toss its coin (``assignment.toss``) before the first replay; then replay pairs
until the standing is no longer "go on". The limits on error hold for this rule and not for one that replays a
little more because the answer was not liked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reverie.dreaming.trials.plans import Plan

__all__ = ["Decision", "Pair", "Standing", "stand"]


class Decision(StrEnum):
    """What to do next."""

    ADOPT = "adopt"
    GIVE_UP = "give up"
    GO_ON = "go on"


@dataclass(frozen=True, slots=True)
class Pair:
    """One task replayed twice, with the edit and without; whether each replay succeeded."""

    task: str
    with_edit: bool
    without: bool

    @property
    def differs(self) -> bool:
        """One of the two succeeded."""
        return self.with_edit != self.without


@dataclass(frozen=True, slots=True)
class Standing:
    """The decision and the counts it was taken on: pairs used (two replays each), those that the edit won and lost."""

    decision: Decision
    pairs: int
    wins: int
    losses: int


def stand(plan: Plan, pairs: Sequence[Pair], coin: float = 1.0) -> Standing:
    """Where the plan stands after these pairs, in the order in which they were begun.

    Pairs after the one that decided are not counted: a decision is not taken back. ``coin``: a number from [0, 1)
    tossed beforehand; the default never adopts on the edge, which keeps both limits and is a little less powerful.
    """
    wins = differing = 0
    for used, pair in enumerate(pairs[: plan.pairs], 1):
        differing += pair.differs
        wins += pair.differs and pair.with_edit
        decision = _decided(plan, used, differing, wins, coin)
        if decision is not Decision.GO_ON:
            return Standing(decision, used, wins, differing - wins)
    return Standing(Decision.GO_ON, min(len(pairs), plan.pairs), wins, differing - wins)


def _decided(plan: Plan, used: int, differing: int, wins: int, coin: float) -> Decision:
    if wins >= plan.adopt[differing]:
        return Decision.ADOPT
    if wins <= plan.drop[differing]:
        return Decision.GIVE_UP
    if used < plan.pairs and differing < plan.last:
        return Decision.GO_ON
    edge = plan.edge[differing]
    on_edge = wins == edge and coin < plan.coin[differing]
    return Decision.ADOPT if wins > edge or on_edge else Decision.GIVE_UP
