"""Credentials in vaults: what is said of them in the open, and their secrets sealed apart from that.

A body holds no secret, so that nothing which reads bodies (lists, exports, answers) can give one away.
Archiving destroys the secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from reverie.domain.clock import Clock, iso
from reverie.domain.errors import Archived, Conflict, Invalid
from reverie.domain.resources import Cursor, Resource
from reverie.storage.database import Connection
from reverie.workspaces.metadata import patched, said
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.vaults import CREDENTIAL, VAULT
from reverie.workspaces.webhooks import Webhooks

__all__ = ["MAX_CREDENTIALS", "Credentials"]

MAX_CREDENTIALS: Final = 20
_REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105  (its name)
_CLIENT_SECRET: Final = "client_secret"  # noqa: S105
_MAIN: Final = {"mcp_oauth": "access_token", "static_bearer": "token", "environment_variable": "secret_value"}
_IDENTITY: Final = {
    "mcp_oauth": "mcp_server_url",
    "static_bearer": "mcp_server_url",
    "environment_variable": "secret_name",
}

Said: TypeAlias = Mapping[str, Any]


class Credentials:
    """The credentials of one workspace's vaults.

    All methods raise ``NotFound`` for a vault, or a credential of it, that is not the workspace's.
    """

    def __init__(self, resources: Resources, secrets: Secrets, webhooks: Webhooks, *, clock: Clock) -> None:
        self._resources = resources
        self._secrets = secrets
        self._webhooks = webhooks
        self._clock = clock

    def create(self, vault_id: str, asked: Said) -> Resource:
        """A new credential.

        Raises:
            Archived: the vault was archived.
            Conflict: the vault has one for the same server, or variable.
            Invalid: a URL without a host, an expiry in the past, 21 credentials.
            ConfigError: there is no key to seal it with.
        """
        auth, secrets = _opened(asked["auth"], self._clock())
        body = {
            "display_name": asked.get("display_name") or None,
            "metadata": patched({}, asked.get("metadata")),
            "auth": auth,
        }

        def work(conn: Connection) -> Resource:
            self._check_room(vault_id, auth, conn)
            made = self._resources.create(
                CREDENTIAL, body, prefix="vcrd", parent=vault_id, status=auth["type"], conn=conn
            )
            self._keep(conn, made.id, secrets)
            self._webhooks.emit(conn, "vault_credential.created", made.id, vault_id=vault_id)
            return made

        return self._resources.write(work)

    def get(self, vault_id: str, credential_id: str) -> Resource:
        """A credential, without its secret."""
        return self._resources.get(CREDENTIAL, credential_id, parent=vault_id)

    def update(self, vault_id: str, credential_id: str, asked: Said) -> Resource:
        """Change a credential; secrets that are given take the place of those kept.

        Raises:
            Archived: it was archived.
            Invalid: another kind of ``auth``, or a change of what it does not have.
            ConfigError: there is no key to seal with.
        """
        now = self._clock()

        def work(conn: Connection) -> Resource:
            before = self._resources.get(CREDENTIAL, credential_id, parent=vault_id, lock=True, conn=conn)
            if before.archived_at is not None:
                raise Archived("the credential is archived and cannot be changed", where=credential_id)
            auth, secrets = _changed(asked.get("auth"), before.body["auth"], now)
            self._keep(conn, credential_id, secrets)
            name = before.body["display_name"]
            body = {
                **(before.body if asked.get("auth") is None else {}),
                "display_name": said(asked, "display_name", name, empty=name),
                "metadata": patched(before.body["metadata"], asked.get("metadata")),
                "auth": auth,
            }
            return self._resources.change(CREDENTIAL, credential_id, partial(replace, body=body), conn=conn)

        return self._resources.write(work)

    def archive(self, vault_id: str, credential_id: str) -> Resource:
        """Archive a credential for good; its secret is destroyed. Again is harmless."""
        now = self._clock()

        def work(conn: Connection) -> Resource:
            found = self._resources.get(CREDENTIAL, credential_id, parent=vault_id, lock=True, conn=conn)
            if found.archived_at is not None:
                return found
            self._secrets.forget(conn, credential_id)
            self._webhooks.emit(conn, "vault_credential.archived", credential_id, vault_id=vault_id)
            archived = partial(replace, archived_at=now)
            return self._resources.change(CREDENTIAL, credential_id, archived, conn=conn)

        return self._resources.write(work)

    def delete(self, vault_id: str, credential_id: str) -> Resource:
        """Delete a credential and its secret."""

        def work(conn: Connection) -> Resource:
            self._resources.get(CREDENTIAL, credential_id, parent=vault_id, lock=True, conn=conn)
            self._secrets.forget(conn, credential_id)
            self._webhooks.emit(conn, "vault_credential.deleted", credential_id, vault_id=vault_id)
            return self._resources.delete(CREDENTIAL, credential_id, conn=conn)

        return self._resources.write(work)

    def list(
        self, vault_id: str, *, archived: bool = False, after: Cursor | None = None, limit: int = 20
    ) -> list[Resource]:
        """The credentials of a vault, newest first; archived ones too where ``archived``."""
        self._resources.get(VAULT, vault_id)
        return self._resources.list(
            CREDENTIAL, parent=vault_id, archived=None if archived else False, after=after, limit=limit
        )

    def _check_room(self, vault_id: str, auth: Said, conn: Connection) -> None:
        vault = self._resources.get(VAULT, vault_id, lock=True, conn=conn)
        if vault.archived_at is not None:
            raise Archived("the vault is archived and takes no credentials", where=vault_id)
        there = self._resources.list(CREDENTIAL, parent=vault_id, conn=conn)
        if len(there) >= MAX_CREDENTIALS:
            raise Invalid("vault_id", f"at most {MAX_CREDENTIALS} credentials in a vault", len(there) + 1)
        for other in there:
            if _identity(other.body["auth"]) == _identity(auth):
                told = f"the credential {other.id} is for {auth[_IDENTITY[auth['type']]]} already"
                raise Conflict(told, where=vault_id, hint="change that one, or archive it first")

    def _keep(self, conn: Connection, credential_id: str, secrets: Mapping[str, str]) -> None:
        for name, value in secrets.items():
            self._secrets.put(conn, credential_id, name, value)


# ------------------------------------------------------------------ the two halves of a credential


def _opened(asked: Said, now: datetime) -> tuple[dict[str, Any], dict[str, str]]:
    """What is said in the open, and the secrets."""
    kind: str = asked["type"]
    secrets: dict[str, str] = {_MAIN[kind]: asked[_MAIN[kind]]}
    auth: dict[str, Any] = {"type": kind, _IDENTITY[kind]: asked[_IDENTITY[kind]]}
    if kind == "environment_variable":
        auth["networking"] = asked["networking"]
        auth["injection_location"] = _locations(
            asked.get("injection_location"), {"body": False, "header": True}
        )
        return auth, secrets
    _check_url("auth.mcp_server_url", asked["mcp_server_url"])
    if kind == "mcp_oauth":
        auth["expires_at"] = _expiry(asked.get("expires_at"), now)
        auth["refresh"] = None if asked.get("refresh") is None else _refresh(asked["refresh"], secrets)
    return auth, secrets


def _refresh(asked: Said, secrets: dict[str, str]) -> dict[str, Any]:
    _check_url("auth.refresh.token_endpoint", asked["token_endpoint"])
    secrets[_REFRESH_TOKEN] = asked["refresh_token"]
    method = asked["token_endpoint_auth"]
    if method["type"] != "none":
        secrets[_CLIENT_SECRET] = method["client_secret"]
    return {
        "client_id": asked["client_id"],
        "token_endpoint": asked["token_endpoint"],
        "token_endpoint_auth": {"type": method["type"]},
        "resource": asked.get("resource"),
        "scope": asked.get("scope"),
    }


def _changed(asked: Said | None, auth: Said, now: datetime) -> tuple[dict[str, Any], dict[str, str]]:
    if asked is None:
        return dict(auth), {}
    kind: str = auth["type"]
    if asked["type"] != kind:
        raise Invalid("auth.type", f"{kind}: the type of a credential stays", asked["type"])
    secrets: dict[str, str] = {}
    if (main := asked.get(_MAIN[kind])) is not None:
        secrets[_MAIN[kind]] = main
    after = dict(auth)
    if kind == "environment_variable":
        after["networking"] = asked.get("networking") or auth["networking"]
        after["injection_location"] = _locations(asked.get("injection_location"), auth["injection_location"])
    if kind == "mcp_oauth":
        if "expires_at" in asked:
            after["expires_at"] = _expiry(asked["expires_at"], now)
        if asked.get("refresh") is not None:
            after["refresh"] = _renewed(asked["refresh"], auth["refresh"], secrets)
    return after, secrets


def _renewed(asked: Said, refresh: Said | None, secrets: dict[str, str]) -> dict[str, Any]:
    if refresh is None:
        raise Invalid(
            "auth.refresh", "nothing: this credential was made without a refresh token", "an object"
        )
    if (token := asked.get("refresh_token")) is not None:
        secrets[_REFRESH_TOKEN] = token
    method: Said | None = asked.get("token_endpoint_auth")
    if method is not None and (secret := method.get("client_secret")) is not None:
        if refresh["token_endpoint_auth"]["type"] == "none":
            limit = "nothing: the token endpoint of this credential asks for no authentication"
            raise Invalid("auth.refresh.token_endpoint_auth", limit, "a client secret")
        secrets[_CLIENT_SECRET] = secret
    scope = refresh["scope"] if asked.get("scope") is None else asked["scope"] or None
    return {**refresh, "scope": scope}


def _locations(asked: Said | None, stored: Said) -> dict[str, bool]:
    told = asked or {}
    found = {key: value if told.get(key) is None else told[key] for key, value in stored.items()}
    if not any(found.values()):
        raise Invalid("auth.injection_location", "header or body, or both", "neither")
    return found


def _expiry(asked: str | None, now: datetime) -> str | None:
    if asked is None:
        return None
    at = datetime.fromisoformat(asked)
    at = at.replace(tzinfo=now.tzinfo) if at.tzinfo is None else at
    if at <= now:
        raise Invalid("auth.expires_at", "a time in the future", asked)
    return iso(at)


def _check_url(field: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, parts.password
    except ValueError:
        host = secret = None
    if not host or secret is not None:
        raise Invalid(field, "an http or https URL with a host and no password")


def _identity(auth: Said) -> tuple[str, str]:
    return _IDENTITY[auth["type"]], auth[_IDENTITY[auth["type"]]]
