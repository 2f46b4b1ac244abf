"""Environments on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.agents import Metadata, MetadataPatch
from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire

__all__ = [
    "Cloud",
    "CloudAsk",
    "DeletedEnvironment",
    "Environment",
    "EnvironmentCreate",
    "EnvironmentList",
    "EnvironmentUpdate",
    "Limited",
    "LimitedAsk",
    "Packages",
    "PackagesAsk",
    "SelfHosted",
    "Unrestricted",
]

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Description: TypeAlias = Annotated[str, Meta(max_length=2048)]
Package: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
PackageList: TypeAlias = Annotated[list[Package], Meta(max_length=500)]
Host: TypeAlias = Annotated[
    str, Meta(max_length=253, pattern=r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
]
Scope: TypeAlias = Literal["organization", "account"]


class Unrestricted(Wire, tag_field="type", tag="unrestricted"):
    """Every host."""


class Limited(Wire, tag_field="type", tag="limited"):
    """Some hosts."""

    allow_mcp_servers: bool
    allow_package_managers: bool
    allowed_hosts: list[str]


class LimitedAsk(Ask, tag_field="type", tag="limited"):
    """Some hosts, as asked for; what is left out stays."""

    allow_mcp_servers: bool | None = None
    allow_package_managers: bool | None = None
    allowed_hosts: Annotated[list[Host], Meta(max_length=500)] | None = None


class Packages(Wire):
    """What is installed."""

    apt: list[str]
    cargo: list[str]
    gem: list[str]
    go: list[str]
    npm: list[str]
    pip: list[str]
    type: Literal["packages"] = "packages"


class PackagesAsk(Ask):
    """What is to be installed; a list left out stays."""

    type: Literal["packages"] = "packages"
    apt: PackageList | None = None
    cargo: PackageList | None = None
    gem: PackageList | None = None
    go: PackageList | None = None
    npm: PackageList | None = None
    pip: PackageList | None = None


class Cloud(Wire, tag_field="type", tag="cloud"):
    """A sandbox that Reverie makes."""

    networking: Unrestricted | Limited
    packages: Packages


class CloudAsk(Ask, tag_field="type", tag="cloud"):
    """A sandbox that is asked for."""

    networking: Unrestricted | LimitedAsk | None = None
    packages: PackagesAsk | None = None


class SelfHosted(Wire, tag_field="type", tag="self_hosted"):
    """Workers of one's own, which poll for work."""


class Environment(Wire):
    """An environment."""

    id: str
    archived_at: Timestamp | None
    config: Cloud | SelfHosted
    created_at: Timestamp
    description: str | None
    metadata: dict[str, str]
    name: str
    updated_at: Timestamp
    scope: Scope | None
    type: Literal["environment"] = "environment"


class EnvironmentCreate(Ask):
    """A new environment."""

    name: Name
    config: CloudAsk | SelfHosted | None = None
    description: Description | None = None
    metadata: Metadata | None = None
    scope: Scope | None = None


class EnvironmentUpdate(Ask):
    """What changes; a field left out stays."""

    config: CloudAsk | SelfHosted | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET
    name: Name | UnsetType | None = UNSET
    scope: Scope | UnsetType | None = UNSET


class EnvironmentList(Ask):
    """A page of environments."""

    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None


class DeletedEnvironment(Wire):
    """That an environment is gone."""

    id: str
    type: Literal["environment_deleted"] = "environment_deleted"
