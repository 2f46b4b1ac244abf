"""What lies on a desk, as compact data: findings with their numbers, and an index of memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reverie.domain.events import Json
from reverie.domain.findings import Comparison, Finding
from reverie.domain.memories import Memory
from reverie.dreaming.author.prompts import prompt
from reverie.dreaming.author.reading import squeezed
from reverie.dreaming.desk import Desk, memories_of, topic_of
from reverie.memory.documents import parse, title

__all__ = ["SHOWN", "brief_of", "compact", "finding_data", "number_marks", "numbers_in", "shown_topics"]

SHOWN: Final = 40
"""How many topics are laid before a model at once: more than anybody reviews of one dream."""
_CLIP: Final = 240
_TOLD: Final = (
    "title",
    "advice",
    "warning",
    "when",
    "instead",
    "details",
    "example",
    "here",
    "elsewhere",
    "scope",
)
_TRUST: Final = {
    True: "Only people's own words lie here, and what agents said who had read nothing foreign; you can read no more "
    "of the transcripts than that. A desk with the rest follows, if there is any.",
    False: "What tools, files and other agents brought in has a hand in this: a person will look at all you write.",
}
_SHARE: Final = re.compile(r"(?<!\d)(\d{1,9})(?: of |,)(\d{1,9})(?!\d)")
_NUMBER: Final = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d+(?:[.,:]\d+)*")


def shown_topics(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """The topics that are shown, the weightiest first, with their findings."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(topic_of(finding), []).append(finding)
    return dict(list(groups.items())[:SHOWN])


def brief_of(number: int, desk: Desk, refs: Mapping[str, str], *, clean: bool, wishes: str | None) -> str:
    """The message that lays a desk. ``refs`` gives the short name of each finding by its id."""
    topics = shown_topics(desk.findings)
    lines = [compact([finding_data(f, refs[f.id]) for f in group]) for group in topics.values()]
    return prompt("desk").format(
        number=number,
        trust=_TRUST[clean],
        wishes=f"# Wishes\n{wishes.strip()}\n\n" if wishes and wishes.strip() else "",
        shown=sum(map(len, topics.values())),
        total=len(desk.findings),
        findings="\n".join(lines),
        memories=len(desk.memories) or "empty",
        index="\n".join(_indexed(memory) for memory in desk.memories) or "(nothing yet)",
    )


def finding_data(finding: Finding, ref: str) -> dict[str, Json]:
    """A finding for a model: what is claimed, its numbers, an example."""
    counts = finding.counts
    told: dict[str, Json] = {
        "id": ref,
        "kind": finding.kind,
        "nature": finding.nature,
        "claim": squeezed(finding.claim),
        "n": f"{counts.sessions} of {counts.of_sessions} sessions, {counts.occurrences} times, "
        f"{counts.users} users, {counts.agents} agents, {counts.days} days",
    }
    days = [at.date().isoformat() for at in (finding.first_seen, finding.last_seen) if at is not None]
    told |= {"seen": " to ".join(dict.fromkeys(days))} if days else {}
    told |= {name: _clipped(value) for name in _TOLD if (value := finding.statement.get(name))}
    told |= {"about": list(memories_of(finding))} if memories_of(finding) else {}
    told |= {"outcome": words} if (words := _effect(finding)) else {}
    told |= {"against": len(finding.counter_evidence)} if finding.counter_evidence else {}
    return told


def compact(data: Json) -> str:
    """JSON without blanks: text of transcripts stays inside its quotes, whatever it is."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)


def numbers_in(text: str) -> list[str]:
    """The numbers of a text; those that are part of a name (``utf-8``, ``v2``) are none."""
    return [_plain(found[0]) for found in _NUMBER.finditer(text)]


def number_marks(texts: Iterable[str]) -> set[str]:
    """What a number may be if it is to be one of these texts': themselves, and the shares that ``k of n`` makes."""
    marks: set[str] = set()
    for text in texts:
        marks |= {*numbers_in(text)}
        marks |= {str(round(100 * int(k) / int(n))) for k, n in _SHARE.findall(text) if int(n)}
    return marks


def _plain(number: str) -> str:
    return re.sub(r",(?=\d{3}(?:\D|$))", "", number)


def _clipped(value: Json) -> Json:
    if not isinstance(value, str):
        return value
    text = squeezed(value)
    return text if len(text) <= _CLIP else f"{text[: _CLIP - 1]}…"


def _effect(finding: Finding) -> str:
    effect = finding.effect
    told = [f"{name}: {_compared(c)}" for name, c in (("all", effect.raw), ("alike", effect.within)) if c]
    return "; ".join([*told, *([effect.note] if effect.note else [])])


def _compared(comparison: Comparison) -> str:
    with_, without = comparison.with_, comparison.without
    low, high = round(100 * comparison.low), round(100 * comparison.high)
    return (
        f"success {with_.successes} of {with_.total} with it, {without.successes} of {without.total} without "
        f"({low:+d} to {high:+d} points)"
    )


def _indexed(memory: Memory) -> str:
    document = parse(memory.content)
    told = {"path": memory.path, "title": _clipped(title(document))}
    return compact(told | ({"when": _clipped(document.description)} if document.description else {}))
