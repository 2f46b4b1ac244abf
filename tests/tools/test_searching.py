"""glob and grep: what is found, in which order, how much of it, and what they do not hang on."""

from __future__ import annotations

import asyncio
import itertools
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tools.conftest import Calling, text_of
from tests.tools.rooms import Room, surroundings

from reverie.plugins import Surroundings
from reverie.tools.answers import Told
from reverie.tools.patterns import glob_matcher, glob_root
from reverie.tools.searching import MOST_PATHS, PATIENCE_S, Glob, Grep
from reverie.tools.spilling import MOST

GLOB, GREP = Glob(), Grep()


@pytest.fixture
def tree(room: Room) -> Room:
    """A few files, each a second older than the one before."""
    names = [
        "a.py",
        "src/b.py",
        "src/deep/c.ts",
        "src/deep/d.tsx",
        ".hidden/e.py",
        "node_modules/x/f.py",
        ".git/g.py",
    ]
    for age, name in enumerate(names):
        (room.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (room.folder / name).write_text(f"def f():\n    return {age}\n# end\n")
        os.utime(room.folder / name, (1_000_000 - age, 1_000_000 - age))
    return room


# ------------------------------------------------------------------ glob


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.py", "a.py src/b.py .hidden/e.py"),
        ("*.py", "a.py"),
        ("src/**/*.{ts,tsx}", "src/deep/c.ts src/deep/d.tsx"),
        ("src/*", "src/deep/ src/b.py"),
        ("**/[a-b].py", "a.py src/b.py"),
        ("**/[!a].py", "src/b.py .hidden/e.py"),
        ("**/node_modules/**/*.py", "node_modules/x/f.py"),
        ("./src/../src/*.py", "a pattern is relative and has no `..`: name the folder in `path`."),
        ("*.rs", "no matches"),
        ("[a", "a bracket is open at the end of the pattern."),
        ("{a", "a brace is open at the end of the pattern."),
        ("a}", "no matches"),
    ],
)
def test_the_newest_come_first(call: Calling, tree: Room, pattern: str, found: str) -> None:
    os.utime(tree.folder / "src/deep")
    told = text_of(call(GLOB, pattern=pattern))
    assert told.replace("\n", " ") == found


def test_a_folder_is_searched(call: Calling, tree: Room) -> None:
    assert text_of(call(GLOB, pattern="*.py", path="src")) == "src/b.py"
    assert text_of(call(GLOB, pattern=f"{tree.folder}/src/*.py")) == "src/b.py"
    assert text_of(call(GLOB, pattern="*", path="a.py")) == "a.py"
    assert "there is no such" in text_of(failed := call(GLOB, pattern="*", path="none"))
    assert failed.is_error
    assert "there is no such" in text_of(call(GLOB, pattern="*", path="/etc"))
    assert "there is no such" in text_of(call(GLOB, pattern="/etc/*"))


def test_at_most_two_hundred_come(call: Calling, room: Room) -> None:
    for number in range(MOST_PATHS + 5):
        (room.folder / f"{number:03}").touch()
        os.utime(room.folder / f"{number:03}", (number, number))
    told = text_of(call(GLOB, pattern="*")).splitlines()
    assert told[0] == "204"
    assert told[-1] == "[the newest 200 of 205]"
    assert len(told) == MOST_PATHS + 1


def test_odd_names_are_one_line_each(call: Calling, room: Room) -> None:
    (room.folder / "two\nlines").touch()
    (room.folder / "ünï😀").touch()
    os.close(os.open(os.fsencode(room.folder) + b"/\xff", os.O_CREAT))
    assert sorted(text_of(call(GLOB, pattern="*")).splitlines()) == ['"\\xff"', '"two\\nlines"', "ünï😀"]


segments = st.text(alphabet="ab.", min_size=1, max_size=3).filter(lambda s: s not in (".", ".."))
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
globs = st.lists(
    st.just("**")
    | st.text(alphabet="ab.*?", min_size=1, max_size=3).filter(
        lambda s: s not in (".", "..") and "**" not in s
    ),
    min_size=1,
    max_size=4,
).map("/".join)


