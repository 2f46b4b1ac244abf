"""What a rubric says beside its demands: must or should, weights, ids, in the words that people use for it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from reverie.domain.errors import Invalid

__all__ = [
    "MAX_WEIGHT",
    "Heading",
    "Marks",
    "at_line",
    "read_heading",
    "read_marks",
    "says",
    "slug",
    "weight",
]

MAX_WEIGHT: Final = 1000.0

_MUST: Final = r"must(?:[- ]haves?)?|required|mandatory|essential|critical|blocker|blocking"
_SHOULD: Final = r"should(?:[- ]haves?)?|could(?:[- ]haves?)?|nice[- ]to[- ]haves?|optional|recommended|desirable|preferred|bonus"
_LEVEL: Final = rf"(?P<must>{_MUST})|(?P<should>{_SHOULD})"
_NUMBER: Final = r"[-+]?[0-9]{1,9}(?:[.][0-9]{1,6})?"

_BOX: Final = re.compile(r"\[[ xX]\](?:\s+|$)")
_LABEL: Final = re.compile(rf"[*_]{{0,3}}(?:{_LEVEL})(?:[*_]{{1,3}}\s*:|:[*_]{{0,3}})\s*", re.I)
_LEVEL_ALONE: Final = re.compile(_LEVEL, re.I)
_WEIGHT: Final = re.compile(rf"weight\s*[:=]?\s*({_NUMBER})\s*%?", re.I)
_POINTS: Final = re.compile(rf"({_NUMBER})\s*(?:points?|pts?|marks?)\.?", re.I)
_SHARE: Final = re.compile(r"([0-9]{1,3}(?:[.][0-9]{1,3})?)\s*%")
_BRACKETS: Final = re.compile(
    r"\[([^\[\](){}\n]{1,100})\](?![(\[])|\(([^\[\](){}\n]{1,100})\)|\{([^{}\n]{1,200})\}"
)
_AFTER: Final = re.compile(
    r"[*_]{0,3}\s*(?:(?:\[[^\[\]\n]{1,100}\]|\([^()\n]{1,100}\)|\{[^{}\n]{1,200}\})[*_]{0,3}\s*){0,3}(?:$|[.;]$|:|[–—]|-\s)"
)
_FONT: Final = re.compile(r"\b(?:fonts?|typeface|type size|text size|lettering)\b", re.I)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CODE: Final = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^“”]{0,300}”")
_GENTLY: Final = re.compile(r"(?:ideally|optionally|preferably)\b", re.I)

_TAIL: Final = r"(?:\s+(?:criteria|requirements?|items?|points?|conditions?|features?))?\s*(?:[:(–—-].*)?"
_HEADING_LEVEL: Final = re.compile(rf"(?:{_LEVEL}){_TAIL}", re.I)
_HEADING_END: Final = re.compile(rf".*(?:[:–—]|\s-)\s*(?:{_LEVEL})\s*", re.I)
_NOT: Final = re.compile(
    r"(?:(?:must|should|shall|may|do|does|can|could)(?:[ -]not|n['’]t)(?:[ -](?:haves?|contains?|includes?|do))?"
    rf"|don['’]?ts|avoid|never|forbidden|prohibited|(?:not|dis)[ ]?allowed){_TAIL}",
    re.I,
)
_FAULTS: Final = re.compile(
    r"(?:red flags?|deal[- ]?breakers?|anti[- ]?patterns?|(?:automatic|instant|auto)[- ]fail(?:ure)?s?"
    rf"|fail(?:s|ure)? (?:if|when|conditions?|criteria)|penalt(?:y|ies)|deductions?|common mistakes){_TAIL}",
    re.I,
)
_ASIDE: Final = re.compile(
    r"(?:guidance|(?:grading|scoring|rating) (?:scale|instructions|notes)|(?:score|grade|grading) bands?"
    r"|how (?:to|we) (?:grade|score|judge|evaluate).*|out of scope|non-goals|not required|about this rubric"
    r"|task description|(?:guidance|notes?|instructions?|hints?) (?:for|to) (?:the )?(?:grader|judge|evaluator)s?)\s*:?",
    re.I,
)


def at_line(line: int, what: str, next_step: str | None = None) -> Invalid:
    """The error for what is wrong in a rubric's ``line`` (from 1)."""
    return Invalid("rubric", f"line {line}: {what}", hint=next_step)


