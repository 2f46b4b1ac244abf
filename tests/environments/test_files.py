"""A sandbox's files from outside: what is found, what is refused, and that nothing leads out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import SandboxFailed
from reverie.environments import beneath
from reverie.environments.files import Files
from reverie.plugins import Mount

SECRET = b"the secret"


class Room:
    """A workspace, a memory and a read-only folder of uploads, and a secret beside them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.memory, self.uploads = folder / "home", folder / "memory", folder / "uploads"
        for made in (self.home, self.memory, self.uploads):
            made.mkdir()
        self.secret = folder / "secret.txt"
        self.secret.write_bytes(SECRET)
        (self.uploads / "plan.txt").write_text("the plan")
        self.files = Files(
            [
                Mount(self.home, "/workspace"),
                Mount(self.memory, "/mnt/memory/notes"),
                Mount(self.uploads, "/mnt/session/uploads", writable=False),
            ],
            "/workspace",
        )


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_what_is_written_is_read(room: Room) -> None:
    room.files.write("deep/er/a.txt", b"0123456789")
    assert room.files.read("/workspace/deep/er/a.txt") == b"0123456789"
    assert room.files.read("deep/../deep/./er//a.txt", offset=3, limit=4) == b"3456"
    assert room.files.read("deep/er/a.txt", offset=100) == b""
    assert [p.name for p in (room.home / "deep" / "er").iterdir()] == ["a.txt"]


def test_facts(room: Room) -> None:
    room.files.write("a.txt", b"abc")
    (room.home / "l").symlink_to("a.txt")
    os.mkfifo(room.home / "pipe")
    facts = room.files.facts("a.txt")
    assert (facts.kind, facts.size, facts.path) == ("file", 3, "a.txt")
    assert facts.mtime == (room.home / "a.txt").stat().st_mtime
    assert [room.files.facts(p).kind for p in ("l", ".", "/", "/mnt", "/mnt/memory/notes", "pipe")] == [
        "file",
        "folder",
        "folder",
        "folder",
        "folder",
        "other",
    ]


def test_a_walk_is_in_order_and_does_not_follow_links(room: Room) -> None:
    for path in ("b/y", "b/x", "a", "c"):
        room.files.write(path, b"")
    (room.home / "d").symlink_to("b")
    walked = [(f.path, f.kind) for f in room.files.walk("/workspace")]
    assert walked == [
        ("/workspace/a", "file"),
        ("/workspace/b", "folder"),
        ("/workspace/b/x", "file"),
        ("/workspace/b/y", "file"),
        ("/workspace/c", "file"),
        ("/workspace/d", "link"),
    ]
    assert [f.path for f in room.files.walk("b/", limit=1)] == ["b/x"]
    with pytest.raises(NotADirectoryError):
        list(room.files.walk("a"))


def test_a_walk_from_above_finds_the_mounts(room: Room) -> None:
    assert [f.path for f in room.files.walk("/")] == [
        "/mnt",
        "/mnt/memory",
        "/mnt/memory/notes",
        "/mnt/session",
        "/mnt/session/uploads",
        "/mnt/session/uploads/plan.txt",
        "/workspace",
    ]


def test_links_may_lead_into_another_mount(room: Room) -> None:
    (room.home / "notes").symlink_to("/mnt/memory/notes")
    (room.home / "up").symlink_to("../mnt/session/uploads/plan.txt")
    room.files.write("notes/today.md", b"sunny")
    assert (room.memory / "today.md").read_bytes() == b"sunny"
    assert room.files.read("notes/today.md") == b"sunny"
    assert room.files.read("up") == b"the plan"


def test_a_link_is_written_through(room: Room) -> None:
    (room.home / "link").symlink_to("real")
    room.files.write("link", b"x")
    assert (room.home / "real").read_bytes() == b"x"
    assert (room.home / "link").is_symlink()


ESCAPES = ["l", "l/x", "../secret.txt", "/etc/passwd", "/../etc/passwd", "d/secret.txt", "loop", "dangling", "/", "a\0b", "\ud800"]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_what_leads_out_is_not_there(room: Room, path: str) -> None:
    (room.home / "l").symlink_to(room.secret)
    (room.home / "d").symlink_to("..")
    (room.home / "loop").symlink_to("loop")
    (room.home / "dangling").symlink_to("/nowhere/at/all")
    for attempt in (
        room.files.read,
        lambda p: room.files.write(p, b"no"),
        lambda p: list(room.files.walk(p)),
    ):
        if path == "/" and attempt not in (room.files.read,):
            continue
        with pytest.raises(OSError) as refused:
            attempt(path)
        assert isinstance(
            refused.value, FileNotFoundError | IsADirectoryError | NotADirectoryError | PermissionError
        )
    assert room.secret.read_bytes() == SECRET


def test_magic_links_lead_nowhere(room: Room) -> None:
    (room.home / "fd").symlink_to("/proc/self/cwd/etc/passwd")
    with pytest.raises(FileNotFoundError):
        room.files.read("fd")


def test_read_only_mounts_are_not_written(room: Room) -> None:
    for change in (
        lambda: room.files.write("/mnt/session/uploads/plan.txt", b""),
        lambda: room.files.write("/mnt/session/uploads/new/x", b""),
        lambda: room.files.delete("/mnt/session/uploads/plan.txt"),
        lambda: room.files.write("/mnt/new", b""),
    ):
        with pytest.raises(PermissionError):
            change()
    assert room.files.read("/mnt/session/uploads/plan.txt") == b"the plan"


