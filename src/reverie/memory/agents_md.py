"""The managed block in a file that agents read (AGENTS.md): an index and the top rules of a store.

Everything here is a pure function of texts. A block looks like this::

    <!-- reverie:begin sha=0123456789abcdef lead=1 -->
    These notes …
    <!-- reverie:end -->

``sha`` digests the lines between the markers (line ends as ``\\n``), so that an edit by hand is seen;
``lead`` says what stood before the first sync: ``file`` = no file at all, otherwise how many line breaks
were put in front of the block. That is what makes removal give back the original bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.errors import Conflict, UsageError
from reverie.domain.memories import Memory
from reverie.memory import documents
from reverie.memory.documents import Document

__all__ = [
    "DEFAULT_BUDGET",
    "MAX_FILE_BYTES",
    "Block",
    "find_block",
    "inline",
    "plan_agents_md",
    "without_block",
]

DEFAULT_BUDGET: Final = 8_000  # bytes of the block: about 2,000 tokens in every session, for ever
MAX_FILE_BYTES: Final = 32_768  # where Codex stops reading (``project_doc_max_bytes``)
MIN_BUDGET: Final = 512

STALE: Final = (
    "These notes were learned from earlier sessions and may be stale: "
    "verify them against the current state before you rely on them."
)
_MARKER: Final = re.compile(
    r"(?:^|(?<=\A\ufeff))<!-- reverie:(begin|end)\b([^\n]*?)-->[ \t]*(?=\r?\n|\r?\Z)", re.M
)
_ATTRIBUTES: Final = re.compile(r" sha=([0-9a-f]{16}) lead=([012]|file) ")
_BLANK_LINE_LAST: Final = re.compile(r"(?:\A|\n)\r?\n\Z")
_MAX_RULE: Final = 400  # characters: a longer rule is read where it is kept
_MAX_DESCRIPTION: Final = 160
_HEADING_SLACK: Final = 120  # a body longer than its first paragraph by no more than a heading says no more
_NEVER_A_RULE: Final = frozenset({"playbook"})  # how to do a kind of work: read when doing it


@dataclass(frozen=True, slots=True)
class Block:
    """A managed block as found: ``text[start:end]`` runs from the first marker to the end of the last."""

    start: int
    end: int
    body: str
    newline: str
    lead: str
    edited: bool


def plan_agents_md(
    existing: str | None, memories: Sequence[Memory], *, budget: int = DEFAULT_BUDGET, force: bool = False
) -> str | None:
    """The file's text after a sync: the block put in, or replaced where it stands; all else untouched.

    ``existing`` is None where there is no file; the result is None where there should be none (nothing
    to say, and no text of others). ``budget`` bounds the block in bytes; a file is never made longer
    than ``MAX_FILE_BYTES``, past which readers stop.

    Raises:
        Conflict: the block was edited by hand (unless ``force``), the markers are damaged, or the text
            of others leaves no room for a block.
        UsageError: a budget below 512 bytes.
    """
    if budget < MIN_BUDGET:
        raise UsageError(f"a block needs at least {MIN_BUDGET} bytes, not {budget}")
    if not memories:
        return without_block(existing, force=force)
    block = find_block(existing or "")
    if block is None:
        return _append(existing, memories, budget)
    _refuse_edited(block, force)
    text = existing or ""
    before, after = text[: block.start], text[block.end :]
    room = _room(before + after, budget)
    return before + _render(memories, room, block.lead, block.newline) + after


def without_block(existing: str | None, *, force: bool = False) -> str | None:
    """The text with the block and the line breaks that came with it taken out; None: no file is left.

    Raises:
        Conflict: the block was edited by hand (unless ``force``), or the markers are damaged.
    """
    block = find_block(existing or "")
    if existing is None or block is None:
        return existing
    _refuse_edited(block, force)
    before = existing[: block.start]
    after = existing[block.end :].removeprefix(block.newline)
    for _ in range(0 if block.lead == "file" else int(block.lead)):
        before = before.removesuffix(block.newline)
    if after and before and not before.endswith("\n"):
        before += block.newline  # others wrote below the block: their lines stay lines of their own
    return None if block.lead == "file" and not before + after else before + after


def find_block(text: str) -> Block | None:
    """The managed block of a text, if there is one.

    Raises:
        Conflict: more than one block, a marker without its partner, or a marker nobody can read.
    """
    markers = list(_MARKER.finditer(text))
    if not markers:
        return None
    if [marker[1] for marker in markers] != ["begin", "end"]:
        found = ", ".join(f"{m[1]} in line {text.count(chr(10), 0, m.start()) + 1}" for m in markers[:6])
        raise Conflict(
            f"the markers of the managed block do not pair up: {found}",
            hint="leave one begin and one end marker, or none, and sync again",
        )
    begin, end = markers
    attributes = _ATTRIBUTES.fullmatch(begin[2])
    newline = "\r\n" if text.startswith("\r\n", begin.end()) else "\n"
    body = text[begin.end() : end.start()].removeprefix(newline).removesuffix(newline)
    return Block(
        start=begin.start(),
        end=end.end(),
        body=body,
        newline=newline,
        lead=attributes[2] if attributes else "0",
        edited=attributes is None or attributes[1] != _digest(body),
    )


def inline(text: str, limit: int) -> str:
    """``text`` as one line that cannot end the block or hide what follows it: no control characters, no
    comment marks, at most ``limit`` characters (cut between words)."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = line.replace("<!--", "&lt;!--").replace("-->", "--&gt;")
    if len(line) <= limit:
        return line
    return line[: limit - 2].rsplit(" ", 1)[0] + " …"


