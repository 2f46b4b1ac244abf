"""Files that mean harm, or are broken: each is read within limits, and says what is wrong with it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.outcomes.document_files import book, deck, part, pdf, repacked, word, written

from reverie.outcomes.documents import worker
from reverie.outcomes.documents.limited import Limited, Unanswered
from reverie.outcomes.documents.readers import MAX_FILE, PARSED, Readers

OFFICE = {"docx": word("x"), "pptx": deck(("x", "y")), "xlsx": book({"A1": 1})}


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    with Readers() as readers:
        yield readers


def problem(readers: Readers, data: bytes, name: str) -> str:
    reading = readers.read(data, name)
    assert reading.lines == []
    assert reading.problem is not None
    return reading.problem


@pytest.mark.parametrize("kind", [*OFFICE, "pdf", "html"])
def test_an_empty_file(readers: Readers, kind: str) -> None:
    assert "0 bytes" in problem(readers, b"", f"a.{kind}")


@pytest.mark.parametrize("kind", OFFICE)
def test_a_file_that_is_cut(readers: Readers, kind: str) -> None:
    assert "damaged" in problem(readers, OFFICE[kind][:-200], f"a.{kind}")


def test_a_pdf_that_is_cut(readers: Readers) -> None:
    assert "damaged" in problem(readers, pdf(written("x"))[:120], "a.pdf")


def test_a_part_with_flipped_bytes(readers: Readers) -> None:
    data = bytearray(OFFICE["docx"])
    with zipfile.ZipFile(io.BytesIO(OFFICE["docx"])) as archive:
        at = archive.getinfo("word/document.xml").header_offset + 80
    data[at : at + 40] = bytes(40)
    assert "cannot be unpacked" in problem(readers, bytes(data), "a.docx")


@pytest.mark.parametrize(("named", "really"), [("docx", "xlsx"), ("xlsx", "pptx"), ("pptx", "docx")])
def test_a_wrong_extension(readers: Readers, named: str, really: str) -> None:
    assert problem(readers, OFFICE[really], f"a.{named}") == f"it is named .{named}, but it is a .{really}"


@pytest.mark.parametrize("name", ["a.docx", "a.pdf"])
def test_what_is_something_else(readers: Readers, name: str) -> None:
    assert problem(readers, b"just text", name)


def test_an_encrypted_workbook(readers: Readers) -> None:
    assert "encrypted" in problem(readers, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "a.xlsx")


def test_an_archive_with_a_password(readers: Readers) -> None:
    data = bytearray(OFFICE["docx"])
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(signature, at + 4)
    assert problem(readers, bytes(data), "a.docx") == "it is encrypted"


def test_a_pdf_with_a_password(readers: Readers) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(written("x")))))
    writer.encrypt("secret", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    assert "encrypted" in problem(readers, file.getvalue(), "a.pdf")


def test_a_bomb_is_not_unpacked(readers: Readers) -> None:
    data = repacked(OFFICE["docx"], {"word/media/x.xml": b"<a>" + b" " * (60 << 20) + b"</a>"})
    assert "a bomb" in problem(readers, data, "a.docx")


def test_a_bomb_that_lies_about_its_size(readers: Readers) -> None:
    """It unpacks to no more than it declares, and its checksum tells."""
    data = bytearray(repacked(OFFICE["docx"], {"word/x.xml": b"<a>" + b" " * (30 << 20) + b"</a>"}))
    size = ((30 << 20) + 7).to_bytes(4, "little")
    at = data.find(size)
    while at >= 0:
        data[at : at + 4] = (100).to_bytes(4, "little")
        at = data.find(size, at)
    assert "cannot be unpacked" in problem(readers, bytes(data), "a.docx")


def test_too_many_parts(readers: Readers) -> None:
    data = repacked(OFFICE["docx"], {f"x/{number}": b"" for number in range(5_001)})
    assert "parts" in problem(readers, data, "a.docx")


def test_two_parts_of_one_name(readers: Readers) -> None:
    file = io.BytesIO(OFFICE["docx"])
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("WORD/document.xml", part(OFFICE["docx"], "word/document.xml"))
    assert "the same name" in problem(readers, file.getvalue(), "a.docx")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "prolog",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE a [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_never_declared(readers: Readers, prolog: str, encoding: str) -> None:
    told = part(OFFICE["xlsx"], "xl/worksheets/sheet1.xml").decode()
    xml = f'<?xml version="1.0" encoding="{encoding}"?>{prolog}{told.partition("?>")[2] or told}'
    data = repacked(OFFICE["xlsx"], {"xl/worksheets/sheet1.xml": xml.encode(encoding)})
    assert "declares a document type" in problem(readers, data, "a.xlsx")


def test_a_declaration_across_two_pieces(readers: Readers) -> None:
    xml = b"<a>" + os.urandom(1 << 19).hex().encode()[: (1 << 20) - 8] + b"<!DOCTYPE a>" + b"</a>"
    assert "document type" in problem(readers, repacked(OFFICE["docx"], {"word/x.xml": xml}), "a.docx")


def test_a_huge_sheet(readers: Readers) -> None:
    row = "".join(f'<c r="A{n}"><v>{n}</v></c>' for n in range(1, 2))
    rows = f"<row>{row}</row>" * 10 + "".join(f"<!-- {os.urandom(16).hex()} -->" for _ in range(450_000))
    told = part(OFFICE["xlsx"], "xl/worksheets/sheet1.xml").decode()
    data = repacked(OFFICE["xlsx"], {"xl/worksheets/sheet1.xml": (told + rows).encode()})
    assert "its sheets take" in problem(readers, data, "a.xlsx")


def test_a_sheet_that_claims_a_billion_cells(readers: Readers) -> None:
    told = part(OFFICE["xlsx"], "xl/worksheets/sheet1.xml").decode()
    told = told.replace('<dimension ref="A1:A1"', '<dimension ref="A1:XFD1048576"')
    data = repacked(OFFICE["xlsx"], {"xl/worksheets/sheet1.xml": told.encode()})
    assert readers.read(data, "a.xlsx").facts.cells.keys() == {"Sheet1!A1"}


def test_too_many_bytes(readers: Readers) -> None:
    assert "bytes" in problem(readers, bytes(MAX_FILE + 1), "a.docx")


def test_deep_nesting(readers: Readers) -> None:
    assert readers.read(b"<div>" * 50_000 + b"x", "a.html").text == "x"
    xml = part(OFFICE["docx"], "word/document.xml").decode()
    deep = xml.replace("<w:body>", "<w:body>" + "<w:sdt><w:sdtContent>" * 120)
    deep = deep.replace("</w:body>", "</w:sdtContent></w:sdt>" * 120 + "</w:body>")
    assert deep != xml
    reading = readers.read(repacked(OFFICE["docx"], {"word/document.xml": deep.encode()}), "a.docx")
    assert reading.text == "x" or reading.problem


def test_what_takes_too_long_is_given_up_and_the_next_file_is_read() -> None:
    slow = (
        b"<!" + b"<!-" * 400_000
    )  # html.parser of Python 3.11 takes minutes for it, or none where it is mended
    with Limited(wall_s=30.0, cpu_s=0) as limited:
        try:
            limited.read(slow, "a.html")
        except Unanswered as unanswered:
            assert "took more than" in str(unanswered)
        assert limited.read(b"<p>next</p>", "b.html").text == "next"


def test_a_process_that_is_late_is_killed() -> None:
    with Limited(wall_s=0.0) as limited, pytest.raises(Unanswered, match="took more than 0 s"):
        limited.read(OFFICE["docx"], "a.docx")


def test_a_schema_whose_alternatives_multiply_is_given_up() -> None:
    schema: dict[str, object] = {"$defs": {"d0": {"type": "string"}}, "$ref": "#/$defs/d40"}
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for number in range(1, 41):
        both = [{"$ref": f"#/$defs/d{number - 1}"}] * 2
        definitions[f"d{number}"] = {"anyOf": both}
    with Readers(cpu_s=0) as readers, pytest.raises(Unanswered, match="took more than"):
        readers.misfits(schema, b"3")


@pytest.mark.parametrize(
    "harm",
    [
        "import subprocess; subprocess.run(['/bin/true'])",
        "import os; os.fork()",
        "import socket; socket.socket()",
        "open('/tmp/x', 'w')",
        "x = bytearray(2 << 30)",
    ],
)
def test_the_process_can_do_no_harm(harm: str) -> None:
    told = f"from reverie.outcomes.documents import worker; worker._confine()\ntry:\n {harm}\nexcept (OSError, MemoryError): print('refused')"
    ended = subprocess.run([sys.executable, "-I", "-c", told], capture_output=True, text=True, check=False)
    assert ended.stdout == "refused\n", ended.stderr


NAMES = [*(f"a{suffix}" for suffix in PARSED), "a.md", "a.txt", "a.json", "a.py", "a", "a.doc", ".docx"]
SEEDS = [*OFFICE.values(), pdf(written("x")), b"<p style='color:#fff'>x</p><!--", b"# x\n<!-- y"]


@settings(max_examples=120)
@given(
    seed=st.integers(0, len(SEEDS) - 1),
    name=st.sampled_from(NAMES),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12)), max_size=6),
    noise=st.binary(max_size=60),
    alone=st.booleans(),
)
def test_nothing_raises_whatever_a_file_is(
    readers: Readers, seed: int, name: str, cuts: list[tuple[float, bytes]], noise: bytes, alone: bool
) -> None:
    """Files that are damaged anywhere, and bytes that never were one, under every extension."""
    data = bytearray(noise if alone else SEEDS[seed])
    for share, piece in () if alone else cuts:
        at = int(share * len(data))
        data[at : at + len(piece)] = piece
    reading = readers.read(bytes(data), name)
    assert reading.problem != ""
    assert len(reading.text) <= 400_000


PIECES = """<w:p> </w:p> <w:r> </w:r> <w:t>x</w:t> <w:rPr> </w:rPr> <w:sz@w:val="x"/> <w:color@w:val="zz"/> <w:tbl>
</w:tbl> <w:tr> </w:tr> <w:tc> </w:tc> <w:drawing/> <w:txbxContent> </w:txbxContent> <w:del> </w:del> &#x200b;"""
MARKUP = [piece.replace("@", " ") for piece in PIECES.split()]


@settings(max_examples=60)
@given(
    xml=st.lists(
        st.sampled_from(MARKUP),
        max_size=25,
    )
)
def test_no_markup_of_word_raises(xml: list[str]) -> None:
    """Read here, without the process around it, so that what it would hide is seen."""
    told = part(OFFICE["docx"], "word/document.xml").decode()
    body = told[: told.index("<w:body>") + 8] + "".join(xml) + "</w:body></w:document>"
    reading = worker.read(repacked(OFFICE["docx"], {"word/document.xml": body.encode()}), "a.docx")
    assert reading.problem is None or "XMLSyntaxError" in reading.problem
