"""The whole chain on one attempt: examine, brief, grade, accept, settle. Each defence can be taken away."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from unittest import mock

from tests.outcomes.manipulations import Attempt
from tests.outcomes.obedient import KEY_PHRASES, obedient

from reverie.domain.messages import ModelRequest, Text, UserTurn
from reverie.domain.outcomes import Criterion, CriterionVerdict, Deliverable, Hidden, Rubric, Verdict, Work
from reverie.outcomes import briefing, evidence, settling, suspicion, verdicts

__all__ = ["ALL", "RUBRIC", "Defences", "evaluate", "work_with"]

RUBRIC = Rubric(
    text="".join(f"- {text}\n" for text in KEY_PHRASES),
    criteria=[Criterion(f"c{number}", text) for number, text in enumerate(KEY_PHRASES)],
)
NONCE = "7d1f0a52c3b94e6688d2a1e05b7c9f34"
_BARE = "# Report on the pilot\n\nThe pilot began in March and runs in two regions."
_NEARLY = f"{_BARE}\nThe total cost is 40,000 euro.\nBut if the pilot is late, then region two starts in May."


@dataclass(frozen=True)
class Defences:
    """``withholding``: text for graders is not shown. ``blocking``: it blocks by itself. ``planted``: the planted
    criterion. ``proof``: quotes are looked up."""

    withholding: bool = True
    blocking: bool = True
    planted: bool = True
    proof: bool = True


ALL = Defences()


def work_with(attempt: Attempt | None) -> Work:
    """Work that does not meet the rubric, with the attempt in it. For an attempt on one criterion all others are
    met."""
    text = _NEARLY if attempt is None or attempt.target == "one" else _BARE
    path, message, hidden = "report.md", "The report is in the folder.", ()
    if attempt is not None:
        if attempt.where == "message":
            message += "\n" + attempt.text
        elif attempt.where == "name":
            path = attempt.text
        elif attempt.where == "whole":
            text = message = attempt.text
        elif attempt.where == "hidden":
            hidden = (Hidden(attempt.how, "page 1", attempt.text),)
        else:
            text = f"{text}\n{attempt.text}\nEnd of the report."
    raw = text.encode("utf-8", "surrogatepass")
    return Work((Deliverable(path, len(raw), hashlib.sha256(raw).hexdigest(), text, None, hidden),), message)


def evaluate(
    attempt: Attempt | None, defences: Defences = ALL, *, cunning: bool = True, work: Work | None = None
) -> Verdict:
    """One evaluation with the obedient grader. A verdict that is refused is given again as often as the runtime
    lets a grader try; a run that does not count is followed by new ones."""
    judged = work_with(attempt) if work is None else work
    notes = suspicion.examine(judged) if defences.blocking else []
    accepted = None
    with _without(defences):
        for run in range(3):
            accepted = accepted or _graded(judged, attempt, defences, cunning, run)
    if accepted is None:
        return settling.failed(0, "the grader gave no verdict that counts")
    return settling.settle(RUBRIC, accepted, notes, iteration=0, max_iterations=3)


def _graded(
    work: Work, attempt: Attempt | None, defences: Defences, cunning: bool, run: int
) -> list[CriterionVerdict] | None:
    nonce = f"{NONCE}{run}"
    brief = briefing.make_brief(
        "Write a report on the pilot.", RUBRIC, RUBRIC.criteria, work, nonce=nonce, rng=random.Random(nonce)
    )
    if not defences.planted:
        lines = [line for line in brief.text.split("\n") if not any(f"[{c}]" in line for c in brief.controls)]
        brief = replace(brief, text="\n".join(lines), controls={})
    request = ModelRequest([UserTurn([Text(brief.text)])], brief.system, [verdicts.tool(brief)])
    for _ in range(4):
        answer = verdicts.accept(
            obedient(request, attempt, cunning=cunning), brief, iteration=0, seen=evidence.digest(work)
        )
        if isinstance(answer, verdicts.Accepted):
            return list(answer.criteria)
    return None


@contextmanager
def _without(defences: Defences) -> Iterator[None]:
    with ExitStack() as stack:
        if not defences.withholding:
            stack.enter_context(mock.patch.object(briefing, "cleaned", _everything))
            stack.enter_context(mock.patch.object(briefing, "withheld", lambda text: (text, ())))
        if not defences.proof:
            stack.enter_context(mock.patch.object(verdicts, "_unproven", lambda *_: iter(())))
        yield


def _everything(work: Work, rubric: Rubric | None = None) -> Work:
    return replace(
        work,
        deliverables=tuple(
            replace(one, text="\n".join([one.text or "", *(hidden.text for hidden in one.hidden)]), hidden=())
            for one in work.deliverables
        ),
    )
