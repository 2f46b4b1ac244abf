"""What is too long for an answer is in a file, whatever tool it came from and whatever its call is called."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tools.conftest import text_of
from tests.tools.rooms import Room

from reverie.domain.messages import Document, Image, Text
from reverie.plugins import Output
from reverie.tools.spilling import FILE_BYTES, IMAGE_BYTES, MOST, PDF_BYTES, SHOWN, plain_name, spill


def spilled(
    room: Room, *parts: Text | Image | Document, call_id: str = "toolu_1", is_error: bool = False
) -> Output:
    return asyncio.run(spill(Output(parts, is_error), room, call_id))


def test_what_fits_is_as_it_was(room: Room) -> None:
    parts = (Text("x" * (MOST - 1)), Text("é"), Image("image/png", b"x"), Document("application/pdf", b"x"))
    assert list(spilled(room, *parts).content) == list(parts)
    assert list(room.folder.iterdir()) == []


def test_a_long_text_is_in_a_file_and_its_ends_are_shown(room: Room) -> None:
    text = "begin " + "m" * MOST + " end"
    output = spilled(room, Text(text), is_error=True)
    told = text_of(output)
    assert output.is_error
    assert told.startswith("begin mmm") and told.endswith("mmm end")
    assert f"[{len(text):,} characters came; the first and the last {SHOWN:,} are shown." in told
    assert len(told) < 2 * SHOWN + 500
    path = f"{room.folder}/.spill/toolu_1.txt"
    assert f"All of it is in {path}:" in told
    assert room.read(path).decode() == text


def test_many_short_texts_are_one_long_one(room: Room) -> None:
    output = spilled(room, *[Text("x" * 1_000)] * 200, Image("image/png", b"p"))
    assert [type(part) for part in output.content] == [Text, Image]
    assert room.read(f"{room.folder}/.spill/toolu_1.txt").count(b"\n") == 199


def test_fifty_megabytes_and_more_have_an_end(room: Room) -> None:
    told = text_of(spilled(room, Text("é" * (FILE_BYTES // 2 + 10))))
    assert len(told) < 2 * SHOWN + 500
    assert "The first 64 MiB of it are in" in told
    assert (room.folder / ".spill/toolu_1.txt").stat().st_size == FILE_BYTES


def test_images_and_documents_that_no_provider_takes_are_in_files(room: Room) -> None:
    output = spilled(
        room, Image("image/png", bytes(IMAGE_BYTES + 1)), Document("application/pdf", bytes(PDF_BYTES + 1)),
        Image("image/x", bytes(IMAGE_BYTES + 1)), Image("image/png", url="https://e.org/i.png"),
    )  # fmt: skip
    assert f"image/png of {IMAGE_BYTES + 1:,} bytes" in text_of(output)
    for name in ("toolu_1-0.png", "toolu_1-1.pdf", "toolu_1-2.bin"):
        assert name in text_of(output)
        assert (room.folder / ".spill" / name).stat().st_size > IMAGE_BYTES
    assert output.content[-1] == Image("image/png", url="https://e.org/i.png")


def test_a_hundred_images_are_not_shown(room: Room) -> None:
    output = spilled(room, *[Image("image/png", b"x")] * 100)
    assert sum(isinstance(part, Image) for part in output.content) == 20


def test_a_full_disk_is_told_and_nothing_fails(room: Room) -> None:
    room.full = True
    told = text_of(spilled(room, Text("x" * (MOST + 1))))
    assert "The rest could not be kept: there is no room left on the disk." in told
    assert "no room left" in text_of(spilled(room, Image("image/png", bytes(IMAGE_BYTES + 1))))


def test_what_no_log_can_keep_is_replaced(room: Room) -> None:
    assert text_of(spilled(room, Text("a\0b\ud800c\n"))) == "a\ufffdb\ufffdc\n"
    assert text_of(spilled(room, Text("\udfff" * (MOST + 1)))).startswith("\ufffd\ufffd")


@pytest.mark.parametrize("call_id", ["../../etc/passwd", "a/b", "a\nb", "x" * 500, "\ud800", "", "..", "é"])
def test_ids_from_elsewhere_name_files_in_the_folder(room: Room, call_id: str) -> None:
    spilled(room, Text("x" * (MOST + 1)), call_id=call_id)
    (found,) = (room.folder / ".spill").iterdir()
    assert found.stat().st_size == MOST + 1
    assert len(found.name) < 100


@settings(max_examples=200)
@given(st.lists(st.text(max_size=80), unique=True, min_size=2, max_size=20))
def test_different_ids_are_different_files(ids: list[str]) -> None:
    names = [plain_name(id) for id in ids]
    assert len(set(names)) == len(ids)
    assert all(name.replace("-", "").replace("_", "").isalnum() or not name.strip("-_") for name in names)
