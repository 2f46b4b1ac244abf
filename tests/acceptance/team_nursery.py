"""A process that forks workers on a team and kills them: `python -m tests.acceptance.team_nursery DATABASE EFFECTS`.

As ``nursery``, with a lead and specialists. Every answer of a specialist's model is noted in a file, by its task and
step, as soon as it is asked for.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.acceptance.nursery import Worker

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn
from reverie.models.scripted import ScriptedModel
from reverie.plugins import Output
from reverie.runtime.house import Plugs
from reverie.storage import leases
from reverie.storage.database import Database
from reverie.tools.schemas import problems
from reverie.tools.spilling import spill

__all__ = ["SPECIALISTS", "STEPS", "asked_for"]

SPECIALISTS = 20
STEPS = 4


def asked_for(path: Path) -> list[tuple[str, int]]:
    """What was asked of specialists' models: (task, step), in order."""
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(row[0], int(row[1])) for row in rows if len(row) == 2]


def _parts(request: ModelRequest, kind: type[Any]) -> list[Any]:
    turns = [turn for turn in request.messages if isinstance(turn, UserTurn)]
    return [part for turn in turns for part in turn.parts if isinstance(part, kind)]


def lead(request: ModelRequest) -> Any:
    """Hands out the tasks, one by one or as a plan, and tells what came back."""
    texts = [part.text for part in _parts(request, Text)]
    done = len(_parts(request, ToolResult))
    if done == 0 and texts[0] == "plan":
        tasks = [
            {"id": f"t{n}", "agent": "s", "prompt": f"t{n}", "depends_on": [f"t{n - 10}"] if n >= 10 else []}
            for n in range(SPECIALISTS)
        ]
        return ToolCall("p", "run_plan", {"name": "p", "tasks": tasks})
    if done == 0:
        tell = {"agent": "s"}
        return [ToolCall(f"c{n}", "send_to_agent", {**tell, "message": f"t{n}"}) for n in range(SPECIALISTS)]
    if texts[0] != "plan" and done == SPECIALISTS:
        return ToolCall("w", "wait_for_agents", {})
    told = texts[1:] + [part.content[0].text for part in _parts(request, ToolResult)]
    return f"{sum(text.count('result of') for text in told)} results"


class TeamWorker(Worker):
    """A house whose specialists leave lines in a file."""

    def plugs(self) -> Plugs:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(0)

        def none() -> Any:
            raise AssertionError("these agents have no built-in tools")

        async def specialist(request: ModelRequest) -> Any:
            task, done = _parts(request, Text)[0].text.split()[0], len(_parts(request, ToolResult))
            with self.path.open("a") as file:
                file.write(f"{task} {done}\n")
            await asyncio.sleep(self.pause_s * random.random())
            return ToolCall("x", "look", {"n": done}) if done < STEPS else f"result of {task}"

        models = {"scripted:lead": lead, "scripted:s": specialist}
        return Plugs(
            model=lambda id: ScriptedModel(id, models[id]),
            tools={},
            environment=none,
            validate=problems,
            spill=spill,
            sleep=sleep,
            jitter=random.random,
        )

    def tool(self, name: str) -> Any:
        async def call(input: Any) -> Output:
            return Output([Text(f"looked {input['n']}")])

        call.repeatable = True  # type: ignore[attr-defined]
        return call


def _work(database: str, path: str, pause_s: float) -> None:
    leases._PAUSES = (0,) * len(leases._PAUSES)  # type: ignore[misc]  # what is killed this often would rest
    house = TeamWorker(Database.open(database))
    house.path, house.pause_s = Path(path), pause_s
    house.take_all()
    while True:
        time.sleep(3600)


def main(database: str, path: str, pause_s: str) -> None:
    pid = 0
    for line in sys.stdin:
        match line.strip():
            case "begin":
                pid = os.fork()
                if pid == 0:
                    _work(database, path, float(pause_s))
            case "kill":
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            case _:
                break
        print(pid, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