@dataclass(frozen=True, slots=True)
class Marks:
    """What is written about a criterion beside its words; None where nothing is."""

    id: str | None = None
    must: bool | None = None
    weight: float | None = None
    boxed: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """A section, or words above a list. ``before`` is put before the text of each criterion in a section whose
    sense would be the opposite without it ("Must not"), ``lead`` before each item of a list below such words.
    What stands in an ``aside`` is for the grader to read, and no criterion."""

    title: str
    must: bool | None = None
    weight: float | None = None
    before: str = ""
    lead: str = ""
    aside: bool = False


def weight(told: str, line: int) -> float:
    """A weight, which is above 0 and at most MAX_WEIGHT; percent and points are weights as they stand."""
    number = float(told)
    if not 0 < number <= MAX_WEIGHT:
        raise at_line(
            line,
            f"a weight is above 0 and at most {MAX_WEIGHT:g}, not {told}",
            "weights count relative to each other; what must not be there is a criterion of its own",
        )
    return number


def read_marks(text: str, line: int, *, labelled: bool = True) -> tuple[Marks, str]:
    """The marks in a criterion's first paragraph, and its words without them.

    A mark stands at the start, at the end, or before a colon or dash: elsewhere, brackets are words like any.
    ``labelled``: a first word such as "Must:" is one too.

    Raises:
        Invalid: a mark that cannot be meant as it stands (two weights, a weight of 0, a malformed id).
    """
    boxed = _BOX.match(text)
    rest = text[boxed.end() :] if boxed else text
    found: dict[str, str | float | bool] = {}
    if labelled and (label := _LABEL.match(rest)):
        found["must"] = label["must"] is not None
        rest = rest[label.end() :]
    pieces: list[str] = []
    done = seen = ticks = 0
    leading = True
    for group in _BRACKETS.finditer(rest):
        between = rest[seen : group.start()]
        ticks += between.count("`")
        leading = leading and not between.strip("*_ \n")
        placed = ticks % 2 == 0 and (leading or _AFTER.match(rest, group.end()) is not None)
        told = _told_by(group, rest, line) if placed else None
        ticks += group[0].count("`")
        seen = group.end()
        leading = leading and told is not None
        if told is None:
            continue
        if again := found.keys() & told.keys():
            raise at_line(line, f"two marks for {', '.join(sorted(again))}", "keep one of them")
        found |= told
        pieces.append(rest[done : group.start()].rstrip())
        done = seen
    words = _joined([*pieces, rest[done:]])
    return Marks(**found, boxed=boxed is not None), words  # type: ignore[arg-type]


def says(text: str) -> tuple[bool | None, bool | None]:
    """Must (True) or should (False) as the sentence itself says it: for certain, and perhaps.

    For certain by the capitals of RFC 2119 and 8174 (MUST, SHALL, SHOULD) and by "ideally …"; perhaps by a first
    word "must" or "should", since many write "should" where they mean "must".
    """
    bare = _CODE.sub(" ", text)
    if bare != bare.upper():
        capitals = set(re.findall(r"\b(?:MUST|SHALL|SHOULD)\b", bare))
        if capitals:
            return capitals != {"SHOULD"}, None
    if _GENTLY.match(bare):
        return False, None
    first = bare.split(maxsplit=1)[0].lower() if bare.split() else ""
    if bare.rstrip().endswith("?") or first not in ("must", "should"):
        return None, None
    return None, first == "must"


