"""Sessions with something to do, and work that does it: some steps, each recorded under the fence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from reverie.app import Reverie
from reverie.domain.errors import LeaseLost
from reverie.domain.events import JsonObject, NewEvent
from reverie.domain.workspaces import EVERYWHERE
from reverie.jobs.engine import Engine
from reverie.storage import events as event_rows
from reverie.storage import leases
from reverie.storage.database import Connection, Database

HELLO = [{"type": "user.message", "content": [{"type": "text", "text": "hello"}]}]


def house_of(db: Database) -> Reverie:
    """A house in which nobody is woken: what is to be done stands in the database, and there alone."""
    return Reverie(db, clock=db.clock, waker=lambda *_: None)


def new_sessions(house: Reverie, count: int = 1, *, woken: bool = True) -> list[str]:
    agent = house.agents.create({"name": "a", "model": {"id": "claude-opus-5"}}).id
    place = house.environments.create({"name": "e", "config": {"type": "cloud"}}).id
    ids = [house.sessions.create({"agent": agent, "environment_id": place}).row.id for _ in range(count)]
    if woken:
        for id in ids:
            house.sessions.send(id, HELLO)
    return ids


class Steps:
    """Takes steps in a session until there are ``steps`` of them in its log. Every step says who took it.

    ``fenced=False`` is a fault that tests plant: the worker writes without asking whether it still may.
    ``commits``: how often it writes in a step; what it writes first is no step.
    """

    def __init__(
        self,
        db: Database,
        engine: Engine,
        *,
        steps: int,
        pause_s: float,
        fenced: bool = True,
        commits: int = 1,
    ) -> None:
        self._db = db
        self._engine = engine
        self._steps = steps
        self._pause_s = pause_s
        self._fenced = fenced
        self._commits = commits

    async def __call__(self, workspace: str, session_id: str) -> None:
        everywhere = self._db.scoped(EVERYWHERE)
        worker = self._engine.worker
        epoch = await asyncio.to_thread(everywhere.write, lambda conn: leases.claim(conn, session_id, worker))
        if epoch is None:
            return
        done = False
        try:
            for number in range(len(steps_of(self._db, session_id)), self._steps):
                for commit in range(1, self._commits):
                    await asyncio.to_thread(self._write, session_id, epoch, f"{number} {commit}", {})
                told = {"step": number, "epoch": epoch, "by": worker}
                await asyncio.to_thread(self._write, session_id, epoch, f"{number}", told)
                await asyncio.sleep(self._pause_s)
            done = True
        finally:
            again = everywhere.write(lambda conn: leases.release(conn, session_id, epoch, done=done))
        if again and done:
            self._engine.wake(workspace, session_id)

    def _write(self, session_id: str, epoch: int, name: str, told: JsonObject) -> None:
        event = NewEvent("raw", told, f"{name} of {epoch}")

        def work(conn: Connection) -> None:
            if self._fenced and not leases.holds(conn, session_id, epoch):
                raise LeaseLost("another worker goes on with this session", where=session_id)
            row = event_rows.prepare(session_id, event)
            event_rows.append(conn, session_id, [row], self._db.clock())

        self._db.write(work)


class Step(NamedTuple):
    number: int
    epoch: int
    by: str


def steps_of(db: Database, session_id: str) -> list[Step]:
    """The steps in a session's log, in order."""
    with db.read() as conn:
        events = [event_rows.read(link) for link in event_rows.links(conn, session_id)]
    return [
        Step(e.payload["step"], e.payload["epoch"], e.payload["by"])
        for e in events
        if e.type == "raw" and "step" in e.payload
    ]


def owned_by_two(steps: Sequence[Step]) -> bool:
    """Whether somebody wrote after another had claimed the session."""
    epochs = [step.epoch for step in steps]
    return epochs != sorted(epochs)


def waiting(db: Database) -> list[str]:
    """The sessions that somebody should take."""
    with db.scoped(EVERYWHERE).read() as conn:
        return [id for _, id in leases.unowned(conn)]


def everywhere(db: Database, call: Any, *arguments: Any, **named: Any) -> Any:
    """``call(conn, …)`` in a transaction that sees all workspaces."""
    return db.scoped(EVERYWHERE).write(lambda conn: call(conn, *arguments, **named))
