"""Replays on the wire (ours)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Wire

__all__ = ["Replay", "ReplayList", "ReplayPair", "Status"]

Status: TypeAlias = Literal["running", "adopt", "give_up"]


class ReplayPair(Wire):
    """One task, played with the proposals and without: whether each succeeded."""

    task: str
    with_proposals: bool
    without: bool


class Replay(Wire):
    """Tasks played with proposals in memory and without. ``won`` and ``lost`` count the pairs in which only the one with
    them succeeded, or only the one without, of the ``pairs`` that were played, at most ``most_pairs``."""

    id: str
    lost: int
    most_pairs: int
    pairs: int
    played: list[ReplayPair]
    proposal_ids: list[str]
    status: Status
    won: int
    type: Literal["replay"] = "replay"


class ReplayList(Ask):
    """A page of a proposal's replays, newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
