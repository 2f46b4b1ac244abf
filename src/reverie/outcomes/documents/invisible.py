"""Characters that a reader does not see: they carry text past a person to a model that reads bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["without_invisible"]

_TAGS: Final = "\U000e0000-\U000e007f"  # a copy of ASCII that nothing draws
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # 256 of them: each may stand for a byte
_BIDI: Final = "\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"
_ZERO: Final = "\u200b-\u200d\u2060-\u2065\ufeff\u00ad\u034f\u180b-\u180f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufff9-\ufffb"
_CONTROL: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"

_TERMINAL: Final = re.compile(r"\x1b\[[0-9;]{0,32}m")  # colours, and \x1b[8m: concealed
_RUN: Final = re.compile(
    f"(?P<tags>[{_TAGS}]+)|(?P<selectors>[{_SELECTORS}]+)|(?P<bidi>[{_BIDI}]+)"
    f"|(?P<zero>[{_ZERO}]+)|(?P<control>[{_CONTROL}]+)"
)
_FLAG: Final = "\U0001f3f4"  # flags of England, Scotland, Wales: a black flag and tags
_HOW: Final = {
    "tags": "Unicode tag characters",
    "selectors": "variation selectors",
    "bidi": "characters that change the direction of reading",
    "zero": "zero-width characters",
    "control": "control characters",
}


def without_invisible(text: str) -> tuple[str, list[tuple[str, str]]]:
    """(the text without characters that nothing draws, (how, what) for each way in which some were hidden).

    Joiners within words of other scripts and within emoji stay, as does the one selector that makes an emoji.
    What is told is what the characters stand for where they stand for text, else their names and the text
    around them.
    """
    found: dict[str, list[str]] = {}
    text = _without_colours(text, found)
    pieces: list[str] = []
    end = 0
    for run in _RUN.finditer(text):
        kept = _kept(run)
        pieces += text[end : run.start()], kept
        end = run.end()
        if kept != run[0] and not (run[0] == "\ufeff" and run.start() == 0):  # a byte order mark
            found.setdefault(str(run.lastgroup), []).append(_meant(run))
    return "".join((*pieces, text[end:])), [(_HOW[kind], _joined(what)) for kind, what in found.items()]


def _without_colours(text: str, found: dict[str, list[str]]) -> str:
    if "\x1b[" not in text:
        return text
    for concealed in re.finditer(r"\x1b\[(?:[0-9;]{0,16};)?8m([^\x1b]*)", text):
        found.setdefault("control", []).append(concealed[1])
    return _TERMINAL.sub("", text)


def _kept(run: re.Match[str]) -> str:
    """What of a run has a use where it stands."""
    before = run.string[run.start() - 1 : run.start()]
    after = run.string[run.end() : run.end() + 1]
    match run.lastgroup:
        case "selectors" if len(run[0]) == 1 and run[0] in "\ufe0e\ufe0f" and before:
            return run[0]
        case "zero" if run[0] in ("\u200c", "\u200d") and min(before, after) > "\u02ff":
            return run[0]
        case "tags" if before == _FLAG and len(run[0]) <= 7 and run[0].endswith("\U000e007f"):
            return run[0]
        case _:
            return ""


def _meant(run: re.Match[str]) -> str:
    match run.lastgroup:
        case "tags":
            return "".join(chr(ord(sign) - 0xE0000) for sign in run[0]).strip("\x00\x01\x7f")
        case "selectors":
            return bytes(_byte(sign) for sign in run[0]).decode("utf-8", "replace")
        case _:
            signs = " ".join(f"U+{ord(sign):04X}" for sign in run[0][:8])
            around = run.string[max(run.start() - 20, 0) : run.end() + 20]
            return f"{signs} in {''.join(sign for sign in around if sign.isprintable())!r}"


def _byte(sign: str) -> int:
    return ord(sign) - 0xFE00 if sign <= "\ufe0f" else ord(sign) - 0xE0100 + 16


def _joined(what: list[str]) -> str:
    return " … ".join(_bounded(what))


def _bounded(what: list[str]) -> Iterator[str]:
    yield from what[:20]
    if len(what) > 20:
        yield f"and {len(what) - 20} more"
