"""The grader of the example that is a program: it reads its brief, and files with its tools, and judges by plain rules.

What it knows of a criterion is its words; labels are drawn anew for each grading. Where a brief shows only what changed,
it judges by that and by what it is told of the judgement before, and opens a file where that does not do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["judge"]

_NONCE: Final = re.compile(r"with the nonce (\w+)\.")
_LISTED: Final = re.compile(r"^- \[(\w+)\] (.*)(?:\n  \((demanded|met) before: (.*)\))?", re.MULTILINE)
_FENCED: Final = re.compile(r"^<<<(\w+) (?:file \"(.*?)\".*|the maker's.*)\n((?s:.*?))\n>>>\1$", re.MULTILINE)
_CHANGED: Final = "(What changed"
_SAME: Final = "(It is as it was"
_PROOFS: Final = "(Passages that"
_OPENED: Final = "=== "
_NOBODY: Final = re.compile(r"\A\W*(?:tbd|tba|n/?a|none|nobody|open|to be decided)?\W*\Z", re.IGNORECASE)
_FIGURE: Final = re.compile(r"\b\d+ %")
_CITED: Final = re.compile(r"\[(\d+)\]")
_LONGEST: Final = 120
_REPORT, _DECK, _SOURCES = "report.docx", "deck.pptx", "sources.md"
_OPEN: Final = (
    "cd /mnt/session/outputs && python3 -c 'import re,sys,zipfile\nfor name in sys.argv[1:]:\n"
    ' print("=== "+name)\n'
    ' if name.endswith(".md"): print(open(name).read()); continue\n'
    " z=zipfile.ZipFile(name)\n"
    ' parts=[n for n in z.namelist() if re.fullmatch(r"word/document.xml|ppt/slides/slide\\d+.xml",n)]\n'
    " for n in sorted(parts,key=lambda n:(len(n),n)):\n  x=z.read(n).decode()\n"
    '  for r in re.findall(r"(?s)<w:tr[ >].*?</w:tr>|<[wa]:p[ >].*?</[wa]:p>",x):\n'
    '   t="\\t".join(re.sub("<[^>]+>","",c) for c in (re.findall(r"(?s)<w:tc>.*?</w:tc>",r) or [r]))\n'
    "   if t.strip(): print(t)' "
)


@dataclass(slots=True)
class _Shown:
    """A file as far as it is shown. ``new`` are lines that were not in it when it was judged before, ``gone`` those that
    were, ``kept`` those that are as they were; of a file that is shown whole all are new."""

    new: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    whole: bool = False

    @property
    def lines(self) -> list[str]:
        return [*self.new, *self.kept]


@dataclass(frozen=True, slots=True)
class _Before:
    """What is told of the judgement before: a demand, or that it was met; of the first judgement nothing."""

    demand: str = ""
    met: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A judgement: what must change (nothing: it is met), and the line that shows it."""

    changes: Sequence[str] = ()
    quote: str = ""
    file: str = _REPORT


class _Unseen(Exception):
    """It cannot be judged without these files."""

    def __init__(self, *files: str) -> None:
        super().__init__(*files)
        self.files = files


_Files = Mapping[str, _Shown]
_Rule = Callable[[_Files, _Before], _Found]


def judge(request: ModelRequest) -> Any:
    """The verdict; before that, what has to be opened for it."""
    told, opened = _context(request)
    brief = told[0]
    files = _files(brief, opened)
    can_open = any(tool.name == "bash" for tool in request.tools)
    judged: list[dict[str, Any]] = []
    unseen: set[str] = set()
    for label, text, how, told_before in _LISTED.findall(brief.rpartition("# The criteria")[2]):
        before = _Before(told_before if how == "demanded" else "", how == "met")
        try:
            judged.append(_said(label, _rule(text)(files, before)))
        except _Unseen as error:
            unseen |= {name for name in error.files if not files[name].whole}
            judged.append(_said(label, _Found(["Show it: it was not to be found."])))
    if unseen and can_open and not opened:
        return ToolCall(
            f"open-{len(request.messages)}", "bash", {"command": _OPEN + " ".join(sorted(unseen))}
        )
    nonce = (_NONCE.search(brief) or ["", ""])[1]
    verdict = {"nonce": nonce, "criteria": judged, "inapplicable": None, "summary": ""}
    return ToolCall(f"verdict-{len(request.messages)}", "verdict", verdict)


