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
_LISTED: Final = re.compile(r"^- \[(\w+)\] (.*)(?:\n  \(demanded before: (.*)\))?", re.MULTILINE)
_FENCED: Final = re.compile(r"^<<<(\w+) (?:file \"(.*?)\".*|the maker's.*)\n((?s:.*?))\n>>>\1$", re.MULTILINE)
_CHANGED: Final = "(What changed"
_SAME: Final = "(It is as it was"
_OPENED: Final = "=== "
_NOBODY: Final = re.compile(r"\A\W*(?:tbd|tba|n/?a|none|nobody|open|to be decided)?\W*\Z", re.IGNORECASE)
_FIGURE: Final = re.compile(r"\b\d+ %")
_CITED: Final = re.compile(r"\[(\d+)\]")
_LONGEST: Final = 280
_REPORT, _DECK, _SOURCES = "report.docx", "deck.pptx", "sources.md"
_OPEN: Final = (
    "cd /mnt/session/outputs && python3 -c 'import re,sys,zipfile\nfor name in sys.argv[1:]:\n"
    ' print("=== "+name)\n'
    ' if name.endswith(".md"): print(open(name).read()); continue\n'
    ' z=zipfile.ZipFile(name)\n'
    ' parts=[n for n in z.namelist() if re.fullmatch(r"word/document.xml|ppt/slides/slide\\d+.xml",n)]\n'
    ' for n in sorted(parts,key=lambda n:(len(n),n)):\n  x=z.read(n).decode()\n'
    '  for r in re.findall(r"(?s)<w:tr[ >].*?</w:tr>|<[wa]:p[ >].*?</[wa]:p>",x):\n'
    '   t="\\t".join(re.sub("<[^>]+>","",c) for c in (re.findall(r"(?s)<w:tc>.*?</w:tc>",r) or [r]))\n'
    "   if t.strip(): print(t)' "
)


@dataclass(slots=True)
class _Shown:
    """A file as far as it is shown. ``gone``: lines that were in it when it was judged before."""

    lines: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    whole: bool = False


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
_Rule = Callable[[_Files, str], _Found]


def judge(request: ModelRequest) -> Any:
    """The verdict; before that, what has to be opened for it."""
    told, opened = _context(request)
    brief = told[0]
    files = _files(brief, opened)
    can_open = any(tool.name == "bash" for tool in request.tools)
    judged: list[dict[str, Any]] = []
    unseen: set[str] = set()
    for label, text, demand in _LISTED.findall(brief.rpartition("# The criteria")[2]):
        try:
            judged.append(_said(label, _rule(text)(files, demand)))
        except _Unseen as error:
            unseen |= {name for name in error.files if not files[name].whole}
            judged.append(_said(label, _Found([demand or "Show it: it was not to be found."])))
    if unseen and can_open and not opened:
        return ToolCall(f"open-{len(request.messages)}", "bash", {"command": _OPEN + " ".join(sorted(unseen))})
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
        found[name] = _Shown(lines, found.get(name, _Shown()).gone, whole=True)
    return found


def _shown(text: str) -> _Shown:
    if not text.startswith((_CHANGED, _SAME)):
        return _Shown(text.splitlines(), whole=True)
    shown = _Shown()
    for line in text.splitlines()[1:]:
        if line.startswith("-"):
            shown.gone.append(line[1:])
        elif line.startswith(("+", " ")):
            shown.lines.append(line[1:])
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

    def rule(files: _Files, demand: str) -> _Found:
        shown = files[file]
        lines = [line for line in shown.lines if re.search(subject, line)]
        changes = [change for line in lines if (change := fault(line))]
        if changes:
            return _Found(changes)
        if lines and (shown.whole or not demand or _answered(demand, lines)):
            return _Found(quote=lines[0], file=file)
        if shown.whole:
            return _Found([missing])
        raise _Unseen(file)

    return rule


