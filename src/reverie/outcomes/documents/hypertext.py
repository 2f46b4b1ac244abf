"""HTML as a browser shows it, as far as that is told by the file itself: style sheets beside it are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Final

from reverie.outcomes.documents.contrast import unseen
from reverie.outcomes.documents.plain import decoded
from reverie.outcomes.documents.reading import Gathering, Reading

__all__ = ["read_html"]

_VOID: Final = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905
)
_BREAKING: Final = frozenset(
    "address article aside blockquote body br dd details div dl dt fieldset figcaption figure footer form h1 h2"  # noqa: SIM905
    " h3 h4 h5 h6 header hr html li main nav ol option p pre section summary table tbody tfoot thead tr ul".split()
)
_NEVER: Final = frozenset("script style template noscript head datalist object iframe".split())  # noqa: SIM905
_CELLS: Final = frozenset(("td", "th"))
_SELF_CLOSING: Final = {
    "p": {"p"},
    "li": {"li"},
    "tr": {"tr", "td", "th"},
    "td": {"td", "th"},
    "th": {"td", "th"},
}
_COLOURS: Final = {"white": "FFFFFF", "black": "000000", "snow": "FFFAFA", "ivory": "FFFFF0"}
_DEEPEST: Final = 500
_FAR: Final = 500.0
_RULE: Final = re.compile(r"([^{}]{1,500})\{([^{}]{0,5000})\}")
_SIMPLE: Final = re.compile(r"\A[a-z0-9]*(?:[.#][\w-]+)?\Z", re.IGNORECASE)
_LENGTH: Final = re.compile(r"\A(-?[\d.]{1,12})\s*(px|pt|em|rem|vw|vh|%|in|cm)?\Z")
_PIXELS: Final = {
    "pt": 4 / 3,
    "em": 16.0,
    "rem": 16.0,
    "vw": 10.0,
    "vh": 10.0,
    "%": 10.0,
    "in": 96.0,
    "cm": 38.0,
}


@dataclass(frozen=True, slots=True)
class _Element:
    """An open element. ``why``: what hides what stands in it."""

    tag: str
    why: str | None = None
    colour: str = "000000"
    behind: str = "FFFFFF"
    visible_again: bool = False


def read_html(data: bytes) -> Reading:
    """What a reader of a page sees, a line for each block and row."""
    text = decoded(data)
    if text is None:
        reading = Reading()
        reading.problem = "it is binary, not text"
        return reading
    parser = _Parser(text)
    parser.feed(text)
    parser.close()
    return parser.ended()


class _Parser(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._gathering = Gathering()
        self._open = [_Element("")]
        self._line: list[str] = []
        self._place = "line 1"
        self._heading: list[str] | None = None
        self._title: list[str] = []
        self._rules = dict(_rules(text))

    def ended(self) -> Reading:
        self._break()
        self._gathering.facts.title = " ".join("".join(self._title).split())[:1_000]
        return self._gathering.reading

    # ------------------------------------------------------------------ what the parser tells

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        while self._open[-1].tag in _SELF_CLOSING.get(tag, ()):
            self._open.pop()
        if tag in _BREAKING:
            self._break()
            if self._open[-1].tag == "p":  # a block ends a paragraph
                self._open.pop()
        if tag in _CELLS and self._line:
            self._line.append("\t")
        element = self._element(tag, told)
        self._describe(tag, told, element)
        if tag == "table" and element.why is None:
            self._gathering.facts.tables += 1
        if re.fullmatch(r"h[1-6]", tag) and element.why is None:
            self._heading = []
        if tag not in _VOID and len(self._open) < _DEEPEST:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # HTML knows no such ending: it is a start

    def handle_endtag(self, tag: str) -> None:
        if tag in _BREAKING:
            self._break()
        if re.fullmatch(r"h[1-6]", tag) and self._heading is not None:
            self._gathering.heading(self._place, "".join(self._heading))
            self._heading = None
        at = next((n for n in range(len(self._open) - 1, 0, -1) if self._open[n].tag == tag), None)
        if at is not None:
            del self._open[at:]

    def handle_data(self, data: str) -> None:
        top = self._open[-1]
        place = f"line {self.getpos()[0]}"
        if top.tag == "title":
            self._title.append(data)
        elif top.why == "aria-hidden":  # a person sees it, and who listens does not hear it
            self._gathering.hide("text that is not read out (aria-hidden)", place, data)
            self._show(data, place)
        elif top.why == "":
            pass
        elif top.why is not None:
            self._gathering.hide(top.why, place, data)
        elif unseen(top.colour, top.behind):
            self._gathering.hide("text in the colour of its background", place, data)
        else:
            self._show(data, place)

    def handle_comment(self, data: str) -> None:
        self._gathering.comment(f"line {self.getpos()[0]}", data)

    def handle_decl(self, decl: str) -> None:
        if not decl.lower().startswith("doctype html"):
            self._gathering.hide("declaration", f"line {self.getpos()[0]}", decl)

    def unknown_decl(self, data: str) -> None:
        self._gathering.hide("declaration", f"line {self.getpos()[0]}", data)

    def handle_pi(self, data: str) -> None:
        self._gathering.hide("processing instruction", f"line {self.getpos()[0]}", data)

    # ------------------------------------------------------------------ lines

    def _show(self, data: str, place: str) -> None:
        if not self._line:
            self._place = place
        self._line.append(re.sub(r"[ \t\n\r\f]+", " ", data))
        if self._heading is not None:
            self._heading.append(data)

    def _break(self) -> None:
        text = re.sub(r" *\t *", "\t", re.sub(r" {2,}", " ", "".join(self._line))).strip(" ")
        if text.strip():
            self._gathering.line(self._place, text)
        self._line = []

    # ------------------------------------------------------------------ elements

    def _describe(self, tag: str, told: Mapping[str, str], element: _Element) -> None:
        place = f"line {self.getpos()[0]}"
        if tag == "img":
            self._gathering.image(place, told.get("alt", ""))
        elif tag == "meta" and told.get("content"):
            name = (told.get("name") or told.get("property") or "").lower()
            if name not in ("viewport", "generator", "charset", ""):
                self._gathering.hide("document property", place, f"{name}: {told['content']}")
        elif tag == "input" and told.get("type", "").lower() == "hidden":
            self._gathering.hide("a hidden field", place, told.get("value", ""))
        for name in ("title", "aria-label", "data-note"):
            if tag not in ("meta", "input"):
                self._gathering.hide(f"attribute {name}", place, told.get(name, ""))

    def _element(self, tag: str, told: Mapping[str, str]) -> _Element:
        above = self._open[-1]
        element = replace(above, tag=tag)
        style = self._style(tag, told)
        element = replace(
            element,
            colour=_colour(style.get("color", told.get("color", ""))) or element.colour,
            behind=_background(style, told, element.behind),
        )
        if tag in {"title", "body", "html"}:
            return replace(element, why=_why(style, told))
        if tag in _NEVER:
            return replace(element, why="" if tag in ("script", "style", "head") else f"<{tag}>")
        if element.why is not None and element.why != "aria-hidden":
            return element
        return replace(element, why=_why(style, told) or element.why)

    def _style(self, tag: str, told: Mapping[str, str]) -> dict[str, str]:
        names = [tag, *(f"{it}.{name}" for name in told.get("class", "").split()[:20] for it in ("", tag))]
        names += [f"#{told.get('id', '')}", f"{tag}#{told.get('id', '')}"]
        style: dict[str, str] = {}
        for name in names:
            style |= self._rules.get(name.lower(), {})
        return style | dict(_declarations(told.get("style", "")))


def _rules(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Rules of the page's own style sheets whose selector is a tag, a class or an id."""
    found: dict[str, dict[str, str]] = {}
    for sheet in re.finditer(r"<style[^>]{0,500}>(.{0,100000}?)</style", text, re.IGNORECASE | re.DOTALL):
        plain = re.sub(r"/\*[^*]{0,10000}\*/", "", sheet[1])
        for rule in _RULE.finditer(plain):
            for selector in rule[1].split(","):
                name = selector.strip().lower()
                if _SIMPLE.match(name):
                    found.setdefault(name, {}).update(_declarations(rule[2]))
    yield from found.items()


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";")[:200]:
        name, _, value = declaration.partition(":")
        yield name.strip().lower(), value.replace("!important", "").strip().lower()