def _context(request: ModelRequest) -> tuple[list[str], dict[str, list[str]]]:
    """What it was told, and the files that it has opened."""
    told: list[str] = []
    opened: dict[str, list[str]] = {}
    for part in (p for m in request.messages if isinstance(m, UserTurn) for p in m.parts):
        if isinstance(part, Text):
            told.append(part.text)
        elif isinstance(part, ToolResult):
            text = "".join(piece.text for piece in part.content if isinstance(piece, Text))
            for each in text.split(_OPENED)[1:]:
                name, *lines = each.splitlines()
                opened[name.strip()] = lines
    return told, opened


def _files(brief: str, opened: Mapping[str, list[str]]) -> dict[str, _Shown]:
    found = {name: _Shown() for name in (_REPORT, _DECK, _SOURCES)}
    found |= {name or "message": _shown(text) for _, name, text in _FENCED.findall(brief)}
    for name, lines in opened.items():
        found[name] = _Shown(lines, whole=True)
    return found


def _shown(text: str) -> _Shown:
    if not text.startswith((_CHANGED, _SAME)):
        return _Shown(text.splitlines(), whole=True)
    shown = _Shown()
    changes, _, proofs = text.partition(_PROOFS)
    for line in changes.splitlines()[1:]:
        if line.startswith("-"):
            shown.gone.append(line[1:])
        elif line.startswith("+"):
            shown.new.append(line[1:])
        elif not line.endswith("…"):  # which is cut
            shown.kept.append(line[1:])
    shown.kept += proofs.splitlines()[1:]
    return shown


def _said(label: str, found: _Found) -> dict[str, Any]:
    met = not found.changes
    proof = {"file": found.file, "quote": found.quote[:_LONGEST], "place": None} if met else None
    return {
        "label": label,
        "status": "satisfied" if met else "not_satisfied",
        "proof": proof,
        "change": " ".join(found.changes),
        "reason": "It stands there." if met else "It is not there, or not as it should be.",
        "confidence": 0.9,
    }


# ---------------------------------------------------------------------- the rules


def _each(file: str, subject: str, fault: Callable[[str], str], missing: str) -> _Rule:
    """Every line of a kind is as it should be, and there is one. ``fault`` says what must change in a line."""

    def rule(files: _Files, before: _Before) -> _Found:
        shown = files[file]
        new, every = (
            [line for line in lines if re.search(subject, line)] for lines in (shown.new, shown.lines)
        )
        if changes := [change for line in new if (change := fault(line))]:
            return _Found(changes)
        if before.demand and not shown.whole and not _answered(before.demand, new):
            return _Found([before.demand])
        if every and (shown.whole or before.met or before.demand):
            return _Found(quote=every[0], file=file)
        if shown.whole:
            return _Found([missing])
        raise _Unseen(file)

    return rule


def _answered(demand: str, lines: Sequence[str]) -> bool:
    """Whether all that was demanded is among what is new: by the names and quotations in the demand."""
    marks = re.findall(r"\b[RS]\d\b", demand) + [said[:25] for said in re.findall(r"“([^“”…]{12,})", demand)]
    return bool(lines) and all(any(mark in line for line in lines) for mark in marks)


def _there(file: str, pattern: str, change: str) -> _Rule:
    """A line of that kind is there."""

    def rule(files: _Files, before: _Before) -> _Found:
        shown = files[file]
        new, kept, gone = (
            [line for line in lines if re.search(pattern, line)]
            for lines in (shown.new, shown.kept, shown.gone)
        )
        if new or (kept and not gone):
            return _Found(quote=[*new, *kept][0], file=file)
        if shown.whole or before.demand or gone:
            return _Found([change])
        raise _Unseen(file)

    return rule


def _unowned(line: str) -> str:
    mark, *_, owner = line.split("\t")
    return f"Name the person who owns {mark}." if _NOBODY.match(owner) else ""


def _undated(line: str) -> str:
    mark, _, who, when, *_ = [*line.split("\t"), "", "", ""]
    return "" if who.strip() and re.search(r"\d{4}", when) else f"Say who does it and when {mark} is done."


def _unsourced(line: str) -> str:
    return "" if _CITED.search(line) else f"Cite the source of “{line[:60]}…”."


