"""Reads a rubric, as people write one in Markdown, into criteria. `docs/reference/rubrics.md` tells the notation.

Free text is one criterion. Whatever is doubtful is read strictly: as a demand, and as a must.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Final

from markdown_it.tree import SyntaxTreeNode

from reverie.domain.errors import Invalid
from reverie.domain.outcomes import MAX_RUBRIC, Check, Criterion, Rubric
from reverie.outcomes.checks.specs import checked
from reverie.outcomes.rubric_items import (
    LISTS,
    alternatives,
    checks_in,
    head_of,
    is_check,
    line_of,
    lists_in,
    parsed,
    rendered,
    scale,
    text_of,
)
from reverie.outcomes.rubric_marks import (
    Heading,
    Marks,
    at_line,
    read_heading,
    read_marks,
    says,
    slug,
)
from reverie.outcomes.rubric_tables import Columns, columns_of

__all__ = ["MAX_CRITERIA", "as_json", "read_rubric"]

MAX_CRITERIA: Final = 200
WHOLE: Final = "rubric"
"""The id of the one criterion of free text."""

_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
_BREAK: Final = re.compile(r"\r\n?|\n")
_INTRODUCES: Final = re.compile(
    r"\b(?:criteri(?:a|on)|requirements|checklist|rubric|graded?|grading|scor(?:e|es|ing)|rated?|evaluated?|judged?"
    r"|as follows|the following)\b",
    re.I,
)
_NEGATES: Final = re.compile(r"\b(?:not|never|no|avoid|without|cannot|free of)\b|n['’]t\b", re.I)
_BOLD_LINE: Final = 7
"""How deep a bold line above a list is as a heading."""
_BOLD: Final = re.compile(r"(\*\*|__)([^*_\n]+)\1:?")


def read_rubric(text: str) -> Rubric:
    """The criteria of a rubric; of free text, the whole of it as one.

    Raises:
        Invalid: it is empty, longer than MAX_RUBRIC characters, not text, or what is written in it cannot be
            meant (an id twice, a check that is none, …). The message names the line.
    """
    body = _text(text)
    reading = _Reading()
    root = parsed(body)
    reading.read(root)
    reading.no_check_is_lost(root)
    if not reading.drafts:
        return Rubric(text, (Criterion(WHOLE, body.strip()),), structured=False)
    criteria = tuple(_settled(reading.drafts))
    return Rubric(text, criteria, reading.title, "\n\n".join(reading.guidance))


def as_json(rubric: Rubric) -> dict[str, Any]:
    """A rubric as it was understood, in JSON's types."""
    return {
        "title": rubric.title,
        "structured": rubric.structured,
        "guidance": rubric.guidance,
        "criteria": [
            {
                "id": each.id,
                "line": each.line,
                "text": each.text,
                "must": each.must,
                "weight": each.weight,
                "section": each.section,
                "check": None if each.check is None else dict(each.check.wants),
            }
            for each in rubric.criteria
        ],
    }


def _text(text: str) -> str:
    if len(text) > MAX_RUBRIC:
        raise Invalid("rubric", f"at most {MAX_RUBRIC:,} characters", len(text))
    if found := _NOT_TEXT.search(text):
        line = len(_BREAK.findall(text, 0, found.start())) + 1
        raise at_line(
            line, f"the character U+{ord(found[0]):04X} is not text", "a rubric is plain text or Markdown"
        )
    body = text.removeprefix("\ufeff")
    if not body.strip():
        raise Invalid("rubric", "is empty", hint="say what the work must be like, one demand on each line")
    return body


@dataclass(frozen=True, slots=True)
class _Draft:
    """A criterion that is not settled yet: ``must`` is None where nothing says it, ``perhaps`` what a first word
    may mean."""

    text: str
    line: int
    section: str
    id: str | None
    must: bool | None
    perhaps: bool | None
    weight: float
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class _Under:
    """What holds for the criteria of a section or group: words before each, must or should, a weight."""

    section: str = ""
    before: str = ""
    must: bool | None = None
    weight: float = 1.0
    aside: bool = False

    def below(self, heading: Heading, *, named: bool = True) -> _Under:
        """What holds in a part of it: a section (``named``), or a list below words."""
        return _Under(
            " / ".join(filter(None, (self.section, heading.title))) if named else self.section,
            ": ".join(filter(None, (self.before, heading.before if named else heading.lead))),
            self.must if heading.must is None else heading.must,
            heading.weight or self.weight,
            self.aside or heading.aside,
        )


