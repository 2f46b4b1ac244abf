"""The same team without a coordinator: each specialist in a session of its own, so many at a time, then the lead."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from examples.builds.team import AT_ONCE, PROMPT, REDUCE, Crew

__all__ = ["run"]


async def run(crew: Crew, names: Sequence[str], **where: Any) -> str:
    """As ``team.run``."""
    free = asyncio.Semaphore(AT_ONCE)

    async def look(build: str) -> None:
        async with free:
            await crew.specialist.run(PROMPT.format(build=build), **where)

    await asyncio.gather(*(look(name) for name in names))
    return (await crew.lead.run(REDUCE, **where)).text
