"""What an agent says of itself, in the words of the API; and how it is found there again.

An agent that a program defines is an ordinary agent of the workspace, in an ordinary environment: both are
made the first time, and found from then on. An agent whose definition changed has a new version; one that did
not has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Any, Final, Literal, TypeAlias

from reverie.app import Reverie
from reverie.domain.errors import ConfigError, NotFound, UsageError
from reverie.domain.messages import ToolSpec
from reverie.domain.resources import Resource
from reverie.workspaces.models import MODELS
from reverie.workspaces.tools import BUILT_IN

__all__ = ["EVERY_TOOL", "Access", "Definition", "Policy"]

EVERY_TOOL: Final = "*"
"""Names every built-in tool."""
DEFAULT_ENVIRONMENT: Final = "default"
_TOOLSET: Final = "agent_toolset_20260401"
_POLICIES: Final = ("always_allow", "always_ask", "auto")
_MARK: Final = {"made_by": "reverie.Agent"}  # an agent of the same name made elsewhere is somebody else's
_NO_NETWORK: Final[Mapping[str, Any]] = {"type": "cloud", "networking": {"type": "limited"}}
_PAGE: Final = 100
_MAX_TITLE: Final = 200

Policy: TypeAlias = Literal["always_allow", "always_ask", "auto"]
Access: TypeAlias = Literal["read_write", "read_only"]
Body: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An agent as it is defined; see ``reverie.Agent`` for what each field means."""

    name: str
    model: str | Mapping[str, Any] | None = None
    description: str | None = None
    system: str | None = None
    built_in: Sequence[str] = ()
    custom: Sequence[ToolSpec] = ()
    memory: Mapping[str, Access] = field(default_factory=dict[str, Access])
    environment: str | None = None
    permissions: Policy | Mapping[str, Policy] | None = None
    mcp_servers: Mapping[str, str] = field(default_factory=dict[str, str])
    max_cost_usd: Decimal | None = None
    max_tokens: int | None = None
    specialists: Sequence[Definition] = ()
    inline: bool = False

    def __post_init__(self) -> None:
        _known("tools", self.built_in, (*BUILT_IN, EVERY_TOOL))
        if isinstance(self.permissions, str):
            _known("permissions", (self.permissions,), _POLICIES)
        elif self.permissions is not None:
            _known("permissions", self.permissions, (*BUILT_IN, *self.mcp_servers))
            _known("permissions", self.permissions.values(), _POLICIES)
        for where, limit in (("max_cost_usd", self.max_cost_usd), ("max_tokens", self.max_tokens)):
            if limit is not None and limit <= 0:
                raise UsageError("a budget is more than nothing", where=where)

    def session(self, house: Reverie, task: str) -> Body:
        """What to ask for to make a session of this agent; makes what it needs and is not there yet.

        Raises:
            ConfigError: no model is named, neither here nor in the configuration.
            NotFound: an environment or memory store that is not here.
            Invalid: tools or servers that do not fit together.
        """
        agent = _agent(house, self._agent(house))
        body: Body = {
            "agent": {"type": "agent", "id": agent.id, "version": agent.version},
            "environment_id": _environment(house, self.environment or DEFAULT_ENVIRONMENT).id,
            "title": " ".join(task.split())[:_MAX_TITLE] or None,
            "resources": [_mount(house, name, access) for name, access in self.memory.items()],
        }
        if budget := self._budget():
            body["budget"] = {"type": "limit", **budget}
        return body

    def allow(self, house: Reverie) -> None:
        """Whoever names a model here may use it in this program."""
        if self.model is not None:
            house.models.allow(self.model if isinstance(self.model, str) else self.model["id"])

    def _budget(self) -> Body:
        budget: Body = {}
        if self.max_cost_usd is not None:
            cents = (self.max_cost_usd * 100).to_integral_value(ROUND_UP)
            budget["max_list_cost"] = {"amount": str(cents), "currency": "USD"}
        if self.max_tokens is not None:
            budget["max_tokens"] = str(self.max_tokens)
        return budget

    def _agent(self, house: Reverie) -> Body:
        servers = [{"type": "url", "name": name, "url": url} for name, url in self.mcp_servers.items()]
        return {
            "name": self.name,
            "description": self.description,
            "system": self.system,
            "model": self._model(house),
            "mcp_servers": servers,
            "tools": [*self._toolset(), *map(_custom, self.custom), *map(self._served, self.mcp_servers)],
            "multiagent": self._roster(house),
            "metadata": dict(_MARK),
        }

    def _roster(self, house: Reverie) -> Body | None:
        """Whom it may call: each an agent of the workspace, at the version that is defined here."""
        if not self.specialists:
            return None
        found = (_agent(house, each._agent(house)) for each in self.specialists)
        members = [{"type": "agent", "id": each.id, "version": each.version} for each in found]
        if not self.inline:
            return {"type": "coordinator", "agents": members}
        spawning: Body = {"type": "enabled", "predefined_agents": members}
        return {"type": "multiagent_20261001", "subagents": spawning, "workflows": spawning}

    def _model(self, house: Reverie) -> str | Mapping[str, Any]:
        self.allow(house)
        return _default_model(house) if self.model is None else self.model

    def _toolset(self) -> Iterator[Body]:
        if not self.built_in:
            return
        every = EVERY_TOOL in self.built_in
        named = [name for name in BUILT_IN if name in self.built_in or (every and self._policy(name, None))]
        configs = [{"name": name, "enabled": True, **self._policy(name, "always_allow")} for name in named]
        yield {"type": _TOOLSET, "default_config": {"enabled": every}, "configs": configs}

    def _served(self, server: str) -> Body:
        config = {"enabled": True, **self._policy(server, "always_ask")}
        return {"type": "mcp_toolset", "mcp_server_name": server, "default_config": config}

    def _policy(self, name: str, otherwise: Policy | None) -> Body:
        if isinstance(self.permissions, str):
            return {"permission_policy": {"type": self.permissions}}
        found = (self.permissions or {}).get(name, otherwise)
        return {} if found is None else {"permission_policy": {"type": found}}


