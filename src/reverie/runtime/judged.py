"""A verdict in the log: how an evaluation's end says it, and what the next evaluation reads there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from reverie.domain.events import Event, JsonObject, NewEvent
from reverie.domain.outcomes import Criterion, CriterionVerdict, Rubric, Verdict
from reverie.runtime.wanted import Wanted

__all__ = ["earlier", "ended", "goes_on"]

_LAST: Final = (
    "The work was judged for the last time, and is not yet as it should be. Do not go on working on it. Say in a few "
    "words what is done and what is missing."
)


def earlier(wanted: Wanted) -> tuple[Sequence[CriterionVerdict], Mapping[str, str]]:
    """The verdicts of the last evaluation, and what the work was then."""
    if not wanted.verdicts:
        return (), {}
    last = wanted.verdicts[-1]
    private: JsonObject = last.get("private") or {}
    seen: Mapping[str, str] = private.get("seen") or {}
    criteria: Sequence[JsonObject] = last.get("criteria") or ()
    told = [{**each, "criterion": each["id"], "seen": seen.get(each["id"], "")} for each in criteria]
    return msgspec.convert(told, list[CriterionVerdict]), private.get("marks") or {}


def _judged(rubric: Rubric | None, verdict: CriterionVerdict) -> dict[str, Any]:
    """A verdict with its criterion, as the log has it."""
    told: dict[str, Any] = msgspec.to_builtins(verdict)
    del told["seen"], told["criterion"]
    criteria = () if rubric is None else rubric.criteria
    found = next(
        (each for each in criteria if each.id == verdict.criterion), Criterion(verdict.criterion, "")
    )
    return {"id": found.id, "text": found.text, "must": found.must, "weight": found.weight, **told}


def goes_on(wanted: Wanted, verdict: Verdict) -> bool:
    """Whether the worker has something to do after that."""
    return wanted.given is None and verdict.result in ("needs_revision", "max_iterations_reached")


def ended(
    wanted: Wanted,
    start: Event,
    verdict: Verdict,
    usage: JsonObject,
    rubric: Rubric | None,
    marks: Mapping[str, str],
) -> NewEvent:
    """The end of an evaluation. ``rubric`` and ``marks`` (``evidence.marks``) are None and empty where it did not
    come so far as to read them."""
    feedback = verdict.feedback if goes_on(wanted, verdict) else ""
    if feedback and verdict.result == "max_iterations_reached":
        feedback = f"{feedback}\n\n{_LAST}"
    told = {
        "outcome_id": wanted.id,
        "outcome_evaluation_start_id": start.id,
        "iteration": verdict.iteration,
        "result": verdict.result,
        "explanation": verdict.explanation,
        "usage": usage,
        "score": verdict.score,
        "criteria": [_judged(rubric, each) for each in verdict.criteria],
        "notes": [msgspec.to_builtins(note) for note in verdict.notes],
        "private": {
            "feedback": feedback,
            "seen": {each.criterion: each.seen for each in verdict.criteria},
            "marks": marks,
        },
    }
    return NewEvent("span.outcome_evaluation_end", told, f"{start.id}:end")
