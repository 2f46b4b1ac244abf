"""What was delivered is read into the work that is judged, within bounds that are told."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
from tests.outcomes.document_files import book, deck, word

from reverie.outcomes import deliverables
from reverie.outcomes.deliverables import read_work
from reverie.outcomes.files import Folder, Opener


def opener(data: bytes) -> Opener:
    return lambda: io.BytesIO(data)


def test_files_are_read_in_order_of_their_paths(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    files = {
        "b.md": b"# B <!-- x -->",
        "sub/a.docx": word("Hello"),
        "a.pptx": deck(("T", "b")),
        ".git/x": b"x",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    work = read_work(Folder(tmp_path), "done")
    assert work.message == "done"
    assert [(one.path, one.text) for one in work.deliverables] == [
        ("a.pptx", "[slide 1]\nT\nb"),
        ("b.md", "# B "),
        ("sub/a.docx", "Hello"),
    ]
    assert [len(one.hidden) for one in work.deliverables] == [0, 1, 0]
    assert all(one.sha256 == hashlib.sha256(files[one.path]).hexdigest() for one in work.deliverables)
    assert all(one.size == len(files[one.path]) and one.problem is None for one in work.deliverables)


def test_sheets_are_told_apart() -> None:
    (one,) = read_work([("a.xlsx", opener(book({"A1": "x", "B1": 2, "A2": "y"}, "My sheet")))]).deliverables
    assert one.text == "[My sheet]\nx\t2\ny"


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    def gone() -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    work = read_work(
        [("a.docx", opener(b"")), ("b.md", gone), ("c.png", opener(b"\x89PNG\0")), ("d.txt", opener(b""))]
    )
    assert [one.text for one in work.deliverables] == [None, None, None, None]
    said = [one.problem for one in work.deliverables]
    assert said[:3] == [
        "it is empty: 0 bytes",
        "it cannot be opened: Permission denied",
        "it is a PNG image, not text",
    ]


def test_a_pipe_and_a_link_are_no_deliverables(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert read_work(Folder(tmp_path)).deliverables == ()
    for name in ("pipe", "link", "loop/pipe"):
        with pytest.raises(OSError):
            Folder(tmp_path).open(name)


def test_bounds_are_told() -> None:
    files = [(f"{number:03}.txt", opener(b"x")) for number in range(202)]
    work = read_work(files)
    assert [one.problem for one in work.deliverables[199:]] == [
        None,
        *["only the first 200 files are read"] * 2,
    ]
    assert work.deliverables[201].sha256 == hashlib.sha256(b"x").hexdigest()
    (large,) = read_work([("a.txt", opener(bytes((32 << 20) + 1)))]).deliverables
    assert (large.text, large.size) == (None, (32 << 20) + 1)
    assert large.problem == "it has 33,554,433 bytes: at most 33,554,432 are read"
    (long,) = read_work([("a.txt", opener(b"word " * 90_000))]).deliverables
    assert len(long.text or "") == 400_000
    assert long.problem is not None and "400,000" in long.problem


def test_all_files_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliverables, "MAX_WORK", 10)
    work = read_work([("a.txt", opener(b"12345678")), ("b.txt", opener(b"123")), ("c.txt", opener(b"1"))])
    assert [one.text for one in work.deliverables] == ["12345678", None, "1"]
