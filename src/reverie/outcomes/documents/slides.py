"""Presentations, as their audience sees them: slide by slide, with what styles and themes come to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from typing import Any, Final

from pptx import Presentation

from reverie.outcomes.documents.contrast import SMALLEST_SEEN_PT, unseen
from reverie.outcomes.documents.office import attribute, parsed, properties, telling
from reverie.outcomes.documents.reading import Gathering, Reading

__all__ = ["read_pptx"]

_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P: Final = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_TITLES: Final = ("title", "ctrTitle")
_MAPPED: Final = {"bg1": "lt1", "bg2": "lt2", "tx1": "dk1", "tx2": "dk2"}


@dataclass(frozen=True, slots=True)
class _Look:
    """How a run looks. ``colour`` and ``behind`` are "" where they cannot be known."""

    points: float = 18.0
    colour: str = ""
    behind: str = ""
    font: str = ""


def read_pptx(data: bytes) -> Reading:
    """
    Raises:
        Exception: anything, of a file that is broken.
    """
    return _Reader(Presentation(BytesIO(data))).read()


class _Reader:
    def __init__(self, presentation: Any) -> None:
        self._presentation = presentation
        self._gathering = Gathering()
        self._size = (int(presentation.slide_width or 0), int(presentation.slide_height or 0))

    def read(self) -> Reading:
        for number, slide in enumerate(self._presentation.slides, 1):
            if self._gathering.full:
                break
            self._slide(slide, f"slide {number}")
        package = self._presentation.part.package
        parts = [(str(part.partname), part.blob) for part in package.iter_parts()]
        for name, data in parts:
            if re.match(r"/ppt/comments/.*\.xml\Z", name):
                self._gathering.comment(name.lstrip("/"), telling(parsed(data)))
        properties(self._gathering, self._presentation.core_properties, iter(parts))
        return self._gathering.reading

    def _slide(self, slide: Any, place: str) -> None:
        before = len(self._gathering.reading.lines)
        if slide._element.get("show") in ("0", "false"):
            for node in slide._element.iter(f"{_P}txBody"):
                self._gathering.hide("a hidden slide", place, telling(node))
        else:
            for shape in slide.shapes:
                self._shape(_Shape(shape, slide, self._presentation), place)
            seen = self._gathering.reading.lines[before:]
            title = self._title(slide)
            self._gathering.slide(place, title, sum(len(line.text.split()) for line in seen))
            if title:
                self._gathering.heading(place, title)
        self._notes(slide, place)

    @staticmethod
    def _title(slide: Any) -> str:
        title = slide.shapes.title
        return "" if title is None or not title.has_text_frame else title.text_frame.text.strip()

    def _notes(self, slide: Any, place: str) -> None:
        """What the one who presents sees, and the audience does not."""
        if not slide.has_notes_slide or slide.notes_slide.notes_text_frame is None:
            return
        text = " ".join(slide.notes_slide.notes_text_frame.text.split())
        if text:
            self._gathering.hide("speaker notes", f"{place}, notes", text)
            self._gathering.line(f"{place}, notes", text)

    def _shape(self, shape: _Shape, place: str) -> None:
        if shape.hidden or self._off(shape.shape):
            how = "a hidden shape" if shape.hidden else "a shape outside the slide"
            self._gathering.hide(how, place, telling(shape.shape._element))
            return
        self._described(shape.shape, place)
        if hasattr(shape.shape, "shapes"):
            for inner in shape.shape.shapes:  # placed in the group's own coordinates
                self._shape(replace(shape, shape=inner, grouped=True), place)
        elif getattr(shape.shape, "has_table", False):
            self._table(shape, place)
        elif getattr(shape.shape, "has_chart", False):
            self._chart(shape.shape, place)
        elif shape.shape.has_text_frame:
            for paragraph in shape.shape._element.iter(f"{_A}p"):
                self._line(place, self._seen(paragraph, shape, place))

    def _off(self, shape: Any) -> bool:
        if None in (shape.left, shape.top, shape.width, shape.height) or not all(self._size):
            return False
        wide, high = self._size
        outside = shape.left >= wide or shape.top >= high
        return outside or shape.left + shape.width <= 0 or shape.top + shape.height <= 0

    def _described(self, shape: Any, place: str) -> None:
        named = next((n for n in shape._element.iter() if str(n.tag).endswith("}cNvPr")), None)
        alt = attribute(named, "descr") or attribute(named, "title")
        if shape._element.tag == f"{_P}pic":
            self._gathering.image(place, alt)
        else:
            self._gathering.hide("alternative text of a shape", place, alt)

    def _table(self, shape: _Shape, place: str) -> None:
        self._gathering.facts.tables += 1
        unknown = replace(shape, in_table=True)
        for row in shape.shape._element.iter(f"{_A}tr"):
            cells = (self._cell(cell, unknown, place) for cell in row.iter(f"{_A}tc"))
            self._line(place, "\t".join(cells))

    def _cell(self, cell: Any, shape: _Shape, place: str) -> str:
        return " ".join(self._seen(p, shape, place) for p in cell.iter(f"{_A}p"))

    def _chart(self, shape: Any, place: str) -> None:
        """The words and values that a chart draws, as they are cached in it: one line for each group of them."""
        for node in parsed(shape.chart.part.blob).iter():
            kind = str(node.tag).rpartition("}")[2]
            if kind in ("rich", "strCache", "numCache"):
                words = (n.text for n in node.iter() if str(n.tag).endswith(("}v", "}t")))
                self._line(place, "\t".join(word.strip() for word in words if word))

    def _line(self, place: str, text: str) -> None:
        if text.strip():
            self._gathering.line(place, text)

    def _seen(self, paragraph: Any, shape: _Shape, place: str) -> str:
        pieces: list[str] = []
        ground = shape.look(paragraph)
        for node in paragraph:
            if node.tag == f"{_A}br":
                pieces.append(" ")
            elif node.tag in (f"{_A}r", f"{_A}fld"):
                text = node.findtext(f"{_A}t") or ""
                look = shape.direct(node.find(f"{_A}rPr"), ground)
                if why := _why_unseen(look):
                    self._gathering.hide(why, place, text)
                    continue
                pieces.append(text)
                if text.strip():
                    self._gathering.font(look.font, place)
                    self._gathering.size(look.points * shape.scale, place, text)
        return "".join(pieces)


@dataclass(frozen=True)
class _Shape:
    """A shape where it stands: what its text inherits from layout, master and theme."""

    shape: Any
    slide: Any
    presentation: Any
    grouped: bool = False
    in_table: bool = False

    @property
    def hidden(self) -> bool:
        named = next((n for n in self.shape._element.iter() if str(n.tag).endswith("}cNvPr")), None)
        return attribute(named, "hidden") in ("1", "true")

    @cached_property
    def scale(self) -> float:
        """How much text was shrunk to fit the shape."""
        fitted = next(self.shape._element.iter(f"{_A}normAutofit"), None)
        return _number(attribute(fitted, "fontScale").rstrip("%"), 100_000) / 100_000

    def look(self, paragraph: Any) -> _Look:
        """Of a paragraph's runs, before what they say themselves."""
        level = int(_number(attribute(paragraph.find(f"{_A}pPr"), "lvl"), 0)) + 1
        look = _Look(behind=self.behind)
        for style in self._styles:
            node = style.find(f"{_A}lvl{level}pPr")
            if node is None:
                node = style.find(f"{_A}defPPr")
            look = self.direct(None if node is None else node.find(f"{_A}defRPr"), look)
        return look

    def direct(self, own: Any, look: _Look) -> _Look:
        if own is None:
            return look
        latin, fill = own.find(f"{_A}latin"), own.find(f"{_A}solidFill")
        points = _number(attribute(own, "sz"), look.points * 100) / 100
        font = self._font(attribute(latin, "typeface")) or look.font
        colour = self._colour(fill) if fill is not None else look.colour
        behind = "" if own.find(f"{_A}highlight") is not None else look.behind
        return _Look(points, colour, behind, font)

    @cached_property
    def behind(self) -> str:
        """What is behind the text, where that is one known colour."""
        if self.in_table:
            return ""
        own = self.shape._element.find(f"{_P}spPr")
        if own is not None:
            if (fill := own.find(f"{_A}solidFill")) is not None:
                return self._colour(fill)
            others = ("gradFill", "blipFill", "pattFill")
            if any(own.find(f"{_A}{kind}") is not None for kind in others):
                return ""
        styled = self.shape._element.find(f"{_P}style/{_A}fillRef")
        if attribute(styled, "idx", "0") != "0" and (own is None or own.find(f"{_A}noFill") is None):
            return self._colour(styled)
        return "" if self.grouped or self._covered else self._ground

    @cached_property
    def _covered(self) -> bool:
        """Whether something else lies under the shape: then what is behind its text cannot be told."""
        shape = self.shape
        if None in (shape.left, shape.top, shape.width, shape.height):
            return False
        return any(_overlap(other, shape) for other in self._below())

    def _below(self) -> Iterator[Any]:
        for other in self.slide.shapes:
            if other._element is self.shape._element:
                return
            painted = other._element.find(f"{_P}spPr")
            words = ("solidFill", "gradFill", "blipFill", "pattFill")
            filled = painted is not None and any(painted.find(f"{_A}{word}") is not None for word in words)
            styled = attribute(other._element.find(f"{_P}style/{_A}fillRef"), "idx", "0") != "0"
            if filled or styled or other._element.tag == f"{_P}pic":
                yield other

    @cached_property
    def _ground(self) -> str:
        layout = self.slide.slide_layout
        for page in (self.slide, layout, layout.slide_master):
            ground = page._element.find(f"{_P}cSld/{_P}bg")
            if ground is not None:
                fill = ground.find(f"{_P}bgPr/{_A}solidFill")
                return self._colour(fill if fill is not None else ground.find(f"{_P}bgRef"))
        return "FFFFFF"

    @cached_property
    def _styles(self) -> list[Any]:
        """Lists of styles by level, the most general first."""
        master = self.slide.slide_layout.slide_master
        kind = self.shape.placeholder_format.type if self.shape.is_placeholder else None
        named = attribute(self.shape._element.find(f".//{_P}nvPr/{_P}ph"), "type", "obj")
        group = "title" if named in _TITLES else "body" if kind is not None else "other"
        found = [
            self.presentation.part._element.find(f"{_P}defaultTextStyle"),
            master._element.find(f"{_P}txStyles/{_P}{group}Style"),
            *(self._list_style(holder) for holder in self._inherited(master, named)),
            self._list_style(self.shape._element),
        ]
        return [style for style in found if style is not None]

    def _inherited(self, master: Any, named: str) -> Iterator[Any]:
        if not self.shape.is_placeholder:
            return
        wanted = "title" if named in _TITLES else named if named in ("dt", "ftr", "sldNum") else "body"
        index = self.shape.placeholder_format.idx
        for holder in master.placeholders:
            if attribute(holder._element.find(f".//{_P}nvPr/{_P}ph"), "type", "body") == wanted:
                yield holder._element
        for holder in self.slide.slide_layout.placeholders:
            if holder.placeholder_format.idx == index:
                yield holder._element

    @staticmethod
    def _list_style(holder: Any) -> Any:
        return holder.find(f"{_P}txBody/{_A}lstStyle")

    @cached_property
    def _theme(self) -> Any:
        master = self.slide.slide_layout.slide_master
        for relation in master.part.rels.values():
            if relation.reltype.endswith("/theme"):
                return parsed(relation.target_part.blob)
        return None

    def _font(self, name: str) -> str:
        if name[:4] in ("+mj-", "+mn-") and self._theme is not None:
            kind = "major" if name[2] == "j" else "minor"
            return attribute(self._theme.find(f".//{_A}{kind}Font/{_A}latin"), "typeface")
        return name

    def _colour(self, holder: Any) -> str:
        """Six hexadecimal digits, "" where it is shaded, or cannot be known."""
        for node in holder if holder is not None else ():
            if len(node):
                return ""
            if node.tag == f"{_A}srgbClr":
                return attribute(node, "val")
            if node.tag == f"{_A}schemeClr" and self._theme is not None:
                return self._scheme(attribute(node, "val"))
        return ""

    def _scheme(self, name: str) -> str:
        mapped = self.slide.slide_layout.slide_master._element.find(f"{_P}clrMap")
        name = attribute(mapped, name) or _MAPPED.get(name, name)
        node = self._theme.find(f".//{_A}clrScheme/{_A}{name}")
        inner = node[0] if node is not None and len(node) else None
        return attribute(inner, "lastClr") or attribute(inner, "val")


def _why_unseen(look: _Look) -> str | None:
    if look.points <= SMALLEST_SEEN_PT:
        return f"text of {look.points:g} pt"
    if look.colour and look.behind and unseen(look.colour, look.behind):
        return "text in the colour of its background"
    return None


def _overlap(one: Any, other: Any) -> bool:
    if None in (one.left, one.top, one.width, one.height):
        return True
    beside = one.left + one.width <= other.left or other.left + other.width <= one.left
    return not beside and one.top < other.top + other.height and other.top < one.top + one.height


def _number(told: str, otherwise: float) -> float:
    return float(told) if re.fullmatch(r"-?\d{1,9}(?:\.\d{1,9})?", told) else otherwise