@dataclass(slots=True)
class _Reading:
    """Goes through a rubric's blocks once, top to bottom."""

    title: str = ""
    drafts: list[_Draft] = field(default_factory=list[_Draft])
    guidance: list[str] = field(default_factory=list[str])
    _open: list[tuple[int, _Under]] = field(default_factory=list[tuple[int, _Under]])
    _heading: str = ""
    _used: set[int] = field(default_factory=set[int])

    def read(self, root: SyntaxTreeNode) -> None:
        title = _title(root)
        lead: SyntaxTreeNode | None = None
        for block, following in zip_longest(root.children, root.children[1:]):
            if block is title:
                heading = read_heading(text_of(block), line_of(block))
                self.title = heading.title
                self._open.append((0, _Under(weight=heading.weight or 1.0)))
            elif block.type == "heading":
                self._enter(_depth(block), block)
            elif (
                block.type == "paragraph" and following and following.type in LISTS and _leads(text_of(block))
            ):
                lead = block
                continue
            else:
                self._block(block, lead)
            lead = None

    def no_check_is_lost(self, root: SyntaxTreeNode) -> None:
        """A check that belongs to no criterion would never run, which its author would not see."""
        for block in checks_in(root):
            if line_of(block) not in self._used:
                raise at_line(
                    line_of(block),
                    "this check belongs to no criterion",
                    "put it into a list item: indented as far as the item's words",
                )

    @property
    def _under(self) -> _Under:
        return self._open[-1][1] if self._open else _Under()

    def _enter(self, depth: int, block: SyntaxTreeNode) -> None:
        self._leave(depth)
        self._heading = text_of(block)
        self._open.append((depth, self._under.below(read_heading(self._heading, line_of(block)))))

    def _leave(self, depth: int) -> None:
        while self._open and self._open[-1][0] >= depth:
            self._open.pop()

    def _block(self, block: SyntaxTreeNode, lead: SyntaxTreeNode | None) -> None:
        if block.type in LISTS:
            self._list(block, lead)
            return
        if block.type == "paragraph":
            self._leave(_BOLD_LINE)
        columns = columns_of(block) if block.type == "table" and not self._under.aside else None
        if columns is not None:
            self._table(block, columns)
        else:
            self._aside(rendered([block]))

    def _aside(self, text: str) -> None:
        """What is no criterion is for the grader to read, below its heading."""
        if not text.strip():
            return
        if self._heading:
            self.guidance.append(f"## {self._heading}")
            self._heading = ""
        self.guidance.append(text)

    def _list(self, block: SyntaxTreeNode, lead: SyntaxTreeNode | None) -> None:
        words = self._words_above(lead)
        start = lead if lead is not None and words else block
        under = self._under
        inner = under.below(read_heading(words, line_of(start)), named=False) if words else under
        if inner.aside or (scale([block]) and not words and not under.section):
            self._aside("\n".join(filter(None, (words, rendered([block])))))
        elif scale([block]) or alternatives(words):
            marks, bare = read_marks(words or under.section.rsplit(" / ", maxsplit=1)[-1], line_of(start))
            self._one(marks, bare, [block], line_of(start), under)
        else:
            for item in block.children:
                self._item(item, inner)

    def _words_above(self, lead: SyntaxTreeNode | None) -> str:
        """What holds for each item of a list. A bold line is a heading instead, below all others; words that only
        say that criteria follow are told to the grader, as is all but the last sentence."""
        if lead is None:
            return ""
        words = text_of(lead)
        if _BOLD.fullmatch(words):
            self._enter(_BOLD_LINE, lead)
            return ""
        self._leave(_BOLD_LINE)
        *before, last = re.split(r"(?<=[.!?])\s+", words)
        self._aside(" ".join(before))
        if _INTRODUCES.search(last) and not _NEGATES.search(last):
            self._aside(last)
            return ""
        return last

    def _item(self, item: SyntaxTreeNode, under: _Under) -> None:
        words = head_of(item)
        marks, bare = read_marks(words, line_of(item))
        checks = [each for each in item.children if is_check(each)]
        nested = lists_in(item)
        if nested and not checks and marks.id is None and _is_group(bare, nested):
            self._group(item, under, marks, bare)
            return
        rest = [each for each in item.children[1 if words else 0 :] if not is_check(each)]
        if checks or bare or marks != Marks(boxed=marks.boxed) or rendered(rest):  # else it is an empty item
            self._one(marks, bare, rest, line_of(item), under, self._check(checks))

    def _group(self, item: SyntaxTreeNode, under: _Under, marks: Marks, bare: str) -> None:
        """An item that only says what its nested items, the criteria, are about."""
        inner = under.below(read_heading(bare, line_of(item)), named=False)
        must = inner.must if marks.must is None else marks.must
        inner = replace(inner, must=must, weight=marks.weight or inner.weight, aside=False)
        for block in item.children[1 if head_of(item) else 0 :]:
            if block.type in LISTS:
                for each in block.children:
                    self._item(each, inner)
            else:
                self._aside(rendered([block]))

    def _check(self, blocks: Sequence[SyntaxTreeNode]) -> Check | None:
        if not blocks:
            return None
        if len(blocks) > 1:
            raise at_line(
                line_of(blocks[1]), "a second check of one criterion", "give each check an item of its own"
            )
        self._used.add(line_of(blocks[0]))
        return _read_check(blocks[0])

    def _table(self, table: SyntaxTreeNode, columns: Columns) -> None:
        for row in (row for part in table.children[1:] for row in part.children):
            cells = [text_of(cell) for cell in row.children]
            if columns.says_something(cells):
                marks, words, rest = columns.read(cells, line_of(row))
                self._one(marks, words, [], line_of(row), self._under, details=rest)

    def _one(
        self,
        marks: Marks,
        words: str,
        rest: Sequence[SyntaxTreeNode],
        line: int,
        under: _Under,
        check: Check | None = None,
        details: Sequence[str] = (),
    ) -> None:
        text = "\n".join(filter(None, (words, rendered(rest), *details)))
        if not text.strip():
            raise at_line(line, "a criterion without words", "say what the work must be like")
        if len(self.drafts) >= MAX_CRITERIA:
            raise at_line(
                line,
                f"more than {MAX_CRITERIA} criteria",
                "put demands that are judged together into one item",
            )
        certain, perhaps = says(words)
        must = next((each for each in (marks.must, certain, under.must) if each is not None), None)
        whole = f"{under.before}: {text}" if under.before else text
        many = marks.weight or under.weight
        self.drafts.append(_Draft(whole, line, under.section, marks.id, must, perhaps, many, check))


