"""Reverie: AI agents that learn from their own sessions, with a memory you can check.

    import reverie

    with reverie.open("team.db") as rv:
        rv.import_paths("~/.claude/projects")
        dream = rv.dream()
        for proposal in dream.proposals:
            print(proposal.title, "—", rv.finding(proposal.findings[0]).claim)
        rv.approve(dream.proposals[0].id, by="ana")
        print(rv.memory.read("default", dream.proposals[0].path).content)

An agent whose sessions are kept the same way:

    agent = reverie.Agent(model="ollama:qwen3", tools=["bash"], memory=["default"])
    print(agent.run_sync("What is in this folder?").text)

Names are loaded when first used, so that ``import reverie`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from reverie.agents.agent import Agent as Agent
    from reverie.agents.agent import resume as resume
    from reverie.agents.functions import outputs as outputs
    from reverie.agents.functions import tool as tool
    from reverie.agents.pursuing import grade as grade
    from reverie.agents.pursuing import grade_async as grade_async
    from reverie.agents.pursuing import pursue as pursue
    from reverie.agents.replaying import replay as replay
    from reverie.agents.session import RunSession as RunSession
    from reverie.agents.team import Team as Team
    from reverie.app import Reverie as Reverie
    from reverie.app import open as open
    from reverie.domain.errors import ReverieError as ReverieError
    from reverie.logger import session as session

__all__ = [
    "Agent",
    "Reverie",
    "ReverieError",
    "RunSession",
    "Team",
    "__version__",
    "grade",
    "grade_async",
    "open",
    "outputs",
    "pursue",
    "replay",
    "resume",
    "session",
    "tool",
]

_HOMES = {
    "Agent": "reverie.agents.agent",
    "Reverie": "reverie.app",
    "ReverieError": "reverie.domain.errors",
    "RunSession": "reverie.agents.session",
    "Team": "reverie.agents.team",
    "grade": "reverie.agents.pursuing",
    "grade_async": "reverie.agents.pursuing",
    "open": "reverie.app",
    "outputs": "reverie.agents.functions",
    "pursue": "reverie.agents.pursuing",
    "replay": "reverie.agents.replaying",
    "resume": "reverie.agents.agent",
    "session": "reverie.logger",
    "tool": "reverie.agents.functions",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("reverie-agents")
    if name not in _HOMES:
        raise AttributeError(f"module 'reverie' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
