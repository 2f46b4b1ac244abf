"""What rests on a session: findings, proposals and versions of memory, directly or through memory that later
sessions read; and what no longer stands once it is taken out.

The ways are those by which text can travel. A session gives findings; findings, and the memory that lay on
its writer's desk, give a proposal; a proposal gives a version, and versions give further ones; a session
whose log shows a line of a memory has read it, and what its agent then says and does may come from there. What
a *person* says in it does not: a finding of people's words alone descends only from sessions they are in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reverie.domain.dreams import Dream
from reverie.domain.events import Event, event_text
from reverie.domain.findings import Finding
from reverie.domain.proposals import Proposal
from reverie.dreaming.desk import memories_of
from reverie.memory.documents import body
from reverie.memory.lineage import children, reached
from reverie.sessions.log import SessionLog
from reverie.storage import dreams as dream_rows
from reverie.storage import findings as finding_rows
from reverie.storage import lineage, proposals
from reverie.storage.database import Database

__all__ = ["Descendants", "Descent"]

_TELLING: Final = 24  # characters: a shorter line may stand anywhere
_MARKUP: Final = "#-*+> \t"
_READ: Final = frozenset(
    {
        "agent.tool_result",
        "agent.mcp_tool_result",
        "user.tool_result",
        "user.custom_tool_result",
        "agent.thread_message_received",
        "system.message",
    }
)


@dataclass(frozen=True, slots=True)
class Descendants:
    """Everything that rests on some sessions, as ids in order; ``sessions`` are those that read memory which
    does."""

    findings: tuple[str, ...]
    proposals: tuple[str, ...]
    versions: tuple[str, ...]
    sessions: tuple[str, ...]


class Descent:
    """The descent of everything in a workspace, as it is when this is made. Reads the whole log once: what
    no finding, proposal or version tells is which sessions read which memory."""

    def __init__(self, db: Database, log: SessionLog) -> None:
        with db.read() as conn:
            self._findings = finding_rows.every(conn)
            self._dreams = {dream.id: dream for dream in dream_rows.dreams(conn)}
            self.proposals = {each.id: each for each in proposals.listed(conn)}
            self.steps = lineage.steps(conn)
            texts = lineage.contents(conn)
        self._children = children(self.steps)
        self._readers = _readers(log, {step.version_id: step for step in self.steps}, texts)
        self._grounds = {each.id: self._grounds_of(each) for each in self.proposals.values()}
        self.findings = {finding.id: finding for _, finding in self._findings}

    def of(self, sessions: Collection[str]) -> Descendants:
        """Everything that rests on any of these sessions (whole ids, whether they are in the log or not)."""
        readers: set[str] = set()
        versions: set[str] = set()
        while True:
            findings = {
                f.id for dream, f in self._findings if self._rests(dream, f, sessions, readers, versions)
            }
            proposed = {
                id
                for id, grounds in self._grounds.items()
                if not findings.isdisjoint(self.proposals[id].findings) or not versions.isdisjoint(grounds)
            }
            adopted = {s.version_id for s in self.steps if s.proposal_id in proposed}
            wider = reached(adopted | versions, self._children)
            if wider == versions:
                found = (findings, proposed, versions, readers - set(sessions))
                return Descendants(*(tuple(sorted(each)) for each in found))
            versions = wider
            readers = {session for version in versions for session in self._readers.get(version, ())}

    def _rests(
        self,
        dream: str,
        finding: Finding,
        sessions: Collection[str],
        readers: Collection[str],
        versions: Collection[str],
    ) -> bool:
        its_own = _sessions_of(finding)
        if not its_own.isdisjoint(sessions):
            return True
        if set(finding.origins) != {"user"} and not its_own.isdisjoint(readers):
            return True
        named = set(memories_of(finding))
        return any(s.version_id in versions for s in self._living(self._dreams.get(dream)) if s.path in named)

    def _grounds_of(self, proposal: Proposal) -> frozenset[str]:
        """The versions that lay before a proposal's writer: what it changes, or, where the writer saw all
        that may lie together, all that stood in the store then."""
        dream = self._dreams.get(proposal.dream_id)
        living = self._living(dream)
        if dream is not None and dream.parameters.get("reach") == "dream" and proposal.tainted:
            return frozenset(step.version_id for step in living)
        base = (proposal.path, proposal.base_sha256)
        return frozenset(s.version_id for s in living if (s.path, s.content_sha256) == base)

    def _living(self, dream: Dream | None) -> Sequence[lineage.Step]:
        """The newest versions in a dream's store when it began."""
        if dream is None:
            return ()
        newest = {
            s.memory_id: s
            for s in self.steps
            if s.store_id == dream.store_id and s.created_at <= dream.created_at
        }
        return [step for step in newest.values() if step.operation != "deleted"]


def _sessions_of(finding: Finding) -> set[str]:
    cited = (*finding.evidence, *finding.counter_evidence)
    return {*finding.sessions, *(each.session_id for each in cited)}


# ---------------------------------------------------------------------- who read what


def _readers(
    log: SessionLog, steps: Mapping[str, lineage.Step], texts: Mapping[str, str]
) -> Mapping[str, set[str]]:
    """The sessions whose log shows a line of a version, by the version's id."""
    lines: dict[str, list[lineage.Step]] = defaultdict(list)
    for version_id, text in texts.items():
        for line in _telling(text):
            lines[line].append(steps[version_id])
    found: dict[str, set[str]] = defaultdict(set)
    for session in log.sessions() if lines else ():
        for event in log.stream(session.id):
            for version_id in _shown(event, lines, session.info.started_at):
                found[version_id].add(session.id)
    return found


def _telling(text: str) -> set[str]:
    """The lines of a memory that tell it from other texts; what it quotes from elsewhere does not."""
    lines = (line for line in body(text).splitlines() if not line.lstrip().startswith(">"))
    return {plain for line in lines if len(plain := line.strip(_MARKUP)) >= _TELLING}


def _shown(
    event: Event, lines: Mapping[str, Sequence[lineage.Step]], started: datetime | None
) -> Iterator[str]:
    """The versions of which an event that came from outside the agent shows a line, and that there were then."""
    if event.type not in _READ:
        return
    at = event.at or started
    for line in event_text(event.type, event.payload).splitlines():
        for step in lines.get(line.strip(_MARKUP), ()):
            if at is None or step.created_at <= at:
                yield step.version_id
