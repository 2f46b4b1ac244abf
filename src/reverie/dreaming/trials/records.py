"""A trial as a resource: written, read back, and given a new round."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec

from reverie.domain.clock import iso
from reverie.domain.memories import Memory
from reverie.domain.resources import Resource
from reverie.domain.trials import Round, Trial
from reverie.storage import audit
from reverie.storage.database import Connection
from reverie.workspaces.resources import Resources

__all__ = ["KEY", "KIND", "RUNNING", "begun_again", "body_of", "changed", "put", "trial_of"]

KIND: Final = "trial"
RUNNING: Final = "running"
KEY: Final = "key"
"""The name of a trial's secret: what its coin is tossed with."""
_ELSEWHERE: Final = ("id", "store_id", "status")  # columns of the resource


def trial_of(resource: Resource) -> Trial:
    """The trial that a resource holds."""
    told = {**resource.body, "id": resource.id, "store_id": resource.parent, "status": resource.status}
    return msgspec.convert(told, Trial)


def body_of(trial: Trial) -> dict[str, Any]:
    """What of a trial is kept in its resource's body."""
    told: dict[str, Any] = msgspec.to_builtins(trial)
    return {name: value for name, value in told.items() if name not in _ELSEWHERE}


def put(resources: Resources, conn: Connection, trial: Trial) -> Trial:
    """Keep a trial as it is now. Hold it first."""
    after = {"body": body_of(trial), "status": trial.status}
    resources.change(KIND, trial.id, lambda found: replace(found, **after), conn=conn)
    return trial


def changed(trial: Trial, memory: Memory) -> bool:
    """The memory says something else than what is tried."""
    return memory.content_sha256 != trial.round.content_sha256


def begun_again(
    resources: Resources, conn: Connection, trial: Trial, memory: Memory, *, by: str, why: str, at: datetime
) -> Trial:
    """The trial with a new round, kept: another text is another treatment, and what was counted of the former one
    says nothing about it. Hold the trial first."""
    since = max(memory.updated_at, trial.round.began_at) if changed(trial, memory) else at
    fresh = Round(trial.round.number + 1, since, memory.version_id, memory.content_sha256, why)
    after = replace(
        trial,
        path=memory.path,
        status="running",
        rounds=(*trial.rounds, fresh),
        ended_at=None,
        ended_by=None,
        why=None,
    )
    told = {"round": fresh.number, "why": why, "since": iso(since), "version_id": memory.version_id}
    audit.append(conn, at, by, "trial.round", trial.id, told)
    return put(resources, conn, after)
