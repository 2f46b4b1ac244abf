"""Workspaces: whose every row is, and the tables of what a workspace holds besides sessions and memory.

What was there before belongs to the default workspace. On PostgreSQL row-level security stands behind the
queries' own conditions: a transaction sees the rows of the workspace it named in ``reverie.workspace``, and
none when it named none. It is forced, because programs mostly connect as the owner of their tables; a
superuser passes it all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"
branch_labels: Final = None
depends_on: Final = None

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
_DEFAULT: Final = "'wrkspc_default'"
_OWNED: Final = (
    "sources", "quarantine", "sessions", "session_sources", "events", "observations", "dreams",
    "dream_stages", "dreamed_sessions", "findings", "memory_stores", "memories", "memory_versions",
    "proposals", "audit",
)  # fmt: skip
_MORE: Final[Mapping[str, Mapping[str, str | None]]] = {  # column: what rows that are there get, as SQL
    "sessions": {
        "status": "'idle'",
        "archived_at": None,
        "deleted_at": None,
        "deployment": None,
        "body": None,
    },
    "dreams": {"archived_at": None, "request": None},
    "memory_stores": {
        "updated_at": "created_at",
        "archived_at": None,
        "deleted_at": None,
        "metadata": "'{}'",
    },
    "memory_versions": {"redacted_at": None, "redacted_by": None},
}
_UNIQUE: Final = {  # table: (columns that were unique, and those that are now)
    "sources": (("uri",), ("workspace", "uri")),
    "sessions": (("format", "native_id"), ("workspace", "format", "native_id")),
    "memory_stores": (("name",), None),
}
_INDEXES: Final = {
    "sessions": (("workspace", "created_at", "id"),),
    "dreams": (("workspace", "created_at", "id"),),
    "memory_stores": (("workspace", "name"), ("workspace", "created_at", "id")),
    "memory_versions": (("store_id", "created_at", "id"),),
}


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    if sqlite:
        before = sa.MetaData()
        before.reflect(op.get_bind(), only=[*_OWNED])
        for table in _OWNED:
            _rebuild(before.tables[table])
    else:
        for table in _OWNED:
            _alter(table)
    for table, indexes in _INDEXES.items():
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    metadata = sa.MetaData(naming_convention=_NAMES)
    for make in (_workspaces, _resources, _sessions, _webhooks):
        make(metadata)
    made = [table for table in metadata.sorted_tables if table.name not in _OWNED]
    metadata.create_all(op.get_bind(), made, checkfirst=False)
    if sqlite:
        _sqlite_triggers()
    else:
        _postgresql_triggers()
        _policies([*_OWNED, *(table.name for table in made)])


# ---------------------------------------------------------------- tables that are there


def _alter(table: str) -> None:
    """PostgreSQL: add the columns; no row is written anew, but where another column gives the value."""
    op.execute(f"ALTER TABLE {table} ADD COLUMN workspace text NOT NULL DEFAULT {_DEFAULT}")
    op.execute(f"ALTER TABLE {table} ALTER COLUMN workspace DROP DEFAULT")  # who forgets it shall be told
    for column, value in _MORE.get(table, {}).items():
        op.execute(f'ALTER TABLE {table} ADD COLUMN "{column}" text')
        if value is not None:
            op.execute(f'UPDATE {table} SET "{column}" = {value}')  # noqa: S608
            op.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" SET NOT NULL')
    if table in _UNIQUE:
        before, after = _UNIQUE[table]
        op.drop_constraint(_unique(table, before), table)
        if after is not None:
            op.create_unique_constraint(_unique(table, after), table, after)
    if table == "memory_versions":
        op.alter_column(table, "path", nullable=True)
    if table == "audit":
        op.drop_constraint("pk_audit", table)
        op.create_primary_key("pk_audit", table, ["workspace", "seq"])


def _rebuild(old: sa.Table) -> None:
    """SQLite: it adds no column that must not be null, nor drops a constraint. So, as its manual says:
    a new table, the rows copied, the old one dropped, the new one renamed (foreign keys are off meanwhile)."""
    table = old.name
    kept = [f'"{column.name}"' for column in old.columns]
    more = {"workspace": _DEFAULT, **_MORE.get(table, {})}
    indexes = list(old.indexes)
    old.indexes.clear()
    _redefine(old, more)
    old.to_metadata(old.metadata, name=f"new_{table}").create(op.get_bind())
    names = ", ".join([*kept, *(f'"{name}"' for name in more)])
    values = ", ".join([*kept, *(value or "NULL" for value in more.values())])
    op.execute(f"INSERT INTO new_{table} ({names}) SELECT {values} FROM {table}")  # noqa: S608
    op.execute(f"DROP TABLE {table}")
    op.execute(f"ALTER TABLE new_{table} RENAME TO {table}")
    for index in indexes:
        op.create_index(index.name, table, [column.name for column in index.columns])


def _redefine(table: sa.Table, more: Mapping[str, str | None]) -> None:
    for name, value in more.items():
        table.append_column(sa.Column(name, sa.Text, nullable=value is None))
    if table.name in _UNIQUE:
        before, after = _UNIQUE[table.name]
        for constraint in [c for c in table.constraints if isinstance(c, sa.UniqueConstraint)]:
            if tuple(constraint.columns.keys()) == before:
                table.constraints.remove(constraint)
        if after is not None:
            table.append_constraint(sa.UniqueConstraint(*after, name=_unique(table.name, after)))
    if table.name == "memory_versions":
        table.columns["path"].nullable = True
    if table.name == "audit":
        table.columns["seq"].primary_key = False  # by itself
        table.append_constraint(sa.PrimaryKeyConstraint("workspace", "seq", name="pk_audit"))


def _unique(table: str, columns: Sequence[str]) -> str:
    return f"uq_{table}_{'_'.join(columns)}"


# ---------------------------------------------------------------- tables that are new


def _text(name: str, *refers: sa.ForeignKey, key: bool = False, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, *refers, primary_key=key, nullable=null)


def _number(
    name: str, kind: type[sa.Integer] = sa.BigInteger, *, key: bool = False, null: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=key, nullable=null, autoincrement=False)


def _workspaces(metadata: sa.MetaData) -> None:
    sa.Table(
        "workspaces",
        metadata,
        _text("id", key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        _text("created_at"),
        _text("archived_at", null=True),
    )
    sa.Table(
        "api_keys",
        metadata,
        _text("id", key=True),
        *(_text(name) for name in ("workspace", "name", "sha256", "scopes", "created_at")),
        *(_text(name, null=True) for name in ("expires_at", "revoked_at", "last_used_at")),
    )
    sa.Table(
        "idempotency",
        metadata,
        *(_text(name, key=True) for name in ("workspace", "route", "key")),
        _text("digest"),
        _text("owner"),
        _number("status", sa.Integer, null=True),
        _text("headers", null=True),
        sa.Column("answer", sa.LargeBinary),
        _text("created_at"),
        _text("held_until"),
        sa.Index(None, "created_at"),
    )


def _resources(metadata: sa.MetaData) -> None:
    sa.Table(
        "resources",
        metadata,
        _text("id", key=True),
        _text("workspace"),
        _text("kind"),
        *(_text(name, null=True) for name in ("parent", "status", "key")),
        _number("version"),
        _text("created_at"),
        _text("updated_at"),
        _text("archived_at", null=True),
        _text("body"),
        sa.UniqueConstraint("workspace", "kind", "key"),
        sa.Index(None, "workspace", "kind", "created_at", "id"),
        sa.Index(None, "workspace", "kind", "parent", "created_at", "id"),
    )
    sa.Table(
        "resource_versions",
        metadata,
        _text("resource_id", sa.ForeignKey("resources.id"), key=True),
        _number("version", key=True),
        *(_text(name) for name in ("workspace", "body", "created_at")),
    )
    sa.Table(
        "secrets",
        metadata,
        _text("owner", key=True),
        _text("name", key=True),
        _text("workspace"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        _text("updated_at"),
    )
    sa.Table(
        "file_chunks",
        metadata,
        _text("file_id", key=True),
        _number("number", sa.Integer, key=True),
        _text("workspace"),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _sessions(metadata: sa.MetaData) -> None:
    sa.Table("sessions", metadata, _text("id", key=True))  # to refer to
    sa.Table(
        "threads",
        metadata,
        _text("id", key=True),
        _text("workspace"),
        _text("session_id", sa.ForeignKey("sessions.id")),
        _text("parent", null=True),
        *(_text(name) for name in ("status", "created_at", "updated_at")),
        _text("archived_at", null=True),
        _text("body"),
        sa.Index(None, "session_id", "created_at", "id"),
    )
    sa.Table(
        "inbox",
        metadata,
        _text("session_id", sa.ForeignKey("sessions.id"), key=True),
        _number("position", key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *(_text(name) for name in ("workspace", "type", "thread", "payload", "created_at")),
    )


def _webhooks(metadata: sa.MetaData) -> None:
    sa.Table(
        "webhook_events",
        metadata,
        _text("id", key=True),
        *(_text(name) for name in ("workspace", "type", "subject", "body", "created_at")),
        _text("handed_out_at", null=True),
        sa.Index(None, "handed_out_at", "created_at"),
    )
    sa.Table(
        "webhook_deliveries",
        metadata,
        _text("id", key=True),
        _text("workspace"),
        _text("webhook_id"),
        _text("event_id", sa.ForeignKey("webhook_events.id")),
        _text("status"),
        _number("attempts", sa.Integer),
        _text("due_at", null=True),
        _text("created_at"),
        _text("settled_at", null=True),
        _text("log"),
        sa.UniqueConstraint("webhook_id", "event_id"),
        sa.Index(None, "due_at"),
        sa.Index(None, "webhook_id", "created_at", "id"),
    )


# ---------------------------------------------------------------- guards

_REDACTED: Final = ("content", "content_sha256", "path")
_UNTOUCHED: Final = (
    "memory_id", "version", "id", "store_id", "operation", "actor", "reason", "proposal_id", "created_at",
    "workspace",
)  # fmt: skip


def _redaction() -> str:
    """True of a change of a memory's version that takes its text and path, says who and when, and no more."""
    return " AND ".join(
        [
            "old.redacted_at IS NULL AND new.redacted_at IS NOT NULL AND new.redacted_by IS NOT NULL",
            *(f"new.{name} IS NULL" for name in _REDACTED),
            *(f"new.{name} IS NOT DISTINCT FROM old.{name}" for name in _UNTOUCHED),
        ]
    )