def naive(pattern: list[str], path: list[str]) -> bool:
    """The meaning of a doublestar pattern, written down as it is said."""
    if not pattern:
        return not path
    if pattern[0] == "**" and len(pattern) > 1:
        return naive(pattern[1:], path) or (bool(path) and naive(pattern, path[1:]))
    if pattern[0] == "**":
        return bool(path)
    expression = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern[0])
    return bool(path) and bool(re.fullmatch(expression, path[0])) and naive(pattern[1:], path[1:])


@settings(max_examples=150)
@given(pattern=globs, path=paths)
def test_globs_mean_what_they_say(pattern: str, path: str) -> None:
    assert bool(glob_matcher(pattern).search(path.encode())) == naive(pattern.split("/"), path.split("/"))


@settings(max_examples=100)
@given(st.text(max_size=12))
def test_no_text_breaks_the_reading_of_a_pattern(pattern: str) -> None:
    try:
        glob_matcher(pattern).search(b"a/b")
    except Told as told:
        assert str(told)


def test_the_folder_of_an_absolute_pattern() -> None:
    assert glob_root("/a/b/*.py") == ("/a/b", "*.py")
    assert glob_root("/a/b.py") == ("/a", "b.py")
    assert glob_root("/*") == ("/", "*")


# ------------------------------------------------------------------ grep


def test_lines_come_with_their_place(call: Calling, tree: Room) -> None:
    assert text_of(call(GREP, pattern="return [02]$")) == "a.py:2:    return 0\nsrc/deep/c.ts:2:    return 2"
    assert text_of(call(GREP, pattern="^DEF", ignore_case=True, path="src/b.py")) == "src/b.py:1:def f():"
    assert text_of(call(GREP, pattern="nothing")) == "no matches"


def test_which_files_and_how_many_lines(call: Calling, tree: Room) -> None:
    assert (
        text_of(call(GREP, pattern="e", glob="*.{ts,tsx}", output_mode="files"))
        == "src/deep/c.ts\nsrc/deep/d.tsx"
    )
    assert text_of(call(GREP, pattern="e", glob="src/*.py", output_mode="count")) == "src/b.py:3"
    assert (
        text_of(call(GREP, pattern="return 5", path="node_modules")) == "node_modules/x/f.py:2:    return 5"
    )
    assert text_of(call(GREP, pattern="return 6", glob=".git/*")) == ".git/g.py:2:    return 6"


def test_context_is_told_once(call: Calling, room: Room) -> None:
    (room.folder / "f").write_text("".join(f"{n}{'x' if n in (2, 4, 9) else ''}\n" for n in range(1, 11)))
    assert text_of(call(GREP, pattern="x", context=1)).splitlines() == [
        "f-1-1", "f:2:2x", "f-3-3", "f:4:4x", "f-5-5", "--", "f-8-8", "f:9:9x", "f-10-10",
    ]  # fmt: skip


@settings(max_examples=100)
@given(lines=st.lists(st.sampled_from(["", "a", "b", "ab"]), max_size=12), end=st.sampled_from(["\n", "\r\n"]),
       ended=st.booleans(), pattern=st.sampled_from(["a", "^a", "b$", "^$", "a*", "[^x]b"]), context=st.integers(0, 3))  # fmt: skip
def test_the_lines_are_those_that_match(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    end: str,
    ended: bool,
    pattern: str,
    context: int,
) -> None:
    room = Room(tmp_path_factory.getbasetemp() / "greps")
    content = end.join(lines) + (end if lines and ended else "")
    (room.folder / "f").write_bytes(content.encode())
    real = content.replace("\r\n", "\n").removesuffix("\n").split("\n") if content else []
    if not ended and lines and lines[-1] == "":
        return  # the last line has no end and no letter: it is none
    hit = {n for n, line in enumerate(real, 1) if re.search(pattern, line)}
    near = {m for n in hit for m in range(n - context, n + context + 1) if 1 <= m <= len(real)}
    expected = [
        f"f{':' if n in hit else '-'}{n}{':' if n in hit else '-'}{real[n - 1]}" for n in sorted(near)
    ]
    input = {"pattern": pattern, "context": context}
    told = text_of(asyncio.run(GREP.call(input, surroundings(room))))
    assert [line for line in told.splitlines() if line != "--"] == (expected or ["no matches"])


