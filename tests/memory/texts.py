"""Memories for tests that need no database."""

from __future__ import annotations

from datetime import UTC, datetime

from reverie.domain.memories import Memory, content_sha256


def a_memory(path: str, content: str, version: int = 1) -> Memory:
    return Memory(
        id=f"mem_{path}",
        store_id="memstore_default",
        path=path,
        content=content,
        content_sha256=content_sha256(content),
        version_id=f"memver_{path}_{version}",
        version=version,
        updated_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


UPLOADS = a_memory(
    "/notes/uploads.md",
    "---\nkind: note\ndescription: before uploading files\nevidence:\n  sessions: 12\n---\n\n"
    "# Uploads\n\nSplit files over 50 MB before uploading.\n",
)
BOOKING = a_memory(
    "/playbooks/booking.md",
    "---\nkind: playbook\ndescription: when you book a flight\nevidence:\n  sessions: 30\n---\n\n"
    "# Booking\n\n1. Add up the payments.\n2. Book.\n",
)
HAND = a_memory("/rules/style.md", "Use British spelling.\n")
MEMORIES = [UPLOADS, BOOKING, HAND]