def _why(style: Mapping[str, str], told: Mapping[str, str]) -> str | None:
    """What hides an element by itself; "" is for what is no text."""
    if style.get("display") == "none" or ("hidden" in told and "display" not in style):
        return "display: none" if "display" in style else "attribute hidden"
    if style.get("visibility") in ("hidden", "collapse"):
        return "visibility: hidden"
    if _pixels(style.get("font-size", "")) is not None and (_pixels(style["font-size"]) or 0) <= 8 / 3:
        return "text of 2 pt or smaller"
    if _number(style.get("opacity", "1")) <= 0.05 or style.get("color") == "transparent":
        return "transparent text"
    if _off_screen(style):
        return "text outside the page"
    return "aria-hidden" if told.get("aria-hidden", "").lower() == "true" else None


def _off_screen(style: Mapping[str, str]) -> bool:
    if (_pixels(style.get("text-indent", "")) or 0) <= -_FAR:
        return True
    if style.get("position") in ("absolute", "fixed"):
        sides = ("left", "top", "right", "bottom")
        if any((_pixels(style.get(side, "")) or 0) <= -_FAR for side in sides):
            return True
        if re.match(r"rect\((?:0|1px)", style.get("clip", "")):
            return True
    shut = style.get("overflow") in ("hidden", "clip")
    small = any(
        (size := _pixels(style.get(side, ""))) is not None and size <= 1 for side in ("height", "width")
    )
    return (shut and small) or re.match(r"inset\((?:50|100)%", style.get("clip-path", "")) is not None


def _pixels(told: str) -> float | None:
    found = _LENGTH.match(told)
    return None if found is None else _number(found[1]) * _PIXELS.get(found[2] or "", 1.0)


def _number(told: str) -> float:
    try:
        return float(told.rstrip("%")) / (100 if told.endswith("%") else 1)
    except ValueError:
        return 1.0


def _background(style: Mapping[str, str], told: Mapping[str, str], above: str) -> str:
    """ "" where something is behind that is no plain colour."""
    named = style.get("background-color") or style.get("background") or told.get("bgcolor", "")
    if "background-image" in style:
        return ""
    if not named or named in ("none", "transparent", "inherit"):
        return above
    return _colour(named)


def _colour(told: str) -> str:
    told = told.strip().lower()
    if short := re.fullmatch(r"#([0-9a-f])([0-9a-f])([0-9a-f])", told):
        return "".join(part * 2 for part in short.groups())
    if re.fullmatch(r"#[0-9a-f]{6}", told):
        return told[1:]
    if parts := re.fullmatch(r"rgba?\(\s*(\d{1,3})[,\s]+(\d{1,3})[,\s]+(\d{1,3})\s*(?:[,/].*)?\)", told):
        return "".join(f"{min(int(part), 255):02x}" for part in parts.groups())
    return _COLOURS.get(told, "")
