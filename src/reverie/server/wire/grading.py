"""Ours: how outcomes are graded, and what a verdict says of each criterion."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.domain.outcomes import CriterionStatus, JudgedBy
from reverie.server.wire.base import Ask, Meta, Wire
from reverie.server.wire.model_configs import ModelAsk, ModelConfig

__all__ = ["Evidence", "Grader", "GraderAsk", "Judged", "Remark"]

Votes: TypeAlias = Literal[1, 3, 5, 7]
Instructions: TypeAlias = Annotated[str, Meta(max_length=4_096)]


class Grader(Wire):
    """How outcomes are graded; null is what nobody said here."""

    model: ModelConfig | None = None
    votes: Votes | None = None
    network: bool | None = None
    instructions: str | None = None
    full: bool | None = None


class GraderAsk(Ask, forbid_unknown_fields=True):
    """How outcomes shall be graded. ``votes`` graders judge, and the majority counts; ``network``: their tools
    may reach what the session's may; ``full``: every iteration judges every criterion anew."""

    model: ModelAsk | None = None
    votes: Votes | None = None
    network: bool | None = None
    instructions: Instructions | None = None
    full: bool | None = None


class Evidence(Wire):
    """Where to look: a verbatim quote, a file (null: the agent's last message), a place in it."""

    file: str | None = None
    quote: str | None = None
    place: str | None = None


class Judged(Wire):
    """What became of one criterion. ``iteration`` is when it was judged, ``change`` what must change."""

    id: str
    text: str
    must: bool
    weight: float
    status: CriterionStatus
    by: JudgedBy
    proof: Evidence | None = None
    change: str = ""
    reason: str = ""
    confidence: float | None = None
    iteration: int = 0


class Remark(Wire):
    """Something about the work that no criterion asks for. ``blocks``: with it no outcome is satisfied."""

    kind: str
    message: str
    file: str | None = None
    place: str | None = None
    blocks: bool = False
