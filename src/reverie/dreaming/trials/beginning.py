"""How a trial begins: what it tries, which failure that addresses, and with what coin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import Conflict, Invalid, NotFound
from reverie.domain.findings import Finding
from reverie.domain.memories import Memory
from reverie.domain.proposals import Proposal
from reverie.domain.trials import BUDGET, PATIENCE_DAYS, SHARE, Marks, Round, Trial
from reverie.dreaming.trials.marks import marks_of
from reverie.dreaming.trials.records import KEY, KIND, body_of, trial_of
from reverie.dreaming.trials.settling import Settling
from reverie.memory.stores import valid_name
from reverie.storage import audit
from reverie.storage import dreams as dream_rows
from reverie.storage import memories as memory_rows
from reverie.storage import memory_stores as store_rows
from reverie.storage import proposals as proposal_rows
from reverie.storage.database import Connection, Database
from reverie.storage.deliveries import Announce
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets

__all__ = ["Beginning", "Terms"]

_KEY_BYTES: Final = 32
_LEAST: Final = 10
_MOST: Final = 100_000
_MOST_DAYS: Final = 365
_CITED: Final = 200
"""Sessions of a finding that are looked at for how its failure reads."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trial is run on: the ``share`` of sessions that see the memory, after how many sessions it ends without
    an answer, and for how many days the outcome of a session is waited for.

    Raises:
        Invalid: a share that is not between 0 and 1 (in a trial in which everybody sees the memory nothing is
            compared); fewer than 10 sessions; less than a day.
    """

    share: float = SHARE
    budget: int = BUDGET
    patience_days: int = PATIENCE_DAYS

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise Invalid("share", "between 0 and 1, both excluded", str(self.share))
        if not _LEAST <= self.budget <= _MOST:
            raise Invalid("budget", f"from {_LEAST} to {_MOST:,} sessions", self.budget)
        if not 1 <= self.patience_days <= _MOST_DAYS:
            raise Invalid("patience_days", f"from 1 to {_MOST_DAYS}", self.patience_days)


class Beginning:
    """Begins trials in one workspace."""

    def __init__(
        self,
        db: Database,
        resources: Resources,
        secrets: Secrets,
        settling: Settling,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        announce: Announce,
    ) -> None:
        self._db = db
        self._resources = resources
        self._secrets = secrets
        self._settling = settling
        self._clock = clock
        self._entropy = entropy
        self._announce = announce

    def source(self, store_id: str, path: str) -> Proposal | None:
        """The proposal by which a memory got its text last; None: it was written by hand."""
        with self._db.read() as conn:
            head = memory_rows.head(conn, store_id, path)
            versions = [] if head is None else memory_rows.versions(conn, head.memory_id)
            by = next((v.proposal_id for v in reversed(versions) if v.proposal_id), None)
            return None if by is None else proposal_rows.get(conn, by)

    def about(self, source: Proposal | None, finding_id: str | None) -> tuple[str | None, Marks]:
        """The finding that a memory rests on, and how the failure it is about is recognised.

        Raises:
            NotFound, Ambiguous: the finding that was named.
        """
        named = finding_id or (source.findings[0] if source is not None and source.findings else None)
        if named is None:
            return None, Marks()
        try:
            with self._db.read() as conn:
                finding = dream_rows.finding(conn, named)
        except NotFound:
            if finding_id is not None:
                raise
            return None, Marks()
        return finding.id, self._marks(finding)

    def _marks(self, finding: Finding) -> Marks:
        cited = {citation.session_id for citation in finding.evidence}
        wanted = [*sorted(cited), *(s for s in finding.sessions if s not in cited)][:_CITED]
        return marks_of(finding, list(self._settling.observe(wanted).values()))

    def begin(
        self,
        conn: Connection,
        store_id: str,
        path: str,
        terms: Terms,
        source: Proposal | None,
        about: tuple[str | None, Marks],
        *,
        by: str,
    ) -> Trial:
        """Put the memory at a path on trial, in the caller's transaction.

        Raises:
            NotFound: nothing is there.
            Conflict: it is on trial already, or was withdrawn.
            ConfigError: there is no key to seal secrets with.
        """
        name, at = valid_name(by), self._clock()
        store_rows.lock_store(conn, store_id)  # of two who begin one, the second sees the first one's
        head = memory_rows.head(conn, store_id, path)
        if head is None or head.memory is None:
            raise NotFound("there is no memory at this path", where=path, hint="reverie memory list")
        self._free(conn, head.memory)
        trial = _fresh(head.memory, terms, source, about, name, at)
        kept = self._resources.create(
            KIND, body_of(trial), prefix="trial", parent=store_id, status=trial.status, conn=conn
        )
        self._secrets.put(conn, kept.id, KEY, self._entropy(_KEY_BYTES).hex())
        told = {"memory_id": trial.memory_id, "path": path, "share": terms.share, "budget": terms.budget}
        audit.append(conn, at, name, "trial.began", kept.id, told)
        self._announce(conn, "trial.began", kept.id)
        return replace(trial, id=kept.id)

    def _free(self, conn: Connection, memory: Memory) -> None:
        standing = self._resources.list(
            KIND, parent=memory.store_id, statuses=("running", "withdrawn"), conn=conn
        )
        for other in map(trial_of, standing):
            tried = memory.content_sha256 == other.round.content_sha256
            if other.memory_id == memory.id and (tried or other.status == "running"):
                raise Conflict(
                    f"the memory is {'on trial' if other.status == 'running' else 'withdrawn'} already: {other.id}",
                    where=memory.path,
                    hint=f"reverie trial {'end' if other.status == 'running' else 'resume'} {other.id}",
                )


def _fresh(
    memory: Memory,
    terms: Terms,
    source: Proposal | None,
    about: tuple[str | None, Marks],
    by: str,
    at: datetime,
) -> Trial:
    first = Round(1, at, memory.version_id, memory.content_sha256, "the trial began")
    return Trial(
        id="",
        store_id=memory.store_id,
        memory_id=memory.id,
        path=memory.path,
        version=memory.version,
        source=source.id if source is not None else None,
        finding_id=about[0],
        idea=source.idea if source is not None else None,
        marks=about[1],
        share=terms.share,
        budget=terms.budget,
        patience_days=terms.patience_days,
        status="running",
        began_by=by,
        began_at=at,
        rounds=(first,),
    )
