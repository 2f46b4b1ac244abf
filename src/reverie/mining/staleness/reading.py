"""What a memory says: its sentences, what it quotes, what it demands.

A small, tolerant reader: front matter is a convention, Markdown is read for its blocks only, and a sentence
that is not understood demands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reverie.domain.memories import Memory
from reverie.mining.wording import signature

__all__ = ["Demand", "Reading", "names_in", "read"]

_FRONT: Final = re.compile(r"\A\ufeff?-{3,}[ \t]*\r?\n(?P<front>.*?)^-{3,}[ \t]*\r?$\n?", re.M | re.S)
_ENTRY: Final = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_][\w-]*):[ \t]*(?P<value>.*?)[ \t]*\r?$")
_FENCE: Final = re.compile(r"^[ \t]*(```|~~~)")
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")
_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(.*?)[ \t]*#*$")
_STOP: Final = re.compile(r"(?<=[.!?])[\"”')]*[ \t]+(?=[A-Z`“\"'(])|;[ \t]+")
_QUOTED: Final = re.compile(r"“([^”\n]{8,300})”|\"([^\"\n]{8,300})\"")
_OUTPUT: Final = re.compile(r": |\S+(?: \S+){3}")
_BREAK: Final = re.compile(r"^[ \t]*([-*_=])(?:[ \t]*\1){2,}[ \t]*$")
_CODE: Final = re.compile(r"`([^`\n]{1,120})`")
_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_WORDLIKE: Final = re.compile(r"[A-Za-z_][\w.:/-]*[\w]|[A-Za-z]")

_PREFERS: Final = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\bprefer (?P<yes>.{1,80}?) (?:over|to|instead of|rather than) (?P<no>.{1,80})",
        r"\b(?:use|choose|run|call|send|write) (?P<yes>.{1,80}?),? (?:instead of|rather than|and not|but not|, not|not) (?P<no>.{1,80})",
        r"\binstead of (?P<no>[^,]{1,80}),? (?:use|choose|run|call|prefer|send|write) (?P<yes>.{1,80})",
        r"\b(?:do not|don['’]t|never) (?:use|choose|run|call|send|write) (?P<no>[^,;.]{1,80}?)[,;] *(?:but )?(?:use|choose|run|call|send|write) (?P<yes>.{1,80})",
    )
)
_FORBIDS: Final = re.compile(
    r"\b(?:do not|don['’]t|never|avoid|must not|mustn['’]t|should not|shouldn['’]t|may not|refrain from)\b (?:ever )?(?P<what>.+)",
    re.I,
)
_DEMANDS: Final = re.compile(
    r"^(?:please |always |only |you (?:must|should) (?:always )?|we (?:must|should|always) |must |should |make sure (?:to|that you) |remember to )*"
    r"(?P<what>[A-Za-z]\w+\b.+)",
    re.I,
)
_OBLIGES: Final = re.compile(
    r"\b(?:must|should|always|need to|needs to|has to|have to)\b (?:always |be )?(?P<what>.+)", re.I
)
_CONDITION: Final = re.compile(
    r"(?:^|[ ,])(?P<condition>(?:when|whenever|if|unless|until|before|after|while|during|for|in|on|with|without|where|outside|inside|within)\b.*)$",
    re.I,
)
_LEADING: Final = re.compile(
    r"^(?P<condition>(?:when|whenever|if|unless|before|after|while|for|in|on|where)\b[^,]{2,80}), *(?P<rest>.+)$",
    re.I,
)
_IMPERATIVES: Final = frozenset(
    ["use", "run", "call", "send", "write", "read", "edit", "check", "make", "keep", "put", "set", "add", "create", "open", "close", "start", "stop", "commit", "push", "pull", "test", "build", "deploy", "install", "pin", "update", "format", "lint", "sort", "name", "store", "save", "load", "fetch", "ask", "tell", "show", "hide", "log", "mock", "print", "return", "raise", "catch", "retry", "wait", "choose", "pick", "prefer", "follow", "include", "exclude", "include", "remove", "delete", "rename", "move", "copy", "sign", "verify", "validate", "confirm", "review", "quote", "escape", "mask", "wrap", "indent", "document", "describe", "state", "give", "pass", "turn", "enable", "disable", "restart", "rebase", "merge", "squash", "tag", "release", "reply", "answer", "attach", "upload", "download", "convert", "export", "import", "register", "book", "cancel", "look", "search", "find", "apply", "reload", "reset", "do", "split", "batch", "limit"]
)  # fmt: skip
_SAME_VERB: Final[Mapping[str, str]] = dict.fromkeys(
    ("run", "call", "invok", "execut", "choose", "prefer", "apply", "try"), "use"
)


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing a sentence asks for (``positive``) or forbids.

    ``what`` are the stemmed words of the thing, ``condition`` those of the clause that limits it (empty:
    always), ``numbers`` the numbers in it. ``sentence`` is verbatim.
    """

    positive: bool
    what: frozenset[str]
    condition: frozenset[str]
    numbers: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A memory, read. ``idea`` is the topic of the finding it came from; ``kind`` what it calls itself (note,
    warning, preference, playbook …); ``scope`` where it holds; ``sentences`` its own words, headings first; ``quotes`` what it shows (errors, output)."""

    memory: Memory
    idea: str | None
    kind: str | None
    scope: Mapping[str, str]
    sentences: tuple[str, ...]
    quotes: tuple[str, ...]
    demands: tuple[Demand, ...]


def read(memory: Memory) -> Reading:
    """Reads any memory. Never raises."""
    front, body = _parted(memory.content)
    sentences, quotes = _blocks(body)
    scope = {key.partition(".")[2]: value for key, value in front.items() if key.startswith("scope.")}
    told = tuple(dict.fromkeys(sentences))
    demands = tuple(dict.fromkeys(d for sentence in told for d in _demands(sentence)))
    return Reading(
        memory, front.get("idea"), front.get("kind"), scope, told, tuple(dict.fromkeys(quotes)), demands
    )


def names_in(sentence: str) -> tuple[str, ...]:
    """What a sentence may name: its code spans whole, then its single words, as written."""
    return tuple(dict.fromkeys((*_CODE.findall(sentence), *_WORDLIKE.findall(sentence))))


def _parted(content: str) -> tuple[dict[str, str], str]:
    """Front matter as ``key`` and ``parent.key`` → text, and the body."""
    found = _FRONT.match(content)
    if found is None:
        return {}, content
    front: dict[str, str] = {}
    parent = ""
    for line in found["front"].splitlines():
        entry = _ENTRY.match(line)
        if entry is None:
            continue
        key, value = entry["key"], entry["value"].strip("'\"")
        if not entry["indent"]:
            parent = key
        front[key if not entry["indent"] else f"{parent}.{key}"] = value
    return front, content[found.end() :]


def _blocks(body: str) -> tuple[list[str], list[str]]:
    """(sentences, quotes) of a Markdown text, in order."""
    sentences: list[str] = []
    quotes: list[str] = []
    paragraph: list[str] = []
    fenced = False

    def finish() -> None:
        text = " ".join(paragraph)
        paragraph.clear()
        for sentence in _STOP.split(text):
            if sentence.strip():
                sentences.append(sentence.strip())
                quotes.extend(one or other for one, other in _QUOTED.findall(sentence))
                quotes.extend(code for code in _CODE.findall(sentence) if _OUTPUT.search(code))

    for line in _LINK.sub(r"\1", body).splitlines():
        if _FENCE.match(line):
            finish()
            fenced = not fenced
        elif fenced or line.lstrip().startswith(">"):
            finish()
            quotes.extend(q for q in (line.strip().lstrip("> "),) if q)
        elif not line.strip() or _BREAK.match(line):
            finish()
        elif (heading := _HEADING.match(line)) is not None:
            finish()
            paragraph.append(heading[1])
            finish()
        else:
            if _ITEM.match(line):
                finish()
            paragraph.append(_ITEM.sub("", line).strip())
    finish()
    return sentences, quotes


# ---------------------------------------------------------------------- demands


def _demands(sentence: str) -> Iterator[Demand]:
    """What a sentence demands; nothing of a question or a report."""
    text = sentence.strip().rstrip(".!:")
    if not text or text.endswith("?"):
        return
    leading = _LEADING.match(text)
    before, core = (leading["condition"], leading["rest"]) if leading else ("", text)
    for pattern in _PREFERS:
        found = pattern.search(core)
        if found is not None:
            yield _demand(True, f"use {found['yes']}", before, sentence)
            yield _demand(False, f"use {found['no']}", before, sentence)
            return
    forbids = _FORBIDS.search(core)
    if forbids is not None:
        yield _demand(False, forbids["what"], before, sentence)
        return
    obliges = _OBLIGES.search(core)
    asks = _DEMANDS.match(core)
    if asks is not None and asks["what"].split()[0].lower() in _IMPERATIVES:
        yield _demand(True, asks["what"], before, sentence)
    elif obliges is not None:
        yield _demand(True, obliges["what"], before, sentence)


def _demand(positive: bool, what: str, before: str, sentence: str) -> Demand:
    trailing = _CONDITION.search(what)
    core = what[: trailing.start()] if trailing else what
    condition = f"{before} {trailing['condition'] if trailing else ''}"
    numbers = tuple(re.findall(r"\d+(?:\.\d+)?", core))
    return Demand(positive, _stems(core), _stems(condition), numbers, sentence)


def _stems(text: str) -> frozenset[str]:
    """Content words by their stems; code as it stands."""
    code = set[str](_CODE.findall(text))
    words: Iterable[str] = signature(_CODE.sub(" ", text)).split()
    return frozenset(code | {_SAME_VERB.get(w, w) for w in words if w != "not" and not w.isdigit()})
