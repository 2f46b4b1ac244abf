"""Is the log what was written? Walks every hash chain and names the first thing that does not fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reverie.domain.workspaces import EVERYWHERE
from reverie.storage import integrity
from reverie.storage.chain import GENESIS
from reverie.storage.database import Connection, Database

__all__ = ["Problem", "ProblemKind", "VerifyReport", "verify", "verify_audit"]

ProblemKind: TypeAlias = Literal[
    "changed",  # an entry does not give the digest that was kept of it
    "missing",  # a number is left out
    "inserted",  # an entry stands where none was written
    "truncated",  # the end is gone
    "head",  # the row that names the last entry names another
]


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that was changed outside Reverie; ``where`` names it for people.

    ``session_id``, ``seq`` and ``event_id`` are given as far as there is such a thing.
    """

    kind: ProblemKind
    what: str
    where: str
    session_id: str | None = None
    seq: int | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """How much was walked until ``problem``; everything, when that is None."""

    sessions: int
    events: int
    memory_versions: int
    audit_entries: int
    problem: Problem | None


def verify(db: Database) -> VerifyReport:
    """Check every session's chain of events against its row, every memory's versions against their
    digests, and the chain of the audit log, in one snapshot and holding little of it in memory.

    It shows what was changed, taken out, put in, moved or cut off. It cannot show a whole session that
    was taken out together with its row, nor the work of somebody who computed the chains anew: against
    those, keep a copy of the last digests elsewhere.
    """
    walked: Counter[str] = Counter()
    with db.scoped(EVERYWHERE).read() as conn, integrity.tolerant(conn):
        problem = next(_problems(conn, walked), None)
    return VerifyReport(
        sessions=walked["sessions"],
        events=walked["events"],
        memory_versions=walked["memory_versions"],
        audit_entries=walked["audit_entries"],
        problem=problem,
    )


def verify_audit(db: Database) -> tuple[int, Problem | None]:
    """Check the chain of one workspace's audit log alone: how many lines fit, and the first that does not."""
    walked: Counter[str] = Counter()
    with db.read() as conn, integrity.tolerant(conn):
        problem = next(_audit(conn, walked), None)
    return walked["audit_entries"], problem


def _problems(conn: Connection, walked: Counter[str]) -> Iterator[Problem]:
    orphan = integrity.orphan(conn)
    if orphan is not None:
        yield Problem("missing", "the session's row is gone, its events are there", orphan, orphan)
    for _ in integrity.workspaces(conn):
        yield from _workspace(conn, walked)


def _workspace(conn: Connection, walked: Counter[str]) -> Iterator[Problem]:
    gone = integrity.unaccounted(conn)
    if gone is not None:
        what = "it was deleted or redacted, it says, and the audit log does not know by whom"
        yield Problem("missing", what, gone, gone if gone.startswith("sesn_") else None)
    for head in integrity.heads(conn):
        yield from _session(conn, head, walked)
        walked["sessions"] += 1
    for memory in integrity.newest(conn):
        yield from _memory(conn, memory, walked)
    yield from _audit(conn, walked)


def _session(conn: Connection, head: integrity.Head, walked: Counter[str]) -> Iterator[Problem]:
    """What does not fit in one session. The first thing is the one that counts: whoever takes it may
    stop there, and what comes behind may only be its shadow."""
    this, seq, last = head.session_id, 0, GENESIS
    if head.events < 0:
        yield Problem("head", "the session's row does not say how many events there are", this, this)
    for event, fits in integrity.chained(conn, this):
        seq += 1
        if event.seq != seq:
            yield _out_of_step(this, seq, event)
        if event.seq == head.events + 1:
            what = f"an event stands behind the last one, which was number {head.events}"
            yield Problem("inserted", what, _place(this, seq), this, seq, event.id)
        if not fits:
            what = "the event, or the digest of the one before it, is not what was written"
            yield Problem("changed", what, _place(this, seq), this, seq, event.id)
        last = event.hash
        walked["events"] += 1
    if seq < head.events:
        what = f"the end is gone: there were {head.events} events"
        yield Problem("truncated", what, _place(this, seq + 1), this, seq + 1)
    if last != head.hash:
        yield Problem("head", "the session's row names another last event", this, this, seq)


def _out_of_step(session_id: str, expected: int, event: integrity.Link) -> Problem:
    if event.seq > expected:
        what = f"the event is gone; the next is number {event.seq}"
        return Problem("missing", what, _place(session_id, expected), session_id, expected)
    what = f"an event that was never written stands before number {expected}"
    return Problem("inserted", what, _place(session_id, event.seq), session_id, event.seq, event.id)


def _place(session_id: str, seq: int) -> str:
    return f"{session_id} event {seq}"


def _memory(conn: Connection, newest: integrity.Newest, walked: Counter[str]) -> Iterator[Problem]:
    versions = integrity.versions(conn, newest.memory_id)
    for number, version in enumerate(versions, 1):
        where = f"memory {newest.path} version {number}"
        if version.version != number:
            yield Problem("missing", f"the version is gone; the next is {version.version}", where)
        if _digest(version.content) != version.content_sha256 or (version.content is None) != version.empty:
            yield Problem("changed", "the text is not what was written", where)
        walked["memory_versions"] += 1
    if not versions or (newest.version, newest.id, newest.content, newest.content_sha256) != versions[-1][:4]:
        yield Problem("head", "the memory is not its newest version", f"memory {newest.path}")


def _digest(content: str | None) -> str | None:
    if content is None:
        return None
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()


def _audit(conn: Connection, walked: Counter[str]) -> Iterator[Problem]:
    for number, (seq, fits) in enumerate(integrity.audited(conn), 1):
        where = f"audit log line {number}"
        if seq != number:
            yield Problem("missing", f"the line is gone; the next is {seq}", where)
        if not fits:
            yield Problem(
                "changed", "the line, or the digest of the one before it, is not what was written", where
            )
        walked["audit_entries"] += 1
