"""A better choice, told as a finding: what to do, in which circumstances, and what happened to those who did not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import log2
from typing import Final

import numpy as np

from reverie.domain.events import Json, Scalar
from reverie.domain.findings import Effect, Finding
from reverie.mining.conditional.arrays import Ints
from reverie.mining.conditional.choices import ALPHA, Better
from reverie.mining.conditional.comparing import table
from reverie.mining.conditional.telling import (
    choice_advice,
    choice_claim,
    choice_title,
    conditions_of,
    occasion_of,
)
from reverie.mining.evidence import Claim
from reverie.mining.statistics import compare

__all__ = ["choice_finding", "say"]

_ORDER: Final = {"not": "==", "is": "==", ">=": ">=", "<": "<", "before": "before"}


def choice_finding(better: Better, miner: str, version: str) -> Finding:
    """The finding: its evidence are the failures without the choice, its counter-evidence what went wrong with it."""
    question, option = better.question, better.option
    circumstances = "&".join(
        sorted(str(c.attribute) + (f"={c.label}" if c.kind == "category" else "") for c in better.clauses)
    )
    against = np.flatnonzero(better.rows & option.rows & question.happened)
    claim = Claim(
        kind="conditional_pattern",
        idea=f"{question.key}:choose:{option.mark}:{circumstances}",
        nature="behaviour",
        text=choice_claim(
            _subject(better), better.clauses, option, better.having, better.without, question.kind
        ),
        statement=_statement(better),
        sightings=question.sightings(better.failed_rows),
        of_sessions=better.without.rows,
        counter=question.sightings(against if len(against) else better.well_rows),
        effect=Effect(compare(table(better.having, better.without))),
        origins=("agent", "tool"),
        weight=_weight(better),
        p_value=better.p_value,
        p_adjusted=better.p_adjusted,
    )
    parameters: dict[str, Json] = {"alpha": ALPHA, "comparisons": better.searched}
    found = claim.finding(miner, version, parameters)
    return replace(
        found, conditions=conditions_of(better.clauses), synonyms=tuple(o.name for o in better.same_here)
    )


def say(better: Better) -> Scalar:
    """A value that went well: the most frequent label, the middle number; None where there is nothing to say."""
    option = better.option
    if option.how in ("is", "before"):
        return None
    values = [better.question.cases.given[row].get(option.name) for row in map(int, better.well_rows)]
    given = [v for v in values if v is not None]
    if not given:
        return None
    numbers = [float(v) for v in given if _is_number(v)]
    if option.how == "not" or len(numbers) < len(given):
        counts = Counter(given)
        return min(counts, key=lambda v: (-counts[v], str(v)))
    return _plain(float(f"{sorted(numbers)[len(numbers) // 2]:.10g}"))


def _is_number(value: Scalar) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float)


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def _subject(better: Better) -> str:
    """The tool that is called: of a session's arguments the one that is given them most."""
    question = better.question
    if question.about:
        return question.about
    tools = Counter(
        call.tool for o in question.cases.sessions for call in o.calls if better.option.name in call.arguments
    )
    return min(tools, key=lambda t: (-tools[t], t)) if tools else ""


def _statement(better: Better) -> dict[str, Json]:
    question, option = better.question, better.option
    mistake = question.mistake(better.failed_rows)
    tool, value = _subject(better), say(better)
    example = None if mistake is None else mistake[1]
    session = question.kind == "session"
    found: dict[str, Json] = {
        "title": choice_title(tool, better.clauses, option),
        "advice": choice_advice(
            tool, better.clauses, option, value, better.without, example, session=session
        ),
        "when": occasion_of("call", tool),
        "target": {"kind": question.kind, "tool": tool or None, "error": None},
        "choice": {"name": option.name, "how": option.how, "value": option.value, "say": value},
        "with": [better.having.failed, better.having.rows],
        "without": [better.without.failed, better.without.rows],
    }
    usual = question.usual_mistake(better.failed_rows)
    if usual is not None:
        found["topic"] = f"mistake:{usual}"
    if mistake is not None:
        found |= {"mistake": mistake[0], "example": mistake[1]}
    if session and option.how == "before" and not better.clauses:  # as of the workflow that says the same
        found["topic"] = f"workflow:{option.name} → {tool}"
    if better.same_here:
        found["same_here"] = [o.name for o in better.same_here]
    return found


def _weight(better: Better) -> float:
    """As of other conditional patterns: the difference it makes, in how many sessions, by how many users."""
    users = _users(better, better.failed_rows)
    gain = better.without.rate - better.having.rate
    return (0.5 + gain) * log2(1 + better.without.failed) * (1 + 0.25 * min(max(users - 1, 0), 4))


def _users(better: Better, rows: Ints) -> int:
    return len(np.unique(better.question.cases.users[rows]))