def test_what_is_no_file_is_refused_and_never_waited_for(room: Room) -> None:
    os.mkfifo(room.home / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(room.home / "sock"))
        for path in ("pipe", "sock"):
            with pytest.raises(OSError):
                room.files.read(path)
            with pytest.raises(OSError):
                room.files.write(path, b"x")
    for change in (room.files.read, lambda p: room.files.write(p, b"")):
        with pytest.raises(IsADirectoryError):
            change("/workspace")


def test_a_huge_file_is_read_in_parts(room: Room, tmp_path: Path) -> None:
    small = Files([Mount(room.home, "/workspace")], "/workspace", largest=1000)
    (room.home / "big").touch()
    os.truncate(room.home / "big", 1 << 40)
    with pytest.raises(OSError, match="too large"):
        small.read("big")
    assert small.read("big", offset=1 << 39, limit=5) == bytes(5)


def test_deleting(room: Room) -> None:
    room.files.write("a/b/c", b"")
    (room.home / "out").symlink_to(room.secret.parent)
    (room.home / "a" / "out").symlink_to(room.secret.parent)
    room.files.delete("out")
    room.files.delete("a")
    assert list(room.home.iterdir()) == []
    assert room.secret.read_bytes() == SECRET
    with pytest.raises(FileNotFoundError):
        room.files.delete("a")
    for mount in ("/workspace", "/mnt", "/"):
        with pytest.raises(OSError, match="busy"):
            room.files.delete(mount)


def test_the_mode_stays_and_a_failed_write_leaves_nothing(room: Room) -> None:
    room.files.write("run.sh", b"old")
    (room.home / "run.sh").chmod(0o755)
    room.files.write("run.sh", b"new")
    assert (room.home / "run.sh").stat().st_mode & 0o777 == 0o755
    (room.home / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        room.files.write("folder", b"")
    assert sorted(p.name for p in room.home.iterdir()) == ["folder", "run.sh"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may write everywhere, and give files away")
def test_what_is_written_belongs_to_the_owner(room: Room) -> None:
    Files([Mount(room.home, "/w")], "/w", (65534, 65534)).write("a/b", b"")
    owners = [(p.stat().st_uid, p.stat().st_gid) for p in (room.home / "a", room.home / "a" / "b")]
    assert owners == [(65534, 65534)] * 2


def test_mounts_must_make_sense(tmp_path: Path) -> None:
    for inside, home in (("workspace", "/workspace"), ("/a/../b", "/b"), ("/a", "/b")):
        with pytest.raises(SandboxFailed):
            Files([Mount(tmp_path, inside)], home)


NAMES = st.sampled_from(["a", "b", "..", ".", "", "up", "abs", "etc", "workspace"])


@given(st.lists(NAMES, max_size=6), st.booleans())
@settings(max_examples=150)
def test_no_path_leads_out(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: bool
) -> None:
    room = Room(tmp_path_factory.mktemp("room"))
    (room.home / "a").mkdir()
    (room.home / "a" / "up").symlink_to("../..")
    (room.home / "abs").symlink_to("/")
    (room.home / "b").symlink_to(room.secret.parent)
    path = "/".join(parts)
    with suppress(OSError):
        room.files.write(f"/{path}" if absolute else path, b"written")
    assert room.secret.read_bytes() == SECRET
    assert sorted(p.name for p in room.secret.parent.iterdir()) == ["home", "memory", "secret.txt", "uploads"]


SWAPPER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.chdir(sys.argv[1])
print("ready", flush=True)
while True:  # RENAME_EXCHANGE: at each instant one of them is there
    libc.renameat2(-100, b"a", -100, b"b", 2)
"""


@contextmanager
def swapped(home: Path, secret_folder: Path) -> Iterator[None]:
    """Meanwhile ``a`` is in turns a folder and a link that leads out."""
    (home / "a").mkdir()
    (home / "a" / "secret.txt").write_bytes(b"harmless")
    (home / "b").symlink_to(secret_folder)
    attacker = subprocess.Popen([sys.executable, "-IS", "-c", SWAPPER, str(home)], stdout=subprocess.PIPE)
    try:
        assert attacker.stdout is not None
        attacker.stdout.readline()
        yield
    finally:
        attacker.kill()
        attacker.communicate()


def naive_read(home: Path, path: str) -> bytes:
    """What everybody writes first."""
    real = os.path.realpath(home / path)
    if not real.startswith(f"{home}/"):
        raise FileNotFoundError(path)
    with open(home / path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("tries", [4_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_the_race_for_a_link_is_not_won(room: Room, tries: int) -> None:
    leaks, refused, read = 0, 0, 0
    with swapped(room.home, room.secret.parent):
        for _ in range(tries):
            try:
                leaks += room.files.read("a/secret.txt") == SECRET
                read += 1
            except OSError:
                refused += 1
            with suppress(OSError):
                room.files.write("a/new.txt", b"x")
    assert leaks == 0
    assert read > 0
    assert not (room.secret.parent / "new.txt").exists()


def test_control_the_race_is_won_against_a_check_before_opening(room: Room) -> None:
    with swapped(room.home, room.secret.parent):
        for _ in range(200_000):
            with suppress(OSError):
                if naive_read(room.home, "a/secret.txt") == SECRET:
                    return
    pytest.fail("the attacker never wins: the test above shows nothing")


def test_several_threads_write_one_file(room: Room) -> None:
    contents = [bytes([n]) * 100_000 for n in range(4)]

    def write(content: bytes) -> None:
        for _ in range(20):
            room.files.write("shared", content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        with suppress(FileNotFoundError):
            seen.add(room.files.read("shared"))
    assert seen <= set(contents)


def test_this_machine_opens_beneath() -> None:
    assert beneath.obstacle() is None
