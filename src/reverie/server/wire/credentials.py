"""Credentials of vaults on the wire. Secrets go in and never come out: no answer has a field for one."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.agents import Metadata, MetadataPatch
from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire

__all__ = [
    "Anywhere",
    "BasicAuth",
    "BasicAuthAsk",
    "BasicAuthChange",
    "Credential",
    "CredentialCreate",
    "CredentialUpdate",
    "CredentialValidation",
    "DeletedCredential",
    "EnvironmentVariable",
    "EnvironmentVariableAsk",
    "EnvironmentVariableChange",
    "HttpAnswer",
    "Injection",
    "InjectionAsk",
    "McpOauth",
    "McpOauthAsk",
    "McpOauthChange",
    "McpProbe",
    "NoAuth",
    "PostAuth",
    "PostAuthAsk",
    "PostAuthChange",
    "Refresh",
    "RefreshAsk",
    "RefreshChange",
    "RefreshTry",
    "Somewhere",
    "StaticBearer",
    "StaticBearerAsk",
    "StaticBearerChange",
]

Name: TypeAlias = Annotated[str, Meta(max_length=255)]
Secret: TypeAlias = Annotated[str, Meta(min_length=1, max_length=65_536)]
Url: TypeAlias = Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s/?#]+")]
Short: TypeAlias = Annotated[str, Meta(max_length=2048)]
Host: TypeAlias = Annotated[
    str, Meta(max_length=253, pattern=r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
]
Variable: TypeAlias = Annotated[str, Meta(max_length=255, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


# ------------------------------------------------------------------ what is answered


class NoAuth(Wire, tag_field="type", tag="none"):
    """The token endpoint asks for no authentication."""


class BasicAuth(Wire, tag_field="type", tag="client_secret_basic"):
    """The client secret goes into the Authorization header."""


class PostAuth(Wire, tag_field="type", tag="client_secret_post"):
    """The client secret goes into the body."""


class Refresh(Wire):
    """How a token is renewed."""

    client_id: str
    token_endpoint: str
    token_endpoint_auth: NoAuth | BasicAuth | PostAuth
    resource: str | None
    scope: str | None


class McpOauth(Wire, tag_field="type", tag="mcp_oauth"):
    """OAuth for an MCP server."""

    mcp_server_url: str
    expires_at: Timestamp | None
    refresh: Refresh | None


class StaticBearer(Wire, tag_field="type", tag="static_bearer"):
    """A fixed token for an MCP server."""

    mcp_server_url: str


class Anywhere(Wire, tag_field="type", tag="unrestricted"):
    """Every host that the environment lets through."""


class Somewhere(Wire, tag_field="type", tag="limited"):
    """These hosts only."""

    allowed_hosts: Annotated[list[Host], Meta(min_length=1, max_length=16)]


class Injection(Wire):
    """Where in a request the value is put."""

    body: bool
    header: bool


class EnvironmentVariable(Wire, tag_field="type", tag="environment_variable"):
    """A value that the sandbox sees a placeholder of."""

    injection_location: Injection
    networking: Anywhere | Somewhere
    secret_name: str


class Credential(Wire):
    """A credential, without its secret."""

    id: str
    archived_at: Timestamp | None
    auth: McpOauth | StaticBearer | EnvironmentVariable
    created_at: Timestamp
    metadata: dict[str, str]
    updated_at: Timestamp
    vault_id: str
    display_name: str | None
    type: Literal["vault_credential"] = "vault_credential"


class DeletedCredential(Wire):
    """That a credential is gone."""

    id: str
    type: Literal["vault_credential_deleted"] = "vault_credential_deleted"


class HttpAnswer(Wire):
    """What a server said to a probe."""

    body: str
    body_truncated: bool
    content_type: str
    status_code: int


class McpProbe(Wire):
    """The step of a probe that failed."""

    http_response: HttpAnswer | None
    method: str


class RefreshTry(Wire):
    """How a renewal of the token went."""

    http_response: HttpAnswer | None
    status: Literal["succeeded", "failed", "connect_error", "no_refresh_token"]


class CredentialValidation(Wire):
    """What is known of a credential. ``reason`` is ours: why nothing more is."""

    credential_id: str
    has_refresh_token: bool
    mcp_probe: McpProbe | None
    refresh: RefreshTry | None
    status: Literal["valid", "invalid", "unknown"]
    validated_at: Timestamp
    vault_id: str
    reason: str
    type: Literal["vault_credential_validation"] = "vault_credential_validation"


# ------------------------------------------------------------------ what is asked


class BasicAuthAsk(Ask, tag_field="type", tag="client_secret_basic"):
    """HTTP Basic, with the secret."""

    client_secret: Secret


class PostAuthAsk(Ask, tag_field="type", tag="client_secret_post"):
    """In the body, with the secret."""

    client_secret: Secret


class RefreshAsk(Ask):
    """A renewal that is asked for."""

    client_id: Annotated[str, Meta(min_length=1, max_length=2048)]
    refresh_token: Secret
    token_endpoint: Url
    token_endpoint_auth: NoAuth | BasicAuthAsk | PostAuthAsk
    resource: Short | None = None
    scope: Short | None = None


class McpOauthAsk(Ask, tag_field="type", tag="mcp_oauth"):
    """OAuth that is asked for."""

    access_token: Secret
    mcp_server_url: Url
    expires_at: Timestamp | None = None
    refresh: RefreshAsk | None = None


class StaticBearerAsk(Ask, tag_field="type", tag="static_bearer"):
    """A fixed token that is asked for."""

    token: Secret
    mcp_server_url: Url


class InjectionAsk(Ask):
    """Where the value may be put; what is left out stays."""

    body: bool | None = None
    header: bool | None = None


class EnvironmentVariableAsk(Ask, tag_field="type", tag="environment_variable"):
    """A variable that is asked for."""

    networking: Anywhere | Somewhere
    secret_name: Variable
    secret_value: Secret
    injection_location: InjectionAsk | None = None


class BasicAuthChange(Ask, tag_field="type", tag="client_secret_basic"):
    """A new client secret."""

    client_secret: Secret | None = None


class PostAuthChange(Ask, tag_field="type", tag="client_secret_post"):
    """A new client secret."""

    client_secret: Secret | None = None


class RefreshChange(Ask):
    """What changes of a renewal; an empty ``scope`` clears it."""

    refresh_token: Secret | None = None
    scope: Short | None = None
    token_endpoint_auth: BasicAuthChange | PostAuthChange | None = None


class McpOauthChange(Ask, tag_field="type", tag="mcp_oauth"):
    """What changes of OAuth."""

    access_token: Secret | None = None
    expires_at: Timestamp | UnsetType | None = UNSET
    refresh: RefreshChange | None = None


class StaticBearerChange(Ask, tag_field="type", tag="static_bearer"):
    """A new token."""

    token: Secret | None = None


class EnvironmentVariableChange(Ask, tag_field="type", tag="environment_variable"):
    """What changes of a variable; its name never does."""

    injection_location: InjectionAsk | None = None
    networking: Anywhere | Somewhere | None = None
    secret_value: Secret | None = None


class CredentialCreate(Ask):
    """A new credential."""

    auth: McpOauthAsk | StaticBearerAsk | EnvironmentVariableAsk
    display_name: Name | None = None
    metadata: Metadata | None = None


class CredentialUpdate(Ask):
    """What changes; the kind of ``auth`` does not."""

    auth: McpOauthChange | StaticBearerChange | EnvironmentVariableChange | None = None
    display_name: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET
