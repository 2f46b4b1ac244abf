"""What a text says once its disguises are taken off: look-alike letters, invisible ones, codes, mirrors.

``fold`` gives the plain form of a text, lower case, letters without accents, look-alikes as the Latin letters they pass
for, invisible characters gone and tag characters readable. Line breaks are kept, so that a place in the plain form is
found again in the text. ``decoded`` gives the stretches that are text in a code.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import re2  # pyright: ignore[reportMissingTypeStubs]

__all__ = [
    "Finder",
    "Plain",
    "decoded",
    "finder",
    "fold",
    "mirrored",
    "smuggled",
    "spelled",
    "unleeted",
    "visible",
]

Finder: TypeAlias = Callable[[str], Iterator[tuple[int, int]]]
"""Bounds of what matches, in order."""


def finder(pattern: str) -> Finder:
    """A pattern that whole files are searched for, in linear time whatever is in them. It is compiled when it
    is first asked for, since a hundred of them take a tenth of a second."""

    @cache
    def compiled() -> Any:
        options: Any = re2.Options()
        options.max_mem = _MEMORY
        made: Any = re2.compile(pattern, options)  # pyright: ignore[reportUnknownMemberType]
        return made

    return lambda text: (match.span() for match in compiled().finditer(text))


_MEMORY: Final = 32 << 20  # bytes of one pattern's automaton; with RE2's default, gaps make it start over
_TAGS: Final = range(0xE0020, 0xE007F)
# Letters that look Latin and are not, and forms that NFKD leaves as they are (Unicode TR 39, the part of it that
# serves to write words): Cyrillic, Greek, Armenian, small capitals, upside-down letters, boxed ones, dashes.
_ALIKE: Final = {
    alike: latin
    for forms, letters in (
        ("авсԁеһіјӏкмпорԛѕтѵԝхуѐёзгиь", "abcdehijlkmnopqstvwxyeezrnb"),
        ("αβζηικμνορτυχωεγσδλπ", "abzhikmvoptuxweysdln"),
        ("օոսհցզ", "onuhgq"),
        ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"),
        ("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ", "acefghijkmrtvwy"),
        ("ɑɡıłøđħ", "agilodh"),
    )
    for alike, latin in zip(forms, letters, strict=True)
}
_CYRILLIC: Final = re.compile("[а-я]", re.IGNORECASE)
_DASHES: Final = "‐‑‒–—―−"
_QUOTES: Final = {**dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’‚‹›`´", "'")}
_LEET: Final = str.maketrans("0134578@$!|_", "oieastbasil ")
_FEWEST_ESCAPES: Final = 4
_RUN: Final = 16  # letters that a coded stretch holds at least
_MOST_RUNS, _LONGEST_RUN = 200, 40_000

_BASE64: Final = finder(r"(?:[A-Za-z0-9+/_-]{20,}\r?\n?)+={0,2}")
_HEX: Final = finder(r"(?i)(?:(?:0x|\\x)?[0-9a-f]{2}[ ,:]?){16,}")
_NUMBERS: Final = finder(r"(?:[0-9]{2,3}[ ,]{1,2}){16,}[0-9]{2,3}|(?:[01]{8} ?){12,}")
_ESCAPED: Final = finder(
    r"(?i)(?:[^\s&%\\]{0,12}\s?(?:&#x?[0-9a-f]{2,6};|%[0-9a-f]{2}|\\u00[0-9a-f]{2})){4,}\S*"
)
_SPELLED: Final = finder(r"(?:[A-Za-z][ \t._*/|\n·-]{1,3}){8,}[A-Za-z]")


class _Folding(dict[int, str]):
    """The plain form of each character, found once."""

    def __missing__(self, code: int) -> str:
        plain = self[code] = _plain(code)
        return plain


def _plain(code: int) -> str:
    char = chr(code)
    if code == 10:
        return char
    if 0x1F1E6 <= code <= 0x1F1FF:
        return chr(code - 0x1F1E6 + ord("a"))
    for first in (0x1F130, 0x1F150, 0x1F170):  # boxed and circled capitals
        if first <= code < first + 26:
            return chr(code - first + ord("a"))
    if char in _QUOTES:
        return _QUOTES[char]
    if char in _DASHES:
        return "-"
    kept = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    return "".join(_letter(c) for c in kept.lower())


def _letter(char: str) -> str:
    if char.isspace():
        return " "
    if (
        unicodedata.category(char) in ("Cf", "Cc", "Co", "Cn", "Mn", "Me")
        or char in "\u115f\u1160\u3164\uffa0"
    ):
        return ""
    return "ss" if char == "ß" else _ALIKE.get(char, char)


_FOLDING: Final = _Folding()


_BLANK: Final = re.compile(r"[\x00\t\r]")
_BLANKS: Final[dict[int, str]] = dict.fromkeys((0, 9, 13), " ")
_FOLDING.update({code: chr(code).lower() for code in range(128)} | _BLANKS)
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


class Plain:
    """A text in its plain form; ``back`` finds places of it in the text as it was."""

    def __init__(self, text: str) -> None:
        self.original = text
        plain = text if text.isascii() else _BEYOND_ASCII.sub(lambda m: m[0].translate(_FOLDING), text)
        self.text = plain.lower().translate(_BLANKS) if _BLANK.search(plain) else plain.lower()

    @property
    def mixed(self) -> bool:
        """Whether it holds Cyrillic letters, which folding takes for Latin ones."""
        return not self.original.isascii() and _CYRILLIC.search(self.original) is not None

    @property
    def lower(self) -> str:
        """The text in lower case and otherwise as it was, where each letter keeps its place."""
        low = self.original.lower()
        return low if len(low) == len(self.original) else self.original

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The bounds in the original of what lies between these in the plain form."""
        if self.original.isascii():
            return start, end
        return self._place(start, last=False), self._place(end, last=True)

    def _place(self, at: int, *, last: bool) -> int:
        line = self.text.count("\n", 0, at)
        within = at - (self.text.rfind("\n", 0, at) + 1)
        begin = 0
        for _ in range(line):
            begin = self.original.index("\n", begin) + 1
        for place in range(begin, len(self.original)):
            width = len(_FOLDING[ord(self.original[place])])
            if within < width or (last and within == 0):
                return place if within == 0 else place + last
            within -= width
        return len(self.original)


