"""A mission through the engine: a commander with two specialists, and a rubric that says what a landing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import reverie
from examples.moon.tools import DRONES, Mission

__all__ = ["RUBRIC", "Crew", "crew", "fly", "land", "remember"]

RUBRIC: Final = Path(__file__).with_name("rubric.md")

_COMMANDER: Final = (
    "You command landings on the Moon. Have the detector survey the site and name points; choose one, and have the "
    "navigator fly there and land, telling it all that the detector found (survey, surface, light, ground, points). "
    "Then write mission.json, as the task says, into /mnt/session/outputs: what telemetry says and nothing else."
)
_DETECTOR: Final = (
    "You are the detector: you survey landing sites. Look with scan_site, and closer with zoom where that is worth "
    "the fuel. Answer with JSON: candidates (up to three points, each x, y, slope_deg, clear_m, best first), "
    "survey (camera, zoom or lidar: what they rest on), surface (firm, dusty), light (lit, dark), ground (smooth, "
    "sloping, rocky, unseen), distance_m (from the drone)."
)
_NAVIGATOR: Final = (
    "You are the navigator: you fly the drone. Set a descent plan for the point, fly the segment to it, touch down, "
    "and read the telemetry. Answer with JSON: what read_telemetry says but for moments, and error, what went wrong. "
    "Where you are told to use the reserve, launch it first."
)


@dataclass(frozen=True, slots=True)
class Crew:
    """The agents of one mission. The specialists' tools are the mission's, so a crew flies once."""

    commander: reverie.Agent
    detector: reverie.Agent
    navigator: reverie.Agent

    @property
    def specialists(self) -> dict[str, reverie.Agent]:
        return {"detector": self.detector, "navigator": self.navigator}


def crew(mission: Mission, *, model: str | None = None, memory: Sequence[str] = ()) -> Crew:
    """The crew of a mission: of a model, or of the example's policies, which need no key.

    ``memory`` names stores of memory that all three read; their files come with a tool to read them.
    """
    reading = ["read"] if memory else []
    stores = dict.fromkeys(memory, "read_only")

    def agent(role: str, system: str, tools: Sequence[Any]) -> reverie.Agent:
        return reverie.Agent(
            name=f"moon {role}",
            model=model or f"scripted:examples.moon.policy:{role}",
            description=system.partition(".")[0],
            system=system,
            tools=[*tools, *reading],
            memory=stores,  # type: ignore[arg-type]
        )

    return Crew(
        agent("commander", _COMMANDER, ["write"]),
        agent("detector", _DETECTOR, [mission.scan_site, mission.zoom]),
        agent(
            "navigator",
            _NAVIGATOR,
            [
                mission.set_descent_plan,
                mission.fly_segment,
                mission.touch_down,
                mission.read_telemetry,
                mission.abort,
                mission.launch_reserve,
            ],
        ),
    )


def remember(house: reverie.Reverie, store: str, text: str) -> None:
    """Put a playbook into a new store of memory."""
    made = house.stores.create(store, actor="examples.moon")
    house.memories.create(made.id, "/playbook.md", text, actor="examples.moon")


async def fly(
    mission: Mission, *, model: str | None = None, memory: Sequence[str] = (), **where: Any
) -> reverie.RunSession:
    """One mission by a team; ``where`` is ``db`` or ``reverie``, as for ``Agent.run``."""
    flown = crew(mission, model=model, memory=memory)
    team = reverie.Team(lead=flown.commander, specialists=flown.specialists)
    return await team.run(mission.order, **where)


async def land(
    mission: Mission, *, model: str | None = None, memory: Sequence[str] = (), **where: Any
) -> Any:
    """The same until the rubric is satisfied: whoever loses the first drone has the reserve."""
    flown = crew(mission, model=model, memory=memory)
    team = reverie.Team(lead=flown.commander, specialists=flown.specialists)
    rubric = RUBRIC.read_text("utf-8")
    return await reverie.pursue(
        mission.order,
        agent=team,
        rubric=rubric,
        max_iterations=DRONES,
        **where,
    )
