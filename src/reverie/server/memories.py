"""Memories over HTTP."""

from __future__ import annotations

import binascii
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Final

from reverie.domain.errors import Invalid, InvalidMemory
from reverie.domain.memories import MAX_CONTENT_BYTES, valid_path
from reverie.domain.memories import Memory as Kept
from reverie.domain.resources import Cursor
from reverie.memory.records import warnings
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.wire.base import UNSET, UnsetType
from reverie.server.wire.memories import (
    DeletedMemory,
    Memory,
    MemoryCreate,
    MemoryDelete,
    MemoryGet,
    MemoryList,
    MemoryListItem,
    MemoryPrefix,
    MemoryUpdate,
    MemoryWrite,
    Precondition,
    View,
)

__all__ = ["ENDPOINTS", "FULL_PAGE", "shown"]

FULL_PAGE: Final = 20
"""Items on a page that shows whole texts, at most."""
_PATH: Final = "/v1/memory_stores/{memory_store_id}/memories"
_ITEM: Final = f"{_PATH}/{{memory_id}}"
_BY_PATH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # cursors say a time; these lists go by path alone


def _create(call: Call[MemoryCreate, MemoryWrite]) -> Memory:
    made = call.house.memories.create(
        call.path["memory_store_id"],
        _path(call.body.path),
        _content(call.body.content or ""),
        actor=call.principal.actor,
    )
    return _warned(call, made, call.query.view)


def _retrieve(call: Call[None, MemoryGet]) -> Memory:
    found = call.house.memories.get(call.path["memory_store_id"], call.path["memory_id"])
    return shown(found, call.query.view)


def _update(call: Call[MemoryUpdate, MemoryWrite]) -> Memory:
    asked = call.body
    changed = call.house.memories.update(
        call.path["memory_store_id"],
        call.path["memory_id"],
        content=None if asked.content is UNSET or asked.content is None else _content(asked.content),
        path=None if asked.path is UNSET or asked.path is None else _path(asked.path),
        expected_sha256=_expected(asked.precondition),
        actor=call.principal.actor,
    )
    return shown(changed, call.query.view)


def _list(call: Call[None, MemoryList]) -> Page[MemoryListItem]:
    query = call.query
    limit = min(query.limit, FULL_PAGE) if query.view == "full" else query.limit
    cursor = after(query.page)
    found = call.house.memories.page(
        call.path["memory_store_id"],
        prefix=_prefix(query.path_prefix),
        flat=query.depth == 0,
        after=None if cursor is None else _told_path(cursor, query.page),
        limit=limit + 1,
    )
    return page(found, limit, _place, lambda item: _item(item, query.view))


def _delete(call: Call[None, MemoryDelete]) -> DeletedMemory:
    memory_id = call.path["memory_id"]
    call.house.memories.delete(
        call.path["memory_store_id"],
        memory_id,
        expected_sha256=call.query.expected_content_sha256,
        actor=call.principal.actor,
    )
    return DeletedMemory(id=memory_id)


# ---------------------------------------------------------------------- what comes in


def _path(path: str) -> str:
    """A path as the wire wants it: what memory takes, and in Unicode normal form C already."""
    if unicodedata.normalize("NFC", path) != path:
        raise Invalid("path", "in Unicode normal form C", path[:120])
    try:
        return valid_path(path)
    except InvalidMemory as error:
        raise Invalid("path", error.what, path[:120]) from None


def _content(content: str) -> str:
    size = len(content.encode("utf-8"))
    if size > MAX_CONTENT_BYTES:
        raise Invalid("content", f"at most {MAX_CONTENT_BYTES:,} bytes", size)
    if "\x00" in content:
        raise Invalid("content", "no NUL character", "\x00")
    return content


def _prefix(prefix: str | None) -> str:
    if prefix is None or prefix == "/":
        return "/"
    if not prefix.endswith("/"):
        raise Invalid("path_prefix", "it ends in /", prefix[:120])
    try:
        return valid_path(prefix[:-1]) + "/"
    except InvalidMemory as error:
        raise Invalid("path_prefix", error.what, prefix[:120]) from None


def _expected(precondition: Precondition | UnsetType | None) -> str | None:
    if precondition is UNSET or precondition is None:
        return None
    if precondition.content_sha256 is UNSET:
        raise Invalid("precondition.content_sha256", "required")
    return precondition.content_sha256


# ---------------------------------------------------------------------- what goes out


def shown(memory: Kept, view: View, more: list[str] | None = None) -> Memory:
    """A memory on the wire; its text only where the whole was asked for."""
    size = len(memory.content.encode("utf-8"))
    return Memory(
        id=memory.id,
        content=memory.content if view == "full" else None,
        content_sha256=memory.content_sha256,
        content_size_bytes=size,
        created_at=memory.created_at or memory.updated_at,
        memory_store_id=memory.store_id,
        memory_version_id=memory.version_id,
        path=memory.path,
        updated_at=memory.updated_at,
        warnings=[*(more or []), *warnings(content_bytes=size)],
    )


def _warned(call: Call[MemoryCreate, MemoryWrite], made: Kept, view: View) -> Memory:
    """A new memory, with a word about its store when that is nearly full."""
    count = call.house.stores.counts([made.store_id])[made.store_id]
    return shown(made, view, warnings(memories=count))


def _item(item: Kept | str, view: View) -> MemoryListItem:
    return MemoryPrefix(path=item) if isinstance(item, str) else shown(item, view)


def _place(item: Kept | str) -> Cursor:
    path = item if isinstance(item, str) else item.path
    return _BY_PATH, urlsafe_b64encode(path.encode("utf-8")).decode("ascii")


def _told_path(cursor: Cursor, said: str | None) -> str:
    try:
        return urlsafe_b64decode(cursor[1].encode("ascii")).decode("utf-8")
    except (ValueError, binascii.Error):
        raise Invalid("page", "a cursor that this list gave as next_page", said) from None


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Memory, "memory_stores:write", body=MemoryCreate, query=MemoryWrite,
             tag="memories", summary="Make a memory at a path where none is"),
    Endpoint("GET", _PATH, _list, Page[MemoryListItem], "memory_stores:read", query=MemoryList,
             tag="memories", summary="List memories by path, whole or one level at a time"),
    Endpoint("GET", _ITEM, _retrieve, Memory, "memory_stores:read", query=MemoryGet, tag="memories",
             summary="A memory"),
    Endpoint("POST", _ITEM, _update, Memory, "memory_stores:write", body=MemoryUpdate, query=MemoryWrite,
             tag="memories", summary="Change a memory's text or path, if it is what the caller saw"),
    Endpoint("DELETE", _ITEM, _delete, DeletedMemory, "memory_stores:write", query=MemoryDelete,
             tag="memories", summary="Delete a memory; its versions stay"),
)  # fmt: skip
