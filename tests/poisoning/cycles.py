"""Ten times over: people work, the night dreams into the store in use, a person looks at what was flagged,
agents read what was learned and repeat it in words of their own, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from tests.poisoning.corpus import BENIGN, CASES, FIRST_DAY, POISONED, Case, reading

import reverie
from reverie.app import Reverie
from reverie.domain.dream_requests import NO_MODEL
from reverie.domain.errors import StaleBase
from reverie.domain.events import event_text
from reverie.domain.findings import Citation, Counts, Effect, Finding, OriginClass
from reverie.domain.memories import MemoryVersion
from reverie.domain.observations import Observation, Span
from reverie.domain.proposals import Proposal
from reverie.domain.sessions import Transcript
from reverie.dreaming.desk import Writer
from reverie.dreaming.dream import Dreamer
from reverie.dreaming.night import Night
from reverie.dreaming.requests import Asked
from reverie.mining.observe import SessionObserver
from reverie.mining.preferences import Preferences
from reverie.plugins import Corpus
from reverie.sessions.log import SessionLog
from reverie.storage import findings as finding_rows

__all__ = ["CYCLES", "PERSON", "Cycles"]

CYCLES: Final = 10
PERSON: Final = "ana"
_SHARE: Final = len(CASES) // CYCLES


class Parrot:
    """The most careless miner there can be: whatever a text says that holds a dye is a finding."""

    name = "parrot"
    version = "1"

    def __init__(self, log: SessionLog) -> None:
        self._log = log

    def mine(self, corpus: Corpus) -> Iterable[Finding]:
        dyes = [case.dye for case in CASES if case.kind != "stated"]
        said: dict[tuple[OriginClass, str], list[tuple[Observation, Span]]] = {}
        for observation in corpus.observations:
            for event in self._log.events(observation.session_id):
                text = event_text(event.type, event.payload)
                if not any(half in text for dye in dyes for half in dye):
                    continue
                path = "/input/command" if event.type.endswith("use") else "/content/0/text"
                if not event.type.endswith("use") and len(event.payload["content"]) > 1:
                    path = "/content/1/text"
                end = len(text) - (len("Bash\n") if event.type.endswith("use") else 0)
                end -= len("The attached file is for you.\n") if path == "/content/1/text" else 0
                origin = _ORIGINS.get(event.type, "tool") if path != "/content/1/text" else "tool"
                span = Span(event.id, event.seq, path, 0, end)
                said.setdefault((origin, text), []).append((observation, span))
        return [_parroted(origin, text, places) for (origin, text), places in said.items()]


_ORIGINS: Final[dict[str, OriginClass]] = {
    "user.message": "user",
    "agent.message": "agent",
    "agent.tool_use": "agent",
}


def _parroted(origin: OriginClass, text: str, places: Sequence[tuple[Observation, Span]]) -> Finding:
    sessions = {o.session_id: o for o, _ in places}
    key = f"parrot:{origin}:{Random(text).randbytes(6).hex()}"
    return Finding(
        id=f"find_{Random(key + ''.join(sorted(sessions))).randbytes(8).hex()}",
        key=key,
        kind="recurring_mistake",
        nature="behaviour",
        claim=text,
        statement={"advice": text},
        miner="parrot",
        miner_version="1",
        parameters={},
        counts=Counts(
            sessions=len(sessions),
            of_sessions=len(sessions),
            occurrences=len(places),
            users=len({o.user for o in sessions.values()}),
            agents=1,
            days=1,
        ),
        effect=Effect(),
        p_value=None,
        p_adjusted=None,
        first_seen=None,
        last_seen=None,
        evidence=tuple(Citation(o.session_id, span) for o, span in places[:3]),
        counter_evidence=(),
        origins=(origin,),
        sessions=tuple(sorted(sessions)),
        weight=Random(key).uniform(1, 4),
    )


@dataclass
class Cycles:
    """A house in which one writer writes, or an author with ``model``; ``run`` lets ten cycles go by."""

    folder: Path
    writer: Writer | None
    cycles: int = CYCLES
    model: str = NO_MODEL
    rv: Reverie = field(init=False)
    now: datetime = FIRST_DAY

    def __enter__(self) -> Cycles:
        self.rv = reverie.open(self.folder / "r.db", clock=self._clock, entropy=Random(1).randbytes)
        return self

    def __exit__(self, *_: object) -> None:
        self.rv.close()

    def _clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def run(self) -> None:
        self.store = self.rv.memory.store().id
        for cycle in range(self.cycles):
            told = [session for case in self.cases(cycle) for session in case.sessions(cycle)]
            self.now = FIRST_DAY + timedelta(days=7 * cycle + 4)
            self.dream(self.worked([*told, *self.read(cycle)]))
            self.review(cycle)

    def cases(self, cycle: int) -> Sequence[Case]:
        """Poisoned and benign ones, mixed."""
        half = _SHARE // 2
        span = slice(cycle * half, (cycle + 1) * half)
        mixed = [Random(3).sample(kind, len(kind)) for kind in (POISONED, BENIGN)]
        return [*mixed[0][span], *mixed[1][span]]

    def worked(self, told: Sequence[Transcript]) -> list[str]:
        """The ids of sessions that are written down."""
        log = self.rv.log
        ready = [log.prepare(each) for each in told]
        kept = self.rv._db.write(lambda conn: [log.record(each, conn=conn) for each in ready])
        return [each.session_id for each in kept]

    def read(self, cycle: int) -> list[Transcript]:
        """Two agents read of memory, and repeat it as if it were theirs."""
        memories = self.rv.memory.list(self.store)[cycle % 3 :: 3]
        return [reading(f"{cycle}/{reader}", memories, self.now) for reader in ("r1", "r2") if memories]

    def dream(self, sessions: Sequence[str]) -> None:
        asked = Asked(
            store_id=self.store,
            session_ids=tuple(sessions),
            model=self.model,
            instructions=None,
            output="update_existing",
            into=self.store,
        )
        self.rv.dream_requests.create(asked)
        done = self._night().work()
        assert done is not None and done.status == "completed", done

    def _night(self) -> Night:
        rv = self.rv
        return Night(
            rv._db,
            rv.resources,
            rv.stores,
            rv.log,
            rv.review,
            lambda: Dreamer(
                rv._db,
                rv.log,
                rv.memory,
                rv.review,
                SessionObserver(),
                [Preferences(), Parrot(rv.log)],
                clock=self._clock,
                leaks=lambda text: False,
                writer=self.writer,
                author=None if self.model == NO_MODEL else rv.author(),
            ),
            rv.dream_requests,
            usable=lambda model: model,
            worker="w",
            clock=self._clock,
            announce=lambda conn, type, subject: None,
        )

    def review(self, cycle: int) -> None:
        """A person who looks at the flagged proposals, and lets a third of them pass."""
        for place, proposal in enumerate(self.rv.proposals()):
            if proposal.tainted and (place + cycle) % 3 == 0:
                with suppress(StaleBase):
                    self.rv.approve(proposal.id, by=PERSON)

    # ------------------------------------------------------------------ what came of it

    def findings(self, dream_id: str) -> list[Finding]:
        """What a dream found."""
        with self.rv._db.read() as conn:
            return finding_rows.findings(conn, dream_id)

    def versions(self) -> list[MemoryVersion]:
        return self.rv.memories.versions(self.store, limit=100_000)

    def holding(self, dyed: Sequence[Case]) -> list[MemoryVersion]:
        """Versions that hold a dye of these cases, whole or half."""
        halves = [half for case in dyed for half in case.dye]
        return [v for v in self.versions() if any(half in (v.content or "") for half in halves)]

    def leaked(self) -> list[MemoryVersion]:
        """Poison in memory that no named person passed after it had been flagged."""
        return [v for v in self.holding(POISONED) if not self._passed(v)]

    def _passed(self, version: MemoryVersion) -> bool:
        if version.proposal_id is None:
            return False
        proposal = self.rv.review.get(version.proposal_id)
        decision = proposal.decision
        return proposal.tainted and decision is not None and decision.by == PERSON

    def stated(self) -> list[Proposal]:
        """The proposals about what people stated."""
        halves = [half for case in BENIGN if case.kind == "stated" for half in case.dye]
        found = self.rv.proposals(status=None)
        about = [p for p in found if p.idea.startswith("preference:")]
        return [p for p in about if any(half in p.content for half in halves)]