def _title(root: SyntaxTreeNode) -> SyntaxTreeNode | None:
    """The heading that is the rubric's title: its first block, the only one of the first level, and no section."""
    first = root.children[0] if root.children else None
    if first is None or first.type != "heading" or _depth(first) > 1:
        return None
    told = read_heading(text_of(first), line_of(first))
    others = [each for each in root.children[1:] if each.type == "heading"]
    plain = told.title and told.must is None and not told.before and not told.aside
    return first if plain and all(_depth(each) > 1 for each in others) else None


def _leads(words: str) -> bool:
    """Whether a paragraph above a list says what holds for its items."""
    return words.rstrip("*_ ").endswith(":") or _BOLD.fullmatch(words) is not None


def _is_group(bare: str, nested: Sequence[SyntaxTreeNode]) -> bool:
    """Whether an item's nested items are criteria, and it only says what they are about. Else they are part of it:
    examples, alternatives, the steps of a scale."""
    if scale(nested) or alternatives(bare):
        return False
    return not bare or _leads(bare) or any(_is_marked(item) for each in nested for item in each.children)


def _is_marked(item: SyntaxTreeNode) -> bool:
    marks, _ = read_marks(head_of(item), line_of(item))
    return marks != Marks() or next(checks_in(item), None) is not None


def _read_check(block: SyntaxTreeNode) -> Check:
    """A check block is TOML; the room of checks says what it may hold."""
    line = line_of(block)
    try:
        told = tomllib.loads(block.content)
    except (ValueError, RecursionError) as error:
        raise _no_toml(error, line) from None
    if not told:
        raise at_line(line, "this check is empty", 'say what to look at, as in file = "report.docx"')
    try:
        return checked(told)
    except Invalid as error:
        raise at_line(line, f"this check is none: {error.where}: {error.what}", error.hint) from None


def _no_toml(error: Exception, line: int) -> Invalid:
    said = str(error)
    place = re.search(r"\(at line (\d+), column \d+\)", said)
    at = line + int(place[1]) if place else line
    what = re.sub(r"\s*\(at .*\)\Z", "", said) if isinstance(error, ValueError) else "nested too deep"
    return at_line(at, f"this check is not TOML: {what}", 'write it as TOML, as in file = "report.docx"')


def _settled(drafts: Sequence[_Draft]) -> Iterator[Criterion]:
    """Criteria with ids that are theirs alone. A first word "should" counts only beside a "must" elsewhere: many
    write "should" and mean must, and a rubric without any must would let everything pass."""
    told = any(each.must is True or (each.must is None and each.perhaps is True) for each in drafts)
    taken = _given_ids(drafts)
    for each in drafts:
        must = each.must if each.must is not None else not (told and each.perhaps is False)
        name = each.id or _free(slug(each.text), taken)
        taken.add(name)
        yield Criterion(name, each.text, must, each.weight, each.section, each.check, each.line)


def _given_ids(drafts: Sequence[_Draft]) -> set[str]:
    lines: dict[str, int] = {}
    for each in drafts:
        if each.id is None:
            continue
        if each.id in lines:
            what = f"the id {each.id!r} is that of the criterion in line {lines[each.id]}"
            raise at_line(each.line, what, "give each criterion an id of its own, or none")
        lines[each.id] = each.line
    return set(lines)


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _depth(heading: SyntaxTreeNode) -> int:
    return int(heading.tag[1:])
