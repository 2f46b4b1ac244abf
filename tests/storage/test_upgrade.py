"""A database of the first schema, with a life behind it, opened by this program: nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, NullPool, create_engine, text

from reverie.app import Reverie
from reverie.storage import migrations
from reverie.storage.database import Database

AT = "2026-03-01T09:00:0{}.000000Z"


@pytest.fixture(params=["sqlite", "postgresql"])
def first_schema(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database as revision 0001 made it, with two memories in it, one of them deleted."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/old.db"
    else:
        server: str = request.getfixturevalue("postgresql_server")
        with psycopg.connect(server.replace("+psycopg", "").format("postgres"), autocommit=True) as conn:
            conn.execute("DROP DATABASE IF EXISTS reverie_old")
            conn.execute("CREATE DATABASE reverie_old")
        url = server.format("reverie_old")
    engine = create_engine(url, poolclass=NullPool)
    make(engine)
    yield url


def make(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.execute(
            text(f"INSERT INTO memory_stores VALUES ('memstore_a', 'default', '', '{AT.format(0)}')")
        )
        row = "INSERT INTO memories VALUES (:id, 'memstore_a', :path, :content, :sha, :version_id, :version, :at)"
        for id, path, content, version in (("mem_1", "/a", "two", 2), ("mem_2", "/b", None, 2)):
            sha = None if content is None else sha256(content.encode()).hexdigest()
            said = {"id": id, "path": path, "content": content, "sha": sha, "version": version}
            conn.execute(text(row), {**said, "version_id": f"memver_{id}_{version}", "at": AT.format(5)})
        for memory, number, what, content in (
            ("mem_1", 1, "created", "one"), ("mem_1", 2, "modified", "two"),
            ("mem_2", 1, "created", "gone"), ("mem_2", 2, "deleted", None),
        ):  # fmt: skip
            conn.execute(
                text(
                    "INSERT INTO memory_versions (memory_id, version, id, store_id, path, operation, content, "
                    "content_sha256, actor, created_at) VALUES (:m, :n, :id, 'memstore_a', :path, :what, :c, :sha, 'ana', :at)"
                ),
                {
                    "m": memory, "n": number, "id": f"memver_{memory}_{number}", "path": "/" + "ab"[memory == "mem_2"],
                    "what": what, "c": content, "at": AT.format(number),
                    "sha": None if content is None else sha256(content.encode()).hexdigest(),
                },
            )  # fmt: skip


def test_memory_is_all_there_and_does_what_is_new(first_schema: str) -> None:
    with Reverie(Database.open(first_schema), entropy=random.Random(1).randbytes) as house:
        assert house.verify().problem is None
        (store,) = house.stores.list()
        assert (store.id, store.name, store.archived_at, dict(store.metadata)) == (
            "memstore_a",
            "default",
            None,
            {},
        )
        assert store.updated_at == store.created_at
        (kept,) = house.memories.page(store.id)
        assert not isinstance(kept, str) and (kept.path, kept.content) == ("/a", "two")
        assert kept.created_at is not None and kept.created_at.second == 1  # that of its first version
        assert [v.version for v in house.memory.versions("default", "/b")] == [1, 2]
        assert [hit.path for hit in house.memory.search("default", "two")] == ["/a"]
        moved = house.memories.update(store.id, "mem_1", path="/b", content="three words", actor="ana")
        assert moved.path == "/b"  # where one was deleted
        assert [hit.path for hit in house.memory.search("default", "words")] == ["/b"]
        house.memories.redact(store.id, "memver_mem_2_1", actor="ana")
        house.stores.create("default", actor="ana")  # a name may be given twice
        house.stores.delete(store.id, actor="ana")
        assert house.verify().problem is None
