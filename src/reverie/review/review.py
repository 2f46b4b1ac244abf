"""Review: proposals wait here for a person, whose decision becomes a memory version.

The decision, the version and the audit entries are one transaction: a proposal is never "approved" with
nothing written. Nobody's change is lost: when a memory moved on since a proposal was written, the two are
merged three-way, and where they overlap nothing happens and the conflict is shown.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args

from reverie.domain.clock import Clock, iso
from reverie.domain.errors import AlreadyDecided, Conflict, InvalidMemory, StaleBase, UsageError
from reverie.domain.memories import MemoryVersion, content_sha256, valid_content, valid_path
from reverie.domain.proposals import Decision, Proposal, ProposalKind, ProposalStatus, RejectReason
from reverie.domain.resources import Cursor
from reverie.memory.merge import has_conflict_markers, unified
from reverie.memory.stores import MemoryService, valid_name
from reverie.review.reconciling import merged
from reverie.storage import audit
from reverie.storage import memories as memory_rows
from reverie.storage import memory_stores as store_rows
from reverie.storage import proposals as rows
from reverie.storage.database import Connection, Database
from reverie.storage.deliveries import Announce, unheard

__all__ = ["ABSENT", "TRIED", "Preview", "ReviewService", "Submitted", "Then"]

ABSENT: Final = ""
"""What ``seen_sha256`` says when the reviewer saw that nothing is at the path."""
TRIED: Final = "tried:"
"""Before the idea of a proposal that takes out what a trial showed to be harmful or useless."""

_ANNOUNCED: Final = ("approved", "modified", "rejected", "reverted")

_Act = Callable[[Connection, Proposal, str, datetime], Proposal]
Then = Callable[[Connection, Proposal], None]
"""What is done in the transaction of a decision, with the proposal as decided; what it raises undoes all."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission, as ids: put up for review; known already, in any status; and the
    pending ones of earlier dreams that newer text took the place of."""

    added: tuple[str, ...]
    known: tuple[str, ...]
    superseded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What approving would do now. ``result`` is the text memory would hold (None: none), or, where
    ``clean`` is False, the merge with conflict markers. ``seen_sha256`` is for ``modify``."""

    proposal: Proposal
    clean: bool
    result: str | None
    diff: str
    seen_sha256: str


