"""Sync on a real disk: the folder target, links, permissions, changes in between, crashes half-way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.memory.texts import BOOKING, HAND, MEMORIES, UPLOADS, a_memory

from reverie.domain.errors import Conflict, NotFound, UsageError
from reverie.domain.memories import Memory
from reverie.memory import documents, files
from reverie.memory.export import SyncPlan, Target, apply, plan_sync
from reverie.memory.folder import INDEX, MANIFEST, digest, file_names, plan_dir, render_dir


def sync(target: Target, path: Path, memories: list[Memory], *, force: bool = False) -> SyncPlan:
    plan = plan_sync(target, path, memories, force=force)
    apply(plan)
    return plan


def tree(root: Path) -> dict[str, bytes | None]:
    """Every file with its bytes, every folder with None."""
    return {str(p.relative_to(root)): None if p.is_dir() else p.read_bytes() for p in sorted(root.rglob("*"))}


def actions(plan: SyncPlan) -> dict[str, str]:
    return {change.path: change.action for change in plan.changes if change.action != "unchanged"}


# ---------------------------------------------------------------------- AGENTS.md


def test_a_plan_changes_nothing_and_shows_everything(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("# Mine\n")
    plan = plan_sync("agents-md", tmp_path, MEMORIES)
    assert (tmp_path / "AGENTS.md").read_text() == "# Mine\n"
    assert not plan.in_sync
    assert "+- Split files over 50 MB before uploading." in plan.diff and "-# Mine" not in plan.diff
    shown = json.loads(json.dumps(plan.as_dict()))
    assert shown["changes"][0]["action"] == "update" and shown["changes"][0]["diff"] == plan.diff


@pytest.mark.parametrize("before", [None, b"", b"# Mine", b"\xef\xbb\xbf# Mine\r\n", b"latin: \xe9\r\n\r\n"])
def test_agents_md_there_and_back(tmp_path: Path, before: bytes | None) -> None:
    file = tmp_path / "AGENTS.md"
    if before is not None:
        file.write_bytes(before)
    sync("agents-md", file, MEMORIES)
    assert file.read_bytes().startswith(before or b"<!-- reverie:begin")
    assert plan_sync("agents-md", file, MEMORIES).in_sync
    assert not plan_sync("agents-md", file, [HAND]).in_sync
    sync("agents-md", file, [])
    assert (file.read_bytes() if file.exists() else None) == before
    assert [p.name for p in tmp_path.iterdir()] == ([] if before is None else ["AGENTS.md"])


@pytest.mark.parametrize("content", ["# Mine\n".encode("utf-16"), b"a\0b"])
def test_what_is_not_utf8_text_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "AGENTS.md").write_bytes(content)
    plan = sync("agents-md", tmp_path, MEMORIES)
    assert plan.refused[0].why == "is not UTF-8 text"
    assert (tmp_path / "AGENTS.md").read_bytes() == content


def test_an_edited_block_is_refused_with_the_difference(tmp_path: Path) -> None:
    file = tmp_path / "AGENTS.md"
    sync("agents-md", file, MEMORIES)
    edited = file.read_text().replace("50 MB", "60 MB")
    file.write_text(edited)
    plan = sync("agents-md", file, MEMORIES)
    assert "by hand" in (plan.refused[0].why or "") and not plan.in_sync
    assert "-- Split files over 60 MB" in plan.diff and "+- Split files over 50 MB" in plan.diff
    assert file.read_text() == edited
    sync("agents-md", file, MEMORIES, force=True)
    assert "50 MB" in file.read_text()


def test_the_mode_of_a_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "AGENTS.md"
    file.write_text("mine\n")
    file.chmod(0o640)
    sync("agents-md", file, MEMORIES)
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_file_beside_it_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "CLAUDE.md").write_text("mine\n")
    (tmp_path / "AGENTS.md").symlink_to("CLAUDE.md")
    sync("agents-md", tmp_path, MEMORIES)
    assert (tmp_path / "AGENTS.md").is_symlink()
    assert (tmp_path / "CLAUDE.md").read_text().startswith("mine\n\n<!-- reverie:begin")


@pytest.mark.parametrize("target", ["../outside.md", "nowhere.md", "AGENTS.md", ".git/config"])
def test_a_link_out_of_the_folder_or_to_nowhere_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "outside.md").write_text("precious\n")
    folder = tmp_path / "repo"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text("[core]\n")
    (folder / "AGENTS.md").symlink_to(target)
    with pytest.raises(UsageError, match="symbolic link"):
        plan_sync("agents-md", folder / "AGENTS.md", MEMORIES)
    assert (tmp_path / "outside.md").read_text() == "precious\n"


def test_a_folder_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    for target in ("agents-md", "dir"):
        with pytest.raises(NotFound):
            plan_sync(target, tmp_path / "typo" / "x", MEMORIES)
    with pytest.raises(UsageError, match="no target"):
        plan_sync("skills", tmp_path, MEMORIES)  # type: ignore[arg-type]


def test_a_file_that_changed_after_the_plan_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "AGENTS.md"
    file.write_text("mine\n")
    plan = plan_sync("agents-md", file, MEMORIES)
    file.write_text("mine, changed\n")
    with pytest.raises(Conflict, match="meanwhile"):
        apply(plan)
    assert file.read_text() == "mine, changed\n"


def test_when_writing_fails_the_old_file_is_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "AGENTS.md"
    file.write_text("mine\n")
    plan = plan_sync("agents-md", file, MEMORIES)

    def fails(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fails)
    with pytest.raises(files.DiskFull):
        apply(plan)
    assert tree(tmp_path) == {"AGENTS.md": b"mine\n"}


# ---------------------------------------------------------------------- a folder


def test_one_file_for_each_memory_an_index_and_a_manifest(tmp_path: Path) -> None:
    root = tmp_path / "memory"
    sync("dir", root, MEMORIES)
    assert set(tree(root)) == {
        MANIFEST,
        INDEX,
        "notes",
        "notes/uploads.md",
        "playbooks",
        "playbooks/booking.md",
        "rules",
        "rules/style.md",
    }
    document = documents.parse((root / "notes/uploads.md").read_text())
    assert document.extra["memory"] == "/notes/uploads.md" and document.extra["version"] == 1
    assert "verify" in document.extra["note"] and document.evidence == {"sessions": 12}
    assert document.body == documents.parse(UPLOADS.content).body
    index = (root / INDEX).read_text()
    assert "- [/notes/uploads.md](<notes/uploads.md>): before uploading files\n" in index
    assert "verify" in index.splitlines()[2]


def test_syncing_again_does_nothing_and_check_sees_drift(tmp_path: Path) -> None:
    sync("dir", tmp_path, MEMORIES)
    before = tree(tmp_path)
    plan = sync("dir", tmp_path, MEMORIES)
    assert plan.in_sync and tree(tmp_path) == before
    (tmp_path / "rules/style.md").unlink()
    assert actions(plan_sync("dir", tmp_path, MEMORIES)) == {"rules/style.md": "create"}
    assert actions(plan_sync("dir", tmp_path, [HAND, UPLOADS])) == {
        MANIFEST: "update",
        INDEX: "update",
        "playbooks/booking.md": "delete",
        "rules/style.md": "create",
    }


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_there_and_back(tmp_path: Path, there: bool) -> None:
    root = tmp_path / "memory"
    if there:
        (root / "notes").mkdir(parents=True)
        (root / "notes" / "mine.md").write_text("mine")
        (root / "rules").mkdir()
    before = tree(tmp_path)
    sync("dir", root, MEMORIES)
    sync("dir", root, [BOOKING])
    assert (root / "rules").exists() == there  # an empty folder of others stays, one of ours goes
    sync("dir", root, [])
    assert tree(tmp_path) == before


def test_foreign_files_are_reported_and_never_touched(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "style.md").write_text("mine")
    (tmp_path / INDEX).write_text("my index")
    for force in (False, True):
        plan = sync("dir", tmp_path, MEMORIES, force=force)
        assert {c.path: c.why for c in plan.refused} == {
            INDEX: "was not written by Reverie",
            "rules/style.md": "was not written by Reverie",
        }
        assert not plan.in_sync
        assert (tmp_path / "rules/style.md").read_text() == "mine"
    sync("dir", tmp_path, [], force=True)
    assert tree(tmp_path) == {INDEX: b"my index", "rules": None, "rules/style.md": b"mine"}


def test_files_edited_by_hand_stay_until_force(tmp_path: Path) -> None:
    sync("dir", tmp_path, MEMORIES)
    edited = tmp_path / "rules/style.md"
    edited.write_text("my own words")
    for memories in (MEMORIES, [UPLOADS], []):  # kept, retired, removed altogether
        plan = sync("dir", tmp_path, memories)
        assert [c.why for c in plan.refused] == ["was edited by hand (--force overwrites it)"]
        assert edited.read_text() == "my own words"
    assert set(tree(tmp_path)) == {MANIFEST, "rules", "rules/style.md"}
    sync("dir", tmp_path, [], force=True)
    assert tree(tmp_path) == {}


def test_a_planted_manifest_does_not_make_a_file_ours(tmp_path: Path) -> None:
    content = b"# The project\n"
    (tmp_path / "README.md").write_bytes(content)
    planted = {"files": {"README.md": [digest(content)], INDEX: [digest(content)]}, "folders": ["."]}
    (tmp_path / MANIFEST).write_text(json.dumps(planted))
    (tmp_path / INDEX).write_bytes(content)
    plan = sync("dir", tmp_path, MEMORIES)
    assert {c.path for c in plan.refused} == {"README.md", INDEX}
    assert (tmp_path / "README.md").read_bytes() == (tmp_path / INDEX).read_bytes() == content


def test_links_and_odd_things_in_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.md").write_text("precious")
    root = tmp_path / "memory"
    root.mkdir()
    (root / "notes").symlink_to(outside)  # a folder that leads out
    (root / "rules").mkdir()
    (root / "rules" / "style.md").symlink_to(outside / "precious.md")
    (root / "playbooks").write_text("a file where a folder should be")
    plan = sync("dir", root, MEMORIES)
    assert {c.path for c in plan.refused} == {"notes/uploads.md", "playbooks/booking.md", "rules/style.md"}
    assert tree(outside) == {"precious.md": b"precious"}
    assert {p.name for p in root.iterdir()} == {INDEX, MANIFEST, "notes", "playbooks", "rules"}


def test_a_folder_that_becomes_a_link_after_the_plan_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "memory", tmp_path / "outside"
    (root / "notes").mkdir(parents=True)
    outside.mkdir()
    plan = plan_sync("dir", root, [UPLOADS])
    (root / "notes").rmdir()
    (root / "notes").symlink_to(outside)
    with pytest.raises(Conflict, match="became a link"):
        apply(plan)
    assert tree(outside) == {}


@pytest.mark.parametrize(
    "manifest",
    [
        "not json",
        "[]",
        '{"version": 2}',
        '{"files": {"../outside.md": ["x"]}}',
        '{"files": {"/etc/outside.md": ["x"]}}',
        '{"files": {"a/../../outside.md": ["x"]}}',
        '{"files": {"a\\\\..\\\\outside.md": ["x"]}}',
        '{"files": {".git/config.md": ["x"]}}',
        '{"files": {"src/main.py": ["x"]}}',
        '{"folders": ["../outside"]}',
        '{"files": {"": ["x"]}}',
        "[" * 100_000,
    ],
)
def test_a_manifest_that_somebody_made_up_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(Conflict, match="cannot be trusted"):
        plan_sync("dir", tmp_path, [])


@pytest.mark.parametrize("memories", [[UPLOADS, a_memory("/rules/style.md", "New words.\n", 2)], []])
def test_a_sync_that_was_killed_anywhere_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memories: list[Memory]
) -> None:
    """Killed before its first change on disk, before its second, and so on, until it gets through."""
    expected = tmp_path / "expected"
    expected.mkdir()
    sync("dir", expected, memories)
    for allowed in range(30):
        root = tmp_path / f"killed-{allowed}"
        root.mkdir()
        sync("dir", root, MEMORIES)
        plan = plan_sync("dir", root, memories)
        with monkeypatch.context() as patch:
            killed = _killed_after(patch, allowed, lambda plan=plan: apply(plan))
        assert sync("dir", root, memories).refused == ()
        assert tree(root) == tree(expected)
        if not killed:
            return
    raise AssertionError("it never got through")


def _killed_after(patch: pytest.MonkeyPatch, allowed: int, run: Callable[[], None]) -> bool:
    """Runs with the ``allowed + 1``-th rename or removal dying; whether it came to that."""
    left = allowed

    class Killed(BaseException):
        pass

    def guarded(name: str) -> None:
        real = getattr(Path, name)

        def dying(self: Path, *args: object, **options: object) -> object:
            nonlocal left
            if self.name.endswith(".tmp") and name == "unlink":
                return real(self, *args, **options)
            left -= 1
            if left < 0:
                raise Killed
            return real(self, *args, **options)

        patch.setattr(Path, name, dying)

    for name in ("replace", "unlink", "rmdir"):
        guarded(name)
    try:
        run()
    except Killed:
        return True
    return False


# ---------------------------------------------------------------------- names


SEGMENT = st.text(st.sampled_from("aAbé.\u0065\u0301ß<:*? -_~%$\u202e中"), min_size=1, max_size=8).filter(
    lambda s: s not in (".", "..")
)
PATHS = st.lists(
    st.lists(
        SEGMENT | st.sampled_from(["CON", "nul.md", "a.md", "INDEX.md", ".git", "x" * 200]),
        min_size=1,
        max_size=3,
    ),
    max_size=6,
    unique_by=tuple,
)


@settings(max_examples=300)
@given(PATHS)
def test_names_are_harmless_and_apart_on_every_file_system(segments: list[list[str]]) -> None:
    names = file_names("/" + "/".join(path) for path in segments)
    folded = [name.casefold() for name in [*names.values(), INDEX]]
    assert len(set(folded)) == len(folded)
    for name in names.values():
        *folders, last = name.split("/")
        assert last.endswith(".md") and not any(f.casefold().endswith(".md") for f in folders)
        for part in (*folders, last):
            assert not set(part) & set('<>:"|?*\\') and part.isprintable()
            assert part[0] not in ". " and part[-1] not in ". " and len(part.encode()) < 143
            assert part.split(".")[0].casefold() not in ("con", "nul")


def test_plain_names_stay_as_they_are() -> None:
    paths = ["/notes/uploads.md", "/notes/Ärger und Maß.md", "/a.b/c"]
    assert list(file_names(paths).values()) == ["notes/uploads.md", "notes/Ärger und Maß.md", "a.b/c.md"]


def test_a_name_depends_on_the_path_alone_unless_two_are_alike() -> None:
    assert file_names(["/Notes/a", "/other"])["/Notes/a"] == file_names(["/Notes/a"])["/Notes/a"]
    alike = file_names(["/Notes/a", "/notes/A.md"])
    assert alike["/Notes/a"].startswith("Notes/a-") and alike["/notes/A.md"].startswith("notes/A-")


@settings(max_examples=60)
@given(PATHS)
def test_any_store_can_be_put_into_a_folder_and_taken_out(segments: list[list[str]]) -> None:
    memories = [a_memory("/" + "/".join(path), f"text {n}\n") for n, path in enumerate(segments)]
    wanted = render_dir(memories)
    assert len(wanted) == (len(memories) + 1 if memories else 0)
    assert all(change.action == "create" for change in plan_dir({}, memories))
    assert all(change.action == "unchanged" for change in plan_dir(dict(wanted), memories))


def test_files_are_readable_by_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        sync("dir", tmp_path / "m", MEMORIES)
    finally:
        os.umask(old)
    assert (tmp_path / "m" / INDEX).stat().st_mode & 0o777 == 0o640
