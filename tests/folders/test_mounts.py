"""Memory in a session's folders: what agents write there, what others write meanwhile, and what is in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.folders.rooms import World, contents, kinds

from reverie.domain.errors import Invalid
from reverie.domain.memories import MAX_CONTENT_BYTES, MAX_MEMORIES
from reverie.memory.records import Records


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path, clock: Any, entropy: Callable[[int], bytes]) -> Iterator[World]:
    made = World(sqlite_url, tmp_path / "files", clock, entropy)
    yield made
    made.close()


def test_a_store_is_a_folder_and_what_is_written_there_a_version(world: World) -> None:
    world.write("/style.md", "Use tabs.\n")
    world.write("/deep/er/note.md", "Deep.\n")
    session = world.attached()
    mounted = world.open(session)
    folder = world.memory(session)
    assert contents(folder) == world.texts()
    assert mounted.pull() == [] and not mounted.changed()
    (folder / "style.md").write_text("Use spaces.\n")
    (folder / "new").mkdir()
    (folder / "new" / "idea.md").write_text("An idea.\n")
    (folder / "deep/er/note.md").unlink()
    assert mounted.changed()
    assert mounted.push() == []
    assert world.texts() == {"/new/idea.md": "An idea.\n", "/style.md": "Use spaces.\n"}
    made = [(v.path, v.operation, v.actor) for v in world.history() if v.actor != "person"]
    assert sorted(made) == [
        ("/deep/er/note.md", "deleted", f"session:{session}"),
        ("/new/idea.md", "created", f"session:{session}"),
        ("/style.md", "modified", f"session:{session}"),
    ]
    assert not mounted.changed() and mounted.push() == []


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_day_with_memory_on_either_engine(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, clock: Any, entropy: Callable[[int], bytes]
) -> None:
    world = World(request.getfixturevalue(f"{engine}_url"), tmp_path / "files", clock, entropy)
    world.fill({"/a.md": "one\n\ntwo\n", "/b.md": "b\n", "/c.md": "c\n"})
    session = world.attached()
    mounted = world.open(session)
    folder = world.memory(session)
    (folder / "a.md").write_text("ONE\n\ntwo\n")
    world.write("/a.md", "one\n\nTWO\n")
    (folder / "b.md").rename(folder / "moved.md")
    (folder / "c.md").unlink()
    (folder / "new.md").write_text("new\n")
    (world.outputs(session) / "report.md").write_text("done\n")
    assert mounted.push() == []
    assert world.texts() == {"/a.md": "ONE\n\nTWO\n", "/moved.md": "b\n", "/new.md": "new\n"}
    world.write("/new.md", "newer\n")
    assert mounted.pull() == [] and not mounted.changed()
    assert contents(folder) == world.texts()
    assert world.given(session) == {"report.md": b"done\n"}
    world.close()


def test_what_others_write_comes_with_the_next_pull(world: World) -> None:
    world.fill({"/a.md": "a\n", "/b.md": "b\n"})
    session = world.attached()
    mounted = world.open(session)
    world.write("/a.md", "A\n")
    world.delete("/b.md")
    world.write("/c/d.md", "d\n")
    assert mounted.pull() == []
    assert contents(world.memory(session)) == {"/a.md": "A\n", "/c/d.md": "d\n"}
    assert not mounted.changed()
    world.delete("/c/d.md")
    mounted.pull()
    assert not (world.memory(session) / "c").exists()


def test_two_sessions_share_a_store(world: World) -> None:
    one, two = world.attached(), world.attached()
    first, second = world.open(one), world.open(two)
    (world.memory(one) / "found.md").write_text("It is the cache.\n")
    assert first.push() == []
    assert second.pull() == []
    assert contents(world.memory(two)) == {"/found.md": "It is the cache.\n"}


def test_changes_that_do_not_meet_are_merged(world: World) -> None:
    lines = [f"line {n}\n" for n in range(9)]
    world.write("/a.md", "".join(lines))
    session = world.attached()
    mounted = world.open(session)
    world.write("/a.md", "".join(["FIRST\n", *lines[1:]]))
    (world.memory(session) / "a.md").write_text("".join([*lines[:-1], "LAST\n"]))
    assert mounted.push() == []
    both = "".join(["FIRST\n", *lines[1:-1], "LAST\n"])
    assert world.texts() == contents(world.memory(session)) == {"/a.md": both}


@pytest.mark.parametrize("way", ["push", "pull"])
@pytest.mark.parametrize("theirs", ["theirs\n", None])
def test_of_changes_that_meet_the_stores_stands_and_the_agents_is_put_aside(
    world: World, way: str, theirs: str | None
) -> None:
    world.fill({"/dir/a.md": "base\n", "/other.md": "other\n"})
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "dir/a.md").write_text("mine\n")
    if theirs is None:
        world.delete("/dir/a.md")
    else:
        world.write("/dir/a.md", theirs)
    [trouble] = getattr(mounted, way)()
    assert trouble.kind == "sync_conflict" and trouble.path == "/mnt/memory/notes-lore/dir/a.md"
    assert world.texts() == contents(world.memory(session))
    assert world.texts().get("/dir/a.md") == theirs
    [aside] = [p for p in (world.root(session) / "conflicts").rglob("*") if p.is_file()]
    assert aside.read_text() == "mine\n"
    seen = f"/mnt/session/conflicts/{aside.relative_to(world.root(session) / 'conflicts')}"
    assert seen in trouble.message
    assert seen in world.open(session).briefing
    assert mounted.push() == [] and mounted.pull() == [] and not mounted.changed()


def test_two_new_texts_at_one_path(world: World) -> None:
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "a.md").write_text("mine\n")
    world.write("/a.md", "theirs\n")
    assert kinds(mounted.push()) == ["sync_conflict"]
    assert contents(world.memory(session)) == {"/a.md": "theirs\n"}


def test_what_was_deleted_here_and_changed_there_comes_back(world: World) -> None:
    world.fill({"/a.md": "a\n", "/b.md": "b\n"})
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "a.md").unlink()
    world.write("/a.md", "news\n")
    [trouble] = mounted.push()
    assert trouble.kind == "sync_conflict" and "it is back" in trouble.message
    assert contents(world.memory(session)) == world.texts() == {"/a.md": "news\n", "/b.md": "b\n"}


def test_a_file_that_moves_keeps_its_history(world: World) -> None:
    world.fill({f"/old/{n}.md": f"text {n}\n" for n in range(40)})
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "old").rename(world.memory(session) / "new")
    assert mounted.push() == []
    assert world.texts() == {f"/new/{n}.md": f"text {n}\n" for n in range(40)}
    assert {v.version for v in world.history() if v.path.startswith("/new/")} == {2}


# ---------------------------------------------------------------------- accidents


@pytest.mark.parametrize(("memories", "deleted"), [(2, 2), (5, 5), (12, 9), (100, 26)])
def test_a_folder_that_loses_too_much_at_once_gets_it_back(world: World, memories: int, deleted: int) -> None:
    world.fill({f"/{n:03}.md": f"text {n}\n" for n in range(memories)})
    session = world.attached()
    mounted = world.open(session)
    for n in range(deleted):
        (world.memory(session) / f"{n:03}.md").unlink()
    [trouble] = mounted.push()
    assert trouble.kind == "sync_conflict" and "accident" in trouble.message
    assert len(world.texts()) == memories
    assert contents(world.memory(session)) == world.texts()


@pytest.mark.parametrize(("memories", "deleted"), [(1, 1), (12, 8), (100, 25)])
def test_as_many_as_a_person_would_delete_are_deleted(world: World, memories: int, deleted: int) -> None:
    world.fill({f"/{n:03}.md": f"text {n}\n" for n in range(memories)})
    session = world.attached()
    mounted = world.open(session)
    for n in range(deleted):
        (world.memory(session) / f"{n:03}.md").unlink()
    assert mounted.push() == []
    assert len(world.texts()) == memories - deleted


def test_a_folder_that_is_gone_was_not_emptied_by_anybody(world: World) -> None:
    world.write("/only.md", "text\n")
    session = world.attached()
    world.open(session)
    shutil.rmtree(world.root(session) / "memory")
    assert world.open(session).pull() == []
    assert contents(world.memory(session)) == world.texts() == {"/only.md": "text\n"}


def test_what_is_missing_after_a_power_cut_was_deleted_by_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill({"/a.md": "a\n", "/b.md": "b\n", "/c.md": "c\n"})
    session = world.attached()
    world.open(session)
    (world.memory(session) / "a.md").unlink()
    (world.memory(session) / "b.md").write_text("")
    (world.memory(session) / "c.md").write_text("written before\n")
    monkeypatch.setattr("reverie.folders.memory_mount.boot", lambda: "another")
    mounted = world.open(session)
    assert mounted.pull() == []
    assert world.texts() == {"/a.md": "a\n", "/b.md": "b\n", "/c.md": "written before\n"}
    assert contents(world.memory(session)) == world.texts()
    (world.memory(session) / "a.md").unlink()
    mounted.push()
    assert "/a.md" not in world.texts()


# ---------------------------------------------------------------------- crashes


def test_what_was_written_before_a_kill_is_kept_when_the_session_goes_on(world: World) -> None:
    world.fill({"/a.md": "a\n", "/b.md": "b\n", "/c.md": "c\n"})
    session = world.attached()
    world.open(session)
    (world.memory(session) / "a.md").write_text("mine\n")
    (world.memory(session) / "b.md").unlink()
    (world.memory(session) / "d.md").write_text("new\n")
    world.write("/c.md", "theirs\n")
    again = world.open(session)
    assert again.pull() == []
    expected = {"/a.md": "mine\n", "/c.md": "theirs\n", "/d.md": "new\n"}
    assert world.texts() == contents(world.memory(session)) == expected
    assert len(world.history()) == 3 + 4
    world.open(session)
    assert len(world.history()) == 3 + 4


def test_a_kill_between_the_store_and_what_is_remembered_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("/a.md", "a\n")
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "a.md").write_text("mine\n")
    (world.memory(session) / "b.md").write_text("new\n")
    with monkeypatch.context() as patched:
        patched.setattr("reverie.folders.memory_mount.keep", lambda *_: None)  # killed just before
        mounted.push()
    count = len(world.history())
    assert world.open(session).pull() == []
    assert len(world.history()) == count
    assert contents(world.memory(session)) == world.texts() == {"/a.md": "mine\n", "/b.md": "new\n"}


def test_without_what_is_remembered_nothing_is_lost(world: World) -> None:
    world.write("/a.md", "theirs\n")
    session = world.attached()
    world.open(session)
    shutil.rmtree(world.root(session) / "beside" / "memory")
    (world.memory(session) / "a.md").write_text("mine\n")
    (world.memory(session) / "b.md").write_text("new\n")
    assert kinds(world.open(session).pull()) == ["sync_conflict"]
    assert contents(world.memory(session)) == world.texts() == {"/a.md": "theirs\n", "/b.md": "new\n"}
    aside = [p.read_text() for p in (world.root(session) / "conflicts").rglob("*") if p.is_file()]
    assert aside == ["mine\n"]


# ---------------------------------------------------------------------- in the middle of it


def once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, first: Callable[[], object]) -> None:
    """Something happens before the next call."""
    work, left = getattr(owner, name), [first]

    def call(*args: Any, **more: Any) -> Any:
        if left:
            left.pop()()
        return work(*args, **more)

    monkeypatch.setattr(owner, name, call)


def test_whoever_writes_just_before_a_push_is_not_written_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("/a.md", "a\n")
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "a.md").write_text("mine\n")
    once(monkeypatch, Records, "apply", lambda: world.write("/a.md", "theirs\n"))
    assert kinds(mounted.push()) == ["sync_conflict"]
    assert world.texts() == contents(world.memory(session)) == {"/a.md": "theirs\n"}


def test_what_the_agent_writes_during_a_pull_is_not_written_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("/a.md", "a\n")
    session = world.attached()
    mounted = world.open(session)
    world.write("/a.md", "theirs\n")
    once(monkeypatch, Records, "texts", lambda: (world.memory(session) / "a.md").write_text("mine\n"))
    assert kinds(mounted.pull()) == ["sync_conflict"]
    aside = contents(world.root(session) / "conflicts")
    assert list(aside.values()) == ["mine\n"] and world.texts() == {"/a.md": "theirs\n"}


def test_a_store_that_never_rests_is_left_for_the_next_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "mine.md").write_text("mine\n")
    apply, number = Records.apply, iter(range(100))

    def busy(self: Records, *args: Any, **more: Any) -> Any:
        (world.memory(session) / "mine.md").write_text(f"mine {next(number)}\n")
        return apply(self, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Records, "apply", busy)
        mounted.push()
    assert mounted.changed()
    assert mounted.push() == []
    assert contents(world.memory(session)) == world.texts()


# ---------------------------------------------------------------------- what a store does not take


def test_a_store_that_is_only_read(world: World) -> None:
    world.write("/a.md", "a\n")
    session = world.attached(access="read_only")
    mounted = world.open(session)
    [mount] = [m for m in mounted.spec.mounts if m.inside == "/mnt/memory/notes-lore"]
    assert not mount.writable and "read only" in mounted.briefing
    (world.memory(session) / "a.md").write_text("mine\n")
    assert not mounted.changed() and mounted.push() == []
    world.write("/a.md", "theirs\n")
    mounted.pull()
    assert contents(world.memory(session)) == world.texts() == {"/a.md": "theirs\n"}
    assert {v.actor for v in world.history()} == {"person"}


def test_an_archived_store_says_so_once_and_is_only_read_from_then_on(world: World) -> None:
    world.write("/a.md", "a\n")
    session = world.attached()
    mounted = world.open(session)
    world.house.stores.archive(world.store, actor="person")
    (world.memory(session) / "a.md").write_text("mine\n")
    [trouble] = mounted.push()
    assert trouble.kind == "invalid_memory" and "archived" in trouble.message
    assert mounted.push() == [] and not mounted.changed()
    assert (world.memory(session) / "a.md").read_text() == "mine\n"
    again = world.open(session)
    assert kinds(again.pull()) == ["sync_conflict"]  # it goes aside, and the folder shows the store
    assert all(not m.writable for m in again.spec.mounts if m.inside.startswith("/mnt/memory/"))


def test_a_deleted_store_says_so_once(world: World) -> None:
    world.write("/a.md", "a\n")
    session = world.attached()
    mounted = world.open(session)
    world.house.stores.delete(world.store, actor="person")
    (world.memory(session) / "a.md").write_text("mine\n")
    [trouble] = mounted.push()
    assert trouble.kind == "mount_failed" and "deleted" in trouble.message
    assert (mounted.push(), mounted.pull(), mounted.changed()) == ([], [], False)
    assert (world.memory(session) / "a.md").read_text() == "mine\n"
    assert world.open(session).pull() == []


def test_a_full_store(world: World) -> None:
    world.fill({f"/{n // 100}/{n}.md": f"text {n}\n" for n in range(MAX_MEMORIES - 1)})
    session = world.attached()
    mounted = world.open(session)
    folder = world.memory(session)
    assert contents(folder) == world.texts()
    for n in range(9):
        (folder / f"new {n}.md").write_text("new\n")
    (folder / "0/0.md").write_text("changed\n")
    troubles = mounted.push()
    assert set(kinds(troubles)) == {"store_full"} and len(troubles) == 6
    assert "2,000" in troubles[0].message and "3 more" in troubles[-1].message
    assert len(world.texts()) == MAX_MEMORIES and world.texts()["/0/0.md"] == "changed\n"
    assert sum(path.startswith("/new ") for path in contents(folder)) == 9
    assert not mounted.changed() and mounted.push() == []
    (folder / "0/1.md").unlink()
    (folder / "new 8.md").write_text("now there is room\n")
    assert mounted.push() == []
    assert world.texts()["/new 8.md"] == "now there is room\n"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("big.md", b"x" * (MAX_CONTENT_BYTES + 1), "102,400"),
        ("binary", b"\xff\xfe\x00", "UTF-8"),
        ("nul.md", b"a\x00b", "NUL"),
        ("tab\there.md", b"x", "control"),
        ("new\nline.md", b"x", "control"),
        ("back\\slash.md", b"x", "backslash"),
        ("zero\u200bwidth.md", b"x", "format"),
        ("de\u0301compose.md", b"x", "normal form"),
        (os.fsdecode(b"\xff.md"), b"x", "valid Unicode"),
        ("/".join("d" * 21), b"x", "segments"),
        ("/".join(["x" * 200] * 6), b"x", "1024"),
    ],
)
def test_what_memory_does_not_take_is_told_once_and_stays(
    world: World, name: str, content: bytes, why: str
) -> None:
    world.write("/a.md", "a\n")
    session = world.attached()
    mounted = world.open(session)
    file = world.memory(session) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    (world.memory(session) / "good.md").write_text("good\n")
    [trouble] = mounted.push()
    assert trouble.kind == "invalid_memory" and why in trouble.message, trouble
    assert trouble.message.isprintable() and trouble.path and trouble.path.isprintable()
    assert world.texts() == {"/a.md": "a\n", "/good.md": "good\n"}
    assert file.read_bytes() == content
    assert not mounted.changed() and mounted.push() == []
    assert world.open(session).pull() == []  # whoever goes on does not say it again


def test_memory_keeps_no_secret(world: World) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "a.md").write_text(f"log in with {token}\n")
    assert mounted.push() == []
    assert contents(world.memory(session)) == world.texts()
    assert token not in world.texts()["/a.md"] and "REDACTED" in world.texts()["/a.md"]
    assert not mounted.changed() and len(world.history()) == 1


def test_a_secret_that_was_kept_masked_before_a_kill_makes_no_conflict(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    session = world.attached()
    mounted = world.open(session)
    (world.memory(session) / "a.md").write_text(f"log in with {token}\n")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("reverie.folders.memory_mount.MemoryMount._place", _killed)
        mounted.push()
    assert world.open(session).pull() == []
    assert contents(world.memory(session)) == world.texts()
    assert len(world.history()) == 1


def _killed(*_: object) -> bool:
    raise KeyboardInterrupt


# ---------------------------------------------------------------------- hostile folders


def test_links_are_never_followed(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("root\n")
    (outside / "deep").mkdir()
    (outside / "deep" / "kept.md").write_text("not theirs\n")
    world.fill({"/a.md": "a\n", "/deep/kept.md": "kept\n", "/deep/two.md": "two\n", "/z.md": "z\n"})
    session = world.attached()
    mounted = world.open(session)
    folder = world.memory(session)
    (folder / "stolen.md").symlink_to(outside / "passwd")
    (folder / "a.md").unlink()
    (folder / "a.md").symlink_to(outside / "passwd")
    shutil.rmtree(folder / "deep")
    (folder / "deep").symlink_to(outside / "deep")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    troubles = mounted.push()
    assert set(kinds(troubles)) == {"invalid_memory"} and len(troubles) == 5
    assert all("symbolic link" in t.message or "pipe" in t.message for t in troubles)
    assert world.texts() == {
        "/a.md": "a\n",
        "/deep/kept.md": "kept\n",
        "/deep/two.md": "two\n",
        "/z.md": "z\n",
    }
    world.write("/deep/kept.md", "news\n")
    world.write("/a.md", "news\n")
    world.delete("/deep/two.md")
    assert mounted.pull() == []
    assert (outside / "deep" / "kept.md").read_text() == "not theirs\n"
    assert (outside / "passwd").read_text() == "root\n"
    assert sorted(path.name for path in outside.rglob("*")) == ["deep", "kept.md", "passwd"]
    for link in ("a.md", "deep", "loop", "stolen.md", "pipe"):
        (folder / link).unlink()
    mounted.push()
    assert contents(folder) == world.texts()


def test_folders_within_folders_without_end(world: World) -> None:
    world.write("/a.md", "a\n")
    session = world.attached()
    mounted = world.open(session)
    try:
        _deep(world.memory(session), 1_200)
        assert kinds(mounted.push()) == ["invalid_memory"]
        assert world.texts() == {"/a.md": "a\n"}
        world.mounts().remove(world.house.id, session)
        assert list((world.home / "sessions" / world.house.id).iterdir()) == []
    finally:
        subprocess.run(["rm", "-rf", world.home], check=True)  # pytest's own cleaning up could not


def _deep(folder: Path, levels: int) -> None:
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=handle)
        deeper = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(os.open("bottom.md", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)


def test_paths_that_no_folder_can_hold_together(world: World) -> None:
    world.fill({"/a": "file\n", "/a/b": "below it\n", "/c": "c\n", f"/{'x' * 300}": "long\n"})
    session = world.attached()
    mounted = world.open(session)
    troubles = mounted.pull()
    assert kinds(troubles) == ["mount_failed", "mount_failed"]
    assert contents(world.memory(session)) == {"/a": "file\n", "/c": "c\n"}
    (world.memory(session) / "c").write_text("C\n")
    assert mounted.push() == [] and world.open(session).pull() == []
    assert len(world.texts()) == 4
    world.delete("/a")
    mounted.pull()
    world.write("/a/b", "news\n")
    mounted.pull()
    assert contents(world.memory(session))["/a/b"] == "news\n"


# ---------------------------------------------------------------------- a session's rooms


def test_a_session_without_anything(world: World) -> None:
    session = world.session()
    mounted = world.open(session)
    inside = {mount.inside: mount.writable for mount in mounted.spec.mounts}
    assert inside == {
        "/workspace": True, "/mnt/session/outputs": True, "/mnt/session/uploads": False,
        "/mnt/session/spill": True, "/mnt/session/conflicts": False,
    }  # fmt: skip
    assert all(mount.folder.is_dir() for mount in mounted.spec.mounts)
    assert mounted.spec.home == "/workspace" and mounted.spec.network.everything
    assert (mounted.pull(), mounted.changed(), mounted.push()) == ([], False, [])
    assert "# Memory" not in mounted.briefing and "/mnt/session/outputs" in mounted.briefing


def test_the_network_is_what_the_environment_says(world: World) -> None:
    limited = {"type": "limited", "allowed_hosts": ["example.org"], "allow_mcp_servers": True}
    server = {"name": "docs", "type": "url", "url": "https://mcp.example.com/sse"}
    tools = [{"type": "mcp_toolset", "mcp_server_name": "docs"}]
    asked = {"model": "scripted:any", "name": "a", "mcp_servers": [server], "tools": tools}
    agent = world.house.agents.create(asked).id
    network = world.open(
        world.session(config={"type": "cloud", "networking": limited}, agent=agent)
    ).spec.network
    assert not network.everything and list(network.hosts) == ["example.org", "mcp.example.com"]
    closed = {"type": "cloud", "networking": {"type": "limited"}}
    assert list(world.open(world.session(config=closed)).spec.network.hosts) == []


def test_the_variables_of_vaults_are_injected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from reverie.workspaces import sealing

    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())
    vault = world.house.vaults.create({"display_name": "keys"}).id
    auth = {
        "type": "environment_variable", "secret_name": "API_KEY", "secret_value": "s3cr3t-value",
        "networking": {"type": "limited", "allowed_hosts": ["api.example.org"]},
    }  # fmt: skip
    world.house.credentials.create(vault, {"auth": auth})
    mounted = world.open(world.session(vault_ids=[vault]))
    [injected] = mounted.spec.secrets
    assert (injected.name, injected.value) == ("API_KEY", "s3cr3t-value")
    assert injected.hosts is not None and list(injected.hosts) == ["api.example.org"]
    assert "s3cr3t-value" not in repr(mounted.spec) + mounted.briefing
    monkeypatch.delenv(sealing.KEY_VARIABLE)


def test_a_self_hosted_session_has_its_folders_elsewhere(world: World) -> None:
    world.write("/a.md", "# A title\n\ntext\n")
    session = world.session(
        {"type": "memory_store", "memory_store_id": world.store}, config={"type": "self_hosted"}
    )
    mounted = world.open(session)
    assert list(mounted.spec.mounts) == [] and not world.root(session).exists()
    assert "- a.md: A title" in mounted.briefing
    assert (mounted.pull(), mounted.changed(), mounted.push()) == ([], False, [])


def test_rooms_go_with_their_session_or_after_thirty_days(world: World, clock: Any) -> None:
    from datetime import timedelta

    old, busy, young = world.session(), world.session(), world.session()
    mounts = world.mounts()
    for session in (old, busy):
        world.open(session)
    locked = world.root(old) / "workspace" / "locked"
    locked.mkdir()
    (locked / "file").write_text("x")
    locked.chmod(0)
    clock.now += timedelta(days=20)
    world.open(young)
    world.open(old)  # looking at it makes it no younger
    assert mounts.sweep(world.house.id) == []
    clock.now += timedelta(days=11)
    assert mounts.sweep(world.house.id, busy=lambda id: id == busy) == [old]
    assert {p.name for p in (world.home / "sessions" / world.house.id).iterdir()} == {busy, young}
    mounts.remove(world.house.id, young)
    mounts.remove(world.house.id, young)
    assert not world.root(young).exists() and world.root(busy).exists()
    for bad in ("../x", "", ".", "a/b"):
        with pytest.raises(Invalid):
            mounts.remove(world.house.id, bad)
