"""Memories that can be renamed: a path is unique among the living only, and a memory knows when it was made.

Two columns of revision 0002 that nothing came to need go: a webhook's deliveries are written with its event,
and what a client asked of a dream is a resource of its own.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"
branch_labels: Final = None
depends_on: Final = None

_LIVING: Final = "content IS NOT NULL"
_FIRST: Final = "(SELECT created_at FROM memory_versions v WHERE v.memory_id = memories.id AND v.version = 1)"
_COLUMNS: Final = (
    "id", "store_id", "path", "content", "content_sha256", "version_id", "version", "updated_at", "workspace",
)  # fmt: skip


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _rebuild()
    else:
        op.add_column("memories", sa.Column("created_at", sa.Text))
        op.execute(f"UPDATE memories SET created_at = coalesce({_FIRST}, updated_at)")  # noqa: S608
        op.alter_column("memories", "created_at", nullable=False)
        op.drop_constraint("uq_memories_store_id_path", "memories")
    where = sa.text(_LIVING)
    op.create_index(
        "uq_memories_store_id_path",
        "memories",
        ["store_id", "path"],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_index("ix_memories_store_id_path", "memories", ["store_id", "path"])
    op.drop_index("ix_webhook_events_handed_out_at_created_at", "webhook_events")
    op.drop_column("webhook_events", "handed_out_at")
    op.create_index("ix_webhook_events_created_at", "webhook_events", ["created_at"])
    op.drop_column("dreams", "request")


def _rebuild() -> None:
    """SQLite drops no constraint: a new table, the rows copied, the old one dropped (its triggers with it;
    the search index itself stays)."""
    op.create_table(
        "new_memories",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column(
            "store_id",
            sa.Text,
            sa.ForeignKey("memory_stores.id", name="fk_memories_store_id"),
            nullable=False,
        ),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("content", sa.Text),
        sa.Column("content_sha256", sa.Text),
        sa.Column("version_id", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_memories"),
    )
    names = ", ".join(_COLUMNS)
    op.execute(
        f"INSERT INTO new_memories ({names}, created_at) "  # noqa: S608
        f"SELECT {names}, coalesce({_FIRST}, updated_at) FROM memories"
    )
    op.execute("DROP TABLE memories")
    op.execute("ALTER TABLE new_memories RENAME TO memories")
    add = (
        "INSERT INTO memories_search (memory_id, path, content) "
        "SELECT new.id, new.path, new.content WHERE new.content IS NOT NULL;"
    )
    remove = "DELETE FROM memories_search WHERE memory_id = old.id;"
    for verb, body in (("INSERT", add), ("UPDATE", f"{remove} {add}"), ("DELETE", remove)):
        op.execute(f"CREATE TRIGGER memories_search_{verb.lower()} AFTER {verb} ON memories BEGIN {body} END")
