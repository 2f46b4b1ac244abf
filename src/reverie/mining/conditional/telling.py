"""Rules in words, and as conditions a program can read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, floor

from reverie.domain.events import Scalar
from reverie.domain.findings import Condition
from reverie.mining.conditional.cases import WORKED_BEFORE
from reverie.mining.conditional.options import Option
from reverie.mining.conditional.report import Bound, Clause, Rule, Share
from reverie.mining.phrasing import code, listed, quoted

__all__ = [
    "advice_of",
    "choice_advice",
    "choice_claim",
    "choice_title",
    "claim_of",
    "clause_words",
    "conditions_of",
    "occasion_of",
    "subject_of",
    "title_of",
    "warning_of",
]

LEAST_GIST = 15
MANY_FIGURES = 3
_NUMBER = re.compile(r"\d+")
MOSTLY = 0.5
ALWAYS = 0.95


def subject_of(kind: str, tool: str, error_example: str | None) -> str:
    """What happens: ``\\`upload\\` fails``, ``\\`upload\\` fails with “busy”``, ``sessions fail``."""
    if kind == "session":
        return "sessions fail"
    return f"{code(tool)} fails" + _with(error_example)


def claim_of(subject: str, rule: Rule, unit: str) -> str:
    """``\\`upload\\` fails when file_ext is docx and size_mb ≥ 50: 27 of 30 calls; elsewhere 12 of 900``."""
    when = " and ".join(clause_words(clause) for clause in rule.clauses)
    return f"{subject} when {when}: {_share(rule.here)} {unit}s; elsewhere {_share(rule.elsewhere)}"


def title_of(subject: str, rule: Rule) -> str:
    """The claim without its numbers and its error: what a heading has room for."""
    when = " and ".join(_symbols(clause) for clause in rule.clauses)
    return f"{subject.partition(' with “')[0].replace(' fail', f' {_often(rule)}fail', 1)} when {when}"


def warning_of(kind: str, tool: str, error_example: str | None, rule: Rule) -> str:
    """``When …, expect `upload` to fail with “busy”.``: what befalls someone about to do it, in prose."""
    who = "the session" if kind == "session" else code(tool)
    return f"When {_circumstances(rule.clauses)}, expect {who} to {_often(rule)}fail{_with(error_example)}."


def advice_of(
    tool: str, error_example: str | None, rule: Rule, choice: Clause, others: Sequence[Clause], better: Scalar
) -> str:
    """What to do otherwise, where one of the conditions is for the agent to choose."""
    when = f"When {_circumstances(others)}, call" if others else "Call"
    why = f"{_prose(choice)} it {_often(rule)}fails{_with(error_example)}"
    return f"{when} {code(tool)} {_otherwise(choice, better)}: when {why}."


def choice_claim(
    tool: str, clauses: Sequence[Clause], option: Option, having: Share, without: Share, unit: str
) -> str:
    r"""``\`touch_down\` with descent_mps ≥ 6 when distance_m ≥ 190 fails in 2 of 13 calls; without in 27 of 45``"""
    subject = (
        f"sessions that {_done(tool, option)}" if unit == "session" else f"{code(tool)} {_done_by(option)}"
    )
    fail = "fail" if unit == "session" else "fails"
    return (
        f"{subject}{_symbolic(clauses)} {fail} in {_share(having)} {unit}s; without it in {_share(without)}"
    )


def choice_title(tool: str, clauses: Sequence[Clause], option: Option) -> str:
    """A heading: ``When distance_m ≥ 190, `touch_down` with descent_mps ≥ 6``."""
    when = f"When {' and '.join(_symbols(clause) for clause in clauses)}, " if clauses else ""
    return f"{when}{code(tool)} {_done_by(option)}"


def choice_advice(
    tool: str,
    clauses: Sequence[Clause],
    option: Option,
    value: Scalar,
    without: Share,
    error_example: str | None,
    *,
    session: bool,
) -> str:
    r"""``When …, call \`touch_down\` with \`descent_mps\` of 6 or more, say 7.5: otherwise it often fails with “…”.``"""
    call = f"When {_circumstances(clauses, exact=False)}, call" if clauses else "Call"
    what = "the session" if session else "it"
    why = f"otherwise {what} {_how_often(without.rate)}fails{_with(error_example)}"
    if option.how == "before":
        return f"{call} {code(option.name)} before {code(tool)}: {why}."
    return f"{call} {code(tool)} {_given(option, value)}: {why}."


def _given(option: Option, value: Scalar) -> str:
    name, said = code(option.name), "" if value is None else f", say {_label(value)}"
    if option.how == "is":
        return f"with {name} = {code(_label(option.value))}"
    if option.how == "not":
        return f"with another {name} than {_label(option.value)}{said}"
    return f"with {name} {'of ' if option.how == '>=' else 'below '}{_figure(option.value)}{' or more' if option.how == '>=' else ''}{said}"


def _done_by(option: Option) -> str:
    signs = {"is": "is ", "not": "other than ", ">=": "≥ ", "<": "< "}
    if option.how == "before":
        return f"after {code(option.name)}"
    shown = _figure(option.value) if option.how in (">=", "<") else _label(option.value)
    return f"with {option.name} {signs[option.how]}{shown}"


def _done(tool: str, option: Option) -> str:
    return f"call {code(tool)} {_done_by(option)}"


def _symbolic(clauses: Sequence[Clause]) -> str:
    return f" when {' and '.join(_symbols(clause) for clause in clauses)}" if clauses else ""


def _figure(value: Scalar) -> str:
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def occasion_of(kind: str, tool: str) -> str:
    """When to read it."""
    return f"before calling {code(tool)}" if kind == "call" else "before starting"


def clause_words(clause: Clause) -> str:
    """One condition as in a claim, with the attributes that say the same."""
    if not clause.same_here:
        return _symbols(clause)
    same = f" (or {listed(list(clause.same_here), 2)}, which says the same here)"
    return _symbols(clause).replace(clause.attribute, clause.attribute + same, 1)


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


# ---------------------------------------------------------------------- symbols


def _symbols(clause: Clause) -> str:
    """``size_mb ≥ 50``, ``file_ext is docx``."""
    name, low, high = clause.attribute, clause.low, clause.high
    if clause.kind == "category":
        return f"{name} is {_label(clause.label)}"
    if low is not None and high is not None:
        joint = "or" if low.value > high.value else "and"
        return f"{name} ≥ {_number(low)} {joint} < {_number(high)}"
    return f"{name} ≥ {_number(low)}" if low is not None else f"{name} < {_number(high)}"


def _share(share: Share) -> str:
    return f"{share.failed} of {share.rows}"


def _label(label: Scalar) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def _number(bound: Bound | None) -> str:
    return "" if bound is None else f"{_plain(bound.value):.10g}"


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() else value


# ---------------------------------------------------------------------- prose


def _circumstances(clauses: Sequence[Clause], *, exact: bool = True) -> str:
    """All conditions in prose: ``file_ext is .docx, size_mb is 50 or more and it is 17:00 or later``."""
    words = [_prose(clause, exact=exact) for clause in clauses]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _prose(clause: Clause, *, exact: bool = True) -> str:
    name, low, high = clause.attribute, clause.low, clause.high
    if name == WORKED_BEFORE:
        return _worked_before(low, high)
    if clause.kind == "category":
        return f"it is a {clause.label}" if name == "weekday" else f"{code(name)} is {_label(clause.label)}"
    if clause.kind == "hour" and name in ("hour", "session.hour"):
        return f"it is {_between(_o_clock(low), _o_clock(high), '{} or later', 'before {}')}"
    limits = " and ".join(dict.fromkeys(text for bound in (low, high) if (text := _limit(bound))))
    between = f" (the exact limit lies between {limits})" if limits and exact else ""
    return f"{code(name)} is {_between(_number(low), _number(high), '{} or more', 'below {}')}{between}"


def _worked_before(low: Bound | None, high: Bound | None) -> str:
    if low is None and high is not None and high.value <= 1:
        return "no call has worked before it in the session"
    numbers = _between(_number(low), _number(high), "{} or more", "fewer than {}")
    return f"{numbers} calls have worked before it in the session"


def _between(low: str, high: str, upwards: str, downwards: str) -> str:
    if low and high:
        return f"between {low} and {high}"
    return upwards.format(low) if low else downwards.format(high)


def _o_clock(bound: Bound | None) -> str:
    return "" if bound is None else f"{floor(bound.value)}:{round(bound.value % 1 * 60):02d}"


def _limit(bound: Bound | None) -> str:
    """Between which values a threshold lies, where that is worth saying."""
    if bound is None or bound.low >= bound.high:
        return ""
    return f"{_plain(bound.low):.4g} and {_plain(bound.high):.4g}"


def _often(rule: Rule) -> str:
    return _how_often(rule.here.rate)


def _how_often(rate: float) -> str:
    return "" if rate >= ALWAYS else "mostly " if rate >= MOSTLY else "often "  # from one in five on


def _with(error_example: str | None) -> str:
    return f" with “{quoted(_gist(error_example))}”" if error_example else ""


def _gist(error: str) -> str:
    """An error without the figures that follow it in parentheses."""
    head, _, figures = error.partition(" (")
    return head if len(_NUMBER.findall(figures)) >= MANY_FIGURES and len(head) >= LEAST_GIST else error


def _otherwise(clause: Clause, better: Scalar) -> str:
    """The way out of a condition: another label, the other side of a threshold."""
    name, low, high = code(clause.attribute), clause.low, clause.high
    if clause.kind == "category":
        instead = f", say {_label(better)}" if better is not None else ""
        return f"with another {name} than {_label(clause.label)}{instead}"
    if low is not None and high is not None:
        return f"with {name} below {_number(low)} or from {_number(high)} on"
    return (
        f"with {name} below {_number(low)}" if low is not None else f"with {name} of {_number(high)} or more"
    )
