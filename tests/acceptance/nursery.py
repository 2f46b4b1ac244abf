"""A process that forks workers and kills them: `python -m tests.acceptance.nursery DATABASE EFFECTS SECONDS`.

Everything is imported once, so that a worker is at work some tens of milliseconds after it is asked for. It
reads commands, one a line: ``begin`` (forks a worker, says its pid), ``kill`` (kill -9, and says so), ``end``.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reverie.app import Reverie
from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn
from reverie.jobs.local import LocalEngine
from reverie.models.scripted import ScriptedModel
from reverie.plugins import Output
from reverie.runtime.house import Plugs
from reverie.storage import leases
from reverie.storage.database import Database
from reverie.tools.schemas import problems
from reverie.tools.spilling import spill

__all__ = ["STEPS", "TOOLS", "Worker", "effects", "tend"]

STEPS = 24
_SCHEMA = {"type": "object", "properties": {"session": {"type": "string"}, "n": {"type": "integer"}}}
TOOLS = [
    {"type": "custom", "name": name, "description": "Leaves a line.", "input_schema": _SCHEMA}
    for name in ("change", "look")
]


def effects(path: Path) -> list[tuple[str, str, int]]:
    """What tools did to the world: (tool, session, number), in order."""
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(row[0], row[1], int(row[2])) for row in rows]


def model(request: ModelRequest) -> Any:
    """Changes something, looks at something, in turn, whatever comes of it, ``STEPS`` times a message."""
    session = str(request.system)
    turns = [message for message in request.messages if isinstance(message, UserTurn)]
    said = sum(isinstance(part, Text) for turn in turns for part in turn.parts)
    done = sum(isinstance(part, ToolResult) for turn in turns for part in turn.parts)
    if done >= STEPS * said:
        return "Enough."
    return ToolCall("x", ("change", "look")[done % 2], {"session": session, "n": done})


class Worker(Reverie):
    """A house whose custom tools leave lines in a file."""

    path: Path
    pause_s: float
    careless = False

    def plugs(self) -> Plugs:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(0)

        def none() -> Any:
            raise AssertionError("these agents have no built-in tools")

        return Plugs(
            model=lambda id: ScriptedModel(id, model),
            tools={},
            environment=none,
            validate=problems,
            spill=spill,
            sleep=sleep,
            jitter=random.random,
        )

    def engine_of_work(self) -> Any:
        return LocalEngine(self._db)

    def tool(self, name: str) -> Callable[[Any], Any]:
        async def call(input: Any) -> Output:
            line = f"{name} {input['session']} {input['n']}\n"
            with self.path.open("a") as file:
                file.write(line)
            await asyncio.sleep(self.pause_s * random.random())
            return Output([Text(line)])

        call.repeatable = name == "look" or self.careless  # type: ignore[attr-defined]
        return call

    def take_all(self) -> None:
        for row in self.sessions.list(_EVERY, limit=100):
            self.handle(row.row.id, {name: self.tool(name) for name in ("change", "look")})
        self.attend()


def _every() -> Any:
    from reverie.storage.managed import Filters

    return Filters()


_EVERY = _every()


def _work(database: str, path: str, pause_s: float, careless: bool) -> None:
    leases._PAUSES = (0,) * len(leases._PAUSES)  # type: ignore[misc]  # what is killed this often would rest
    house = Worker(Database.open(database))
    house.path, house.pause_s, house.careless = Path(path), pause_s, careless
    house.take_all()
    while True:
        time.sleep(3600)


def tend(work: Callable[[], None]) -> None:
    """Do as the commands say; ``work`` is what a worker does, until it is killed."""
    pid = 0
    for line in sys.stdin:
        match line.strip():
            case "begin":
                pid = os.fork()
                if pid == 0:
                    work()
            case "kill":
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            case _:
                break
        print(pid, flush=True)


def main(database: str, path: str, pause_s: str, careless: str = "") -> None:
    tend(lambda: _work(database, path, float(pause_s), bool(careless)))


if __name__ == "__main__":
    main(*sys.argv[1:])
