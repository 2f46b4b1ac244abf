"""A server with agents at work in it: `python -m tests.console.at_work DATABASE PORT [SESSION]`.

It says its address and the id of a session whose agent counts (``agents_at_work.slow``), with a tool of this process.
Started again with that id, it goes on with the session.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["MODELS", "NAMES", "main"]

MODELS = Path(__file__).with_name("agents_at_work.py")
NAMES = ("slow", "asker", "drafter", "lead", "reader", "broken", "judge")
_SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def _made(house: Any) -> str:
    note = {"type": "custom", "name": "note", "description": "Writes it down.", "input_schema": _SCHEMA}
    agent = house.agents.create(
        {"name": "counter", "model": {"id": f"scripted:{MODELS}:slow"}, "tools": [note]}
    )
    place = house.environments.create({"name": "here", "config": {"type": "cloud"}})
    asked = {"agent": agent.id, "environment_id": place.id, "title": "Count, and write it down"}
    return str(house.sessions.create(asked).row.id)


def main(database: str, port: str, session: str = "") -> None:
    import reverie
    from reverie.domain.messages import Text
    from reverie.plugins import Output
    from reverie.server.app import build
    from reverie.server.listening import listen, run
    from reverie.server.settings import Settings

    async def note(input: Any) -> Output:
        await asyncio.sleep(0.05)
        return Output([Text(f"noted {input['n']}")])

    os.environ["REVERIE_MODELS"] = ",".join(f"scripted:{MODELS}:{name}" for name in NAMES)
    note.repeatable = True  # type: ignore[attr-defined]
    with reverie.open(database) as house:
        session = session or _made(house)
        house.handle(session, {"note": note})
        house.attend()
        server = listen("127.0.0.1", int(port))
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        run(build(house, Settings(), console=True), [server], started=lambda: print(url, session, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
