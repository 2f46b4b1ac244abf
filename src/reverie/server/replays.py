"""Replays of a proposal over HTTP. Programs play them (``reverie trial replay``); here one looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reverie.dreaming.replays import Replay as Kept
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.slices import slice_of
from reverie.server.wire.replays import Replay, ReplayList, ReplayPair, Status

__all__ = ["ENDPOINTS"]

_STATUS: Final[Mapping[str, Status]] = {"running": "running", "adopt": "adopt", "give up": "give_up"}


def _list(call: Call[None, ReplayList]) -> Page[Replay]:
    proposal = call.house.review.get(call.path["proposal_id"])
    return slice_of(call.house.replays.list(proposal.id), call.query, _shown)


def _shown(kept: Kept) -> Replay:
    standing = kept.standing
    return Replay(
        id=kept.id,
        lost=standing.losses,
        most_pairs=kept.plan.pairs,
        pairs=standing.pairs,
        played=[
            ReplayPair(task=pair.task, with_proposals=pair.with_edit, without=pair.without)
            for pair in kept.in_order
        ],
        proposal_ids=list(kept.proposals),
        status=_STATUS[kept.status],
        won=standing.wins,
    )


ENDPOINTS: Final = (
    Endpoint("GET", "/v1/proposals/{proposal_id}/replays", _list, Page[Replay], "proposals:read",
             query=ReplayList, tag="proposals", summary="What was tried with a proposal before its adoption"),
)  # fmt: skip
