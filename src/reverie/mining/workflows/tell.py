"""From a workflow to a finding: the claim, its figures, the places that show it and those against it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from reverie.domain.events import Json
from reverie.domain.findings import Citation, Comparison, Effect, Finding
from reverie.domain.ids import derived_id
from reverie.mining.evidence import MAX_COUNTER_EVIDENCE, Sighting, chosen, counted, counts_of, plural
from reverie.mining.phrasing import capital
from reverie.mining.statistics import Table, compare, compare_within
from reverie.mining.workflows.choose import Chosen
from reverie.mining.workflows.converge import Converged
from reverie.mining.workflows.outcomes import Outcomes
from reverie.mining.workflows.search import Order
from reverie.mining.workflows.sequences import Array, Sequences, indices, matched
from reverie.mining.workflows.words import occasion_of, told

__all__ = ["STEP", "TOPIC", "Teller"]

TOPIC: Final = "workflow:"
STEP: Final = " → "

SHOWN: Final = 3
UNGRADED: Final = 0.3
"""What an order that nobody graded weighs against one that goes with success."""


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes findings in the name of a miner."""

    miner: str
    version: str
    parameters: Mapping[str, Json]
    sequences: Sequences

    def graded(self, workflow: Chosen, outcomes: Outcomes, order: Order) -> Finding:
        """The finding for a workflow that goes with success."""
        members = workflow.sessions
        story = _Story(self.sequences, workflow.pattern, members, members & outcomes.success)
        effect = _effect(outcomes, members)
        seen = effect.within or effect.raw
        pairs = zip(workflow.pattern, workflow.pattern[1:], strict=False)
        return self._finding(
            story,
            f"{story.heading}: {_rates(effect)} ({story.counted})",
            {"order": [list(order.tally(a, b)) for a, b in pairs], "order_settled": workflow.ordered},
            effect,
            story.weight * (1 + (seen.difference if seen else 0.0)),
            (workflow.p_value, workflow.p_adjusted),
            story.against(members & outcomes.known & ~outcomes.success, outcomes),
        )

    def ungraded(self, workflow: Converged) -> Finding:
        """The finding for a workflow that several sources came to and nobody graded."""
        story = _Story(self.sequences, workflow.pattern, workflow.sessions, workflow.sessions)
        sources = plural(workflow.sources, workflow.kind)
        return self._finding(
            story,
            f"{story.heading}: {sources} of {workflow.of_sources} that take these steps came to this order on their own "
            f"({story.counted}); whether it helps is not known",
            {
                "sources": workflow.kind,
                "agreeing": workflow.sources,
                "of": workflow.of_sources,
                "p_sources": workflow.p_sources,
            },
            Effect(note="no session says how it ended: whether the order helps is not known"),
            story.weight * UNGRADED,
            (workflow.p_value, workflow.p_adjusted),
            story.against(~workflow.sessions, None),
        )

    def _finding(
        self,
        story: _Story,
        claim: str,
        figures: Mapping[str, Json],
        effect: Effect,
        weight: float,
        p: tuple[float, float],
        counter: tuple[Citation, ...],
    ) -> Finding:
        key = f"{self.miner}:{story.idea}"
        evidence = story.evidence()
        times = sorted(s.at for steps in story.places for s in steps if s.at is not None)
        return Finding(
            id=derived_id("find", key, self.version, repr((claim, effect, p, evidence, counter))),
            key=key,
            kind="workflow",
            nature="behaviour",
            claim=claim,
            statement=story.statement() | dict(figures),
            miner=self.miner,
            miner_version=self.version,
            parameters=self.parameters,
            counts=story.counts,
            effect=effect,
            p_value=p[0],
            p_adjusted=p[1],
            first_seen=times[0] if times else None,
            last_seen=times[-1] if times else None,
            evidence=evidence,
            counter_evidence=counter,
            origins=story.occasion.origins,
            sessions=tuple(sorted({steps[0].observation.session_id for steps in story.places})),
            weight=round(weight, 4),
        )


