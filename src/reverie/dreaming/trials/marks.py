"""What a memory is about, as it shows in a session: the failure it addresses, and what the session is like.

Both are read from observations, which are what miners see too. A stratum holds only what was so before the
session saw any memory, as digests: it outlives the session, and a session may be deleted for what it said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reverie.domain.findings import Finding
from reverie.domain.observations import Failure, Observation, Remark
from reverie.domain.trials import Marks

__all__ = ["hit", "marks_of", "stratum"]

LIKE: Final = 80.0
"""How alike (0 to 100) two wordings are of the same correction."""
_SAID: Final = frozenset({"correction", "rule", "denial"})
_DIGITS: Final = 12


def marks_of(finding: Finding, observations: Sequence[Observation]) -> Marks:
    """How the failure that a finding is about is recognised, given observations of its sessions.

    An error: by its masked text. What people had to say: by their wording. Of a workflow, or of habits that have no
    text of their own, there is no such mark.
    """
    told, example = finding.statement.get("template"), finding.statement.get("example")
    if finding.kind == "preference":
        cited = {citation.span.event_id for citation in finding.evidence}
        said = {r.signature for o in observations for r in _said(o) if r.span.event_id in cited}
        return Marks(remarks=tuple(sorted(said)))
    found = {told} if isinstance(told, str) else set[str]()
    if isinstance(example, str):
        found |= {f.template for o in observations for f in _failures(o) if f.example == example}
    return Marks(templates=tuple(sorted(found)))


def hit(observation: Observation, marks: Marks) -> bool:
    """Whether the failure happened in this session."""
    if any(failure.template in marks.templates for failure in _failures(observation)):
        return True
    said = [remark.signature for remark in _said(observation)] if marks.remarks else []
    if not said:
        return False
    from rapidfuzz.fuzz import token_sort_ratio  # of no use to whoever opens a database for something else

    return any(token_sort_ratio(one, known) >= LIKE for one in said for known in marks.remarks)


def stratum(observation: Observation) -> tuple[str, ...]:
    """What the session is comparable by, the coarsest first: the task, else what was asked for first, then
    repository, agent and model."""
    o = observation
    return _digests((o.task or o.cluster, o.repository, o.agent, o.model))


def _digests(facts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(hashlib.sha256((fact or "").encode()).hexdigest()[:_DIGITS] for fact in facts)


def _failures(observation: Observation) -> Iterator[Failure]:
    for call in observation.calls:
        if call.failure is not None:
            yield call.failure
            yield from call.also


def _said(observation: Observation) -> Iterator[Remark]:
    return (remark for remark in observation.remarks if remark.kind in _SAID)
