"""What a reader sees of a document is told apart from what is hidden in it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.outcomes.document_files import book, deck, pdf, repacked, saved, word, written

from reverie.outcomes.documents import worker
from reverie.outcomes.documents.invisible import without_invisible
from reverie.outcomes.documents.readers import Readers, read_document
from reverie.outcomes.documents.reading import Cell, Reading


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    with Readers() as readers:
        yield readers


def hidden(reading: Reading) -> set[tuple[str, str]]:
    return {(piece.how, piece.text) for piece in reading.hidden}


def places(reading: Reading) -> list[tuple[str, str]]:
    return [(line.place, line.text) for line in reading.lines]


# ---------------------------------------------------------------------- text and Markdown


def test_text_is_read_line_by_line(readers: Readers) -> None:
    reading = readers.read(b"one\r\ntwo\n\nfour", "notes.txt")
    assert places(reading) == [("line 1", "one"), ("line 2", "two"), ("line 3", ""), ("line 4", "four")]
    assert reading.problem is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("é".encode(), "é"),
        ("\ufeffé".encode(), "é"),
        ("é".encode("utf-16"), "é"),
        ("caf\xe9 \u20ac".encode("cp1252"), "café €"),
    ],
)
def test_text_comes_in_several_encodings(readers: Readers, data: bytes, text: str) -> None:
    reading = readers.read(data, "a.csv")
    assert (reading.text, reading.hidden) == (text, [])


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        ("a.txt", b"PK\x03\x04\0\0", "an archive"),
        ("a.bin", bytes(range(256)), "binary"),
        ("a.md", b"", "0 bytes"),
        ("old.doc", b"x", "save it as .docx"),
    ],
)
def test_what_is_no_text_says_so(readers: Readers, name: str, data: bytes, said: str) -> None:
    assert said in (readers.read(data, name).problem or "")


def test_markdown_is_read_without_what_is_not_shown_of_it(readers: Readers) -> None:
    text = "# One\nseen <!-- a\nsecret --> too\n[//]: # (note)\n\nTwo\n---\n```\n# not a heading\n```\n"
    text += "<span style='display: none'>gone</span>kept ![a chart](x.png)\n"
    reading = readers.read(text.encode(), "a.md")
    assert [line.text for line in reading.facts.headings] == ["One", "Two"]
    assert [image.alt for image in reading.facts.images] == ["a chart"]
    assert "secret" not in reading.text and "note" not in reading.text and "gone" not in reading.text
    assert "kept" in reading.text and "too" in reading.text
    assert {how for how, _ in hidden(reading)} == {"comment", "markup that is not shown"}
    assert next(line.place for line in reading.lines if "kept" in line.text) == "line 11"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("```\n<!-- shown -->\n```\n<!-- secret -->", True),
        ("```\n<!-- shown\n```\n<!-- secret -->", True),
        ("<!--\n```\n-->\n<!-- secret -->\n```", False),
        ("~~~\n```\n<!-- shown -->\n~~~\n<!-- secret -->", True),
        ("```\n<!-- shown -->", True),
        ("<!-- secret", False),
    ],
)
def test_a_comment_in_a_block_of_code_is_shown(readers: Readers, text: str, seen: bool) -> None:
    reading = readers.read(text.encode(), "a.md")
    assert ("shown" in reading.text, "secret" in reading.text) == (seen, False)
    assert ("secret" in str(reading.hidden)) == ("secret" in text)


@pytest.mark.parametrize(
    ("text", "seen", "how", "what"),
    [
        ("pa\u200bss", "pass", "zero-width characters", "U+200B"),
        ("a\u2060b", "ab", "zero-width characters", "U+2060"),
        ("a\u202eb", "ab", "characters that change the direction of reading", "U+202E"),
        ("x" + "".join(chr(0xE0000 + ord(c)) for c in "pass it"), "x", "Unicode tag characters", "pass it"),
        ("x" + "".join(chr(0xE0100 + b - 16) for b in b"pass"), "x", "variation selectors", "pass"),
        ("a\x1b[8mgrade: pass\x1b[0mb", "agrade: passb", "control characters", "grade: pass"),
        ("a\x00b", "ab", "control characters", "U+0000"),
    ],
)
def test_characters_that_nobody_sees_are_taken_out_and_told(
    text: str, seen: str, how: str, what: str
) -> None:
    got, found = without_invisible(text)
    assert got == seen
    assert [found_how for found_how, _ in found] == [how]
    assert what in found[0][1]


@pytest.mark.parametrize(
    "text", ["naïve", "❤️", "👩‍👩‍👧", "می‌خواهم", "🏴\U000e0067\U000e0062\U000e0065\U000e007f", "क्‍ष"]
)
def test_characters_that_writing_needs_stay(text: str) -> None:
    assert without_invisible(text) == (text, [])


def test_text_is_read_up_to_a_limit(readers: Readers) -> None:
    reading = readers.read(b"word " * 100_000, "a.txt")
    assert len(reading.text) == 400_000
    assert "400,000 characters" in (reading.problem or "")


# ---------------------------------------------------------------------- Word


def test_word_is_read_with_its_places_and_facts(readers: Readers) -> None:
    from docx import Document

    document = Document()
    document.core_properties.title = "Plan"
    document.add_heading("The plan", 0)
    document.add_heading("Why", 1)
    document.add_paragraph("Because.")
    table = document.add_table(2, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Revenue", "1,234"
    document.sections[0].header.paragraphs[0].text = "Draft"
    reading = readers.read(saved(document), "a.docx")
    assert ("paragraph 3", "Because.") in places(reading)
    assert ("table 1, row 1", "Revenue\t1,234") in places(reading)
    assert "Draft" in reading.text
    facts = reading.facts
    assert (facts.title, facts.tables) == ("Plan", 1)
    assert [line.text for line in facts.headings] == ["The plan", "Why"]
    assert {line.text for line in facts.fonts} == {"Calibri", "Cambria"}
    assert {size.points for size in facts.sizes} == {26, 14, 11}
    assert reading.problem is None


def _hiding_word() -> bytes:
    from docx import Document
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Pt, RGBColor

    document = Document()
    document.core_properties.keywords = "a keyword"
    paragraph = document.add_paragraph("Seen.")
    paragraph.add_run("vanished").font.hidden = True
    paragraph.add_run("white").font.color.rgb = RGBColor(0xFA, 0xFA, 0xFA)
    paragraph.add_run("tiny").font.size = Pt(1.5)
    style = document.styles.add_style("Ghost", 2)
    style.font.hidden = True
    paragraph.add_run("styled", style=style)
    for xml in (
        "<w:ins {} w:id='1' w:author='a'><w:r><w:t> added</w:t></w:r></w:ins>",
        "<w:del {} w:id='2' w:author='a'><w:r><w:delText>struck</w:delText></w:r></w:del>",
        '<w:r {}><w:instrText>QUOTE "field"</w:instrText></w:r>',
    ):
        paragraph._p.append(parse_xml(xml.format(nsdecls("w"))))
    dark = document.add_table(1, 1).cell(0, 0)
    dark._tc.get_or_add_tcPr().append(parse_xml(f"<w:shd {nsdecls('w')} w:fill='1F3864'/>"))
    dark.paragraphs[0].add_run("header").font.color.rgb = RGBColor(255, 255, 255)
    document.add_comment(paragraph.runs, "a comment", author="x")
    data = saved(document)
    return repacked(data, {"customXml/item1.xml": b"<a><b>custom</b></a>"})


def test_what_word_hides_is_kept_apart(readers: Readers) -> None:
    reading = readers.read(_hiding_word(), "a.docx")
    assert [line.text for line in reading.lines] == ["Seen. added", "header"]
    assert hidden(reading) == {
        ("hidden text", "vanishedstyled"),
        ("text in the colour of its background", "white"),
        ("text of 1.5 pt", "tiny"),
        ("deleted text (a tracked change)", "struck"),
        ("field code", 'QUOTE "field"'),
        ("comment", "a comment"),
        ("document property", "a keyword"),
        ("custom XML", "custom"),
    }
    assert len(reading.facts.changes) == 2


# ---------------------------------------------------------------------- slides


def test_slides_are_read_with_titles_notes_and_sizes(readers: Readers) -> None:
    reading = readers.read(deck(("Hello", "body text"), ("Bye", "the end")), "a.pptx")
    assert places(reading) == [
        ("slide 1", "Hello"),
        ("slide 1", "body text"),
        ("slide 2", "Bye"),
        ("slide 2", "the end"),
    ]
    assert [(slide.title, slide.words) for slide in reading.facts.slides] == [("Hello", 3), ("Bye", 3)]
    assert {size.points for size in reading.facts.sizes} == {44, 32}
    assert [font.text for font in reading.facts.fonts] == ["Calibri"]


def _hiding_deck() -> bytes:
    from pptx import Presentation
    from pptx.dml.color import RGBColor
    from pptx.util import Inches, Pt

    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Seen"
    box = slide.shapes.add_textbox(Inches(1), Inches(5), Inches(3), Inches(1))
    for text, size, colour in (("white", 20, 0xFF), ("tiny", 1, 0), ("plain", 20, 0)):
        run = box.text_frame.paragraphs[0].add_run()
        run.text, run.font.size, run.font.color.rgb = text, Pt(size), RGBColor(colour, colour, colour)
    slide.shapes.add_textbox(Inches(-9), Inches(1), Inches(3), Inches(1)).text_frame.text = "outside"
    dark = slide.shapes.add_shape(1, Inches(1), Inches(3), Inches(3), Inches(1))
    dark.text_frame.text = "light on dark"
    dark.text_frame.paragraphs[0].runs[0].font.color.rgb = RGBColor(255, 255, 255)
    ghost = slide.shapes.add_textbox(Inches(1), Inches(1), Inches(3), Inches(1))
    ghost.text_frame.text = "ghost"
    ghost._element.nvSpPr.cNvPr.set("hidden", "1")
    box._element.nvSpPr.cNvPr.set("descr", "described")
    slide.notes_slide.notes_text_frame.text = "say this"
    other = presentation.slides.add_slide(presentation.slide_layouts[5])
    other.shapes.title.text = "Not shown"
    other._element.set("show", "0")
    return saved(presentation)


def test_what_slides_hide_is_kept_apart(readers: Readers) -> None:
    reading = readers.read(_hiding_deck(), "a.pptx")
    assert places(reading) == [
        ("slide 1", "Seen"),
        ("slide 1", "plain"),
        ("slide 1", "light on dark"),
        ("slide 1, notes", "say this"),
    ]
    assert hidden(reading) == {
        ("text in the colour of its background", "white"),
        ("text of 1 pt", "tiny"),
        ("a shape outside the slide", "outside"),
        ("a hidden shape", "ghost"),
        ("alternative text of a shape", "described"),
        ("speaker notes", "say this"),
        ("a hidden slide", "Not shown"),
    }
    assert len(reading.facts.slides) == 1


# ---------------------------------------------------------------------- sheets


def test_sheets_are_read_by_cell(readers: Readers) -> None:
    reading = readers.read(book({"A1": "Revenue", "B1": 1234.5, "B2": "=B1*2", "C9": True}), "a.xlsx")
    assert reading.facts.cells["Sheet1!B1"] == Cell(1234.5)
    assert reading.facts.cells["Sheet1!B2"] == Cell(None, "=B1*2")
    assert reading.facts.sheets == ["Sheet1"]
    assert ("Sheet1!A1", "Revenue\t1234.5") in places(reading)


def test_what_sheets_hide_is_kept_apart(readers: Readers) -> None:
    from openpyxl import load_workbook
    from openpyxl.comments import Comment
    from openpyxl.styles import Font

    names = {"A1": "seen", "A2": "white", "A3": "row", "D1": "column", "A4": "masked", "A5": "tiny"}
    workbook = load_workbook(io.BytesIO(book(names)))
    sheet = workbook.active
    assert sheet is not None
    sheet["A1"].comment = Comment("a comment", "x")
    sheet["A2"].font = Font(color="00FFFFFF")
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["D"].hidden = True
    sheet["A4"].number_format = ";;;"
    sheet["A5"].font = Font(size=1)
    workbook.create_sheet("Back")["A1"] = "sheet"
    workbook["Back"].sheet_state = "veryHidden"
    reading = readers.read(saved(workbook), "a.xlsx")
    assert places(reading) == [("Sheet1!A1", "seen")]
    assert {what for _, what in hidden(reading)} == {*names.values(), "sheet", "a comment"} - {"seen"}


# ---------------------------------------------------------------------- PDF


def test_a_pdf_is_read_by_page(readers: Readers) -> None:
    reading = readers.read(pdf(written("First page"), written("Second", 9.5), title="Report"), "a.pdf")
    assert places(reading) == [("page 1", "First page"), ("page 2", "Second")]
    assert (reading.facts.title, reading.facts.pages) == ("Report", 2)
    assert [font.text for font in reading.facts.fonts] == ["Helvetica"]
    assert [size.points for size in reading.facts.sizes] == [12, 9.5]


@pytest.mark.parametrize(
    ("drawn", "how"),
    [
        (written("secret", before="3 Tr"), "text that is not drawn (render mode 3)"),
        (written("secret", before="1 1 1 rg"), "white text"),
        (written("secret", before="1 g"), "white text"),
        (written("secret", 1), "text of 1 pt"),
        (written("secret", 12, before="q 0.1 0 0 0.1 0 0 cm"), "text of 1.2 pt"),
        (written("secret", at="72 -400"), "text outside the page"),
    ],
)
def test_what_a_pdf_hides_is_kept_apart(readers: Readers, drawn: str, how: str) -> None:
    reading = readers.read(pdf(f"{written('Seen')} {drawn}"), "a.pdf")
    assert [line.text for line in reading.lines] == ["Seen"]
    assert hidden(reading) == {(how, "secret")}


def test_white_text_on_a_dark_ground_is_seen(readers: Readers) -> None:
    reading = readers.read(pdf("0 0 1 rg 0 600 612 192 re f " + written("Title", before="1 g")), "a.pdf")
    assert (reading.text, reading.hidden) == ("Title", [])


def test_a_pdf_of_images_says_that_it_has_no_text(readers: Readers) -> None:
    assert "no text" in (readers.read(pdf("0 0 10 10 re f"), "a.pdf").problem or "")


# ---------------------------------------------------------------------- HTML


@pytest.mark.parametrize(
    ("markup", "how"),
    [
        ("<p style='display:none'>secret</p>", "display: none"),
        ("<p style='visibility: hidden'>secret</p>", "visibility: hidden"),
        ("<p style='font-size:0'>secret</p>", "text of 2 pt or smaller"),
        ("<p style='opacity:0'>secret</p>", "transparent text"),
        ("<p hidden>secret</p>", "attribute hidden"),
        ("<div class=ghost><b>secret</b></div>", "display: none"),
        ("<p id=away>secret</p>", "text outside the page"),
        ("<p style='color:#fff'>secret</p>", "text in the colour of its background"),
        (
            "<div style='background:#000;color:rgb(1,1,1)'>secret</div>",
            "text in the colour of its background",
        ),
        ("<p style='text-indent:-9999px'>secret</p>", "text outside the page"),
        ("<!-- secret -->", "comment"),
        ("<template>secret</template>", "<template>"),
        ("<img alt=secret src=x>", "alternative text of an image"),
        ("<input type=hidden value=secret>", "a hidden field"),
        (
            "<meta name=description content='x'><p style='position:absolute;left:-99em'>secret</p>",
            "text outside the page",
        ),
    ],
)
def test_what_html_hides_is_kept_apart(readers: Readers, markup: str, how: str) -> None:
    style = "<style>.ghost, .other { display: none } #away { position: fixed; top: -2000px }</style>"
    page = f"<!doctype html><html><head>{style}</head><body><p>Seen<br>{markup}<p>Too</body></html>"
    reading = readers.read(page.encode(), "a.html")
    assert "secret" not in reading.text
    assert reading.text.split() == ["Seen", "Too"]
    assert (how, "secret") in hidden(reading)


def test_html_is_read_as_a_browser_shows_it(readers: Readers) -> None:
    page = (
        "<title>The title</title><h1>One</h1><p>a <b>bold</b>\nword &amp; more<table><tr><td>x<td>1</table>"
    )
    reading = readers.read((page + "<p aria-hidden=true>seen</p><script>no()</script>").encode(), "a.html")
    assert [line.text for line in reading.lines] == ["One", "a bold word & more", "x\t1", "seen"]
    assert reading.facts.title == "The title"
    assert [line.text for line in reading.facts.headings] == ["One"]
    assert hidden(reading) == {("text that is not read out (aria-hidden)", "seen")}


# ---------------------------------------------------------------------- by path, and without the libraries


def test_a_document_is_read_by_its_path_or_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(word("Hello"))
    assert read_document(path).text == read_document(path.read_bytes(), "a.docx").text == "Hello"


@pytest.mark.parametrize(
    ("name", "library", "data"),
    [
        ("a.docx", "docx", word("x")),
        ("a.pptx", "pptx", deck(("x", "y"))),
        ("a.xlsx", "openpyxl", book({"A1": 1})),
        ("a.pdf", "pypdf", pdf(written("x"))),
    ],
)
def test_without_its_library_a_document_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str, library: str, data: bytes
) -> None:
    modules = {"docx": "word", "pptx": "slides", "openpyxl": "sheets", "pypdf": "pages"}
    monkeypatch.delitem(sys.modules, f"reverie.outcomes.documents.{modules[library]}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    reading = worker.read(data, name)
    assert "pip install 'reverie-agents[documents]'" in (reading.problem or "")
    assert reading.lines == []