def read_heading(text: str, line: int) -> Heading:
    """What a section's title says of the criteria in it."""
    marks, title = read_marks(text, line, labelled=False)
    title = title.strip("*_# ").removesuffix(":").rstrip("*_ ")
    bare = re.sub(r"^[\W\d_]+", "", title)
    level = _HEADING_LEVEL.fullmatch(bare) or _HEADING_END.fullmatch(bare)
    must = marks.must if level is None else level["must"] is not None
    before = ""
    if _NOT.fullmatch(bare):
        before, must = bare, False if bare.lower().startswith("should") else must
    elif _FAULTS.fullmatch(bare):
        before = f"Must not be the case ({bare})"
    lead = before or ("" if _LEVEL_ALONE.fullmatch(bare) else title)
    return Heading(title, must, marks.weight, before, lead, _ASIDE.fullmatch(bare) is not None)


def slug(text: str) -> str:
    """An id from a criterion's words. It depends on nothing but them: long texts are told apart by a digest."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    short = ""
    for word in words:
        if len(short) + len(word) > 40:
            break
        short = f"{short}-{word}" if short else word
    whole = short == "-".join(words) and plain.strip() != "" and text.isascii()
    if whole and short:
        return short
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{short or 'criterion'}-{digest}"


def _told_by(group: re.Match[str], text: str, line: int) -> dict[str, str | float | bool] | None:
    """What a bracket says, or None where it is words."""
    square, round_, curly = group.groups()
    if curly is not None:
        return _attributes(curly.split(), line)
    found: dict[str, str | float | bool] = {}
    for part in re.split(r"[,;]", square or round_ or ""):
        told = _mark(part.strip(), text, group.end(), line)
        if told is None or told.keys() & found.keys():
            return None
        found |= told
    return found


def _mark(part: str, text: str, end: int, line: int) -> dict[str, str | float | bool] | None:
    if level := _LEVEL_ALONE.fullmatch(part):
        return {"must": level["must"] is not None}
    if told := _WEIGHT.fullmatch(part):
        return {"weight": weight(told[1], line)}
    if (told := _POINTS.fullmatch(part)) and not _FONT.search(text):
        return {"weight": weight(told[1], line)}
    share = _SHARE.fullmatch(part)
    # "Accuracy (40%): …" and "Code quality (40%)" are weights; "… grows faster than the market (20%)" is not
    if share and (re.match(r"[*_]{0,3}\s*:", text[end : end + 5]) or len(text[:200].split()) < 5):
        return {"weight": weight(share[1], line)}
    return None


def _attributes(parts: list[str], line: int) -> dict[str, str | float | bool] | None:
    """``{#id weight=2 should}``; braces that begin otherwise are words."""
    ours = parts and (parts[0].startswith(("#", "weight=", "id=")) or _LEVEL_ALONE.fullmatch(parts[0]))
    if not ours:
        return None
    found: dict[str, str | float | bool] = {}
    for part in parts:
        told = _attribute(part, line)
        if again := told.keys() & found.keys():
            raise at_line(line, f"two marks for {', '.join(sorted(again))}", "keep one of them")
        found |= told
    return found


def _attribute(part: str, line: int) -> dict[str, str | float | bool]:
    if part.startswith(("#", "id=")):
        told = part.removeprefix("#").removeprefix("id=")
        if not _ID.fullmatch(told):
            raise at_line(
                line,
                f"{told!r} is no id",
                "an id is 1 to 64 letters, digits, '-', '_' and '.', and begins with a letter or digit",
            )
        return {"id": told}
    if level := _LEVEL_ALONE.fullmatch(part):
        return {"must": level["must"] is not None}
    value = part.removeprefix("weight=").removesuffix("%").strip("\"'")
    if not part.startswith("weight=") or not re.fullmatch(_NUMBER, value):
        raise at_line(line, f"{part!r} is no mark", "marks in braces are #id, weight=2, must and should")
    return {"weight": weight(value, line)}


def _joined(pieces: list[str]) -> str:
    """The words around marks, as if the marks had never been there."""
    text = ""
    for piece in pieces:
        text = piece.lstrip() if not text else text + piece
    text = re.sub(r"^([*_]{2,})\s*\1\s*", "", text.strip())  # a bold mark leaves empty emphasis behind
    return re.sub(r"^[:–—-]\s+", "", text).strip()
