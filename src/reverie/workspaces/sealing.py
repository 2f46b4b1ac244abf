"""Secrets at rest: sealed with AES-256-GCM under a key that is never in the database.

The key is ``$REVERIE_SECRET_KEY`` (32 bytes in base64; several, parted by commas, while keys are changed:
the first one seals, all of them open), else a file beside an SQLite database, made at first use and
readable by its owner alone. On PostgreSQL, which several machines may share, there is no such file: the
variable must be set.

A sealed value begins with the id of its key, and is bound to the row it was sealed for: copied into another
row, it does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from reverie.domain.errors import ConfigError, Tampered
from reverie.storage.database import Database
from reverie.storage.failures import from_os

__all__ = ["KEY_VARIABLE", "Sealer", "key_file", "new_key", "sealer"]

KEY_VARIABLE: Final = "REVERIE_SECRET_KEY"
_FORM: Final = 1  # the first byte: which form the rest has
_ID: Final = 8  # bytes of a key's id
_NONCE: Final = 12
_BYTES: Final = 32
_MAKE: Final = (
    "make one with: python -c "
    "'import base64,os;print(base64.urlsafe_b64encode(os.urandom(32)).decode())', and keep a copy"
)


class Sealer:
    """Seals and opens small values. Safe to share between threads.

    Args:
        keys: 32 bytes each; the first one seals, all of them open.
        entropy: Gives n random bytes: the nonces. They must never repeat under one key.
    """

    def __init__(self, keys: list[bytes], entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = {sha256(b"reverie key " + key).digest()[:_ID]: key for key in keys}
        self._current = next(iter(self._keys))
        self._entropy = entropy

    @property
    def key_id(self) -> str:
        """The id of the key that seals, in hex."""
        return self._current.hex()

    def seal(self, value: str, *place: str) -> bytes:
        """``value``, to be kept at ``place`` (workspace, owner, name)."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._entropy(_NONCE)
        data = AESGCM(self._keys[self._current]).encrypt(nonce, value.encode(), _bound(place))
        return bytes([_FORM]) + self._current + nonce + data

    def open(self, sealed: bytes, *place: str) -> str:
        """The value that was sealed for ``place``.

        Raises:
            ConfigError: it was sealed with a key that is not among ours.
            Tampered: it was changed, or belongs somewhere else.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        id_, nonce = sealed[1 : 1 + _ID], sealed[1 + _ID : 1 + _ID + _NONCE]
        key = self._keys.get(id_)
        if sealed[:1] != bytes([_FORM]) or key is None:
            raise ConfigError(
                f"a secret was sealed with the key {id_.hex()}, which is not among those given",
                hint=f"add that key to {KEY_VARIABLE}, behind the current one and a comma",
            )
        try:
            return AESGCM(key).decrypt(nonce, sealed[1 + _ID + _NONCE :], _bound(place)).decode()
        except InvalidTag:
            raise Tampered("a sealed secret was changed, or moved, outside Reverie") from None


def sealer(
    db: Database, *, environ: Mapping[str, str] = os.environ, entropy: Callable[[int], bytes] = os.urandom
) -> Sealer:
    """The sealer of a database: of ``$REVERIE_SECRET_KEY``, else of the file beside it, which is made.

    Raises:
        ConfigError: the variable holds no key, or there is none and the database is on a server.
        Unavailable: the file cannot be read or made.
    """
    if told := environ.get(KEY_VARIABLE):
        return Sealer([_read(part, KEY_VARIABLE) for part in told.split(",")], entropy)
    if db.dialect != "sqlite":
        raise ConfigError(f"secrets need a key, and {KEY_VARIABLE} is not set", hint=_MAKE)
    path = key_file(db)
    try:
        if not path.exists():
            _make(path, new_key())
        return Sealer([_read(path.read_text("ascii"), str(path))], entropy)
    except OSError as error:
        raise from_os(error, str(path), "it holds the key to the secrets in the database") from error


def key_file(db: Database) -> Path:
    """Where the key of an SQLite database lies."""
    return Path(f"{db.where}.key")


def new_key() -> bytes:
    """A key, as text. Always of the system's randomness: a seed that a test gives is no secret."""
    return base64.urlsafe_b64encode(os.urandom(_BYTES))


def _make(path: Path, key: bytes) -> None:
    """Whole or not at all, and the first of several processes wins."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != _BYTES:
        raise ConfigError("this is not a key: 32 bytes in base64", where=where, hint=_MAKE)
    return key


def _bound(place: tuple[str, ...]) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)
