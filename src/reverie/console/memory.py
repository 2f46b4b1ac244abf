"""Memory: stores, what is in them as a tree, and a memory with its history: each change shown, any two compared, each
undoable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reverie.console.diffs import compared
from reverie.console.remembering import effect
from reverie.console.rendering import link
from reverie.console.text import headed
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import Invalid, NotFound
from reverie.domain.memories import Memory, MemoryVersion
from reverie.domain.proposals import Proposal

__all__ = ["PAGES", "Folder"]

_STORE: Final = "/memory/{store_id}"
_MEMORY: Final = f"{_STORE}/{{memory_id}}"
_API: Final = "/v1/memory_stores"
_STORES: Final = 100
_LEVEL: Final = 100
_WHOLE: Final = 300
"""Memories of a store whose tree is shown as a whole; a larger one is shown level by level."""
_VERSIONS: Final = 100


def _stores(visit: Visit) -> Shown:
    stores = visit.house.stores.list(limit=_STORES)
    counts = visit.house.stores.counts([store.id for store in stores])
    return Shown("stores.html", {"title": "Memory", "rows": [(store, counts[store.id]) for store in stores]})


@dataclass(slots=True)
class Folder:
    """What lies below a path, as a tree."""

    name: str
    folders: dict[str, Folder] = field(default_factory=dict[str, "Folder"])
    memories: list[tuple[str, Memory]] = field(default_factory=list[tuple[str, Memory]])

    @property
    def count(self) -> int:
        """Memories below it."""
        return len(self.memories) + sum(each.count for each in self.folders.values())


def _store(visit: Visit) -> Shown:
    """A store: all of its tree; of a large one a level, with its memories and the folders below."""
    store = visit.house.stores.get(visit.path["store_id"])
    under = visit.query.get("under", "/")
    if not (under.startswith("/") and under.endswith("/")):
        raise Invalid("under", "it begins and ends in /", under[:100])
    count = visit.house.stores.counts([store.id])[store.id]
    whole = count <= _WHOLE
    after = visit.query.get("after") or None
    found = visit.house.memories.page(
        store.id, prefix=under, flat=whole, after=after, limit=(_WHOLE if whole else _LEVEL) + 1
    )
    shown = found[: _WHOLE if whole else _LEVEL]
    memories = [each for each in shown if not isinstance(each, str)]
    last = shown[-1] if shown else None
    facts = {
        "title": store.name,
        "store": store,
        "count": count,
        "under": under,
        "crumbs": _crumbs(under),
        "tree": _tree(memories, under) if whole else None,
        "folders": [each for each in shown if isinstance(each, str)],
        "memories": memories,
        "trials": _on_trial(visit, store.id),
        "more": (last if isinstance(last, str) else last.path) if last and len(found) > len(shown) else None,
    }
    return Shown("store.html", facts)


def _tree(memories: Iterable[Memory], under: str) -> Folder:
    root = Folder(under)
    for memory in memories:
        *folders, name = memory.path.removeprefix(under).split("/")
        here = root
        for each in folders:
            here = here.folders.setdefault(each, Folder(each))
        here.memories.append((name, memory))
    return root


def _on_trial(visit: Visit, store_id: str) -> Mapping[str, str]:
    """What the trials of a store's memories say, by the memory's id."""
    if not visit.visitor.may("trials:read"):
        return {}
    found = visit.house.trials.list(store_id=store_id, limit=_LEVEL)
    words = {"running": "on trial", "withdrawn": "withdrawn"}
    return {each.memory_id: words.get(each.status, each.word) for each in reversed(found)}


def _crumbs(under: str) -> list[tuple[str, str]]:
    """The folders on the way down: what each is called, and its prefix."""
    names = under.strip("/").split("/") if under != "/" else []
    return [(name, "/" + "/".join(names[: at + 1]) + "/") for at, name in enumerate(names)]


# ---------------------------------------------------------------------- one memory


def _memory(visit: Visit) -> Shown:
    house, store_id, memory_id = visit.house, visit.path["store_id"], visit.path["memory_id"]
    store = house.stores.get(store_id)
    versions = house.memories.versions(store_id, memory_id=memory_id, limit=_VERSIONS + 1)
    if not versions:
        raise NotFound(f"there is no memory {memory_id!r} in this store", hint="look for it in its store")
    memory = _living(visit, store_id, memory_id)
    chosen, before = _chosen(versions, visit.query.get("version"), visit.query.get("against"))
    path = memory.path if memory is not None else versions[0].path
    facts_of, text = headed(memory.content) if memory is not None else ("", "")
    brought = _brought(visit, versions[:_VERSIONS])
    facts = {
        "title": path or "a memory that was redacted",
        "store": store,
        "memory": memory,
        "facts": facts_of,
        "text": text,
        "folder": path.rpartition("/")[0] + "/",
        "versions": versions[:_VERSIONS],
        "older": len(versions) > _VERSIONS,
        "chosen": chosen,
        "before": before,
        "lines": () if chosen is None else compared(before.content if before else None, chosen.content),
        "restored": visit.query.get("restored"),
        "undone": visit.query.get("decided"),
        "did": visit.query.get("did"),
        "address": f"/memory/{store_id}/{memory_id}",
        "brought": brought,
        "revert": _revert(memory, versions, brought),
        **effect(visit, memory),
    }
    return Shown("memory.html", facts)


def _brought(visit: Visit, versions: Sequence[MemoryVersion]) -> Mapping[str, Proposal]:
    """The proposals that versions came by, as far as they are there."""
    found: dict[str, Proposal] = {}
    for id in dict.fromkeys(each.proposal_id for each in versions if each.proposal_id):
        try:
            found[id] = visit.house.review.get(id)
        except NotFound:
            continue
    return found


def _revert(
    memory: Memory | None, versions: Sequence[MemoryVersion], brought: Mapping[str, Proposal]
) -> tuple[str, str] | None:
    """How to take back what the memory says now: undo the approval that wrote it, else restore the version before;
    None where nothing was before."""
    if memory is None:
        return None
    now, before = versions[0], versions[1] if len(versions) > 1 else None
    proposal = brought.get(now.proposal_id or "")
    if proposal is not None and proposal.status in ("approved", "modified"):
        return "undo", proposal.id
    if before is not None and before.content is not None:
        return "restore", before.id
    return None


def _living(visit: Visit, store_id: str, memory_id: str) -> Memory | None:
    try:
        return visit.house.memories.get(store_id, memory_id)
    except NotFound:
        return None  # deleted: its versions are still there


def _chosen(
    versions: Sequence[MemoryVersion], wanted: str | None, against: str | None
) -> tuple[MemoryVersion | None, MemoryVersion | None]:
    """The version that is asked for, and the one that it is compared with: the one before, unless another is named."""
    if not wanted:
        return None, None
    by_id = {each.id: each for each in versions}
    for id in filter(None, (wanted, against)):
        if id not in by_id:
            raise NotFound(f"there is no version {id!r} of this memory among the newest {_VERSIONS}")
    chosen = by_id[wanted]
    if against:
        return chosen, by_id[against]
    return chosen, next((each for each in versions if each.version == chosen.version - 1), None)


def _restore(visit: Visit) -> Answer:
    store_id, memory_id = visit.path["store_id"], visit.path["memory_id"]
    memory = visit.house.memories.restore(store_id, visit.form.get("version", ""), actor=visit.by)
    return Moved(link(f"/memory/{store_id}/{memory_id}", restored=str(memory.version)))


PAGES: Final = (
    Page("GET", "/memory", _stores, "memory_stores:read", _API),
    Page("GET", _STORE, _store, "memory_stores:read", f"{_API}/{{store_id}}/memories"),
    Page("GET", _MEMORY, _memory, "memory_stores:read", f"{_API}/{{store_id}}/memories/{{memory_id}}"),
    Page("POST", f"{_MEMORY}/restore", _restore, "memory_stores:write"),
)
