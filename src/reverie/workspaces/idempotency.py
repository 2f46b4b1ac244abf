"""Idempotency keys: a request that comes twice is done once, and answered twice alike.

    claim = idempotency.begin(route, key, digest)      # Claim, Answer, or None: another one is at it
    try: … idempotency.finish(claim, status, headers, body)
    except: idempotency.abandon(claim)                 # nothing was done: the next one tries again

Who is killed between the two leaves a claim that lapses. Whether the work was done before is then unknown;
so hand ``finish`` the transaction of the work where there is one: both are kept, or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import Conflict, Invalid
from reverie.storage import idempotency as rows
from reverie.storage.database import Connection, Database
from reverie.storage.idempotency import Name

__all__ = ["KEPT", "MAX_KEY", "Answer", "Claim", "Idempotency"]

KEPT: Final = timedelta(days=7)
MAX_KEY: Final = 255
_HELD: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right and the duty to answer a request. End it by ``finish`` or ``abandon``."""

    route: str
    key: str
    owner: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered before; ``body`` are the bytes that were sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Idempotency:
    """The idempotency keys of one workspace."""

    def __init__(
        self, db: Database, *, clock: Clock, entropy: Callable[[int], bytes], held: timedelta = _HELD
    ) -> None:
        """
        Args:
            db: The database, scoped to the workspace.
            clock: Gives the present, in UTC.
            entropy: ``entropy(n)`` gives n random bytes.
            held: After this long a claim lapses: longer than any request may take.
        """
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._held = held

    def begin(self, route: str, key: str, digest: str) -> Claim | Answer | None:
        """Ask to answer a request that came with ``key`` on ``route`` ("POST /v1/agents"); ``digest`` is
        that of everything it says. None: another one is answering it just now; ask again, or say 409.

        Raises:
            Invalid: the key is empty, longer than 255 characters, or holds unprintable ones.
            Conflict: the key came before, with another request.
        """
        if not 0 < len(key) <= MAX_KEY:
            raise Invalid("Idempotency-Key", f"1 to {MAX_KEY} characters", len(key))
        if not key.isprintable():
            raise Invalid("Idempotency-Key", "printable characters", key)
        name, owner, now = Name(route, key), self._entropy(16).hex(), self._clock()

        def work(conn: Connection) -> rows.Row | None:
            rows.purge(conn, now - KEPT)
            claimed = rows.claim(conn, name, digest, owner, now, now + self._held)
            return None if claimed else rows.find(conn, name, now - KEPT)

        with self._db.read() as conn:  # an answer that is there already costs no write
            found = rows.find(conn, name, now - KEPT)
        if found is None or found.status is None:
            found = self._db.write(work)
            if found is None:
                return Claim(route, key, owner)
        if found.digest != digest:
            raise Conflict(
                "the key came before, with another request", where="Idempotency-Key", hint="use a fresh key"
            )
        return None if found.status is None else Answer(found.status, found.headers, found.answer)

    def finish(
        self,
        claim: Claim,
        status: int,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        conn: Connection | None = None,
    ) -> None:
        """Keep the answer. With ``conn`` in that transaction, which then fails if the claim has lapsed.

        Raises:
            Conflict: only with ``conn``: somebody else answers it by now.
        """
        name = Name(claim.route, claim.key)

        def work(writing: Connection) -> bool:
            return rows.keep(writing, name, claim.owner, status, headers, body)

        kept = self._db.write(work) if conn is None else work(conn)
        if conn is not None and not kept:
            raise Conflict("another one answers the request by now", where="Idempotency-Key")

    def abandon(self, claim: Claim) -> None:
        """Nothing was done: let the next one who says the key try again."""
        name = Name(claim.route, claim.key)
        self._db.write(lambda conn: rows.forget(conn, name, claim.owner))
