"""Environments, as the SDK knows them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaEnvironment
from tests.contract.serving import ENGINES

OWN: Any = {"type": "self_hosted"}
LIMITED: Any = {
    "type": "cloud",
    "networking": {"type": "limited", "allowed_hosts": ["api.example.com"], "allow_package_managers": True},
    "packages": {"pip": ["numpy==2.1"], "apt": ["jq"]},
}


def test_an_environment_comes_back_with_every_default_said(sdk: Any, strict: Any) -> None:
    made = sdk.beta.environments.create(name="somewhere")
    strict(made, BetaEnvironment)
    assert made.id.startswith("env_") and (made.scope, made.description, made.metadata) == (
        "organization",
        None,
        {},
    )
    assert made.config.to_dict() == {
        "type": "cloud",
        "networking": {"type": "unrestricted"},
        "packages": {"type": "packages", "apt": [], "cargo": [], "gem": [], "go": [], "npm": [], "pip": []},
    }
    assert sdk.beta.environments.retrieve(made.id).to_dict() == made.to_dict()
    limited = sdk.beta.environments.create(name="l", config=LIMITED, description="d", metadata={"a": "1"})
    strict(limited)
    assert limited.config.networking.allowed_hosts == ["api.example.com"]
    assert (limited.config.networking.allow_mcp_servers, limited.config.packages.pip) == (
        False,
        ["numpy==2.1"],
    )
    own = sdk.beta.environments.create(name="own", config=OWN)
    strict(own)
    assert own.config.to_dict() == OWN


def test_an_update_is_merged_into_what_is_stored(sdk: Any, strict: Any) -> None:
    made = sdk.beta.environments.create(
        name="l", config=LIMITED, description="d", metadata={"a": "1", "b": "2"}
    )
    after = sdk.beta.environments.update(
        made.id,
        config={"type": "cloud", "networking": {"type": "limited", "allow_mcp_servers": True}},
        metadata={"a": "", "b": None, "c": "3"},
    )
    strict(after)
    assert after.config.networking.to_dict() == {
        "type": "limited", "allow_mcp_servers": True, "allow_package_managers": True,
        "allowed_hosts": ["api.example.com"],
    }  # fmt: skip
    assert after.config.packages.to_dict() == made.config.packages.to_dict()
    assert (after.metadata, after.description, after.name) == ({"c": "3"}, "d", "l")
    after = sdk.beta.environments.update(
        made.id,
        name="renamed",
        description="",
        config={"type": "cloud", "networking": {"type": "unrestricted"}, "packages": {"pip": []}},
    )
    assert (after.name, after.description) == ("renamed", "")
    assert after.config.networking.type == "unrestricted"
    assert (after.config.packages.pip, after.config.packages.apt) == ([], ["jq"])
    after = sdk.beta.environments.update(made.id, description=None, name=None, config=None)
    assert (after.description, after.name) == (None, "renamed")
    same = sdk.beta.environments.update(made.id, name="renamed")
    assert same.updated_at == after.updated_at


def test_archiving_is_for_good(sdk: Any, strict: Any) -> None:
    made = sdk.beta.environments.create(name="e")
    archived = sdk.beta.environments.archive(made.id)
    strict(archived)
    assert archived.archived_at is not None
    assert sdk.beta.environments.archive(made.id).to_dict() == archived.to_dict()
    with pytest.raises(anthropic.BadRequestError) as refused:
        sdk.beta.environments.update(made.id, name="no")
    assert refused.value.error_code == "environment_archived"
    assert list(sdk.beta.environments.list()) == []
    assert [found.id for found in sdk.beta.environments.list(include_archived=True)] == [made.id]
    agent = sdk.beta.agents.create(model="m", name="a")
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        sdk.beta.sessions.create(agent=agent.id, environment_id=made.id)


def test_lists_are_walked_by_pages(sdk: Any, strict: Any) -> None:
    made = [sdk.beta.environments.create(name=f"e{number}") for number in range(5)]
    newest_first = [environment.id for environment in reversed(made)]
    assert [found.id for found in sdk.beta.environments.list(limit=2)] == newest_first
    strict(sdk.beta.environments.list(limit=2).data, list[BetaEnvironment])
    for limit in (0, 101):
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            sdk.beta.environments.list(limit=limit)


def test_only_what_nothing_refers_to_is_deleted(sdk: Any, strict: Any) -> None:
    made = sdk.beta.environments.create(name="e", config=OWN)
    agent = sdk.beta.agents.create(model="m", name="a")
    hello: Any = {"type": "user.message", "content": [{"type": "text", "text": "hello"}]}
    deployment = sdk.beta.deployments.create(
        agent=agent.id, environment_id=made.id, initial_events=[hello], name="d"
    )
    with pytest.raises(anthropic.ConflictError, match=deployment.id):
        sdk.beta.environments.delete(made.id)
    sdk.beta.deployments.archive(deployment.id)
    session = sdk.beta.sessions.create(agent=agent.id, environment_id=made.id)
    with pytest.raises(anthropic.ConflictError, match=session.id):
        sdk.beta.environments.delete(made.id)
    sdk.beta.sessions.delete(session.id)
    gone = sdk.beta.environments.delete(made.id)
    strict(gone)
    assert (gone.id, gone.type) == (made.id, "environment_deleted")
    for way in (sdk.beta.environments.retrieve, sdk.beta.environments.delete, sdk.beta.environments.archive):
        with pytest.raises(anthropic.NotFoundError):
            way(made.id)


@pytest.mark.parametrize(
    ("said", "told", "code"),
    [
        ({"name": ""}, "`name`: at least 1", None),
        ({"scope": "account"}, "scope", None),
        ({"config": {"type": "other"}}, "config.type", None),
        ({"config": {"type": "cloud", "networking": {"type": "limited", "allowed_hosts": ["a b"]}}},
         "config.networking.allowed_hosts[0]", None),
        ({"config": {"type": "cloud", "networking": {"type": "limited", "allowed_hosts": ["https://a.io"]}}},
         "config.networking.allowed_hosts[0]", None),
        ({"config": {"type": "cloud", "networking": {"type": "limited"}, "packages": {"npm": ["x"]}}},
         "allow_package_managers", None),
    ],
)  # fmt: skip
def test_mistakes_are_named(client: anthropic.Anthropic, said: Any, told: str, code: str | None) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.beta.environments.create(**{"name": "e", **said})
    assert told in refused.value.api_message and refused.value.error_code == code


def test_the_mistakes_that_have_a_code(client: anthropic.Anthropic) -> None:
    made = client.beta.environments.create(name="e", metadata={str(number): "" for number in range(16)})
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.beta.environments.update(made.id, config=OWN)
    assert refused.value.error_code == "invalid_config_type_change"
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.beta.environments.update(made.id, metadata={"one": "more"})
    assert refused.value.error_code == "invalid_metadata"
    assert client.beta.environments.retrieve(made.id).to_dict() == made.to_dict()


@pytest.mark.parametrize(
    ("said", "most"),
    [
        (lambda n: {"name": "x" * n}, 255),
        (lambda n: {"description": "x" * n}, 2048),
        (lambda n: {"metadata": {str(key): "" for key in range(n)}}, 16),
        (lambda n: {"metadata": {"k" * n: ""}}, 64),
        (lambda n: {"metadata": {"k": "v" * n}}, 512),
        (lambda n: {"config": {"type": "cloud", "packages": {"pip": ["p"] * n}}}, 500),
    ],
)
def test_every_limit_holds_at_it_and_one_past_it(client: anthropic.Anthropic, said: Any, most: int) -> None:
    client.beta.environments.create(**{"name": "e", **said(most)})
    with pytest.raises(anthropic.BadRequestError, match=f"at most {most}"):
        client.beta.environments.create(**{"name": "e", **said(most + 1)})


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_no_session_starts_in_what_is_being_deleted(client: anthropic.Anthropic) -> None:
    """However the two fall together: either the session is there and the environment too, or neither."""
    agent = client.beta.agents.create(model="m", name="a").id

    def start(environment: str) -> bool:
        try:
            client.beta.sessions.create(agent=agent, environment_id=environment)
        except anthropic.NotFoundError:
            return False
        return True

    def delete(environment: str) -> bool:
        try:
            client.beta.environments.delete(environment)
        except anthropic.ConflictError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        for _ in range(8):
            environment = client.beta.environments.create(name="e").id
            starts = [pool.submit(start, environment) for _ in range(2)]
            deleted = pool.submit(delete, environment)
            starts += [pool.submit(start, environment) for _ in range(3)]
            assert any(started.result() for started in starts) is not deleted.result()