def _reasoned(files: _Files, before: _Before) -> _Found:
    """Has to know which option is the recommended one."""

    def fault(line: str) -> str:
        option = line.partition("Option: ")[2].partition(".")[0]
        if "rejected because" in line or option == _recommended(files):
            return ""
        return f"Say why “{option}” is rejected: “{line[:60]}…”."

    return _each(_REPORT, r"^Option: ", fault, "Describe the options.")(files, before)


def _recommended(files: _Files) -> str:
    for name in (_REPORT, _DECK):
        if found := _concluded(files[name].lines):
            return found
    raise _Unseen(_REPORT)


def _concluded(lines: Sequence[str]) -> str:
    """What is recommended last in these lines."""
    found = [m[1] for line in lines if (m := re.match(r"We recommend ([^.]+)\.", line))]
    return found[-1] if found else ""


def _borne_out(files: _Files, before: _Before) -> _Found:
    sources = {m[1]: line for line in files[_SOURCES].lines if (m := re.match(r"\[(\d+)\]", line))}
    if not sources:
        raise _Unseen(_SOURCES)

    def fault(line: str) -> str:
        figure, cited = _FIGURE.search(line), _CITED.search(line)
        if figure is None or cited is None or f" {figure[0]}" in sources.get(cited[1], ""):
            return ""
        return f"Cite a source that bears out “{line[:60]}…”."

    return _each(_REPORT, r"\d+ %.*\[\d+\]", fault, "Cite sources.")(files, before)


def _agree(files: _Files, before: _Before) -> _Found:
    """What is not shown of one of them is as it was, which is told where they did not agree."""
    deck, report = (_concluded(files[name].lines) for name in (_DECK, _REPORT))
    named = re.search(r"“(.+?)”", before.demand)
    touched = any(_concluded([*files[name].new, *files[name].gone]) for name in (_DECK, _REPORT))
    if before.met and not touched and (deck or report):
        return _Found(quote=f"We recommend {deck or report}.", file=_DECK if deck else _REPORT)
    if before.demand and not files[_DECK].whole and not _concluded(files[_DECK].new):
        return _Found([before.demand])
    report = report or (named[1] if named else "")
    if not (deck and report) and not (files[_DECK].whole and files[_REPORT].whole):
        raise _Unseen(_REPORT, _DECK)
    if deck == report:
        return _Found(quote=f"We recommend {deck}.", file=_DECK)
    return _Found([f"Let the deck's conclusion recommend “{report}”, as the report does."])


def _unexplained(line: str) -> str:
    found = re.search(r"\b([A-Z]{2,5})\b(?! \()", line)
    return f"Say what {found[1]} stands for." if found else ""


_RULES: Final[Mapping[str, _Rule]] = {
    r"summary states which option": _there(
        _REPORT, r"^We recommend [^.]+\.$", "Let the summary state which option is recommended."
    ),
    r"summary says what": _there(
        _REPORT, r"first year it costs [\d,]+", "Let the summary say what it costs in its first year."
    ),
    r"not recommended is described": _reasoned,
    r"risk names a person": _each(_REPORT, r"^R\d+\t", _unowned, "Name the risks, and who owns each."),
    r"next step names who": _each(_REPORT, r"^S\d+\t", _undated, "Say who does what, and by when."),
    r"without a source": _each(_REPORT, r"\d+ %", _unsourced, "Tell what was found, with sources."),
    r"bears? out": _borne_out,
    r"deck's conclusion": _agree,
    r"abbreviations": _each(_REPORT, r"^Figures on ", _unexplained, "Say where more figures are."),
}


def _rule(text: str) -> _Rule:
    return next((rule for words, rule in _RULES.items() if re.search(words, text)), _particular(text))


def _particular(text: str) -> _Rule:
    """A criterion of an unknown kind asks for something by its name: a line that has it, or none."""
    words = list(_names(text))

    def rule(files: _Files, before: _Before) -> _Found:
        for name, shown in files.items():
            for line in shown.lines:
                if words and all(word in line for word in words):
                    return _Found(quote=line, file=name)
        return _Found([f"Do this: {text}"])

    return rule


def _names(text: str) -> Iterator[str]:
    yield from re.findall(r"[A-Z]+-\d+|\b\d{4}\b", text)
    yield from re.findall(r"(?<=\s)“?([A-Z]\w+ [A-Z]\w+)", text)
