"""From verdicts to the verdict: is the outcome satisfied, what is told to the client, what to the worker.

Satisfied are: every criterion that must be met is met, at least one of them because it is and not because it does not
apply, and nothing that was noted about the work blocks. Where a rubric calls nothing a must, everything is one: else
any work would do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reverie.domain.outcomes import Criterion, CriterionVerdict, Note, Proof, Result, Rubric, Verdict

__all__ = ["MOST_FEEDBACK", "failed", "score", "settle", "would_satisfy"]

MOST_FEEDBACK: Final = 8_000
"""Characters of feedback, and of an explanation."""

_NAME, _QUOTE, _NOTE = 160, 160, 400  # characters
_WORDS: Final = {
    "satisfied": "met",
    "partially_satisfied": "partially met",
    "not_satisfied": "not met",
    "not_applicable": "not applicable",
}


def settle(
    rubric: Rubric,
    criteria: Sequence[CriterionVerdict],
    notes: Sequence[Note],
    *,
    iteration: int,
    max_iterations: int,
    inapplicable: str | None = None,
    summary: str = "",
) -> Verdict:
    """The verdict of one evaluation.

    Args:
        criteria: The verdict in force on each criterion, checks included (``planning.merged``). A criterion
            without one counts as not met.
        notes: What was noted about the work.
        iteration: From 0. Where it is the last of ``max_iterations``, what needs revision ends.
        inapplicable: Why the rubric does not apply to the task; then the outcome failed.
        summary: The grader's own words on the whole, for the explanation.
    """
    verdicts = {verdict.criterion: verdict for verdict in criteria}
    if reason := inapplicable or _nothing_applies(rubric, verdicts):
        return failed(iteration, f"The rubric does not apply: {reason}", criteria, notes)
    result: Result = "satisfied"
    if not would_satisfy(rubric, criteria, notes):
        result = "max_iterations_reached" if iteration + 1 >= max_iterations else "needs_revision"
    return Verdict(
        result=result,
        iteration=iteration,
        criteria=tuple(criteria),
        explanation=_explanation(rubric, verdicts, notes, summary),
        feedback="" if result == "satisfied" else _feedback(rubric, verdicts, notes),
        score=score(rubric, criteria),
        notes=tuple(notes),
    )


def failed(
    iteration: int, reason: str, criteria: Sequence[CriterionVerdict] = (), notes: Sequence[Note] = ()
) -> Verdict:
    """An evaluation that came to no judgement of the work: the rubric does not apply, the grader gave none."""
    told = _line(reason, MOST_FEEDBACK)
    return Verdict("failed", iteration, tuple(criteria), explanation=told, notes=tuple(notes))


def would_satisfy(rubric: Rubric, criteria: Sequence[CriterionVerdict], notes: Sequence[Note] = ()) -> bool:
    """Whether these verdicts make the outcome satisfied; if so, time for the full pass (``planning``)."""
    verdicts = {verdict.criterion: verdict for verdict in criteria}
    musts = [verdicts.get(criterion.id) for criterion in _musts(rubric)]
    return (
        all(verdict is not None and verdict.met for verdict in musts)
        and any(verdict is not None and verdict.status == "satisfied" for verdict in musts)
        and not any(note.blocks for note in notes)
    )


def score(rubric: Rubric, criteria: Sequence[CriterionVerdict]) -> float | None:
    """The share of the weight of what applies that is met, from 0 to 1; None where nothing of weight applies."""
    status = {verdict.criterion: verdict.status for verdict in criteria}
    counted = [c for c in rubric.criteria if status.get(c.id) != "not_applicable"]
    whole = sum(criterion.weight for criterion in counted)
    if not whole > 0:
        return None
    return sum(c.weight for c in counted if status.get(c.id) == "satisfied") / whole


def _musts(rubric: Rubric) -> Sequence[Criterion]:
    return [criterion for criterion in rubric.criteria if criterion.must] or rubric.criteria


def _nothing_applies(rubric: Rubric, verdicts: Mapping[str, CriterionVerdict]) -> str | None:
    if not rubric.criteria:
        return "it has no criteria."
    given = [verdicts.get(criterion.id) for criterion in _musts(rubric)]
    if all(verdict is not None and verdict.status == "not_applicable" for verdict in given):
        return "none of the criteria that must be met is applicable."
    return None


def _explanation(
    rubric: Rubric, verdicts: Mapping[str, CriterionVerdict], notes: Sequence[Note], summary: str
) -> str:
    met = sum(1 for c in rubric.criteria if (v := verdicts.get(c.id)) is not None and v.met)
    lines = [f"{met} of {len(rubric.criteria)} criteria are met."]
    if summary.strip():
        lines.append(_line(summary, 1_000))
    lines += [_told(criterion, verdicts.get(criterion.id)) for criterion in rubric.criteria]
    lines += [f"- {_line(note.message, _NOTE)}{_where(note)}" for note in notes]
    return _bounded(lines)


def _told(criterion: Criterion, verdict: CriterionVerdict | None) -> str:
    if verdict is None:
        return f"- {_named(criterion)} (not met): it was not judged."
    why = verdict.reason or (_location(verdict.proof) if verdict.met else verdict.change)
    return f"- {_named(criterion)} ({_WORDS[verdict.status]})" + (f": {_line(why, 500)}" if why else "")


def _feedback(rubric: Rubric, verdicts: Mapping[str, CriterionVerdict], notes: Sequence[Note]) -> str:
    """Only what must change: no reasons, no praise, and of the work no words but a short quote of the place."""
    musts = {criterion.id for criterion in _musts(rubric)}
    open_ = [c for c in rubric.criteria if (v := verdicts.get(c.id)) is None or not v.met]
    lines = ["The work is not done yet. This must change:"]
    lines += [_demand(c, verdicts.get(c.id)) for c in open_ if c.id in musts]
    lines += [f"- {_line(note.message, _NOTE)}{_where(note)}" for note in notes if note.blocks]
    if wishes := [_demand(c, verdicts.get(c.id)) for c in open_ if c.id not in musts]:
        lines += ["This should change too, if it can be done without harm:", *wishes]
    return _bounded([*lines, "What is not named here is as it should be: leave it so."])


def _demand(criterion: Criterion, verdict: CriterionVerdict | None) -> str:
    state = "not met" if verdict is None else _WORDS[verdict.status]
    change = "" if verdict is None else _line(verdict.change or "", 1_000)
    place = "" if verdict is None else _location(verdict.proof)
    return f"- {_named(criterion)} ({state}){': ' + change if change else ''}{f' ({place})' if place else ''}"


def _location(proof: Proof | None) -> str:
    if proof is None:
        return ""
    parts = [proof.file or "the final message", proof.place or ""]
    where = ", ".join(part for part in parts if part)
    return f"{where}: “{_line(proof.quote, _QUOTE)}”" if proof.quote else where


def _where(note: Note) -> str:
    where = ", ".join(part for part in (note.file, note.place) if part)
    return f" ({_line(where, 300)})" if where else ""


def _named(criterion: Criterion) -> str:
    return _line(criterion.text, _NAME).rstrip(".")


def _line(text: str, most: int) -> str:
    line = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return line if len(line) <= most else line[: most - 1] + "…"


def _bounded(lines: Sequence[str]) -> str:
    """Whole lines within the bound, the last one always; how many were left out stands before it."""
    kept = list(_fitting(lines[:-1], MOST_FEEDBACK - len(lines[-1]) - 60))
    gone = len(lines) - 1 - len(kept)
    return "\n".join([*kept, *([f"({gone} more lines are left out.)"] if gone else []), lines[-1]])


def _fitting(lines: Sequence[str], room: int) -> Iterator[str]:
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line