def _append(existing: str | None, memories: Sequence[Memory], budget: int) -> str:
    text = existing or ""
    newline = "\r\n" if _last_break_is_crlf(text) else "\n"
    if existing is None:
        lead, gap = "file", ""
    else:
        breaks = 0 if not text or _BLANK_LINE_LAST.search(text) else 1 if text.endswith("\n") else 2
        lead, gap = str(breaks), newline * breaks
    room = _room(text + gap, budget)
    return text + gap + _render(memories, room, lead, newline) + newline


def _last_break_is_crlf(text: str) -> bool:
    at = text.rfind("\n")
    return at > 0 and text[at - 1] == "\r"


def _room(foreign: str, budget: int) -> int:
    taken = len(foreign.encode("utf-8", "surrogateescape"))
    room = min(budget, MAX_FILE_BYTES - taken - 2)
    if room < MIN_BUDGET:
        raise Conflict(
            f"the file holds {taken:,} bytes already; agents stop reading at {MAX_FILE_BYTES:,}",
            hint="shorten it, or sync to a folder: --to dir PATH",
        )
    return room


def _refuse_edited(block: Block, force: bool) -> None:
    if block.edited and not force:
        raise Conflict(
            "the managed block was edited by hand",
            hint="move your lines out of the block, or overwrite them with --force",
        )


def _render(memories: Sequence[Memory], room: int, lead: str, newline: str) -> str:
    frame = f"<!-- reverie:begin sha={'0' * 16} lead={lead} -->\n\n<!-- reverie:end -->"
    lines = "\n".join(_lines(memories, room - len(frame), len(newline)))
    begin = f"<!-- reverie:begin sha={_digest(lines)} lead={lead} -->"
    return "\n".join([begin, lines, "<!-- reverie:end -->"]).replace("\n", newline)


def _digest(body: str) -> str:
    return hashlib.sha256(body.replace("\r\n", "\n").encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Entry:
    """How one memory can be shown. ``rule`` is None for what is only to be read when it applies;
    ``scope`` is empty for what holds everywhere; ``longer`` says that the memory holds more."""

    path: str
    scope: str
    rule: str | None
    longer: bool
    index: str


def _lines(memories: Sequence[Memory], room: int, break_bytes: int) -> list[str]:
    """The block's lines: rules while they fit in three quarters, then an index of the rest, then a count."""
    entries = _entries(memories)
    rules: list[_Entry] = []
    for entry in entries:
        if entry.rule and _size(_composed([*rules, entry], [], len(entries)), break_bytes) <= room * 3 // 4:
            rules.append(entry)
    rest = [entry for entry in entries if entry not in rules]
    index: list[_Entry] = []
    for entry in rest:
        if _size(_composed(rules, [*index, entry], len(rest)), break_bytes) <= room:
            index.append(entry)
    return _composed(rules, index, len(rest) - len(index))


def _composed(rules: Sequence[_Entry], index: Sequence[_Entry], left_out: int) -> list[str]:
    lines = [STALE]
    if any(entry.longer for entry in rules):
        lines.append("The path behind a rule is where more is said: `reverie memory show PATH`.")
    for scope in sorted({entry.scope for entry in rules}):  # what holds everywhere, "", comes first
        heading = [f"Only for {scope}:", ""] if scope else []
        lines += ["", *heading, *(e.rule for e in rules if e.rule and e.scope == scope)]
    if index:
        lines += ["", "Read these when they apply (`reverie memory show PATH`):", ""]
        lines += [entry.index for entry in index]
    if left_out:
        lines += ["", f"{left_out} more: `reverie memory list`."]
    return lines


def _size(lines: Sequence[str], break_bytes: int) -> int:
    return sum(len(line.encode("utf-8", "surrogateescape")) + break_bytes for line in lines)


def _entries(memories: Sequence[Memory]) -> list[_Entry]:
    """In order of what stands behind them; what a person wrote without citing sessions comes first."""
    parsed = [(memory, documents.parse(memory.content)) for memory in memories]
    parsed.sort(key=lambda pair: (-_weight(pair[1]), pair[0].path))
    return [_entry(memory.path, document) for memory, document in parsed]


def _weight(document: Document) -> float:
    sessions = document.evidence.get("sessions")
    return float("inf") if not isinstance(sessions, int) else float(sessions)


def _entry(path: str, document: Document) -> _Entry:
    text = documents.lead(document)
    about = document.description or documents.title(document) or text
    scope = ", ".join(f"{name} {value}" for name, value in document.scope.items())
    longer = len(document.body) > len(text) + _HEADING_SLACK
    rule = f"- {inline(text, _MAX_RULE)}{f' ({_code(path)})' if longer else ''}"
    is_rule = text and len(text) <= _MAX_RULE and document.kind not in _NEVER_A_RULE
    return _Entry(
        path=path,
        scope=inline(scope, 100),
        rule=rule if is_rule else None,
        longer=longer,
        index=f"- {_code(path)}: {inline(about, _MAX_DESCRIPTION)}".removesuffix(": "),
    )


def _code(path: str) -> str:
    return f"`{inline(path, 300).replace('`', chr(39))}`"