def _answered(demand: str, lines: Sequence[str]) -> bool:
    """Whether what was demanded before is among what is shown now: by the names in the demand."""
    names = re.findall(r"\b[RS]\d\b|“(.{12,}?)[”…]", demand) or [""]
    marks = re.findall(r"\b([RS]\d)\b", demand) + [name[:30] for name in names if name]
    return bool(marks) and all(any(mark in line for line in lines) for mark in marks)


def _unowned(line: str) -> str:
    mark, *_, owner = line.split("\t")
    return f"Name the person who owns {mark}." if _NOBODY.match(owner) else ""


def _undated(line: str) -> str:
    mark, _, who, when, *_ = [*line.split("\t"), "", "", ""]
    return "" if who.strip() and re.search(r"\d{4}", when) else f"Say who does it and when {mark} is done."


def _unsourced(line: str) -> str:
    return "" if _CITED.search(line) else f"Cite the source of “{line[:60]}…”."


def _reasoned(files: _Files, demand: str) -> _Found:
    """Needs to know what is recommended."""
    name = _recommended(files)

    def fault(line: str) -> str:
        option = line.partition("Option: ")[2].partition(".")[0]
        if option == name or "rejected because" in line:
            return ""
        return f"Say why “{option}” is rejected: “{line[:60]}…”."

    return _each(_REPORT, r"^Option: ", fault, "Describe the options.")(files, demand)


def _recommended(files: _Files) -> str:
    for name in (_REPORT, _DECK):
        for line in files[name].lines:
            if found := re.match(r"We recommend ([^.]+)\.", line):
                return found[1]
    raise _Unseen(_REPORT)


def _borne_out(files: _Files, demand: str) -> _Found:
    sources = {m[1]: line for line in files[_SOURCES].lines if (m := re.match(r"\[(\d+)\]", line))}
    if not sources:
        raise _Unseen(_SOURCES)

    def fault(line: str) -> str:
        figure, cited = _FIGURE.search(line), _CITED.search(line)
        if figure is None or cited is None or f" {figure[0]}" in sources.get(cited[1], ""):
            return ""
        return f"Cite a source that bears out “{line[:60]}…”."

    return _each(_REPORT, r"\d+ %.*\[\d+\]", fault, "Cite sources.")(files, demand)


def _there(file: str, pattern: str, change: str) -> _Rule:
    """A line of that kind is there."""

    def rule(files: _Files, demand: str) -> _Found:
        shown = files[file]
        if line := next((line for line in shown.lines if re.search(pattern, line)), None):
            return _Found(quote=line, file=file)
        if shown.whole or any(re.search(pattern, line) for line in shown.gone):
            return _Found([change])
        raise _Unseen(file)

    return rule


def _agree(files: _Files, demand: str) -> _Found:
    deck, report = (_concluded(files, name, pattern) for name, pattern in _CONCLUSIONS)
    if deck is None or report is None:
        raise _Unseen(_REPORT, _DECK)
    if deck == report:
        return _Found(quote=f"We recommend {deck}.", file=_DECK)
    return _Found([f"Let the deck's conclusion recommend “{report}”, as the report does."])


_CONCLUSIONS: Final = ((_DECK, r"^We recommend ([^.]+)\."), (_REPORT, r"^We recommend ([^.]+)\."))


def _concluded(files: _Files, name: str, pattern: str) -> str | None:
    found = [m[1] for line in files[name].lines if (m := re.search(pattern, line))]
    if not found and files[name].whole:
        return ""
    return found[-1] if found else None


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

    def rule(files: _Files, demand: str) -> _Found:
        for name, shown in files.items():
            for line in shown.lines:
                if words and all(word in line for word in words):
                    return _Found(quote=line, file=name)
        return _Found([f"Do this: {text}"])

    return rule


def _names(text: str) -> Iterator[str]:
    yield from re.findall(r"[A-Z]+-\d+|\b\d{4}\b", text)
    yield from re.findall(r"(?<=\s)“?([A-Z]\w+ [A-Z]\w+)", text)
