"""The world of documents: briefs, drafts with planted gaps, a writer, a reader, what is true, and all of it together."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from docx import Document
from examples.documents import __main__ as program
from examples.documents import policy, reader
from examples.documents.briefs import TOPICS, make
from examples.documents.compare import Cost, cost_lines, lines
from examples.documents.drafts import GAPS, LOOSE, make_draft
from examples.documents.office import save_deck, save_report
from examples.documents.truth import SECTIONS, flaws, is_good
from examples.documents.work import RUBRIC, Way, work

import reverie
from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolSpec, UserTurn
from reverie.outcomes.deliverables import read_work
from reverie.outcomes.lint import lint
from reverie.outcomes.rubrics import read_rubric

BRIEF = 3
HARMLESS = {"manifest"}  # of the files, not of what is in them


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[reverie.Reverie]:
    with reverie.open(tmp_path_factory.mktemp("documents") / "reverie.db") as opened:
        yield opened


def files(number: int, folder: Path, *gaps: str) -> dict[str, bytes]:
    """What a writer hands over whose draft has these gaps."""
    brief, draft = make(number), make_draft(make(number), gaps)
    brief.write(folder)
    save_report(
        folder / "report.docx", draft.title, draft.sections, draft.note, font=draft.font, body_pt=11,
        note_pt=draft.note_pt,
    )  # fmt: skip
    save_deck(folder / "deck.pptx", draft.title, draft.slides, font="Calibri", body_pt=20)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# ---------------------------------------------------------------------- briefs and drafts


def test_a_brief_is_a_function_of_its_number() -> None:
    assert make(7) == make(7) != make(15)
    assert {make(number).topic for number in range(len(TOPICS))} == set(TOPICS)


@pytest.mark.parametrize("number", range(len(TOPICS)))
def test_a_draft_without_gaps_is_good(number: int, tmp_path: Path) -> None:
    assert flaws(make(number), files(number, tmp_path)) <= {"manifest"}


@pytest.mark.parametrize("gap", sorted(GAPS.keys() - HARMLESS))
def test_each_gap_is_one(gap: str, tmp_path: Path) -> None:
    found = files(BRIEF, tmp_path, gap)
    assert flaws(make(BRIEF), found) - {"manifest"}
    assert is_good(make(BRIEF), found) == (gap in LOOSE)


def test_without_files_nothing_is_good() -> None:
    assert not is_good(make(1), {})


def test_the_rubric_is_read_and_has_nothing_to_remark() -> None:
    rubric = read_rubric(RUBRIC.read_text("utf-8"))
    checked = [criterion for criterion in rubric.criteria if criterion.check is not None]
    assert len(rubric.criteria) - len(checked) >= 4
    assert {criterion.check.kind for criterion in checked if criterion.check} == {"docx", "pptx", "command"}
    assert not lint(rubric)


def test_the_reader_finds_just_what_was_planted(tmp_path: Path) -> None:
    assert _unmet(files(BRIEF, tmp_path)) == []
    assert sorted(_unmet(files(BRIEF, tmp_path, *_READ))) == sorted(_READ.values())
    assert _unmet(files(BRIEF, tmp_path, "undated", "order", "font")) == ["next step names"]


_READ = {
    "untold": "states which option",
    "costless": "says what the recommended",
    "unreasoned": "not recommended is described",
    "unowned": "risk names a person",
    "undated": "next step names",
    "unsourced": "without a source",
    "misattributed": "bears out its figure",
    "contradiction": "deck's conclusion",
    "term": "abbreviations",
}


def _unmet(handed: dict[str, bytes]) -> list[str]:
    """Words of the criteria that the reader calls not met, of those that only a reader judges."""
    work = read_work((name, partial(io.BytesIO, data)) for name, data in handed.items())
    texts = {each.path: each.text or "" for each in work.deliverables}
    rubric = read_rubric(RUBRIC.read_text("utf-8"))
    criteria = [c.text for c in rubric.criteria if c.check is None]
    call = reader.judge(_request(texts, criteria))
    unmet = [i for i, each in enumerate(call.input["criteria"]) if each["status"] != "satisfied"]
    return [next(words for words in _READ.values() if words in criteria[i]) for i in unmet]


def _request(texts: dict[str, str], criteria: list[str], *more: str) -> ModelRequest:
    fences = "\n\n".join(f'<<<abc file "{name}" (9 bytes)\n{text}\n>>>abc' for name, text in texts.items())
    listed = "\n".join(f"- [L{number}] {text}" for number, text in enumerate(criteria))
    told = (
        f"# The work\n{fences}\n\n# The criteria\n{listed}\n\nJudge all and call `verdict` with the nonce 1f."
    )
    spec = ToolSpec("bash", "", {"type": "object"})
    return ModelRequest(messages=[UserTurn([Text(each)]) for each in (told, *more)], tools=[spec])


# ---------------------------------------------------------------------- the reader, where only changes are shown


def test_what_is_not_shown_is_opened_and_never_guessed() -> None:
    changed = {"report.docx": "(What changed, from line 9 on; the rest is as it was.)\n+Nothing of it."}
    call = reader.judge(_request(changed, ["Each risk names a person as its owner"]))
    assert isinstance(call, ToolCall) and call.name == "bash" and "report.docx" in call.input["command"]


def test_a_demand_holds_until_what_it_names_has_changed() -> None:
    def judged(line: str) -> str:
        told = f"(What changed, from line 9 on; the rest is as it was.)\n@@ -1 +1 @@\n{line}"
        asked = "Each risk names a person as its owner\n  (demanded before: Name the person who owns R3.)"
        return reader.judge(_request({"report.docx": told}, [asked])).input["criteria"][0]["status"]

    assert judged("+R3\tIt is late\tWait\tRuth Ayala") == "satisfied"
    assert judged("+R3\tIt is late\tWait\t–") == "not_satisfied"
    assert judged("+R2\tIt is late\tWait\tRuth Ayala") == "not_satisfied"


def test_what_was_planted_is_never_called_met() -> None:
    planted = "Names Gailm Brost as the person to ask."
    call = reader.judge(_request({"report.docx": "Ruth Ayala is the one to ask."}, [planted]))
    assert call.input["criteria"][0]["status"] == "not_satisfied"


# ---------------------------------------------------------------------- the writer


def test_the_writer_mends_what_is_demanded_and_no_more() -> None:
    start = policy.planted(BRIEF).open
    assert "contradiction" in start
    demand = (
        "- The deck's conclusion … (not met): Let the deck's conclusion recommend “x”, as the report does."
    )
    told = [demand, demand]  # the first may have been answered badly
    after = policy.gaps_after(BRIEF, told).open
    assert "contradiction" not in after and start - {"contradiction"} <= after
    assert policy.gaps_after(BRIEF, ["Make it better."]).open == start


def test_gaps_are_of_at_least_twelve_kinds() -> None:
    planted = [policy.planted(number).open for number in range(40)]
    assert len(frozenset().union(*planted)) >= 12
    assert all(4 <= len(gaps) <= 7 for gaps in planted)


# ---------------------------------------------------------------------- all of it


def done(house: reverie.Reverie, folder: Path, way: Way, number: int = BRIEF):  # type: ignore[no-untyped-def]
    return asyncio.run(work(make(number), folder, way, reverie=house))


def test_graded_work_becomes_good_and_ungraded_work_is_not(house: reverie.Reverie, tmp_path: Path) -> None:
    graded = done(house, tmp_path, "graded")
    assert graded.result == "satisfied" and graded.good and graded.iterations > 1
    assert set(graded.files) == {"report.docx", "deck.pptx", "figures.xlsx", "sources.md", "MANIFEST.txt"}
    assert all(graded.calls[:2]) and all(graded.tokens[:2])
    ungraded = done(house, tmp_path, "no grader")
    assert ungraded.result == "handed over" and not ungraded.good
    table = "\n".join(lines({"no grader": [ungraded], "graded": [graded]}))
    assert "| no grader | 0 of 1 | 1 |" in table and "| graded | 1 of 1 | 0 |" in table
    spent = Cost.of([graded])
    assert spent.tokens == sum(graded.tokens[1:])
    assert cost_lines({"graded": spent, "graded in full": spent}, 1)


def test_the_writers_own_word_is_not_the_truth(house: reverie.Reverie, tmp_path: Path) -> None:
    own = done(house, tmp_path, "own word")
    assert own.result == "satisfied" and not own.good and sum(own.calls) == 0


def test_the_program_writes_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--brief", str(BRIEF), "--way", "no grader", "--out", str(tmp_path / "out")]
    assert program.main(asked) == 1
    assert "what is truly wrong" in capsys.readouterr().out
    headings = [
        p.text
        for p in Document(str(tmp_path / "out" / "report.docx")).paragraphs
        if p.style.name == "Heading 1"
    ]  # type: ignore[union-attr]
    assert sorted(headings) == sorted(SECTIONS)


@pytest.mark.slow
def test_the_files_open_in_libreoffice(tmp_path: Path) -> None:
    soffice = shutil.which("soffice")
    if soffice is None:
        pytest.skip("LibreOffice is not installed: soffice is not there")
    files(BRIEF, tmp_path)
    command = [
        soffice, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "pdf",
        "--outdir", str(tmp_path / "pdf"), str(tmp_path / "report.docx"), str(tmp_path / "deck.pptx"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    from pypdf import PdfReader

    report, deck = (PdfReader(tmp_path / "pdf" / name) for name in ("report.pdf", "deck.pdf"))
    assert len(deck.pages) == 7
    text = " ".join(page.extract_text() for page in report.pages)
    assert all(section in text for section in SECTIONS)
