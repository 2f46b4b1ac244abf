"""Which criteria a model has to judge, in which pass.

The first pass judges all that no check decides. A later one judges what failed and what the worker touched:
a verdict whose proof stands in a file that is as it was holds on. Before an outcome is called satisfied, one
full pass judges what was not judged on this very work, because a change can break what it did not touch.

Checks have run by then, and say what is worth asking. Where one fails that must not, the end is not near: a verdict
whose very quote still stands holds on for now. Where all are met, and little is left for the full pass, it is made along
with what is due: a second grader would have to be told all of it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reverie.domain.outcomes import Criterion, CriterionVerdict, Rubric, Work
from reverie.outcomes.evidence import MESSAGE, Evidence, digest

__all__ = ["TOGETHER", "judged_works", "left_for_full_pass", "merged", "next_pass", "oldest", "to_judge"]

TOGETHER: Final = 12
"""Criteria that are judged along with others rather than by a second grader: judging one takes some 100 tokens, telling
another grader what it is about some 2,000 and more."""


def next_pass(
    rubric: Rubric,
    previous: Sequence[CriterionVerdict],
    checked: Sequence[CriterionVerdict],
    changed: set[str],
    work: Work,
    *,
    full: bool = False,
) -> list[Criterion]:
    """What the first grader of an evaluation is asked, in the rubric's order.

    Args:
        previous: Every verdict so far, the newest of a criterion last.
        checked: What the checks say of this work.
        changed: As in ``to_judge``.
        work: What is to be judged.
        full: All that no check decides.
    """
    seen = digest(work)
    if full:
        return to_judge(rubric, previous, changed, seen, full=True)
    if _stands_against(rubric, checked):
        evidence = Evidence(work)
        return [c for c in to_judge(rubric, previous, changed, seen) if not _holds(c, previous, evidence)]
    due = to_judge(rubric, previous, changed, seen)
    left = left_for_full_pass(rubric, merged(rubric, previous), seen)
    return left if due and checked and len(left) - len(due) <= TOGETHER else due


def to_judge(
    rubric: Rubric,
    previous: Sequence[CriterionVerdict],
    changed: set[str],
    seen: str,
    *,
    full: bool = False,
) -> list[Criterion]:
    """The criteria that failed or were touched, in the rubric's order.

    Args:
        previous: Every verdict so far, the newest of a criterion last.
        changed: Paths that are not what they were when the last verdicts were given (``evidence.changed``);
            ``MESSAGE`` among them for the final message.
        seen: The digest of the work that is to be judged.
        full: All of them, whatever was judged before.
    """
    last = {verdict.criterion: verdict for verdict in previous}
    return [c for c in _models(rubric) if full or _due(last.get(c.id), changed, seen)]


def left_for_full_pass(rubric: Rubric, current: Sequence[CriterionVerdict], seen: str) -> list[Criterion]:
    """What no model has judged on this very work. Empty: the verdicts may be settled as they are."""
    here = {verdict.criterion for verdict in current if verdict.seen == seen}
    return [criterion for criterion in _models(rubric) if criterion.id not in here]


def merged(rubric: Rubric, *passes: Iterable[CriterionVerdict]) -> list[CriterionVerdict]:
    """The newest verdict on each criterion, in the rubric's order. Later passes are newer."""
    last = {verdict.criterion: verdict for one in passes for verdict in one}
    return [last[criterion.id] for criterion in rubric.criteria if criterion.id in last]


def oldest(
    criteria: Iterable[Criterion], previous: Sequence[CriterionVerdict], works: Mapping[str, Work]
) -> Work | None:
    """The work on which the oldest of the verdicts on these criteria was given: who is shown what changed since is
    shown all that changed since any of them. ``works`` are those that are known, by digest; None where one of the
    criteria was not judged yet, or on a work that is not known."""
    last = {verdict.criterion: verdict for verdict in previous}
    verdicts = [last.get(criterion.id) for criterion in criteria]
    known = [verdict for verdict in verdicts if verdict is not None and verdict.seen in works]
    if not known or len(known) < len(verdicts):
        return None
    return works[min(known, key=lambda verdict: verdict.iteration).seen]


def judged_works(verdicts: Iterable[CriterionVerdict], works: Mapping[str, Work]) -> dict[str, Work]:
    """Of the works those that these verdicts are about."""
    return {verdict.seen: works[verdict.seen] for verdict in verdicts if verdict.seen in works}


def _models(rubric: Rubric) -> list[Criterion]:
    return [criterion for criterion in rubric.criteria if criterion.check is None]


def _stands_against(rubric: Rubric, checked: Sequence[CriterionVerdict]) -> bool:
    """Whether a check fails that must not, so that the outcome cannot be satisfied yet."""
    musts = {criterion.id for criterion in rubric.criteria if criterion.must}
    return any(not verdict.met and (not musts or verdict.criterion in musts) for verdict in checked)


def _holds(criterion: Criterion, previous: Sequence[CriterionVerdict], evidence: Evidence) -> bool:
    """Whether what proved that it is met stands word for word in the same file."""
    last = next((verdict for verdict in reversed(previous) if verdict.criterion == criterion.id), None)
    if last is None or not last.met or last.proof is None or last.proof.quote is None:
        return False
    found = evidence.find(last.proof.quote, last.proof.file)
    return found is not None and found.file == last.proof.file


def _due(last: CriterionVerdict | None, changed: set[str], seen: str) -> bool:
    """A verdict on this very work stands. One whose proof is a place and no words (nothing of the kind is in
    it) speaks of everything, so any change touches it; one without proof rests on nothing that could stay."""
    if last is None:
        return True
    if last.seen == seen:
        return False
    if not last.met or last.proof is None:
        return True
    if last.proof.quote is None:
        return bool(changed)
    return (last.proof.file or MESSAGE) in changed
