"""A good rubric gets no remark; a flaw that is planted in one gets its own, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.outcomes.lint import Remark, lint
from reverie.outcomes.rubrics import read_rubric


def said(text: str) -> list[tuple[int, str]]:
    return [(each.line, each.kind) for each in lint(read_rubric(text))]


def kinds(*items: str) -> list[str]:
    """Of a rubric of these items."""
    return [kind for _, kind in said("".join(f"- {item}\n" for item in items))]


GOOD = {
    "discounted cash flow": """# DCF model

## Revenue
- Uses revenue of the last 5 fiscal years from the 10-K filings
- Projects revenue for at least 5 years forward
- Growth rates are stated, each with the source it is taken from

## Costs
- Cost of goods and operating expenses are modelled separately
- Margins stay within 2 points of the five-year average, or the deviation is explained next to the number

## Discount rate
- WACC is computed by CAPM, with beta, risk-free rate and equity premium on the Assumptions sheet
- Cost of debt and tax rate are stated

## Output
- All figures are in a single .xlsx file
- Key assumptions are on a separate "Assumptions" sheet
- A sensitivity table shows value per share for at least three WACCs and at least three growth rates
""",
    "quarterly report": """# Board report

## Must
- The report has at most 10 pages {#length}

  ```check
  file = "report.pdf"
  max_pages = 10
  ```
- The executive summary is at most one page and names the two largest risks
- Every number in the text is that of figures.xlsx
- No client is named
- The file report.pdf opens

  ```check
  file = "report.pdf"
  min_pages = 3
  ```

## Should
- A glossary explains each abbreviation
- Figures have alternative text
- The appendix is at least 12 pages
""",
    "code change": """## Must

1. `make test` passes (weight 3)

   ```check
   command = "make test"
   ```
2. `ruff check` reports nothing

   ```check
   command = "ruff check ."
   ```
3. The bug of the report is reproduced by a test that fails without the change
4. No test is deleted or skipped
5. Public functions that changed have a docstring naming the errors they raise
6. The change touches at most 5 files

## Nice to have

- The changelog has an entry of one line under "Unreleased"
- Error messages name the file and the line
""",
    "table": """| Criterion | Weight | Description |
|---|---|---|
| Totals | 40% | Every total equals the sum of its rows. |
| Sources | 30% | At least four sources, each with a URL and a date of access. |
| Summary | 20% | Three sentences, the first of which states the recommendation. |
| Spelling | 10% | At most two spelling errors. |
| **Total** | 100% | |
""",
    "email": """The reply is to a customer who waits for a refund.

- It states the amount of the refund, 49.90 EUR
- It states the date by which the money arrives
- The tone is professional: no slang, no exclamation marks, the customer addressed by name
- It has between 80 and 150 words
- It does not mention the internal ticket number
- It mentions the order number
- It ends with the signature from `signature.txt`
""",
    "release notes": """# Release notes

- [ ] Every merged pull request is listed once, with its number
- [ ] Breaking changes stand in a section of their own, before all others
- [ ] Each breaking change has a migration example in a code block
- [ ] No entry is longer than two lines
- [ ] Contributors are listed by handle, in alphabetical order
- [ ] The document is valid Markdown
""",
    "data cleaning": """## Data

The cleaned table must satisfy:

- `id` is unique
- dates are ISO 8601
- no row of the source is lost without an entry in rejected.csv
- missing ages are empty, not 0 or -1

```text
an example
```

## Log

- rejected.csv has a column `reason`
- The log states the number of rows read, kept and rejected, and the three add up
""",
    "scale": """# Essay

## Thesis (weight 2)
- 5: one sentence states a claim that can be disputed
- 3: a topic is stated, no claim
- 0: neither

## Evidence
- Excellent: each paragraph quotes the text
- Fair: most do
- Poor: fewer

## Form
- 1,000 to 1,200 words
- MLA citations
- Comprehensive income is defined with reference to IAS 1
""",
    "slides": """# Pitch deck

**Must**

- Between 8 and 12 slides
- Each slide has a title of at most 8 words
- Slide 2 states the problem in one sentence
- The market size cites a source not older than 2 years
- The last slide has contact details

**Nice to have**

- Speaker notes for every slide
- At least 3 slides have a chart
- No slide has more than 40 words
""",
    "must and must not": """## Must
- Recommends exactly one vendor
- Lists the total cost of ownership over 3 years for each vendor
- Compares uptime and price of all vendors in one table

## Must not
- Name a person
- Quote a price that is not in quotes.pdf
- Recommend a vendor that is not in quotes.pdf

## Guidance
- Reasonable people differ on weights: do not grade them
""",
    "translation": """- Every sentence of the source has a counterpart, in the same order
- Product names are not translated
- The terms of glossary.csv are used wherever they occur
- Numbers and units are those of the source
- "You" is rendered by the formal form throughout
- Placeholders such as `{name}` are unchanged
- Headings have the same levels as in source.md
""",
    "free text": "The memo names the decision, the date and who decided, and fits on one page.\n",
    "research brief": """# Brief on heat pumps

Well-sourced means: a paper, a standard or a public statistic.

1. States the annual cost of a heat pump and of a gas boiler for the house in brief.md
2. Says which assumptions the result is most sensitive to, with the break-even price
3. Claims are well-sourced, each with a link
4. Considers at least two climates
5. The conclusion agrees with the table
6. Says what is not known
""",
    "postmortem": """# Incident postmortem

- Timeline in UTC with at least one entry per 15 minutes between 09:00 and 11:30
- Root cause is stated in one sentence and supported by a log excerpt
- Names every customer-facing service that was affected
- Impact is given as number of failed requests and share of all requests
- Action items each have an owner and a due date within 30 days
- No individual is blamed by name
- The document links the dashboard and the incident channel
- Detection, response and recovery each have their own heading
- Lessons learned has 3 to 5 bullets
- Written in the past tense
- The summary can be understood without reading the rest
- Severity matches the definition in severity.md
- Uses the template postmortem.md; sections that do not apply say so
""",
    "package": """# Python package

- `pip install .` succeeds in a fresh virtual environment
- The README shows how to install, and has one example that runs as printed
- Type hints on all public functions; `mypy --strict` reports no errors
- Test coverage is at least 90%
- No function is longer than 50 lines
- No dependency outside the standard library except numpy
- Errors raise ValueError with a message that names the argument
- The CLI prints usage on `--help` and exits with 0
- The CLI exits with 2 for unknown options
- Reads CSV and writes JSON
- Handles empty files, files with a header only, and files without a trailing newline
- Must support Python 3.11, 3.12 and 3.13
""",
    "letter": """# Legal letter

1. The letter is addressed to the landlord named in lease.pdf
2. It cites § 536 BGB
3. It sets a deadline of two weeks
4. It demands a rent reduction of 20% from 1 March and repayment of overpaid rent
5. It must not threaten criminal charges
6. Tone: formal, no insults
7. Has the date, the address and a subject line
8. Attachments are listed at the end; photos are numbered as in the text
9. Does not exceed two pages
10. The facts are in chronological order
""",
    "web page": """- index.html passes the HTML validator without errors
- All text has a contrast of at least 4.5:1
- Every image has an `alt` attribute
- The page loads no script from another host
- The form has labels for all fields
- The header has a link to the imprint
- The footer has a link to the imprint
- At 320 px width nothing is cut off
""",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_rubric_gets_no_remark(name: str) -> None:
    assert lint(read_rubric(GOOD[name])) == []


FLAWED = {
    "adjectives": (
        """# Report

- The report is well-written and professional, with an appropriate level of detail
- Sources: at least three
- High quality charts
- The tone is friendly: first names, no passive
- The layout is appealing
- Sensible defaults are documented in README.md
- Provides a comprehensive analysis of the market
- **Clarity** (20%)
- Style of citation: MLA
""",
        [(3, "vague"), (5, "vague"), (7, "vague"), (9, "vague"), (10, "vague")],
    ),
    "minds": (
        """- The agent should think carefully about edge cases
- The agent reads the whole file before editing
- The reader will enjoy the story
- Try to find all bugs
- The model uses data of the last three years
- The agent's final message names the file
- Tests were written with care
- The agent has no more than 2 open tickets listed in agents.csv
""",
        [
            (1, "unverifiable"),
            (2, "unverifiable"),
            (3, "unverifiable"),
            (4, "unverifiable"),
            (7, "unverifiable"),
        ],
    ),
    "several in one": (
        """## Must

- The report must have a summary and must cite three sources
- Has a title page, contains a table of contents, and cites the brief
- Compiles and runs
- Summary on page one; charts have source lines; the appendix lists all data files
- Contains names, states and uses of each substance
- If a number must be rounded, it must be marked
""",
        [(3, "compound"), (4, "compound"), (6, "compound")],
    ),
    "limits": (
        """# Paper

## Length
- The paper has at least 10 pages
- The abstract has at most 200 words
- The paper cites exactly 3 primary sources

## Format
- At most 5 pages
- At least five primary sources are cited
- The abstract has at least 150 words

## Tables
- There are no figures
- At least two figures
""",
        [(9, "contradictory"), (15, "contradictory")],
    ),
    "limits across": (
        """- The report has at least 10 pages
- The report is no longer than 5 pages
- More than 3 sources
- Fewer than 4 sources
- The margin is at least 20%
- The margin is at most 15 %
- between 5 and 9 examples
- 10 or more examples
- exactly three appendices and at most two appendices
""",
        [
            (2, "contradictory"),
            (4, "contradictory"),
            (6, "contradictory"),
            (8, "contradictory"),
            (9, "contradictory"),
        ],
    ),
    "must and must not": (
        """- The letter must mention the price
- It names `Ada`
- The letter must not mention the price
- The summary does not contain tables
- The appendix contains tables
- It does not name `Bob`
- The report contains a glossary
- The report contains no glossary
""",
        [(3, "contradictory"), (8, "contradictory")],
    ),
    "checks": (
        """- Long enough

  ```check
  file = "a.pdf"
  min_pages = 6
  ```
- Short enough

  ```check
  file = "a.pdf"
  max_pages = 5
  ```
- The other

  ```check
  file = "b.pdf"
  max_pages = 5
  ```
- No draft

  ```check
  file = "a.pdf"
  absent = true
  ```
- Words

  ```check
  file = "c.md"
  contains = ["alpha", "beta"]
  ```
- Other words

  ```check
  file = "c.md"
  lacks = "beta"
  ```
- Ends well

  ```check
  command = "make"
  ```
- Ends badly

  ```check
  command = "make"
  exit = 2
  ```
""",
        [(7, "contradictory"), (19, "contradictory"), (31, "contradictory"), (42, "contradictory")],
    ),
    "twice": (
        """## Content

- The report cites three primary sources
- A table of revenue by region
- The report must cite three primary source
- The report cites four primary sources
- A table of revenue by product
- The summary comes before the appendix
- The appendix comes before the summary
- Encrypted files are listed
- Unencrypted files are listed
- A tabel of revenue by region
- Names `a.txt`
- Names `b.txt`

## Layout

- The report cites three primary sources
""",
        [(5, "duplicate")],
    ),
    "no must": ("# Wishes\n\n## Nice to have\n\n- A glossary\n- An index\n", [(5, "no-must")]),
    "a bit of everything": (
        """# Deck

- At least 10 slides
- Good design
- At most 8 slides
- Speaker notes for every slide
- The audience will love it
- Speaker notes for every slide.
""",
        [(4, "vague"), (5, "contradictory"), (7, "unverifiable"), (8, "duplicate")],
    ),
}


@pytest.mark.parametrize("name", FLAWED)
def test_planted_flaws_are_named_and_nothing_else(name: str) -> None:
    text, wanted = FLAWED[name]
    assert said(text) == wanted


def test_a_remark_says_what_and_what_next() -> None:
    assert lint(read_rubric("- a table\n- {#x} Reasonable assumptions\n")) == [
        Remark(
            2,
            "x",
            "vague",
            "'reasonable' means something else to everybody",
            "say how to tell: a number, a list of what must be there, an example",
        )
    ]
    (clash,) = lint(read_rubric("- at least 10 pages\n- at most 5 pages\n"))
    assert clash.message == "cannot hold together with line 1: at least 10 pages and at most 5 pages"


@pytest.mark.parametrize(
    "item",
    [
        "The assumptions are reasonable (each within the range of the analysts)",
        "Well structured: summary, body, appendix",
        "Good examples, such as those of the handbook",
        'The word "professional" is not used',
        "Proper nouns are capitalised",
        "Contains at least three good examples",
        "The tone is professional\n  - no slang\n  - no jokes",
    ],
)
def test_a_word_with_a_measure_is_not_vague(item: str) -> None:
    assert kinds(item) == []


def test_a_word_that_is_defined_is_not_vague() -> None:
    assert said("Concise means: fits on a page.\n\n- The summary is concise\n") == []


def test_a_check_decides_whatever_the_words_say() -> None:
    check = '\n\n  ```check\n  file = "a.docx"\n  ```'
    assert kinds(f"A good report{check}") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Each section has at most 200 words", "The report has at least 1,000 words"),
        ("At least 5 sources", "At most 3 primary sources"),
        ("If it is a memo, at most 2 pages", "At least 3 pages"),
        ("At least 3 pages", "At most 3 pages"),
        ("More than 3% growth", "At most 3.5% growth"),
        ("Mentions the price in the summary", "Does not mention the price in the appendix"),
        ("`a.docx` has at least 9 pages", "`b.docx` has at most 3 pages"),
        ("Cites at least three papers", "Quotes at most two books"),
        ("Names no client", "Names each supplier"),
        ("At most 2 pages, or at least 5 pages and an index", "A table"),
    ],
)
def test_what_can_hold_together_is_not_contradictory(one: str, other: str) -> None:
    assert kinds(one, other) == []


def test_sections_are_about_something_each() -> None:
    assert said("## Summary\n\n- At most 100 words\n\n## Body\n\n- At least 1,000 words\n") == []


@given(
    st.lists(
        st.sampled_from(sorted({line for text in GOOD.values() for line in text.split("\n")})), max_size=12
    )
)
@settings(max_examples=100)
def test_any_rubric_that_is_read_can_be_linted(lines: list[str]) -> None:
    try:
        rubric = read_rubric("\n".join(lines))
    except Invalid:
        return
    found = lint(rubric)
    assert found == lint(rubric)
    known = {each.id: each.line for each in rubric.criteria}
    assert all(each.line == known.get(each.criterion, each.line) for each in found)
    assert [each.line for each in found] == sorted(each.line for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "has " * 60_000 + "\n.",
        "“" * 200_000,
        "good " * 50_000,
        "- at least 3 " * 200 + "\n" + "- at least 3 pages\n" * 199,
        "must " * 50_000,
    ],
    ids=range(5),
)
def test_no_rubric_makes_it_hang(text: str) -> None:
    assert lint(read_rubric(text)) == lint(read_rubric(text))
