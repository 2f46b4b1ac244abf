"""Each kind of check is satisfied by what it asks for, and says what must change otherwise."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.outcomes.document_files import book, deck, pdf, repacked, saved, word, written

from reverie.domain.outcomes import Check, Criterion, CriterionVerdict, Proof, Work
from reverie.outcomes.checks.running import run_checks
from reverie.outcomes.checks.specs import checked
from reverie.outcomes.files import Folder


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    def judge(
        told: Mapping[str, Any], files: Mapping[str, bytes] = {}, message: str = ""
    ) -> CriterionVerdict:
        for name, data in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        criterion = Criterion("c1", "what is wanted", check=checked(told))
        verdicts = run_checks(
            [criterion], Work(message=message), Folder(tmp_path), None, iteration=2, seen="s"
        )
        (verdict,) = asyncio.run(verdicts)
        assert (verdict.criterion, verdict.by, verdict.iteration, verdict.seen) == ("c1", "check", 2, "s")
        return verdict

    return judge


def bad(verdict: CriterionVerdict, *said: str) -> CriterionVerdict:
    assert verdict.status == "not_satisfied"
    for words in said:
        assert words in verdict.change
    return verdict


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ({"file": "report.md"}, ""),
        ({"file": "**/*.md"}, ""),
        ({"file": "*.docx"}, "deliver `*.docx`: there is no such file (there is `report.md`"),
        ({"file": "sub/a.md", "absent": True}, "take `sub/a.md` away"),
        ({"file": "x", "absent": True}, ""),
        ({"file": "**", "at_least": 3}, "deliver at least 3 files `**`: there are 2"),
        ({"file": "**", "at_most": 1}, "at most 1 files"),
        ({"file": "report.md", "min_bytes": 5, "max_bytes": 5}, ""),
        ({"file": "report.md", "min_bytes": 6}, "at least 6 bytes: it has 5"),
        ({"file": "report.md", "max_bytes": 4}, "at most 4 bytes: it has 5"),
    ],
)
def test_files(judge: Any, told: dict[str, Any], change: str) -> None:
    verdict = judge(told, {"report.md": b"12345", "sub/a.md": b"x"})
    assert verdict.status == ("not_satisfied" if change else "satisfied")
    assert change in verdict.change


def test_a_link_is_no_file(judge: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.md").symlink_to("/etc/passwd")
    (tmp_path / "away").symlink_to("/etc")
    bad(judge({"file": "secret.md"}))
    bad(judge({"file": "secret.md", "contains": "root"}), "no such file")
    for path in ("secret.md", "away/passwd", "../x", "away/../../x"):
        with pytest.raises(OSError):
            Folder(tmp_path).open(path)


# ---------------------------------------------------------------------- text

TEXT = b"# Plan\n\nWe grow by 12 percent.\nWe grow  by\nfar.\n## 2. Risks\nNone.\n"


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ({"contains": "grow by far"}, ""),
        ({"contains": ["Plan", "Risks"]}, ""),
        ({"contains": "GROW BY"}, "must have “GROW BY”"),
        ({"contains": "GROW BY", "ignore_case": True}, ""),
        ({"contains": "grow", "at_least": 3}, "3 times; it has it 2 times"),
        ({"contains": "grow", "at_most": 1}, "at most 1 times; it has it 2 times"),
        ({"matches": r"^We grow by \d+ percent\.$"}, ""),
        ({"matches": "x{3}"}, "must have what matches `x{3}`"),
        ({"forbids": "(?i)TODO"}, ""),
        ({"forbids": r"\d+"}, "take what matches"),
        ({"lacks": "None."}, "take “None.” out of"),
        ({"lacks": "a.b"}, ""),
        ({"min_words": 13, "max_words": 13}, ""),
        ({"min_words": 14}, "at least 14 words: it has 13"),
        ({"max_words": 12}, "at most 12 words: it has 13"),
        ({"headings": ["Plan", "Risks"]}, ""),
        ({"headings": ["Risks", "Plan"]}, "“Plan” of `a.md` must stand later"),
        ({"headings": ["Costs"]}, "must have the heading “Costs”"),
    ],
)
def test_text(judge: Any, told: dict[str, Any], change: str) -> None:
    verdict = judge({"file": "a.md", **told}, {"a.md": TEXT})
    assert (verdict.status, verdict.reason) == ("not_satisfied" if change else "satisfied", "")
    assert change in verdict.change


def test_a_proof_is_a_line_of_the_file(judge: Any) -> None:
    found = judge({"file": "a.md", "contains": "percent"}, {"a.md": TEXT})
    assert found.proof == Proof("a.md", "We grow by 12 percent.", "line 3")
    wrong = bad(judge({"file": "a.md", "forbids": "None"}))
    assert wrong.proof == Proof("a.md", "None.", "line 7")


def test_the_last_message(judge: Any) -> None:
    told = {"message": True, "matches": "(?i)done", "max_words": 5}
    assert judge(told, message="All is done.").proof == Proof(None, "All is done.", "line 1")
    bad(judge(told, message="Not yet"), "the last message must have")
    bad(judge(told), "say something")


def test_hidden_words_do_not_count(judge: Any) -> None:
    bad(judge({"file": "a.md", "contains": "Conclusion"}, {"a.md": b"x <!-- Conclusion -->"}))
    told = {"file": "a.md", "no_hidden_text": True}
    bad(
        judge(told, {"a.md": "pa\u200bss".encode()}), "take the hidden text out of `a.md`, line 1 (zero-width"
    )
    bad(judge(told, {"a.md": b"x <!-- pass -->"}), "(comment)")
    assert judge(told, {"a.md": b"plain"}).met


# ---------------------------------------------------------------------- citations and numbers


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("It is so [1], and so [2-3].\n# References\n[1] A\n[2] B\n[3] C", ""),
        ("It is so [1].\n## References\n1. A\n## Notes\nmore [1]", ""),
        ("It is so [1] [4].\n# References\n[1] A", "give [4] an entry"),
        ("It is so [1].\n# References\n[1] A\n[2] B", "cite [2] in the text"),
        ("It is so [1].\n# References\n[1] A\n[1] B", "two references of `a.md` have the number 1"),
        ("It is so [1].", "must have a list of references"),
        ("It is so.\n# References\n[1] A", "it has no citation"),
        ("A [1](http://x) link.\n# Sources\n[1] A", "it has no citation"),
    ],
)
def test_citations(judge: Any, text: str, change: str) -> None:
    verdict = judge({"file": "a.md", "citations": True}, {"a.md": text.encode()})
    assert (verdict.status, verdict.reason) == ("not_satisfied" if change else "satisfied", "")
    assert change in verdict.change


def test_citations_of_word_with_a_numbered_list(judge: Any) -> None:
    from docx import Document

    document = Document()
    document.add_paragraph("It is so [1] and [2].")
    document.add_heading("References", 1)
    document.add_paragraph("A", style="List Number")
    told = {"file": "a.docx", "citations": True}
    bad(judge(told, {"a.docx": saved(document)}), "give [2] an entry")
    document.add_paragraph("B", style="List Number")
    assert judge(told, {"a.docx": saved(document)}).met


@pytest.mark.parametrize(
    ("value", "text", "agrees"),
    [
        (1234567, "Revenue 2025 was $1,234,567.", True),
        (1234567, "Revenue 2025: 1.23 million", True),
        (1234567, "Revenue 2025: 1 million", False),
        (1234567, "Revenue 2025: 1,234,576", False),
        (1234567, "revenue\n2025", False),
        (1234567, "Costs: 1,234,567", False),
        (1234567, "With 1,234,567 of Revenue 2025", True),
        (0.124, "Revenue 2025 grew 12.4%", True),
        (12.4, "Revenue 2025 grew 12.4 %", True),
        (12.4, "Revenue 2025 grew 12.9%", False),
        (-3.5, "Revenue 2025: -3.5", True),
        (3.5, "Revenue 2025: -3.5", False),
        (0, "Revenue 2025: 0", True),
        (1234.5, "Revenue 2025: 1,234.5 (up); Revenue 2025 of 999", False),
        (1500000, "Revenue 2025: €1.5M", True),
    ],
)
def test_numbers_agree_with_the_sheet(judge: Any, value: float, text: str, agrees: bool) -> None:
    told = {"file": "a.docx", "numbers": {"Revenue 2025": "data/f.xlsx!Sheet1!B4"}}
    verdict = judge(told, {"a.docx": word(text), "data/f.xlsx": book({"B4": value})})
    assert (verdict.met, verdict.reason) == (agrees, "")


def test_a_number_that_cannot_be_had(judge: Any) -> None:
    told = {"file": "a.md", "numbers": {"Revenue": "f.xlsx!Sheet1!B4"}}
    missing = bad(judge(told, {"a.md": b"Revenue: 1"}), "deliver `f.xlsx`")
    assert "no `f.xlsx`" in missing.reason
    bad(judge(told, {"f.xlsx": book({"B4": "text"})}), "holds no number")
    bad(judge(told, {"f.xlsx": book({"B4": "=1+1"})}), "saved without its value")


# ---------------------------------------------------------------------- JSON

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}}


@pytest.mark.parametrize(
    ("schema", "data", "change"),
    [
        (SCHEMA, b'{"n": 1}', ""),
        (SCHEMA, b'\xef\xbb\xbf{"n": 1}', ""),
        (SCHEMA, b'{"n": 0}', "mend `a.json`: `n`: 0 is less than the minimum of 1"),
        (SCHEMA, b"{}", '"n" is a required property'),
        (SCHEMA, b"{", "make `a.json` valid JSON"),
        (SCHEMA, b"", "make `a.json` valid JSON"),
        (SCHEMA, b"[" * 100_000, "make `a.json` valid JSON"),
        ({"anyOf": [SCHEMA, {"type": "string"}]}, b'"x"', ""),
        ({"anyOf": [SCHEMA, {"type": "string"}]}, b"3", "mend `a.json`"),
    ],
)
def test_json(judge: Any, schema: dict[str, Any], data: bytes, change: str) -> None:
    verdict = judge({"file": "a.json", "schema": schema}, {"a.json": data})
    assert (verdict.status, verdict.reason) == ("not_satisfied" if change else "satisfied", "")
    assert change in verdict.change


def test_a_schema_in_a_file(judge: Any) -> None:
    told = {"file": "a.json", "schema_file": "s.json"}
    assert judge(told, {"a.json": b'{"n": 2}', "s.json": b'{"required": ["n"]}'}).met
    assert "not a JSON Schema" in bad(judge(told, {"s.json": b'{"type": "objec"}'})).reason
    assert "not JSON" in bad(judge(told, {"s.json": b"{"})).reason


# ---------------------------------------------------------------------- documents


@cache
def _report(
    *, small: bool = False, image_alt: str = "a dot", changed: bool = False, comment: bool = False
) -> bytes:
    from docx import Document
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Pt
    from PIL import Image

    document = Document()
    document.core_properties.title = "Annual report"
    document.add_heading("Summary", 1)
    run = document.add_paragraph().add_run("Body text")
    run.font.name, run.font.size = "Arial", Pt(8 if small else 11)
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    picture = document.add_picture(io.BytesIO(file.getvalue()))
    picture._inline.docPr.set("descr", image_alt)
    document.add_table(1, 1).cell(0, 0).text = "cell"
    if changed:
        inserted = f"<w:ins {nsdecls('w')} w:id='1' w:author='a'><w:r><w:t>new</w:t></w:r></w:ins>"
        document.paragraphs[1]._p.append(parse_xml(inserted))
    if comment:
        document.add_comment(run, "why?", author="x")
    return saved(document)


@pytest.mark.parametrize(
    ("told", "made", "change"),
    [
        ({"headings": ["Summary"], "min_words": 3, "max_words": 10}, {}, ""),
        ({"title": "^Annual"}, {}, ""),
        ({"title": "^Monthly"}, {}, "must match `^Monthly`: it is “Annual report”"),
        ({"fonts": ["Arial", "Calibri", "Cambria"]}, {}, ""),
        ({"fonts": ["Arial", "Cambria"]}, {}, "in place of Calibri"),
        ({"min_font_pt": 10}, {}, ""),
        ({"min_font_pt": 10}, {"small": True}, "at least 10 pt; 8 pt in paragraph 2: “Body text”"),
        ({"min_tables": 1, "min_images": 1, "alt_text": True}, {}, ""),
        ({"min_tables": 2}, {}, "at least 2 tables: it has 1"),
        ({"min_images": 2}, {}, "at least 2 images: it has 1"),
        (
            {"alt_text": True},
            {"image_alt": ""},
            "give the image in paragraph 3 of `a.docx` an alternative text",
        ),
        ({"no_changes": True, "no_comments": True}, {}, ""),
        ({"no_changes": True}, {"changed": True}, "accept or reject the tracked change in paragraph 2"),
        ({"no_comments": True}, {"comment": True}, "take the comment “why?” out"),
        ({"no_hidden_text": True}, {"comment": True}, ""),
        ({"contains": "Body text"}, {}, ""),
    ],
)
def test_word(judge: Any, told: dict[str, Any], made: dict[str, Any], change: str) -> None:
    verdict = judge({"kind": "docx", "file": "a.docx", **told}, {"a.docx": _report(**made)})
    assert (verdict.status, verdict.reason) == ("not_satisfied" if change else "satisfied", "")
    assert change in verdict.change


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ({"min_slides": 2, "max_slides": 2, "headings": ["Hello", "Bye"]}, ""),
        ({"max_slides": 1}, "at most 1 slides: it has 2"),
        ({"min_slides": 3}, "at least 3 slides"),
        ({"slide_titles": True}, ""),
        ({"max_words_per_slide": 3}, ""),
        ({"max_words_per_slide": 2}, "slide 1 of `a.pptx` must have at most 2 words: it has 3"),
        ({"min_font_pt": 30, "fonts": ["Calibri"]}, ""),
        ({"min_font_pt": 40}, "32 pt in slide 1: “body text”"),
    ],
)
def test_slides(judge: Any, told: dict[str, Any], change: str) -> None:
    verdict = judge({"file": "a.pptx", **told}, {"a.pptx": deck(("Hello", "body text"), ("Bye", "the end"))})
    assert (verdict.status, verdict.reason) == ("not_satisfied" if change else "satisfied", "")
    assert change in verdict.change


def test_a_slide_without_a_title(judge: Any) -> None:
    told = {"file": "a.pptx", "slide_titles": True}
    verdict = bad(
        judge(told, {"a.pptx": deck(("Hello", "x"), ("", "y"))}), "give slide 2 of `a.pptx` a title"
    )
    assert verdict.proof == Proof("a.pptx", None, "slide 2")


@pytest.mark.parametrize(
    ("told", "change"),
    [
        (
            {"sheets": ["Sheet1"], "cells": {"Sheet1!A1": "Revenue", "Sheet1!B1": 1234.5, "Sheet1!C1": True}},
            "",
        ),
        ({"sheets": ["Costs"]}, "must have a sheet “Costs”"),
        ({"cells": {"Sheet1!B1": 1234}}, "`Sheet1!B1` of `a.xlsx` must hold 1234: it holds 1234.5"),
        ({"cells": {"Sheet1!C1": 1}}, "it holds True"),
        ({"cells": {"Sheet1!Z9": 1}}, "it is empty"),
        ({"formulas": {"Sheet1!B2": "=SUM($B$1:B1)", "Sheet1!B3": True}}, ""),
        ({"formulas": {"Sheet1!B2": "=B1"}}, "not =SUM(B1:B1)"),
        ({"formulas": {"Sheet1!B1": True}}, "must hold a formula"),
        ({"no_errors": True}, "it holds the error #REF!"),
    ],
)
def test_sheets(judge: Any, told: dict[str, Any], change: str) -> None:
    cells = {"A1": "Revenue", "B1": 1234.5, "C1": True, "B2": "=SUM(B1:B1)", "B3": "=B1", "D1": "#REF!"}
    verdict = judge({"file": "a.xlsx", **told}, {"a.xlsx": book(cells)})
    assert (verdict.status, verdict.reason) == ("not_satisfied" if change else "satisfied", "")
    assert change in verdict.change


def test_formulas_without_values_cannot_be_checked(judge: Any) -> None:
    files = {"a.xlsx": book({"A1": "=1/0"})}
    assert "without the values" in bad(judge({"file": "a.xlsx", "no_errors": True}, files)).reason
    assert "without its value" in bad(judge({"file": "a.xlsx", "cells": {"Sheet1!A1": 1}})).reason
    assert judge({"file": "a.xlsx", "no_errors": True}, {"a.xlsx": book({"A1": 1})}).met


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ({"min_pages": 2, "max_pages": 2, "title": "Report"}, ""),
        ({"max_pages": 1}, "at most 1 pages: it has 2"),
        ({"min_pages": 3}, "at least 3 pages: it has 2"),
        ({"fonts": ["Helvetica"], "min_font_pt": 9}, ""),
        ({"fonts": ["Arial"]}, "use Arial in place of Helvetica"),
        ({"min_font_pt": 10}, "9 pt in page 2: “Second”"),
        ({"headings": ["First page"], "contains": "Second"}, ""),
        ({"min_images": 1}, "at least 1 images"),
    ],
)
def test_pdf(judge: Any, told: dict[str, Any], change: str) -> None:
    data = pdf(written("First page"), written("Second", 9), title="Report")
    verdict = judge({"file": "a.pdf", **told}, {"a.pdf": data})
    assert (verdict.status, verdict.reason) == ("not_satisfied" if change else "satisfied", "")
    assert change in verdict.change


# ---------------------------------------------------------------------- what cannot be checked


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.docx", b"", "0 bytes"),
        ("a.docx", word("x")[:-300], "damaged"),
        ("a.docx", book({"A1": 1}), "it is a .xlsx"),
        ("a.docx", repacked(word("x"), {"word/x.xml": b"<!DOCTYPE a>"}), "document type"),
    ],
)
def test_what_cannot_be_read_is_not_satisfied(judge: Any, name: str, data: bytes, said: str) -> None:
    for told in ({"kind": "docx", "file": name}, {"file": name, "lacks": "secret"}):
        verdict = bad(judge(told, {name: data}), "mend `a.docx`", said)
        assert "could not be checked" in verdict.reason and said in verdict.reason


def test_text_that_was_read_in_part_is_not_satisfied(judge: Any) -> None:
    assert (
        "could not be checked"
        in bad(judge({"file": "a.txt", "lacks": "x"}, {"a.txt": b"a " * 300_000})).reason
    )


def test_without_the_libraries_nobody_is_told_to_change_the_work(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reverie.outcomes.documents import readers
    from reverie.outcomes.documents.reading import Reading
    from reverie.outcomes.documents.worker import EXTRA

    missing = Reading(problem=f"files of this kind are read where docx is installed: {EXTRA}")
    monkeypatch.setattr(readers.Limited, "read", lambda self, data, name: missing)
    verdict = bad(judge({"kind": "docx", "file": "a.docx"}, {"a.docx": word("of this test alone")}))
    assert EXTRA in verdict.reason
    assert verdict.change == ""


@pytest.mark.parametrize(
    "check", [Check("oracle", {"file": "x"}), Check("text", {"file": "x", "matches": "("}), Check("json", {})]
)
def test_a_check_that_was_never_validated_is_not_satisfied(tmp_path: Path, check: Check) -> None:
    (tmp_path / "x").write_bytes(b"x")
    (verdict,) = asyncio.run(run_checks([Criterion("a", "b", check=check)], Work(), Folder(tmp_path), None))
    assert verdict.status == "not_satisfied"
    assert verdict.reason


def test_each_criterion_with_a_check_has_a_verdict_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"x")
    told = [{"file": "b.md"}, {"command": "true"}, {"file": "a.md"}, None]
    criteria = [
        Criterion(f"c{n}", "", check=None if it is None else checked(it)) for n, it in enumerate(told)
    ]
    verdicts = asyncio.run(run_checks(criteria, Work(), Folder(tmp_path), None))
    assert [(v.criterion, v.met) for v in verdicts] == [("c0", False), ("c1", False), ("c2", True)]
    assert "no sandbox" in verdicts[1].reason
