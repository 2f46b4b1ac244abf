"""Secrets of one workspace: kept sealed, found by owner and name, and known to whoever masks the log.

Whoever seals or opens a value tells ``register`` of it first; what other processes sealed is told within a
second. So it is masked wherever this process could write it. Nothing here gives values to the wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import ConfigError, NotFound, Tampered
from reverie.storage import secrets as rows
from reverie.storage.database import Connection, Database
from reverie.workspaces.sealing import Sealer

__all__ = ["Secrets"]

_LOOK: Final = 1.0  # seconds between two looks for what others have sealed
_SHORTEST: Final = 6  # characters: to mask anything shorter would mask ordinary text


class Secrets:
    """Keeps values sealed. Safe to share between threads.

    Args:
        sealer: Gives the sealer; asked when a value is first sealed or opened, so that a house without
            secrets needs no key.
        register: Told of values that pass (as arguments), before anything else can see them.
    """

    def __init__(
        self, db: Database, sealer: Callable[[], Sealer], register: Callable[..., None], *, clock: Clock
    ) -> None:
        self._db = db
        self._sealer = sealer
        self._register = register
        self._clock = clock
        self._next_look = 0.0
        self._state = rows.NONE

    def put(self, conn: Connection, owner: str, name: str, value: str) -> None:
        """Keep ``value``, in the place of what ``owner`` had under that name.

        Raises:
            ConfigError: there is no key to seal with.
        """
        self._told(value)
        rows.put(conn, owner, name, self._sealer().seal(value, *self._place(owner, name)), self._clock())

    def get(self, conn: Connection, owner: str, name: str) -> str:
        """A value.

        Raises:
            NotFound: there is none.
            ConfigError, Tampered: it cannot be opened.
        """
        sealed = rows.find(conn, owner, name)
        if sealed is None:
            raise NotFound(f"there is no secret {name!r} here", where=owner)
        value = self._sealer().open(sealed, *self._place(owner, name))
        self._told(value)
        return value

    def read(self, owner: str, name: str) -> str:
        """``get`` in a transaction of its own.

        Raises:
            NotFound: there is none.
            ConfigError, Tampered: it cannot be opened.
        """
        with self._db.read() as conn:
            return self.get(conn, owner, name)

    def names(self, conn: Connection, owner: str) -> set[str]:
        """Which values ``owner`` has; opens none."""
        return rows.names(conn, owner)

    def forget(self, conn: Connection, owner: str, name: str | None = None) -> None:
        """Delete what ``owner`` has; with ``name``, that one."""
        rows.forget(conn, owner, name)

    def refresh(self) -> None:
        """Tell ``register`` of what was sealed by others, or before. Cheap: it looks once a second at most."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK
        with self._db.read() as conn:
            state = rows.state(conn)
            found = rows.every(conn) if state != self._state else []
        opened: list[str] = []
        for owner, name, sealed in found:
            with suppress(ConfigError, Tampered):  # what cannot be opened here cannot be used here either
                opened.append(self._sealer().open(sealed, *self._place(owner, name)))
        self._told(*opened)
        self._state = state

    def _told(self, *values: str) -> None:
        self._register(*(value for value in values if len(value) >= _SHORTEST))

    def _place(self, owner: str, name: str) -> tuple[str, str, str]:
        return self._db.workspace, owner, name
