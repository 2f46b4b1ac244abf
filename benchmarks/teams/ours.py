"""Reverie's side: one measurement in a process of its own, told as JSON on stdout.

python -m benchmarks.teams.ours team DATABASE SPECIALISTS STEPS
python -m benchmarks.teams.ours begin DATABASE TIMES
python -m benchmarks.teams.ours map DATABASE ITEMS AT_ONCE
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import reverie
from benchmarks.teams.crew import ECHO, LEAD, SERIAL, SPECIALIST, reading
from reverie.agents.session import RunSession
from reverie.app import Reverie


def team(specialists: int, steps: int) -> reverie.Team:
    lead = reverie.Agent(name="lead", model=LEAD, system=str(specialists))
    member = reverie.Agent(model=SPECIALIST, system=str(steps), tools=[reading])
    return reverie.Team(lead=lead, specialists={"specialist": member})


async def one(house: Reverie, specialists: int, steps: int) -> RunSession:
    session = await team(specialists, steps).run("Read the meters.", reverie=house)
    assert session.text == f"{specialists} reports", (session.text, session.error)
    assert sum(e.type == "user.custom_tool_result" for e in session.events) == specialists * steps
    return session


async def whole(path: Path, specialists: int, steps: int) -> dict[str, Any]:
    """A team's work, after a short one that loads what is loaded once."""
    with reverie.open(path) as house:
        await one(house, 2, 1)
        wall, cpu = time.perf_counter(), time.process_time()
        session = await one(house, specialists, steps)
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {**took, "events": len(session.events)}


async def begin(path: Path, times: int) -> dict[str, Any]:
    """Milliseconds from the answer in which a lead asks for a specialist to the specialist's first request."""
    lead = reverie.Agent(name="lead", model=SERIAL, system=str(times))
    crew = reverie.Team(lead=lead, specialists={"specialist": reverie.Agent(model=ECHO)})
    with reverie.open(path) as house:
        session = await crew.run("Read the meters, one after the other.", reverie=house)
    assert session.text == "Done.", session.error
    asked = [e for e in session.events if e.type == "agent.tool_use" and e.payload["name"] == "send_to_agent"]
    began = [e for e in session.events if e.thread and e.type == "span.model_request_start"]
    pairs = zip(asked, began, strict=True)
    delays = [(b.at - a.at).total_seconds() * 1e3 for a, b in pairs if a.at is not None and b.at is not None]
    return {"median": statistics.median(delays), "p95": sorted(delays)[int(times * 0.95) - 1]}


async def mapped(path: Path, items: int, at_once: int) -> dict[str, Any]:
    """A specialist that answers at once, over many inputs."""
    lead = reverie.Agent(name="lead", model=LEAD, system="0")
    crew = reverie.Team(lead=lead, specialists={"specialist": reverie.Agent(model=ECHO)})
    inputs = [f"build {number}" for number in range(items)]
    with reverie.open(path) as house:
        await crew.map("specialist", inputs[:5], reverie=house)
        wall, cpu = time.perf_counter(), time.process_time()
        found = await crew.map("specialist", inputs, at_once=at_once, reverie=house)
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    assert found.result == "completed" and all(found.texts), found.result
    return took


def main(what: str, database: str, *more: str) -> None:
    measures = {"team": whole, "begin": begin, "map": mapped}
    found = asyncio.run(measures[what](Path(database), *map(int, more)))  # type: ignore[operator]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found | {"peak_mb": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
