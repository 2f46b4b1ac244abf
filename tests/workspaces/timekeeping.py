"""Houses whose time is what a test says, several of them on one database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from reverie.app import Reverie
from reverie.storage.database import Database

HELLO: Any = {"type": "user.message", "content": [{"type": "text", "text": "hello"}]}


def at(text: str) -> datetime:
    """A moment, said in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Time:
    """A clock that stands where it was put."""

    def __init__(self, now: str) -> None:
        self.now = at(now)

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)


@contextmanager
def house(url: str, time: Time, seed: int = 0) -> Iterator[Reverie]:
    """A house at that time; nobody works on its sessions."""
    entropy = random.Random(seed).randbytes
    database = Database.open(url, clock=time)
    with Reverie(database, clock=time, entropy=entropy, waker=lambda *_: None) as opened:
        yield opened


def deploy(opened: Any, expression: str, zone: str, **more: Any) -> str:
    """A deployment with a schedule; its id."""
    said = {
        "agent": opened.agents.create({"model": "m", "name": "a"}).id,
        "environment_id": opened.environments.create({"name": "e"}).id,
        "initial_events": [HELLO],
        "name": "d",
        "schedule": {"type": "cron", "expression": expression, "timezone": zone},
        **more,
    }
    made: str = opened.deployments.create(said).resource.id
    return made


def slots(opened: Any, deployment_id: str) -> list[str]:
    """The moments that were started, in order of time: ``11-01 05:30``, in UTC."""
    runs = opened.deployment_runs.list(deployment_id=deployment_id, trigger="schedule", limit=1_000)
    return sorted(run.body["trigger_context"]["scheduled_at"][5:16].replace("T", " ") for run in runs)
