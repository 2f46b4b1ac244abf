"""Reverie's side: one measurement in a process of its own, told as JSON on stdout.

    python -m benchmarks.agents.ours steps DATABASE STEPS FULL|NORMAL
    python -m benchmarks.agents.ours wake DATABASE
    python -m benchmarks.agents.ours leave DATABASE SESSIONS
    python -m benchmarks.agents.ours restart DATABASE

The model is a function that answers at once, the tool one that gives a sentence: what is left is the product.
``NORMAL`` is not offered to users, since it loses acknowledged commits when the power fails; it is set here from
outside, to compare with those whose default it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import reverie
from benchmarks.agents.meters import MODEL, asked_at, reading
from reverie.agents.session import RunSession
from reverie.app import Reverie
from reverie.domain.events import JsonObject
from reverie.storage import sqlite


def agent(steps: int) -> reverie.Agent:
    return reverie.Agent(name=f"reader of {steps}", model=MODEL, system=str(steps), tools=[reading])


async def one(house: Reverie, steps: int) -> tuple[float, float, RunSession]:
    """Seconds from the first word until the session, which is made before, rests: on the wall, and of a
    processor."""
    asked = agent(steps).definition.session(house, "Read the meters.")
    made = house.sessions.create(asked).row.id
    session = await reverie.resume(made, tools=[reading], model=MODEL, reverie=house)
    wall, cpu = time.perf_counter(), time.process_time()
    await session.send("Read the meters.")
    took = time.perf_counter() - wall, time.process_time() - cpu
    assert session.text == "Done.", session.error
    assert sum(event.type == "user.custom_tool_result" for event in session.events) == steps
    return *took, session


async def steps(path: Path, count: int) -> dict[str, Any]:
    """A session of so many steps, after a short one that loads what is loaded once."""
    with reverie.open(path) as house:
        await one(house, 3)
        wall, cpu, session = await one(house, count)
        rows = house.live.log_after(session.id, 0, 100_000)
    results = ("agent.custom_tool_use", "user.custom_tool_result")
    payload = sum(len(told(row.payload)) for row in rows if row.type in results)
    return {"wall": wall, "cpu": cpu, "payload": payload}


def told(payload: str) -> str:
    """What is the client's in the payload of a call or a result: the input, or the text."""
    found: JsonObject = json.loads(payload)
    return json.dumps(found["input"]) if "input" in found else str(found["content"][0]["text"])


# ---------------------------------------------------------------------- wake and restart


async def wake(path: Path) -> dict[str, Any]:
    """Milliseconds from a word of the client's to the request that the model gets, in a session at rest."""
    delays: list[float] = []
    with reverie.open(path) as house:
        _, _, session = await one(house, 0)
        for _ in range(60):
            asked_at.clear()
            began = time.perf_counter()
            await session.send("Once more.")
            delays.append((asked_at[0] - began) * 1e3)
    return {"median": statistics.median(delays), "p95": sorted(delays)[-3]}


def leave(path: Path, sessions: int) -> dict[str, Any]:
    """A house as a killed process leaves it: of ten sessions eight at rest, one with input that nobody took,
    one in the middle of a turn."""
    house = reverie.open(path, waker=lambda workspace, session_id: None)
    asked = agent(0).definition.session(house, "Left.")
    said = [{"type": "user.message", "content": [{"type": "text", "text": "Read the meters."}]}]
    for number in range(sessions):
        session_id = house.sessions.create(asked).row.id
        if number % 10 == 0:
            house.sessions.send(session_id, said)
            house.live.take(session_id)
            house.live.turn(session_id, "running")
        elif number % 10 == 1:
            house.sessions.send(session_id, said)
    os._exit(0)


def restart(path: Path) -> dict[str, Any]:
    """Seconds until every session takes input again, and until those that had something to do have done it."""
    began = time.perf_counter()
    with reverie.open(path) as house:
        house.attend()
        ready = time.perf_counter() - began
        left = settled(house)
        while not left:
            time.sleep(0.02)
            left = settled(house)
        return {"ready": ready, "settled": time.perf_counter() - began, "worked": left}


def settled(house: Reverie) -> int:
    """How many sessions have been worked on, once none waits; else 0."""
    with house.database.read() as conn:
        open_, waiting, worked = conn.exec_driver_sql(
            "SELECT (SELECT count(*) FROM sessions WHERE status <> 'idle'), (SELECT count(*) FROM inbox), "
            "(SELECT count(*) FROM events WHERE type = 'agent.message')"
        ).one()
    return 0 if open_ or waiting else int(worked)


def used(path: Path) -> dict[str, Any]:
    """Peak memory of this process, and the bytes that a database takes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "peak_mb": peak,
        "bytes": sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if file.is_file()),
    }


def durable(level: str) -> None:
    """Have SQLite flush as it does by default here (FULL), or as others have it (NORMAL)."""
    pragmas = [pragma for pragma in sqlite._DURABLE if not pragma.startswith("synchronous")]
    sqlite._DURABLE = (f"synchronous={level}", *pragmas)  # type: ignore[misc]


def main(what: str, database: str, *more: str) -> None:
    path = Path(database)
    if what == "steps":
        durable(more[1])
        found = asyncio.run(steps(path, int(more[0])))
    elif what == "wake":
        found = asyncio.run(wake(path))
    elif what == "leave":
        found = leave(path, int(more[0]))
    else:
        found = restart(path)
    print(json.dumps(found | used(path)))


if __name__ == "__main__":
    arguments: Sequence[str] = sys.argv[1:]
    main(*arguments)
