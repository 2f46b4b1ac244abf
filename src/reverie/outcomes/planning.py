"""Which criteria a model has to judge, in which pass.

The first pass judges all that no check decides. A later one judges what failed and what the worker touched:
a verdict whose proof stands in a file that is as it was holds on. Before an outcome is called satisfied, one
full pass judges what was not judged on this very work, because a change can break what it did not touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reverie.domain.outcomes import Criterion, CriterionVerdict, Rubric
from reverie.outcomes.evidence import MESSAGE

__all__ = ["left_for_full_pass", "merged", "to_judge"]


def to_judge(
    rubric: Rubric,
    previous: Sequence[CriterionVerdict],
    changed: set[str],
    seen: str,
    *,
    full: bool = False,
) -> list[Criterion]:
    """The criteria of the next pass, in the rubric's order.

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


def _models(rubric: Rubric) -> list[Criterion]:
    return [criterion for criterion in rubric.criteria if criterion.check is None]


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
