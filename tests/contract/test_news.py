"""What webhooks are told of agents, environments, vaults, credentials and deployments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anthropic
import pytest

from reverie.app import Reverie
from reverie.domain.webhooks import EVENT_TYPES
from reverie.workspaces import sealing

BEARER: Any = {"type": "static_bearer", "token": "a token of mine", "mcp_server_url": "https://a.example/mcp"}
HELLO: Any = {"type": "user.message", "content": [{"type": "text", "text": "hello"}]}
DAILY: Any = {"type": "cron", "expression": "0 9 * * *", "timezone": "UTC"}
NOUNS = ("agent", "environment", "vault", "vault_credential", "deployment", "deployment_run")
SILENT = {
    *("agent.deleted", "deployment.deleted"),  # nothing deletes them
    "vault_credential.refresh_failed",  # nothing refreshes yet
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())


def test_everything_that_can_happen_is_told_and_what_changes_nothing_is_not(
    client: anthropic.Anthropic, reverie: Reverie
) -> None:
    types = sorted(type_ for type_ in EVENT_TYPES if type_.partition(".")[0] in NOUNS)
    hook, _ = reverie.webhooks.create("https://hooks.example.com/", types)

    def told() -> list[tuple[str, str]]:
        return [(d.type, d.subject) for d in reverie.webhooks.deliveries(hook.id, limit=100)][::-1]

    beta = client.beta
    agent = beta.agents.create(model="m", name="a")
    beta.agents.update(agent.id, name="a")  # nothing new
    beta.agents.update(agent.id, name="b")
    environment = beta.environments.create(name="e")
    beta.environments.update(environment.id, name="e")  # nothing new
    beta.environments.update(environment.id, name="f")
    vault = beta.vaults.create(display_name="v")
    credential = beta.vaults.credentials.create(vault.id, auth=BEARER)
    beta.vaults.credentials.archive(credential.id, vault_id=vault.id)
    other = beta.vaults.credentials.create(vault.id, auth=BEARER)
    deployment = beta.deployments.create(
        agent=agent.id, environment_id=environment.id, initial_events=[HELLO], name="d", schedule=DAILY
    )
    beta.deployments.update(deployment.id, name="d")  # nothing new
    beta.deployments.update(deployment.id, name="e")
    beta.deployments.pause(deployment.id)
    beta.deployments.pause(deployment.id)  # nothing new
    beta.deployments.unpause(deployment.id)
    beta.deployments.run(deployment.id)  # who asked knows
    ran = reverie.deployment_runs.fire(deployment.id, datetime(2026, 3, 2, 9, tzinfo=UTC))
    beta.environments.archive(environment.id)
    beta.environments.archive(environment.id)  # nothing new
    failed = reverie.deployment_runs.fire(deployment.id, datetime(2026, 3, 3, 9, tzinfo=UTC))
    beta.agents.archive(agent.id)
    beta.agents.archive(agent.id)  # nothing new
    beta.vaults.archive(vault.id)
    beta.vaults.delete(vault.id)
    spare = beta.environments.create(name="spare")
    beta.environments.delete(spare.id)
    assert told() == [
        ("agent.created", agent.id),
        ("agent.updated", agent.id),
        ("environment.created", environment.id),
        ("environment.updated", environment.id),
        ("vault.created", vault.id),
        ("vault_credential.created", credential.id),
        ("vault_credential.archived", credential.id),
        ("vault_credential.created", other.id),
        ("deployment.created", deployment.id),
        ("deployment.updated", deployment.id),
        ("deployment.paused", deployment.id),
        ("deployment.unpaused", deployment.id),
        ("deployment_run.started", ran.id),
        ("deployment_run.succeeded", ran.id),
        ("environment.archived", environment.id),
        ("deployment_run.started", failed.id),
        ("deployment_run.failed", failed.id),
        ("deployment.paused", deployment.id),
        ("deployment.archived", deployment.id),
        ("agent.archived", agent.id),
        ("vault_credential.archived", other.id),
        ("vault.archived", vault.id),
        ("vault_credential.deleted", other.id),
        ("vault_credential.deleted", credential.id),
        ("vault.deleted", vault.id),
        ("environment.created", spare.id),
        ("environment.deleted", spare.id),
    ]
    assert {type_ for type_, _ in told()} == set(types) - SILENT
