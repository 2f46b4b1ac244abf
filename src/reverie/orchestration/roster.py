"""Whom an agent may call, as the snapshot in its session says: both forms of ``multiagent``, read alike.

Names are how a lead speaks of its specialists. Two agents of one name are told apart: ``clerk``, ``clerk-2``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from reverie.domain.events import JsonObject
from reverie.orchestration.narrowing import narrowed

__all__ = ["Definition", "Roster", "roster_of"]

Definition: TypeAlias = JsonObject
"""An agent as its thread has it: everything but a roster."""

_ROSTER: Final = "multiagent"


@dataclass(frozen=True, slots=True)
class Roster:
    """What an agent may call. ``subagents`` are those it may start threads of, ``workflows`` those that tasks
    of a plan may name, by name, each narrowed to the lead's own part of the web; ``advisor`` is a model's name.

    ``delegates`` and ``plans`` say whether it may do so at all, ``inline_subagents`` and ``inline_workflows``
    whether it may also invent agents for it.
    """

    subagents: Mapping[str, Definition] = field(default_factory=dict[str, Definition])
    workflows: Mapping[str, Definition] = field(default_factory=dict[str, Definition])
    delegates: bool = False
    plans: bool = False
    inline_subagents: bool = False
    inline_workflows: bool = False
    advisor: str | None = None


def roster_of(agent: Definition) -> Roster:
    """The roster of an agent, as its session's snapshot has it (with whole definitions of the members); one
    that is empty, where it has none.

    Who may call agents one by one may also make plans with them: the classic ``coordinator`` says one list,
    and it counts for both.
    """
    said: JsonObject | None = agent.get(_ROSTER)
    if said is None:
        return Roster()
    if said["type"] == "coordinator":
        found = _members(agent, said["agents"])
        models = (entry["model"] for entry in said["agents"] if entry["type"] == "advisor")
        return Roster(found, found, delegates=True, plans=True, advisor=next(models, None))
    sub, flow, advisor = said["subagents"], said["workflows"], said["advisor"]
    return Roster(
        _spawned(agent, sub),
        _spawned(agent, flow),
        delegates=_on(sub),
        plans=_on(flow),
        inline_subagents=_on(sub) and _on(sub["inline_agents"]),
        inline_workflows=_on(flow) and _on(flow["inline_agents"]),
        advisor=advisor["model"] if _on(advisor) else None,
    )


def _on(switch: JsonObject) -> bool:
    return switch["type"] == "enabled"


def _spawned(agent: Definition, said: JsonObject) -> Mapping[str, Definition]:
    return _members(agent, said["predefined_agents"]) if _on(said) else {}


def _members(agent: Definition, entries: Sequence[JsonObject]) -> dict[str, Definition]:
    """The definitions by name. Who names itself calls what it is in this session, without its roster."""
    me = {key: value for key, value in agent.items() if key != _ROSTER}
    found: dict[str, Definition] = {}
    for entry in entries:
        if entry["type"] == "advisor":
            continue
        mine = entry["type"] == "self" or entry.get("id") == agent.get("id")
        definition: dict[str, Any] = me if mine else narrowed(entry, agent)
        found[_free(definition["name"], found)] = definition
    return found


def _free(name: str, taken: Iterable[str]) -> str:
    taken = set(taken)
    numbers = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbers if each not in taken)
