"""Rubrics as people write them are read into criteria; whatever they write, nothing worse than `Invalid` comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.domain.outcomes import MAX_RUBRIC, Criterion, Rubric
from reverie.outcomes.rubrics import MAX_CRITERIA, as_json, read_rubric


def criteria(text: str) -> Sequence[Criterion]:
    return read_rubric(text).criteria


def one(text: str) -> Criterion:
    (found,) = criteria(text)
    return found


def texts(text: str) -> list[str]:
    return [each.text for each in criteria(text)]


def levels(text: str) -> list[bool]:
    return [each.must for each in criteria(text)]


def why_not(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        read_rubric(text)
    assert caught.value.field == "rubric"
    return str(caught.value)


WHOLE = """# Quarterly report

Numbers come from figures.xlsx.

## Must

- [ ] Cites at least three primary sources (weight 2) {#citations}
- The summary is at most one page.

  It names the two largest risks.
- The file opens.

  ```check
  file = "report.docx"
  min_bytes = 1000
  ```

## Nice to have

1. A glossary
2. (must) Every figure has alternative text
"""


def test_a_whole_rubric() -> None:
    rubric = read_rubric(WHOLE)
    assert (rubric.title, rubric.guidance) == ("Quarterly report", "Numbers come from figures.xlsx.")
    assert rubric.structured and rubric.text == WHOLE
    citations, summary, opens, glossary, alt = rubric.criteria
    assert citations == Criterion(
        "citations", "Cites at least three primary sources", True, 2.0, "Must", None, 7
    )
    assert summary.text == "The summary is at most one page.\nIt names the two largest risks."
    assert (opens.text, opens.line) == ("The file opens.", 11)
    assert opens.check is not None and opens.check.kind == "file"
    assert opens.check.wants["min_bytes"] == 1000
    assert (glossary.text, glossary.must, glossary.section) == ("A glossary", False, "Nice to have")
    assert (alt.text, alt.must, alt.line) == ("Every figure has alternative text", True, 21)


def test_as_json() -> None:
    told = as_json(read_rubric(WHOLE))
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    assert told["criteria"][0] == {
        "id": "citations",
        "line": 7,
        "text": "Cites at least three primary sources",
        "must": True,
        "weight": 2.0,
        "section": "Must",
        "check": None,
    }
    assert told["criteria"][2]["check"]["file"] == "report.docx"


@pytest.mark.parametrize(
    "text",
    [
        "The report is good.",
        "## Accuracy\n\nNumbers add up.\n\n## Style\n\nShort.",
        "> - quoted",
        "| a | b |\n|-|-|\n|1|2|",
    ],
)
def test_free_text_is_one_criterion(text: str) -> None:
    rubric = read_rubric(f"{text}\n")
    assert rubric == Rubric(f"{text}\n", (Criterion("rubric", text),), structured=False)


@pytest.mark.parametrize(
    ("item", "must", "weight", "text"),
    [
        ("Cites sources", True, 1, "Cites sources"),
        ("[must] Cites sources", True, 1, "Cites sources"),
        ("(should) Cites sources", False, 1, "Cites sources"),
        ("**Must**: cites sources", True, 1, "cites sources"),
        ("**Should:** cites sources", False, 1, "cites sources"),
        ("Optional: cites sources", False, 1, "cites sources"),
        ("**[nice to have]** Cites sources", False, 1, "Cites sources"),
        ("Cites sources (optional).", False, 1, "Cites sources."),
        ("Cites sources (should, weight 0.5)", False, 0.5, "Cites sources"),
        ("Cites sources [weight: 3]", True, 3, "Cites sources"),
        ("Cites sources (weight 2) {#id should}", False, 2, "Cites sources"),
        ("[x] (must) Cites sources {weight=4}", True, 4, "Cites sources"),
        ("**Sources (40%)**: three", True, 40, "**Sources**: three"),
        ("**Sources** (5 points): three", True, 5, "**Sources**: three"),
        ("Code quality (15%)", True, 15, "Code quality"),
        ("Cites sources (10 marks)", True, 10, "Cites sources"),
        ("Sources (bonus) - three", False, 1, "Sources - three"),
        ("It SHOULD cite sources", False, 1, "It SHOULD cite sources"),
        ("It MUST cite and SHOULD list", True, 1, "It MUST cite and SHOULD list"),
        ("Ideally, cites sources", False, 1, "Ideally, cites sources"),
        # words, not marks
        ("The font is Arial (12 points)", True, 1, "The font is Arial (12 points)"),
        ("Grows faster than the market (20%)", True, 1, "Grows faster than the market (20%)"),
        ("Explains (should) in words", True, 1, "Explains (should) in words"),
        ("Ends with `(weight 2)`", True, 1, "Ends with `(weight 2)`"),
        ("Calls `f(should): g` once", True, 1, "Calls `f(should): g` once"),
        ("Uses the set {1, 2}", True, 1, "Uses the set {1, 2}"),
        ("Links [must](https://example.com)", True, 1, "Links [must](https://example.com)"),
        ("Gives the weight (weight in kg)", True, 1, "Gives the weight (weight in kg)"),
        ("[must]: https://example.com", True, 1, "https://example.com"),
        ('Says "MUST" and `SHOULD`', True, 1, 'Says "MUST" and `SHOULD`'),
        ("The report should cite sources", True, 1, "The report should cite sources"),
        ("Should errors be shown?", True, 1, "Should errors be shown?"),
        ("THE REPORT SHOULD CITE", True, 1, "THE REPORT SHOULD CITE"),
        ("Cites sources <!-- three? --> by name", True, 1, "Cites sources  by name"),
    ],
)
def test_marks(item: str, must: bool, weight: float, text: str) -> None:
    found = one(f"- {item}\n")
    assert (found.must, found.weight, found.text) == (must, weight, text)


@pytest.mark.parametrize(
    ("title", "must"),
    [
        ("Must", True),
        ("Must-haves", True),
        ("1. Required", True),
        ("Should have:", False),
        ("Nice to have", False),
        ("Nice-to-haves (if there is time)", False),
        ("Style (optional)", False),
        ("Style - bonus", False),
        ("Bonus points", False),
        ("⭐ Optional criteria", False),
        ("Optional parameters", True),
        ("Requirements", True),
        ("Why it should work", True),
    ],
)
def test_sections_say_must_or_should(title: str, must: bool) -> None:
    assert levels(f"# Rubric\n\n## {title}\n\n- a\n") == [must]
    assert levels(f"# Rubric\n\n**{title}**\n\n- a\n") == [must]


def test_a_part_of_a_section_is_as_its_section() -> None:
    text = "## Optional\n\n### Layout\n\n- a\n\n### Must\n\n- b\n\n## Text\n\n- c\n"
    assert [(each.section, each.must) for each in criteria(text)] == [
        ("Optional / Layout", False),
        ("Optional / Must", True),
        ("Text", True),
    ]


def test_should_as_a_first_word_counts_beside_a_must_alone() -> None:
    assert levels("- Should cite\n- Should list\n") == [True, True]
    assert levels("- Must cite\n- Should list\n") == [True, False]
    assert levels("## Must\n\n- Should cite\n\n## Others\n\n- Should list\n- x\n") == [True, False, True]


@pytest.mark.parametrize(
    ("text", "title", "section"),
    [
        ("# T\n\n- a\n\n## B\n", "T", ""),
        ("## T\n\n- a\n", "", "T"),
        ("# A\n\n- a\n\n# B\n", "", "A"),
        ("Text.\n\n# A\n\n- a\n", "", "A"),
        ("# Must\n\n- a\n", "", "Must"),
    ],
)
def test_the_first_heading_is_the_title_if_it_is_the_only_one_of_its_kind(
    text: str, title: str, section: str
) -> None:
    rubric = read_rubric(text)
    assert (rubric.title, rubric.criteria[0].section) == (title, section)


def test_a_bold_line_heads_one_list() -> None:
    text = "**Optional**\n\n- a\n\nText between.\n\n- b\n"
    assert [(each.text, each.must, each.section) for each in criteria(text)] == [
        ("a", False, "Optional"),
        ("b", True, ""),
    ]


def test_a_section_has_a_weight_for_each_criterion_in_it() -> None:
    found = criteria("## Numbers (weight 3)\n\n- a\n- b (weight 1)\n\n## Words\n\n- c\n")
    assert [each.weight for each in found] == [3, 1, 1]


def test_words_above_a_list_stand_before_each_item() -> None:
    assert texts("The report must not contain:\n\n- names\n- addresses\n") == [
        "The report must not contain: names",
        "The report must not contain: addresses",
    ]
    assert texts("- The report has:\n  - a summary\n  - a table:\n    - of costs\n") == [
        "The report has: a summary",
        "The report has: a table: of costs",
    ]


def test_words_that_only_announce_a_list_are_for_the_grader() -> None:
    rubric = read_rubric("For the board. It is graded by these criteria:\n\n- a\n")
    assert [each.text for each in rubric.criteria] == ["a"]
    assert rubric.guidance == "For the board.\n\nIt is graded by these criteria:"


def test_sections_of_what_must_not_be() -> None:
    text = (
        "## Must not\n\n- name clients\n\n## Red flags\n\n- invented numbers\n\n## Should not\n\n- be long\n"
    )
    assert [(each.text, each.must) for each in criteria(text)] == [
        ("Must not: name clients", True),
        ("Must not be the case (Red flags): invented numbers", True),
        ("Should not: be long", False),
    ]


def test_nested_items() -> None:
    assert texts("- Sorted by\n  - name\n  - date\n") == ["Sorted by\n- name\n- date"]
    assert texts("- Is one of:\n  - a pdf\n  - a docx\n") == ["Is one of:\n- a pdf\n- a docx"]
    assert texts("Is one of:\n\n- a pdf\n- a docx\n") == ["Is one of:\n- a pdf\n- a docx"]
    assert texts("- Data: {#data}\n  - clean\n  - whole\n") == ["Data:\n- clean\n- whole"]
    marked = criteria("- Data (weight 2)\n  - [ ] clean\n  - [ ] whole (should)\n")
    assert [(each.text, each.weight, each.must, each.line) for each in marked] == [
        ("Data: clean", 2, True, 2),
        ("Data: whole", 2, False, 3),
    ]
    assert texts("- - a\n  - b\n") == ["a", "b"]


def test_the_steps_of_a_scale_are_one_criterion() -> None:
    assert texts("- Accuracy:\n  - 5: all\n  - 1: none\n") == ["Accuracy:\n- 5: all\n- 1: none"]
    steps = (
        "* **Excellent (40-50):** a\n* **Good (30-39):** b\n* **Poor (<30):** c\n\n* **Bonus (0-15):** d\n"
    )
    assert one(f"# R\n\n## Design\n\n{steps}").text.startswith("Design\n- **Excellent (40-50):** a\n")
    found = one("# Rubric\n\n## Clarity\n\n- Excellent: all\n- Poor: none\n")
    assert found.text == "Clarity\n- Excellent: all\n- Poor: none"


def test_a_section_for_the_grader_holds_no_criteria() -> None:
    rubric = read_rubric("# R\n\n## Notes for the grader\n\n- be strict\n\n## Text\n\n- short\n")
    assert [each.text for each in rubric.criteria] == ["short"]
    assert rubric.guidance == "## Notes for the grader\n\n- be strict"
    assert read_rubric("- a\n\n<!-- secret -->\n").guidance == ""


TABLE = """| # | Criterion | Weight | Priority | Description | Source |
|---|---|---|---|---|---|
| 1 | Totals | 40% | must | They add up. | sheet |
| 2 | Style {#style} | - | should | | |
|   | **Total** | 100% | | | |
"""


def test_a_table_of_criteria() -> None:
    totals, style = criteria(TABLE)
    assert totals == Criterion(
        "totals-they-add-up-source-sheet", "Totals\nThey add up.\nSource: sheet", True, 40, line=3
    )
    assert style == Criterion("style", "Style", False, line=4)
    assert one("| Category | Weight | Focus |\n|-|-|-|\n| Code | 5% | tests |\n").text == "Code\nFocus: tests"
    assert not read_rubric("| Category | Focus |\n|-|-|\n| Code | tests |\n").structured
    assert one("| ID | Requirement | Points |\n|-|-|-|\n| R1 | opens | 5 |\n") == Criterion(
        "R1", "opens", weight=5, line=3
    )


def test_ids_are_made_of_the_words() -> None:
    ids = [
        each.id for each in criteria("- Cites sources.\n- cites *sources*\n- 中文\n- x {#cites-sources-2}\n")
    ]
    assert ids[:2] == ["cites-sources", "cites-sources-3"] and ids[3] == "cites-sources-2"
    assert ids[2].startswith("criterion-")
    long = "- It " + "says very much " * 9
    assert criteria(f"{long}\n- x\n")[0].id == criteria(f"- x\n{long}\n")[1].id
    assert criteria(f"{long}\n- x\n")[0].id != criteria(f"{long}!\n- x\n")[0].id


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_editors_do(breaks: str) -> None:
    text = breaks.join(["\ufeff# T", "", "- a", "  more", "- b\u2028c", "", "1) d"])
    assert [each.line for each in criteria(text)] == [3, 5, 7]


CHECK = "- a\n\n  ```check\n  {}\n  ```\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("x" * (MAX_RUBRIC + 1), "at most 262,144 characters, this has 262145"),
        ("a\nb\x00", "line 2: the character U+0000 is not text"),
        ("a\r\nb\r\n\x1b[1m", "line 3: the character U+001B"),
        ("\ud800", "line 1: the character U+D800"),
        ("- a {#x}\n- b\n- c {#x}", "line 3: the id 'x' is that of the criterion in line 1"),
        ("- a {#x y}", "line 1: 'y' is no mark"),
        ("- a {#-}", "line 1: '-' is no id"),
        ("- a\n- b (weight 0)", "line 2: a weight is above 0 and at most 1000, not 0"),
        ("- b (-5 points)", "line 1: a weight is above 0"),
        ("- a (weight 2) (weight 3)", "line 1: two marks for weight"),
        ("- a {weight=heavy}", "line 1: 'weight=heavy' is no mark"),
        ("- (weight 2)", "line 1: a criterion without words"),
        ("- a\n" * (MAX_CRITERIA + 1), f"line {MAX_CRITERIA + 1}: more than {MAX_CRITERIA} criteria"),
        ("| criterion | weight |\n|-|-|\n| a | high |", "line 3: the weight 'high' is no number"),
        (CHECK.format("file = "), "line 4: this check is not TOML"),
        (CHECK.format("a = [" + "[" * 5000), "this check is not TOML"),
        (CHECK.format(f"a = {'9' * 5000}"), "line 3: this check is not TOML"),
        (CHECK.format(""), "line 3: this check is empty"),
        (CHECK.format('kind = "magic"'), "line 3: this check is none: `kind`: one of command"),
        (CHECK.format('file = "a"') * 1 + "\n  ```check\n  file = 'b'\n  ```\n", "line 7: a second check"),
        ("- a\n\n```check\nfile = 'a'\n```\n", "line 3: this check belongs to no criterion"),
        ("Free text.\n\n```check\nfile = 'a'\n```\n", "line 3: this check belongs to no criterion"),
        ("- a\n" + "- " * 40 + "b", "line 2: nested too deep"),
        ("- a\n  > ```check\n  > file = 'a'\n", "line 2: this check belongs to no criterion"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, words: str) -> None:
    assert words in why_not(text)


@given(st.text(max_size=300))
@settings(max_examples=150)
def test_no_text_makes_worse_than_invalid(text: str) -> None:
    _is_read_or_refused(text)


PIECES = st.sampled_from(
    """- |* |1. |2) |  |    |\n|\n\n|# |## |> |```check\n|```\n|file = "a.docx"\n|text|must |Should |MUST |(weight 2)|(|)
    |{#a}|{|}|[must] |[ ] |**|:|one of:|\\|criterion\\|weight\\|\n|-\\||\\|a\\|2\\|\n|<!--|-->|\t|---\n|===\n|`|5: |Must\n
    |(3 points)|Red flags\n|Guidance\n|é|\ufeff|\u2028|\x0c|&amp;|[a]: b\n""".replace("\\|", "\x01").split(
        "|"
    )
).map(lambda piece: piece.replace("\x01", "|"))


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=400)
def test_no_markdown_makes_worse_than_invalid(text: str) -> None:
    _is_read_or_refused(text)


def _is_read_or_refused(text: str) -> None:
    try:
        rubric = read_rubric(text)
    except Invalid as refused:
        assert str(refused)
        return
    assert read_rubric(text) == rubric
    ids = [each.id for each in rubric.criteria]
    assert len(set(ids)) == len(ids) > 0
    assert all(each.text.strip() and 0 < each.weight <= 1000 for each in rubric.criteria)
    lines = len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    assert all(1 <= each.line <= lines for each in rubric.criteria)
    if rubric.structured:
        assert all(a.line <= b.line for a, b in pairwise(rubric.criteria))


WORDS = st.lists(
    st.sampled_from(["cites", "sources", "names", "risks", "table", "page", "totals", "add", "up"]),
    min_size=1,
    max_size=5,
)
ITEM = st.tuples(
    st.sampled_from(["- ", "* ", "1. ", "- [ ] ", "7) "]),
    WORDS,
    st.sampled_from(["", "\n  more", "\n\n   more"]),
)
SECTION = st.tuples(
    st.sampled_from(["## A", "### B\n", "Prose.\n", "## Optional"]), st.lists(ITEM, min_size=1, max_size=6)
)


@given(st.lists(SECTION, min_size=1, max_size=5))
@settings(max_examples=100)
def test_every_item_is_a_criterion_at_its_line(
    sections: list[tuple[str, list[tuple[str, list[str], str]]]],
) -> None:
    text, wanted = "", []
    for head, items in sections:
        text += f"{head}\n\n"
        for marker, words, more in items:
            wanted.append((text.count("\n") + 1, " ".join(words)))
            text += f"{marker}{' '.join(words)}{more}\n"
        text += "\n"
    found = [(each.line, each.text.split("\n")[0]) for each in criteria(text)]
    assert found == wanted


@pytest.mark.parametrize(
    "text",
    [
        "- " * 20_000 + "a",
        "> " * 20_000 + "- a",
        "- a " + "(x)" * 40_000,
        "- " + "(weight 2" * 20_000,
        "- a\n  " + "<!--" * 40_000,
        "- " + "[" * 100_000,
        "- " + "`" * 100_001 + "(must)",
        "- a" + "\n  b" * 20_000,
        "- " + "must " * 40_000,
        "|criterion|\n|-|\n" + "|" * 100_000,
        "x. " * 60_000 + "y:\n- a",
        "- " + "“" * 200_000,
    ],
    ids=range(12),
)
def test_no_text_makes_it_hang(text: str) -> None:
    """Where one step of the reading is quadratic, one of these takes minutes."""
    _is_read_or_refused(text)


def test_a_check_is_as_its_room_reads_it() -> None:
    found = one('- Tests pass\n\n  ```check\n  command = "make test"\n  exit = 0\n  ```\n')
    assert found.check is not None and found.check.kind == "command"
    wants: Mapping[str, object] = found.check.wants
    assert wants["command"] == "make test"
    assert "check" not in found.text
