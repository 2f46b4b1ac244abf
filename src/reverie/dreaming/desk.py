"""What lies before a writer, and what may therefore have a hand in what it writes.

A writer that reads foreign text can be steered by it, whatever it cites. So nobody asks a writer what it
used: the pipeline decides what it sees, one desk at a time, and everything written at a desk inherits the
origins of everything that lay there. Two desks, one without untrusted text, keep what people said apart
from what tools brought in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, cast

from reverie.domain.dreams import Withheld
from reverie.domain.events import Json
from reverie.domain.findings import Finding, OriginClass
from reverie.domain.memories import Memory
from reverie.domain.observations import Observation
from reverie.domain.proposals import ProposalKind

__all__ = [
    "Desk",
    "Draft",
    "Reach",
    "Writer",
    "desks",
    "idea_of",
    "joined",
    "memories_of",
    "origins_of",
    "topic_of",
]

Reach = Literal["topic", "dream"]
"""How much a writer sees at once: the findings about one thing, or all of a dream that may lie together."""

_IDEA: Final = re.compile(r"^idea: ['\"]?([^'\"\n]+)['\"]?$", re.M)


@dataclass(frozen=True, slots=True)
class Draft:
    """A change as written. ``findings`` are those it cites, the most important first; fields as in
    ``domain.proposals.Proposal``. Where it comes from is not for the writer to say: ``read`` are the origins of
    what else lay before it by then (see ``authors``), and can only add to those of its desk. ``writer``: who wrote it,
    where that is not whom the desk was given to."""

    kind: ProposalKind
    path: str
    title: str
    content: str
    idea: str
    findings: tuple[str, ...]
    read: tuple[OriginClass, ...] = ()
    writer: str | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a writer sees. ``tainted``: the paths, among those of ``memories``, that untrusted text had
    a hand in."""

    dream_id: str
    findings: Sequence[Finding]
    memories: Sequence[Memory]
    tainted: Set[str]


class Writer(Protocol):
    """Turns what lies on a desk into drafts, and says what it left unwritten and why. It remembers nothing
    from one desk to the next."""

    @property
    def name(self) -> str:
        """Name and version: part of what a dream is a function of."""
        ...

    @property
    def reach(self) -> Reach: ...

    def write(self, desk: Desk) -> Sequence[Draft | Withheld]: ...


def desks(
    reach: Reach, dream_id: str, findings: Sequence[Finding], memories: Sequence[Memory], tainted: Set[str]
) -> list[Desk]:
    """What is laid before a writer, one after the other. ``tainted`` are paths of memories.

    By topic: its findings, and the memory that speaks of it or that they speak of. By dream: first what no untrusted text had a
    hand in, then the rest with all of memory, so that only what is written there need be distrusted.
    """
    by_topic = _by_topic(findings)
    known = {idea: memory for memory in memories if (idea := idea_of(memory)) is not None}
    laid = [
        _desk(dream_id, group, _spoken_of(topic, group, known, memories), tainted)
        for topic, group in by_topic.items()
    ]
    if reach == "topic":
        return laid
    clean = [each for each in laid if "tool" not in origins_of(each)]
    trusted = [memory for memory in memories if memory.path not in tainted]
    first = _desk(dream_id, [f for each in clean for f in each.findings], trusted, tainted)
    told = {finding.id for finding in first.findings}
    rest = [finding for finding in findings if finding.id not in told]
    return [each for each in (first, _desk(dream_id, rest, memories, tainted)) if each.findings]


def origins_of(desk: Desk) -> tuple[OriginClass, ...]:
    """The classes of everything on the desk; ``tool`` among them where a tainted memory lies there."""
    found: set[OriginClass] = {origin for finding in desk.findings for origin in finding.origins}
    if desk.tainted:
        found.add("tool")
    return tuple(sorted(found))


def joined(finding: Finding, observations: Mapping[str, Observation], tainted: Set[str]) -> Finding:
    """The finding with the origins that its sources have, whatever its miner says of them.

    An agent that has read untrusted text speaks and acts under its influence: its words are untrusted from
    then on. So is what quotes a memory that is (``tainted``: paths), and what does not say whence it is.
    """
    read = {
        *finding.sessions,
        *(cited.session_id for cited in (*finding.evidence, *finding.counter_evidence)),
    }
    swayed = any(session not in observations or observations[session].untrusted for session in read)
    foreign = (
        not finding.origins
        or ("agent" in finding.origins and swayed)
        or not tainted.isdisjoint(memories_of(finding))
    )
    if not foreign or "tool" in finding.origins:
        return finding
    return replace(finding, origins=tuple(sorted({*finding.origins, "tool"})))


def memories_of(finding: Finding) -> Sequence[str]:
    """The paths of the memories that a finding speaks of."""
    named = finding.statement.get("memories")
    return [str(path) for path in cast(list[Json], named)] if isinstance(named, list | tuple) else []


def topic_of(finding: Finding) -> str:
    """What a finding is about: findings of one topic become one text."""
    topic = finding.statement.get("topic")
    return topic if isinstance(topic, str) else finding.key


def idea_of(memory: Memory) -> str | None:
    """The topic that a memory was written about, as its front matter says."""
    found = _IDEA.search(memory.content)
    return found[1] if found else None


def _by_topic(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(topic_of(finding), []).append(finding)
    return groups


def _spoken_of(
    topic: str, group: Sequence[Finding], known: Mapping[str, Memory], memories: Sequence[Memory]
) -> list[Memory]:
    """The memory that was written about a topic, and those that its findings name."""
    named = {path for finding in group for path in memories_of(finding)}
    about = known.get(topic)
    return [memory for memory in memories if memory.path in named or memory is about]


def _desk(dream_id: str, findings: Sequence[Finding], memories: Sequence[Memory], tainted: Set[str]) -> Desk:
    return Desk(dream_id, findings, memories, frozenset({m.path for m in memories} & tainted))
