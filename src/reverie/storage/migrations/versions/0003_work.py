"""Queues of work for self-hosted environments, and who asks at them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"
branch_labels: Final = None
depends_on: Final = None

_OPEN: Final = "state <> 'stopped'"
_ASKED: Final = "(SELECT current_setting('reverie.workspace', true))"


def upgrade() -> None:
    op.create_table(
        "work",
        sa.Column("id", sa.Text, nullable=False),
        *(_text(name) for name in ("workspace", "environment_id", "session_id", "state", "created_at")),
        *(_text(name, null=True) for name in ("claimed_at", "acknowledged_at", "started_at")),
        *(_text(name, null=True) for name in ("heartbeat_at", "lease_until")),
        *(_text(name, null=True) for name in ("stop_requested_at", "stopped_at")),
        sa.Column("ttl_seconds", sa.Integer, nullable=False),
        _text("metadata"),
        _text("key_id", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_work"),
    )
    order = ["workspace", "environment_id", "state", "created_at", "id"]
    op.create_index(f"ix_work_{'_'.join(order)}", "work", order)
    op.create_index(
        "uq_work_session_id",
        "work",
        ["session_id"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_table(
        "work_pollers",
        *(_text(name) for name in ("environment_id", "worker", "workspace", "polled_at")),
        sa.PrimaryKeyConstraint("environment_id", "worker", name="pk_work_pollers"),
    )
    if op.get_context().dialect.name == "postgresql":
        for table in ("work", "work_pollers"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY {table}_workspace ON {table} USING (workspace = {_ASKED} OR {_ASKED} = '*')"
            )


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)
