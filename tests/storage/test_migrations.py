"""The migrations make what ``tables.py`` says, on both engines, and the quick check tells the truth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from reverie.storage import migrations, tables
from reverie.storage.database import Connection, Database


def test_the_migrated_schema_is_the_one_in_tables(db: Database) -> None:
    def ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        # Search is each engine's own (a virtual table, an index over an expression), and not in tables.py.
        return not (name or "").startswith(("memories_search", migrations.VERSION_TABLE))

    def differences(conn: Connection) -> list[object]:
        options = {"include_object": ours, "compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(conn, opts=options), tables.metadata)

    assert db.write(differences) == []


def test_every_append_only_table_has_its_trigger(db: Database) -> None:
    sqlite = "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%refuse%'"
    postgresql = "SELECT DISTINCT event_object_table FROM information_schema.triggers WHERE trigger_name <> 'sessions_tell'"
    with db.read() as conn:
        found = set(conn.execute(text(sqlite if db.dialect == "sqlite" else postgresql)).scalars())
    assert found == set(tables.APPEND_ONLY)


def test_the_named_revisions_are_the_ones_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == migrations.REVISIONS


def test_an_up_to_date_database_opens_without_alembic(sqlite_url: str) -> None:
    program = """
import sys
from reverie.storage.database import Database
Database.open(sys.argv[1]).close()
assert not [name for name in sys.modules if name.startswith("alembic")]
"""
    subprocess.run([sys.executable, "-c", program, sqlite_url], check=True, timeout=60)


def test_a_half_made_database_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "reverie.db"
    path.write_bytes(b"")  # somebody was killed after making the file
    with Database.open(path) as db, db.read() as conn:
        assert set(tables.metadata.tables) <= set(inspect(conn).get_table_names())


def test_search_follows_the_memories(db: Database) -> None:
    def fill(conn: Connection) -> None:
        store = "(id, name, description, created_at, workspace, updated_at, metadata)"
        conn.execute(
            text(f"INSERT INTO memory_stores {store} VALUES ('s', 's', '', '', 'wrkspc_default', '', '{{}}')")
        )
        columns = "(id, store_id, path, content, version_id, version, updated_at, workspace, created_at)"
        row = f"INSERT INTO memories {columns} VALUES (:id, 's', :path, :content, '', 1, '', 'wrkspc_default', '')"
        conn.execute(text(row), {"id": "m1", "path": "/aws/s3-upload.md", "content": "Split large files."})
        conn.execute(text(row), {"id": "m2", "path": "/b.md", "content": "Nothing of the kind."})

    def found(words: str) -> list[str]:
        sqlite = "SELECT memory_id FROM memories_search WHERE memories_search MATCH :words"
        postgresql = (
            "SELECT id FROM memories WHERE reverie_words(path, content) @@ plainto_tsquery('simple', :words)"
        )
        with db.read() as conn:
            query = text(sqlite if db.dialect == "sqlite" else postgresql)
            return sorted(conn.execute(query, {"words": words}).scalars())

    db.write(fill)
    assert found("large") == ["m1"]
    assert found("upload") == ["m1"]  # a word of the path
    db.write(
        lambda conn: conn.execute(text("UPDATE memories SET content = 'Small.' WHERE id = 'm1'")).rowcount
    )
    assert found("large") == []
    assert found("small") == ["m1"]
    db.write(lambda conn: conn.execute(text("UPDATE memories SET content = NULL WHERE id = 'm1'")).rowcount)
    assert found("small") == []
