"""API keys: made, shown once, recognised, revoked.

A key reads ``rvk_<12>_<43>_<6>``: a prefix that secret scanners can look for, the key's id, 256 random
bits, and a checksum, so that a mistyped or cut-off key is refused without a look into the database. What is
kept is its SHA-256, which is enough: nobody guesses 256 bits, however fast the digest.
"""

from __future__ import annotations

import base64
import builtins
import hashlib
import hmac
import re
import threading
import zlib
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reverie.domain.clock import Clock, iso
from reverie.domain.errors import Ambiguous, Invalid, NotFound, StorageError, Unauthenticated
from reverie.domain.ids import new_id
from reverie.domain.keys import ApiKey, valid_scopes
from reverie.domain.workspaces import DEFAULT_WORKSPACE, EVERYWHERE, valid_label
from reverie.storage import audit
from reverie.storage import keys as rows
from reverie.storage import workspaces as workspace_rows
from reverie.storage.database import Connection, Database

__all__ = ["Keys", "NewKey"]

_FORM: Final = re.compile(r"(rvk_([a-z2-7]{12})_[A-Za-z0-9_-]{43})_([0-9A-Za-z]{6})", re.ASCII)
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID: Final = "apikey_"
_ID_LENGTH: Final = 12
_LAG: Final = timedelta(minutes=1)
_NOBODY: Final = "0" * 64  # the digest of no key


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. ``token`` is what its holder sends; it cannot be shown again."""

    key: ApiKey
    token: str


class Keys:
    """The keys of a database, in all its workspaces. For whoever runs it."""

    def __init__(self, db: Database, *, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._db = db.scoped(EVERYWHERE)
        self._clock = clock
        self._entropy = entropy
        self._door = threading.Lock()
        self._used: dict[str, datetime] = {}

    def create(
        self,
        name: str,
        *,
        by: str,
        workspace: str = DEFAULT_WORKSPACE,
        scopes: Collection[str] = ("*",),
        expires_at: datetime | None = None,
    ) -> NewKey:
        """A new key. The workspace must be there; it is not asked for here.

        Raises:
            Invalid: the name, a scope, or a time that has passed.
        """
        plain, now = valid_label("name", name), self._clock()
        if expires_at is not None and expires_at <= now:
            raise Invalid("expires_at", "a time to come", iso(expires_at))
        id = new_id("apikey", self._entropy)[: len(_ID) + _ID_LENGTH]
        token = _token(id.removeprefix(_ID), self._entropy(32))
        key = ApiKey(id, workspace, plain, valid_scopes(scopes), now, expires_at)

        def work(conn: Connection) -> None:
            rows.add(conn, key, _digest(token))
            audit.append(conn, now, by, "key.created", id, {"name": plain, "scopes": key.scopes})

        self._db.scoped(workspace).write(work)
        return NewKey(key, token)

    def list(self, workspace: str | None = None) -> builtins.list[ApiKey]:
        """Every key, oldest first; of one workspace where given."""
        db = self._db if workspace is None else self._db.scoped(workspace)
        with db.read() as conn:
            return rows.listed(conn)

    def any(self) -> bool:
        """Whether a key was ever made. From then on nobody calls without one: to revoke the last key must
        not open the door."""
        with self._db.read() as conn:
            return rows.is_any(conn)

    def revoke(self, id_prefix: str, *, by: str) -> ApiKey:
        """Refuse a key from now on, for good. Again changes nothing.

        Raises:
            NotFound, Ambiguous: none or several keys have that id, or begin of one.
        """
        key, now = self._find(id_prefix), self._clock()

        def work(conn: Connection) -> ApiKey:
            if rows.revoke(conn, key.id, now):
                audit.append(conn, now, by, "key.revoked", key.id, {"name": key.name})
            found = rows.find(conn, key.id)
            return key if found is None else found.key

        return self._db.scoped(key.workspace).write(work)

    def check(self, token: str) -> ApiKey:
        """The key that somebody sent.

        Raises:
            Unauthenticated: it is none of ours, or expired, or revoked, or its workspace is archived. Only
                to the holder of a good key is told which.
        """
        form, now = _FORM.fullmatch(token), self._clock()
        if form is None or form[3] != _checksum(form[1]):
            raise Unauthenticated("this is not a key of this API, or not all of it")
        with self._db.read() as conn:
            kept = rows.find(conn, _ID + form[2])
            home = None if kept is None else workspace_rows.find(conn, kept.key.workspace)
        matches = hmac.compare_digest(_digest(token), _NOBODY if kept is None else kept.sha256)
        if kept is None or not matches:
            raise Unauthenticated("this key is not known here")
        _check_life(kept.key, now)
        if home is not None and home.archived_at is not None:
            raise Unauthenticated("the workspace of this key is archived")
        self._touch(kept.key, now)
        return kept.key

    def _find(self, id_prefix: str) -> ApiKey:
        wanted = id_prefix if id_prefix.startswith(_ID) else _ID + id_prefix
        with self._db.read() as conn:
            exact = rows.find(conn, wanted)
        if exact is not None:
            return exact.key
        found = [key for key in self.list() if key.id.startswith(wanted) and wanted != _ID]
        if not found:
            raise NotFound(f"there is no key {id_prefix!r}", hint="reverie keys list")
        if len(found) > 1:
            raise Ambiguous(f"{id_prefix!r} fits {len(found)} keys", hint="give a few more characters")
        return found[0]

    def _touch(self, key: ApiKey, now: datetime) -> None:
        """Note the use, once a minute at most: a request must not cost a write."""
        with self._door:
            before = self._used.get(key.id) or key.last_used_at
            if before is not None and now - before < _LAG:
                return
            self._used[key.id] = now
        with suppress(StorageError):  # a good key is good on a full disk too
            self._db.scoped(key.workspace).write(lambda conn: rows.touch(conn, key.id, now))


def _check_life(key: ApiKey, now: datetime) -> None:
    if key.revoked_at is not None:
        raise Unauthenticated(f"this key was revoked at {iso(key.revoked_at)}")
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthenticated(f"this key expired at {iso(key.expires_at)}")


def _token(id: str, secret: bytes) -> str:
    told = f"rvk_{id}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"
    return f"{told}_{_checksum(told)}"


def _checksum(told: str) -> str:
    rest, digits = zlib.crc32(told.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = _DIGITS[digit] + digits
    return digits


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
