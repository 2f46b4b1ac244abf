"""Memory stores over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from reverie.domain.memories import MemoryStore as Store
from reverie.domain.resources import Cursor
from reverie.memory.records import warnings
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import since
from reverie.server.wire.base import UNSET
from reverie.server.wire.memory_stores import (
    DeletedMemoryStore,
    MemoryStore,
    MemoryStoreCreate,
    MemoryStoreList,
    MemoryStoreUpdate,
    SearchHit,
    SearchQuery,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/memory_stores"
_ITEM: Final = f"{_PATH}/{{memory_store_id}}"


def _create(call: Call[MemoryStoreCreate, None]) -> MemoryStore:
    asked = call.body
    made = call.house.stores.create(
        asked.name, asked.description or "", asked.metadata, actor=call.principal.actor
    )
    return _store(made, 0)


def _retrieve(call: Call[None, None]) -> MemoryStore:
    return _counted(call, call.house.stores.get(call.path["memory_store_id"]))


def _update(call: Call[MemoryStoreUpdate, None]) -> MemoryStore:
    asked = call.body
    changed = call.house.stores.update(
        call.path["memory_store_id"],
        name=None if asked.name is UNSET else asked.name,
        description=None if asked.description is UNSET else asked.description,
        metadata=None if asked.metadata is UNSET else asked.metadata,
        actor=call.principal.actor,
    )
    return _counted(call, changed)


def _list(call: Call[None, MemoryStoreList]) -> Page[MemoryStore]:
    query = call.query
    found = call.house.stores.list(
        archived=None if query.include_archived else False,
        created=since(query),
        after=after(query.page),
        limit=query.limit + 1,
    )
    counts = call.house.stores.counts([store.id for store in found])
    return page(found, query.limit, _place, lambda store: _store(store, counts[store.id]))


def _archive(call: Call[None, None]) -> MemoryStore:
    store_id = call.path["memory_store_id"]
    return _counted(call, call.house.stores.archive(store_id, actor=call.principal.actor))


def _delete(call: Call[None, None]) -> DeletedMemoryStore:
    store_id = call.path["memory_store_id"]
    call.house.stores.delete(store_id, actor=call.principal.actor)
    return DeletedMemoryStore(id=store_id)


def _search(call: Call[None, SearchQuery]) -> Page[SearchHit]:
    store = call.house.stores.get(call.path["memory_store_id"])
    hits = call.house.memory.search(store.id, call.query.query, limit=call.query.limit)
    found: Sequence[SearchHit] = [
        SearchHit(memory_id=hit.memory_id, path=hit.path, rank=hit.rank, snippet=hit.snippet) for hit in hits
    ]
    return Page(data=list(found), next_page=None)


def _counted(call: Call[Any, Any], store: Store) -> MemoryStore:
    return _store(store, call.house.stores.counts([store.id])[store.id])


def _store(store: Store, memories: int) -> MemoryStore:
    return MemoryStore(
        id=store.id,
        archived_at=store.archived_at,
        created_at=store.created_at,
        description=store.description,
        metadata=dict(store.metadata),
        name=store.name,
        updated_at=store.updated_at,
        memory_count=memories,
        warnings=warnings(memories=memories),
    )


def _place(store: Store) -> Cursor:
    return store.created_at, store.id


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, MemoryStore, "memory_stores:write", body=MemoryStoreCreate,
             tag="memory_stores", summary="Make a memory store"),
    Endpoint("GET", _PATH, _list, Page[MemoryStore], "memory_stores:read", query=MemoryStoreList,
             tag="memory_stores", summary="List memory stores, newest first"),
    Endpoint("GET", _ITEM, _retrieve, MemoryStore, "memory_stores:read", tag="memory_stores",
             summary="A memory store"),
    Endpoint("POST", _ITEM, _update, MemoryStore, "memory_stores:write", body=MemoryStoreUpdate,
             tag="memory_stores", summary="Change a memory store's name, description or metadata"),
    Endpoint("DELETE", _ITEM, _delete, DeletedMemoryStore, "memory_stores:write", tag="memory_stores",
             summary="Delete a memory store with everything in it"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, MemoryStore, "memory_stores:write", tag="memory_stores",
             summary="Archive a memory store, for good: it is only read from then on"),
    Endpoint("GET", f"{_ITEM}/search", _search, Page[SearchHit], "memory_stores:read", query=SearchQuery,
             tag="memory_stores", summary="Memories that hold every word, best first"),
)  # fmt: skip
