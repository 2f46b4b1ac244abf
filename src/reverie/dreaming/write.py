"""The template writer: findings × current memory → texts a person would keep. No model needed.

A behaviour becomes an instruction, a situation a warning, anything else nothing. The text says what to
do and what it looks like when it goes wrong; numbers stay in the front matter, because a statistic is a
reason to adopt a note and no help in following it.

What is said of one topic stands in one text, conditions first, an instruction a paragraph. Programs may read them:

    [When C, call|Call] `tool` with `argument` of N or more[, say V]: otherwise …
    [When C, call|Call] `tool` with `argument` below N[, say V]: otherwise …
    [When C, call|Call] `tool` with another `argument` than L[, say V]: otherwise …
    [When C, call|Call] `tool` with `argument` = `V`: otherwise …
    [When C, call|Call] `step` before `tool`: otherwise …
    When C, expect `tool`|the session to [mostly |often ]fail[ with “…”].     Instead: use …, or: Nothing is known yet that helps.
    When `tool` fails with “…”, [do not send the same call again; ]use …

C are conditions, joined by commas and "and": `a` is L, `a` is N or more, `a` is below N, `a` is between N and M, it is
17:00 or later, it is before 12:00, it is a Monday. After an "is N or more" of an "expect", parentheses may tell between
which values the limit lies.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast

from reverie.domain.dreams import Withheld
from reverie.domain.events import Json
from reverie.domain.findings import Finding
from reverie.domain.memories import Memory
from reverie.dreaming.desk import Desk, Draft, Reach, idea_of, memories_of, topic_of
from reverie.memory.documents import Document, parse, render

__all__ = ["TemplateWriter"]

_REVALIDATE: Final = timedelta(days=180)
_MAX_QUOTE: Final = 240
_INSTRUCTION: Final = re.compile(
    r"(?:When (?P<when>.+?), call|Call) `(?P<tool>[^`]+)` (?:with (?:another )?`(?P<name>[^`]+)`|before `(?P<next>[^`]+)`)"
)
_NAMED: Final = re.compile(r"`([^`]+)` is|\b(it is)\b")
_MAX_SLUG: Final = 60
_NO_REMEDY: Final = "Nothing is known yet that helps."
_OF_MEMORY: Final = frozenset({"stale_memory", "contradiction"})
"""A note about a note helps nobody who reads it in the middle of work; what is no longer so can be taken out."""

MemoryKind = Literal["note", "warning", "preference", "playbook"]

_FOLDER: Final[Mapping[MemoryKind, str]] = {
    "note": "notes",
    "warning": "warnings",
    "preference": "preferences",
    "playbook": "playbooks",
}


class TemplateWriter:
    """The writer that needs no model (``desk.Writer``)."""

    @property
    def name(self) -> str:
        return "template/2"

    @property
    def reach(self) -> Reach:
        return "topic"

    def write(self, desk: Desk) -> Sequence[Draft | Withheld]:
        """One draft a topic, or why there is none."""
        known = {idea: memory for memory in desk.memories if (idea := idea_of(memory)) is not None}
        there = {memory.path for memory in desk.memories}
        return [
            _retired(topic, there) or _written(topic, known.get(topic.idea), desk.dream_id)
            for topic in _topics(desk.findings)
        ]


def _retired(topic: _Topic, there: Set[str]) -> Draft | None:
    """To take a memory out, where sessions show that what it says is not so (any more)."""
    path = next(iter(memories_of(topic.first)), None)
    if topic.first.statement.get("change") != "retire" or path is None or path not in there:
        return None
    ids = tuple(finding.id for finding in topic.findings)
    return Draft("retire", path, topic.said("title") or topic.first.claim, "", f"retire:{path}", ids)


def _written(topic: _Topic, existing: Memory | None, dream_id: str) -> Draft | Withheld:
    doubt = _unwritable(topic)
    draft = None if doubt else _draft(topic, existing, dream_id)
    if draft is None:
        known = f"in memory already, at {existing.path}" if existing is not None else ""
        return Withheld(topic.first.id, topic.first.claim, doubt or known)
    return draft


# ---------------------------------------------------------------------- topics


@dataclass(frozen=True, slots=True)
class _Topic:
    """The findings that speak of one thing, the strongest (which gives the text) first."""

    idea: str
    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def sessions(self) -> int:
        return len({session for finding in self.findings for session in finding.sessions})

    @property
    def warning(self) -> str | None:
        """What befalls an agent. Of a behaviour a warning says nothing: there the advice is the lesson."""
        return self.said("warning") if any(f.nature == "situation" for f in self.findings) else None

    @property
    def instructions(self) -> tuple[str, ...]:
        """What to do otherwise, in the order of what is known best: there may be several ways."""
        chosen = (f for f in self.findings if f.kind == "conditional_pattern" and f.nature == "behaviour")
        found = (f.statement.get("advice") for f in chosen)
        return tuple(text for text in found if isinstance(text, str))

    @property
    def expectations(self) -> tuple[str, ...]:
        """``When …, expect ….`` for each set of circumstances, where they are what the topic is about."""
        if self.first.kind != "conditional_pattern":
            return ()
        patterns = [f for f in self.findings if f.kind == "conditional_pattern"]
        advised = [_circumstances(f) for f in patterns if f.nature == "behaviour"]
        found = (f.statement.get("warning") for f in patterns if _circumstances(f) not in advised)
        return tuple(text for text in found if isinstance(text, str))

    def said(self, name: str) -> str | None:
        """The first non-empty ``statement[name]``, as one line."""
        for finding in self.findings:
            value = finding.statement.get(name)
            if isinstance(value, str) and value.strip():
                return " ".join(value.split())
        return None


def _circumstances(finding: Finding) -> frozenset[tuple[str, str, str]]:
    return frozenset((c.attribute, c.op, str(c.value)) for c in finding.conditions)


def _topics(findings: Iterable[Finding]) -> list[_Topic]:
    """Findings grouped by what they are about, in order of the strongest of each group."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(topic_of(finding), []).append(finding)
    return [
        _Topic(idea, tuple(sorted(group, key=lambda f: (_mute(f), _rank(f), -f.weight, f.key))))
        for idea, group in groups.items()
    ]


