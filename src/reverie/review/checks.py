"""What a proposed text looks like before anybody reads it: secrets, size, hidden characters, words that
command their reader, dates that will be wrong tomorrow, and what memory says already.

Looking at words does not make a text safe. Where a proposal comes from decides whether a rule may apply
it (``Proposal.tainted``); these notes decide what a person's eye should fall on. All functions are pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from rapidfuzz import fuzz

from reverie.domain.errors import InvalidMemory
from reverie.domain.memories import Memory, valid_content, valid_path
from reverie.memory.documents import body

__all__ = ["Note", "NoteKind", "Severity", "examine"]

NoteKind = Literal["secret", "size", "path", "injection", "hidden_text", "relative_date", "duplicate"]
Severity = Literal["info", "warning", "error"]

_MOST: Final = 20
_COMPARED: Final = 4_000  # characters of each body: two notes that agree so far say the same
_SAME: Final = 96.0  # rapidfuzz ratios, 0 to 100
_ALIKE: Final = 85.0


@dataclass(frozen=True, slots=True)
class Note:
    """One thing a reviewer should know. ``start`` and ``end`` bound the place in the text (code points),
    where there is one. With an ``error`` a dream keeps the text back; a person may still write it."""

    kind: NoteKind
    severity: Severity
    text: str
    start: int | None = None
    end: int | None = None


def examine(
    content: str, *, path: str, memories: Sequence[Memory], leaks: Callable[[str], bool]
) -> list[Note]:
    """The notes about a text proposed for ``path``, errors first; at most 20 of one sort.

    ``memories`` are those to compare with (the one at ``path`` is left out); ``leaks`` says whether a
    text holds a secret.
    """
    looks = (
        _limits(content, path),
        _secrets(content, leaks),
        _hidden(content),
        _commands(content),
        _relative_dates(content),
        _duplicates(content, path, memories),
    )
    notes = [note for look in looks for note in islice(look, _MOST)]
    return sorted(notes, key=lambda note: (_ORDER[note.severity], note.start or 0))


_ORDER: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "info": 2}


def _limits(content: str, path: str) -> Iterator[Note]:
    try:
        valid_path(path)
    except InvalidMemory as error:
        yield Note("path", "error", error.what)
    try:
        valid_content(content, where=path)
    except InvalidMemory as error:
        yield Note("size", "error", error.what)


def _secrets(content: str, leaks: Callable[[str], bool]) -> Iterator[Note]:
    """Names the lines, never the secret. A secret that spans lines is reported for the whole text."""
    if not leaks(content):
        return
    start, found = 0, False
    for line in content.splitlines(keepends=True):
        if leaks(line):
            found = True
            yield Note("secret", "error", "holds what looks like a secret", start, start + len(line.rstrip()))
        start += len(line)
    if not found:
        yield Note("secret", "error", "holds what looks like a secret, over several lines")


# ---------------------------------------------------------------------- characters nobody sees

_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]+")  # reorders what is shown
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]+")  # spells ASCII, invisibly
_SELECTORS: Final = re.compile("[\U000e0100-\U000e01ef\ufe00-\ufe0f]{2,}")  # as above, sixteen at a time
_ZERO_WIDTH: Final = re.compile(
    "[\u200b-\u200f\u2060-\u2064\ufeff\u00ad\u034f\u061c\u115f\u1160\u180e\u3164\uffa0]"
)
_JOINERS: Final = "\u200c\u200d"  # part of how emoji and several scripts are written
_FLAG: Final = "\U0001f3f4"  # what the tags of the flags of England, Scotland and Wales follow


def _hidden(content: str) -> Iterator[Note]:
    for found in _BIDI.finditer(content):
        yield _at(
            found, "hidden_text", "error", "holds characters that show text in another order than it is read"
        )
    for found in _TAGS.finditer(content):
        if content[max(0, found.start() - 1) : found.start()] != _FLAG:
            yield _at(found, "hidden_text", "error", f"hides text: {_spelled(found[0])!r}")
    for found in _SELECTORS.finditer(content):
        yield _at(found, "hidden_text", "error", "holds a run of invisible characters")
    for found in _ZERO_WIDTH.finditer(content):
        if not _joins(content, found.start()):
            name = unicodedata.name(found[0], "an invisible character").lower()
            yield _at(found, "hidden_text", "warning", f"holds an invisible character ({name})")


def _joins(content: str, at: int) -> bool:
    """Whether a joiner stands between two characters of a script (or emoji) that needs it."""
    before, after = content[at - 1 : at], content[at + 1 : at + 2]
    return content[at] in _JOINERS and bool(before and after) and not (before.isascii() or after.isascii())


def _spelled(tags: str) -> str:
    return "".join(chr(ord(tag) - 0xE0000) for tag in tags if 0x20 <= ord(tag) - 0xE0000 < 0x7F)[:80]


# ---------------------------------------------------------------------- words that command the reader

# Between words: Markdown's emphasis and line breaks included. It shares no character with \w, and every
# repetition is bounded, so that no text takes more than linear time.
_GAP: Final = r"[\s*\"'`,:]{1,6}"
_EARLIER: Final = r"(?:previous|prior|above|preceding|earlier|former|system|developer|safety)"
_ORDERS: Final = r"(?:instructions?|prompts?|directives?|guidelines?|directions?)"
_LOOSER: Final = r"(?:rules?|messages?|context|conversations?)"
_USER: Final = r"(?:the |your )?(?:user|human|operator)s?\b"
_SECRETS: Final = (
    r"(?:credentials?|secrets?|tokens?|passwords?|api keys?|environment variables?|(?<!\w)\.env)"
)
_WITHIN: Final = r"(?:[^.\n]|\.(?=\w)){0,60}"  # not past the end of a sentence
# "Do not ignore …" is advice; the negation is matched with it, so that it can be told apart.
_DROP: Final = (
    rf"(?P<negated>(?:\b(?:not|never)|n't){_GAP})?\b(?:ignore|disregard|forget|override|bypass){_GAP}"
)
# An error keeps a text back unread, so only what has no honest use is one: "do not tell the user it
# works before the tests ran" is a fair rule, and looks like an attack.
_ERRORS: Final = {
    rf"{_DROP}(?:\w{{1,20}}{_GAP}){{0,4}}{_EARLIER}{_GAP}(?:\w{{1,20}}{_GAP}){{0,2}}{_ORDERS}\b": "tells its reader to drop other instructions",
    rf"{_DROP}(?:everything|all|anything){_GAP}(?:of{_GAP})?(?:the{_GAP})?(?:above|before|so far)\b": "tells its reader to drop other instructions",
    r"<\|(?:im_start|im_end|start_header_id|system|assistant|endoftext|eot_id)\|?>|\[/?INST\]|<<SYS>>": "takes another role's voice",
    r"^\W{0,5}(?:system|developer)(?: prompt| message| override)?: ?you\b": "takes another role's voice",
}
_WARNINGS: Final = {
    rf"{_DROP}(?:\w{{1,20}}{_GAP}){{0,4}}(?:{_EARLIER}|your|existing|all){_GAP}(?:\w{{1,20}}{_GAP}){{0,2}}{_LOOSER}\b": "tells its reader to drop other text",
    r"\byou are now (?:an?|called|named|acting|playing)\b|\bfrom now on,? you are\b": "gives its reader another role",
    r"\b(?:new|updated|real|actual) (?:system )?instructions? ?:": "gives new instructions",
    rf"\b(?:do not|don't|never) (?:tell|inform|alert|notify|mention (?:this |it )?to|reveal (?:this |it )?to) {_USER}": "asks to keep something from the user",
    rf"\bwithout (?:telling|informing|alerting|notifying|asking) {_USER}": "asks to act behind the user's back",
    r"\b(?:reveal|print|repeat|show|output|leak|send)\b[^.\n]{0,30}\b(?:system|hidden|developer) (?:prompt|instructions?)\b": "asks for its reader's own instructions",
    rf"\b(?:exfiltrate|send|post|upload|forward)\b{_WITHIN}\b{_SECRETS}\b{_WITHIN}\bto\b": "asks to send secrets away",
    r"\b(?:curl|wget)\b[^\n|]{0,200}\| ?(?:sudo )?(?:ba|z|da)?sh\b": "runs what it downloads",
    r"!\[[^\]\n]{0,200}\]\( ?https?://": "loads a picture from elsewhere, which can carry data out",
    r"--(?:no-verify|dangerously[\w-]*|yolo)\b": "switches a safeguard off",
}
_COMMANDS: Final[Sequence[tuple[Severity, str, re.Pattern[str]]]] = [
    *(("error", says, re.compile(pattern, re.I | re.M)) for pattern, says in _ERRORS.items()),
    *(("warning", says, re.compile(pattern, re.I | re.M)) for pattern, says in _WARNINGS.items()),
]


def _commands(content: str) -> Iterator[Note]:
    """Searches the text as it would be understood: compatibility forms folded, invisible characters gone."""
    plain, places = _plain(content)
    for severity, says, pattern in _COMMANDS:
        for found in pattern.finditer(plain):
            if found.groupdict().get("negated"):
                continue
            start, end = places[found.start()], places[found.end() - 1] + 1
            yield Note("injection", severity, f"{says}: {_quoted(content[start:end])}", start, end)


def _plain(content: str) -> tuple[str, Sequence[int]]:
    """The folded text, and for each of its characters the place it has in ``content``."""
    if content.isascii():
        return content.replace("\t", " "), range(len(content))
    folded: list[str] = []
    places: list[int] = []
    for at, character in enumerate(content):
        if unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
            continue
        for part in unicodedata.normalize("NFKC", character):
            folded.append(_FOLDED.get(part, part))
            places.append(at)
    return "".join(folded), places


_FOLDED: Final = {"’": "'", "\t": " ", "\u2028": "\n", "\u2029": "\n"}


# ---------------------------------------------------------------------- words that age

_CODE: Final = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`", re.S)
_QUOTE: Final = re.compile(r"^ {0,3}>.*$", re.M)
_RELATIVE: Final = re.compile(
    r"\b(?:yesterday|tomorrow|today|tonight|right now|last (?:night|week|month|year|(?:mon|tues|wednes|thurs|fri|"
    r"satur|sun)day)|next (?:week|month|year)|this (?:morning|afternoon|evening|week|month|year)|"
    r"(?:\d+|an?|one|two|three|a few|several) (?:minutes?|hours?|days?|weeks?|months?|years?) ago|recently|"
    r"currently|at the moment)\b",
    re.I,
)


def _relative_dates(content: str) -> Iterator[Note]:
    """In prose only: ``git log --since=yesterday`` is right on any day, and a quote is somebody's words."""
    prose = _QUOTE.sub(_blank, _CODE.sub(_blank, content))
    for found in _RELATIVE.finditer(prose):
        yield _at(found, "relative_date", "warning", f"will not be true later: {found[0]!r}; write the date")


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


# ---------------------------------------------------------------------- what memory says already


def _duplicates(content: str, path: str, memories: Sequence[Memory]) -> Iterator[Note]:
    """Memories elsewhere whose text is nearly this one, word order aside (token sort ratio)."""
    mine = _comparable(content)
    if not mine:
        return
    for memory in memories:
        if memory.path == path:
            continue
        ratio = fuzz.ratio(mine, _comparable(memory.content), score_cutoff=_ALIKE)
        if ratio:
            severity: Severity = "error" if ratio >= _SAME else "warning"
            says = "says what memory says already" if ratio >= _SAME else "is much like what memory says"
            yield Note("duplicate", severity, f"{says} at {memory.path} ({ratio:.0f} % alike)")


def _comparable(content: str) -> str:
    words = re.findall(r"\w+", body(content)[:_COMPARED].casefold())
    return " ".join(sorted(words))


def _at(found: re.Match[str], kind: NoteKind, severity: Severity, text: str) -> Note:
    return Note(kind, severity, text, found.start(), found.end())


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[:79]}…" if len(line) > 80 else line
