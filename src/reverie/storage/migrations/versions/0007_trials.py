"""Trials: which sessions saw a memory on trial and which did not, and how they ended."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"
branch_labels: Final = None
depends_on: Final = None

_ASKED: Final = "(SELECT current_setting('reverie.workspace', true))"


def upgrade() -> None:
    op.create_table(
        "trial_sessions",
        sa.Column("trial_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.Boolean, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("good", sa.Boolean),
        sa.Column("hit", sa.Boolean),
        sa.Column("stratum", sa.Text),
        sa.Column("settled_at", sa.Text),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "session_id", name="pk_trial_sessions"),
    )
    op.create_index("ix_trial_sessions_session_id", "trial_sessions", ["session_id"])
    op.create_index(
        "ix_trial_sessions_trial_id_round_number",
        "trial_sessions",
        ["trial_id", "round", "number"],
        unique=True,
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE trial_sessions ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE trial_sessions FORCE ROW LEVEL SECURITY")
        op.execute(
            "CREATE POLICY trial_sessions_workspace ON trial_sessions "
            f"USING (workspace = {_ASKED} OR {_ASKED} = '*')"
        )
