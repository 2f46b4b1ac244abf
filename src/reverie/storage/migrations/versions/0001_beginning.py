"""The beginning: every table, the append-only triggers, full-text search over memories."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None

_APPEND_ONLY: Final = ("events", "memory_versions", "audit")
_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def upgrade() -> None:
    metadata = sa.MetaData(naming_convention=_NAMES)
    _sessions(metadata)
    _dreams(metadata)
    _memories(metadata)
    _review(metadata)
    metadata.create_all(op.get_bind(), checkfirst=False)
    if op.get_context().dialect.name == "sqlite":
        _sqlite_append_only()
        _sqlite_search()
    else:
        _postgresql_append_only()
        _postgresql_search()


def _text(
    name: str, *refers: sa.ForeignKey, key: bool = False, unique: bool | None = None, null: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, *refers, primary_key=key, unique=unique, nullable=null)


def _number(
    name: str, kind: type[sa.Integer] = sa.BigInteger, *, key: bool = False, null: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=key, nullable=null, autoincrement=False)


def _sessions(metadata: sa.MetaData) -> None:
    sa.Table(
        "sources",
        metadata,
        _text("id", key=True),
        _text("uri", unique=True),
        _text("format"),
        _text("reader_version"),
        _number("size"),
        _number("mtime_ns"),
        _text("sha256"),
        _text("stamp"),
        _text("report"),
        _text("imported_at"),
        sa.Index(None, "sha256"),
    )
    sa.Table(
        "quarantine",
        metadata,
        _text("source_id", sa.ForeignKey("sources.id"), key=True),
        _number("position", sa.Integer, key=True),
        _number("line", null=True),
        _text("pointer", null=True),
        _text("why"),
    )
    facts = ("agent", "agent_version", "user", "model", "repository", "branch", "cwd", "task", "goal")
    sa.Table(
        "sessions",
        metadata,
        _text("id", key=True),
        _text("format"),
        _text("native_id"),
        *(_text(name, null=True) for name in (*facts, "timezone", "started_at", "ended_at")),
        _text("outcome"),
        sa.Column("score", sa.Float),
        _text("outcome_source", null=True),
        _text("extra"),
        _number("events"),
        _text("head"),
        _text("created_at"),
        _text("updated_at"),
        sa.UniqueConstraint("format", "native_id"),
        sa.Index(None, "started_at"),
    )
    sa.Table(
        "session_sources",
        metadata,
        _text("session_id", sa.ForeignKey("sessions.id"), key=True),
        _text("source_id", sa.ForeignKey("sources.id"), key=True),
    )
    sa.Table(
        "events",
        metadata,
        _text("session_id", sa.ForeignKey("sessions.id"), key=True),
        _number("seq", key=True),
        _text("id", unique=True),
        _text("key"),
        _text("type"),
        _text("at", null=True),
        _text("thread"),
        _text("payload"),
        _text("origin", null=True),
        _text("hash"),
    )


def _dreams(metadata: sa.MetaData) -> None:
    sa.Table(
        "observations",
        metadata,
        _text("session_id", key=True),
        _text("content_sha256"),
        _text("observer"),
        _text("body"),
    )
    sa.Table(
        "dreams",
        metadata,
        _text("id", key=True),
        _text("store_id"),
        _text("status"),
        _text("stage"),
        _text("body"),
        _text("created_at"),
        _text("ended_at", null=True),
        sa.Index(None, "store_id", "created_at"),
    )
    sa.Table(
        "dream_stages",
        metadata,
        _text("dream_id", sa.ForeignKey("dreams.id"), key=True),
        _text("stage", key=True),
        _text("body"),
        _text("at"),
    )
    sa.Table(
        "dreamed_sessions",
        metadata,
        _text("store_id", key=True),
        _text("content_sha256", key=True),
    )
    sa.Table(
        "findings",
        metadata,
        _text("id", key=True),
        _text("dream_id", sa.ForeignKey("dreams.id"), key=True),
        _number("position", sa.Integer),
        _text("key"),
        _text("kind"),
        _text("body"),
        sa.Index(None, "dream_id", "position"),
    )


def _memories(metadata: sa.MetaData) -> None:
    sa.Table(
        "memory_stores",
        metadata,
        _text("id", key=True),
        _text("name", unique=True),
        _text("description"),
        _text("created_at"),
    )
    sa.Table(
        "memories",
        metadata,
        _text("id", key=True),
        _text("store_id", sa.ForeignKey("memory_stores.id")),
        _text("path"),
        _text("content", null=True),
        _text("content_sha256", null=True),
        _text("version_id"),
        _number("version"),
        _text("updated_at"),
        sa.UniqueConstraint("store_id", "path"),
    )
    sa.Table(
        "memory_versions",
        metadata,
        _text("memory_id", sa.ForeignKey("memories.id"), key=True),
        _number("version", key=True),
        _text("id", unique=True),
        _text("store_id"),
        _text("path"),
        _text("operation"),
        _text("content", null=True),
        _text("content_sha256", null=True),
        _text("actor"),
        _text("reason", null=True),
        _text("proposal_id", null=True),
        _text("created_at"),
    )


def _review(metadata: sa.MetaData) -> None:
    sa.Table(
        "proposals",
        metadata,
        _text("id", key=True),
        _text("dream_id"),
        _text("store_id", sa.ForeignKey("memory_stores.id")),
        _text("kind"),
        _text("path"),
        _text("title"),
        _text("content"),
        _text("base_sha256", null=True),
        _text("base_content", null=True),
        _text("idea"),
        _number("evidence_weight"),
        _text("findings"),
        _text("risk"),
        _text("origins"),
        sa.Column("tainted", sa.Boolean, nullable=False),
        _text("writer"),
        _number("position", sa.Integer),
        _text("status"),
        _text("created_at"),
        _text("decision", null=True),
        sa.Index(None, "store_id", "status"),
        sa.Index(None, "store_id", "idea"),
    )
    sa.Table(
        "audit",
        metadata,
        _number("seq", key=True),
        _text("at"),
        _text("actor"),
        _text("action"),
        _text("subject"),
        _text("detail"),
        _text("hash"),
    )


def _sqlite_append_only() -> None:
    for table in _APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _sqlite_search() -> None:
    # A copy of the text, and not an "external content" table: that one would lean on the rowids of
    # ``memories``, which VACUUM may change.
    op.execute(
        "CREATE VIRTUAL TABLE memories_search USING fts5"
        "(memory_id UNINDEXED, path, content, tokenize = 'unicode61 remove_diacritics 2')"
    )
    add = (
        "INSERT INTO memories_search (memory_id, path, content) "
        "SELECT new.id, new.path, new.content WHERE new.content IS NOT NULL;"
    )
    remove = "DELETE FROM memories_search WHERE memory_id = old.id;"
    for verb, body in (("INSERT", add), ("UPDATE", f"{remove} {add}"), ("DELETE", remove)):
        op.execute(f"CREATE TRIGGER memories_search_{verb.lower()} AFTER {verb} ON memories BEGIN {body} END")


def _postgresql_append_only() -> None:
    op.execute(
        "CREATE FUNCTION reverie_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23514'; END $$"
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION reverie_refuse()"
        )


def _postgresql_search() -> None:
    # A function, so that the index and every query say exactly the same. Slashes, dots and dashes of
    # paths become spaces, else the parser takes a whole path for one word.
    op.execute(
        "CREATE FUNCTION reverie_words(path text, content text) RETURNS tsvector "
        "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS "
        "$$ SELECT to_tsvector('simple', translate(path, '/._-', '    ') || ' ' || coalesce(content, '')) $$"
    )
    op.execute("CREATE INDEX memories_search ON memories USING gin (reverie_words(path, content))")