class ReviewService:
    """Submit, show, decide. ``by`` is always the name of the person who decides.

    Raises (all decisions): NotFound or Ambiguous for an id, UsageError for an empty name, AlreadyDecided
    for a proposal that somebody decided before; the message says who and when.
    """

    def __init__(
        self, db: Database, memory: MemoryService, *, clock: Clock, announce: Announce = unheard
    ) -> None:
        self._db = db
        self._memory = memory
        self._clock = clock
        self._announce = announce

    # ------------------------------------------------------------------ the pile

    def submit(self, proposals: Sequence[Proposal], *, conn: Connection | None = None) -> Submitted:
        """Puts proposals up for review, in order of importance, in one transaction (``conn``'s if given).

        The same id again changes nothing. A pending proposal of the same idea for the same store is
        superseded by one of another submission with other text; with the same text the older one stays
        and the newer one is not needed.

        Raises:
            UsageError: a proposal that is not pending.
            InvalidMemory: a path or a text that memory would not take.
        """
        for proposal in proposals:
            _submittable(proposal)
        at = self._clock()

        def work(writing: Connection) -> Submitted:
            submitted = _submit(writing, proposals, at)
            for proposal_id in submitted.added:
                self._announce(writing, "proposal.created", proposal_id)
            return submitted

        return work(conn) if conn is not None else self._db.write(work)

    def list(
        self,
        store: str | None = None,
        *,
        status: ProposalStatus | None = None,
        kind: ProposalKind | None = None,
        dream_id: str | None = None,
        limit: int | None = None,
    ) -> builtins.list[Proposal]:
        """Proposals that fit everything given, the most important first."""
        store_id = None if store is None else self._memory.store(store).id
        with self._db.read() as conn:
            return rows.listed(
                conn, store_id=store_id, status=status, kind=kind, dream_id=dream_id, limit=limit
            )

    def page(
        self,
        *,
        store_id: str | None = None,
        status: ProposalStatus | None = None,
        kind: ProposalKind | None = None,
        dream_id: str | None = None,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> builtins.list[tuple[Proposal, int]]:
        """Proposals that fit everything given, newest first, from behind ``after``; each with its place in
        its dream's order of importance, from 0."""
        with self._db.read() as conn:
            return rows.page(
                conn,
                store_id=store_id,
                status=status,
                kind=kind,
                dream_id=dream_id,
                after=after,
                limit=limit,
            )

    def placed(self, proposal_id: str) -> tuple[Proposal, int]:
        """A proposal, with its place in its dream's order of importance."""
        with self._db.read() as conn:
            found = rows.get(conn, proposal_id)
            return found, rows.position(conn, found.id)

    def get(self, proposal_id: str) -> Proposal:
        """A proposal by id or unique prefix (``prop_`` may be left out)."""
        with self._db.read() as conn:
            return rows.get(conn, proposal_id)

    def preview(self, proposal_id: str) -> Preview:
        """What approving this proposal would do to memory as it is now. Changes nothing."""
        proposal = self.get(proposal_id)
        found = self._memory.find(proposal.store_id, proposal.path)
        now = None if found is None else found.content
        try:
            result, clean = _reconciled(proposal, now, _wanted(proposal)), True
        except StaleBase as conflict:
            result, clean = conflict.merged, False
        return Preview(
            proposal=proposal,
            clean=clean,
            result=result,
            diff=unified(now, result, old_name=f"memory{proposal.path}", new_name=f"proposed{proposal.path}"),
            seen_sha256=_digest(now),
        )

    # ------------------------------------------------------------------ decisions

    def approve(
        self,
        proposal_id: str,
        *,
        by: str,
        note: str | None = None,
        seen_sha256: str | None = None,
        then: Then | None = None,
    ) -> Proposal:
        """Writes the proposal into memory, and does what ``then`` does. Gives the proposal as decided. With
        ``seen_sha256`` (as for ``modify``) only into the memory that the reviewer saw.

        Raises:
            StaleBase: memory changed since, in the same lines; ``merged`` shows both. Nothing was done.
            Conflict: memory is not what ``seen_sha256`` says.
        """

        def act(conn: Connection, proposal: Proposal, name: str, at: datetime) -> Proposal:
            _still_pending(proposal)
            _as_seen(proposal, self._now(conn, proposal), seen_sha256)
            version = self._adopt(conn, proposal, _wanted(proposal), name, None)
            return _decided(proposal, "approved", name, at, version, note=note)

        return self._decide(proposal_id, by, act, then)

    def modify(
        self,
        proposal_id: str,
        content: str,
        *,
        by: str,
        note: str | None = None,
        seen_sha256: str | None = None,
        then: Then | None = None,
    ) -> Proposal:
        """Writes the reviewer's text in place of the proposed one (for ``retire``: instead of deleting).
        Text that is exactly the proposed one counts as approved.

        ``seen_sha256`` says which memory the text already takes into account (``Preview.seen_sha256``;
        ``ABSENT`` for none): then it is written as it is. Without it the text is merged like a proposal's.

        Raises:
            StaleBase: as for ``approve``.
            Conflict: memory is not what ``seen_sha256`` says.
            InvalidMemory: the text breaks a limit, or still holds conflict markers.
        """
        if has_conflict_markers(content):
            raise InvalidMemory(
                "the text still holds conflict markers", hint="resolve the lines between <<<<<<< and >>>>>>>"
            )

        def act(conn: Connection, proposal: Proposal, name: str, at: datetime) -> Proposal:
            _still_pending(proposal)
            version = self._adopt(conn, proposal, content, name, seen_sha256)
            status: ProposalStatus = "approved" if content == _wanted(proposal) else "modified"
            return _decided(proposal, status, name, at, version, note=note)

        return self._decide(proposal_id, by, act, then)

    def reject(self, proposal_id: str, *, reason: RejectReason, by: str, note: str | None = None) -> Proposal:
        """Refuses a proposal. The next dream heeds it, and asks again only when the evidence doubled.

        Raises:
            UsageError: an unknown reason.
        """
        if reason not in get_args(RejectReason):
            raise UsageError(f"{reason!r} is no reason", hint=f"one of: {', '.join(get_args(RejectReason))}")

        def act(conn: Connection, proposal: Proposal, name: str, at: datetime) -> Proposal:
            _still_pending(proposal)
            return _decided(proposal, "rejected", name, at, None, note=note, reason=reason)

        return self._decide(proposal_id, by, act)

    def undo(self, proposal_id: str, *, by: str) -> Proposal:
        """Takes a decision back. What was approved leaves memory by a new version (changes made since
        stay, where they can); what was rejected waits again.

        Raises:
            StaleBase: memory changed since, in the same lines; ``merged`` shows both. Nothing was done.
            Conflict: there is no decision to take back.
        """

        def act(conn: Connection, proposal: Proposal, name: str, at: datetime) -> Proposal:
            if proposal.status == "rejected":
                return replace(proposal, status="pending", decision=None)
            if proposal.status in ("approved", "modified"):
                version = self._revert(conn, proposal, name)
                return _decided(proposal, "reverted", name, at, version)
            raise Conflict(f"there is no decision to take back: it is {proposal.status}", where=proposal.id)

        return self._decide(proposal_id, by, act)

    # ------------------------------------------------------------------ for the next dream

    def rejected_ideas(self, store: str) -> Mapping[str, int]:
        """The ideas whose last word was a rejection, with the number of sessions behind them then."""
        return self._last_words(store, ("rejected",))

    def decided_ideas(self, store: str) -> Mapping[str, int]:
        """The ideas a dream shall not bring up again before the evidence has doubled, with the number of
        sessions behind them then: rejected, taken back after approval (also because a trial spoke against
        it), or put into a person's own words.

        An idea that was approved as proposed is not among them: memory itself says that it is known.
        """
        return self._last_words(store, ("rejected", "reverted", "modified"))

    def _last_words(self, store: str, statuses: Sequence[ProposalStatus]) -> dict[str, int]:
        store_id = self._memory.store(store).id
        with self._db.read() as conn:
            decided = rows.with_status(conn, store_id, ("approved", "modified", "rejected", "reverted"))
        last: dict[str, Proposal] = {}
        for proposal in sorted(decided, key=_decided_at):
            if not proposal.idea.startswith(TRIED):
                last[proposal.idea] = proposal
            elif proposal.status in ("approved", "modified"):  # what the trial spoke against was taken back
                last[proposal.idea.removeprefix(TRIED)] = replace(proposal, status="reverted")
        return {idea: p.evidence_weight for idea, p in sorted(last.items()) if p.status in statuses}

    # ------------------------------------------------------------------ inside

    def _decide(self, proposal_id: str, by: str, act: _Act, then: Then | None = None) -> Proposal:
        name = valid_name(by)
        at = self._clock()

        def work(conn: Connection) -> Proposal:
            proposal = rows.get(conn, proposal_id)
            # One at a time in a store: whoever waited here looks again at what the other one did.
            store_rows.lock_store(conn, proposal.store_id)
            before = rows.get(conn, proposal.id)
            after = act(conn, before, name, at)
            rows.decide(conn, after)
            _audit(conn, before, after, name, at)
            if after.status in _ANNOUNCED:
                self._announce(conn, f"proposal.{after.status}", after.id)
            if then is not None:
                then(conn, after)
            return after

        return self._db.write(work)

    def _adopt(
        self, conn: Connection, proposal: Proposal, wanted: str | None, by: str, seen: str | None
    ) -> MemoryVersion | None:
        """Merges the wanted text (None: no memory) into memory; the version written, if one was."""
        now = self._now(conn, proposal)
        _as_seen(proposal, now, seen)
        text = _reconciled(proposal, now, wanted) if seen is None else wanted
        return self._put(conn, proposal, now, text, by, proposal.title)

    def _revert(self, conn: Connection, proposal: Proposal, by: str) -> MemoryVersion | None:
        """Merges the reverse of what an approval wrote into memory; the version written, if one was."""
        version_id = proposal.decision.version_id if proposal.decision else None
        written = memory_rows.version_by_id(conn, version_id) if version_id else None
        if written is None:
            return None  # memory said it already when it was approved
        now = self._now(conn, proposal)
        before = memory_rows.version(conn, written.memory_id, written.version - 1)
        if written.redacted_at is not None or (before is not None and before.redacted_at is not None):
            raise Conflict("the text it would take back, or bring back, was redacted", where=proposal.id)
        text = merged(written.content, now, before.content if before else None, where=proposal.path)
        return self._put(conn, proposal, now, text, by, f"taken back: {proposal.title}")

    def _now(self, conn: Connection, proposal: Proposal) -> str | None:
        found = self._memory.find(proposal.store_id, proposal.path, conn=conn)
        return None if found is None else found.content

    def _put(
        self, conn: Connection, proposal: Proposal, now: str | None, text: str | None, by: str, reason: str
    ) -> MemoryVersion | None:
        if text == now:
            return None
        if text is None:
            return self._memory.delete(
                proposal.store_id, proposal.path, actor=by, reason=reason, proposal_id=proposal.id, conn=conn
            )
        return self._memory.write(
            proposal.store_id,
            proposal.path,
            text,
            actor=by,
            reason=reason,
            proposal_id=proposal.id,
            conn=conn,
        )


def _submittable(proposal: Proposal) -> None:
    if proposal.status != "pending":
        raise UsageError(f"only pending proposals are submitted, not {proposal.status}", where=proposal.id)
    if proposal.kind in ("merge", "move"):
        raise UsageError(f"proposals of kind {proposal.kind!r} are not known yet", where=proposal.id)
    if valid_path(proposal.path) != proposal.path:
        raise InvalidMemory("the path is not in Unicode normal form C", where=proposal.path)
    valid_content(proposal.content, where=proposal.path)


def _submit(conn: Connection, proposals: Sequence[Proposal], at: datetime) -> Submitted:
    ours = {proposal.id for proposal in proposals}
    added: list[str] = []
    known: list[str] = []
    superseded: list[str] = []
    waiting = _waiting(conn, proposals, ours)
    for position, proposal in enumerate(proposals):
        rivals = waiting.get((proposal.store_id, proposal.idea), [])
        if any(_same_change(rival, proposal) for rival in rivals) or not rows.add(conn, proposal, position):
            known.append(proposal.id)
            continue
        added.append(proposal.id)
        for rival in rivals:
            rows.decide(conn, replace(rival, status="superseded"))
            superseded.append(rival.id)
        waiting.pop((proposal.store_id, proposal.idea), None)
    if added:
        detail = {"added": added, "superseded": superseded}
        audit.append(conn, at, "reverie", "proposals.submitted", proposals[0].dream_id, detail)
    return Submitted(tuple(added), tuple(known), tuple(superseded))


def _waiting(
    conn: Connection, proposals: Sequence[Proposal], ours: set[str]
) -> dict[tuple[str, str], list[Proposal]]:
    """Pending proposals of other submissions about the same ideas, by store and idea."""
    found: dict[tuple[str, str], list[Proposal]] = {}
    for store_id in sorted({proposal.store_id for proposal in proposals}):
        store_rows.lock_store(conn, store_id)  # two dreams at once: the second sees the first one's pile
        ideas = sorted({proposal.idea for proposal in proposals if proposal.store_id == store_id})
        for rival in rows.pending_for(conn, store_id, ideas):
            if rival.id not in ours:
                found.setdefault((store_id, rival.idea), []).append(rival)
    return found


def _same_change(one: Proposal, other: Proposal) -> bool:
    return (one.kind, one.path, one.content, one.base_sha256) == (
        other.kind,
        other.path,
        other.content,
        other.base_sha256,
    )


def _digest(now: str | None) -> str:
    return ABSENT if now is None else content_sha256(now)


def _as_seen(proposal: Proposal, now: str | None, seen: str | None) -> None:
    if seen not in (None, _digest(now)):
        raise Conflict("memory changed since you looked at it", where=proposal.path, hint="look again")


def _wanted(proposal: Proposal) -> str | None:
    return None if proposal.kind == "retire" else proposal.content


def _reconciled(proposal: Proposal, now: str | None, wanted: str | None) -> str | None:
    return merged(proposal.base_content, now, wanted, where=proposal.path)


def _still_pending(proposal: Proposal) -> None:
    if proposal.status == "pending":
        return
    decision = proposal.decision
    who = f" by {decision.by} at {iso(decision.at)}" if decision else ""
    hint = f"reverie undo {proposal.id}" if proposal.status in ("approved", "modified", "rejected") else None
    raise AlreadyDecided(f"it was {proposal.status}{who}", where=proposal.id, hint=hint)


def _decided(
    proposal: Proposal,
    status: ProposalStatus,
    by: str,
    at: datetime,
    version: MemoryVersion | None,
    *,
    note: str | None = None,
    reason: RejectReason | None = None,
) -> Proposal:
    written = version.content if version is not None else None
    return replace(
        proposal,
        status=status,
        decision=Decision(
            by=by,
            at=at,
            reason=reason,
            note=note,
            content=written if written != proposal.content else None,
            version_id=version.id if version is not None else None,
        ),
    )


def _decided_at(proposal: Proposal) -> tuple[str, str]:
    return (iso(proposal.decision.at) if proposal.decision else "", proposal.id)


def _audit(conn: Connection, before: Proposal, after: Proposal, by: str, at: datetime) -> None:
    action = "reopened" if after.status == "pending" else after.status
    decision = after.decision
    detail = {
        "path": after.path,
        "store_id": after.store_id,
        "was": before.status,
        "version_id": decision.version_id if decision else None,
        "reason": decision.reason if decision else None,
        "note": decision.note if decision else None,
    }
    audit.append(conn, at, by, f"proposal.{action}", after.id, detail)
