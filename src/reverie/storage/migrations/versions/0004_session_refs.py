"""What sessions refer to, by id; and on PostgreSQL a word to whoever listens when a session's log grows."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.create_table(
        "session_refs",
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", name="fk_session_refs_session_id"),
                  primary_key=True),
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "ref", name="pk_session_refs"),
    )  # fmt: skip
    op.create_index(
        "ix_session_refs_workspace_ref_session_id", "session_refs", ["workspace", "ref", "session_id"]
    )
    if op.get_context().dialect.name == "postgresql":
        _policy()
        _notify()


def _policy() -> None:
    asked = "(SELECT current_setting('reverie.workspace', true))"
    op.execute("ALTER TABLE session_refs ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE session_refs FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY session_refs_workspace ON session_refs USING (workspace = {asked} OR {asked} = '*')"
    )


def _notify() -> None:
    """``LISTEN reverie_events`` hears "<session id> <events>" with the commit; 0 events: it was deleted."""
    op.execute(
        "CREATE FUNCTION reverie_tell_events() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_notify('reverie_events', new.id || ' ' || new.events); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER sessions_tell AFTER UPDATE OF events ON sessions FOR EACH ROW "
        "WHEN (new.events IS DISTINCT FROM old.events) EXECUTE FUNCTION reverie_tell_events()"
    )
