"""An index that the pile of proposals is read from: filtered and in order, without their texts."""

from __future__ import annotations

from typing import Final

from alembic import op

revision: Final = "0008"
down_revision: Final = "0007"
branch_labels: Final = None
depends_on: Final = None

_COLUMNS: Final = (
    *("workspace", "status", "position", "created_at", "id"),
    *("kind", "risk", "tainted", "store_id"),
)


def upgrade() -> None:
    op.create_index("ix_proposals_pile", "proposals", list(_COLUMNS))
