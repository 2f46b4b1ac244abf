"""From a recurring mistake to words: what goes wrong, what to do instead, when to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.findings import Nature
from reverie.mining.identity import Identity
from reverie.mining.lore import LINT_RULES
from reverie.mining.phrasing import Advice, advise, capital, code, listed, quoted, replacement, shortened
from reverie.mining.precondition import Precondition

__all__ = ["Advising", "advising"]

WORTH: Final[Mapping[str, float]] = {"lint": 0.9, "compile": 0.3, "test": 0.4}
MAX_TITLE: Final = 60
REFUSALS: Final = frozenset({"tool", "error", "http", "refused"})


@dataclass(frozen=True, slots=True)
class Advising:
    """``what`` is the clause of the claim, ``when`` when the lesson is to be read."""

    nature: Nature
    what: str
    title: str
    when: str
    advice: str = ""
    warning: str = ""
    worth: float = 1.0


def advising(identity: Identity, example: str, units: Sequence[str], step: Precondition | None) -> Advising:
    """The words for a mistake, from the surest source there is: the data, what is known, its own text."""
    tool = listed([code(u) for u in units], 2)
    if step is not None:
        return _from_step(step, example)
    if identity.family is not None:
        return _from_family(identity, example, tool)
    if identity.rule is not None:
        return _from_rule(identity.rule, example, tool)
    if identity.kind in ("test", "compile"):
        return _from_code(identity, example, tool)
    return _from_text(identity, example, tool)


def _from_step(step: Precondition, example: str) -> Advising:
    tool, first = code(step.tool), code(step.step)
    return Advising(
        "behaviour",
        f"{tool} is called without {first} before it",
        title=f"Call {first} before {tool}",
        when=f"before calling {tool}",
        advice=f"Call {first} before {tool}: without it {tool} answers “{quoted(example)}”.",
        worth=1.2,
    )


def _from_family(identity: Identity, example: str, tool: str) -> Advising:
    family = identity.family
    assert family is not None
    given = {"tool": tool, "quote": quoted(example), "key": identity.parts.get("key", "")}
    advice, warning = family.advice.format(**given), family.warning.format(**given)
    return Advising(
        family.nature,
        capital(family.what.format(**given)),
        title=family.title or capital((advice or warning).split(" (“")[0].split(": “")[0].rstrip(".")),
        when=f"when working with {tool}",
        advice=capital(advice),
        warning=capital(warning),
        worth=family.worth * (1.0 if family.nature == "behaviour" else 0.5),
    )


def _from_rule(rule: str, example: str, tool: str) -> Advising:
    known = LINT_RULES.get(rule)
    what = f"Code is written that the linter refuses ({f'{rule}: {known[0]}' if known else rule})"
    instead = replacement(example)
    if instead:
        title, advice = instead, f"{instead}: the linter ({rule}) refuses the other."
    elif known is not None:
        title = known[1]
        advice = f"In code that {tool} checks, {known[1][:1].lower()}{known[1][1:]} (rule {rule})."
    else:
        title = f"Satisfy the linter's rule {rule}"
        advice = f"Write code that the linter's rule {rule} accepts: “{quoted(example)}”."
    return Advising(
        "behaviour",
        what,
        title=title,
        when=f"when writing code that {tool} checks",
        advice=advice,
        worth=WORTH["lint"],
    )


def _from_code(identity: Identity, example: str, tool: str) -> Advising:
    kind = "test" if identity.kind == "test" else "build error"
    return Advising(
        "situation",
        f"The same {kind} comes up in unrelated sessions",
        title=f"Known {kind}: {quoted(example)}",
        when=f"when {tool} fails",
        warning=f"“{quoted(example)}” has failed in unrelated sessions: check whether it fails without your change, too.",
        worth=WORTH[identity.kind],
    )


def _from_text(identity: Identity, example: str, tool: str) -> Advising:
    words = advise(
        example, _template(identity), tool, refused=identity.kind in REFUSALS and " " not in tool.strip("`")
    )
    what = f"{capital(tool)} fails"
    return Advising(
        words.nature,
        what,
        title=_title(words, what, example),
        when=f"before calling {tool}",
        advice=words.advice,
        warning=words.warning,
        worth=0.8 if words.nature == "behaviour" else 0.5,
    )


def _title(words: Advice, what: str, example: str) -> str:
    """The advice where it is short; the error where there is no advice, and it is no mere refusal.

    A refusal that nothing is known about has no title of its own: a proven way around it gives one.
    """
    if words.advice:
        return words.advice.rstrip(".") if "“" not in words.advice else _with(what, example)
    return _with(what, example) if words.nature == "situation" else ""


def _with(what: str, example: str) -> str:
    return f"{what} with “{shortened(example, MAX_TITLE)}”"


def _template(identity: Identity) -> str:
    return identity.key.split(":", 1)[1]
