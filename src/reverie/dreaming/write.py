"""The template writer: findings × current memory → texts a person would keep. No model needed.

A behaviour becomes an instruction, a situation a warning, anything else nothing. The text says what to
do and what it looks like when it goes wrong; numbers stay in the front matter, because a statistic is a
reason to adopt a note and no help in following it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast

from reverie.domain.dreams import Withheld
from reverie.domain.events import Json
from reverie.domain.findings import Finding, OriginClass
from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory
from reverie.domain.proposals import ProposalKind, Risk
from reverie.memory.documents import Document, parse, render

__all__ = ["MAX_PROPOSALS", "WRITER", "Draft", "write"]

WRITER: Final = "template/1"
MAX_PROPOSALS: Final = 25
"""How much one dream asks of a reviewer; what ranks below is withheld and says so."""

_REVALIDATE: Final = timedelta(days=180)
_IDEA: Final = re.compile(r"^idea: ['\"]?([^'\"\n]+)['\"]?$", re.M)
_MAX_QUOTE: Final = 240
_MAX_SLUG: Final = 60

MemoryKind = Literal["note", "warning", "preference", "playbook"]

_FOLDER: Final[Mapping[MemoryKind, str]] = {
    "note": "notes",
    "warning": "warnings",
    "preference": "preferences",
    "playbook": "playbooks",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A change as written, before it is checked. Fields as in ``domain.proposals.Proposal``."""

    kind: ProposalKind
    path: str
    title: str
    content: str
    base_sha256: str | None
    base_content: str | None
    idea: str
    evidence_weight: int
    findings: tuple[str, ...]
    risk: Risk
    origins: tuple[OriginClass, ...]


def write(
    findings: Sequence[Finding],
    memories: Sequence[Memory],
    declined: Mapping[str, int],
    *,
    dream_id: str,
) -> tuple[list[Draft], list[Withheld]]:
    """Drafts in order of importance, and what was not written, with the reason.

    ``declined`` holds the ideas people refused, with the number of sessions behind them at the time.
    """
    known = {idea[1]: memory for memory in memories if (idea := _IDEA.search(memory.content))}
    taken = {memory.path for memory in memories}
    drafts: list[Draft] = []
    withheld: list[Withheld] = []
    for topic in _topics(findings):
        doubt = _unwritable(topic) or _declined(topic, declined)
        if doubt is None and len(drafts) >= MAX_PROPOSALS:
            doubt = f"{MAX_PROPOSALS} stronger proposals wait already; it comes when they are decided"
        draft = None if doubt else _draft(topic, known.get(topic.idea), taken, dream_id)
        if draft is None:
            withheld.append(_held(topic, doubt or f"in memory already, at {known[topic.idea].path}"))
            continue
        taken.add(draft.path)
        drafts.append(draft)
    return drafts, withheld


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
    def expectations(self) -> tuple[str, ...]:
        """``When …, expect ….`` for each set of circumstances, where they are what the topic is about."""
        if self.first.kind != "conditional_pattern":
            return ()
        found = (f.statement.get("warning") for f in self.findings if f.kind == "conditional_pattern")
        return tuple(text for text in found if isinstance(text, str))

    def said(self, name: str) -> str | None:
        """The first non-empty ``statement[name]``, as one line."""
        for finding in self.findings:
            value = finding.statement.get(name)
            if isinstance(value, str) and value.strip():
                return " ".join(value.split())
        return None


def _topics(findings: Iterable[Finding]) -> list[_Topic]:
    """Findings grouped by what they are about, in order of the strongest of each group."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        topic = finding.statement.get("topic")
        groups.setdefault(topic if isinstance(topic, str) else finding.key, []).append(finding)
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
    if nature == "explained":
        return topic.first.effect.note or "vanishes within comparable tasks: explained by difficulty"
    if nature == "tautology":
        return "restates the outcome"
    if topic.said("advice") is None and topic.warning is None:
        return "what to do about it is not known yet"
    if topic.first.kind == "preference" and topic.sessions < 2:
        return "one person said so, once: it waits for a second voice or a second time"
    return None


def _declined(topic: _Topic, declined: Mapping[str, int]) -> str | None:
    before = declined.get(topic.idea)
    if before is None or topic.sessions >= 2 * before:
        return None
    return f"declined by a person at {before} sessions; it comes back at {2 * before}"


def _held(topic: _Topic, why: str) -> Withheld:
    return Withheld(topic.first.id, topic.first.claim, why)


# ---------------------------------------------------------------------- texts


def _draft(topic: _Topic, existing: Memory | None, taken: set[str], dream_id: str) -> Draft | None:
    """The draft of a topic; None when memory says it already."""
    document = _document(topic, dream_id)
    if existing is not None and parse(existing.content).body == document.body:
        return None
    heading = _heading(topic)
    path = existing.path if existing is not None else _free_path(topic, heading, taken)
    origins = _origins(topic)
    return Draft(
        kind="add" if existing is None else "update",
        path=path,
        title=heading,
        content=render(document),
        base_sha256=None if existing is None else existing.content_sha256,
        base_content=None if existing is None else existing.content,
        idea=topic.idea,
        evidence_weight=topic.sessions,
        findings=tuple(finding.id for finding in topic.findings),
        risk="medium" if existing is not None or "tool" in origins else "low",
        origins=origins,
    )


def _document(topic: _Topic, dream_id: str) -> Document:
    last = max((f.last_seen for f in topic.findings if f.last_seen is not None), default=None)
    return Document(
        body=_body(topic),
        kind=_kind(topic),
        description=topic.said("when") or topic.first.claim,
        scope=_scope(topic),
        evidence=_evidence(topic, last),
        dream=dream_id,
        revalidate_after=None if last is None else (last + _REVALIDATE).date(),
        extra={"idea": topic.idea},
    )


def _body(topic: _Topic) -> str:
    parts = [f"# {_heading(topic)}"]
    parts.extend(_sentence(text) for text in dict.fromkeys(_lesson(topic)) if text)
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
    """When …, expect …, instead …; or the advice, and what befalls one otherwise."""
    instead = topic.said("instead")
    if topic.expectations:
        return *topic.expectations, f"Instead: {instead}" if instead else topic.said("advice")
    return topic.said("advice"), topic.warning


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
    return "note" if topic.said("advice") and not topic.expectations else "warning"


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


def _origins(topic: _Topic) -> tuple[OriginClass, ...]:
    return tuple(sorted({origin for finding in topic.findings for origin in finding.origins}))


def _free_path(topic: _Topic, heading: str, taken: set[str]) -> str:
    """``/notes/read-a-file-before-you-edit-it.md``; with a tail from the idea where that is taken."""
    folder = _FOLDER[_kind(topic)]
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    slug = "-".join(words) or "note"
    if len(slug) > _MAX_SLUG:
        slug = slug[:_MAX_SLUG].rpartition("-")[0] or slug[:_MAX_SLUG]
    path = f"/{folder}/{slug}.md"
    if path in taken:
        path = f"/{folder}/{slug}-{derived_id('find', topic.idea)[-6:]}.md"
    return path
