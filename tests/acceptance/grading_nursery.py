"""A process that forks workers which judge work, and kills them: ``nursery``, with graders.

A session's agent says one phrase more in each draft. Its grader takes its time, leaves a line for each request, and
judges well, but where the session is called after one that is talked round: that one calls everything met.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.acceptance.nursery import tend
from tests.runtime.graders import honest, praise, read

from reverie.app import Reverie
from reverie.domain.errors import SandboxFailed
from reverie.domain.messages import AssistantTurn, ModelRequest
from reverie.jobs.local import LocalEngine
from reverie.models.scripted import ScriptedModel
from reverie.runtime.house import Plugs
from reverie.storage import leases
from reverie.storage.database import Database

__all__ = ["PHRASES", "agent_of", "rubric_of"]

PHRASES: Final = ("the first part is written", "the second part is written", "the third part is written")


def rubric_of(number: int) -> str:
    """The rubric of the session of that number: a check, and phrases for its grader."""
    check = "- It is a draft.\n  ```check\n  kind = 'text'\n  message = true\n  matches = 'Draft'\n  ```\n"
    return check + "".join(f'- Says "{phrase}".\n' for phrase in PHRASES) + f"\nOf session {number}.\n"


def agent_of(number: int, votes: int) -> dict[str, Any]:
    """Its agent."""
    grader = {"model": f"scripted:grader{number}", "votes": votes}
    return {"name": f"clerk{number}", "model": f"scripted:worker{number}", "grader": grader}


def _drafts(number: int, request: ModelRequest) -> str:
    turns = sum(isinstance(message, AssistantTurn) for message in request.messages)
    most = len(PHRASES) - (number == 1)  # one never comes to the end
    said: Sequence[str] = PHRASES[: min(turns % (len(PHRASES) + 2) + 1, most)]
    return f"Draft {turns}: {', '.join(said)}."


class Judges(Reverie):
    """A house whose graders take their time."""

    path: Path
    pause_s: float

    def plugs(self) -> Plugs:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(0)

        def none() -> Any:
            raise SandboxFailed("there is none here")

        return replace(super().plugs(), model=self._scripted, environment=none, sleep=sleep)

    def engine_of_work(self) -> Any:
        return LocalEngine(self._db)

    def _scripted(self, id: str) -> ScriptedModel:
        kind, number = re.fullmatch(r"scripted:(\w+?)(\d+)", id).groups()  # type: ignore[union-attr]
        if kind == "worker":
            return ScriptedModel(id, lambda request: _drafts(int(number), request))

        async def grades(request: ModelRequest) -> Any:
            with self.path.open("a") as file:
                file.write(f"asked {read(request).nonce} 0\n")
            await asyncio.sleep(self.pause_s * (0.5 + random.random()))
            return (praise if number == "2" else honest)(request)

        return ScriptedModel(id, grades)


def _work(database: str, path: str, pause_s: float) -> None:
    leases._PAUSES = (0,) * len(leases._PAUSES)  # type: ignore[misc]  # what is killed this often would rest
    house = Judges(Database.open(database))
    house.path, house.pause_s = Path(path), pause_s
    house.attend()
    while True:
        time.sleep(3600)


def main(database: str, path: str, pause_s: str) -> None:
    tend(lambda: _work(database, path, float(pause_s)))


if __name__ == "__main__":
    main(*sys.argv[1:])
