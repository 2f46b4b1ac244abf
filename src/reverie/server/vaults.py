"""Vaults over HTTP."""

from __future__ import annotations

from typing import Final

import msgspec

from reverie.domain.resources import Resource
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place
from reverie.server.wire.vaults import DeletedVault, Vault, VaultCreate, VaultList, VaultUpdate

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/vaults"
_ITEM: Final = f"{_PATH}/{{vault_id}}"


def _create(call: Call[VaultCreate, None]) -> Vault:
    return _vault(call.house.vaults.create(msgspec.to_builtins(call.body)))


def _retrieve(call: Call[None, None]) -> Vault:
    return _vault(call.house.vaults.get(call.path["vault_id"]))


def _update(call: Call[VaultUpdate, None]) -> Vault:
    return _vault(call.house.vaults.update(call.path["vault_id"], msgspec.to_builtins(call.body)))


def _archive(call: Call[None, None]) -> Vault:
    return _vault(call.house.vaults.archive(call.path["vault_id"]))


def _delete(call: Call[None, None]) -> DeletedVault:
    return DeletedVault(id=call.house.vaults.delete(call.path["vault_id"]).id)


def _list(call: Call[None, VaultList]) -> Page[Vault]:
    query = call.query
    found = call.house.vaults.list(
        archived=query.include_archived, after=after(query.page), limit=query.limit + 1
    )
    return page(found, query.limit, place, _vault)


def _vault(resource: Resource) -> Vault:
    found: Vault = answered(resource, Vault)
    return found


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Vault, "vaults:write", body=VaultCreate, tag="vaults",
             summary="Make a vault"),
    Endpoint("GET", _PATH, _list, Page[Vault], "vaults:read", query=VaultList, tag="vaults",
             summary="List vaults, newest first"),
    Endpoint("GET", _ITEM, _retrieve, Vault, "vaults:read", tag="vaults", summary="A vault"),
    Endpoint("POST", _ITEM, _update, Vault, "vaults:write", body=VaultUpdate, tag="vaults",
             summary="Change a vault"),
    Endpoint("DELETE", _ITEM, _delete, DeletedVault, "vaults:write", tag="vaults",
             summary="Delete a vault, its credentials and their secrets"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, Vault, "vaults:write", tag="vaults",
             summary="Archive a vault and its credentials, for good; their secrets are destroyed"),
)  # fmt: skip
