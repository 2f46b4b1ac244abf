"""Word documents, as a reader sees them: paragraph by paragraph, with what each run's styles come to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from typing import Any, Final

from docx import Document  # pyright: ignore[reportMissingModuleSource]

from reverie.outcomes.documents.contrast import SMALLEST_SEEN_PT, unseen
from reverie.outcomes.documents.office import attribute, parsed, properties, telling
from reverie.outcomes.documents.reading import Gathering, Reading

__all__ = ["read_docx"]

_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_MC: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_HEADING: Final = re.compile(r"(?i)\A(?:heading \d|title)\Z")
_HARMLESS_FIELD: Final = re.compile(
    r"(?i)\A\s*(?:(?:PAGE|NUMPAGES|SECTIONPAGES|TOC|TC|HYPERLINK|REF|PAGEREF|NOTEREF|STYLEREF|SEQ|DATE|TIME|FILENAME"
    r"|AUTHOR|TITLE|SECTION|CITATION|BIBLIOGRAPHY|FORMTEXT|FORMCHECKBOX|INDEX|XE)\b|=).{0,200}\Z"
)
_OFF: Final = ("0", "false", "off", "none")
_BESIDES: Final = {"header": "header", "footer": "footer", "footnotes": "footnotes", "endnotes": "endnotes"}
_BREAKS: Final = {f"{_W}tab": "\t", f"{_W}br": " ", f"{_W}cr": " ", f"{_W}noBreakHyphen": "-"}
_CHANGES: Final = {
    f"{_W}ins": "inserted",
    f"{_W}del": "deleted",
    f"{_W}moveFrom": "moved",
    f"{_W}moveTo": "moved",
}


@dataclass(frozen=True, slots=True)
class _Look:
    """How a run looks. ``behind`` is "" where it cannot be known."""

    vanished: bool = False
    colour: str = ""
    behind: str = "FFFFFF"
    points: float = 10.0
    font: str = "Times New Roman"

    def why_unseen(self) -> str | None:
        if self.vanished:
            return "hidden text"
        if self.points <= SMALLEST_SEEN_PT:
            return f"text of {self.points:g} pt"
        if self.colour and unseen(self.colour, self.behind):
            return "text in the colour of its background"
        return None


def read_docx(data: bytes) -> Reading:
    """
    Raises:
        Exception: anything, of a file that is broken.
    """
    return _Reader(Document(BytesIO(data))).read()


class _Reader:
    def __init__(self, document: Any) -> None:
        self._document = document
        self._gathering = Gathering()
        self._looks: dict[str, tuple[Any, ...]] = {}
        self._paragraphs = 0
        self._story = ""

    def read(self) -> Reading:
        self._blocks(self._document.element.body, self._ground)
        for part in self._document.part.package.iter_parts():
            self._beside(str(part.partname), part)
        parts = ((str(part.partname), part.blob) for part in self._document.part.package.iter_parts())
        properties(self._gathering, self._document.core_properties, parts)
        return self._gathering.reading

    # ------------------------------------------------------------------ where text stands

    def _beside(self, name: str, part: Any) -> None:
        kind = re.match(r"/word/(header|footer|footnotes|endnotes)\d*\.xml\Z", name)
        if kind:
            self._story = _BESIDES[kind[1]]
            self._blocks(parsed(part.blob), self._ground)
        elif re.match(r"/word/comments\d*\.xml\Z", name):
            for number, comment in enumerate(parsed(part.blob).iter(f"{_W}comment"), 1):
                self._gathering.comment(f"comment {number}", telling(comment))

    def _blocks(self, node: Any, look: _Look) -> None:
        for child in node:
            if self._gathering.full:
                return
            if child.tag == f"{_W}p":
                self._paragraph(child, look)
            elif child.tag == f"{_W}tbl":
                self._table(child, look)
            elif isinstance(child.tag, str) and not child.tag.endswith("Pr"):
                self._changed(child)
                self._blocks(child, look)

    def _table(self, table: Any, look: _Look) -> None:
        """A row is a line: what stands beside a label is read beside it."""
        self._gathering.facts.tables += 1
        number = self._gathering.facts.tables
        if table.find(f"{_W}tblPr/{_W}tblStyle") is not None:
            look = replace(look, behind="")
        for row_number, row in enumerate(table.iter(f"{_W}tr"), 1):
            if next(row.iterancestors(f"{_W}tbl")) is not table:
                continue
            place = f"{self._story} table {number}, row {row_number}".strip()
            cells = [self._cell(cell, look, place) for cell in row.iter(f"{_W}tc")]
            self._gathering.line(place, "\t".join(cells))

    def _cell(self, cell: Any, look: _Look, place: str) -> str:
        look = _shaded(cell.find(f"{_W}tcPr"), look)
        own = (p for p in cell.iter(f"{_W}p") if next(p.iterancestors(f"{_W}tc")) is cell)
        return " ".join(filter(None, (self._seen(p, look, place) for p in own)))

    def _paragraph(self, paragraph: Any, look: _Look) -> None:
        self._paragraphs += 1
        place = f"{self._story} paragraph {self._paragraphs}".strip()
        text = self._gathering.line(place, self._seen(paragraph, look, place))
        if text.strip() and self._is_heading(paragraph):
            self._gathering.heading(place, text)

    # ------------------------------------------------------------------ runs

    def _seen(self, paragraph: Any, look: _Look, place: str) -> str:
        """What is seen of a paragraph; the rest is told of."""
        style = attribute(paragraph.find(f"{_W}pPr/{_W}pStyle"), "val") or self._default_style
        look = _shaded(paragraph.find(f"{_W}pPr"), self._styled(style, look))
        pieces: list[str] = []
        hidden: dict[str, list[str]] = {}
        fields: list[str] = []
        for node in _within(paragraph):
            self._changed(node, place)
            if node.tag == f"{_W}r":
                self._run(node, look, place, pieces, hidden)
            fields += _fields(node)
        for how, what in hidden.items():
            self._gathering.hide(how, place, "".join(what))
        code = "".join(fields)
        if code.strip() and not _HARMLESS_FIELD.match(code):
            self._gathering.hide("field code", place, code)
        for box in paragraph.iter(f"{_W}txbxContent"):
            if next(box.iterancestors(f"{_MC}Fallback"), None) is None:
                self._blocks(box, self._ground)
        return "".join(pieces).strip()

    def _run(
        self, run: Any, look: _Look, place: str, pieces: list[str], hidden: dict[str, list[str]]
    ) -> None:
        own = run.find(f"{_W}rPr")
        style = attribute(own.find(f"{_W}rStyle"), "val") if own is not None else ""
        look = self._direct(own, self._styled(style, look))
        text = "".join(_BREAKS.get(part.tag, part.text or "") for part in run if _is_text(part))
        deleted = "".join(part.text or "" for part in run.iter(f"{_W}delText"))
        if deleted:
            hidden.setdefault("deleted text (a tracked change)", []).append(deleted)
        if why := look.why_unseen():
            hidden.setdefault(why, []).append(text)
            return
        pieces.append(text)
        if text.strip():
            self._gathering.font(look.font, place)
            self._gathering.size(look.points, place, text)
        self._images(run, place)

    def _images(self, run: Any, place: str) -> None:
        for drawing in run.findall(f"{_W}drawing"):
            named = next((n for n in drawing.iter() if str(n.tag).endswith("}docPr")), None)
            alt = attribute(named, "descr") or attribute(named, "title")
            if next(drawing.iter(f"{_A}blip"), None) is not None:
                self._gathering.image(place, alt)
            else:
                self._gathering.hide("alternative text of a drawing", place, alt)

    def _changed(self, node: Any, place: str = "document") -> None:
        if (what := _CHANGES.get(node.tag)) is not None and next(node.iter(f"{_W}r"), None) is not None:
            self._gathering.change(place, f"{what}: {telling(node)}")

    # ------------------------------------------------------------------ styles

    @cached_property
    def _styles(self) -> dict[str, Any]:
        return {attribute(s, "styleId"): s for s in self._document.styles.element.iter(f"{_W}style")}

    @cached_property
    def _default_style(self) -> str:
        every = self._styles.items()
        return next(
            (k for k, s in every if attribute(s, "default") == "1" and attribute(s, "type") == "paragraph"),
            "",
        )

    @cached_property
    def _ground(self) -> _Look:
        defaults = self._document.styles.element.find(f"{_W}docDefaults/{_W}rPrDefault/{_W}rPr")
        page = attribute(self._document.element.find(f"{_W}background"), "color")
        return self._direct(defaults, _Look(behind=page if len(page) == 6 else "FFFFFF"))

    @cached_property
    def _theme(self) -> dict[str, str]:
        for part in self._document.part.package.iter_parts():
            if re.match(r"/word/theme/theme\d*\.xml\Z", str(part.partname)):
                root = parsed(part.blob)
                fonts = {kind: root.find(f".//{_A}{kind}Font/{_A}latin") for kind in ("minor", "major")}
                return {kind: attribute(node, "typeface") for kind, node in fonts.items()}
        return {}

    def _chain(self, style: str) -> tuple[Any, ...]:
        """A style's properties, after those of what it is based on."""
        if style not in self._looks:
            chain: list[Any] = []
            name, known = style, set[str]()
            while name in self._styles and name not in known:
                known.add(name)
                chain.append(self._styles[name])
                name = attribute(self._styles[name].find(f"{_W}basedOn"), "val")
            self._looks[style] = tuple(reversed(chain))
        return self._looks[style]

    def _styled(self, style: str, look: _Look) -> _Look:
        for node in self._chain(style):
            look = self._direct(node.find(f"{_W}rPr"), _shaded(node.find(f"{_W}pPr"), look))
        return look

    def _direct(self, own: Any, look: _Look) -> _Look:
        if own is None:
            return look
        for node in own:
            match str(node.tag).removeprefix(_W):
                case "vanish":
                    look = replace(look, vanished=attribute(node, "val", "1") not in _OFF)
                case "color":
                    colour = attribute(node, "val")
                    look = replace(look, colour="" if colour == "auto" else colour)
                case "sz":
                    look = replace(look, points=_number(attribute(node, "val"), look.points * 2) / 2)
                case "rFonts":
                    look = replace(look, font=self._font(node) or look.font)
                case "highlight":
                    look = replace(look, behind=look.behind if attribute(node, "val") == "none" else "")
                case _:
                    pass
        return _shaded(own, look)

    def _font(self, node: Any) -> str:
        theme = attribute(node, "asciiTheme") or attribute(node, "hAnsiTheme")
        return self._theme.get(theme[:5], "") or attribute(node, "ascii") or attribute(node, "hAnsi")

    def _is_heading(self, paragraph: Any) -> bool:
        style = attribute(paragraph.find(f"{_W}pPr/{_W}pStyle"), "val")
        names = (attribute(node.find(f"{_W}name"), "val") for node in self._chain(style))
        level = paragraph.find(f"{_W}pPr/{_W}outlineLvl")
        return any(map(_HEADING.match, names)) or attribute(level, "val", "9") != "9"


def _within(paragraph: Any) -> Iterator[Any]:
    """What belongs to a paragraph, without what has paragraphs of its own."""
    for node in paragraph:
        if isinstance(node.tag, str) and node.tag not in (f"{_W}pPr", f"{_W}rPr"):
            yield node
            if node.tag not in (f"{_W}r", f"{_W}p", f"{_W}tbl", f"{_W}moveFrom"):
                yield from _within(node)


def _fields(node: Any) -> Iterator[str]:
    if node.tag == f"{_W}fldSimple":
        yield attribute(node, "instr")
    elif node.tag == f"{_W}r":
        yield from (part.text or "" for part in node.findall(f"{_W}instrText"))


def _is_text(part: Any) -> bool:
    return part.tag == f"{_W}t" or part.tag in _BREAKS


def _shaded(properties: Any, look: _Look) -> _Look:
    shade = None if properties is None else properties.find(f"{_W}shd")
    fill = attribute(shade, "fill")
    if shade is None or not fill:
        return look
    return replace(look, behind="FFFFFF" if fill == "auto" else fill)


def _number(told: str, otherwise: float) -> float:
    return float(told) if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", told) else otherwise
