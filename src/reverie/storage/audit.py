"""The audit log in SQL: who decided what and when, append-only, one hash chain for each workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from reverie.domain.clock import iso
from reverie.domain.workspaces import DEFAULT_WORKSPACE
from reverie.storage import tables
from reverie.storage.chain import GENESIS, link
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute
from reverie.storage.scope import workspace
from reverie.storage.text import clean_json, clean_text

__all__ = ["AuditEntry", "append", "beginning", "entries"]

_T: Final = tables.audit
_LOCK: Final = 0x61_75_64_69  # "audi": whoever appends holds this advisory lock, with the workspace


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log. ``subject`` is the id of what was decided on; ``hash`` (hex) chains the lines."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    hash: str


def append(
    connection: Connection, at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, Any]
) -> AuditEntry:
    """Write one line, in the same transaction as what it tells of.

    On PostgreSQL the transaction holds the log's end from here on: do this late in it.
    """
    mine = workspace(connection)
    if connection.dialect.name == "postgresql":
        execute(connection, "SELECT pg_advisory_xact_lock(?, hashtext(?))", (_LOCK, mine))
    query = select(_T.c.seq, _T.c.hash).where(_T.c.workspace == mine)
    last = connection.execute(query.order_by(_T.c.seq.desc()).limit(1)).first()
    seq, head = (1, beginning(mine)) if last is None else (last.seq + 1, last.hash)
    who, what, which = clean_text(actor), clean_text(action), clean_text(subject)
    row = (seq, iso(at), who, what, which, dumps(clean_json(dict(detail))))
    digest = link(head, row)
    connection.execute(_T.insert().values((mine, *row, digest)))
    return _entry(*row, digest)


def entries(
    connection: Connection,
    *,
    limit: int | None = None,
    subject: str | None = None,
    before: int | None = None,
    actor: str | None = None,
    action: str | None = None,
) -> list[AuditEntry]:
    """Lines of the log, newest first; only those about ``subject``, before a number, by whoever's name begins with
    ``actor``, of what begins with ``action``, where given."""
    columns = [column for column in _T.c if column.name != "workspace"]
    query = select(*columns).where(_T.c.workspace == workspace(connection))
    query = query.order_by(_T.c.seq.desc()).limit(limit)
    if subject is not None:
        query = query.where(_T.c.subject == subject)
    if before is not None:
        query = query.where(_T.c.seq < before)
    for column, beginning_ in ((_T.c.actor, actor), (_T.c.action, action)):
        if beginning_:  # not LIKE: % and _
            query = query.where(func.substr(column, 1, len(beginning_)) == beginning_)
    return [_entry(*row) for row in connection.execute(query)]


def beginning(workspace: str) -> str:
    """What the first line of a workspace's chain follows. The workspace is in it, so that a chain stays
    where it was written; the default one's is what it was before there were others."""
    return GENESIS if workspace == DEFAULT_WORKSPACE else link(GENESIS, (workspace,))


def _entry(seq: int, at: str, actor: str, action: str, subject: str, detail: str, digest: str) -> AuditEntry:
    kept = loads(detail, dict[str, Any])
    return AuditEntry(seq, datetime.fromisoformat(at), actor, action, subject, kept, digest)
