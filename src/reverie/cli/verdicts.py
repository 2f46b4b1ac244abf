"""Verdicts for a person's eyes and for programs, and the exit codes that they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from reverie.cli.output import esc, fail, out, print_table
from reverie.domain.errors import NotFound, ReverieError
from reverie.domain.outcomes import Criterion, CriterionVerdict, Note, Proof, Rubric, Verdict

__all__ = ["NO_JUDGEMENT", "SATISFIED", "UNSATISFIED", "exit_code", "judging", "show_verdict", "verdict_json"]

SATISFIED: Final = 0
UNSATISFIED: Final = 1
NO_JUDGEMENT: Final = 7

_COLUMNS: Final = ("criterion", "", "status", "by", "where", "what must change")
_QUOTED: Final = 60


def exit_code(verdict: Verdict) -> int:
    """What a program that judges says with its exit."""
    return {"satisfied": SATISFIED, "failed": NO_JUDGEMENT}.get(verdict.result, UNSATISFIED)


def judging(work: Callable[[], int]) -> int:
    """The exit code of work that judges. An error must never look like a verdict: what is not there is a wrong
    command, and whatever else goes wrong is no judgement."""
    try:
        return work()
    except ReverieError as error:
        fail(error)
        if isinstance(error, NotFound):
            return 2
        return NO_JUDGEMENT if error.exit_code == 1 else error.exit_code


def show_verdict(rubric: Rubric, verdict: Verdict) -> None:
    """A line for each criterion, what else was noted, and what it comes to."""
    known = {each.criterion: each for each in verdict.criteria}
    rows = [_row(each, known[each.id]) for each in rubric.criteria if each.id in known]
    if rows:
        print_table(_COLUMNS, rows, folds="what must change")
    for line in (*map(_noted, verdict.notes), *_told(verdict)):
        out.print(line)


def verdict_json(rubric: Rubric, verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain data: each criterion with what the rubric says of it."""
    known = {each.id: each for each in rubric.criteria}
    return {
        "type": "reverie.verdict",
        "result": verdict.result,
        "score": verdict.score,
        "explanation": verdict.explanation,
        "criteria": [_criterion_json(known.get(each.criterion), each) for each in verdict.criteria],
        "notes": msgspec.to_builtins(verdict.notes),
    }


def _criterion_json(criterion: Criterion | None, verdict: CriterionVerdict) -> dict[str, Any]:
    told = (
        {}
        if criterion is None
        else {name: getattr(criterion, name) for name in ("text", "must", "weight", "line")}
    )
    judged = {name: getattr(verdict, name) for name in ("status", "by", "change", "reason", "confidence")}
    return {"id": verdict.criterion, **told, **judged, "proof": msgspec.to_builtins(verdict.proof)}


def _row(criterion: Criterion, verdict: CriterionVerdict) -> tuple[str, ...]:
    kind = "must" if criterion.must else "should"
    status = verdict.status.replace("_", " ")
    change = " ".join(verdict.change.split())
    return criterion.id, kind, status, verdict.by, _where(verdict.proof), "" if verdict.met else change


def _where(proof: Proof | None) -> str:
    if proof is None:
        return ""
    place = " ".join(filter(None, (proof.file or "the message", proof.place)))
    quote = " ".join((proof.quote or "").split())
    shown = quote if len(quote) <= _QUOTED else quote[: _QUOTED - 1] + "…"
    return f"{place}: “{shown}”" if shown else place


def _noted(note: Note) -> str:
    where = " ".join(filter(None, (note.file, note.place)))
    blocks = "; it must go" if note.blocks else ""
    return f"[yellow]note[/] {esc(note.message)}{f' ({esc(where)})' if where else ''}{blocks}"


def _told(verdict: Verdict) -> Iterator[str]:
    """The grader's words on the whole, without those on each criterion; then the result."""
    yield esc(verdict.explanation.partition("\n- ")[0])
    colour = {"satisfied": "green", "failed": "yellow"}.get(verdict.result, "red")
    score = "" if verdict.score is None else f"  score {verdict.score:.2f}"
    yield f"[bold {colour}]{verdict.result.replace('_', ' ')}[/]{score}"
