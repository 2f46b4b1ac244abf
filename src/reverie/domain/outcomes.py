"""Outcomes: what is wanted, how it is judged, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.events import JsonObject

__all__ = [
    "GRADER",
    "MAX_ITERATIONS",
    "MAX_RUBRIC",
    "PLATFORM",
    "Check",
    "Criterion",
    "CriterionStatus",
    "CriterionVerdict",
    "Deliverable",
    "GraderSettings",
    "Hidden",
    "JudgedBy",
    "Note",
    "Proof",
    "Result",
    "Rubric",
    "Verdict",
    "Work",
]

GRADER: Final = "reverie.grader"
"""The name of the agent that grades, in the log: its threads are not the worker's."""
PLATFORM: Final = frozenset({GRADER, "anthropic.advisor"})
"""Names of agents in the log that are ours, and not the session's: what they do is none of its agent's doing."""
MAX_RUBRIC: Final = 262_144
"""Characters of a rubric."""
MAX_ITERATIONS: Final = 20

CriterionStatus: TypeAlias = Literal["satisfied", "partially_satisfied", "not_satisfied", "not_applicable"]
JudgedBy: TypeAlias = Literal["check", "grader"]
Result: TypeAlias = Literal["satisfied", "needs_revision", "max_iterations_reached", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Check:
    """A deterministic check. ``wants`` is what its block in the rubric says, validated for its kind
    (``command``, ``file``, ``text``, ``json``, ``docx``, ``pptx``, ``xlsx``, ``pdf``)."""

    kind: str
    wants: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of a rubric. ``must``: without it the outcome is not satisfied; a criterion that only *should*
    be met is told, and weighs in the score. ``line`` is where it stands in the rubric, from 1."""

    id: str
    text: str
    must: bool = True
    weight: float = 1.0
    section: str = ""
    check: Check | None = None
    line: int = 1


@dataclass(frozen=True, slots=True)
class Rubric:
    """A rubric. ``structured`` is False where it is free text: then its one criterion is the whole text.
    ``guidance`` is what stands in it beside the criteria, for the grader to read."""

    text: str
    criteria: Sequence[Criterion]
    title: str = ""
    guidance: str = ""
    structured: bool = True


@dataclass(frozen=True, slots=True)
class Hidden:
    """Text in a file that a reader does not see: ``how`` says what hides it, ``place`` where it is."""

    how: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A file that is judged. ``text`` is what a reader of it sees, as far as it can be read (``problem`` says
    why not: encrypted, corrupt, too large, of no known kind); ``hidden`` what a reader does not see."""

    path: str
    size: int
    sha256: str
    text: str | None = None
    problem: str | None = None
    hidden: Sequence[Hidden] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What is judged: the files, in order of their paths, and what the agent said last."""

    deliverables: Sequence[Deliverable] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """Where to look: a verbatim quote, a file, a place in it (``line 12``, ``slide 3``). ``file`` is None for
    the agent's final message."""

    file: str | None = None
    quote: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class CriterionVerdict:
    """What became of one criterion. ``iteration`` and ``seen`` say when it was judged, and on which work
    (``evidence.digest``). ``change`` is what must change, for the worker."""

    criterion: str
    status: CriterionStatus
    by: JudgedBy
    proof: Proof | None = None
    change: str = ""
    reason: str = ""
    confidence: float | None = None
    iteration: int = 0
    seen: str = ""

    @property
    def met(self) -> bool:
        return self.status in ("satisfied", "not_applicable")


@dataclass(frozen=True, slots=True)
class Note:
    """Something about the work that is no criterion's: text addressed to the grader, hidden text, a file that
    cannot be read. ``blocks``: with it the outcome cannot be satisfied."""

    kind: str
    message: str
    file: str | None = None
    place: str | None = None
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class GraderSettings:
    """How an outcome is graded: ``model`` as on the wire (None: the worker's own), ``votes`` (odd) graders of
    which the majority counts, whether its tools may use the network that the session has, and what it is told
    besides. ``full``: judge every criterion anew in each iteration."""

    model: str | Mapping[str, Any] | None = None
    votes: int = 1
    network: bool = False
    instructions: str = ""
    full: bool = False

    @classmethod
    def of(cls, agent: JsonObject, session: JsonObject, outcome: JsonObject) -> GraderSettings:
        """What holds for an outcome: what is said in ``user.define_outcome`` (its payload), else of the
        session, else of its agent (their bodies), field by field."""
        said: dict[str, Any] = {}
        for body in (agent, session, outcome):
            told: JsonObject = body.get("grader") or {}
            said |= {name: value for name, value in told.items() if value is not None}
        return cls(**said)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one evaluation. ``score`` is the weighted share of criteria that are met, ``feedback`` what
    the worker is told: nothing but what must change."""

    result: Result
    iteration: int
    criteria: Sequence[CriterionVerdict] = ()
    explanation: str = ""
    feedback: str = ""
    score: float | None = None
    notes: Sequence[Note] = ()
