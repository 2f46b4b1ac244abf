"""Agents, as the SDK knows them: versions, rosters, limits, merges."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaManagedAgentsAgent
from tests.contract.serving import ENGINES

MODEL = "claude-opus-5-5"
TOOLSET: Any = {"type": "agent_toolset_20260401"}
SERVER: Any = {"type": "url", "name": "docs", "url": "https://docs.example.com/mcp"}
MCP: Any = {"type": "mcp_toolset", "mcp_server_name": "docs"}


def custom(name: str, **more: Any) -> Any:
    tool = {"type": "custom", "name": name, "description": "d", "input_schema": {"type": "object"}}
    return {**tool, **more}


def agent(sdk: Any, **more: Any) -> Any:
    return sdk.beta.agents.create(**{"model": MODEL, "name": "an agent", **more})


FULL: Any = {
    "description": "what it does",
    "system": "be brief",
    "model": {"id": "openai:gpt", "effort": "low", "speed": "fast", "inference_geo": "eu"},
    "mcp_servers": [SERVER],
    "metadata": {"team": "a"},
    "skills": [
        {"type": "anthropic", "skill_id": "xlsx"},
        {"type": "custom", "skill_id": "skill_1", "version": "2"},
    ],
    "execution_identity": {"type": "aws_role", "role_arn": "arn:aws:iam::1:role/x"},
    "multiagent": {"type": "multiagent_20261001"},
    "tools": [
        {
            **TOOLSET,
            "default_config": {"enabled": False, "permission_policy": {"type": "always_ask"}},
            "configs": [
                {"name": "bash", "enabled": True},
                {"name": "edit"}, {"name": "read"}, {"name": "write"}, {"name": "glob"}, {"name": "grep"},
                {
                    "name": "web_fetch",
                    "permission_policy": {"type": "auto"},
                    "allowed_domains": ["docs.example.com"],
                    "max_content_tokens": 9,
                    "url_sources": {
                        "user_input": "none",
                        "client_tool_results": {
                            "type": "only",
                            "tools": [{"type": "tool_reference", "name": "look-up"}],
                        },
                        "server_tool_results": "all",
                    },
                },
                {
                    "name": "web_search",
                    "type": "web_search",
                    "blocked_domains": ["ads.example.com/x"],
                    "user_location": {"type": "approximate", "city": "Bern", "country": "CH"},
                },
            ],
        },
        {**MCP, "configs": [{"name": "search", "enabled": False}]},
        custom("look-up", input_schema={"type": "object", "properties": {"q": {"type": "string"}}, "required": [], "x": 1}),
    ],
}  # fmt: skip


def test_an_agent_comes_back_as_it_was_made_with_every_default_said(sdk: Any, strict: Any) -> None:
    made = agent(sdk, **FULL)
    strict(made, BetaManagedAgentsAgent)
    assert made.id.startswith("agent_") and made.version == 1 and made.archived_at is None
    assert (made.description, made.system, made.metadata) == ("what it does", "be brief", {"team": "a"})
    assert made.model.to_dict() == {
        "id": "openai:gpt", "effort": {"type": "low"}, "speed": "fast", "inference_geo": "eu",
    }  # fmt: skip
    assert [(skill.skill_id, skill.version) for skill in made.skills] == [
        ("xlsx", "latest"),
        ("skill_1", "2"),
    ]
    built_in, mcp, own = made.tools
    bash, *_, fetch, search = built_in.configs
    assert (bash.enabled, bash.permission_policy.type, bash.type) == (True, "always_ask", "bash")
    assert (fetch.enabled, fetch.permission_policy.type) == (False, "auto")
    assert fetch.url_sources.user_input.type == "none" and fetch.url_sources.server_tool_results.type == "all"
    assert search.user_location.city == "Bern" and search.blocked_domains == ["ads.example.com/x"]
    assert (mcp.default_config.permission_policy.type, mcp.configs[0].enabled) == ("always_ask", False)
    assert own.input_schema.to_dict()["x"] == 1
    assert made.multiagent.subagents.type == "enabled" and made.multiagent.advisor.type == "disabled"
    strict(sdk.beta.agents.retrieve(made.id), BetaManagedAgentsAgent)
    assert sdk.beta.agents.retrieve(made.id).to_dict() == made.to_dict()


def test_the_least_that_can_be_said(sdk: Any, strict: Any) -> None:
    made = agent(sdk)
    strict(made)
    assert made.model.to_dict() == {
        "id": MODEL, "effort": {"type": "high"}, "speed": "standard", "inference_geo": None,
    }  # fmt: skip
    assert made.execution_identity.type == "service_account"
    assert (made.tools, made.mcp_servers, made.skills, made.metadata) == ([], [], [], {})
    assert (made.description, made.system, made.multiagent) == (None, None, None)


def test_every_change_is_a_version_and_what_changes_nothing_is_none(sdk: Any, strict: Any) -> None:
    made = agent(sdk, system="one")
    assert sdk.beta.agents.update(made.id, name="an agent", system="one").version == 1
    changed = sdk.beta.agents.update(made.id, system="two", version=1)
    strict(changed)
    assert (changed.version, changed.system, changed.name) == (2, "two", "an agent")
    assert changed.updated_at > made.updated_at and changed.created_at == made.created_at
    old = sdk.beta.agents.retrieve(made.id, version=1)
    strict(old)
    assert (old.system, old.version) == ("one", 1)
    with pytest.raises(anthropic.ConflictError, match="version 2"):
        sdk.beta.agents.update(made.id, system="three", version=1)
    assert sdk.beta.agents.retrieve(made.id).system == "two"
    for missing in (3, 99):
        with pytest.raises(anthropic.NotFoundError):
            sdk.beta.agents.retrieve(made.id, version=missing)
    with pytest.raises(anthropic.BadRequestError, match="`version`: at least 1"):
        sdk.beta.agents.retrieve(made.id, version=0)


def test_the_versions_of_an_agent_are_listed_newest_first(sdk: Any, strict: Any) -> None:
    made = agent(sdk)
    for number in range(2, 6):
        sdk.beta.agents.update(made.id, system=f"text {number}")
    first = sdk.beta.agents.versions.list(made.id, limit=2)
    strict(first.data[0])
    assert [found.version for found in first.data] == [5, 4] and first.next_page
    assert [found.version for found in sdk.beta.agents.versions.list(made.id, limit=2)] == [5, 4, 3, 2, 1]
    other = sdk.beta.agents.list(limit=1)
    assert other.next_page is None
    with pytest.raises(anthropic.BadRequestError, match="page"):
        sdk.beta.agents.versions.list(made.id, page="page_x")


def test_what_an_update_leaves_out_stays_and_null_clears(sdk: Any) -> None:
    made = agent(sdk, **{**FULL, "multiagent": None})
    same = sdk.beta.agents.update(made.id, name="renamed")
    assert {**made.to_dict(), "name": "renamed", "version": 2, "updated_at": 0} == {
        **same.to_dict(), "updated_at": 0,
    }  # fmt: skip
    bare = sdk.beta.agents.update(
        made.id,
        description=None,
        system="",
        tools=None,
        mcp_servers=[],
        skills=None,
        execution_identity=None,
        metadata=None,
    )
    assert (bare.description, bare.system, bare.tools, bare.mcp_servers, bare.skills) == (
        None,
        None,
        [],
        [],
        [],
    )
    assert bare.execution_identity.type == "service_account"
    assert bare.metadata == {"team": "a"}  # a patch of nothing
    patched = sdk.beta.agents.update(made.id, metadata={"team": None, "new": "1", "empty": ""})
    assert patched.metadata == {"new": "1", "empty": ""}
    assert sdk.beta.agents.update(made.id, model="other").model.effort.type == "low"  # left out: it stays
    assert sdk.beta.agents.update(made.id, model="other").model.inference_geo is None  # but this is replaced
    with pytest.raises(anthropic.BadRequestError, match="name"):
        sdk.beta.agents.update(made.id, name=None)
    with pytest.raises(anthropic.BadRequestError, match="`name`: at least 1"):
        sdk.beta.agents.update(made.id, name="")


def test_archiving_is_for_good(sdk: Any, strict: Any) -> None:
    made, other = agent(sdk), agent(sdk)
    archived = sdk.beta.agents.archive(made.id)
    strict(archived)
    assert archived.archived_at is not None and archived.version == 1
    assert sdk.beta.agents.archive(made.id).to_dict() == archived.to_dict()
    assert sdk.beta.agents.retrieve(made.id).archived_at == archived.archived_at
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        sdk.beta.agents.update(made.id, name="no")
    assert [found.id for found in sdk.beta.agents.list()] == [other.id]
    assert [found.id for found in sdk.beta.agents.list(include_archived=True)] == [other.id, made.id]


def test_lists_are_walked_by_pages_and_narrowed_by_time(sdk: Any, strict: Any) -> None:
    made = [agent(sdk, name=f"agent {number}") for number in range(5)]
    newest_first = [found.id for found in reversed(made)]
    assert [found.id for found in sdk.beta.agents.list(limit=2)] == newest_first
    strict(sdk.beta.agents.list(limit=2).data, list[BetaManagedAgentsAgent])
    second = made[1].created_at
    assert [a.id for a in sdk.beta.agents.list(created_at_gte=second)] == newest_first[:4]
    assert [a.id for a in sdk.beta.agents.list(created_at_lte=second.isoformat())] == newest_first[3:]
    for limit in (0, 101):
        with pytest.raises(anthropic.BadRequestError, match=r"`limit`: at (least|most)"):
            sdk.beta.agents.list(limit=limit)
    with pytest.raises(anthropic.BadRequestError, match="page"):
        sdk.beta.agents.list(page="garbage")


@pytest.mark.parametrize("way", ["retrieve", "update", "archive"])
def test_what_is_not_there_is_not_found(client: Any, way: str) -> None:
    with pytest.raises(anthropic.NotFoundError) as refused:
        getattr(client.beta.agents, way)("agent_nowhere")
    assert refused.value.type == "not_found_error"
    with pytest.raises(anthropic.NotFoundError):
        client.beta.agents.versions.list("agent_nowhere")


# ---------------------------------------------------------------------- limits


def servers(count: int) -> Any:
    return {
        "mcp_servers": [{**SERVER, "name": f"s{n}"} for n in range(count)],
        "tools": [{**MCP, "mcp_server_name": f"s{n}"} for n in range(count)],
    }


LIMITS: Any = {
    "name": (lambda n: {"name": "x" * n}, 256),
    "name, characters not bytes": (lambda n: {"name": "é" * n}, 256),
    "description": (lambda n: {"description": "x" * n}, 2048),
    "system": (lambda n: {"system": "x" * n}, 100_000),
    "metadata": (lambda n: {"metadata": {str(key): "" for key in range(n)}}, 16),
    "metadata, a key": (lambda n: {"metadata": {"k" * n: ""}}, 64),
    "metadata, a value": (lambda n: {"metadata": {"k": "v" * n}}, 512),
    "mcp_servers": (servers, 20),
    "mcp_servers, url": (
        lambda n: {"mcp_servers": [{**SERVER, "url": f"https://x.io/{'u' * (n - 13)}"}], "tools": [MCP]},
        2048,
    ),
    "tools": (lambda n: {"tools": [custom(f"t{number}") for number in range(n)]}, 256),
    "tools, with the built-in ones": (
        lambda n: {"tools": [TOOLSET, *(custom(f"t{number}") for number in range(n - 8))]},
        256,
    ),
    "a tool's name": (lambda n: {"tools": [custom("n" * n)]}, 128),
    "skills": (
        lambda n: {"skills": [{"type": "custom", "skill_id": f"s{number}"} for number in range(n)]},
        500,
    ),
    "role_arn": (
        lambda n: {"execution_identity": {"type": "aws_role", "role_arn": "arn:" + "x" * (n - 4)}},
        2048,
    ),
    "allowed_domains": (
        lambda n: {
            "tools": [{**TOOLSET, "configs": [{"name": "web_fetch", "allowed_domains": ["x.io"] * n}]}]
        },
        64,
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_holds_at_it_and_one_past_it(client: anthropic.Anthropic, limit: str) -> None:
    said, most = LIMITS[limit]
    agent(client, **said(most))
    with pytest.raises(anthropic.BadRequestError) as refused:
        agent(client, **said(most + 1))
    assert f"at most {most}" in refused.value.api_message
    assert refused.value.type == "invalid_request_error"


def test_the_limit_of_metadata_is_that_of_what_is_stored(client: anthropic.Anthropic) -> None:
    made = agent(client, metadata={str(number): "" for number in range(16)})
    client.beta.agents.update(made.id, metadata={"0": None, "new": "1"})
    with pytest.raises(anthropic.BadRequestError, match="at most 16 pairs"):
        client.beta.agents.update(made.id, metadata={"one more": "1"})


WRONG: Any = {
    "two toolsets": ({"tools": [TOOLSET, TOOLSET]}, "at most one agent_toolset"),
    "one name twice": ({"tools": [custom("a"), custom("a")]}, "a (2 times)"),
    "the name of a built-in tool": ({"tools": [TOOLSET, custom("bash")]}, "bash (2 times)"),
    "a tool configured twice": (
        {"tools": [{**TOOLSET, "configs": [{"name": "bash"}, {"name": "bash"}]}]},
        "bash (2 times)",
    ),
    "a name with a space": ({"tools": [custom("a b")]}, "tools[0].name"),
    "a schema of a list": ({"tools": [custom("a", input_schema={"type": "array"})]}, "input_schema.type"),
    "a toolset of no server": ({"tools": [MCP]}, "the name of one of mcp_servers"),
    "a server of no toolset": ({"mcp_servers": [SERVER]}, "that an mcp_toolset in tools refers to"),
    "a server twice": ({"mcp_servers": [SERVER, SERVER], "tools": [MCP]}, "docs (2 times)"),
    "a server that is no URL": (
        {"mcp_servers": [{**SERVER, "url": "file:///etc/passwd"}], "tools": [MCP]},
        "mcp_servers[0].url",
    ),
    "a password in a URL": (
        {"mcp_servers": [{**SERVER, "url": "https://u:p@x.io/"}], "tools": [MCP]},
        "no password",
    ),
    "domains allowed and blocked": (
        {
            "tools": [
                {
                    **TOOLSET,
                    "configs": [
                        {"name": "web_search", "allowed_domains": ["a.io"], "blocked_domains": ["b.io"]}
                    ],
                }
            ]
        },
        "not together with allowed_domains",
    ),
    "no domain": (
        {"tools": [{**TOOLSET, "configs": [{"name": "web_search", "allowed_domains": []}]}]},
        "at least 1",
    ),
    "no source of URLs": (
        {
            "tools": [
                {
                    **TOOLSET,
                    "configs": [
                        {
                            "name": "web_fetch",
                            "url_sources": {
                                "user_input": "none",
                                "client_tool_results": "none",
                                "server_tool_results": {"type": "none"},
                            },
                        }
                    ],
                }
            ]
        },
        "at least one source",
    ),
    "the results of a tool that is not there": (
        {
            "tools": [
                {
                    **TOOLSET,
                    "configs": [
                        {
                            "name": "web_fetch",
                            "url_sources": {
                                "client_tool_results": {
                                    "type": "except",
                                    "tools": [{"type": "tool_reference", "name": "nobody"}],
                                }
                            },
                        }
                    ],
                }
            ]
        },
        "client_tool_results.tools",
    ),
    "an unknown kind of tool": ({"tools": [{"type": "other"}]}, "tools[0].type"),
    "an unknown effort": ({"model": {"id": "m", "effort": "utmost"}}, "model.effort"),
    "no name": ({"name": ""}, "`name`: at least 1"),
    "no model": ({"model": ""}, "model"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_does_not_fit_together_is_refused_by_name(client: anthropic.Anthropic, wrong: str) -> None:
    said, told = WRONG[wrong]
    with pytest.raises(anthropic.BadRequestError) as refused:
        agent(client, **said)
    assert told in refused.value.api_message
    assert list(client.beta.agents.list()) == []


def test_an_update_is_checked_against_what_it_leaves(client: anthropic.Anthropic) -> None:
    made = agent(client, mcp_servers=[SERVER], tools=[MCP])
    with pytest.raises(anthropic.BadRequestError, match="refers to"):
        client.beta.agents.update(made.id, tools=[])
    with pytest.raises(anthropic.BadRequestError, match="the name of one of mcp_servers"):
        client.beta.agents.update(made.id, mcp_servers=None)
    assert client.beta.agents.update(made.id, tools=[], mcp_servers=[]).version == 2


# ---------------------------------------------------------------------- rosters


def test_a_roster_is_pinned_when_it_is_saved(sdk: Any, strict: Any) -> None:
    first, second = agent(sdk), agent(sdk)
    sdk.beta.agents.update(second.id, system="2")
    roster: Any = {
        "type": "coordinator",
        "agents": [
            first.id,
            {"type": "agent", "id": second.id, "version": 1},
            {"type": "self"},
            {"type": "advisor", "model": "claude-opus-5-5"},
        ],
    }
    lead = agent(sdk, multiagent=roster)
    strict(lead)
    pins = lead.multiagent.agents
    assert [(pin.id, pin.version) for pin in pins[:3]] == [(first.id, 1), (second.id, 1), (lead.id, 1)]
    assert pins[3].model == "claude-opus-5-5"
    sdk.beta.agents.update(first.id, system="2")
    changed = sdk.beta.agents.update(lead.id, system="2")
    assert [(pin.id, pin.version) for pin in changed.multiagent.agents[:3]] == [
        (first.id, 1), (second.id, 1), (lead.id, 2),
    ]  # fmt: skip
    assert sdk.beta.agents.retrieve(lead.id, version=1).multiagent.agents[2].version == 1
    again = sdk.beta.agents.update(lead.id, multiagent=roster)
    assert again.multiagent.agents[0].version == 2
    assert sdk.beta.agents.update(lead.id, multiagent=None).multiagent is None


def test_rosters_that_are_refused(client: anthropic.Anthropic) -> None:
    plain, archived = agent(client), agent(client)
    client.beta.agents.archive(archived.id)
    far = agent(client, model={"id": MODEL, "inference_geo": "eu"})
    lead = agent(client, multiagent={"type": "coordinator", "agents": [plain.id]})
    advisor = {"type": "advisor", "model": MODEL}
    for entries, told in (
        ([], "at least 1"),
        ([plain.id] * 21, "at most 20"),
        ([plain.id, {"type": "agent", "id": plain.id, "version": 1}], "agents that differ"),
        ([{"type": "self"}, {"type": "self"}], "agents that differ"),
        ([advisor, advisor], "one advisor at most"),
        (["agent_nowhere"], "an agent of this workspace"),
        ([{"type": "agent", "id": plain.id, "version": 7}], "an agent of this workspace"),
        ([archived.id], "not archived"),
        ([lead.id], "without a roster of its own"),
        ([far.id], "the same inference_geo"),
    ):
        with pytest.raises(anthropic.BadRequestError) as refused:
            agent(client, multiagent={"type": "coordinator", "agents": entries})
        assert told in refused.value.api_message
    many = [agent(client).id for _ in range(20)]
    assert len(agent(client, multiagent={"type": "coordinator", "agents": many}).multiagent.agents) == 20
    twice: Any = {"type": "coordinator", "agents": [{"type": "self"}, plain.id]}
    with pytest.raises(anthropic.BadRequestError, match="agents that differ"):
        client.beta.agents.update(plain.id, multiagent=twice)


def test_the_three_switches_are_merged_level_by_level(sdk: Any, strict: Any) -> None:
    helper = agent(sdk)
    asked: Any = {
        "type": "multiagent_20261001",
        "advisor": {"type": "enabled", "model": MODEL},
        "subagents": {
            "type": "enabled",
            "predefined_agents": [helper.id, {"type": "self"}],
            "inline_agents": {"type": "disabled"},
        },
        "workflows": {"type": "disabled"},
    }
    lead = agent(sdk, multiagent=asked)
    strict(lead)
    assert [pin.id for pin in lead.multiagent.subagents.predefined_agents] == [helper.id, lead.id]

    def updated(**members: Any) -> Any:
        found = sdk.beta.agents.update(lead.id, multiagent={"type": "multiagent_20261001", **members})
        strict(found)
        return found.multiagent

    after = updated(workflows=None)
    assert after.workflows.type == "enabled" and after.advisor.model == MODEL
    assert after.subagents.inline_agents.type == "disabled"
    after = updated(subagents={"type": "enabled", "inline_agents": {"type": "enabled"}})
    assert [pin.id for pin in after.subagents.predefined_agents] == [helper.id, lead.id]
    after = updated(subagents={"type": "enabled", "predefined_agents": None}, advisor=None)
    assert after.subagents.predefined_agents == [] and after.advisor.type == "disabled"
    after = updated(subagents={"type": "disabled"})
    assert after.subagents.type == "disabled"
    after = updated(subagents={"type": "enabled"})  # from another type: its defaults
    assert after.subagents.inline_agents.type == "enabled"
    with pytest.raises(anthropic.BadRequestError, match="at least one agent"):
        updated(workflows={"type": "enabled", "inline_agents": {"type": "disabled"}})
    with pytest.raises(anthropic.BadRequestError, match="at most 20"):
        updated(workflows={"type": "enabled", "predefined_agents": [helper.id] * 21})


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_two_who_change_one_version_cannot_both_win(client: anthropic.Anthropic) -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = agent(client)

    def change(number: int) -> bool:
        try:
            client.beta.agents.update(made.id, system=f"text {number}", version=1)
        except anthropic.ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(change, range(8))) == 1
    assert client.beta.agents.retrieve(made.id).version == 2


BAD_SCHEMAS: Any = [
    {"type": "object", "properties": {"n": {"type": "nonsense"}}},
    {"type": "object", "properties": {"n": {"pattern": "("}}},
    {"type": "object", "required": "n"},
]


@pytest.mark.parametrize("schema", BAD_SCHEMAS)
def test_a_schema_that_is_none_is_refused_when_the_agent_is_made(client: Any, schema: Any) -> None:
    def tool(schema: Any) -> Any:
        return {"type": "custom", "name": "ask", "description": "Asks.", "input_schema": schema}

    told = {"name": "clerk", "model": "scripted:any"}
    with pytest.raises(anthropic.BadRequestError, match=r"input_schema"):
        client.beta.agents.create(**told, tools=[tool(schema)])
    made = client.beta.agents.create(**told, tools=[tool({"type": "object"})])
    with pytest.raises(anthropic.BadRequestError, match=r"input_schema"):
        client.beta.agents.update(made.id, version=made.version, tools=[tool(schema)])
