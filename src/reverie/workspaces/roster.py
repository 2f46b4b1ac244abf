"""Whom an agent may call: the roster as it is asked for, checked, and pinned to versions when it is saved.

An agent's reference to itself is kept as ``self`` and shown as the version at hand, so that a new version
of a coordinator calls the new version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from reverie.domain.errors import Invalid, NotFound
from reverie.domain.resources import Resource

__all__ = ["Finder", "members", "merged", "pinned", "shown"]

Said: TypeAlias = Mapping[str, Any]
Finder: TypeAlias = Callable[[str, int | None], Resource]
"""Gives an agent at a version (None: the newest). Raises ``NotFound``."""

MAX_ROSTER: Final = 20
MAX_BELOW: Final = 100
"""Agents that may be called in all, where those that are called may call others."""
_2026: Final = "multiagent_20261001"
_SELF: Final[Said] = {"type": "self"}
_SPAWNING: Final[Said] = {"type": "enabled", "inline_agents": {"type": "enabled"}, "predefined_agents": []}
_OFF: Final[Said] = {"type": "disabled"}


def merged(asked: Said | None, stored: Said | None) -> Said | None:
    """What an update asks for, on top of what is stored: ``coordinator`` is replaced as a whole,
    ``multiagent_20261001`` is merged level by level (a key left out stays, null is its default)."""
    if asked is None or asked["type"] != _2026:
        return asked
    base: Said = stored if stored is not None and stored["type"] == _2026 else {}
    found: dict[str, Any] = {"type": _2026}
    for key, default in (("advisor", _OFF), ("subagents", _SPAWNING), ("workflows", _SPAWNING)):
        found[key] = _level(asked.get(key, base.get(key)), base.get(key), default)
    return found


def _level(asked: Said | None, stored: Said | None, default: Said) -> Said:
    if asked is None or asked["type"] == "disabled" or "model" in asked:
        return default if asked is None else asked
    base = stored if stored is not None and stored["type"] == "enabled" else default
    inline = asked.get("inline_agents", base["inline_agents"]) or default["inline_agents"]
    agents: list[str | Said] = asked.get("predefined_agents", base["predefined_agents"]) or []
    depth = _depth({"max_depth": asked.get("max_depth", base.get("max_depth"))})
    return {"type": "enabled", "inline_agents": inline, "predefined_agents": agents, **depth}


def _depth(said: Said) -> dict[str, int]:
    """How deep agents may call one another, where that is deeper than one level."""
    depth: int = said.get("max_depth") or 1
    return {"max_depth": depth} if depth > 1 else {}


def pinned(asked: Said | None, *, owner: str | None, geo: str | None, find: Finder) -> dict[str, Any] | None:
    """The roster with each agent at one version.

    Args:
        asked: As ``merged`` gives it.
        owner: Id of the agent that it is said of; None while that has none yet.
        geo: Where that agent's model runs; the others' must run there too.
        find: Gives the agents that are named.

    Raises:
        Invalid: an agent that is not there, archived, named twice, or that has a roster which is deeper than
            ``max_depth`` leaves room for, or leads back to one above it.
    """
    if asked is None:
        return None
    pin = _Pin(owner, geo, find)
    if asked["type"] == "coordinator":
        members = pin.all(asked["agents"], "multiagent.agents", asked.get("max_depth") or 1)
        return {"type": "coordinator", "agents": members, **_depth(asked)}
    found: dict[str, Any] = {"type": _2026, "advisor": dict(asked["advisor"])}
    for key in ("subagents", "workflows"):
        found[key] = _spawning(asked[key], f"multiagent.{key}", pin)
    return found


def _spawning(said: Said, field: str, pin: _Pin) -> dict[str, Any]:
    if said["type"] == "disabled":
        return dict(said)
    agents = pin.all(said["predefined_agents"], f"{field}.predefined_agents", said.get("max_depth") or 1)
    if said["inline_agents"]["type"] == "disabled" and not agents:
        limit = "at least one agent where inline_agents is disabled"
        raise Invalid(f"{field}.predefined_agents", limit, 0)
    inline = dict(said["inline_agents"])
    return {"type": "enabled", "inline_agents": inline, "predefined_agents": agents, **_depth(said)}


class _Pin:
    """Finds the agents of a roster, and those below them."""

    def __init__(self, owner: str | None, geo: str | None, find: Finder) -> None:
        self._owner, self._geo, self._find = owner, geo, find
        self._count = 0

    def all(self, entries: Sequence[str | Said], field: str, depth: int) -> list[dict[str, Any]]:
        found = [self._one(entry, f"{field}[{number}]", depth) for number, entry in enumerate(entries)]
        names = ["advisor" if entry["type"] == "advisor" else entry.get("id", "self") for entry in found]
        for name in names:
            if names.count(name) > 1:
                raise Invalid(field, limit="agents that differ, and one advisor at most", value=name)
        if len(found) > MAX_ROSTER:
            raise Invalid(field, limit=f"at most {MAX_ROSTER} entries", value=len(found))
        return found

    def _one(self, entry: str | Said, field: str, depth: int) -> dict[str, Any]:
        said: Said = {"type": "agent", "id": entry} if isinstance(entry, str) else entry
        if said["type"] == "advisor":
            return dict(said)
        if said["type"] == "self" or said["id"] == self._owner:
            return dict(_SELF)
        agent = self._found(said, field)
        if agent.body["model"]["inference_geo"] != self._geo:
            raise Invalid(field, limit="an agent with the same inference_geo", value=agent.id)
        self._below(agent, field, depth - 1, ())
        return {"type": "agent", "id": agent.id, "version": agent.version}

    def _below(self, agent: Resource, field: str, left: int, above: tuple[str, ...]) -> None:
        """Whether what an agent's roster calls fits into the levels that are left."""
        if agent.body["multiagent"] is None:
            return
        if not left:
            raise Invalid(
                field,
                limit="an agent without a roster of its own",
                value=agent.id,
                hint="`max_depth` says how deep agents may call one another",
            )
        above = (*above, agent.id)
        for place, entry in members(agent.body["multiagent"], f"{field}.multiagent"):
            if entry["id"] == agent.id:
                continue  # itself: without its roster
            if entry["id"] == self._owner or entry["id"] in above:
                raise Invalid(place, limit="no agent that is above it", value=entry["id"])
            self._below(self._found(entry, place), place, left - 1, above)

    def _found(self, said: Said, field: str) -> Resource:
        self._count += 1
        if self._count > MAX_BELOW:
            raise Invalid("multiagent", f"at most {MAX_BELOW} agents in it and below it")
        try:
            agent = self._find(said["id"], said.get("version"))
        except NotFound:
            raise Invalid(field, limit="an agent of this workspace", value=said["id"]) from None
        if agent.archived_at is not None:
            raise Invalid(field, limit="an agent that is not archived", value=said["id"])
        return agent


def members(said: Said, field: str) -> Iterator[tuple[str, Said]]:
    """The agents of a roster, and where each stands in it."""
    parts: list[tuple[str, Said, str]] = [(field, said, "agents")]
    parts += [
        (f"{field}.{key}", said.get(key, {}), "predefined_agents") for key in ("subagents", "workflows")
    ]
    for place, part, key in parts:
        entries: Sequence[Said] = part.get(key, ())
        for number, entry in enumerate(entries):
            if entry["type"] == "agent":
                yield f"{place}.{key}[{number}]", entry


def shown(said: Said | None, owner: str, version: int) -> dict[str, Any] | None:
    """The roster with ``self`` as the owner at ``version``."""
    if said is None:
        return None
    me = {"type": "agent", "id": owner, "version": version}

    def entries(members: Said, key: str) -> dict[str, Any]:
        found: list[Said] = members.get(key, [])
        return {**members, key: [me if entry["type"] == "self" else entry for entry in found]}

    if said["type"] == "coordinator":
        return entries(said, "agents")
    spawning = {
        key: entries(said[key], "predefined_agents")
        for key in ("subagents", "workflows")
        if said[key]["type"] == "enabled"
    }
    return {**said, **spawning}