class _Story:
    """What is said of a workflow whether graded or not. ``best`` marks the sessions to show first."""

    def __init__(self, sequences: Sequences, pattern: Sequence[int], members: Array, best: Array) -> None:
        self.sequences = sequences
        self.members = members
        self.best = best
        self.actions = [sequences.actions[a] for a in pattern]
        self.places = self._places(members)
        self.counts = counts_of([steps[0] for steps in self.places], len(sequences.sessions))
        first = sequences.steps[indices(members)[0]]
        calls = [first[at] for at in matched(first, self.actions)]
        self.steps = told(calls)
        self._trigger = f"before you {told(calls[-1:])[0]}"
        self.heading = capital(", then ".join(self.steps))
        self.occasion = occasion_of(sequences.sessions, members)

    @property
    def idea(self) -> str:
        """The steps as one line, without what would end a line of front matter early."""
        return STEP.join(" ".join(re.sub(r"['\"]", "", action).split()) for action in self.actions)

    @property
    def counted(self) -> str:
        return counted(self.counts)

    @property
    def weight(self) -> float:
        """More sessions, more users (or agents): as other miners weigh it."""
        sources = max(self.counts.users, self.counts.agents)
        return math.log2(1 + self.counts.sessions) * (1 + 0.25 * min(max(sources - 1, 0), 4))

    def statement(self) -> dict[str, Json]:
        clause = self.occasion.clause
        found: dict[str, Json] = {
            "topic": f"{TOPIC}{self.idea}",
            "steps": list(self.actions),
            "title": self.heading,
            "advice": self._advice(),
            "when": clause or self._trigger,
        }
        repositories = {steps[0].observation.repository for steps in self.places}
        if len(repositories) == 1 and None not in repositories:
            found["scope"] = {"repository": next(iter(repositories))}
        return found

    def _advice(self) -> str:
        """``When …, call `a`, then `b`.`` or, where nothing tells when, ``Before you call `b`, call `a`.``"""
        clause, steps = self.occasion.clause, self.steps
        if not clause:
            clause, steps = self._trigger, self.steps[:-1]
        return capital(f"{clause}, {', then '.join(steps)}.")

    def evidence(self) -> tuple[Citation, ...]:
        """Every step of up to three sessions, those that went well first."""
        well = self._places(self.best)
        return _cited(well or self.places)

    def against(self, mask: Array, outcomes: Outcomes | None) -> tuple[Citation, ...]:
        """The steps where they were followed and failed; if none, where comparable sessions did without."""
        followed = self._places(mask)
        if followed:
            return _cited(followed)
        others = ~self.members
        if outcomes is not None:
            comparable = np.isin(outcomes.strata.code, outcomes.strata.code[self.members])
            others = others & outcomes.success & comparable
        return chosen(self._anything_of(others), MAX_COUNTER_EVIDENCE)

    def _places(self, mask: Array) -> list[list[Sighting]]:
        """For each of the sessions that takes all steps: where it takes them."""
        found: list[list[Sighting]] = []
        for i in indices(mask):
            o, steps = self.sequences.sessions[i], self.sequences.steps[i]
            places = [Sighting(o, steps[at].at, steps[at].use) for at in matched(steps, self.actions)]
            if places:
                found.append(places)
        return found

    def _anything_of(self, mask: Array) -> list[Sighting]:
        """Where sessions without the workflow take its last step, or any of its steps; else how they begin."""
        found: list[Sighting] = []
        for i in indices(mask):
            steps = self.sequences.steps[i]
            call = max(steps, key=lambda c: self.actions.index(c.action) if c.action in self.actions else -1)
            found.append(Sighting(self.sequences.sessions[i], call.at, call.use))
        return found


def _cited(places: Sequence[Sequence[Sighting]]) -> tuple[Citation, ...]:
    """Every step of up to three of the sessions, users in turn."""
    by_session = {steps[0].observation.session_id: steps for steps in places}
    return tuple(
        Citation(picked.session_id, step.span)
        for picked in chosen([steps[0] for steps in places], SHOWN)
        for step in by_session[picked.session_id]
        if step.span.end > step.span.start
    )


def _effect(outcomes: Outcomes, members: Array) -> Effect:
    everyone = np.ones(len(members), dtype=bool)
    tables = outcomes.tables(members, everyone)
    raw = compare(
        Table(*(sum(column) for column in zip(*((t.a, t.n, t.b, t.m) for t in tables), strict=True)))
    )
    name = outcomes.strata.name
    within = None if name is None else compare_within(tables)
    note = (
        "no task and no like request is known: the raw figure may be difficulty alone"
        if name is None
        else None
    )
    return Effect(raw, within, name if within else None, note)


def _rates(effect: Effect) -> str:
    """``succeeds in 45 of 50 sessions, others in 70 of 150; +31 points within 12 comparable tasks``."""
    raw, within = effect.raw, effect.within
    text = "goes with success" if raw is None else _two_rates(raw)
    if within is not None:
        text += f"; {round(100 * within.difference):+d} points within {plural(within.strata, f'comparable {effect.stratified_by}')}"
    return text


def _two_rates(raw: Comparison) -> str:
    return (
        f"{raw.with_.successes} of {plural(raw.with_.total, 'session')} with these steps in this order succeeded, "
        f"{raw.without.successes} of {raw.without.total} without"
    )
