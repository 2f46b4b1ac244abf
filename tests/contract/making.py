"""Proposals and sessions made past the API, for tests of what the API does with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reverie.domain.ids import derived_id
from reverie.domain.proposals import Proposal

__all__ = ["proposal"]


def proposal(
    store_id: str, path: str = "/notes/uploads.md", content: str = "Split.\n", **fields: Any
) -> Proposal:
    """A pending proposal for a path where nothing is."""
    known: dict[str, Any] = {
        "id": derived_id("prop", store_id, path, content),
        "dream_id": "drm_1",
        "store_id": store_id,
        "kind": "add",
        "path": path,
        "title": "Split large files",
        "content": content,
        "base_sha256": None,
        "base_content": None,
        "idea": f"idea of {path}",
        "evidence_weight": 5,
        "findings": (),
        "risk": "low",
        "origins": ("agent", "user"),
        "writer": "template/2",
        "status": "pending",
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
    }
    return Proposal(**{**known, **fields})
