"""The tool ``verdict``: the one door through which a grader's judgement comes in, and what is looked at in it.

A verdict counts if it names this run's nonce, judges each label once, proves what it calls met by something that really
stands in the work, says what must change where it does not, and did not call a planted criterion met. Whatever else is
refused, in words for the grader. Text that looks like a verdict is never read anywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import msgspec

from reverie.domain.events import JsonObject
from reverie.domain.messages import ToolSpec
from reverie.domain.outcomes import Criterion, CriterionStatus, CriterionVerdict, Proof
from reverie.outcomes.briefing import Brief
from reverie.outcomes.evidence import Evidence

__all__ = ["STATUSES", "VERDICT", "Accepted", "Refused", "accept", "tool", "vote"]

VERDICT: Final = "verdict"
"""The tool's name."""
STATUSES: Final[tuple[CriterionStatus, ...]] = (
    "satisfied",
    "not_applicable",
    "partially_satisfied",
    "not_satisfied",
)
"""From the mildest to the strictest."""

_MET: Final = ("satisfied", "not_applicable")
_CHANGE, _REASON, _SUMMARY, _QUOTE = 1_000, 500, 1_000, 2_000  # characters that are kept or taken
_FAULTS: Final = 12  # named in one refusal
_ABSENCE: Final = re.compile(
    r"\b(?:no|not|non|none|never|nothing|nowhere|neither|without|avoids?|free of|excludes?|omits?|absent|only|"
    r"at most|at least|fewer|less than|more than|under|over|within|exactly|no more|up to|"
    r"kein\w*|nicht|ohne|höchstens|mindestens|aucune?|sans|sin|ningun\w*|máximo)\b|n['’]t\b|[不无無没沒勿]",
    re.IGNORECASE,
)
_IN_WORDS: Final = re.compile(
    r"\b(?:states?|mentions?|names?|cites?|quotes?|says?|contains?|includes?|lists?|gives?|defines?|explains?|"
    r"describes?|tells?|refers?|thanks|nennt|enthält|erwähnt|zitiert|mentionne|contient|cite|menciona|contiene)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A verdict that counts: one ``CriterionVerdict`` for each criterion of the brief, planted ones left out.
    ``inapplicable`` is why the rubric does not apply to the task; then ``criteria`` may be empty."""

    criteria: Sequence[CriterionVerdict]
    summary: str = ""
    inapplicable: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A verdict that does not count. ``message`` is for the grader. ``fatal``: this run can give none that
    does; the message then says for the log why, and is not to be shown to the grader."""

    message: str
    fatal: bool = False


class _Proof(msgspec.Struct):
    file: str | None = None
    quote: str | None = None
    place: str | None = None


class _Judged(msgspec.Struct):
    label: str
    status: CriterionStatus
    proof: _Proof | None = None
    change: str | None = None
    reason: str | None = None
    confidence: float | None = None


class _Given(msgspec.Struct):
    nonce: str
    criteria: list[_Judged] = msgspec.field(default_factory=list[_Judged])
    inapplicable: str | None = None
    summary: str | None = None


def tool(brief: Brief) -> ToolSpec:
    """The tool as the grader of this run is told of it."""
    labels = sorted([*brief.criteria, *brief.controls])
    text = {"type": "string"}
    proof = {
        "type": ["object", "null"],
        "description": "Needed for satisfied and partially_satisfied.",
        "properties": {
            "file": {"type": ["string", "null"], "description": "Its path; null for the final message."},
            "quote": {"type": ["string", "null"], "description": "Letter by letter, 12 to 300 characters."},
            "place": {"type": ["string", "null"], "description": "line 12, slide 3, cell B7 …"},
        },
    }
    judged = {
        "type": "object",
        "properties": {
            "label": {"type": "string", "enum": labels},
            "status": {"type": "string", "enum": list(STATUSES)},
            "proof": proof,
            "change": {**text, "description": "What the maker must do; empty where it is satisfied."},
            "reason": {**text, "description": "Why, in one sentence."},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["label", "status", "proof", "change", "reason", "confidence"],
    }
    properties: JsonObject = {
        "nonce": {**text, "description": "This grading's, as you were told it."},
        "criteria": {"type": "array", "items": judged, "description": "Every label, once."},
        "inapplicable": {
            "type": ["string", "null"],
            "description": "Why the criteria cannot be applied to this task at all; null otherwise.",
        },
        "summary": {**text, "description": "One or two sentences on the work as a whole."},
    }
    schema: JsonObject = {"type": "object", "properties": properties, "required": list(properties)}
    return ToolSpec(VERDICT, "Give the verdict of this grading: every criterion, once.", schema)


def accept(input: Any, brief: Brief, *, iteration: int, seen: str) -> Accepted | Refused:
    """What a call of the tool comes to. Never raises, whatever ``input`` is.

    Args:
        brief: What this run was told.
        iteration: The evaluation's, from 0; it goes into the verdicts.
        seen: The digest of the work (``evidence.digest``), likewise.
    """
    try:
        given = msgspec.convert(input, _Given, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError, TypeError, RecursionError) as error:
        return Refused(f"The verdict is not as the tool's schema says: {str(error)[:300]}")
    if given.nonce.strip() != brief.nonce:
        return Refused("The nonce is not that of this grading. It stands at the end of your brief.")
    if fooled := _fooled(given, brief):
        return Refused(f"The planted criterion {fooled} was called met: this run does not count.", fatal=True)
    if why := _inapplicable(given):
        return Accepted((), _summary(given, brief), why)
    if faults := list(islice(_mislabelled(given, brief), _FAULTS)):
        return Refused(_told(faults))
    return _looked_up(given, brief, iteration, seen)


def _inapplicable(given: _Given) -> str:
    why = _plain(given.inapplicable or "", _SUMMARY)
    return "" if why.strip(".").lower() in ("null", "none", "no", "n/a", "false") else why


def _fooled(given: _Given, brief: Brief) -> str | None:
    """The planted criterion that any of these calls anything but not satisfied."""
    for judged in given.criteria:
        if judged.label in brief.controls and judged.status != "not_satisfied":
            return f"“{brief.controls[judged.label].text}”"
    return None


def _mislabelled(given: _Given, brief: Brief) -> Iterator[str]:
    times = Counter(judged.label for judged in given.criteria)
    wanted = [*brief.criteria, *brief.controls]
    yield from (f"{label} is missing." for label in sorted(wanted) if label not in times)
    yield from (f"{label} is judged {n} times." for label, n in times.items() if n > 1 and label in wanted)
    if strange := [label for label in times if label not in wanted]:
        yield f"Labels that this grading does not have: {', '.join(map(_quoted, strange[:_FAULTS]))}."


def _looked_up(given: _Given, brief: Brief, iteration: int, seen: str) -> Accepted | Refused:
    evidence = Evidence(brief.work)
    found: dict[str, CriterionVerdict] = {}
    faults: list[str] = []
    for judged in given.criteria:
        criterion = brief.criteria.get(judged.label)
        proof = _proof(judged, evidence)
        faults += [f"{judged.label}: {fault}" for fault in _faults(judged, criterion, proof, evidence)]
        if criterion is not None:
            found[criterion.id] = _verdict(judged, criterion, proof, iteration, seen)
    if faults:
        return Refused(_told(faults[:_FAULTS]))
    return Accepted([found[c.id] for c in brief.criteria.values()], _summary(given, brief))


def _proof(judged: _Judged, evidence: Evidence) -> Proof | None:
    given = judged.proof
    if given is None or len(given.quote or "") > _QUOTE:
        return None
    place = _plain(given.place or "", 120) or None
    return evidence.find(given.quote, given.file or None, place)


def _faults(
    judged: _Judged, criterion: Criterion | None, proof: Proof | None, evidence: Evidence
) -> Iterator[str]:
    if judged.confidence is not None and not 0 <= judged.confidence <= 1:
        yield "confidence is a number from 0 to 1."
    if judged.status in ("partially_satisfied", "not_satisfied") and not (judged.change or "").strip():
        yield f"it is {judged.status}, and change does not say what must be done."
    if judged.status == "not_applicable" and not (judged.reason or "").strip():
        yield "it is not_applicable, and reason does not say why."
    if judged.status in ("satisfied", "partially_satisfied"):
        yield from _unproven(judged, criterion, proof, evidence)


def _unproven(
    judged: _Judged, criterion: Criterion | None, proof: Proof | None, evidence: Evidence
) -> Iterator[str]:
    if judged.proof is None:
        yield f"it is {judged.status} without proof: quote a passage, or name the file."
    elif proof is None and (judged.proof.quote or "").strip():
        yield (
            "the quote stands nowhere in the work as it was shown to you: quote letter by letter, at least 12 "
            "characters or a whole line, or judge again."
        )
    elif proof is None:
        yield "there is no such file in the work."
    elif proof.quote is None and criterion is not None and _quotable(criterion, proof, evidence):
        yield "what it asks for stands in words where it is met: quote them."


def _quotable(criterion: Criterion, proof: Proof, evidence: Evidence) -> bool:
    """Whether meeting the criterion must leave words that can be quoted. When in doubt, no."""
    named = evidence.files.get(proof.file) if proof.file is not None else None
    if named is not None and named.text is None:
        return False
    return bool(_IN_WORDS.search(criterion.text)) and not _ABSENCE.search(criterion.text)


def _verdict(
    judged: _Judged, criterion: Criterion, proof: Proof | None, iteration: int, seen: str
) -> CriterionVerdict:
    met = judged.status in _MET
    return CriterionVerdict(
        criterion=criterion.id,
        status=judged.status,
        by="grader",
        proof=proof,
        change="" if met else _plain(judged.change or "", _CHANGE),
        reason=_plain(judged.reason or "", _REASON),
        confidence=judged.confidence,
        iteration=iteration,
        seen=seen,
    )


def _summary(given: _Given, brief: Brief) -> str:
    """The summary without sentences that speak of what was planted: nobody else knows of it."""
    words = [word for planted in brief.controls.values() for word in planted.words] + list(brief.controls)
    sentences = re.split(r"(?<=[.!?。])\s+", given.summary or "")
    return _plain(" ".join(s for s in sentences if not any(word in s for word in words)), _SUMMARY)


def _told(faults: Sequence[str]) -> str:
    return "The verdict does not count yet:\n" + "\n".join(f"- {fault}" for fault in faults)


def _quoted(text: str) -> str:
    return repr(text[:40])


def _plain(text: str, most: int) -> str:
    """One line of printable characters."""
    line = " ".join(text.split())
    line = "".join(c for c in line if c.isprintable())
    return line if len(line) <= most else line[: most - 1] + "…"


def vote(runs: Sequence[Sequence[CriterionVerdict]]) -> list[CriterionVerdict]:
    """What most of the graders say of each criterion. A status that not more than half of them gave counts
    only if it is no milder than another: splits go to those that are not met, ties to the stricter.
    ``confidence`` becomes the share that gave the status; proof and words are those of the surest of them."""
    by_criterion: dict[str, list[CriterionVerdict]] = {}
    for run in runs:
        for verdict in run:
            by_criterion.setdefault(verdict.criterion, []).append(verdict)
    return [_counted(verdicts, len(runs)) for verdicts in by_criterion.values()]


def _counted(verdicts: Sequence[CriterionVerdict], voters: int) -> CriterionVerdict:
    votes: Counter[CriterionStatus] = Counter(verdict.status for verdict in verdicts)
    by_votes: list[CriterionStatus] = sorted(
        STATUSES, key=lambda status: votes[status]
    )  # ties: the stricter comes last
    status: CriterionStatus = by_votes[-1]
    if 2 * votes[status] <= voters:
        unmet: list[CriterionStatus] = [s for s in by_votes if votes[s] and s not in _MET]
        status = unmet[-1] if unmet else status
    surest = max((v for v in verdicts if v.status == status), key=lambda v: v.confidence or 0.0)
    return replace(surest, confidence=votes[status] / voters)
