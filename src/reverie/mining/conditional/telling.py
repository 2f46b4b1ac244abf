"""Rules in words, and as conditions a program can read."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from reverie.domain.events import Scalar
from reverie.domain.findings import Condition
from reverie.mining.conditional.report import Bound, Clause, Rule, Share
from reverie.mining.phrasing import code, listed, quoted

__all__ = ["claim_of", "clause_words", "conditions_of", "subject_of", "warning_of"]

MOSTLY = 0.5


def subject_of(kind: str, tool: str, error_example: str | None) -> str:
    """What happens: ``\\`upload\\` fails``, ``\\`upload\\` fails with “busy”``, ``sessions fail``."""
    if kind == "session":
        return "sessions fail"
    return f"{code(tool)} fails" + (f" with “{quoted(error_example)}”" if error_example else "")


def claim_of(subject: str, rule: Rule, unit: str) -> str:
    """``\\`upload\\` fails when file_ext is docx and size_mb ≥ 50: 27 of 30 calls; elsewhere 12 of 900``."""
    return (
        f"{subject} when {_all_words(rule)}: {_share(rule.here)} {unit}s; elsewhere {_share(rule.elsewhere)}"
    )


def warning_of(subject: str, rule: Rule) -> str:
    """The same for someone about to do it: what befalls them, without the statistics."""
    how = "mostly" if rule.here.rate >= MOSTLY else "often"
    what, _, rest = subject.partition(" fail")
    return f"{what} {how} fail{rest} when {_all_words(rule)}."


def clause_words(clause: Clause) -> str:
    """One condition in words."""
    name = clause.attribute
    if clause.same_here:
        name += f" (or {listed(list(clause.same_here), 2)}, which says the same here)"
    if clause.kind == "category":
        return f"{name} is {_label(clause.label)}"
    low, high = clause.low, clause.high
    if low is not None and high is not None:
        joint = "or" if low.value > high.value else "and"
        return f"{name} ≥ {_number(low)} {joint} < {_number(high)}"
    return f"{name} ≥ {_number(low)}" if low is not None else f"{name} < {_number(high)}"


def conditions_of(clauses: Sequence[Clause]) -> tuple[Condition, ...]:
    """Conditions as data: ``==`` for labels, ``>=`` and ``<`` for thresholds with their 95 % intervals.

    Hours that pass midnight are a list of whole hours (``in``), for no two bounds say that.
    """
    found: list[Condition] = []
    for clause in clauses:
        low, high = clause.low, clause.high
        if clause.kind == "category":
            found.append(Condition(clause.attribute, "==", clause.label))
        elif low is not None and high is not None and low.value > high.value:
            hours = tuple(h % 24 for h in range(floor(low.value), 24 + ceil(high.value)))
            found.append(Condition(clause.attribute, "in", hours))
        else:
            if low is not None:
                found.append(Condition(clause.attribute, ">=", _plain(low.value), low.low, low.high))
            if high is not None:
                found.append(Condition(clause.attribute, "<", _plain(high.value), high.low, high.high))
    return tuple(found)


def _all_words(rule: Rule) -> str:
    return " and ".join(clause_words(clause) for clause in rule.clauses)


def _share(share: Share) -> str:
    return f"{share.failed} of {share.rows}"


def _label(label: Scalar) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def _number(bound: Bound | None) -> str:
    return "" if bound is None else f"{_plain(bound.value):g}"


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() else value