def _mute(finding: Finding) -> bool:
    return finding.nature in ("tautology", "explained")


def _rank(finding: Finding) -> int:
    """What says most of one mistake comes first: how to avoid it, then when to expect it, then the rest."""
    if finding.nature == "behaviour" and finding.statement.get("advice") and finding.kind != "workaround":
        return 0
    return 1 if finding.kind == "conditional_pattern" else 2


def _unwritable(topic: _Topic) -> str | None:
    nature = topic.first.nature
    if topic.first.kind in _OF_MEMORY:
        paths = " and ".join(memories_of(topic.first))
        return f"it speaks of {paths}, not of the work: whoever reviews may change that, or take it away"
    if nature == "explained":
        return topic.first.effect.note or "vanishes within comparable tasks: explained by difficulty"
    if nature == "tautology":
        return "restates the outcome"
    if topic.said("advice") is None and topic.warning is None:
        return "what to do about it is not known yet"
    if topic.first.kind == "preference" and topic.sessions < 2:
        return "one person said so, once: it waits for a second voice or a second time"
    return None


# ---------------------------------------------------------------------- texts


def _draft(topic: _Topic, existing: Memory | None, dream_id: str) -> Draft | None:
    """The draft of a topic; None when memory says it already."""
    document = _document(topic, dream_id, existing)
    if existing is not None and parse(existing.content).body == document.body:
        return None
    heading = _heading(topic)
    return Draft(
        kind="add" if existing is None else "update",
        path=existing.path if existing is not None else _path(topic, heading),
        title=heading,
        content=render(document),
        idea=topic.idea,
        findings=tuple(finding.id for finding in topic.findings),
    )


def _document(topic: _Topic, dream_id: str, existing: Memory | None) -> Document:
    last = max((f.last_seen for f in topic.findings if f.last_seen is not None), default=None)
    return Document(
        body=_body(topic, () if existing is None else _instructions_in(parse(existing.content).body)),
        kind=_kind(topic),
        description=topic.said("when") or topic.first.claim,
        scope=_scope(topic),
        evidence=_evidence(topic, last),
        dream=dream_id,
        revalidate_after=None if last is None else (last + _REVALIDATE).date(),
        extra={"idea": topic.idea},
    )


