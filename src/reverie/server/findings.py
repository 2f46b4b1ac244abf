"""Findings over HTTP: the claim, the numbers, and the way down to the events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from reverie.domain.errors import NotFound
from reverie.domain.findings import Finding as Found
from reverie.dreaming.render import finding_json
from reverie.server.endpoint import Call, Endpoint
from reverie.server.wire.findings import Finding

if TYPE_CHECKING:
    from reverie.app import Workspace

__all__ = ["ENDPOINTS", "shown"]


def _retrieve(call: Call[None, None]) -> Finding:
    wanted = call.path["finding_id"]
    found = call.house.finding(wanted)
    if found.id != wanted:  # a prefix is for people who type
        raise NotFound(f"there is no finding {wanted!r}")
    return shown(call.house, found)


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
    Endpoint("GET", "/v1/findings/{finding_id}", _retrieve, Finding, "dreams:read", tag="findings",
             summary="A finding with its statistics, conditions and evidence"),
)  # fmt: skip
