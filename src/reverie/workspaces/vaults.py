"""Vaults: sets of credentials that sessions may use. What is in them is in ``credentials``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import Archived
from reverie.domain.resources import Cursor, Resource
from reverie.storage.database import Connection
from reverie.workspaces.metadata import patched, said
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.webhooks import Webhooks

__all__ = ["CREDENTIAL", "VAULT", "Vaults"]

VAULT: Final = "vault"
CREDENTIAL: Final = "credential"

Said: TypeAlias = Mapping[str, Any]


class Vaults:
    """The vaults of one workspace. All methods raise ``NotFound`` for an id that is not one of them."""

    def __init__(self, resources: Resources, secrets: Secrets, webhooks: Webhooks, *, clock: Clock) -> None:
        self._resources = resources
        self._secrets = secrets
        self._webhooks = webhooks
        self._clock = clock

    def create(self, asked: Said) -> Resource:
        """A new, empty vault."""
        body = {"display_name": asked["display_name"], "metadata": patched({}, asked.get("metadata"))}

        def work(conn: Connection) -> Resource:
            made = self._resources.create(VAULT, body, prefix="vlt", conn=conn)
            self._webhooks.emit(conn, "vault.created", made.id)
            return made

        return self._resources.write(work)

    def get(self, vault_id: str, *, conn: Connection | None = None) -> Resource:
        """A vault."""
        return self._resources.get(VAULT, vault_id, conn=conn)

    def update(self, vault_id: str, asked: Said) -> Resource:
        """Change a vault's name or metadata.

        Raises:
            Archived: it was archived.
            Invalid: more than 16 pairs of metadata.
        """
        return self._resources.change(VAULT, vault_id, partial(_changed, asked))

    def archive(self, vault_id: str) -> Resource:
        """Archive a vault and its credentials for good; their secrets are destroyed. Again is harmless."""
        now = self._clock()

        def work(conn: Connection) -> Resource:
            vault = self._resources.get(VAULT, vault_id, lock=True, conn=conn)
            if vault.archived_at is not None:
                return vault
            archived = partial(replace, archived_at=now)
            for credential in self._resources.list(CREDENTIAL, parent=vault_id, conn=conn):
                self._secrets.forget(conn, credential.id)
                self._resources.change(CREDENTIAL, credential.id, archived, conn=conn)
                self._webhooks.emit(conn, "vault_credential.archived", credential.id, vault_id=vault_id)
            self._webhooks.emit(conn, "vault.archived", vault_id)
            return self._resources.change(VAULT, vault_id, archived, conn=conn)

        return self._resources.write(work)

    def delete(self, vault_id: str) -> Resource:
        """Delete a vault, its credentials and their secrets."""

        def work(conn: Connection) -> Resource:
            self._resources.get(VAULT, vault_id, lock=True, conn=conn)
            for credential in self._resources.list(CREDENTIAL, parent=vault_id, archived=None, conn=conn):
                self._secrets.forget(conn, credential.id)
                self._resources.delete(CREDENTIAL, credential.id, conn=conn)
                self._webhooks.emit(conn, "vault_credential.deleted", credential.id, vault_id=vault_id)
            self._webhooks.emit(conn, "vault.deleted", vault_id)
            return self._resources.delete(VAULT, vault_id, conn=conn)

        return self._resources.write(work)

    def list(self, *, archived: bool = False, after: Cursor | None = None, limit: int = 20) -> list[Resource]:
        """Vaults, newest first; archived ones too where ``archived``."""
        return self._resources.list(VAULT, archived=None if archived else False, after=after, limit=limit)


def _changed(asked: Said, vault: Resource) -> Resource:
    if vault.archived_at is not None:
        raise Archived("the vault is archived and cannot be changed", where=vault.id)
    name = vault.body["display_name"]
    body = {
        "display_name": said(asked, "display_name", name, empty=name),
        "metadata": patched(vault.body["metadata"], asked.get("metadata")),
    }
    return replace(vault, body=body)