def _body(topic: _Topic, before: Sequence[str]) -> str:
    """``before``: instructions that memory gives on the topic. What nothing new is said about stays: that a dream does
    not see a failure any more may be what its instruction does."""
    parts = [f"# {_heading(topic)}"]
    lesson = [_sentence(text) for text in dict.fromkeys(_lesson(topic)) if text]
    said = {mark for text in lesson if (mark := _mark(text)) is not None}
    parts.extend(lesson)
    parts.extend(text for text in before if _mark(text) not in said)
    example = topic.said("example")
    if example and example not in parts[-1]:
        shown = example if len(example) <= _MAX_QUOTE else example[: _MAX_QUOTE - 1] + "…"
        lead = "In their words:" if topic.first.kind == "preference" else "What it looks like:"
        parts.append(f"{lead}\n\n> {shown}")
    details = topic.said("details")
    if details and topic.first.kind != "workaround" and topic.said("instead") is None:  # says the same
        parts.append(_sentence(details))
    return "\n\n".join(parts)


def _lesson(topic: _Topic) -> Sequence[str | None]:
    """What to do; when …, expect …, instead …; or the advice, and what befalls one otherwise."""
    instead = topic.said("instead")
    if topic.instructions:
        return (
            *topic.instructions,
            *topic.expectations,
            f"Instead: {instead}" if instead and topic.expectations else None,
        )
    known = f"Instead: {instead}" if instead else topic.said("advice")
    if topic.expectations:
        return *topic.expectations, known or _unhelped(topic)
    return topic.said("advice"), topic.warning, None if topic.said("advice") else _unhelped(topic)


def _unhelped(topic: _Topic) -> str | None:
    """A warning alone makes its reader try this and that: it is told that nobody knows better."""
    return None if topic.said("details") or topic.said("instead") else _NO_REMEDY


def _instructions_in(body: str) -> Sequence[str]:
    return [part for part in body.split("\n\n") if _mark(part) is not None]


def _mark(text: str) -> tuple[str | None, ...] | None:
    """What an instruction is about, whatever its numbers: tool, argument or next step, and what its conditions name."""
    found = _INSTRUCTION.match(text)
    if found is None:
        return None
    named = sorted(a or b for a, b in _NAMED.findall(found["when"] or ""))
    return (found["tool"], found["name"], found["next"], *named)


def _heading(topic: _Topic) -> str:
    return (topic.said("title") or topic.said("advice") or topic.warning or topic.first.claim).rstrip(".")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", ":", "`")) else text + "."


def _kind(topic: _Topic) -> MemoryKind:
    if topic.first.kind == "preference":
        return "preference"
    if topic.first.kind == "workflow":
        return "playbook"
    return "note" if topic.instructions or (topic.said("advice") and not topic.expectations) else "warning"


def _scope(topic: _Topic) -> dict[str, str]:
    scope = topic.first.statement.get("scope")
    if not isinstance(scope, dict):
        return {}
    named = cast(dict[str, Json], scope)
    return {name: str(named[name]) for name in sorted(named)}


def _evidence(topic: _Topic, last: datetime | None) -> dict[str, str | int]:
    first = min((f.first_seen for f in topic.findings if f.first_seen is not None), default=None)
    counts = topic.first.counts
    shown: dict[str, str | int] = {"sessions": counts.sessions}
    shown |= {
        name: number
        for name, number in (
            ("of_sessions", counts.of_sessions),
            ("users", counts.users),
            ("agents", counts.agents),
        )
        if number
    }
    if first is not None and last is not None:
        shown |= {"first_seen": first.date().isoformat(), "last_seen": last.date().isoformat()}
    return shown


def _path(topic: _Topic, heading: str) -> str:
    """``/notes/read-a-file-before-you-edit-it.md``."""
    folder = _FOLDER[_kind(topic)]
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    slug = "-".join(words) or "note"
    if len(slug) > _MAX_SLUG:
        slug = slug[:_MAX_SLUG].rpartition("-")[0] or slug[:_MAX_SLUG]
    return f"/{folder}/{slug}.md"
