"""Tools, MCP servers and skills, as agents and sessions say them: what is asked, and what is answered.

What is asked may leave out almost everything; an answer is complete. ``workspaces.tools`` makes the one
from the other.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from reverie.server.wire.base import UNSET, Ask, Meta, UnsetType, Wire

__all__ = [
    "MAX_SERVERS",
    "MAX_SKILLS",
    "MAX_TOOLS",
    "AgentToolset",
    "AgentToolsetAsk",
    "AlwaysAllow",
    "AlwaysAsk",
    "AnthropicSkill",
    "AnthropicSkillAsk",
    "Auto",
    "BashAsk",
    "BashConfig",
    "CustomSkill",
    "CustomSkillAsk",
    "CustomTool",
    "Defaults",
    "DefaultsAsk",
    "EditAsk",
    "EditConfig",
    "Everything",
    "Except",
    "GlobAsk",
    "GlobConfig",
    "GrepAsk",
    "GrepConfig",
    "McpConfig",
    "McpConfigAsk",
    "McpServer",
    "McpToolset",
    "McpToolsetAsk",
    "Nothing",
    "Only",
    "ReadAsk",
    "ReadConfig",
    "ServersAsk",
    "Skill",
    "SkillAsk",
    "SkillsAsk",
    "Tool",
    "ToolAsk",
    "ToolReference",
    "ToolsAsk",
    "UrlSources",
    "UrlSourcesAsk",
    "UserLocation",
    "WebFetchAsk",
    "WebFetchConfig",
    "WebSearchAsk",
    "WebSearchConfig",
    "WriteAsk",
    "WriteConfig",
]

MAX_TOOLS = 256
MAX_SERVERS = 20
MAX_SKILLS = 500

ServerName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
ToolName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
CustomName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]
Host: TypeAlias = Annotated[str, Meta(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]
HostAndPath: TypeAlias = Annotated[
    str, Meta(max_length=2048, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(/[^\s?#]*)?$")
]
Hosts: TypeAlias = Annotated[list[Host], Meta(min_length=1, max_length=64)]
Places: TypeAlias = Annotated[list[HostAndPath], Meta(min_length=1, max_length=64)]


# ------------------------------------------------------------------ permission


class AlwaysAllow(Wire, tag_field="type", tag="always_allow"):
    """Calls run unasked."""


class AlwaysAsk(Wire, tag_field="type", tag="always_ask"):
    """Calls wait for a person."""


class Auto(Wire, tag_field="type", tag="auto"):
    """The server decides call by call."""


Policy: TypeAlias = AlwaysAllow | AlwaysAsk | Auto


class Defaults(Wire):
    """What holds for the tools of a set that say nothing themselves."""

    enabled: bool
    permission_policy: Policy


class DefaultsAsk(Ask):
    """Asked defaults of a toolset."""

    enabled: bool | None = None
    permission_policy: Policy | None = None


# ------------------------------------------------------------------ where web_fetch may take URLs from


class Everything(Wire, tag_field="type", tag="all"):
    """Every URL of this source."""


class Nothing(Wire, tag_field="type", tag="none"):
    """No URL of this source."""


class ToolReference(Wire, tag_field="type", tag="tool_reference"):
    """One tool, by its name."""

    name: ToolName


References: TypeAlias = Annotated[list[ToolReference], Meta(min_length=1, max_length=128)]


class Only(Wire, tag_field="type", tag="only"):
    """The results of these tools alone."""

    tools: References


class Except(Wire, tag_field="type", tag="except"):
    """The results of all tools but these."""

    tools: References


Shorthand: TypeAlias = Literal["all", "none"]
Filter: TypeAlias = Everything | Nothing | Only | Except


class UrlSources(Wire):
    """Which sources URLs may come from; null: not said, and so every one."""

    client_tool_results: Filter | None
    server_tool_results: Filter | None
    user_input: Everything | Nothing | None


class UrlSourcesAsk(Ask):
    """Asked sources of URLs."""

    client_tool_results: Shorthand | Filter | None = None
    server_tool_results: Shorthand | Filter | None = None
    user_input: Shorthand | Everything | Nothing | None = None


class UserLocation(Wire, tag_field="type", tag="approximate"):
    """About where the user is, for a search."""

    city: Annotated[str, Meta(max_length=255)] | None = None
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None = None
    region: Annotated[str, Meta(max_length=255)] | None = None
    timezone: Annotated[str, Meta(max_length=255)] | None = None


# ------------------------------------------------------------------ the built-in tools


class _Config(Wire):
    enabled: bool
    permission_policy: Policy


class BashConfig(_Config, tag_field="type", tag="bash"):
    """bash, complete."""

    name: Literal["bash"] = "bash"


class EditConfig(_Config, tag_field="type", tag="edit"):
    """edit, complete."""

    name: Literal["edit"] = "edit"


class ReadConfig(_Config, tag_field="type", tag="read"):
    """read, complete."""

    name: Literal["read"] = "read"


class WriteConfig(_Config, tag_field="type", tag="write"):
    """write, complete."""

    name: Literal["write"] = "write"


class GlobConfig(_Config, tag_field="type", tag="glob"):
    """glob, complete."""

    name: Literal["glob"] = "glob"


class GrepConfig(_Config, tag_field="type", tag="grep"):
    """grep, complete."""

    name: Literal["grep"] = "grep"


class WebFetchConfig(_Config, tag_field="type", tag="web_fetch"):
    """web_fetch, complete."""

    name: Literal["web_fetch"] = "web_fetch"
    url_sources: UrlSources | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    max_content_tokens: int | None = None


class WebSearchConfig(_Config, tag_field="type", tag="web_search"):
    """web_search, complete."""

    name: Literal["web_search"] = "web_search"
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    user_location: UserLocation | None = None


class _ConfigAsk(Ask):
    enabled: bool | None = None
    permission_policy: Policy | None = None


class BashAsk(_ConfigAsk, tag_field="name", tag="bash"):
    """What is asked of bash."""

    type: Literal["bash"] | UnsetType = UNSET


class EditAsk(_ConfigAsk, tag_field="name", tag="edit"):
    """What is asked of edit."""

    type: Literal["edit"] | UnsetType = UNSET


class ReadAsk(_ConfigAsk, tag_field="name", tag="read"):
    """What is asked of read."""

    type: Literal["read"] | UnsetType = UNSET


class WriteAsk(_ConfigAsk, tag_field="name", tag="write"):
    """What is asked of write."""

    type: Literal["write"] | UnsetType = UNSET


class GlobAsk(_ConfigAsk, tag_field="name", tag="glob"):
    """What is asked of glob."""

    type: Literal["glob"] | UnsetType = UNSET


class GrepAsk(_ConfigAsk, tag_field="name", tag="grep"):
    """What is asked of grep."""

    type: Literal["grep"] | UnsetType = UNSET


class WebFetchAsk(_ConfigAsk, tag_field="name", tag="web_fetch"):
    """What is asked of web_fetch."""

    type: Literal["web_fetch"] | UnsetType = UNSET
    url_sources: UrlSourcesAsk | None = None
    allowed_domains: Hosts | None = None
    blocked_domains: Hosts | None = None
    max_content_tokens: Annotated[int, Meta(ge=1)] | None = None


class WebSearchAsk(_ConfigAsk, tag_field="name", tag="web_search"):
    """What is asked of web_search."""

    type: Literal["web_search"] | UnsetType = UNSET
    allowed_domains: Places | None = None
    blocked_domains: Places | None = None
    user_location: UserLocation | None = None


ConfigAsk: TypeAlias = BashAsk | EditAsk | ReadAsk | WriteAsk | GlobAsk | GrepAsk | WebFetchAsk | WebSearchAsk
Config: TypeAlias = (
    BashConfig
    | EditConfig
    | ReadConfig
    | WriteConfig
    | GlobConfig
    | GrepConfig
    | WebFetchConfig
    | WebSearchConfig
)


class AgentToolset(Wire, tag_field="type", tag="agent_toolset_20260401"):
    """The built-in tools, complete."""

    configs: list[Config]
    default_config: Defaults


class AgentToolsetAsk(Ask, tag_field="type", tag="agent_toolset_20260401"):
    """What is asked of the built-in tools."""

    configs: Annotated[list[ConfigAsk], Meta(max_length=8)] | None = None
    default_config: DefaultsAsk | None = None


# ------------------------------------------------------------------ MCP


class McpConfig(Wire):
    """One tool of an MCP server, complete."""

    enabled: bool
    name: str
    permission_policy: Policy


class McpConfigAsk(Ask):
    """What is asked of one tool of an MCP server."""

    name: ToolName
    enabled: bool | None = None
    permission_policy: Policy | None = None


class McpToolset(Wire, tag_field="type", tag="mcp_toolset"):
    """The tools of one MCP server, complete."""

    configs: list[McpConfig]
    default_config: Defaults
    mcp_server_name: str


class McpToolsetAsk(Ask, tag_field="type", tag="mcp_toolset"):
    """What is asked of the tools of one MCP server."""

    mcp_server_name: ServerName
    configs: Annotated[list[McpConfigAsk], Meta(max_length=MAX_TOOLS)] | None = None
    default_config: DefaultsAsk | None = None


class McpServer(Wire, tag_field="type", tag="url"):
    """An MCP server at a URL."""

    name: ServerName
    url: Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s/?#]+")]


# ------------------------------------------------------------------ custom tools and skills


class CustomTool(Wire, tag_field="type", tag="custom"):
    """A tool that the client runs."""

    description: Annotated[str, Meta(min_length=1)]
    input_schema: Annotated[
        dict[str, Any],
        Meta(extra_json_schema={"required": ["type"], "properties": {"type": {"const": "object"}}}),
    ]
    name: CustomName


class AnthropicSkill(Wire, tag_field="type", tag="anthropic"):
    """A skill that comes with the platform, at one version."""

    skill_id: str
    version: str


class CustomSkill(Wire, tag_field="type", tag="custom"):
    """A skill of one's own, at one version."""

    skill_id: str
    version: str


class _SkillAsk(Ask):
    skill_id: Annotated[str, Meta(min_length=1, max_length=255)]
    version: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class AnthropicSkillAsk(_SkillAsk, tag_field="type", tag="anthropic"):
    """A platform skill that is asked for; without a version, the latest."""


class CustomSkillAsk(_SkillAsk, tag_field="type", tag="custom"):
    """A skill of one's own that is asked for; without a version, the latest."""


Tool: TypeAlias = AgentToolset | McpToolset | CustomTool
ToolAsk: TypeAlias = AgentToolsetAsk | McpToolsetAsk | CustomTool
Skill: TypeAlias = AnthropicSkill | CustomSkill
SkillAsk: TypeAlias = AnthropicSkillAsk | CustomSkillAsk
ToolsAsk: TypeAlias = Annotated[list[ToolAsk], Meta(max_length=MAX_TOOLS)]
ServersAsk: TypeAlias = Annotated[list[McpServer], Meta(max_length=MAX_SERVERS)]
SkillsAsk: TypeAlias = Annotated[list[SkillAsk], Meta(max_length=MAX_SKILLS)]
