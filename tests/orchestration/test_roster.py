"""Whom an agent may call, and what those may do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.orchestration.narrowing import inline_agent, inline_agents, narrowed
from reverie.orchestration.roster import Roster, roster_of
from reverie.orchestration.specs import TEAM_TOOLS, lead_specs, specialist_specs
from reverie.tools.schemas import check_schema, problems
from reverie.tools.sources import Domains

ALLOW = {"type": "always_allow"}
ON, OFF = {"type": "enabled"}, {"type": "disabled"}


def toolset(enabled: bool = True, **configs: Any) -> dict[str, Any]:
    told = [
        {"type": name, "name": name, "enabled": True, "permission_policy": ALLOW, **config}
        for name, config in configs.items()
    ]
    default = {"enabled": enabled, "permission_policy": ALLOW}
    return {"type": "agent_toolset_20260401", "configs": told, "default_config": default}


def agent(name: str, *tools: dict[str, Any], id: str | None = None, **says: Any) -> dict[str, Any]:
    return {
        "type": "agent",
        "id": id or f"agent_{name}",
        "version": 1,
        "name": name,
        "description": None,
        "execution_identity": {"type": "service_account"},
        "model": {"id": "ollama:qwen3", "effort": {"type": "high"}, "inference_geo": None, "speed": "fast"},
        "system": f"You are {name}.",
        "tools": list(tools),
        "mcp_servers": [],
        "skills": [],
        **says,
    }


def spawning(*members: dict[str, Any], inline: dict[str, str] = ON) -> dict[str, Any]:
    return {"type": "enabled", "inline_agents": inline, "predefined_agents": list(members)}


def test_a_coordinator_calls_its_agents_itself_and_an_advisor() -> None:
    twin = agent("clerk", id="agent_other")
    entries = [agent("clerk"), twin, {"type": "advisor", "model": "wise"}, {"type": "self"}]
    lead = agent("lead", multiagent={"type": "coordinator", "agents": entries})
    found = roster_of(lead)
    assert list(found.subagents) == ["clerk", "clerk-2", "lead"]
    assert found.subagents["clerk-2"]["id"] == "agent_other"
    assert "multiagent" not in found.subagents["lead"]
    assert found.subagents["lead"]["system"] == "You are lead."
    assert found.workflows == found.subagents
    assert (found.delegates, found.plans, found.advisor) == (True, True, "wise")
    assert not found.inline_subagents and not found.inline_workflows


def test_who_is_in_its_own_roster_is_called_as_it_is_in_this_session() -> None:
    """The saved agent is named; the session may say otherwise of it."""
    lead = agent("lead", system="Overridden.")
    lead["multiagent"] = {"type": "coordinator", "agents": [agent("lead", system="As saved.")]}
    assert roster_of(lead).subagents["lead"]["system"] == "Overridden."


def test_names_that_are_taken_are_not_given_again() -> None:
    members = [agent("a", id="1"), agent("a-2", id="2"), agent("a", id="3"), agent("a", id="4")]
    lead = agent("lead", multiagent={"type": "coordinator", "agents": members})
    assert [(name, each["id"]) for name, each in roster_of(lead).subagents.items()] == [
        ("a", "1"), ("a-2", "2"), ("a-3", "3"), ("a-4", "4"),
    ]  # fmt: skip


def test_the_other_form_has_a_switch_for_each() -> None:
    said = {
        "type": "multiagent_20261001",
        "advisor": {"type": "enabled", "model": "wise"},
        "subagents": spawning(agent("clerk"), inline=OFF),
        "workflows": spawning(agent("poet")),
    }
    found = roster_of(agent("lead", multiagent=said))
    assert (list(found.subagents), list(found.workflows)) == (["clerk"], ["poet"])
    assert (found.inline_subagents, found.inline_workflows) == (False, True)
    assert found.advisor == "wise"
    closed = {**said, "workflows": spawning(agent("poet"), inline=OFF)}
    assert not roster_of(agent("lead", multiagent=closed)).inline_workflows
    off = roster_of(agent("lead", multiagent={**said, "advisor": OFF, "subagents": OFF, "workflows": OFF}))
    assert off == Roster()
    assert roster_of(agent("lead", multiagent=None)) == roster_of(agent("lead")) == Roster()


def test_allow_lists_intersect_and_block_lists_add_up() -> None:
    lead = agent(
        "lead",
        toolset(
            web_fetch={"allowed_domains": ["example.com", "docs.org/api"]},
            web_search={"blocked_domains": ["bad.com"]},
        ),
    )
    member = agent(
        "clerk",
        toolset(
            web_fetch={"allowed_domains": ["www.example.com", "docs.org", "else.net"]},
            web_search={"blocked_domains": ["worse.com"]},
        ),
    )
    [tools] = narrowed(member, lead)["tools"]
    configs = {config["name"]: config for config in tools["configs"]}
    assert configs["web_fetch"]["allowed_domains"] == ["www.example.com", "docs.org/api"]
    assert configs["web_search"]["blocked_domains"] == ["worse.com", "bad.com"]
    [plain] = narrowed(agent("clerk", toolset()), lead)["tools"]
    configs = {config["name"]: config for config in plain["configs"]}
    assert configs["web_fetch"]["allowed_domains"] == ["example.com", "docs.org/api"]
    assert configs["web_fetch"]["enabled"] is True, "a default of the toolset still holds"
    assert narrowed(member, agent("lead", toolset())) == member
    assert narrowed(agent("clerk"), lead) == agent("clerk"), "who has no built-in tools gets none"


def test_lists_that_have_nothing_in_common_leave_nothing() -> None:
    lead = agent("lead", toolset(web_fetch={"allowed_domains": ["a.com"]}))
    [tools] = narrowed(agent("c", toolset(web_fetch={"allowed_domains": ["b.com"]})), lead)["tools"]
    assert tools["configs"][0]["allowed_domains"] == []
    assert not Domains.of(tools["configs"][0]).allow("b.com", "/")


entries = st.lists(
    st.builds(
        "{}{}".format,
        st.sampled_from(["a.com", "x.a.com", "A.com.", "y.x.a.com", "b.com", "ba.com"]),
        st.sampled_from(["", "/", "/p", "/p/", "/p/q", "/pq"]),
    ),
    min_size=1,
    max_size=3,
)
lists = st.fixed_dictionaries({}, optional={"allowed_domains": entries, "blocked_domains": entries})


@given(lists, lists)
def test_a_page_is_open_to_a_member_where_it_is_to_it_and_to_its_lead(
    own: dict[str, Any], leads: dict[str, Any]
) -> None:
    [tools] = narrowed(agent("c", toolset(web_fetch=own)), agent("l", toolset(web_fetch=leads)))["tools"]
    config = tools["configs"][0]
    for host in ("a.com", "x.a.com", "y.x.a.com", "b.com", "ba.com", "z.com"):
        for path in ("/", "/p", "/p/q", "/pq", "/p/q/r"):
            both = Domains.of(own).allow(host, path) and Domains.of(leads).allow(host, path)
            assert Domains.of(config).allow(host, path) == both


CUSTOM = {"type": "custom", "name": "weather", "description": "d", "input_schema": {"type": "object"}}
SERVED = {"type": "mcp_toolset", "mcp_server_name": "wiki", "configs": [], "default_config": {}}
WIKI = {"type": "url", "name": "wiki", "url": "https://wiki.example"}


def test_an_invented_agent_has_the_leads_model_and_some_of_its_tools() -> None:
    tools = toolset(enabled=False, bash={}, read={}, web_fetch={"blocked_domains": ["bad.com"]})
    lead = agent("lead", tools, CUSTOM, SERVED, mcp_servers=[WIKI])
    whole = inline_agent({"name": "helper", "system": None}, lead)
    assert (whole["type"], whole["model"], whole["tools"]) == ("inline", lead["model"], lead["tools"])
    assert "id" not in whole and whole["mcp_servers"] == [WIKI]
    told = {"name": "helper", "system": "Help.", "model": "ollama:small", "tools": ["read", "web_fetch"]}
    some = inline_agent(told, lead)
    assert some["model"] == {**lead["model"], "id": "ollama:small"}
    [kept] = some["tools"]
    assert [config["name"] for config in kept["configs"]] == ["read", "web_fetch"]
    assert kept["configs"][1]["blocked_domains"] == ["bad.com"]
    [kept] = inline_agent({"name": "h", "tools": ["read"]}, agent("lead", toolset()))["tools"]
    assert [config["name"] for config in kept["configs"]] == ["read"]
    assert kept["default_config"]["enabled"] is False, "what is not named is off, whatever the lead's default"
    assert some["mcp_servers"] == []
    assert inline_agent({"name": "h", "tools": ["wiki", "weather"]}, lead)["tools"] == [CUSTOM, SERVED]
    assert inline_agent({"name": "h", "tools": []}, lead)["tools"] == []


@pytest.mark.parametrize(
    ("told", "field", "words"),
    [
        ({}, "agent", "missing required field name"),
        ({"name": ""}, "agent.name", "length >= 1"),
        ({"name": "h", "multiagent": {}}, "agent", "unknown field multiagent"),
        ({"name": "h", "tools": ["read", "bash"]}, "agent.tools[1]", "own tools: read, not 'bash'"),
    ],
)
def test_an_invented_agent_cannot_have_what_the_lead_has_not(
    told: dict[str, Any], field: str, words: str
) -> None:
    lead = agent("lead", toolset(enabled=False, read={}, bash={"enabled": False}))
    with pytest.raises(Invalid) as raised:
        inline_agent(told, lead)
    assert raised.value.field == field and words in str(raised.value)


def test_invented_agents_are_called_as_nobody_else_is() -> None:
    lead = agent("lead", toolset())
    assert list(inline_agents([{"name": "a"}, {"name": "b"}], lead, ["c"])) == ["a", "b"]
    for told, field in (
        ([{"name": "c"}], "plan.agents[0].name"),
        ([{"name": "a"}] * 2, "plan.agents[1].name"),
    ):
        with pytest.raises(Invalid) as raised:
            inline_agents(told, lead, ["c"])
        assert raised.value.field == field


# ---------------------------------------------------------------------- tools


def test_a_lead_has_the_tools_that_its_roster_is_for() -> None:
    def names(**says: Any) -> list[str]:
        return [spec.name for spec in lead_specs(Roster(**says))]

    assert names() == []
    assert names(advisor="wise") == ["consult_advisor"]
    assert names(delegates=True) == [
        "list_agents", "send_to_agent", "wait_for_agents", "read_result", "stop_agent",
    ]  # fmt: skip
    assert names(plans=True) == ["read_result", "stop_agent", "run_plan", "read_plan", "stop_plan"]
    everything = {*names(delegates=True, plans=True, advisor="wise"), "send_to_parent"}
    assert everything == TEAM_TOOLS
    assert [spec.name for spec in specialist_specs()] == ["send_to_parent"]


@pytest.mark.parametrize("inline", [True, False])
def test_tools_take_what_they_say_that_they_take(inline: bool) -> None:
    clerk = {"clerk": agent("clerk")}
    roster = Roster(clerk, clerk, True, True, inline, inline, "wise")
    specs = {spec.name: spec for spec in (*lead_specs(roster), *specialist_specs())}
    for spec in specs.values():
        assert check_schema(spec.input_schema) == []
    plan = {"name": "p", "tasks": [{"id": "a", "agent": "clerk", "prompt": "x", "depends_on": []}]}
    schema = specs["run_plan"].input_schema
    assert problems(schema, plan) == []
    assert (
        problems(schema, {"name": "p", "map": {"agent": "clerk", "inputs": ["a", {}], "prompt": "{input}"}})
        == []
    )
    nobody = {"name": "p", "tasks": [{"id": "a", "agent": "nobody", "prompt": "x"}]}
    assert bool(problems(schema, nobody)) is not inline, "where agents may be invented, names are free"
    invented = {**plan, "agents": [{"name": "helper", "tools": ["read"]}]}
    assert bool(problems(schema, invented)) is not inline
    sending = specs["send_to_agent"].input_schema
    assert problems(sending, {"agent": "clerk", "message": "go"}) == []
    assert problems(sending, {"agent": "clrk", "message": "go"})
