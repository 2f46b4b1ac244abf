"""Converging workflows: steps in an order that sessions come to independently, and that goes with success."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from reverie.domain.events import Json
from reverie.domain.findings import Finding
from reverie.domain.memories import Memory
from reverie.domain.observations import Observation
from reverie.mining.eras import with_eras
from reverie.mining.workflows.choose import ALPHA, MIN_EFFECT, Chooser, Chosen
from reverie.mining.workflows.converge import common_knowledge, converged
from reverie.mining.workflows.outcomes import Outcomes
from reverie.mining.workflows.search import LONGEST, search
from reverie.mining.workflows.sequences import MIN_SOURCES, REACH, encode
from reverie.mining.workflows.tell import STEP, TOPIC, Teller
from reverie.plugins import Corpus

__all__ = ["ConvergingWorkflows"]

LEAST: Final = 5
LEAST_SHARE: Final = 0.01
RESTATES: Final = 0.95
_KIND_OF_FILE: Final = re.compile(r": \.\w+$")

_IDEA: Final = re.compile(rf"^idea:[ \t]*['\"]?{TOPIC}([^'\"\n]+?)['\"]?[ \t]*$", re.M)


class ConvergingWorkflows:
    """Workflows worth following (``plugins.Miner``)."""

    @property
    def name(self) -> str:
        return "workflows"

    @property
    def version(self) -> str:
        return "3"

    def mine(self, corpus: Corpus) -> Iterable[Finding]:
        """Findings in order of weight. Time grows linearly with the number of sessions.

        Where sessions say how they ended, a workflow must go with success within comparable sessions; where
        none does, its order must be more than chance, and several sources must have come to it.
        """
        least = max(LEAST, math.ceil(LEAST_SHARE * len(corpus.observations)))
        if any(o.outcome != "unknown" for o in corpus.observations):
            findings = self._graded(with_eras(corpus.observations, corpus.memories), least)
        else:
            findings = self._ungraded(corpus, least)
        return sorted(findings, key=lambda f: (-f.weight, f.key))

    def _graded(self, observations: Sequence[Observation], least: int) -> list[Finding]:
        restating = _restating(observations)
        sequences = encode(observations, least, leave_out=restating)
        outcomes = Outcomes(sequences.sessions, np.array([len(s) for s in sequences.steps], dtype=np.int64))
        if not outcomes.testable:
            return []
        found = search(sequences, least, outcomes)
        parameters = self._parameters(least) | {
            "alpha": ALPHA,
            "least_effect": MIN_EFFECT,
            "patterns_tested": sum(found.tested.values()),
            "search_cut": found.cut,
            "left_out_as_restating_the_outcome": sorted(restating),
        }
        teller = Teller(self.name, self.version, parameters, sequences)
        chosen = Chooser(sequences, found, outcomes).choose()
        once = _once_a_kind_of_file(chosen, sequences.actions)
        return [teller.graded(workflow, outcomes, found.order) for workflow in once]

    def _ungraded(self, corpus: Corpus, least: int) -> list[Finding]:
        sequences = encode([_telling(o) for o in corpus.observations], least)
        found = search(sequences, least, None)
        parameters = self._parameters(least) | {"least_sources": MIN_SOURCES, "search_cut": found.cut}
        teller = Teller(self.name, self.version, parameters, sequences)
        known = _known_since(corpus.memories)
        return [teller.ungraded(workflow) for workflow in converged(sequences, found.candidates, known)]

    def _parameters(self, least: int) -> dict[str, Json]:
        return {"least_sessions": least, "reach": REACH, "longest": LONGEST}


def _once_a_kind_of_file(chosen: Iterable[Chosen], actions: Sequence[str]) -> list[Chosen]:
    """The strongest of those that are the same steps on files of other kinds: told twice it is no more."""
    kept: dict[tuple[str, ...], Chosen] = {}
    for one in chosen:
        kept.setdefault(tuple(_KIND_OF_FILE.sub("", actions[step]) for step in one.pattern), one)
    return list(kept.values())


def _telling(o: Observation) -> Observation:
    """The session without the calls that any agent makes unasked."""
    return replace(o, calls=tuple(c for c in o.calls if not common_knowledge(c)))


def _restating(observations: Iterable[Observation]) -> frozenset[str]:
    """Actions that happen when a session succeeds and only then ("send the receipt"): they say how it ended."""
    known = [o for o in observations if o.outcome != "unknown"]
    ended, went_well = Counter[str](), Counter[str]()
    for o in known:
        actions = {c.action for c in o.calls if c.ran}
        ended.update(actions)
        if o.outcome == "success":
            went_well.update(actions)
    successes = sum(o.outcome == "success" for o in known)
    return frozenset(
        action
        for action, n in ended.items()
        if went_well[action] >= RESTATES * n
        and successes - went_well[action] <= (1 - RESTATES) * (len(known) - n)
        and min(n, len(known) - n) >= LEAST
    )


def _known_since(memories: Iterable[Memory]) -> Mapping[tuple[str, ...], datetime]:
    """Workflows that memory holds, and since when."""
    return {
        tuple(found[1].split(STEP)): m.updated_at
        for m in memories
        if (found := _IDEA.search(m.content)) is not None
    }
