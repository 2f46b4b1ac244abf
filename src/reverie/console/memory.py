"""Memory: stores, what is in them level by level, and a memory with its history, each change shown, each undoable."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from reverie.console.diffs import compared
from reverie.console.rendering import link
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import Invalid, NotFound
from reverie.domain.memories import Memory, MemoryVersion

__all__ = ["PAGES"]

_STORE: Final = "/memory/{store_id}"
_API: Final = "/v1/memory_stores"
_STORES: Final = 100
_LEVEL: Final = 100
_VERSIONS: Final = 100


def _stores(visit: Visit) -> Shown:
    stores = visit.house.stores.list(limit=_STORES)
    counts = visit.house.stores.counts([store.id for store in stores])
    return Shown("stores.html", {"title": "Memory", "rows": [(store, counts[store.id]) for store in stores]})


def _store(visit: Visit) -> Shown:
    """One level of a store: its memories, and the folders below."""
    store = visit.house.stores.get(visit.path["store_id"])
    under = visit.query.get("under", "/")
    if not (under.startswith("/") and under.endswith("/")):
        raise Invalid("under", "it begins and ends in /", under[:100])
    after = visit.query.get("after") or None
    found = visit.house.memories.page(store.id, prefix=under, flat=False, after=after, limit=_LEVEL + 1)
    shown = found[:_LEVEL]
    last = shown[-1] if shown else None
    facts = {
        "title": store.name,
        "store": store,
        "count": visit.house.stores.counts([store.id])[store.id],
        "under": under,
        "crumbs": _crumbs(under),
        "folders": [each for each in shown if isinstance(each, str)],
        "memories": [each for each in shown if not isinstance(each, str)],
        "more": (last if isinstance(last, str) else last.path) if last and len(found) > _LEVEL else None,
    }
    return Shown("store.html", facts)


def _crumbs(under: str) -> list[tuple[str, str]]:
    """The folders on the way down: what each is called, and its prefix."""
    names = under.strip("/").split("/") if under != "/" else []
    return [(name, "/" + "/".join(names[: at + 1]) + "/") for at, name in enumerate(names)]


def _memory(visit: Visit) -> Shown:
    house, store_id, memory_id = visit.house, visit.path["store_id"], visit.path["memory_id"]
    store = house.stores.get(store_id)
    versions = house.memories.versions(store_id, memory_id=memory_id, limit=_VERSIONS + 1)
    if not versions:
        raise NotFound(f"there is no memory {memory_id!r} in this store")
    memory = _living(visit, store_id, memory_id)
    chosen, before = _chosen(versions, visit.query.get("version"))
    facts = {
        "title": versions[0].path or "a memory that was redacted",
        "store": store,
        "memory": memory,
        "folder": (memory.path if memory is not None else versions[0].path).rpartition("/")[0] + "/",
        "versions": versions[:_VERSIONS],
        "older": len(versions) > _VERSIONS,
        "chosen": chosen,
        "before": before,
        "lines": () if chosen is None else compared(before.content if before else None, chosen.content),
        "restored": visit.query.get("restored"),
        "address": f"/memory/{store_id}/{memory_id}",
    }
    return Shown("memory.html", facts)


def _living(visit: Visit, store_id: str, memory_id: str) -> Memory | None:
    try:
        return visit.house.memories.get(store_id, memory_id)
    except NotFound:
        return None  # deleted: its versions are still there


def _chosen(
    versions: Sequence[MemoryVersion], wanted: str | None
) -> tuple[MemoryVersion | None, MemoryVersion | None]:
    """The version that is asked for, and the one before it."""
    if not wanted:
        return None, None
    for each, before in pairwise([*versions, None]):
        if each is not None and each.id == wanted:
            return each, before
    raise NotFound(f"there is no version {wanted!r} of this memory among the newest {_VERSIONS}")


def _restore(visit: Visit) -> Answer:
    store_id, memory_id = visit.path["store_id"], visit.path["memory_id"]
    memory = visit.house.memories.restore(store_id, visit.form.get("version", ""), actor=visit.by)
    return Moved(link(f"/memory/{store_id}/{memory_id}", restored=str(memory.version)))


PAGES: Final = (
    Page("GET", "/memory", _stores, "memory_stores:read", _API),
    Page("GET", _STORE, _store, "memory_stores:read", f"{_API}/{{store_id}}/memories"),
    Page("GET", f"{_STORE}/{{memory_id}}", _memory, "memory_stores:read",
         f"{_API}/{{store_id}}/memories/{{memory_id}}"),
    Page("POST", f"{_STORE}/{{memory_id}}/restore", _restore, "memory_stores:write"),
)  # fmt: skip
