"""The audit log: who decided what, and when; each line chained to the one before, to be taken along as a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from reverie.app import Workspace
from reverie.console.visits import Page, Saved, Shown, Visit
from reverie.domain.clock import iso
from reverie.domain.errors import Invalid
from reverie.storage.audit import AuditEntry

__all__ = ["PAGES"]

_LISTED: Final = 50
_AT_ONCE: Final = 1_000
_CHECKED: Final = 2_000
"""Lines up to which the chain is checked whenever the log is looked at; a longer one when asked."""
_NUMBER: Final = re.compile(r"\d{1,15}")
_FILTERS: Final = ("subject", "actor", "action")
_LINKED: Final = {"prop_": "/proposals/", "find_": "/findings/", "sesn_": "/sessions/", "drm_": "/dreams/"}
_COLUMNS: Final = ("seq", "at", "actor", "action", "subject", "detail", "hash")


def _list(visit: Visit) -> Shown:
    before = visit.query.get("before", "")
    if before and not _NUMBER.fullmatch(before):
        raise Invalid("before", "the number of a line", before[:64])
    filters = visit.asked(*_FILTERS)
    found = visit.house.audit(_LISTED + 1, before=int(before) if before else None, **filters)
    newest = found[0].seq if found and not before and not filters else None
    asked = "check" in visit.query
    facts = {
        "title": "Audit log",
        "rows": [(each, _href(each), _said(each.detail)) for each in found[:_LISTED]],
        "more": found[_LISTED - 1].seq if len(found) > _LISTED else None,
        "later": bool(before),
        "filters": {name: filters.get(name, "") for name in _FILTERS},
        "kept": filters,
        "check": visit.house.verify_audit() if asked or (newest and newest <= _CHECKED) else None,
    }
    return Shown("audit.html", facts)


def _href(entry: AuditEntry) -> str | None:
    """The page of what a line is about, if it has one."""
    store = entry.detail.get("store_id") or entry.detail.get("memory_store_id")
    if entry.subject.startswith("mem_") and isinstance(store, str):
        return f"/memory/{store}/{entry.subject}"
    if entry.subject.startswith("memstore_"):
        return f"/memory/{entry.subject}"
    found = (to + entry.subject for prefix, to in _LINKED.items() if entry.subject.startswith(prefix))
    return next(found, None)


def _said(detail: object) -> str:
    text = msgspec.json.encode(detail).decode()
    return text if len(text) <= 600 else text[:600] + "…"


# ---------------------------------------------------------------------- as a file


def _export(
    visit: Visit, name: str, media_type: str, told: Callable[[AuditEntry], bytes], head: bytes
) -> Saved:
    filters = visit.asked(*_FILTERS)

    def parts() -> Iterator[bytes]:
        yield head
        for entries in _batches(visit.house, filters):
            yield b"".join(map(told, entries))

    return Saved(name, media_type, parts())


def _batches(house: Workspace, filters: dict[str, str]) -> Iterator[list[AuditEntry]]:
    """All lines that fit, newest first, some at a time."""
    before: int | None = None
    while found := house.audit(_AT_ONCE, before=before, **filters):
        yield found
        before = found[-1].seq


def _line(entry: AuditEntry) -> bytes:
    told = {**{name: getattr(entry, name) for name in _COLUMNS}, "at": iso(entry.at)}
    return msgspec.json.encode(told) + b"\n"


def _row(entry: AuditEntry) -> bytes:
    detail = msgspec.json.encode(entry.detail).decode()
    return _cells(
        [str(entry.seq), iso(entry.at), entry.actor, entry.action, entry.subject, detail, entry.hash]
    )


def _cells(cells: list[str]) -> bytes:
    """One row; a cell that a spreadsheet would compute begins with an apostrophe."""
    file = io.StringIO()
    safe = [f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in cells]
    csv.writer(file).writerow(safe)
    return file.getvalue().encode("utf-8", "replace")


PAGES: Final = (
    Page("GET", "/audit", _list, "audit:read", "/v1/audit"),
    Page("GET", "/audit/export.csv", partial(_export, name="audit.csv", media_type="text/csv; charset=utf-8",
         told=_row, head=_cells(list(_COLUMNS))), "audit:read"),
    Page("GET", "/audit/export.jsonl", partial(_export, name="audit.jsonl", media_type="application/jsonl",
         told=_line, head=b""), "audit:read"),
)  # fmt: skip
