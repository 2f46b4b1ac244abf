"""The write stage: desks are laid, the writer writes, and what it wrote is put in its place.

Whoever the writer is, the same holds: where a text comes from is what lay on its desk, what people refused
stays refused until its evidence has doubled, no path is taken twice, and no more is asked than a person can
review.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from reverie.domain.dreams import Withheld
from reverie.domain.findings import Finding, OriginClass
from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory
from reverie.domain.proposals import Risk
from reverie.dreaming.desk import Desk, Draft, Writer, desks, origins_of

__all__ = ["MAX_PROPOSALS", "Written", "written"]

MAX_PROPOSALS: Final = 25
"""How much one dream asks of a reviewer; what ranks below is withheld and says so."""


@dataclass(frozen=True, slots=True)
class Written:
    """A draft, and what is known of it that its writer has no say in.

    ``base`` is the memory it changes; ``findings`` everything it may rest on: what it cites, then what else
    lay on the desk; ``weight`` the number of sessions behind what it cites; ``writer`` who wrote it.
    """

    draft: Draft
    base: Memory | None
    findings: tuple[str, ...]
    origins: tuple[OriginClass, ...]
    weight: int
    writer: str

    @property
    def risk(self) -> Risk:
        return "medium" if self.base is not None or "tool" in self.origins else "low"


def written(
    writer: Writer,
    dream_id: str,
    findings: Sequence[Finding],
    memories: Sequence[Memory],
    tainted: Set[str],
    declined: Mapping[str, int],
    supposed: Callable[[], Sequence[Finding]] = tuple,
) -> tuple[list[Written], list[Withheld]]:
    """What the writer made of the findings, in order of importance, and what was not written, with the reason.

    ``tainted`` are the paths of memories that untrusted text had a hand in. ``declined`` holds the ideas
    people refused, with the number of sessions behind them at the time. ``supposed`` gives the findings that the
    writer's own guesses became by then, which it may cite too.
    """
    said = [
        _placed(desk, each, supposed(), writer.name)
        for desk in desks(writer.reach, dream_id, findings, memories, tainted)
        for each in writer.write(desk)
    ]
    rank = {finding.id: place for place, finding in enumerate((*findings, *supposed()))}
    drafts = [each for each in said if isinstance(each, Written)]
    withheld = [each for each in said if isinstance(each, Withheld)]
    kept: list[Written] = []
    for each in sorted(drafts, key=lambda w: min(rank[cited] for cited in w.draft.findings)):
        doubt = _declined(each, declined) or _too_many(kept)
        if doubt is None:
            kept.append(each)
        else:
            withheld.append(Withheld(each.draft.findings[0], each.draft.title, doubt))
    return list(_on_paths_of_their_own(kept, memories)), withheld


def _placed(
    desk: Desk, said: Draft | Withheld, supposed: Sequence[Finding], writer: str
) -> Written | Withheld:
    """A draft with what its desk says of it; withheld where it stands on nothing that lay there."""
    if isinstance(said, Withheld):
        return said
    guessed = [finding for finding in supposed if finding.id in said.findings]
    there = {finding.id: finding for finding in (*desk.findings, *guessed)}
    base = next((memory for memory in desk.memories if memory.path == said.path), None)
    if not said.findings or not there.keys() >= {*said.findings}:
        return Withheld(next(iter(there)), said.title, "it cites what was not found")
    if (said.kind == "add") != (base is None):
        return Withheld(
            said.findings[0], said.title, f"there is {'no' if base is None else 'a'} memory there"
        )
    sessions = {session for cited in said.findings for session in there[cited].sessions}
    rest = tuple(id for id in there if id not in said.findings)
    origins: set[OriginClass] = {*origins_of(desk), *said.read, *(o for f in guessed for o in f.origins)}
    cited = (*said.findings, *rest)
    return Written(said, base, cited, tuple(sorted(origins)), len(sessions), said.writer or writer)


def _declined(each: Written, declined: Mapping[str, int]) -> str | None:
    before = declined.get(each.draft.idea)
    if before is None or each.weight >= 2 * before:
        return None
    return f"declined by a person at {before} sessions; it comes back at {2 * before}"


def _too_many(kept: Sequence[Written]) -> str | None:
    if len(kept) < MAX_PROPOSALS:
        return None
    return f"{MAX_PROPOSALS} stronger proposals wait already; it comes when they are decided"


def _on_paths_of_their_own(kept: Iterable[Written], memories: Sequence[Memory]) -> Iterator[Written]:
    """A new memory whose path is taken gets a tail from its idea."""
    taken = {memory.path for memory in memories}
    for each in kept:
        draft = each.draft
        if each.base is None and draft.path in taken:
            tail = derived_id("find", draft.idea)[-6:]
            draft = replace(draft, path=f"{draft.path.removesuffix('.md')}-{tail}.md")
        taken.add(draft.path)
        yield replace(each, draft=draft)