def fold(text: str) -> str:
    """The plain form of a text."""
    return Plain(text).text


def unleeted(text: str) -> str:
    """A folded text with figures that stand for letters as these letters, and underscores as spaces. As long as
    before."""
    return text.translate(_LEET)


def spelled(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, letters) of what is spelled letter by letter: ``m a r k``, ``m.a.r.k``."""
    for start, end in _SPELLED(text):
        yield start, end, re.sub(r"[^a-z]", "", text[start:end].lower())


def decoded(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, meaning) of every stretch that is text in a code: Base64, Base32, hexadecimal, numbers of
    characters, escapes of HTML, URLs and JSON. At most 200 stretches of each kind."""
    escapes = text.count("&#") + text.count("&l") + text.count("%") + text.count("\\u")
    for pattern, readers in (
        (_BASE64, (_base64, _base32)),
        (_HEX, (_hex,)),
        (_NUMBERS, (_numbers,)),
        *([(_ESCAPED, (_escapes,))] if escapes >= _FEWEST_ESCAPES else []),
    ):
        for start, end in islice(pattern(text), _MOST_RUNS):
            for reader in readers:
                yield from _read(start, end, text[start:end][:_LONGEST_RUN], reader)


def _read(start: int, end: int, run: str, reader: Callable[[str], str]) -> Iterator[tuple[int, int, str]]:
    try:
        meaning = reader(run)
    except (ValueError, binascii.Error):
        return
    readable = sum(c.isprintable() or c.isspace() for c in meaning)
    if len(meaning) >= _RUN // 2 and readable >= 0.9 * len(meaning):
        yield start, end, meaning


def _base64(run: str) -> str:
    whole = "".join(run.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("utf-8")


def _base32(run: str) -> str:
    whole = "".join(run.split()).rstrip("=").upper()
    return base64.b32decode(whole + "=" * (-len(whole) % 8)).decode("utf-8")


def _hex(run: str) -> str:
    return bytes.fromhex(re.sub(r"0x|\\x|[^0-9a-fA-F]", "", run, flags=re.IGNORECASE)).decode("utf-8")


def _numbers(run: str) -> str:
    parts = run.replace(",", " ").split() if " " in run or "," in run else re.findall(r"[01]{8}", run)
    base = 2 if all(set(part) <= {"0", "1"} and len(part) == 8 for part in parts) else 10
    return "".join(chr(int(part, base)) for part in parts)


def _escapes(run: str) -> str:
    plain = unquote(html.unescape(run))
    if "\\u" in plain:
        plain = codecs.decode(plain.encode("ascii", "replace"), "unicode_escape")
    return plain


def mirrored(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, meaning) of lines of a folded text that hold a telling word in ROT13 or from right to left.
    A meaning is as long as its stretch."""
    for first, last in _MIRRORED(text):
        start = max(text.rfind("\n", 0, first) + 1, first - _WIDE)
        end = text.find("\n", last)
        end = min(len(text) if end < 0 else end, last + _WIDE)
        stretch = text[start:end]
        yield start, end, codecs.encode(stretch, "rot13")
        yield start, end, stretch[::-1]


def smuggled(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, meaning) of what invisible characters spell: tag characters, variation selectors that stand
    for bytes, and characters of no width that stand for bits."""
    if text.isascii():
        return
    for pattern, read in ((_TAGGED, _tags), (_SELECTED, _selectors), (_WIDTHLESS, _bits)):
        found = list(pattern.finditer(text))
        if found:
            for meaning in read("".join(match.group() for match in found)):
                yield found[0].start(), found[-1].end(), meaning


def visible(text: str) -> str:
    """The text without characters that nobody sees and that can carry a text, or turn its direction."""
    return text if text.isascii() else _UNSEEN.sub("", text)


def _tags(run: str) -> Iterator[str]:
    yield "".join(chr(ord(c) - 0xE0000) for c in run if ord(c) in _TAGS)


def _selectors(run: str) -> Iterator[str]:
    codes = (ord(c) for c in run)
    raw = bytes(code - 0xFE00 if code < 0xE0100 else code - 0xE0100 + 16 for code in codes)
    yield raw.decode("utf-8", "ignore")


def _bits(run: str) -> Iterator[str]:
    signs = sorted(set(run))
    for zero in signs if len(signs) == 2 else ():
        bits = "".join("0" if c == zero else "1" for c in run)
        yield bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)).decode("utf-8", "ignore")


_WIDE: Final = 300
_TELLING: Final = ("criteri", "rubric", "grader", "satisf", "verdict", "instruction", "evaluator")
_MIRRORED: Final = finder(
    "|".join([codecs.encode(word, "rot13") for word in _TELLING] + [word[::-1] for word in _TELLING])
)
_TAGGED: Final = re.compile("[\U000e0000-\U000e007f]+")
_SELECTED: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_WIDTHLESS: Final = re.compile("[\u200b-\u200d\u2060\u2062-\u2064\ufeff\u180e]{16,}")
_UNSEEN: Final = re.compile(
    "[\u200b\u2060-\u2064\ufeff\u180e\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
