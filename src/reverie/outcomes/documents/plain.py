"""Plain text: Markdown, tables of values, JSON, source code. Read here, in this process: nothing is parsed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Any, Final

import re2  # pyright: ignore[reportMissingTypeStubs]

from reverie.outcomes.documents.reading import MAX_TEXT, Gathering, Reading

__all__ = ["decoded", "read_plain"]

_MARKDOWN: Final = (".md", ".markdown", ".mdx", ".qmd", ".rmd")
_re2: Any = re2
_HIDING_TAG: Final = (
    r"<[a-z][a-z0-9]*\s[^<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0|"
    r"\shidden[\s=>])[^<>]*>?[^<]*"
)
_HIDING: Final = (
    ("comment", _re2.compile(r"(?mi)^ {0,3}\[(?://|comment|_metadata_[^\]]*)\]:[ \t]*[#<].*$")),
    ("markup that is not shown", _re2.compile(f"(?i){_HIDING_TAG}")),
)
_HEADING: Final = _re2.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE: Final = _re2.compile(r"^ {0,3}(?:=+|-{3,})[ \t]*$")
_FENCE: Final = _re2.compile(r"^ {0,3}(```|~~~)")
_OPENING: Final = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
_CLOSING: Final = {
    sign: re.compile(rf"^ {{0,3}}{sign}{sign[0]}*[ \t]*$", re.MULTILINE) for sign in ("```", "~~~")
}
_IMAGE: Final = _re2.compile(r"!\[([^\]\n]*)\]\(")
_BINARY: Final = {
    b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"GIF8": "a GIF image", b"PK\x03\x04": "an archive",
    b"%PDF-": "a PDF", b"\x7fELF": "a program", b"\x1f\x8b": "a compressed file", b"SQLite format 3": "a database",
}  # fmt: skip


def read_plain(data: bytes, suffix: str) -> Reading:
    """What a reader of a text file sees: of Markdown, without what is not shown of it."""
    gathering = Gathering()
    if not data:
        gathering.problem("it is empty: 0 bytes")
        return gathering.reading
    text = decoded(data)
    if text is None:
        kind = next((name for start, name in _BINARY.items() if data.startswith(start)), "binary")
        gathering.problem(f"it is {kind}, not text")
        return gathering.reading
    markdown = suffix in _MARKDOWN
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    seen = _without_hidden(text[: MAX_TEXT * 2], gathering) if markdown else text
    for number, line in enumerate(seen.removesuffix("\n").split("\n"), 1):
        gathering.line(f"line {number}", line)
        if gathering.full:
            break
    if markdown:
        _markdown_facts(gathering)
    return gathering.reading


def decoded(data: bytes) -> str | None:
    """The text that bytes are; None where they are none."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:65_536]:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    sample = data[:65_536]
    odd = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in sample)
    return None if odd * 100 > len(sample) else data.decode("cp1252", "replace")


def _without_hidden(text: str, gathering: Gathering) -> str:
    text = _without("comment", _comments(text), text, gathering)
    for how, pattern in _HIDING:
        spans = [found.span() for found in pattern.finditer(text)]
        text = _without(how, spans, text, gathering)
    return text


def _without(how: str, spans: Sequence[tuple[int, int]], text: str, gathering: Gathering) -> str:
    """Lines keep their numbers."""
    pieces: list[str] = []
    at, number = 0, 1
    for start, end in spans:
        number += text.count("\n", at, start)
        gathering.hide(how, f"line {number}", text[start:end])
        lines = text.count("\n", start, end)
        pieces += text[at:start], "\n" * lines
        at, number = end, number + lines
    return "".join((*pieces, text[at:]))


def _comments(text: str) -> list[tuple[int, int]]:
    """Where comments of HTML stand; in a block of code they are shown, and in a comment no such block begins."""
    spans: list[tuple[int, int]] = []
    at = 0
    start, fence = text.find("<!--"), _OPENING.search(text)
    while start >= 0:
        if fence is not None and fence.start() < start:
            closing = _CLOSING[fence[1]].search(text, fence.end())
            at = len(text) if closing is None else closing.end()
        else:
            end = text.find("-->", start + 4)
            at = len(text) if end < 0 else end + 3
            spans.append((start, at))
        start = text.find("<!--", at) if start < at else start
        fence = _OPENING.search(text, at) if fence is not None and fence.start() < at else fence
    return spans


def _markdown_facts(gathering: Gathering) -> None:
    fenced, before = "", ""
    for line in gathering.reading.lines:
        fence = _FENCE.search(line.text)
        if fence and fenced in ("", fence.group(1)):
            fenced = "" if fenced else fence.group(1)
        elif not fenced:
            if heading := _HEADING.search(line.text):
                gathering.heading(line.place, heading.group(2))
            elif before.strip() and _UNDERLINE.search(line.text):
                gathering.heading(line.place, before)
            for image in _IMAGE.finditer(line.text):
                gathering.image(line.place, image.group(1), shown=True)
        before = line.text