def _sqlite_triggers() -> None:
    session = "(SELECT deleted_at FROM sessions WHERE id = old.session_id) IS NULL"
    store = "(SELECT deleted_at FROM memory_stores WHERE id = old.store_id) IS NULL"
    redaction = _redaction().replace("IS NOT DISTINCT FROM", "IS")
    for table, verb, unless in (
        ("events", "UPDATE", ""),
        ("events", "DELETE", f"WHEN {session} "),
        ("memory_versions", "UPDATE", f"WHEN NOT ({redaction}) "),
        ("memory_versions", "DELETE", f"WHEN {store} "),
        ("audit", "UPDATE", ""),
        ("audit", "DELETE", ""),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} {unless}"
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    _sqlite_search()


def _sqlite_search() -> None:
    """The triggers on ``memories`` went with the table; the index itself stayed."""
    add = (
        "INSERT INTO memories_search (memory_id, path, content) "
        "SELECT new.id, new.path, new.content WHERE new.content IS NOT NULL;"
    )
    remove = "DELETE FROM memories_search WHERE memory_id = old.id;"
    for verb, body in (("INSERT", add), ("UPDATE", f"{remove} {add}"), ("DELETE", remove)):
        op.execute(f"CREATE TRIGGER memories_search_{verb.lower()} AFTER {verb} ON memories BEGIN {body} END")


