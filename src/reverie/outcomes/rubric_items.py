"""The shape of a rubric's blocks: what an item's text is, and what a list or a table is meant as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from reverie.outcomes.rubric_marks import at_line

__all__ = [
    "LISTS",
    "alternatives",
    "checks_in",
    "head_of",
    "is_check",
    "line_of",
    "lists_in",
    "parsed",
    "rendered",
    "scale",
    "text_of",
    "uncommented",
]

_DEEPEST: Final = 60
"""Levels of blocks; a list has two. What is deeper the parser leaves out."""
LISTS: Final = ("bullet_list", "ordered_list")
_ALTERNATIVES: Final = re.compile(
    r"\b(?:one|any|either|some|(?:two|three|\d+)(?: or more)?) of\b|\beither\b|\bfor (?:example|instance)\b|\be\.?g\b"
    r"|\bsuch as\b|\bin (?:this|the following) order\b",
    re.I,
)
_STEP: Final = re.compile(
    r"[*_]*(?:(?:score|level|grade)\s+)?(?:[<>≤≥]?\s*\d{1,3}(?:\s*[-–]\s*\d{1,3})?\s*(?:points?|pts?|marks?|stars?|%)?"
    r"|[A-F][+-]?|excellent|exemplary|outstanding|very good|good|proficient|satisfactory|fair|acceptable|adequate|average"
    r"|developing|beginning|weak|poor|insufficient|unacceptable|pass|fail|full marks|no marks)"
    r"\s*(?:\([^)\n]{0,100}\))?[*_]*\s*(?:[:=–—]|-\s)",
    re.I,
)


def parsed(text: str) -> SyntaxTreeNode:
    """CommonMark's blocks, and tables. What stands within a line stays as it is written, and a line such as
    ``[must]: three sources`` is no link reference, which would vanish.

    Raises:
        Invalid: lists and quotes in each other, deeper than they are read.
    """
    markdown = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable("table").disable("reference")
    markdown.core.ruler.enableOnly(["normalize", "block"])
    tokens = markdown.parse(text)
    for token in tokens:
        if token.level >= _DEEPEST - 1:
            raise at_line(
                (token.map or (0, 0))[0] + 1, "nested too deep", "write it with fewer levels of lists"
            )
    return SyntaxTreeNode(tokens)


def line_of(node: SyntaxTreeNode) -> int:
    """Where a block begins, from 1."""
    return (node.map or (0, 0))[0] + 1


def is_check(node: SyntaxTreeNode) -> bool:
    return node.type == "fence" and node.info.split()[:1] == ["check"]


def checks_in(node: SyntaxTreeNode) -> Iterator[SyntaxTreeNode]:
    """Every check block, however deep."""
    return (each for each in node.walk() if is_check(each))


def lists_in(node: SyntaxTreeNode) -> list[SyntaxTreeNode]:
    """The lists that stand directly in an item."""
    return [each for each in node.children if each.type in LISTS]


def text_of(node: SyntaxTreeNode) -> str:
    """A paragraph's, heading's or cell's words, comments left out."""
    return uncommented("".join(each.content for each in node.children)).strip()


def head_of(item: SyntaxTreeNode) -> str:
    """An item's first paragraph."""
    first = item.children[0] if item.children else None
    return text_of(first) if first is not None and first.type in ("paragraph", "heading") else ""


def rendered(nodes: Sequence[SyntaxTreeNode]) -> str:
    """The text of blocks, as Markdown, without check blocks and comments."""
    told = (_render(node) for node in nodes if not is_check(node))
    return "\n".join(text for text in told if text.strip())


def uncommented(text: str) -> str:
    """Without ``<!-- … -->``: what a rubric's author does not want read."""
    kept: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join([*kept, text[at:]])


def scale(lists: Sequence[SyntaxTreeNode]) -> bool:
    """Whether lists are steps of a scale (``5: …``, ``Poor: …``), which belong to what is above them.
    Among three or more steps there may be one item that is none."""
    items = [item for each in lists for item in each.children]
    steps = sum(_STEP.match(head_of(item)) is not None for item in items)
    return steps > 1 and (steps == len(items) or (steps > 2 and steps == len(items) - 1))


def alternatives(lead: str) -> bool:
    """Whether what is listed after these words is one demand: "one of", "for example", "in this order"."""
    return _ALTERNATIVES.search(lead) is not None


def _render(node: SyntaxTreeNode) -> str:
    match node.type:
        case "paragraph" | "heading":
            return text_of(node)
        case "fence":
            return f"{node.markup}{node.info}\n{node.content}{node.markup}"
        case "code_block" | "html_block":
            return uncommented(node.content).rstrip("\n")
        case "blockquote":
            return _indented(rendered(node.children), "> ", "> ")
        case _:
            return _render_rows(node)


def _render_rows(node: SyntaxTreeNode) -> str:
    if node.type in LISTS:
        return "\n".join(_indented(rendered(item.children), "- ", "  ") for item in node.children)
    rows = (row for part in node.children for row in part.children)  # of a table; a rule across has none
    return "\n".join(" | ".join(text_of(cell) for cell in row.children) for row in rows)


def _indented(text: str, first: str, rest: str) -> str:
    return first + text.replace("\n", f"\n{rest}")
