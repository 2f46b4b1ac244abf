"""read, write, edit: what is shown of files, of whatever kind and name, and what is changed in them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.tools.conftest import Calling, text_of
from tests.tools.rooms import Room, surroundings

from reverie.domain.messages import Document, Image
from reverie.tools.answers import shown
from reverie.tools.files import TEXT_BYTES, Edit, Read, Write
from reverie.tools.spilling import IMAGE_BYTES, MOST, PDF_BYTES

READ, WRITE, EDIT = Read(), Write(), Edit()
PNG = b"\x89PNG\r\n\x1a\n"


# ------------------------------------------------------------------ read


def test_text_comes_with_the_numbers_of_its_lines(call: Calling, room: Room) -> None:
    (room.folder / "a.txt").write_text("one\n\ntwo é\n")
    assert text_of(call(READ, file_path="a.txt")) == "     1\tone\n     2\t\n     3\ttwo é"
    assert text_of(call(READ, file_path="a.txt", view_range=[2, 3])) == "     2\t\n     3\ttwo é"
    assert text_of(call(READ, file_path=f"{room.folder}/a.txt", view_range=[3, -1])) == "     3\ttwo é"


@pytest.mark.parametrize(
    ("content", "view", "said"),
    [
        ("", None, "(the file is empty)"),
        ("a\n", [2, 3], "f has 1 line: there is no line 2."),
        ("a\nb", [3, 0], "f has 2 lines: there is no line 3."),
        ("a\nb", [2, 1], "view_range ends at line 1, before it begins at line 2."),
        ("a", [-5, 0], "     1\ta"),
        ("\n", None, "     1\t"),
    ],
)
def test_ranges_that_are_not_there_are_told(
    call: Calling, room: Room, content: str, view: list[int] | None, said: str
) -> None:
    (room.folder / "f").write_text(content)
    assert text_of(call(READ, file_path="f", view_range=view)) == said


def test_a_large_text_is_read_in_ranges(call: Calling, room: Room) -> None:
    lines = [f"line {number} " + "x" * 90 for number in range(1, 300_001)]
    (room.folder / "big").write_text("\n".join(lines))  # 30 MB
    refused = call(READ, file_path="big")
    assert refused.is_error
    assert f"more than the {TEXT_BYTES:,}" in text_of(refused)
    assert text_of(call(READ, file_path="big", view_range=[299_999, 0])) == (
        f"299999\t{lines[-2]}\n300000\t{lines[-1]}"
    )
    part = text_of(call(READ, file_path="big", view_range=[1_000, 250_000]))
    assert len(part) <= MOST
    told = part.splitlines()
    assert told[0] == f"  1000\t{lines[999]}"
    last = int(told[-3].split("\t")[0])
    assert told[-1] == f"[cut here; go on with view_range [{last + 1}, 250000]]"
    assert "there is no line 300,001" in text_of(call(READ, file_path="big", view_range=[300_001, 0]))


def test_a_text_that_fills_more_than_an_answer_is_cut_with_a_word(call: Calling, room: Room) -> None:
    (room.folder / "f").write_text("é" * 60 + "\n" + "y" * 110_000 + "\nlast")
    told = text_of(call(READ, file_path="f"))
    assert told.endswith("[cut here; go on with view_range [2, 0]]")
    told = text_of(call(READ, file_path="f", view_range=[2, 2]))
    assert "[the line goes on: it has 110,000 characters]" in told
    assert len(told) <= MOST


@settings(max_examples=40)
@given(
    text=st.text(alphabet=st.sampled_from("a\n\té€😀"), max_size=60),
    first=st.integers(1, 8),
    last=st.integers(0, 8),
)
def test_ranges_are_the_lines_they_say(
    tmp_path_factory: pytest.TempPathFactory, text: str, first: int, last: int
) -> None:
    lines = text.removesuffix("\n").split("\n") if text else []
    assume(first <= len(lines) and (last == 0 or first <= last))
    room = Room(tmp_path_factory.mktemp("range"))
    (room.folder / "f").write_bytes(text.encode())
    output = asyncio.run(READ.call({"file_path": "f", "view_range": [first, last]}, surroundings(room)))
    wanted = lines[first - 1 : last or None]
    assert text_of(output) == "\n".join(f"{n:>6}\t{line}" for n, line in enumerate(wanted, first))


def test_images_and_documents_come_as_what_they_are(call: Calling, room: Room) -> None:
    (room.folder / "no-ending").write_bytes(PNG + b"rest")
    (room.folder / "a.pdf").write_bytes(b"%PDF-1.7 ...")
    (room.folder / "a.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    assert call(READ, file_path="no-ending").content == (Image("image/png", PNG + b"rest"),)
    assert call(READ, file_path="a.pdf").content == (
        Document("application/pdf", b"%PDF-1.7 ...", title="a.pdf"),
    )
    assert call(READ, file_path="a.webp").content[0].media_type == "image/webp"  # type: ignore[union-attr]
    assert "has no lines" in text_of(call(READ, file_path="a.pdf", view_range=[1, 2]))
    (room.folder / "not.png").write_text("text")
    assert text_of(call(READ, file_path="not.png")) == "     1\ttext"


def test_images_and_documents_have_a_size(call: Calling, room: Room) -> None:
    (room.folder / "a.png").write_bytes(PNG + bytes(IMAGE_BYTES))
    (room.folder / "a.pdf").write_bytes(b"%PDF-" + bytes(PDF_BYTES))
    for name in ("a.png", "a.pdf"):
        assert "are shown" in text_of(failed := call(READ, file_path=name))
        assert failed.is_error


def test_what_is_no_text_is_told(call: Calling, room: Room) -> None:
    (room.folder / "binary").write_bytes(b"\x7fELF\0\0")
    (room.folder / "latin").write_bytes("größe".encode("latin-1"))
    for name in ("binary", "latin"):
        assert "is not UTF-8 text" in text_of(call(READ, file_path=name))


@pytest.mark.parametrize("tool", [READ, EDIT])
def test_what_is_no_file_is_told_and_nothing_hangs(call: Calling, room: Room, tool: Read | Edit) -> None:
    os.mkfifo(room.folder / "fifo")
    (room.folder / "folder").mkdir()
    (room.folder / "link").symlink_to("/etc/passwd")
    (room.folder / "loop").symlink_to("loop")
    more = {} if tool is READ else {"old_string": "a", "new_string": "b"}
    for path, said in {
        "fifo": "is no plain file",
        "folder": "is a folder",
        "link": "there is no such file",
        "loop": "there is no such file",
        "../../etc/passwd": "there is no such file",
        "/etc/passwd": "there is no such file",
        "none": "there is no such file",
        "a\0b": "no such file",
        "n" * 300: "too long",
    }.items():
        failed = call(tool, file_path=path, **more)
        assert failed.is_error
        assert said in text_of(failed)
        assert str(Path(room.folder).parent) not in text_of(failed)


@pytest.mark.parametrize(
    "name", ["a\nb", "tab\t", "ünï", "😀", "-rf", " ", "a'b\"c", "\u202egnp.exe", "\x1b[31m"]
)
def test_odd_names_are_read_and_written_and_shown_on_one_line(call: Calling, name: str) -> None:
    told = text_of(call(WRITE, file_path=f"./{name}", content="x"))
    assert "\n" not in told and "\x1b" not in told and "\u202e" not in told
    assert text_of(call(READ, file_path=f"./{name}")) == "     1\tx"


def test_names_that_are_shown_cannot_be_taken_for_others() -> None:
    assert shown("plain é.txt") == "plain é.txt"
    assert shown("a\nb") == '"a\\nb"'
    assert shown("a\\n\n") == '"a\\\\n\\n"'
    assert shown("\udcff\x07") == '"\\xff\\x07"'


# ------------------------------------------------------------------ write


def test_write_makes_folders_and_says_how_much(call: Calling, room: Room) -> None:
    assert text_of(call(WRITE, file_path="a/b/c.txt", content="é\r\n")) == "Wrote 4 bytes to a/b/c.txt."
    assert (room.folder / "a/b/c.txt").read_bytes() == b"\xc3\xa9\r\n"


def test_what_cannot_be_written_is_told(call: Calling, room: Room) -> None:
    (room.folder / "folder").mkdir()
    assert "it is a folder" in text_of(call(WRITE, file_path="folder", content=""))
    assert "not allowed here" in text_of(call(WRITE, file_path="../out", content=""))
    assert not (room.folder.parent / "out").exists()
    bad = asyncio.run(WRITE.call({"file_path": "a", "content": "\ud800"}, surroundings(room)))
    assert "surrogate" in text_of(bad)
    room.full = True
    assert "no room left" in text_of(failed := call(WRITE, file_path="b", content="x"))
    assert failed.is_error


# ------------------------------------------------------------------ edit


def edited(call: Calling, room: Room, content: str, old: str, new: str, **more: object) -> str:
    (room.folder / "f").write_bytes(content.encode())
    return text_of(call(EDIT, file_path="f", old_string=old, new_string=new, **more))


def test_edit_replaces_one_piece(call: Calling, room: Room) -> None:
    assert edited(call, room, "a\nb\r\nc", "b\r\n", "d") == "Edited f: line 2."
    assert (room.folder / "f").read_bytes() == b"a\ndc"
    assert edited(call, room, "x x\nx", "x", "y", replace_all=True) == "Edited f: 3 places."
    assert (room.folder / "f").read_bytes() == b"y y\ny"


@pytest.mark.parametrize(
    ("content", "old", "said"),
    [
        ("x\ny\nx\n", "x", "is in f 2 times (lines 1, 3)"),
        ("x\n" * 9, "x", "(lines 1, 2, 3, 4, 5 …)"),
        ("def f():\n\treturn 1\n", "def f():\n    return 1", "But for blanks, it is at line 1:\ndef f():\n\treturn 1"),
        ("a\r\nb\r\n", "a\nb", "but for line ends: the file has \\r\\n"),
        ("a\nb\n", "a\r\nb", "but for line ends: the file has \\n alone"),
        ("one\nthe quick brown fox\n", "the quick brown fix", "The nearest is at line 2:\nthe quick brown fox"),
        ("one\ntwo", "     1\tone\n     2\ttwo", "without the line numbers"),
        ("alpha", "zzzzzzz", "Nothing in it is alike"),
        ("", "x", "Nothing in it is alike"),
        ("a\n", "\n\n", "Nothing in it is alike"),
    ],
)  # fmt: skip
def test_what_is_not_there_once_is_told_with_what_is(
    call: Calling, room: Room, content: str, old: str, said: str
) -> None:
    told = edited(call, room, content, old, "new")
    assert said in told
    assert len(told) < 5_000
    assert (room.folder / "f").read_bytes() == content.encode()


def test_what_is_no_edit_is_refused(call: Calling, room: Room) -> None:
    assert "are the same" in edited(call, room, "a", "a", "a")
    assert "at most" in edited(call, room, "a" * (TEXT_BYTES + 1), "a", "b")
    (room.folder / "f").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in text_of(call(EDIT, file_path="f", old_string="a", new_string="b"))


def test_a_near_miss_in_long_lines_is_found_at_once_and_told_shortly(call: Calling, room: Room) -> None:
    told = edited(call, room, "x" * 100_000 + "\n" + "y" * 100_000, "x" * 50_000 + "z", "")
    assert len(told) < 1_000


pieces = st.text(alphabet="ab\n", min_size=1, max_size=4)


@settings(max_examples=150)
@given(
    content=st.text(alphabet="ab\n", max_size=40),
    old=pieces,
    new=st.text(alphabet="abc\n", max_size=4),
    all=st.booleans(),
)
def test_edit_is_replace_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: str, old: str, new: str, all: bool
) -> None:
    assume(old != new)
    room = Room(tmp_path_factory.getbasetemp() / "edits")
    (room.folder / "f").write_bytes(content.encode())
    input = {"file_path": "f", "old_string": old, "new_string": new, "replace_all": all}
    output = asyncio.run(EDIT.call(input, surroundings(room)))
    count = content.count(old)
    if count == 1 or (all and count):
        assert not output.is_error
        assert (room.folder / "f").read_bytes() == content.replace(old, new).encode()
    else:
        assert output.is_error
        assert (room.folder / "f").read_bytes() == content.encode()


# ------------------------------------------------------------------ risk


@pytest.mark.parametrize("tool", [WRITE, EDIT])
@pytest.mark.parametrize(
    ("path", "risk"),
    [
        ("a.py", "low"),
        ("/workspace/a", "low"),
        ("/mnt/session/outputs/a", "low"),
        ("../mnt/memory/x", "unknown"),
        ("/mnt/memory/notes/x.md", "unknown"),
        ("/workspace/../etc/passwd", "unknown"),
        (None, "unknown"),
    ],
)
def test_writing_outside_the_own_folders_is_for_somebody_to_look_at(
    tool: Write | Edit, path: str | None, risk: str
) -> None:
    assert tool.risk({"file_path": path}) == risk
    assert READ.risk({"file_path": path}) == "low"