@pytest.mark.parametrize("pattern", [r"a\sb", "[^x]b", "(?s:a.b)", r"a\nb", r"a\r"])
def test_no_match_goes_over_the_end_of_a_line(call: Calling, room: Room, pattern: str) -> None:
    (room.folder / "f").write_bytes(b"a\nb\r\na\r\n")
    assert text_of(call(GREP, pattern=pattern)) == "no matches"


def test_files_larger_than_a_block_keep_count_of_their_lines(call: Calling, room: Room) -> None:
    line = "x" * 99 + "\n"
    (room.folder / "big").write_text(line * 100_000 + "needle\n" + line + "y" * 5_000_000 + "needle\nneedle")
    told = text_of(call(GREP, pattern="needle")).splitlines()
    assert told[0] == "big:100001:needle"
    assert told[1].startswith("big:100003:… yyy") and told[1].endswith("yyyneedle")
    assert told[2] == "big:100004:needle"


def test_what_is_no_text_or_no_file_is_passed_by(call: Calling, room: Room) -> None:
    (room.folder / "binary").write_bytes(b"needle\0")
    (room.folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(room.folder / "fifo")
    (room.folder / "f").write_bytes(b"\xff needle \xf0\n")
    assert text_of(call(GREP, pattern="needle|root")) == "f:1:\ufffd needle \ufffd"
    assert room.reads == 2  # f and binary: the fifo was not opened
    assert (
        text_of(call(GREP, pattern="x", path="fifo"))
        == "fifo cannot be searched: a part of the path is no folder."
    )


def test_what_is_found_is_bounded(call: Calling, room: Room) -> None:
    (room.folder / "many").write_text("needle " + "x" * 90 + "\n" + ("needle " + "x" * 90 + "\n") * 5_000)
    told = text_of(call(GREP, pattern="needle"))
    assert MOST - 1_000 < len(told) <= MOST
    assert told.endswith("[cut here: more lines match; ask for less]")
    (room.folder / "many").write_text("x" * 3_000_000 + "needle" + "y" * 3_000_000)
    told = text_of(call(GREP, pattern="needle"))
    assert len(told) < 1_200
    assert "needle" in told


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "a{1000}", "(?:x?){500}y"])
def test_no_pattern_hangs(call: Calling, room: Room, pattern: str) -> None:
    (room.folder / "f").write_text("a" * 30_000 + "!")
    assert not call(GREP, pattern=pattern).is_error


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{2000}", "x" * 2_000, "[[:what:]]"])
def test_a_pattern_that_is_none_is_told(call: Calling, room: Room, pattern: str) -> None:
    failed = call(GREP, pattern=pattern)
    assert failed.is_error
    assert len(text_of(failed)) < 1_500


def test_a_search_that_takes_too_long_says_so(call: Calling, tree: Room) -> None:
    ticks = itertools.count(0, PATIENCE_S / 4)
    told = text_of(call(Grep(lambda: next(ticks)), pattern="return"))
    assert told.endswith("[stopped after 30 s: look in a smaller folder]")
    ticks = itertools.count(0, PATIENCE_S / 4)
    assert "[stopped after 30 s" in text_of(call(Glob(lambda: next(ticks)), pattern="**/*"))


def test_a_search_that_nobody_waits_for_ends(where: Surroundings, tree: Room) -> None:
    def forever() -> float:
        return 0.0

    (tree.folder / "big").write_text("x\n" * 2_000_000)

    async def story() -> None:
        task = asyncio.create_task(Grep(forever).call({"pattern": "x", "output_mode": "count"}, where))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())  # waits for the thread: without an end it would take seconds


def test_names_with_two_lines_cannot_forge_a_result(call: Calling, room: Room) -> None:
    (room.folder / "x\nfake.py:1:root").write_text("needle\n")
    assert text_of(call(GREP, pattern="needle")) == '"x\\nfake.py:1:root":1:needle'
