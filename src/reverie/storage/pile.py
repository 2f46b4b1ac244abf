"""The pile of proposals in SQL: which ones fit, in what order, without their texts.

The order of the whole pile is one reading of an index; what is shown of each is read for a window of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal

from reverie.domain.proposals import Brief, ProposalKind, ProposalStatus, Risk
from reverie.storage.database import Connection
from reverie.storage.driver import execute
from reverie.storage.scope import workspace

__all__ = ["Group", "Wanted", "briefs", "places", "tally"]

Group = Literal["kind", "file", "risk"]

_ORDER: Final = "position, created_at DESC, id"
_GROUPS: Final[Mapping[Group, str]] = {
    "kind": "kind, ",
    "file": "path, ",
    "risk": "CASE risk WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, ",
}
_BRIEF: Final = ", ".join(field.name for field in fields(Brief))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the proposals shall be like (None and empty: anything), and how they are grouped. ``words``: a
    stretch of their title or path, large and small letters alike."""

    kind: ProposalKind | None = None
    risk: Risk | None = None
    tainted: bool | None = None
    store_id: str | None = None
    words: str = ""
    group: Group | None = None


def places(conn: Connection, status: ProposalStatus, wanted: Wanted) -> list[str]:
    """The ids of those that fit, in the order in which they are shown: within a group, or in all, by
    importance within their dream, newer dreams first."""
    more, values = "", [workspace(conn), status]
    asked = {"kind": wanted.kind, "risk": wanted.risk, "tainted": wanted.tainted, "store_id": wanted.store_id}
    for column, value in asked.items():
        if value is not None:
            more, values = f"{more} AND {column} = ?", [*values, value]
    order = ("" if wanted.group is None else _GROUPS[wanted.group]) + _ORDER
    columns = "id, title, path" if wanted.words else "id"
    sql = f"SELECT {columns} FROM proposals WHERE workspace = ? AND status = ?{more} ORDER BY {order}"  # noqa: S608
    found = execute(conn, sql, values).fetchall()
    words = wanted.words.casefold()  # no engine does this for all of Unicode
    return [id for id, *texts in found if not words or words in "\n".join(texts).casefold()]


def tally(conn: Connection, status: ProposalStatus) -> dict[ProposalKind, int]:
    """How many there are of each kind."""
    sql = (
        "SELECT kind, count(*) FROM proposals WHERE workspace = ? AND status = ? GROUP BY kind ORDER BY kind"
    )
    return dict(execute(conn, sql, (workspace(conn), status)).fetchall())


def briefs(conn: Connection, ids: Sequence[str]) -> list[Brief]:
    """What a list shows of each of these (at most a few hundred), in this order."""
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT {_BRIEF} FROM proposals WHERE workspace = ? AND id IN ({marks})"  # noqa: S608
    rows = execute(conn, sql, (workspace(conn), *ids)).fetchall() if ids else []
    found = {row[0]: Brief(*row[:6], tainted=bool(row[6]), evidence_weight=row[7]) for row in rows}
    return [found[id] for id in ids if id in found]
