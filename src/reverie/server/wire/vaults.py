"""Vaults on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.agents import Metadata, MetadataPatch
from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire

__all__ = [
    "DeletedVault",
    "Vault",
    "VaultCreate",
    "VaultList",
    "VaultUpdate",
]

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class Vault(Wire):
    """A set of credentials."""

    id: str
    archived_at: Timestamp | None
    created_at: Timestamp
    display_name: str
    metadata: dict[str, str]
    updated_at: Timestamp
    type: Literal["vault"] = "vault"


class VaultCreate(Ask):
    """A new vault."""

    display_name: Name
    metadata: Metadata | None = None


class VaultUpdate(Ask):
    """What changes; a field left out or null stays."""

    display_name: Name | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET


class VaultList(Ask):
    """A page of vaults, or of a vault's credentials."""

    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None


class DeletedVault(Wire):
    """That a vault is gone, with its credentials."""

    id: str
    type: Literal["vault_deleted"] = "vault_deleted"
