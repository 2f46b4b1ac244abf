"""Credentials, as the SDK knows them: what is said in the open, and secrets that nothing gives back."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types.beta.vaults import BetaManagedAgentsCredential, BetaManagedAgentsCredentialValidation
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.workspaces import sealing

CANARIES = {name: f"canary-{name}-{number:04x}zzz" for number, name in enumerate(
    ("access_token", "refresh_token", "client_secret", "token", "secret_value", "second"))}  # fmt: skip
LATER = datetime(2030, 1, 1, tzinfo=UTC)
OAUTH: Any = {
    "type": "mcp_oauth",
    "access_token": CANARIES["access_token"],
    "mcp_server_url": "https://oauth.example/mcp",
    "expires_at": LATER,
    "refresh": {
        "client_id": "me",
        "refresh_token": CANARIES["refresh_token"],
        "token_endpoint": "https://oauth.example/token",
        "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": CANARIES["client_secret"]},
        "scope": "read",
    },
}
BEARER: Any = {"type": "static_bearer", "token": CANARIES["token"], "mcp_server_url": "https://b.example/mcp"}
VARIABLE: Any = {
    "type": "environment_variable",
    "secret_name": "API_KEY",
    "secret_value": CANARIES["secret_value"],
    "networking": {"type": "limited", "allowed_hosts": ["api.example.com", "*.example.org", "192.0.2.1"]},
}
KINDS: Any = {"mcp_oauth": OAUTH, "static_bearer": BEARER, "environment_variable": VARIABLE}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())


@pytest.fixture
def vault(sdk: Any) -> str:
    return sdk.beta.vaults.create(display_name="v").id


def opened(reverie: Reverie, credential_id: str) -> dict[str, str]:
    """The secrets of a credential: only from inside the house."""
    return reverie.resources.write(
        lambda conn: {
            name: reverie.secrets.get(conn, credential_id, name)
            for name in reverie.secrets.names(conn, credential_id)
        }
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_comes_back_without_its_secret(
    sdk: Any, strict: Any, vault: str, kind: str, reverie: Reverie
) -> None:
    credentials = sdk.beta.vaults.credentials
    made = credentials.create(vault, auth=KINDS[kind], display_name="mine", metadata={"a": "1"})
    strict(made, BetaManagedAgentsCredential)
    assert made.id.startswith("vcrd_") and (made.vault_id, made.auth.type) == (vault, kind)
    assert (made.display_name, made.metadata) == ("mine", {"a": "1"})
    retrieved = credentials.retrieve(made.id, vault_id=vault)
    strict(retrieved)
    listed = list(credentials.list(vault))
    strict(listed, list[BetaManagedAgentsCredential])
    assert retrieved.to_dict() == made.to_dict() == listed[0].to_dict()
    secrets = opened(reverie, made.id)
    assert secrets and set(secrets.values()) <= set(CANARIES.values())
    for answer in (made, retrieved, *listed):
        assert "canary" not in answer.to_json()


def test_what_is_said_in_the_open(sdk: Any, vault: str) -> None:
    create = sdk.beta.vaults.credentials.create
    assert create(vault, auth=OAUTH).auth.to_dict() == {
        "type": "mcp_oauth", "mcp_server_url": "https://oauth.example/mcp", "expires_at": LATER,
        "refresh": {
            "client_id": "me", "token_endpoint": "https://oauth.example/token",
            "token_endpoint_auth": {"type": "client_secret_basic"}, "scope": "read", "resource": None,
        },
    }  # fmt: skip
    assert create(vault, auth=VARIABLE).auth.to_dict() == {
        "type": "environment_variable", "secret_name": "API_KEY", "networking": VARIABLE["networking"],
        "injection_location": {"header": True, "body": False},
    }  # fmt: skip
    bare = {"type": "mcp_oauth", "access_token": "t", "mcp_server_url": "https://c.example/"}
    assert create(vault, auth=bare).auth.to_dict() == {
        "type": "mcp_oauth", "mcp_server_url": "https://c.example/", "expires_at": None, "refresh": None,
    }  # fmt: skip


def test_an_update_changes_what_it_says(sdk: Any, strict: Any, vault: str, reverie: Reverie) -> None:
    credentials = sdk.beta.vaults.credentials
    made = credentials.create(vault, auth=OAUTH, metadata={"a": "1"})
    later = LATER + timedelta(days=1)
    after = credentials.update(
        made.id,
        vault_id=vault,
        display_name="named",
        metadata={"a": None, "b": "2"},
        auth={
            "type": "mcp_oauth",
            "access_token": CANARIES["second"],
            "expires_at": later,
            "refresh": {
                "scope": "",
                "token_endpoint_auth": {"type": "client_secret_post", "client_secret": "new"},
            },
        },
    )
    strict(after)
    assert (after.display_name, after.metadata, after.auth.expires_at) == ("named", {"b": "2"}, later)
    assert after.auth.refresh.scope is None
    assert after.auth.refresh.token_endpoint_auth.type == "client_secret_basic"  # it keeps its kind
    assert opened(reverie, made.id) == {
        "access_token": CANARIES["second"],
        "refresh_token": CANARIES["refresh_token"],
        "client_secret": "new",
    }
    same = credentials.update(made.id, vault_id=vault, auth={"type": "mcp_oauth"})
    assert same.auth.to_dict() == after.auth.to_dict()
    assert credentials.update(
        made.id, vault_id=vault, auth={"type": "mcp_oauth", "expires_at": None}
    ).auth.expires_at is None  # fmt: skip


def test_an_update_of_a_variable(sdk: Any, strict: Any, vault: str, reverie: Reverie) -> None:
    credentials = sdk.beta.vaults.credentials
    made = credentials.create(vault, auth=VARIABLE)

    def updated(**auth: Any) -> Any:
        after = credentials.update(made.id, vault_id=vault, auth={"type": "environment_variable", **auth})
        strict(after)
        return after.auth

    assert updated(injection_location={"body": True}).injection_location.to_dict() == {
        "header": True,
        "body": True,
    }
    assert updated(injection_location={"header": False}).injection_location.header is False
    with pytest.raises(anthropic.BadRequestError, match="header or body"):
        updated(injection_location={"body": False})
    assert updated(networking={"type": "unrestricted"}).networking.type == "unrestricted"
    assert updated(secret_value="another").networking.type == "unrestricted"
    assert opened(reverie, made.id) == {"secret_value": "another"}


def test_archiving_destroys_the_secret_and_makes_room(
    sdk: Any, strict: Any, vault: str, reverie: Reverie
) -> None:
    credentials = sdk.beta.vaults.credentials
    made = credentials.create(vault, auth=BEARER)
    with pytest.raises(anthropic.ConflictError, match=made.id):
        credentials.create(vault, auth=BEARER)
    archived = credentials.archive(made.id, vault_id=vault)
    strict(archived)
    assert archived.archived_at and opened(reverie, made.id) == {}
    assert credentials.archive(made.id, vault_id=vault).to_dict() == archived.to_dict()
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        credentials.update(made.id, vault_id=vault, display_name="no")
    second = credentials.create(vault, auth=BEARER)
    assert [found.id for found in credentials.list(vault)] == [second.id]
    assert [found.id for found in credentials.list(vault, include_archived=True, limit=1)] == [
        second.id,
        made.id,
    ]


def test_deleting(sdk: Any, strict: Any, vault: str, reverie: Reverie) -> None:
    credentials = sdk.beta.vaults.credentials
    made = credentials.create(vault, auth=BEARER)
    gone = credentials.delete(made.id, vault_id=vault)
    strict(gone)
    assert (gone.id, gone.type) == (made.id, "vault_credential_deleted") and opened(reverie, made.id) == {}
    with pytest.raises(anthropic.NotFoundError):
        credentials.delete(made.id, vault_id=vault)


def test_a_credential_is_found_in_its_vault_alone(sdk: Any, vault: str) -> None:
    credentials = sdk.beta.vaults.credentials
    made, other = credentials.create(vault, auth=BEARER), sdk.beta.vaults.create(display_name="other").id
    for way in ("retrieve", "update", "archive", "delete", "mcp_oauth_validate"):
        with pytest.raises(anthropic.NotFoundError):
            getattr(credentials, way)(made.id, vault_id=other)
    with pytest.raises(anthropic.NotFoundError):
        credentials.list("vlt_nowhere")
    with pytest.raises(anthropic.NotFoundError):
        credentials.create("vlt_nowhere", auth=BEARER)


def test_validation_of_a_server_that_is_not_there_says_nothing_of_the_token(
    sdk: Any, strict: Any, vault: str
) -> None:
    """What servers say is in ``tests/workspaces/test_renewing.py``."""
    credentials = sdk.beta.vaults.credentials
    server = {"mcp_server_url": "https://127.0.0.1/mcp"}  # an address that is refused without asking anybody
    renewable = credentials.create(vault, auth={**OAUTH, **server})
    found = credentials.mcp_oauth_validate(renewable.id, vault_id=vault)
    strict(found, BetaManagedAgentsCredentialValidation)
    assert (found.credential_id, found.vault_id, found.status) == (renewable.id, vault, "unknown")
    assert (found.has_refresh_token, found.refresh) == (True, None)
    assert (found.mcp_probe.method, found.mcp_probe.http_response) == ("initialize", None)
    assert "not a public address" in found.reason and CANARIES["access_token"] not in found.to_json()
    bearer = credentials.create(vault, auth=BEARER)
    with pytest.raises(anthropic.BadRequestError, match="mcp_oauth"):
        credentials.mcp_oauth_validate(bearer.id, vault_id=vault)
    credentials.archive(renewable.id, vault_id=vault)
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        credentials.mcp_oauth_validate(renewable.id, vault_id=vault)


# ---------------------------------------------------------------------- limits and mistakes


def test_a_vault_takes_twenty(client: anthropic.Anthropic) -> None:
    vault = client.beta.vaults.create(display_name="v").id
    for number in range(20):
        client.beta.vaults.credentials.create(vault, auth={**VARIABLE, "secret_name": f"KEY_{number}"})
    with pytest.raises(anthropic.BadRequestError, match="at most 20"):
        client.beta.vaults.credentials.create(vault, auth=BEARER)


@pytest.mark.parametrize(
    ("said", "most"),
    [
        (lambda n: {"display_name": "x" * n}, 255),
        (lambda n: {"metadata": {str(key): "" for key in range(n)}}, 16),
        (lambda n: {"auth": {**BEARER, "mcp_server_url": "https://x.io/" + "u" * (n - 13)}}, 2048),
        (
            lambda n: {
                "auth": {**VARIABLE, "networking": {"type": "limited", "allowed_hosts": ["a.io"] * n}}
            },
            16,
        ),
    ],
)
def test_every_limit_holds_at_it_and_one_past_it(client: anthropic.Anthropic, said: Any, most: int) -> None:
    for number in (0, 1):
        vault = client.beta.vaults.create(display_name="v").id
        if number == 0:
            client.beta.vaults.credentials.create(vault, **{"auth": BEARER, **said(most)})
            continue
        with pytest.raises(anthropic.BadRequestError, match=f"at most {most}"):
            client.beta.vaults.credentials.create(vault, **{"auth": BEARER, **said(most + 1)})


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        ({**OAUTH, "expires_at": "2020-01-01T00:00:00Z"}, "in the future"),
        ({**OAUTH, "access_token": ""}, "auth.access_token"),
        (
            {**OAUTH, "refresh": {**OAUTH["refresh"], "token_endpoint": "ftp://x"}},
            "auth.refresh.token_endpoint",
        ),
        ({**BEARER, "mcp_server_url": "https://u:p@b.example/"}, "no password"),
        ({**BEARER, "mcp_server_url": "b.example"}, "auth.mcp_server_url"),
        ({**VARIABLE, "secret_name": "1BAD"}, "auth.secret_name"),
        ({**VARIABLE, "networking": {"type": "limited", "allowed_hosts": []}}, "at least 1"),
        ({**VARIABLE, "networking": {"type": "limited", "allowed_hosts": ["a.io:80"]}}, "allowed_hosts[0]"),
        ({**VARIABLE, "networking": {"type": "limited", "allowed_hosts": ["::1"]}}, "allowed_hosts[0]"),
        ({**VARIABLE, "injection_location": {"header": False}}, "header or body"),
        ({"type": "other"}, "auth.type"),
    ],
)
def test_mistakes_are_named_and_no_secret_is_repeated(
    client: anthropic.Anthropic, auth: Any, told: str
) -> None:
    vault = client.beta.vaults.create(display_name="v").id
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.beta.vaults.credentials.create(vault, auth=auth)
    assert told in refused.value.api_message and "canary" not in refused.value.api_message
    assert list(client.beta.vaults.credentials.list(vault)) == []


def test_a_secret_of_another_type_is_not_repeated_in_the_error(client: anthropic.Anthropic) -> None:
    vault = client.beta.vaults.create(display_name="v").id
    create = client.beta.vaults.credentials.create
    for secret in ("canary" * 20_000, ["canary"], {"canary": 1}):
        for auth in ({**BEARER, "token": secret}, secret):
            with pytest.raises(anthropic.BadRequestError) as refused:
                create(vault, auth=auth)
            assert "canary" not in refused.value.api_message


def test_what_may_not_change(client: anthropic.Anthropic) -> None:
    vault = client.beta.vaults.create(display_name="v").id
    made = client.beta.vaults.credentials.create(
        vault, auth={"type": "mcp_oauth", "access_token": "t", "mcp_server_url": "https://c.example/"}
    )
    public = client.beta.vaults.credentials.create(
        vault, auth={**OAUTH, "refresh": {**OAUTH["refresh"], "token_endpoint_auth": {"type": "none"}}}
    )
    secret: Any = {"token_endpoint_auth": {"type": "client_secret_basic", "client_secret": "s"}}
    for credential, auth, told in (
        (made, {"type": "static_bearer", "token": "x"}, "auth.type"),
        (made, {"type": "mcp_oauth", "refresh": {"refresh_token": "x"}}, "without a refresh token"),
        (public, {"type": "mcp_oauth", "refresh": secret}, "asks for no authentication"),
    ):
        with pytest.raises(anthropic.BadRequestError, match=told):
            client.beta.vaults.credentials.update(credential.id, vault_id=vault, auth=auth)
    with pytest.raises(anthropic.BadRequestError, match="display_name"):
        client.beta.vaults.credentials.update(made.id, vault_id=vault, display_name="")


# ---------------------------------------------------------------------- nowhere to be found


def _forms(secret: str) -> list[bytes]:
    data = secret.encode()
    return [data, base64.b64encode(data), data.hex().encode(), json.dumps(secret).encode()]


def test_no_secret_is_on_the_disk_or_in_the_log(
    client: anthropic.Anthropic, tmp_path: Path, caplog: pytest.LogCaptureFixture, database_url: str
) -> None:
    caplog.set_level(0)
    vault = client.beta.vaults.create(display_name="v").id
    for auth in KINDS.values():
        made = client.beta.vaults.credentials.create(vault, auth=auth)
        client.beta.vaults.credentials.update(made.id, vault_id=vault, metadata={"a": "1"})
    with pytest.raises(anthropic.BadRequestError):
        client.beta.vaults.credentials.create(vault, auth={**BEARER, "mcp_server_url": "x"})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "reverie.db" for path in files)
    for path in files:
        data = path.read_bytes()
        assert not [form for secret in CANARIES.values() for form in _forms(secret) if form in data], path
    ours = [told for told in caplog.records if not told.name.startswith(("anthropic", "httpx2"))]
    assert "canary" not in "".join(told.getMessage() for told in ours)


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_sealed_secret_is_masked_in_what_sessions_log(client: anthropic.Anthropic) -> None:
    vault = client.beta.vaults.create(display_name="v").id
    client.beta.vaults.credentials.create(vault, auth=VARIABLE)
    agent = client.beta.agents.create(model="m", name="a")
    environment = client.beta.environments.create(name="e")
    secret = CANARIES["secret_value"]
    text = f"my key is {secret}, or {base64.b64encode(secret.encode()).decode()}"
    session = client.beta.sessions.create(agent=agent.id, environment_id=environment.id)
    client.beta.sessions.events.send(
        session.id, events=[{"type": "user.message", "content": [{"type": "text", "text": text}]}]
    )
    told = [event.to_json() for event in client.beta.sessions.events.list(session.id)]
    assert "REDACTED" in "".join(told)
    assert not [form for form in _forms(secret) if form.decode() in "".join(told)]
