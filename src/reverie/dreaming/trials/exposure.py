"""Who sees what: the coin of each memory on trial, tossed once for a session and written down before it is used.

What was written counts, and not what the coin would say today: a trial may begin, end or change its text while a
session is under way, and the session goes on seeing what it saw. A session that came to be before the trial, or
before the text, is in no trial, and sees the memory.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import ConfigError, NotFound, Tampered
from reverie.domain.memories import Memory
from reverie.domain.trials import Exposed, Trial
from reverie.dreaming.trials.assignment import sees
from reverie.dreaming.trials.records import KEY, KIND, begun_again, changed, trial_of
from reverie.storage import memories as memory_rows
from reverie.storage import trials as rows
from reverie.storage.database import Connection, Database
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets

__all__ = ["RENEWED", "Exposure"]

RENEWED: Final = "the memory's text was changed"
_STANDING: Final = ("running", "withdrawn")
_log: Final = logging.getLogger("reverie.trials")


class Exposure:
    """What the sessions of one workspace see of its memory. Safe to share between threads."""

    def __init__(self, db: Database, resources: Resources, secrets: Secrets, *, clock: Clock) -> None:
        self._db = db
        self._resources = resources
        self._secrets = secrets
        self._clock = clock
        self._keys: dict[str, bytes] = {}

    def hidden(self, session_id: str | None, store_id: str) -> frozenset[str]:
        """The paths of a store that a session does not see. What it is shown of a memory on trial is on the disk
        when this returns, and stays.

        None is a reader who is no session, or one whose worker reads the store by itself (an exported file, a
        self-hosted environment): it sees what is on trial, is in no trial, and does not see what was withdrawn.

        Raises:
            StorageError: the database does not answer.
        """
        with self._db.read() as conn:
            standing = self._standing(conn, store_id)
            if not standing:
                return frozenset()
            said = {} if session_id is None else rows.of_session(conn, session_id)
            begun = None if session_id is None else rows.begun(conn, session_id)
        return frozenset(
            memory.path
            for trial, memory in standing
            if not self._shown(trial, memory, session_id, begun, said)
        )

    def tried(self, store_id: str) -> frozenset[str]:
        """The paths that are on trial now."""
        with self._db.read() as conn:
            found = self._standing(conn, store_id)
        return frozenset(memory.path for trial, memory in found if trial.status == "running")

    def agrees(self, trial: Trial, exposed: Exposed) -> bool:
        """Whether what was written is what the coin says. True where the key cannot be read: then nothing is
        known to be wrong."""
        key = self._key(trial.id)
        return key is None or sees(key, exposed.session_id, trial.memory_id, trial.share) == exposed.seen

    def _standing(self, conn: Connection, store_id: str) -> list[tuple[Trial, Memory]]:
        """Trials of a store's memories as they are; a withdrawn one only while the memory has the text that was
        withdrawn."""
        found = [
            trial_of(each)
            for each in self._resources.list(KIND, parent=store_id, statuses=_STANDING, conn=conn)
        ]
        if not found:
            return []
        living = memory_rows.by_ids(conn, store_id, [trial.memory_id for trial in found])
        return [
            (trial, memory)
            for trial in found
            if (memory := living.get(trial.memory_id)) is not None
            and not (trial.status == "withdrawn" and changed(trial, memory))
        ]

    def _shown(
        self,
        trial: Trial,
        memory: Memory,
        session_id: str | None,
        begun: datetime | None,
        said: Mapping[str, bool],
    ) -> bool:
        if trial.status == "withdrawn":
            return False
        if trial.id in said:
            return said[trial.id]
        since = memory.updated_at if changed(trial, memory) else trial.round.began_at
        if session_id is None or (begun is not None and begun < since):
            return True
        return self._drawn(trial, session_id)

    def _drawn(self, trial: Trial, session_id: str) -> bool:
        key = self._key(trial.id)
        if key is None:
            return True
        seen, at = sees(key, session_id, trial.memory_id, trial.share), self._clock()

        def work(conn: Connection) -> bool:
            now = trial_of(self._resources.get(KIND, trial.id, lock=True, conn=conn))
            memory = memory_rows.by_ids(conn, now.store_id, [now.memory_id]).get(now.memory_id)
            if now.status != "running" or memory is None:  # it ended just now
                return now.status != "withdrawn"
            if changed(now, memory):
                now = begun_again(self._resources, conn, now, memory, by="reverie", why=RENEWED, at=at)
            return rows.drawn(conn, now.id, now.round.number, session_id, seen=seen, at=at)

        return self._db.write(work)

    def _key(self, trial_id: str) -> bytes | None:
        """What the trial's coin is tossed with; None, and a word in the log, where it cannot be read: a session
        shall not fail for the sake of a trial, and the memory was approved."""
        if trial_id not in self._keys:
            try:
                self._keys[trial_id] = bytes.fromhex(self._secrets.read(trial_id, KEY))
            except (ConfigError, Tampered, NotFound) as error:
                _log.warning("%s tosses no coin: %s", trial_id, error.what)
                return None
        return self._keys[trial_id]