def _postgresql_triggers() -> None:
    for table in ("events", "memory_versions"):
        op.execute(f"DROP TRIGGER {table}_refuse ON {table}")
    for table, parent, key in (
        ("events", "sessions", "session_id"),
        ("memory_versions", "memory_stores", "store_id"),
    ):
        deleted = f"(SELECT deleted_at FROM {parent} WHERE id = old.{key}) IS NOT NULL"  # noqa: S608
        op.execute(
            f"CREATE FUNCTION reverie_keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {deleted} THEN RETURN old; END IF; "
            f"RAISE EXCEPTION '{table} is append-only' USING ERRCODE = '23514'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION reverie_keep_{table}()"
        )
    for table, verbs in (("events", "UPDATE OR TRUNCATE"), ("memory_versions", "TRUNCATE")):
        op.execute(
            f"CREATE TRIGGER {table}_refuse BEFORE {verbs} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION reverie_refuse()"
        )
    op.execute(
        "CREATE TRIGGER memory_versions_redact BEFORE UPDATE ON memory_versions FOR EACH ROW "
        f"WHEN (NOT ({_redaction()})) EXECUTE FUNCTION reverie_refuse()"
    )


def _policies(tables: Sequence[str]) -> None:
    """``*`` is for the jobs that look after the whole database. The setting is asked once a statement,
    not once a row: hence the SELECT around it."""
    asked = "(SELECT current_setting('reverie.workspace', true))"
    for table in tables:
        column = "id" if table == "workspaces" else "workspace"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_workspace ON {table} USING ({column} = {asked} OR {asked} = '*')")
