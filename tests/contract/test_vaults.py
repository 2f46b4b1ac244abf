"""Vaults, as the SDK knows them."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaManagedAgentsVault

from reverie.app import Reverie

BEARER: Any = {"type": "static_bearer", "token": "a token of mine", "mcp_server_url": "https://a.example/mcp"}


def test_a_vault_comes_back_as_it_was_made(sdk: Any, strict: Any) -> None:
    made = sdk.beta.vaults.create(display_name="mine", metadata={"a": "1"})
    strict(made, BetaManagedAgentsVault)
    assert made.id.startswith("vlt_") and (made.display_name, made.metadata) == ("mine", {"a": "1"})
    assert sdk.beta.vaults.retrieve(made.id).to_dict() == made.to_dict()
    after = sdk.beta.vaults.update(made.id, display_name="ours", metadata={"a": None, "b": "2"})
    strict(after)
    assert (after.display_name, after.metadata) == ("ours", {"b": "2"}) and after.updated_at > made.updated_at
    assert sdk.beta.vaults.update(made.id, display_name=None, metadata=None).to_dict() == after.to_dict()


def test_lists_are_walked_by_pages(sdk: Any, strict: Any) -> None:
    made = [sdk.beta.vaults.create(display_name=f"v{number}") for number in range(5)]
    newest_first = [vault.id for vault in reversed(made)]
    assert [found.id for found in sdk.beta.vaults.list(limit=2)] == newest_first
    strict(sdk.beta.vaults.list(limit=2).data, list[BetaManagedAgentsVault])
    sdk.beta.vaults.archive(made[4].id)
    assert [found.id for found in sdk.beta.vaults.list()] == newest_first[1:]
    assert [found.id for found in sdk.beta.vaults.list(include_archived=True, limit=2)] == newest_first
    for limit in (0, 101):
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            sdk.beta.vaults.list(limit=limit)


def test_archiving_is_for_good_and_destroys_the_secrets(sdk: Any, strict: Any, reverie: Reverie) -> None:
    vault = sdk.beta.vaults.create(display_name="v")
    credential = sdk.beta.vaults.credentials.create(vault.id, auth=BEARER)
    archived = sdk.beta.vaults.archive(vault.id)
    strict(archived)
    assert archived.archived_at is not None
    assert sdk.beta.vaults.archive(vault.id).to_dict() == archived.to_dict()
    assert sdk.beta.vaults.credentials.retrieve(credential.id, vault_id=vault.id).archived_at
    assert kept(reverie, credential.id) == set()
    for refused in (
        lambda: sdk.beta.vaults.update(vault.id, display_name="no"),
        lambda: sdk.beta.vaults.credentials.create(vault.id, auth=BEARER),
    ):
        with pytest.raises(anthropic.BadRequestError, match="archived"):
            refused()


def test_deleting_takes_the_credentials_along(sdk: Any, strict: Any, reverie: Reverie) -> None:
    vault = sdk.beta.vaults.create(display_name="v")
    credential = sdk.beta.vaults.credentials.create(vault.id, auth=BEARER)
    gone = sdk.beta.vaults.delete(vault.id)
    strict(gone)
    assert (gone.id, gone.type) == (vault.id, "vault_deleted")
    assert kept(reverie, credential.id) == set()
    for way in (sdk.beta.vaults.retrieve, sdk.beta.vaults.archive, sdk.beta.vaults.delete):
        with pytest.raises(anthropic.NotFoundError):
            way(vault.id)
    with pytest.raises(anthropic.NotFoundError):
        sdk.beta.vaults.credentials.retrieve(credential.id, vault_id=vault.id)


@pytest.mark.parametrize(
    ("said", "most"),
    [
        (lambda n: {"display_name": "x" * n}, 255),
        (lambda n: {"metadata": {str(key): "" for key in range(n)}}, 16),
        (lambda n: {"metadata": {"k" * n: ""}}, 64),
        (lambda n: {"metadata": {"k": "v" * n}}, 512),
    ],
)
def test_every_limit_holds_at_it_and_one_past_it(client: anthropic.Anthropic, said: Any, most: int) -> None:
    client.beta.vaults.create(**{"display_name": "v", **said(most)})
    with pytest.raises(anthropic.BadRequestError, match=f"at most {most}"):
        client.beta.vaults.create(**{"display_name": "v", **said(most + 1)})
    with pytest.raises(anthropic.BadRequestError, match="at least 1"):
        client.beta.vaults.create(display_name="")


def kept(reverie: Reverie, owner: str) -> set[str]:
    """The names of the sealed values that an owner has."""
    return reverie.resources.write(lambda conn: reverie.secrets.names(conn, owner))
