"""How a claim counts without what a reviewer marked as no evidence for it: by asking its miner again.

A marked session is left out as if it had never been read, a marked event as if it had never been logged, and
so are their copies in sessions that were resumed or forked. Nothing is estimated: thresholds, and corrections
for everything else that was looked at, are the miner's own.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from reverie.domain.findings import Finding, Silence
from reverie.domain.observations import Call, Observation
from reverie.plugins import Corpus, Miner

__all__ = ["FALLEN", "Exclusion", "Heeding", "counted_without", "heeding", "without"]

FALLEN: Final = "below its threshold without what was marked as not evidence"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A session, or one event of it, that is not evidence for an idea (``Finding.key``), and who says so."""

    id: str
    key: str
    miner: str
    finding_id: str
    session_id: str
    event_id: str | None
    by: str
    reason: str
    at: datetime


def counted_without(miner: Miner, corpus: Corpus, key: str, marks: Sequence[Exclusion]) -> Finding | None:
    """The finding of an idea as its miner tells it without what was marked; None where it no longer does."""
    told = miner.mine(without(corpus, marks))
    return next((each for each in told if isinstance(each, Finding) and each.key == key), None)


def without(corpus: Corpus, marks: Sequence[Exclusion]) -> Corpus:
    """The corpus without the sessions and events that were marked, and without copies of them."""
    events: dict[str, set[str]] = defaultdict(set)
    whole: set[str] = set()
    for mark in marks:
        if mark.event_id is None:
            whole.add(mark.session_id)
        else:
            events[mark.session_id].add(mark.event_id)
    copies = _copies(corpus.observations, whole, events)
    left = [
        _reduced(each, events.get(each.session_id, set()), copies)
        for each in corpus.observations
        if each.session_id not in whole
    ]
    return replace(corpus, observations=left)


_Copy = tuple[datetime, str, str | None]


def _copies(
    observations: Iterable[Observation], whole: set[str], events: Mapping[str, set[str]]
) -> set[_Copy]:
    """What tells a copy of a marked event: its time, to the fraction of a second, its content, whose it is."""
    found: set[_Copy] = set()
    for each in observations:
        if each.session_id in whole or each.session_id in events:
            marked = events.get(each.session_id)
            for call in each.calls:
                if marked is None or _events_of(call) & marked:
                    found.update(_identity(call.at, call.signature, each))
            for remark in each.remarks:
                if marked is None or remark.span.event_id in marked:
                    found.update(_identity(remark.at, remark.text, each))
    return found


def _identity(at: datetime | None, content: str, observation: Observation) -> Iterator[_Copy]:
    if at is not None and at.microsecond:  # a clock that only counts seconds tells nothing
        yield at, content, observation.user


def _reduced(observation: Observation, marked: set[str], copies: set[_Copy]) -> Observation:
    calls = tuple(
        call
        for call in observation.calls
        if not _events_of(call) & marked
        and copies.isdisjoint(_identity(call.at, call.signature, observation))
    )
    remarks = tuple(
        remark
        for remark in observation.remarks
        if remark.span.event_id not in marked
        and copies.isdisjoint(_identity(remark.at, remark.text, observation))
    )
    if len(calls) == len(observation.calls) and len(remarks) == len(observation.remarks):
        return observation
    return replace(observation, calls=calls, remarks=remarks)


def _events_of(call: Call) -> set[str]:
    """The events that a call and its result are in."""
    spans = [call.use, *(failure.span for failure in (call.failure, *call.also) if failure is not None)]
    return {call.event_id, *(span.event_id for span in spans), *filter(None, [call.result_event_id])}


# ---------------------------------------------------------------------- in the next dream


class Heeding:
    """A miner whose claims count without what was marked as no evidence for them.

    An idea with marks is asked about once more, over the corpus without them: the claim takes the place of
    the first one, or a ``Silence`` says that it is below its threshold. All other claims are as they were.
    """

    def __init__(self, miner: Miner, marks: Mapping[str, Sequence[Exclusion]]) -> None:
        """``marks``: by idea, those of this miner's ideas."""
        self._miner = miner
        self._marks = marks

    @property
    def name(self) -> str:
        return self._miner.name

    @property
    def version(self) -> str:
        """With other marks, another dream."""
        told = sorted(mark.id for marks in self._marks.values() for mark in marks)
        return f"{self._miner.version}-{hashlib.sha256(' '.join(told).encode()).hexdigest()[:12]}"

    def mine(self, corpus: Corpus) -> Iterable[Finding | Silence]:
        for found in self._miner.mine(corpus):
            marks = self._marks.get(found.key) if isinstance(found, Finding) else None
            if marks is None or not isinstance(found, Finding):
                yield found
            else:
                now = counted_without(self._miner, corpus, found.key, marks)
                yield now or Silence(self.name, found.claim, FALLEN)


def heeding(miner: Miner, marks: Iterable[Exclusion]) -> Miner:
    """The miner, heeding those of ``marks`` that are about its ideas; itself where there are none."""
    mine: dict[str, list[Exclusion]] = defaultdict(list)
    for mark in marks:
        if mark.miner == miner.name:
            mine[mark.key].append(mark)
    return Heeding(miner, mine) if mine else miner
