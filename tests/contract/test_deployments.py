"""Deployments and their runs, as the SDK knows them: schedules, starts, and what keeps one from starting."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaManagedAgentsDeployment, BetaManagedAgentsDeploymentRun
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.domain.errors import Archived, Conflict
from reverie.workspaces import sealing

HELLO: Any = {"type": "user.message", "content": [{"type": "text", "text": "hello"}]}
DAILY: Any = {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"}
NOON = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())


class Needs:
    """What a deployment needs, made over the API."""

    def __init__(self, sdk: Any, **environment: Any) -> None:
        self.sdk = sdk
        self.agent = sdk.beta.agents.create(model="claude-opus-5-5", name="an agent")
        self.environment = sdk.beta.environments.create(name="somewhere", **environment)

    def deploy(self, **more: Any) -> Any:
        said = {
            "agent": self.agent.id,
            "environment_id": self.environment.id,
            "initial_events": [HELLO],
            "name": "a deployment",
        }
        return self.sdk.beta.deployments.create(**{**said, **more})


def test_a_deployment_comes_back_as_it_was_made(sdk: Any, strict: Any) -> None:
    needs = Needs(sdk)
    vault = sdk.beta.vaults.create(display_name="v")
    store = sdk.beta.memory_stores.create(name="notes")
    file = sdk.beta.files.upload(file=("a.txt", b"a"))
    made = needs.deploy(
        description="daily work",
        metadata={"team": "a"},
        vault_ids=[vault.id, vault.id],
        budget={"type": "limit", "max_list_cost": {"amount": "125", "currency": "USD"}},
        schedule=DAILY,
        resources=[
            {"type": "file", "file_id": file.id},
            {"type": "memory_store", "memory_store_id": store.id, "access": "read_only", "instructions": "i"},
            {
                "type": "github_repository",
                "url": "https://github.com/o/r",
                "authorization_token": "ghs_a_token_nobody_sees",
                "checkout": {"type": "branch", "name": "main"},
            },
        ],
        initial_events=[
            {
                "type": "user.define_outcome",
                "description": "a report",
                "rubric": {"type": "text", "content": "is it short?"},
            },
            {
                "type": "user.message",
                "content": [
                    {"type": "text", "text": "go"},
                    {"type": "document", "source": {"type": "file", "file_id": file.id}},
                ],
            },
            {"type": "system.message", "content": [{"type": "text", "text": "be brief"}]},
        ],
    )
    strict(made, BetaManagedAgentsDeployment)
    assert made.id.startswith("depl_") and (made.status, made.paused_reason) == ("active", None)
    assert (made.agent.id, made.agent.version) == (needs.agent.id, 1)
    assert (made.description, made.metadata, made.vault_ids) == ("daily work", {"team": "a"}, [vault.id])
    assert made.budget.max_list_cost.amount == "125"
    assert [event.type for event in made.initial_events] == [
        "user.define_outcome", "user.message", "system.message",
    ]  # fmt: skip
    assert [resource.type for resource in made.resources] == ["file", "memory_store", "github_repository"]
    assert "ghs_a_token" not in made.to_json()
    assert [at.isoformat() for at in made.schedule.upcoming_runs_at][:2] == [
        "2026-03-02T08:00:00+00:00", "2026-03-03T08:00:00+00:00",
    ]  # fmt: skip
    assert len(made.schedule.upcoming_runs_at) == 5 and made.schedule.last_run_at is None
    strict(sdk.beta.deployments.retrieve(made.id), BetaManagedAgentsDeployment)
    assert sdk.beta.deployments.retrieve(made.id).resources == made.resources


def test_a_manual_run_starts_a_session_with_all_of_it(sdk: Any, strict: Any, reverie: Reverie) -> None:
    needs = Needs(sdk)
    repository: Any = {
        "type": "github_repository",
        "url": "https://github.com/o/r",
        "authorization_token": "ghs_a_token_nobody_sees",
    }
    made = needs.deploy(resources=[repository], schedule=DAILY)
    sdk.beta.deployments.pause(made.id)
    run = sdk.beta.deployments.run(made.id)
    strict(run, BetaManagedAgentsDeploymentRun)
    assert run.id.startswith("drun_") and (run.error, run.trigger_context.type) == (None, "manual")
    assert (run.deployment_id, run.agent.id, run.agent.version) == (made.id, needs.agent.id, 1)
    session = sdk.beta.sessions.retrieve(run.session_id)
    assert session.environment_id == needs.environment.id and session.agent.id == needs.agent.id
    assert [event.type for event in sdk.beta.sessions.events.list(session.id)][:1] == ["user.message"]
    [mounted] = session.resources
    with reverie.resources._db.read() as conn:  # the session has a token of its own
        token = reverie.secrets.get(conn, mounted.id, "authorization_token")
    assert token == repository["authorization_token"]
    strict(sdk.beta.deployment_runs.retrieve(run.id), BetaManagedAgentsDeploymentRun)
    assert sdk.beta.deployments.retrieve(made.id).schedule.last_run_at is None  # no scheduled one


def test_a_deployment_starts_the_version_it_pins(sdk: Any) -> None:
    needs = Needs(sdk)
    made = needs.deploy()
    sdk.beta.agents.update(needs.agent.id, system="two")
    assert sdk.beta.deployments.run(made.id).agent.version == 1
    assert sdk.beta.deployments.update(made.id, agent=needs.agent.id).agent.version == 2
    back = sdk.beta.deployments.update(made.id, agent={"type": "agent", "id": needs.agent.id, "version": 1})
    assert back.agent.version == 1
    run = sdk.beta.deployments.run(made.id)
    assert sdk.beta.sessions.retrieve(run.session_id).agent.system is None


def test_what_an_update_leaves_out_stays_and_null_clears(sdk: Any, strict: Any) -> None:
    needs = Needs(sdk)
    vault = sdk.beta.vaults.create(display_name="v")
    made = needs.deploy(description="d", metadata={"a": "1"}, vault_ids=[vault.id], schedule=DAILY,
                        budget={"type": "limit", "max_list_cost": {"amount": "1", "currency": "USD"}})  # fmt: skip
    renamed = sdk.beta.deployments.update(made.id, name="renamed", metadata={"b": "2"})
    strict(renamed)
    assert (renamed.name, renamed.description, renamed.metadata) == ("renamed", "d", {"a": "1", "b": "2"})
    assert renamed.vault_ids == [vault.id] and renamed.schedule.expression == DAILY["expression"]
    bare = sdk.beta.deployments.update(
        made.id, description=None, metadata={"a": None}, vault_ids=None, schedule=None, budget=None,
        resources=None,
    )  # fmt: skip
    strict(bare)
    assert (bare.description, bare.metadata, bare.vault_ids, bare.schedule) == (None, {"b": "2"}, [], None)
    assert bare.budget is None
    for field in ("name", "agent", "environment_id", "initial_events"):
        with pytest.raises(anthropic.BadRequestError, match=field):
            sdk.beta.deployments.update(made.id, **{field: None})


def test_pausing_and_going_on(sdk: Any, strict: Any) -> None:
    made = Needs(sdk).deploy(schedule=DAILY)
    paused = sdk.beta.deployments.pause(made.id)
    strict(paused)
    assert (paused.status, paused.paused_reason.type) == ("paused", "manual")
    assert len(paused.schedule.upcoming_runs_at) == 5
    assert sdk.beta.deployments.pause(made.id).updated_at == paused.updated_at
    going = sdk.beta.deployments.unpause(made.id)
    strict(going)
    assert (going.status, going.paused_reason) == ("active", None)
    assert sdk.beta.deployments.unpause(made.id).updated_at == going.updated_at


def test_archiving_is_for_good_and_comes_with_the_agents(sdk: Any, strict: Any) -> None:
    needs = Needs(sdk)
    made, other = needs.deploy(schedule=DAILY), needs.deploy()
    sdk.beta.deployments.pause(made.id)
    archived = sdk.beta.deployments.archive(made.id)
    strict(archived)
    assert archived.archived_at is not None and (archived.status, archived.paused_reason) == ("active", None)
    assert archived.schedule.upcoming_runs_at == []
    assert sdk.beta.deployments.archive(made.id).archived_at == archived.archived_at
    for refused in (
        lambda: sdk.beta.deployments.update(made.id, name="no"),
        lambda: sdk.beta.deployments.pause(made.id),
        lambda: sdk.beta.deployments.unpause(made.id),
        lambda: sdk.beta.deployments.run(made.id),
    ):
        with pytest.raises(anthropic.BadRequestError, match="archived"):
            refused()
    assert [found.id for found in sdk.beta.deployments.list()] == [other.id]
    sdk.beta.agents.archive(needs.agent.id)
    assert sdk.beta.deployments.retrieve(other.id).archived_at is not None
    assert [found.id for found in sdk.beta.deployments.list()] == []
    assert len(list(sdk.beta.deployments.list(include_archived=True))) == 2
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        needs.deploy()


def test_lists_are_narrowed_and_walked(sdk: Any, strict: Any) -> None:
    needs, others = Needs(sdk), Needs(sdk)
    made = [needs.deploy(schedule=DAILY if number % 2 else None) for number in range(5)]
    others.deploy()
    newest_first = [deployment.id for deployment in reversed(made)]
    assert [found.id for found in sdk.beta.deployments.list(agent_id=needs.agent.id, limit=2)] == newest_first
    strict(sdk.beta.deployments.list(limit=2).data, list[BetaManagedAgentsDeployment])
    for paused in made[:2]:
        sdk.beta.deployments.pause(paused.id)
    assert [found.id for found in sdk.beta.deployments.list(status="paused")] == newest_first[3:]
    assert len(list(sdk.beta.deployments.list(status="active"))) == 4
    since = made[3].created_at
    assert [
        d.id for d in sdk.beta.deployments.list(agent_id=needs.agent.id, created_at_gte=since)
    ] == newest_first[:2]
    assert [d.id for d in sdk.beta.deployments.list(created_at_lte=made[0].created_at)] == newest_first[4:]
    with pytest.raises(anthropic.BadRequestError, match="include_archived"):
        sdk.beta.deployments.list(status="active", include_archived=True)
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        sdk.beta.deployments.list(limit=101)


def test_runs_are_narrowed_and_walked(sdk: Any, strict: Any, reverie: Reverie) -> None:
    needs = Needs(sdk)
    made, other = needs.deploy(schedule=DAILY), needs.deploy()
    manual = [sdk.beta.deployments.run(made.id) for _ in range(3)]
    scheduled = reverie.deployment_runs.fire(made.id, NOON)
    sdk.beta.environments.archive(needs.environment.id)
    failed = sdk.beta.deployments.run(other.id)
    strict(failed)
    assert (failed.session_id, failed.error.type) == (None, "environment_archived_error")

    def ids(**said: Any) -> list[str]:
        return [run.id for run in sdk.beta.deployment_runs.list(**said)]

    newest_first = [failed.id, scheduled.id, *(run.id for run in reversed(manual))]
    assert ids(limit=2) == ids() == ids(limit=1000) == newest_first
    strict(sdk.beta.deployment_runs.list().data, list[BetaManagedAgentsDeploymentRun])
    assert ids(deployment_id=made.id) == newest_first[1:]
    assert ids(deployment_id="depl_nowhere") == []
    assert ids(has_error=True) == [failed.id] and ids(has_error=False) == newest_first[1:]
    assert ids(trigger_type="schedule") == [scheduled.id]
    assert ids(trigger_type="manual", has_error=False) == newest_first[2:]
    second = manual[1].created_at
    assert ids(created_at_gt=second) == newest_first[:3] and ids(created_at_gte=second) == newest_first[:4]
    assert ids(created_at_lt=second) == newest_first[4:] and ids(created_at_lte=second) == newest_first[3:]
    with pytest.raises(anthropic.BadRequestError, match="at most 1000"):
        ids(limit=1001)
    told = sdk.beta.deployment_runs.retrieve(scheduled.id).trigger_context
    assert (told.type, told.scheduled_at) == ("schedule", NOON)
    assert sdk.beta.deployments.retrieve(made.id).schedule.last_run_at == scheduled.created_at


def test_no_others_thing_is_found(client: anthropic.Anthropic) -> None:
    for way in ("retrieve", "update", "archive", "pause", "unpause", "run"):
        with pytest.raises(anthropic.NotFoundError):
            getattr(client.beta.deployments, way)("depl_nowhere")
    with pytest.raises(anthropic.NotFoundError):
        client.beta.deployment_runs.retrieve("drun_nowhere")


# ---------------------------------------------------------------------- what keeps it from starting


def _archived_environment(needs: Needs) -> Any:
    made = needs.deploy(schedule=DAILY)
    needs.sdk.beta.environments.archive(needs.environment.id)
    return made


def _no_vault(needs: Needs) -> Any:
    vault = needs.sdk.beta.vaults.create(display_name="v")
    made = needs.deploy(schedule=DAILY, vault_ids=[vault.id])
    needs.sdk.beta.vaults.delete(vault.id)
    return made


def _archived_vault(needs: Needs) -> Any:
    vault = needs.sdk.beta.vaults.create(display_name="v")
    made = needs.deploy(schedule=DAILY, vault_ids=[vault.id])
    needs.sdk.beta.vaults.archive(vault.id)
    return made


def _no_file(needs: Needs) -> Any:
    file = needs.sdk.beta.files.upload(file=("a.txt", b"a"))
    made = needs.deploy(schedule=DAILY, resources=[{"type": "file", "file_id": file.id}])
    needs.sdk.beta.files.delete(file.id)
    return made


def _no_rubric(needs: Needs) -> Any:
    file = needs.sdk.beta.files.upload(file=("a.txt", b"a"))
    rubric = {"type": "file", "file_id": file.id}
    made = needs.deploy(
        schedule=DAILY,
        initial_events=[{"type": "user.define_outcome", "description": "d", "rubric": rubric}],
    )
    needs.sdk.beta.files.delete(file.id)
    return made


def _no_store(needs: Needs) -> Any:
    store = needs.sdk.beta.memory_stores.create(name="notes")
    made = needs.deploy(schedule=DAILY, resources=[{"type": "memory_store", "memory_store_id": store.id}])
    needs.sdk.beta.memory_stores.delete(store.id)
    return made


def _archived_store(needs: Needs) -> Any:
    store = needs.sdk.beta.memory_stores.create(name="notes")
    made = needs.deploy(schedule=DAILY, resources=[{"type": "memory_store", "memory_store_id": store.id}])
    needs.sdk.beta.memory_stores.archive(store.id)
    return made


def _archived_specialist(needs: Needs) -> Any:
    helper = needs.sdk.beta.agents.create(model="m", name="helper")
    needs.agent = needs.sdk.beta.agents.create(
        model="m", name="lead", multiagent={"type": "coordinator", "agents": [helper.id]}
    )
    made = needs.deploy(schedule=DAILY)
    needs.sdk.beta.agents.archive(helper.id)
    return made


def _repository_in_a_self_hosted_environment(needs: Needs) -> Any:
    needs.environment = needs.sdk.beta.environments.create(name="own", config={"type": "self_hosted"})
    return needs.deploy(
        schedule=DAILY, resources=[{"type": "github_repository", "url": "https://github.com/o/r"}]
    )


def _closed_network(needs: Needs) -> Any:
    limited = {"type": "limited", "allowed_hosts": ["*.example.com", "other.io"]}
    needs.environment = needs.sdk.beta.environments.create(
        name="closed", config={"type": "cloud", "networking": limited}
    )
    needs.agent = needs.sdk.beta.agents.create(
        model="m",
        name="with a server",
        mcp_servers=[{"type": "url", "name": "s", "url": "https://example.com/mcp"}],
        tools=[{"type": "mcp_toolset", "mcp_server_name": "s"}],
    )
    return needs.deploy(schedule=DAILY)


OBSTACLES: Any = {
    "environment_archived_error": _archived_environment,
    "vault_not_found_error": _no_vault,
    "vault_archived_error": _archived_vault,
    "file_not_found_error": _no_file,
    "file_not_found_error (of a rubric)": _no_rubric,
    "session_resource_not_found_error": _no_store,
    "memory_store_archived_error": _archived_store,
    "agent_archived_error": _archived_specialist,
    "self_hosted_resources_unsupported_error": _repository_in_a_self_hosted_environment,
    "mcp_egress_blocked_error": _closed_network,
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_start_that_fails_is_recorded_and_pauses_the_schedule(
    client: anthropic.Anthropic, reverie: Reverie, strict: Any, obstacle: str
) -> None:
    made = OBSTACLES[obstacle](Needs(client))
    type_ = obstacle.partition(" ")[0]
    by_hand = client.beta.deployments.run(made.id)
    strict(by_hand, BetaManagedAgentsDeploymentRun)
    assert by_hand.session_id is None and by_hand.error is not None and by_hand.error.type == type_
    assert by_hand.error.message
    assert client.beta.deployments.retrieve(made.id).status == "active"  # people see it themselves
    by_schedule = reverie.deployment_runs.fire(made.id, NOON)
    assert by_schedule.body["error"]["type"] == type_
    paused = client.beta.deployments.retrieve(made.id)
    strict(paused, BetaManagedAgentsDeployment)
    assert paused.paused_reason is not None and paused.paused_reason.type == "error"
    assert paused.paused_reason.error.type == type_
    assert list(client.beta.sessions.list()) == []
    assert client.beta.deployments.unpause(made.id).status == "active"


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_nothing_starts_in_an_archived_workspace(reverie: Reverie) -> None:
    home = reverie.workspaces.create("elsewhere", by="ana")
    house = reverie.workspace(home.id)
    agent = house.agents.create({"model": "m", "name": "a"})
    environment = house.environments.create({"name": "e"})
    made = house.deployments.create(
        {"agent": agent.id, "environment_id": environment.id, "initial_events": [HELLO], "name": "d",
         "schedule": DAILY}
    )  # fmt: skip
    assert house.deployment_runs.fire(made.resource.id, NOON).body["error"] is None
    reverie.workspaces.archive(home.id, by="ana")
    failed = house.deployment_runs.fire(made.resource.id, NOON.replace(day=3))
    assert failed.body["error"]["type"] == "workspace_archived_error"
    reason = house.deployments.get(made.resource.id).resource.body["paused_reason"]
    assert reason == {"type": "error", "error": {"type": "workspace_archived_error"}}


def test_a_start_that_the_session_refuses_is_recorded_and_does_not_pause(
    client: anthropic.Anthropic, reverie: Reverie
) -> None:
    made = Needs(client).deploy(
        schedule=DAILY, resources=[{"type": "github_repository", "url": "https://elsewhere.example/o/r"}]
    )
    run = client.beta.deployments.run(made.id)
    assert run.error is not None and run.error.type == "session_creation_rejected_error"
    assert "github.com" in run.error.message
    assert reverie.deployment_runs.fire(made.id, NOON).body["error"]["type"] == run.error.type
    assert client.beta.deployments.retrieve(made.id).status == "active"


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_scheduled_start_happens_once_however_many_try(
    client: anthropic.Anthropic, reverie: Reverie
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = Needs(client).deploy(schedule=DAILY)

    def fire(_: int) -> bool:
        try:
            reverie.deployment_runs.fire(made.id, NOON)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(fire, range(8))) == 1
    assert len(list(client.beta.sessions.list())) == 1  # nor is a session left of those that lost
    assert len(list(client.beta.deployment_runs.list())) == 1
    reverie.deployment_runs.fire(made.id, NOON.replace(day=3))
    assert len(list(client.beta.sessions.list())) == 2


def test_what_is_paused_or_archived_does_not_start_by_itself(
    client: anthropic.Anthropic, reverie: Reverie
) -> None:
    made = Needs(client).deploy(schedule=DAILY)
    client.beta.deployments.pause(made.id)
    with pytest.raises(Conflict, match="paused"):
        reverie.deployment_runs.fire(made.id, NOON)
    client.beta.deployments.archive(made.id)
    with pytest.raises(Archived):
        reverie.deployment_runs.fire(made.id, NOON)
    assert list(client.beta.deployment_runs.list()) == []


# ---------------------------------------------------------------------- limits and mistakes


def test_every_limit_holds_at_it_and_one_past_it(client: anthropic.Anthropic) -> None:
    needs = Needs(client)
    vaults = [client.beta.vaults.create(display_name=f"v{number}").id for number in range(51)]
    repositories = [
        {"type": "github_repository", "url": f"https://github.com/o/r{number}"} for number in range(501)
    ]
    for most, said in (
        (50, lambda n: {"initial_events": [HELLO] * n}),
        (50, lambda n: {"vault_ids": vaults[:n]}),
        (500, lambda n: {"resources": repositories[:n]}),
        (256, lambda n: {"name": "x" * n}),
        (2048, lambda n: {"description": "x" * n}),
        (16, lambda n: {"metadata": {str(key): "" for key in range(n)}}),
    ):
        needs.deploy(**said(most))
        with pytest.raises(anthropic.BadRequestError, match=f"at most {most}"):
            needs.deploy(**said(most + 1))
    with pytest.raises(anthropic.BadRequestError, match="at least 1"):
        needs.deploy(initial_events=[])


def test_a_thousand_schedules_and_no_more(client: anthropic.Anthropic, reverie: Reverie) -> None:
    needs = Needs(client)
    first, plain = needs.deploy(schedule=DAILY), needs.deploy()
    resource = reverie.resources.get("deployment", first.id)

    def fill(conn: Any) -> None:
        for _ in range(998):
            reverie.resources.create(
                "deployment", resource.body, prefix="depl", status=resource.status, conn=conn
            )

    reverie.resources.write(fill)
    last = needs.deploy(schedule=DAILY)
    for refused in (
        lambda: needs.deploy(schedule=DAILY),
        lambda: client.beta.deployments.update(plain.id, schedule=DAILY),
    ):
        with pytest.raises(anthropic.BadRequestError, match="at most 1000"):
            refused()
    client.beta.deployments.update(last.id, schedule={**DAILY, "expression": "0 8 * * *"})  # one of those
    client.beta.deployments.archive(last.id)
    assert needs.deploy(schedule=DAILY).schedule is not None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"agent": "agent_nowhere"}, "agent_nowhere"),
        ({"environment_id": "env_nowhere"}, "env_nowhere"),
        ({"vault_ids": ["vlt_nowhere"]}, "vlt_nowhere"),
        ({"resources": [{"type": "file", "file_id": "file_nowhere"}]}, "file_nowhere"),
        ({"resources": [{"type": "memory_store", "memory_store_id": "memstore_no"}]}, "memstore_no"),
    ],
)
def test_what_it_refers_to_must_be_there(client: anthropic.Anthropic, said: Any, told: str) -> None:
    with pytest.raises(anthropic.NotFoundError, match=told):
        Needs(client).deploy(**said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"schedule": {**DAILY, "timezone": "Mars/Base"}}, "schedule.timezone"),
        ({"schedule": {**DAILY, "expression": "@daily"}}, "schedule.expression"),
        ({"schedule": {**DAILY, "expression": "0 9 * * * *"}}, "schedule.expression"),
        ({"schedule": {**DAILY, "expression": "0 9 L * *"}}, "schedule.expression"),
        ({"schedule": {**DAILY, "expression": "0 9 30 2 *"}}, "due some day"),
        ({"schedule": {"type": "cron", "expression": "0 9 * * *"}}, "schedule.timezone"),
        ({"initial_events": [{"type": "user.interrupt"}]}, "initial_events[0].type"),
        (
            {"initial_events": [{"type": "system.message", "content": [{"type": "text", "text": "x"}]}]},
            "initial_events[0]",
        ),
        (
            {
                "initial_events": [
                    {
                        "type": "user.define_outcome",
                        "description": "d",
                        "rubric": {"type": "text", "content": "r"},
                    }
                ]
                * 2
            },
            "at most one user.define_outcome",
        ),
        (
            {"budget": {"type": "limit", "max_list_cost": {"amount": "0", "currency": "USD"}}},
            "budget.max_list_cost.amount",
        ),
    ],
)
def test_mistakes_are_named(client: anthropic.Anthropic, said: Any, told: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        Needs(client).deploy(**said)
    assert told in refused.value.api_message