def _known(where: str, names: Any, known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{name!r} is none of: {', '.join(known)}", where=where)


def _default_model(house: Reverie) -> str:
    if not house.models.ids:
        raise ConfigError(
            "no model is named",
            hint=f'say model="provider:model" (ollama:qwen3, anthropic:…), or name a default in {MODELS}',
        )
    return house.models.ids[0]


def _custom(spec: ToolSpec) -> Body:
    told = {"name": spec.name, "description": spec.description, "input_schema": dict(spec.input_schema)}
    return {"type": "custom", **told}


# ------------------------------------------------------------------ what is here


def _agent(house: Reverie, wanted: Body) -> Resource:
    """The agent of that name that such a program made, changed where it is defined otherwise now."""
    found: Resource | None = None
    for agent in _all(house.agents.list):
        if agent.body["name"] == wanted["name"] and _MARK.items() <= agent.body["metadata"].items():
            found = agent  # the oldest one, should there be several
    return house.agents.create(wanted) if found is None else house.agents.update(found.id, wanted)


def _environment(house: Reverie, wanted: str) -> Resource:
    if wanted.startswith("env_"):
        return house.environments.get(wanted)
    found = [each for each in _all(house.environments.list) if each.body["name"] == wanted]
    if found:
        return found[-1]
    if wanted != DEFAULT_ENVIRONMENT:
        raise NotFound(f"there is no environment named {wanted!r}")
    about = "Made for agents that name no environment: a sandbox without a network."
    return house.environments.create({"name": wanted, "description": about, "config": _NO_NETWORK})


def _mount(house: Reverie, name: str, access: Access) -> Body:
    return {"type": "memory_store", "memory_store_id": _store(house, name), "access": access}


def _store(house: Reverie, name: str) -> str:
    try:
        return house.memory.store(name).id
    except NotFound:
        if name.startswith("memstore_"):
            raise
        return house.stores.create(name, actor=_MARK["made_by"]).id


def _all(listed: Callable[..., list[Resource]]) -> Iterator[Resource]:
    """Every resource of a kind, newest first."""
    page = listed(limit=_PAGE)
    while page:
        yield from page
        last = page[-1]
        page = listed(after=(last.created_at, last.id), limit=_PAGE) if len(page) == _PAGE else []
