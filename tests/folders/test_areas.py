"""Areas of specialists: their own copies, which come together again without anything being lost."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.folders.rooms import World
from tests.folders.yards import Yard, plant, tree

from reverie.domain.areas import MergeReport
from reverie.domain.errors import DiskFull, Invalid, NotFound, TooLarge
from reverie.folders import areas as rooms_of_areas
from reverie.folders import entries
from reverie.folders.places import HOME, OUTPUTS, SPILL, UPLOADS

LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path / "session")


def forked(yard: Yard, name: str = "a") -> Path:
    """The workspace of an area that was made."""
    yard.fork(name).pull()
    return yard.area(name) / "workspace"


# ------------------------------------------------------------------ forking


def test_an_area_is_a_copy_at_the_same_places(yard: Yard) -> None:
    work = yard.rooms.workspace
    plant(work, a="1", src__b="2")
    (work / "run").write_text("#!/bin/sh\n")
    (work / "run").chmod(0o755)
    (work / "empty").mkdir(mode=0o750)
    (work / "away").symlink_to("/etc/passwd")
    (work / "loop").symlink_to(".")
    os.mkfifo(work / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(work / "sock"))
    listening.close()
    plant(yard.rooms.outputs, report="r")

    area = yard.fork("a")
    assert not yard.area("a").exists()  # nothing yet
    area.pull()

    (work / "pipe").unlink()
    (work / "sock").unlink()
    assert tree(yard.area("a") / "workspace") == tree(work)
    assert (yard.area("a") / "workspace" / "away").is_symlink()
    assert tree(yard.area("a") / "outputs") == tree(yard.rooms.outputs)
    places = {mount.inside: mount.folder for mount in area.spec.mounts}
    assert places[HOME] == yard.area("a") / "workspace"
    assert places[OUTPUTS] == yard.area("a") / "outputs"
    shared = {mount.inside: mount for mount in yard.spec.mounts if mount.inside not in (HOME, OUTPUTS)}
    assert all(places[inside] == mount.folder for inside, mount in shared.items())
    assert area.spec.id != yard.spec.id
    assert area.spec.secrets == yard.spec.secrets
    assert area.briefing.startswith("All of it.")
    assert "merged" in area.briefing


def test_times_of_files_are_kept_for_those_who_build(yard: Yard) -> None:
    plant(yard.rooms.workspace, a="1")
    os.utime(yard.rooms.workspace / "a", ns=(1_000, 2_000_000_123))
    assert (forked(yard) / "a").stat().st_mtime_ns == 2_000_000_123


def test_what_is_written_in_place_changes_one_side_only(yard: Yard) -> None:
    plant(yard.rooms.workspace, a="1")
    mine = forked(yard)
    with (mine / "a").open("r+") as file:
        file.write("2")
    assert (yard.rooms.workspace / "a").read_text() == "1"


def test_an_area_is_found_as_it_was(yard: Yard) -> None:
    mine = forked(yard)
    plant(mine, mine="x")
    assert forked(Yard(yard.rooms.root)) == mine
    assert tree(mine) == {"mine": ("0o644", "x")}


def test_an_area_that_was_made_half_is_made_again(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(yard.rooms.workspace, a="1", b="2")

    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rooms_of_areas, "keep", full)
        with pytest.raises(DiskFull):
            yard.fork("a").pull()
    assert not yard.area("a").exists()
    assert not list(yard.rooms.beside.glob("*.tmp"))
    assert tree(forked(yard)) == tree(yard.rooms.workspace)


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_BYTES", "MAX_LEVELS"])
def test_what_is_too_large_is_not_copied(yard: Yard, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(yard.rooms.workspace, a="1", d__e__f="2", b="3")
    monkeypatch.setattr(entries, limit, 1)
    with pytest.raises(TooLarge, match="not copied"):
        yard.fork("a").pull()
    with pytest.raises(TooLarge):
        yard.copy("c")
    assert not yard.area("a").exists()


@pytest.mark.parametrize("name", ["", "..", "a/b", "a.b", "a" * 65, "ä"])
def test_a_name_leads_nowhere_else(yard: Yard, name: str) -> None:
    for use in (yard.fork, yard.merge, yard.copy, yard.discard):
        with pytest.raises(Invalid, match="name"):
            use(name)


# ------------------------------------------------------------------ merging


def test_what_only_the_area_changed_is_taken_over(yard: Yard) -> None:
    work = yard.rooms.workspace
    plant(work, changed="1", gone="2", same="3", d__e__f="4")
    mine = forked(yard)
    plant(mine, changed="new", gone=None, new__x="5", d__e__f=None)
    (mine / "d" / "e").rmdir()
    (mine / "same").chmod(0o755)
    (mine / "hollow").mkdir()
    (mine / "away").symlink_to("/etc")
    plant(yard.area("a") / "outputs", report="r")

    report = yard.merge("a")

    assert sorted(report.taken) == [
        f"{OUTPUTS}/report",
        *(f"{HOME}/{name}" for name in ("away", "changed", "new/x", "same")),
    ]
    assert sorted(report.deleted) == [f"{HOME}/d/e/f", f"{HOME}/gone"]
    assert not report.merged
    assert not report.conflicts
    assert tree(work) == tree(mine)
    assert yard.merge("a") == MergeReport([], [], [], [])


def test_what_others_changed_stays_and_comes_with_the_next_turn(yard: Yard) -> None:
    work = yard.rooms.workspace
    plant(work, a="1", b="2", c="3")
    mine = forked(yard)
    plant(work, a="theirs", b=None, d__e="4")
    plant(mine, c="mine")

    report = yard.merge("a")

    assert report.taken == [f"{HOME}/c"]
    assert tree(work) == {
        "a": ("0o644", "theirs"), "c": ("0o644", "mine"), "d": ("folder", None), "d/e": ("0o644", "4"),
    }  # fmt: skip
    yard.fork("a").pull()
    assert tree(mine) == tree(work)


def test_changes_in_different_lines_go_together(yard: Yard) -> None:
    plant(yard.rooms.workspace, a=LINES)
    first, second = forked(yard, "a"), forked(yard, "b")
    plant(first, a=LINES.replace("two", "TWO"))
    plant(second, a=LINES.replace("six", "SIX"))
    (second / "a").chmod(0o755)
    assert yard.merge("a").taken == [f"{HOME}/a"]
    assert yard.merge("b") == MergeReport([], [f"{HOME}/a"], [], [])
    both = LINES.replace("two", "TWO").replace("six", "SIX")
    assert tree(yard.rooms.workspace) == tree(second) == {"a": ("0o755", both)}


def test_changes_that_meet_are_a_conflict(yard: Yard) -> None:
    plant(yard.rooms.workspace, a=LINES, deleted="1", changed="2")
    first, second = forked(yard, "a"), forked(yard, "b")
    plant(first, a=LINES.replace("two", "FIRST"), deleted="x", changed=None, new="first")
    plant(second, a=LINES.replace("two", "SECOND"), deleted=None, changed="y", new="second")
    yard.merge("a")
    stands = tree(yard.rooms.workspace)

    report = yard.merge("b")

    assert tree(yard.rooms.workspace) == stands == tree(second)
    told = {each.path: each.kept_at for each in report.conflicts}
    aside = "/mnt/session/conflicts/@b/workspace"
    assert told == {
        f"{HOME}/a": f"{aside}/a", f"{HOME}/new": f"{aside}/new",
        f"{HOME}/changed": f"{aside}/changed", f"{HOME}/deleted": None,
    }  # fmt: skip
    assert not (report.taken or report.merged or report.deleted)
    kept = yard.rooms.conflicts / "@b" / "workspace"
    assert {name: what for name, (_, what) in tree(kept).items()} == {
        "a": LINES.replace("two", "SECOND"), "new": "second", "changed": "y",
    }  # fmt: skip
    assert not yard.merge("b").conflicts  # told once


def test_a_second_conflict_at_a_path_writes_over_nothing(yard: Yard) -> None:
    plant(yard.rooms.workspace, a="0")
    mine = forked(yard)
    kept = set[str]()
    for number in range(3):
        plant(mine, a=f"mine {number}")
        plant(yard.rooms.workspace, a=f"theirs {number}")
        (told,) = yard.merge("a").conflicts
        assert told.kept_at is not None
        kept.add(told.kept_at)
    assert len(kept) == 3
    texts = {what for _, what in tree(yard.rooms.conflicts).values()}
    assert {"mine 0", "mine 1", "mine 2"} <= texts


def test_bytes_are_not_merged_by_line(yard: Yard) -> None:
    base = bytes(range(256)) * 4
    (yard.rooms.workspace / "b").write_bytes(base)
    mine = forked(yard)
    (mine / "b").write_bytes(b"x" + base)
    (yard.rooms.workspace / "b").write_bytes(base + b"y")
    assert [each.path for each in yard.merge("a").conflicts] == [f"{HOME}/b"]
    assert (yard.rooms.workspace / "b").read_bytes() == base + b"y"


def test_a_folder_in_the_place_of_a_file_and_the_other_way_round(yard: Yard) -> None:
    plant(yard.rooms.workspace, file="1", d__x="2", d__y="3", taken__z="4")
    mine = forked(yard)
    plant(mine, file=None, d__x=None, d__y=None, taken__z=None)
    (mine / "d").rmdir()
    (mine / "taken").rmdir()
    plant(mine, file__within="5", d="6", taken="7")
    plant(yard.rooms.workspace, taken__new="8")

    report = yard.merge("a")

    assert [each.path for each in report.conflicts] == [f"{HOME}/taken"]
    assert (yard.rooms.conflicts / "@a" / "workspace" / "taken").read_text() == "7"
    assert (yard.rooms.workspace / "taken" / "new").read_text() == "8"
    assert (yard.rooms.workspace / "file" / "within").read_text() == "5"
    assert (yard.rooms.workspace / "d").read_text() == "6"


def test_a_specialist_goes_on_where_it_was(yard: Yard) -> None:
    plant(yard.rooms.workspace, a=LINES, b="1")
    mine = forked(yard)
    plant(mine, a=LINES.replace("two", "TWO"))
    yard.merge("a")
    plant(yard.rooms.workspace, b="others", a=LINES.replace("two", "TWO").replace("six", "SIX"))
    plant(mine, unmerged="u")
    yard.fork("a").pull()
    assert {name: what for name, (_, what) in tree(mine).items()} == {
        "a": LINES.replace("two", "TWO").replace("six", "SIX"), "b": "others", "unmerged": "u",
    }  # fmt: skip
    plant(mine, a=(mine / "a").read_text().replace("four", "FOUR"))
    assert sorted(yard.merge("a").taken) == [f"{HOME}/a", f"{HOME}/unmerged"]


def test_news_do_not_come_over_unmerged_work(yard: Yard) -> None:
    plant(yard.rooms.workspace, a="0")
    mine = forked(yard)
    plant(mine, a="mine")
    plant(yard.rooms.workspace, a="theirs")
    yard.fork("a").pull()
    assert (mine / "a").read_text() == "mine"
    assert [each.path for each in yard.merge("a").conflicts] == [f"{HOME}/a"]


def test_a_report_is_given_again_for_the_same_mark(yard: Yard) -> None:
    plant(yard.rooms.workspace, a="0")
    mine = forked(yard)
    plant(mine, a="mine", b="new")
    plant(yard.rooms.workspace, a="theirs")
    report = yard.merge("a", "turn 1")
    assert Yard(yard.rooms.root).merge("a", "turn 1") == report
    assert yard.merge("a", "turn 2") == MergeReport([], [], [], [])


def test_files_that_a_power_cut_took_were_not_deleted(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(yard.rooms.workspace, gone="1", hollow="2", work="3")
    mine = forked(yard)
    plant(mine, gone=None, hollow="", work="mine")
    monkeypatch.setattr("reverie.folders.pair.boot", lambda: "another")
    assert yard.merge("a").taken == [f"{HOME}/work"]
    assert {name: what for name, (_, what) in tree(yard.rooms.workspace).items()} == {
        "gone": "1", "hollow": "2", "work": "mine",
    }  # fmt: skip


def test_names_that_are_no_text_are_merged_too(yard: Yard) -> None:
    odd = os.fsdecode(b"caf\xe9 \n\x01")
    (yard.rooms.workspace / odd).write_text("1")
    mine = forked(yard)
    (mine / odd).write_text("2")
    (mine / "link").symlink_to(odd)
    (mine / "grüße").write_text("3")
    report = yard.merge("a")
    assert report.taken == [rf"{HOME}/caf\udce9 \n\x01", f"{HOME}/grüße", f"{HOME}/link"]
    assert (yard.rooms.workspace / "link").readlink() == Path(odd)
    assert not yard.merge("a").taken


def test_areas_of_areas_come_up_step_by_step(yard: Yard) -> None:
    plant(yard.rooms.workspace, a="0")
    lead = yard.fork("lead")
    sub = lead.fork("sub")
    sub.pull()
    work = {mount.inside: mount.folder for mount in sub.spec.mounts}[HOME]
    plant(work, b="deep")
    assert lead.merge("sub").taken == [f"{HOME}/b"]
    assert not (yard.rooms.workspace / "b").exists()
    assert yard.merge("lead").taken == [f"{HOME}/b"]
    assert (yard.rooms.workspace / "b").read_text() == "deep"
    yard.discard("lead")
    assert list(yard.rooms.areas.iterdir()) == []


# ------------------------------------------------------------------ repositories


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, **files: str) -> str:
    plant(folder, **files)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def test_a_repository_is_in_the_state_of_one_and_has_the_objects_of_all(yard: Yard) -> None:
    work = yard.rooms.workspace
    git(work, "init", "-q", "-b", "main")
    commit(work, a="0", b="0")
    first, second = forked(yard, "a"), forked(yard, "b")
    one, two = commit(first, a="1"), commit(second, b="2")

    assert not yard.merge("a").conflicts
    assert git(work, "rev-parse", "HEAD") == one
    assert git(work, "status", "--short") == ""
    report = yard.merge("b")

    assert f"{HOME}/b" in report.taken
    assert f"{HOME}/.git/refs/heads/main" in [each.path for each in report.conflicts]
    assert git(work, "fsck", "--strict") == f"dangling commit {two}"
    assert git(work, "rev-parse", "HEAD") == one
    assert git(work, "show", f"{two}:b") == "2"
    assert git(work, "status", "--short") == "M b"


def test_the_state_of_a_repository_is_taken_whole_or_not_at_all(yard: Yard) -> None:
    work = yard.rooms.workspace
    git(work, "init", "-q", "-b", "main")
    start = commit(work, a="0", b="0")
    mine = forked(yard)
    theirs = commit(mine, a="1")
    plant(work, b="staged")
    git(work, "add", "b")

    report = yard.merge("a")

    assert git(work, "rev-parse", "HEAD") == start  # not the area's, with the index of somebody else
    assert git(work, "diff", "--cached", "--name-only") == "b"
    assert git(work, "show", f"{theirs}:a") == "1"
    assert f"{HOME}/a" in report.taken
    assert {each.path for each in report.conflicts} >= {f"{HOME}/.git/index", f"{HOME}/.git/refs/heads/main"}


# ------------------------------------------------------------------ who does not play by the rules


def test_a_link_in_the_place_of_a_folder_leads_nowhere(yard: Yard, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    plant(outside, x="secret", y="theirs")
    plant(yard.rooms.workspace, d__x="1", e__x="1", f__x="1")
    mine = forked(yard)
    plant(mine, d__x=None, e__x="mine", e__y="new", f__x="mine")
    (mine / "d").rmdir()
    (mine / "d").symlink_to(outside)  # the area's
    plant(yard.rooms.workspace, e__x=None)
    (yard.rooms.workspace / "e").rmdir()
    (yard.rooms.workspace / "e").symlink_to(outside)  # the session's

    report = yard.merge("a")

    assert tree(outside) == {"x": ("0o644", "secret"), "y": ("0o644", "theirs")}
    assert (yard.rooms.workspace / "d").is_symlink()
    assert {f"{HOME}/e/x", f"{HOME}/e/y"} == {each.path for each in report.conflicts}
    texts = [what for _, what in tree(yard.rooms.conflicts).values()]
    assert "secret" not in texts
    assert sorted(what for what in texts if what) == ["mine", "new"]


@pytest.mark.parametrize("side", ["area", "session"])
def test_a_folder_is_swapped_for_a_link_while_it_is_merged(
    yard: Yard, tmp_path: Path, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    plant(outside, x="secret")
    plant(yard.rooms.workspace, d__x="1")
    mine = forked(yard)
    plant(mine, d__x="mine")
    folder = (mine if side == "area" else yard.rooms.workspace) / "d"
    real = rooms_of_areas.Join.run

    def swapped(self: object, mark: str) -> MergeReport:
        folder.rename(folder.with_name("moved"))
        folder.symlink_to(outside)
        return real(self, mark)  # type: ignore[arg-type]

    monkeypatch.setattr(rooms_of_areas.Join, "run", swapped)
    yard.merge("a")
    assert tree(outside) == {"x": ("0o644", "secret")}
    for root in (yard.rooms.workspace, yard.rooms.conflicts):
        for where, _, files in os.walk(root):
            assert all("secret" not in (Path(where) / name).read_text() for name in files)


def test_who_writes_meanwhile_is_not_written_over(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(yard.rooms.workspace, a="0")
    mine = forked(yard)
    plant(mine, a="mine")
    real = rooms_of_areas.Join._carry

    def busy(self: object, name: str, mark: str) -> object:
        plant(yard.rooms.workspace, a="theirs, just now")
        return real(self, name, mark)  # type: ignore[arg-type]

    monkeypatch.setattr(rooms_of_areas.Join, "_carry", busy)
    report = yard.merge("a")
    assert (yard.rooms.workspace / "a").read_text() == "theirs, just now"
    assert [each.path for each in report.conflicts] == [f"{HOME}/a"]
    assert (yard.rooms.conflicts / "@a" / "workspace" / "a").read_text() == "mine"


# ------------------------------------------------------------------ copies


def test_a_copy_has_the_work_and_nothing_else(yard: Yard) -> None:
    plant(yard.rooms.workspace, a="1")
    plant(yard.rooms.outputs, report="r", sub__page="pp")
    (yard.rooms.outputs / "link").symlink_to("/etc/passwd")
    copy = yard.copy("grader")
    places = {mount.inside: mount for mount in copy.spec.mounts}
    assert set(places) == {HOME, OUTPUTS, UPLOADS, SPILL}
    assert not places[UPLOADS].writable
    assert all(mount.folder != places[mount.inside].folder for mount in yard.spec.mounts[:2])
    assert places[SPILL].folder != yard.rooms.spill
    assert places[SPILL].folder.is_dir()
    assert not (
        copy.spec.secrets or copy.spec.variables or copy.spec.network.hosts or copy.spec.network.everything
    )
    assert copy.files() == [("report", 1), ("sub/page", 2)]
    assert copy.read("sub/page", 10) == b"pp"
    assert copy.read("report", 0) == b""
    for name in ("link", "none", "../workspace/a", "sub", ""):
        with pytest.raises(NotFound):
            copy.read(name, 10)
    plant(places[HOME].folder, a="changed", b="new")
    assert not copy.changed()
    assert copy.push() == []
    assert tree(yard.rooms.workspace) == {"a": ("0o644", "1")}


def test_a_copy_has_the_network_of_the_session_where_that_is_asked_for(yard: Yard) -> None:
    assert yard.copy("grader", network=True).spec.network == yard.spec.network


def test_a_copy_is_made_anew_and_goes(yard: Yard) -> None:
    first = yard.copy("grader")
    plant(first.outputs, forged="x")
    again = yard.copy("grader")
    assert again.outputs == first.outputs
    assert again.files() == []
    yard.discard("grader")
    yard.discard("grader")
    assert not again.outputs.exists()


# ------------------------------------------------------------------ in a house


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path, clock: Any, entropy: Callable[[int], bytes]) -> Iterator[World]:
    made = World(sqlite_url, tmp_path / "files", clock, entropy)
    yield made
    made.close()


def test_a_specialist_shares_memory_and_hands_over_by_merging(world: World) -> None:
    session = world.attached()
    mounted = world.open(session)
    area = mounted.fork("a")
    world.write("/before.md", "from the store")
    assert area.pull() == []
    assert (world.memory(session) / "before.md").read_text() == "from the store"
    plant(world.memory(session), note="from the area")
    assert area.changed()
    assert area.push() == []
    assert world.texts()["/note"] == "from the area"
    plant(world.root(session) / "areas" / "a" / "outputs", report="r")
    assert area.push() == []
    assert world.given(session) == {}
    assert mounted.merge("a").taken == [f"{OUTPUTS}/report"]
    assert mounted.changed()
    assert mounted.push() == []
    assert world.given(session) == {"report": b"r"}
    assert "notes-lore" not in str(mounted.copy("grader").spec.mounts)


def test_a_copy_that_was_left_over_goes_and_an_area_stays(world: World) -> None:
    session = world.attached()
    mounted = world.open(session)
    mounted.fork("a").pull()
    left = mounted.copy("grader").outputs
    world.open(session)
    assert not left.exists()
    assert (world.root(session) / "areas" / "a").is_dir()
    world.mounts().remove(world.house.id, session)
    assert not world.root(session).exists()


def test_what_was_not_merged_is_told_of_apart_from_memory(world: World) -> None:
    session = world.attached()
    mounted = world.open(session)
    mounted.fork("a").pull()
    plant(world.root(session) / "areas" / "a" / "workspace", x="mine")
    plant(world.root(session) / "workspace", x="theirs")
    assert mounted.merge("a").conflicts
    told = world.open(session).briefing
    assert "/mnt/session/conflicts/@a/workspace/x" in told
    assert "memory did not take" not in told


def test_a_session_whose_worker_is_elsewhere_has_nothing_to_fork(world: World) -> None:
    session = world.session(config={"type": "self_hosted"})
    mounted = world.open(session)
    area = mounted.fork("a")
    assert area.pull() == []
    assert area.briefing == mounted.briefing
    assert mounted.merge("a") == MergeReport()
    assert not world.root(session).exists()
