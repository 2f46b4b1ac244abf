"""Credentials of vaults over HTTP. Secrets come in and none goes out: the shapes have no field for one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import msgspec

from reverie.domain.resources import Resource
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place
from reverie.server.wire.credentials import (
    Credential,
    CredentialCreate,
    CredentialUpdate,
    CredentialValidation,
    DeletedCredential,
    HttpAnswer,
    McpProbe,
    RefreshTry,
)
from reverie.server.wire.vaults import VaultList
from reverie.workspaces.validating import Answer

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/vaults/{vault_id}/credentials"
_ITEM: Final = f"{_PATH}/{{credential_id}}"


def _create(call: Call[CredentialCreate, None]) -> Credential:
    asked = msgspec.to_builtins(call.body)
    return _credential(call.house.credentials.create(call.path["vault_id"], asked))


def _retrieve(call: Call[None, None]) -> Credential:
    return _credential(call.house.credentials.get(*_ids(call.path)))


def _update(call: Call[CredentialUpdate, None]) -> Credential:
    asked = msgspec.to_builtins(call.body)
    return _credential(call.house.credentials.update(*_ids(call.path), asked))


def _archive(call: Call[None, None]) -> Credential:
    return _credential(call.house.credentials.archive(*_ids(call.path)))


def _delete(call: Call[None, None]) -> DeletedCredential:
    return DeletedCredential(id=call.house.credentials.delete(*_ids(call.path)).id)


def _list(call: Call[None, VaultList]) -> Page[Credential]:
    query = call.query
    found = call.house.credentials.list(
        call.path["vault_id"],
        archived=query.include_archived,
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, place, _credential)


def _validate(call: Call[None, None]) -> CredentialValidation:
    vault_id, credential_id = _ids(call.path)
    found = asyncio.run(call.house.validator.validate(vault_id, credential_id))
    refresh = found.refresh
    return CredentialValidation(
        credential_id=credential_id,
        has_refresh_token=found.has_refresh_token,
        mcp_probe=McpProbe(_answer(found.failed), "initialize") if found.probed else None,
        refresh=None if refresh is None else RefreshTry(_answer(found.refresh_failed), refresh.status),
        status=found.status,
        validated_at=found.at,
        vault_id=vault_id,
        reason=found.reason,
    )


def _answer(found: Answer | None) -> HttpAnswer | None:
    return None if found is None else HttpAnswer(**asdict(found))


def _ids(path: Mapping[str, str]) -> tuple[str, str]:
    return path["vault_id"], path["credential_id"]


def _credential(resource: Resource) -> Credential:
    found: Credential = answered(resource, Credential, vault_id=resource.parent)
    return found


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Credential, "vaults:write", body=CredentialCreate, tag="credentials",
             summary="Put a credential into a vault"),
    Endpoint("GET", _PATH, _list, Page[Credential], "vaults:read", query=VaultList, tag="credentials",
             summary="List a vault's credentials, newest first"),
    Endpoint("GET", _ITEM, _retrieve, Credential, "vaults:read", tag="credentials",
             summary="A credential, without its secret"),
    Endpoint("POST", _ITEM, _update, Credential, "vaults:write", body=CredentialUpdate, tag="credentials",
             summary="Change a credential, or its secret"),
    Endpoint("DELETE", _ITEM, _delete, DeletedCredential, "vaults:write", tag="credentials",
             summary="Delete a credential and its secret"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, Credential, "vaults:write", tag="credentials",
             summary="Archive a credential, for good; its secret is destroyed"),
    Endpoint("POST", f"{_ITEM}/mcp_oauth_validate", _validate, CredentialValidation, "vaults:write",
             tag="credentials", summary="Try an OAuth credential at its server; renew it if refused"),
)  # fmt: skip
