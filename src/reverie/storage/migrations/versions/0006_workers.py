"""Who works on what: processes that show signs of life, and the sessions that they have."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"
branch_labels: Final = None
depends_on: Final = None

_AT_WORK: Final = "status IN ('running', 'rescheduling')"
_WOKEN: Final = "woken <> 0"
_ASKED: Final = "(SELECT current_setting('reverie.workspace', true))"


def upgrade() -> None:
    op.create_table(
        "workers",
        *(_text(name) for name in ("id", "workspace", "host")),
        sa.Column("pid", sa.BigInteger, nullable=False),
        *(_text(name) for name in ("started_at", "beat_at")),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "runs",
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", name="fk_runs_session_id")),
        _text("workspace"),
        sa.Column("worker", sa.Text),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("since", sa.Text),
        sa.Column("woken", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_runs"),
    )
    op.create_index("ix_runs_worker", "runs", ["worker"])
    _partial("ix_runs_woken", "runs", "woken", _WOKEN)
    _partial("ix_sessions_status", "sessions", "status", _AT_WORK)
    op.execute(
        "INSERT INTO runs (session_id, workspace, epoch, woken, failures) "
        "SELECT DISTINCT session_id, workspace, 0, 1, 0 FROM inbox"
    )
    if op.get_context().dialect.name == "postgresql":
        for table in ("workers", "runs"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY {table}_workspace ON {table} USING (workspace = {_ASKED} OR {_ASKED} = '*')"
            )


def _partial(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)
