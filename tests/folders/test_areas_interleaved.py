"""Two specialists and their lead do whatever they like, and processes are killed: no work of anybody is lost."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.folders.yards import Yard, tree

from reverie.domain.areas import MergeReport

PATHS: Final = ("a", "b", "d", "d/x", "d/e/y", "d/e", "g/z")
BASE: Final = {"a": 9, "b": 9, "d/x": 9, "d/e/y": 9, "g/z": 9, "g/left": 9, "alone": 9}
SIDES: Final = ("session", "one", "two")

paths = st.sampled_from(PATHS)
deeds = st.one_of(
    st.tuples(st.just("line"), paths, st.integers(0, 8)),
    st.tuples(st.just("line"), paths, st.integers(0, 8)),
    st.tuples(st.just("whole"), paths),
    st.tuples(st.just("delete"), paths),
    st.tuples(st.just("folder_"), paths),
    st.tuples(st.just("link"), paths),
    st.tuples(st.just("mode"), paths, st.sampled_from([0o600, 0o644, 0o755])),
)
scripts = st.lists(st.tuples(st.sampled_from(SIDES), deeds), max_size=12)


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def fuse(after: int) -> Iterator[None]:
    """The process is killed before or after one of the calls that change a disk."""
    left = itertools.count(after, -1)

    def burning(work: Callable[..., Any]) -> Callable[..., Any]:
        def burn(*args: Any, **more: Any) -> Any:
            if next(left) == 0:
                raise Killed
            result = work(*args, **more)
            if next(left) == 0:
                raise Killed
            return result

        return burn

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "symlink", "utime"):
            patch.setattr(os, name, burning(getattr(os, name)))
        yield


class Story:
    """A session and two areas of it, and what everybody wrote into it: words that nobody else writes."""

    def __init__(self, root: Path) -> None:
        self.yard = Yard(root)
        self.words: dict[str, set[str]] = {side: set() for side in SIDES}
        self._numbers = itertools.count()
        for name, lines in BASE.items():
            path = self.yard.rooms.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{name} {number}\n" for number in range(lines)))
        for side in SIDES[1:]:
            self.yard.fork(side).pull()

    def folder(self, side: str) -> Path:
        return self.yard.rooms.workspace if side == "session" else self.yard.area(side) / "workspace"

    def play(self, script: list[tuple[str, Any]]) -> None:
        for side, deed in script:
            with suppress(FileNotFoundError, NotADirectoryError, FileExistsError):
                getattr(self, deed[0])(side, self.folder(side) / deed[1], *deed[2:])

    def line(self, side: str, path: Path, number: int) -> None:
        """Change one line; all others stay."""
        if path.is_file() and not path.is_symlink():
            lines = path.read_text().splitlines(keepends=True)
            if number < len(lines):
                lines[number] = self._word(side) + "\n"
                path.write_text("".join(lines))

    def whole(self, side: str, path: Path) -> None:
        """Another text."""
        if not path.is_dir() and not path.is_symlink():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._word(side) + "\n")

    def delete(self, side: str, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def folder_(self, side: str, path: Path) -> None:
        path.mkdir(parents=True)

    def link(self, side: str, path: Path) -> None:
        self.delete(side, path)
        path.symlink_to(self._word(side))

    def mode(self, side: str, path: Path, mode: int) -> None:
        if path.is_file() and not path.is_symlink():
            path.chmod(mode)

    def standing(self, side: str) -> set[str]:
        """The words of a side that it has itself."""
        return {word for word in words(self.folder(side)) if word.startswith(f"{side}-")}

    def kept(self) -> set[str]:
        return words(self.yard.rooms.workspace) | words(self.yard.rooms.conflicts)

    def _word(self, side: str) -> str:
        return f"{side}-{next(self._numbers)}"


def words(folder: Path) -> set[str]:
    texts = (str(what) for _, what in tree(folder).values())
    return {word for text in texts for word in re.findall(r"\w+-\d+", text)}


def outcome(yard: Yard) -> Any:
    """What a story comes to. Permissions of folders apart, which are as they were made."""
    return [tree(folder) for folder in (yard.rooms.workspace, yard.rooms.conflicts)]


def merged(yard: Yard, side: str) -> MergeReport:
    return yard.merge(side, "mark")


@given(scripts)
@settings(max_examples=30)
def test_nothing_that_anybody_wrote_is_lost(script: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as root:
        story = Story(Path(root) / "s")
        story.play(script)
        wanted = set[str]().union(*(story.standing(side) for side in SIDES))
        before = tree(story.folder("session"))
        changed = {path for side in SIDES[1:] for path in _differing(before, tree(story.folder(side)))}

        reports = [story.yard.merge(side) for side in SIDES[1:]]

        assert wanted <= story.kept()
        after = tree(story.folder("session"))
        assert {name for name in before if name not in changed and before[name] != after.get(name)} == set()
        for report in reports:
            for each in report.conflicts:
                where = each.kept_at and each.kept_at.removeprefix("/mnt/session/conflicts/")
                assert where is None or os.path.lexists(story.yard.rooms.conflicts / where)
        for side in SIDES[1:]:  # and all have the same, where nothing was left in an area alone
            story.yard.fork(side).pull()
            assert tree(story.folder(side)) == after


@given(scripts, scripts)
@settings(max_examples=12)
def test_nothing_is_lost_by_those_who_go_on(
    first: list[tuple[str, Any]], then: list[tuple[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        story = Story(Path(root) / "s")
        story.play(first)
        story.yard.merge("one")
        story.yard.fork("two").pull()
        for side in SIDES:  # what was unmerged is there still
            assert story.standing(side) <= story.kept() | words(story.folder("two"))
        before = set[str]().union(*(words(story.folder(side)) for side in ("session", "one")))
        story.play(then)
        wanted = set[str]().union(*(story.standing(side) for side in SIDES)) - before
        for side in SIDES[1:]:
            story.yard.merge(side)
        assert {word for word in wanted if word not in story.kept()} == set()


@given(scripts, st.integers(0, 120))
@settings(max_examples=40)
@example([("one", ("delete", "d")), ("one", ("whole", "d")), ("two", ("line", "d/x", 3))], 9)
def test_a_merge_that_was_killed_comes_to_the_same(script: list[tuple[str, Any]], after: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        story = Story(Path(root) / "s")
        story.play(script)
        shutil.copytree(Path(root) / "s", Path(root) / "t", symlinks=True)
        reports = [merged(story.yard, side) for side in SIDES[1:]]

        with suppress(Killed), fuse(after):
            for side in SIDES[1:]:
                merged(Yard(Path(root) / "t"), side)
        again = Yard(Path(root) / "t")

        assert [merged(again, side) for side in SIDES[1:]] == reports
        assert outcome(again) == outcome(story.yard)


RICH: Final[Any] = [
    ("one", ("line", "a", 1)), ("two", ("line", "a", 7)), ("session", ("line", "b", 2)), ("one", ("line", "b", 2)),
    ("one", ("delete", "d")), ("one", ("whole", "d")), ("two", ("line", "d/e/y", 3)), ("two", ("delete", "g")),
    ("two", ("link", "d/x")), ("session", ("mode", "b", 0o755)), ("one", ("delete", "g/z")), ("one", ("link", "g/z")),
]  # fmt: skip
"""Something of everything: merged, taken, deleted, clashing, a file for a folder, links."""


def test_a_merge_may_be_killed_at_each_step(tmp_path: Path) -> None:
    story = Story(tmp_path / "start")
    story.play(RICH)
    wanted: Any = None
    for after in itertools.count(-1):
        root = tmp_path / str(after)
        shutil.copytree(tmp_path / "start", root, symlinks=True)
        killed = False
        try:
            with fuse(after):
                for side in SIDES[1:]:
                    merged(Yard(root), side)
        except Killed:
            killed = True
        again = Yard(root)
        found = [merged(again, side) for side in SIDES[1:]], outcome(again)
        wanted = wanted or found
        assert found == wanted, after
        if after >= 0 and not killed:
            break
    assert all([wanted[0][0].taken, wanted[0][1].deleted, wanted[0][1].merged, wanted[0][0].conflicts])
    assert after > 60


@given(scripts, st.integers(0, 60))
@settings(max_examples=15)
def test_a_refresh_that_was_killed_comes_to_the_same(script: list[tuple[str, Any]], after: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        story = Story(Path(root) / "s")
        story.play(script)
        story.yard.merge("one")
        with suppress(Killed), fuse(after):
            story.yard.fork("two").pull()
        wanted = set[str]().union(*(story.standing(side) for side in SIDES))
        again = Yard(Path(root) / "s")
        again.fork("two").pull()
        again.merge("two")
        assert wanted <= story.kept()


def test_a_fork_that_was_killed_anywhere_is_made_again(tmp_path: Path) -> None:
    for after in range(40):
        yard = Yard(tmp_path / str(after))
        (yard.rooms.workspace / "d" / "e").mkdir(parents=True)
        (yard.rooms.workspace / "d" / "x").write_text("1")
        with suppress(Killed), fuse(after):
            yard.fork("a").pull()
        again = Yard(tmp_path / str(after))
        again.fork("a").pull()
        assert tree(again.area("a") / "workspace") == tree(yard.rooms.workspace)
        assert again.merge("a") == MergeReport([], [], [], [])


def _differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}
