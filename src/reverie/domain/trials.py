"""Trials: an approved memory that some sessions see and others do not, and what their outcomes say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

__all__ = [
    "BUDGET",
    "PATIENCE_DAYS",
    "SHARE",
    "Exposed",
    "Interval",
    "Marks",
    "Point",
    "Round",
    "Ruling",
    "Trial",
    "TrialStatus",
    "Word",
]

SHARE: Final = 0.8
"""The share of sessions that see a memory on trial, unless another is chosen."""
BUDGET: Final = 1_000
"""Sessions after which a trial ends without an answer, unless another number is chosen."""
PATIENCE_DAYS: Final = 7
"""How long the outcome of a session is waited for; then its absence counts as failure."""

TrialStatus = Literal["running", "withdrawn", "ended"]
"""``running``: a coin says which new sessions see the memory. ``withdrawn``: no session sees the text that was
tried. ``ended``: all see it."""
Word = Literal["helped", "harmful", "no effect worth having", "not enough data"]
Interval = tuple[float, float]
"""(low, high) of an average effect, as a difference of success rates."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How the failure that a memory addresses is recognised in a session: error texts with everything variable
    masked (``Failure.template``), and what people said (``Remark.signature``). Both empty: it cannot be."""

    templates: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.templates or self.remarks)


@dataclass(frozen=True, slots=True)
class Round:
    """A stretch of a trial in which one text was tried. Sessions are compared within it alone."""

    number: int
    began_at: datetime
    version_id: str
    content_sha256: str
    why: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """One verdict and the numbers it was given on.

    ``sessions`` were counted, of which ``seen`` saw the memory; ``failures`` and ``hits`` are pairs (with it,
    without it): sessions that ended badly, and those in which the failure it addresses happened (None where that
    cannot be recognised). Effects are differences of rates, positive where the memory helps, with intervals that
    hold together at 95 % whenever one looks; ``helps`` and ``harms`` are e-values. ``proposal_id`` is what was
    proposed on this account.
    """

    at: datetime
    round: int
    word: Word
    sessions: int
    seen: int
    failures: tuple[int, int]
    hits: tuple[int, int] | None
    helps: float
    harms: float
    effect: float | None
    overall: Interval
    addressed_effect: float | None
    addressed: Interval | None
    proposal_id: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A memory on trial. Its coin's key is a secret of its id and is in no field.

    ``version`` is the memory's when the trial began; ``source`` the proposal by which it came (None: written by
    hand), ``finding_id`` what that rests on and ``idea`` its key.
    """

    id: str
    store_id: str
    memory_id: str
    path: str
    version: int
    source: str | None
    finding_id: str | None
    idea: str | None
    marks: Marks
    share: float
    budget: int
    patience_days: int
    status: TrialStatus
    began_by: str
    began_at: datetime
    rounds: tuple[Round, ...]
    rulings: tuple[Ruling, ...] = ()
    ended_at: datetime | None = None
    ended_by: str | None = None
    why: str | None = None

    @property
    def round(self) -> Round:
        """The one under way, or the last."""
        return self.rounds[-1]

    @property
    def word(self) -> Word:
        """The last verdict on the text that is tried."""
        said: list[Word] = [each.word for each in self.rulings if each.round == self.round.number]
        return said[-1] if said else "not enough data"


@dataclass(frozen=True, slots=True)
class Exposed:
    """One session of a trial, in the order in which they met it: ``number`` 1, 2, 3 … within a round.

    ``good`` (it ended well) and ``hit`` (the failure the memory addresses happened) are None until the session
    has ended, or is not waited for any more. Then they stay, whatever becomes of the session. ``stratum`` holds
    digests of what it is comparable by, the coarsest first.
    """

    session_id: str
    round: int
    number: int
    seen: bool
    at: datetime
    good: bool | None = None
    hit: bool | None = None
    stratum: tuple[str, ...] = ()
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """Where a round stood after some of its sessions: for curves. Fields as of ``Ruling``."""

    at: datetime
    round: int
    sessions: int
    seen: int
    failures: tuple[int, int]
    hits: tuple[int, int] | None
    effect: float | None
    overall: Interval
    addressed_effect: float | None
    addressed: Interval | None
