"""Agents and their versions on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import field

from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire
from reverie.server.wire.grading import Grader, GraderAsk
from reverie.server.wire.model_configs import ModelAsk, ModelConfig, ModelId
from reverie.server.wire.tools import McpServer, ServersAsk, Skill, SkillsAsk, Tool, ToolsAsk

__all__ = [
    "Advisor",
    "Agent",
    "AgentCreate",
    "AgentGet",
    "AgentList",
    "AgentRef",
    "AgentRefAsk",
    "AgentUpdate",
    "AwsRole",
    "Consulting",
    "Coordinator",
    "CoordinatorAsk",
    "Description",
    "ExecutionIdentity",
    "Metadata",
    "MetadataPatch",
    "Multiagent",
    "Multiagent2026",
    "Multiagent2026Ask",
    "MultiagentAsk",
    "Name",
    "Off",
    "On",
    "Self",
    "ServiceAccount",
    "Spawning",
    "SpawningAsk",
    "Subagents",
    "SubagentsAsk",
    "VersionList",
]

Key: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Value: TypeAlias = Annotated[str, Meta(max_length=512)]
Metadata: TypeAlias = Annotated[dict[Key, Value], Meta(max_length=16)]
MetadataPatch: TypeAlias = dict[Key, Value | None]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Description: TypeAlias = Annotated[str, Meta(max_length=2048)]
System: TypeAlias = Annotated[str, Meta(max_length=100_000)]


# ------------------------------------------------------------------ who it acts as


class ServiceAccount(Wire, tag_field="type", tag="service_account"):
    """Runs carry no principal of the customer's."""


class AwsRole(Wire, tag_field="type", tag="aws_role"):
    """Runs act as an AWS role."""

    role_arn: Annotated[str, Meta(min_length=1, max_length=2048, pattern="^arn:")]


ExecutionIdentity: TypeAlias = AwsRole | ServiceAccount


# ------------------------------------------------------------------ rosters


class AgentRef(Wire, tag_field="type", tag="agent"):
    """An agent at one version."""

    id: str
    version: int


class Advisor(Wire, tag_field="type", tag="advisor"):
    """A model that the primary thread may consult."""

    model: ModelId


class Self(Wire, tag_field="type", tag="self"):
    """The agent that this is said of."""


class AgentRefAsk(Ask, tag_field="type", tag="agent"):
    """An agent that is asked for; without a version, the latest."""

    id: str
    version: Annotated[int, Meta(ge=1)] | None = None


Depth: TypeAlias = Annotated[int, Meta(ge=1, le=3)]
PredefinedAsk: TypeAlias = str | AgentRefAsk | Self
Roster: TypeAlias = Annotated[list[PredefinedAsk], Meta(max_length=20)]


class On(Wire, tag_field="type", tag="enabled"):
    """Inline agents may be defined."""


class Off(Wire, tag_field="type", tag="disabled"):
    """Not offered."""


class Spawning(Wire, tag_field="type", tag="enabled"):
    """Threads, or workflow runs, of these agents."""

    inline_agents: On | Off
    predefined_agents: list[AgentRef]


class SpawningAsk(Ask, tag_field="type", tag="enabled"):
    """Threads, or workflow runs, that are asked for."""

    inline_agents: On | Off | UnsetType | None = UNSET
    predefined_agents: Roster | UnsetType | None = UNSET


class Subagents(Spawning, tag_field="type", tag="enabled"):
    """Threads of these agents. Ours is ``max_depth``: how deep agents may call one another."""

    max_depth: int = 1


class SubagentsAsk(SpawningAsk, tag_field="type", tag="enabled"):
    """Threads that are asked for."""

    max_depth: Depth | UnsetType | None = UNSET


class Consulting(Wire, tag_field="type", tag="enabled"):
    """An advisor."""

    model: ModelId


class Coordinator(Wire, tag_field="type", tag="coordinator"):
    """The agents that a coordinator may start. Ours is ``max_depth``: how deep agents may call one another."""

    agents: list[AgentRef | Advisor]
    max_depth: int = 1


class Multiagent2026(Wire, tag_field="type", tag="multiagent_20261001"):
    """Three things, each on or off."""

    advisor: Consulting | Off
    subagents: Subagents | Off
    workflows: Spawning | Off


class CoordinatorAsk(Ask, tag_field="type", tag="coordinator"):
    """A coordinator that is asked for."""

    agents: Annotated[list[str | AgentRefAsk | Self | Advisor], Meta(min_length=1, max_length=20)]
    max_depth: Depth | None = None


class Multiagent2026Ask(Ask, tag_field="type", tag="multiagent_20261001"):
    """What is asked of the three; what is left out stays, or takes its default."""

    advisor: Consulting | Off | UnsetType | None = UNSET
    subagents: SubagentsAsk | Off | UnsetType | None = UNSET
    workflows: SpawningAsk | Off | UnsetType | None = UNSET


Multiagent: TypeAlias = Coordinator | Multiagent2026
MultiagentAsk: TypeAlias = CoordinatorAsk | Multiagent2026Ask


# ------------------------------------------------------------------ agents


class Agent(Wire):
    """An agent at one of its versions. Ours is ``grader``: how its outcomes are graded."""

    id: str
    archived_at: Timestamp | None
    created_at: Timestamp
    description: str | None
    execution_identity: ExecutionIdentity
    mcp_servers: list[McpServer]
    metadata: dict[str, str]
    model: ModelConfig
    multiagent: Multiagent | None
    name: str
    skills: list[Skill]
    system: str | None
    tools: list[Tool]
    updated_at: Timestamp
    version: int
    grader: Grader | None = None
    type: Literal["agent"] = "agent"


class AgentCreate(Ask):
    """A new agent."""

    model: ModelAsk
    name: Name
    description: Description | None = None
    execution_identity: ExecutionIdentity | None = None
    grader: GraderAsk | None = None
    mcp_servers: ServersAsk | None = None
    metadata: Metadata | None = None
    multiagent: MultiagentAsk | None = None
    skills: SkillsAsk | None = None
    system: System | None = None
    tools: ToolsAsk | None = None


class AgentUpdate(Ask):
    """What changes; a field left out stays, null clears where that is possible."""

    description: Description | UnsetType | None = UNSET
    execution_identity: ExecutionIdentity | UnsetType | None = UNSET
    grader: GraderAsk | UnsetType | None = UNSET
    mcp_servers: ServersAsk | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET
    model: ModelAsk | UnsetType = UNSET
    multiagent: MultiagentAsk | UnsetType | None = UNSET
    name: Name | UnsetType = UNSET
    skills: SkillsAsk | UnsetType | None = UNSET
    system: System | UnsetType | None = UNSET
    tools: ToolsAsk | UnsetType | None = UNSET
    version: Annotated[int, Meta(ge=1)] | UnsetType | None = UNSET


class AgentGet(Ask):
    """Which version; by default the newest."""

    version: Annotated[int, Meta(ge=1)] | None = None


class VersionList(Ask):
    """A page of an agent's versions."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None


class AgentList(Ask):
    """A page of agents."""

    created_at_gte: Timestamp | None = field(default=None, name="created_at[gte]")
    created_at_lte: Timestamp | None = field(default=None, name="created_at[lte]")
    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
