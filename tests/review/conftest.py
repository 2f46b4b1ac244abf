"""Memory and review over each engine, and proposals to decide on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conftest import SteppingClock

from reverie.domain.ids import derived_id
from reverie.domain.memories import content_sha256
from reverie.domain.proposals import Proposal
from reverie.memory.stores import MemoryService
from reverie.review.review import ReviewService
from reverie.storage.database import Database

Make = Callable[..., Proposal]


@pytest.fixture
def memory(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> MemoryService:
    return MemoryService(db, clock=clock, entropy=entropy)


@pytest.fixture
def review(db: Database, memory: MemoryService, clock: SteppingClock) -> ReviewService:
    return ReviewService(db, memory, clock=clock)


@pytest.fixture
def make(memory: MemoryService) -> Make:
    """Makes a proposal written against memory as it is now; any field can be given."""

    def a_proposal(content: str = "Split large files.\n", **fields: Any) -> Proposal:
        path = fields.pop("path", "/notes/uploads.md")
        found = memory.find("default", path)
        base = found.content if found else None
        known: dict[str, Any] = {
            "dream_id": "drm_1",
            "store_id": memory.store().id,
            "kind": "add" if base is None else "update",
            "path": path,
            "title": "Split large files",
            "content": content,
            "base_sha256": None if base is None else content_sha256(base),
            "base_content": base,
            "idea": "upload-size",
            "evidence_weight": 5,
            "findings": ("find_a", "find_b"),
            "risk": "low",
            "origins": ("agent", "user"),
            "writer": "template/2",
            "status": "pending",
            "created_at": datetime(2026, 3, 1, tzinfo=UTC),
        }
        known |= fields
        identity = [str(known[name]) for name in ("dream_id", "path", "content", "base_sha256", "idea")]
        return Proposal(**{"id": derived_id("prop", *identity), **known})

    return a_proposal
