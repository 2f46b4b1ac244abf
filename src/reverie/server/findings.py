"""Findings over HTTP: the claim, the numbers, the way down to the events, and what is not evidence for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reverie.domain.errors import NotFound
from reverie.domain.findings import Finding as Found
from reverie.dreaming.exclusions import Recount as Recounted
from reverie.dreaming.render import finding_json, numbers_json
from reverie.server.endpoint import Call, Endpoint
from reverie.server.wire.findings import Counts, Effect, Exclude, Exclusion, Finding, Include, Recount

if TYPE_CHECKING:
    from reverie.app import Workspace

__all__ = ["ENDPOINTS", "shown"]

_ITEM: Final = "/v1/findings/{finding_id}"


def _retrieve(call: Call[None, None]) -> Finding:
    return shown(call.house, _exact(call))


def _exact(call: Call[Any, None]) -> Found:
    wanted = call.path["finding_id"]
    found = call.house.finding(wanted)
    if found.id != wanted:  # a prefix is for people who type
        raise NotFound(f"there is no finding {wanted!r}")
    return found


def _exclusions(call: Call[None, None]) -> Recount:
    found = _exact(call)
    return _recount(found.id, call.house.exclusions.of(found))


def _exclude(call: Call[Exclude, None]) -> Recount:
    found, asked = _exact(call), call.body
    by = _signed(call, asked.reviewer)
    marked = call.house.exclusions.mark(
        found.id, asked.session_id, asked.event_id, by=by, reason=asked.reason
    )
    return _recount(found.id, marked)


def _include(call: Call[Include, None]) -> Recount:
    found, wanted = _exact(call), call.path["exclusion_id"]
    left = call.house.exclusions.take_back(found.id, wanted, by=_signed(call, call.body.reviewer))
    return _recount(found.id, left)


def _signed(call: Call[Any, None], reviewer: str | None) -> str:
    return call.principal.actor if reviewer is None else f"{reviewer} ({call.principal.actor})"


def _recount(finding_id: str, found: Recounted | None) -> Recount:
    """A recount on the wire, with what its miner tells now."""
    now = None if found is None or found.finding is None else numbers_json(found.finding)
    marks = () if found is None else found.exclusions
    return Recount(
        counts=None if now is None else msgspec.convert(now["counts"], Counts),
        effect=None if now is None else msgspec.convert(now["effect"], Effect),
        exclusions=[
            Exclusion(
                at=m.at, by=m.by, event_id=m.event_id, id=m.id, reason=m.reason, session_id=m.session_id
            )
            for m in marks
        ],
        finding_id=finding_id,
        p_adjusted=None if now is None else now["p_adjusted"],
        standing=None if found is None else found.standing,
        why=None if found is None else found.why,
    )


def shown(house: Workspace, finding: Found) -> Finding:
    """A finding on the wire, its quotes read back from the log."""
    told = finding_json(finding, house.log.event)
    for side in ("evidence", "counter_evidence"):
        told[side] = [_citation(each) for each in told[side]]
    told["conditions"] = [{"interval": None, **each} for each in told["conditions"]]
    return msgspec.convert(told, Finding)


def _citation(quoted: dict[str, Any]) -> dict[str, Any]:
    session = f"/v1/sessions/{quoted['session_id']}"
    links = {"session_url": session, "event_url": f"{session}/events/{quoted['event_id']}"}
    return {**quoted, "event_type": quoted["type"], "type": "citation", **links}


ENDPOINTS: Final = (
    Endpoint("GET", _ITEM, _retrieve, Finding, "dreams:read", tag="findings",
             summary="A finding with its statistics, conditions and evidence"),
    Endpoint("GET", f"{_ITEM}/exclusions", _exclusions, Recount, "dreams:read", tag="findings",
             summary="What is marked as not evidence, and how it counts without"),
    Endpoint("POST", f"{_ITEM}/exclusions", _exclude, Recount, "proposals:write", body=Exclude, tag="findings",
             summary="Mark a session, or an event of it, as not evidence; counts anew at once"),
    Endpoint("POST", f"{_ITEM}/exclusions/{{exclusion_id}}/undo", _include, Recount, "proposals:write",
             body=Include, tag="findings", summary="Let a mark count no longer"),
)  # fmt: skip
