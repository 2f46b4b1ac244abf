"""Foreign text on a page: what nobody sees is spelled out, and Markdown becomes harmless HTML.

Everything that a template prints goes through ``visible`` (it is the environment's ``finalize``), so a
screen cannot forget it. Only what a person edits is printed as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape

__all__ = ["cost", "headed", "markdown", "shortened", "visible"]

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_JOINERS: Final = "\u200c\u200d"  # part of how several scripts and emoji are written
_STYLES: Final = "\ufe0e\ufe0f"  # a letter as text or as emoji: one at a time they hide nothing


def visible(text: str) -> str:
    """``text`` with every character that is not seen, or that reorders what is, as ``⟨U+202E⟩``."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_spelled, text.replace("\r\n", "\n"))


def _spelled(found: re.Match[str]) -> str:
    character, at, text = found[0], found.start(), found.string
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if character in _JOINERS and _letter(before) and _letter(after):
        return character
    if character in _STYLES and before not in _STYLES and _letter(before) and not _UNSEEN.match(after):
        return character
    return f"⟨U+{ord(character):04X}⟩"


def _letter(character: str) -> bool:
    """Whether it is a character that a joiner has something to do with."""
    if not character or character.isascii() or _UNSEEN.match(character):
        return character == "\ufe0f"
    return unicodedata.category(character)[0] in "LMS"


def cost(text: str) -> int:
    """The bytes that ``text`` takes on a page."""
    return len(escape(visible(text)).encode("utf-8", "replace"))


def shortened(text: str, most: int) -> str:
    """As much of the beginning of ``text`` as takes at most ``most`` bytes on a page."""
    if cost(text[:most]) <= most:
        return text[:most]
    low, high = 0, min(len(text), most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(text[:middle]) <= most else (low, middle - 1)
    return text[:low]


# ---------------------------------------------------------------------- Markdown

_TAGS: Final = {
    *("a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"),
    *("pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_HEAD: Final = re.compile(r"---\n(.*?)\n---(?:\n|\Z)", re.S)
_SCHEMES: Final = {"http", "https", "mailto"}
_WHOLE: Final = re.compile("https?://[^/]|mailto:", re.I)  # "https:host" is another host to each reader


def markdown(text: str) -> Markup:
    """Markdown as HTML, the facts at its head (between lines of ``---``) as they are: no HTML of its own, no picture (a link stands in its place), each link with its host."""
    head = _HEAD.match(text)
    facts = str(Markup("<pre><code>{}</code></pre>").format(visible(head[1]))) if head else ""
    rendered = facts + _MARKDOWN.render(visible(text[head.end() if head else 0 :]))
    clean = nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes=_SCHEMES,
        attribute_filter=_kept,
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(clean)  # noqa: S704  (nh3 has just cleaned it)


def headed(text: str) -> tuple[str, str]:
    """The facts at the head of a text (between lines of ``---``; empty where there are none), and the rest."""
    head = _HEAD.match(text)
    return (head[1], text[head.end() :]) if head else ("", text)


def _kept(tag: str, name: str, value: str) -> str | None:
    """An attribute, but no link into the console, nor one whose host depends on where it stands."""
    return value if name != "href" or _WHOLE.match(value) else None


def _image(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: dict[str, Any]
) -> str:
    """A link to the picture, which nothing loads."""
    source = str(tokens[at].attrs.get("src", ""))
    words = tokens[at].content or "picture"
    return str(Markup('<a href="{}">picture: {}</a>').format(source, words)) + _host(source)


def _link_close(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: dict[str, Any]
) -> str:
    opened, depth = at - 1, 1
    while opened >= 0:
        depth += {"link_close": 1, "link_open": -1}.get(tokens[opened].type, 0)
        if depth == 0:
            break
        opened -= 1
    return "</a>" + _host(str(tokens[opened].attrs.get("href", "")) if opened >= 0 else "")


def _host(url: str) -> str:
    """Where a link goes, to be read before it is followed."""
    try:
        host = urlsplit(url).netloc
    except ValueError:
        host = "an address that cannot be read"
    return str(Markup(" <span>({})</span>").format(host)) if host else ""


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("image", _image)
    made.add_render_rule("link_close", _link_close)
    return made


_MARKDOWN: Final = _markdown()
