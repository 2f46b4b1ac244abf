"""Review policies: kept, and applied to what a dream proposed.

``objection`` is the whole of the rule, a pure function: None only where everything that the policy asks for holds
and nothing speaks against applying a text unseen. A decision of a policy is a decision like a person's: one
transaction with the memory's version and an audit entry, which names the policy and who wrote it; ``undo`` takes
it back, and no policy applies that idea again.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, get_args

from reverie.domain.clock import Clock
from reverie.domain.errors import AlreadyDecided, Archived, Invalid, InvalidMemory, NotFound, StaleBase
from reverie.domain.findings import Finding
from reverie.domain.policies import GROWING, MEMORY_KINDS, MemoryKind, Policy, Support, signature
from reverie.domain.proposals import Proposal, ProposalKind, Risk
from reverie.domain.resources import Cursor, Resource
from reverie.domain.sessions import Session
from reverie.memory.documents import parse
from reverie.memory.stores import MemoryService, valid_name, writable
from reverie.review.checks import Note, NoteKind, examine
from reverie.review.review import ReviewService
from reverie.sessions.log import SessionLog
from reverie.storage import audit
from reverie.storage import findings as finding_rows
from reverie.storage.database import Connection, Database
from reverie.workspaces.resources import Resources

__all__ = ["KIND", "Applied", "Policies", "objection"]

KIND: Final = "review_policy"
_MOST: Final = 100
_LONGEST_NAME: Final = 120  # the signature holds it, and is a name itself
_LONGEST_WHY: Final = 1_000
_RISKS: Final[dict[Risk, int]] = {"low": 0, "medium": 1, "high": 2}
_FOR_A_PERSON: Final[frozenset[NoteKind]] = frozenset({"secret", "injection", "hidden_text"})


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one proposal: ``policy_id`` of the one that applied it, or why none did, in the words of
    the one that came closest (the newest one about its store)."""

    proposal_id: str
    policy_id: str | None
    why: str | None


def objection(
    policy: Policy, proposal: Proposal, support: Support, notes: Sequence[Note], contested: Collection[str]
) -> str | None:
    """Why the policy does not apply the proposal; None: it does.

    ``notes`` are those of ``checks.examine`` about its text, ``contested`` the ideas that a person has decided
    against in its store.
    """
    return next(filter(None, _objections(policy, proposal, support, notes, contested)), None)


def _objections(
    policy: Policy, proposal: Proposal, support: Support, notes: Sequence[Note], contested: Collection[str]
) -> Iterator[str | None]:
    yield "untrusted text had a hand in it" if proposal.tainted else None
    yield f"it was {proposal.status}" if proposal.status != "pending" else None
    yield "it is about another store" if proposal.store_id != policy.store_id else None
    yield "the policy is archived" if policy.archived_at is not None else None
    yield f"the policy is not about {proposal.kind}" if proposal.kind not in policy.kinds else None
    yield _of_another_sort(policy, proposal)
    yield "a person has decided against the idea before" if proposal.idea in contested else None
    yield _too_little(policy, support)
    if _RISKS[proposal.risk] > _RISKS[policy.max_risk]:
        yield f"its risk is {proposal.risk}, and the policy takes {policy.max_risk}"
    yield next((n.text for n in notes if n.kind in _FOR_A_PERSON or n.severity == "error"), None)


def _of_another_sort(policy: Policy, proposal: Proposal) -> str | None:
    """The sort that the text claims to be, and the sort of what it takes the place of."""
    texts = [text for text in (proposal.content, proposal.base_content) if text]
    for kind in [parse(text).kind for text in texts] or [None]:
        if kind not in policy.memory_kinds:
            return f"the policy is not about memories of kind {kind or 'unknown'}"
    return None


def _too_little(policy: Policy, support: Support) -> str | None:
    for has, least, of in (
        (support.sessions, policy.min_sessions, "independent sessions"),
        (support.users, policy.min_users, "users"),
        (support.days, policy.min_days, "days"),
    ):
        if has < least:
            return f"{has} {of} stand behind it, and the policy wants {least}"
    return None


class Policies:
    """The review policies of one workspace. Methods that take an id raise ``NotFound``.

    ``leaks`` says whether a text holds a secret.
    """

    def __init__(
        self,
        db: Database,
        resources: Resources,
        log: SessionLog,
        memory: MemoryService,
        review: ReviewService,
        *,
        clock: Clock,
        leaks: Callable[[str], bool],
    ) -> None:
        self._db = db
        self._resources = resources
        self._log = log
        self._memory = memory
        self._review = review
        self._clock = clock
        self._leaks = leaks

    # ------------------------------------------------------------------ keeping them

    def add(
        self,
        store: str,
        *,
        by: str,
        kinds: Sequence[ProposalKind] = GROWING,
        memory_kinds: Sequence[MemoryKind] = MEMORY_KINDS,
        min_sessions: int = 5,
        min_users: int = 2,
        min_days: int = 1,
        max_risk: Risk = "low",
        why: str | None = None,
    ) -> Policy:
        """A new policy about a store (name or id), written by ``by``. It counts from the next dream on.

        Raises:
            NotFound: the store.
            Archived: the store was.
            UsageError: no name in ``by``.
            Invalid: an unknown kind or risk, a minimum below 1, more policies than 100 in the workspace; a kind
                that takes something out of memory, without a ``why``.
        """
        kept = self._memory.store(store)
        writable(kept)
        author = _named(by)
        body = {
            "store_id": kept.id,
            "kinds": _some("kinds", kinds, get_args(ProposalKind)),
            "memory_kinds": _some("memory_kinds", memory_kinds, MEMORY_KINDS),
            "min_sessions": _least("min_sessions", min_sessions),
            "min_users": _least("min_users", min_users),
            "min_days": _least("min_days", min_days),
            "max_risk": _some("max_risk", [max_risk], get_args(Risk))[0],
            "why": _reason(why, kinds),
            "by": author,
        }

        def work(conn: Connection) -> Resource:
            if (count := self._resources.count(KIND, conn=conn)) >= _MOST:
                raise Invalid("review_policies", f"at most {_MOST}", count + 1)
            made = self._resources.create(KIND, body, prefix="rpol", parent=kept.id, conn=conn)
            audit.append(conn, self._clock(), author, "review_policy.created", made.id, body)
            return made

        return _policy(self._resources.write(work))

    def get(self, policy_id: str) -> Policy:
        """A policy, archived or not."""
        return _policy(self._resources.get(KIND, policy_id))

    def list(
        self,
        store: str | None = None,
        *,
        archived: bool | None = False,
        after: Cursor | None = None,
        limit: int | None = None,
    ) -> builtins.list[Policy]:
        """Policies (about one store), newest first; ``archived`` as ``Resources.list``."""
        parent = None if store is None else self._memory.store(store).id
        found = self._resources.list(KIND, parent=parent, archived=archived, after=after, limit=limit)
        return [_policy(each) for each in found]

    def archive(self, policy_id: str, *, by: str) -> Policy:
        """Let a policy apply nothing any more, for good. What it applied stays. Again is harmless."""
        name, now = _named(by), self._clock()

        def work(conn: Connection) -> Resource:
            before = self._resources.get(KIND, policy_id, lock=True, conn=conn)
            if before.archived_at is not None:
                return before
            audit.append(conn, now, name, "review_policy.archived", policy_id, {"store_id": before.parent})
            return self._resources.change(
                KIND, policy_id, lambda found: replace(found, archived_at=now), conn=conn
            )

        return _policy(self._resources.write(work))

    # ------------------------------------------------------------------ applying them

    def apply(
        self, proposals: Sequence[Proposal], going_on: Callable[[], None] = lambda: None
    ) -> builtins.list[Applied]:
        """Apply what some policy lets through of proposals that wait; what became of each of those.

        ``going_on`` is called before each decision, and may raise to stop. Again applies nothing twice.
        """
        done: builtins.list[Applied] = []
        for proposal in proposals:
            policies = self.list(proposal.store_id) if proposal.status == "pending" else []
            if policies:
                going_on()
                done.append(self._applied(policies, proposal))
        return done

    def why_not(self, policy: Policy, proposal: Proposal) -> str | None:
        """Why a policy would not apply a proposal now; None: it would."""
        memories = [m for m in self._memory.list(proposal.store_id) if m.path != proposal.path]
        notes = examine(proposal.content, path=proposal.path, memories=memories, leaks=self._leaks)
        title = examine(proposal.title, path=proposal.path, memories=(), leaks=self._leaks)
        contested = self._review.decided_ideas(proposal.store_id)
        return objection(policy, proposal, self.support(proposal), [*notes, *title], contested)

    def support(self, proposal: Proposal) -> Support:
        """The independent evidence behind the finding that a proposal rests on first; none where that finding,
        or a session of it, is not there any more."""
        try:
            with self._db.read() as conn:
                finding = finding_rows.finding(conn, proposal.findings[0])
        except (NotFound, IndexError):
            return Support(0, 0, 0)
        return self._counted(finding)

    def _counted(self, finding: Finding) -> Support:
        sessions = self._log.sessions(ids=finding.sessions)
        runs = {(s.info.user, _day(s), s.info.task or s.info.goal) for s in sessions}
        # A finding also knows users that only the transcripts name (whose home directory it was done in).
        named = max(len({user for user, _, _ in runs if user}), min(finding.counts.users, len(sessions)))
        return Support(len(runs), max(named, bool(runs)), len({day for _, day, _ in runs}))

    def _applied(self, policies: Sequence[Policy], proposal: Proposal) -> Applied:
        why: str | None = None
        for policy in policies:
            objected = self.why_not(policy, proposal)
            if objected is None:
                objected = self._approve(policy, proposal)
            if objected is None:
                return Applied(proposal.id, policy.id, None)
            why = why or objected
        return Applied(proposal.id, None, why)

    def _approve(self, policy: Policy, proposal: Proposal) -> str | None:
        """Write it; or why that cannot be done, and it waits for a person."""
        try:
            self._review.approve(proposal.id, by=signature(policy), note=policy.why)
        except (AlreadyDecided, Archived, InvalidMemory, StaleBase) as error:
            return error.what
        return None


def _day(session: Session) -> date | None:
    return None if session.info.started_at is None else session.info.started_at.date()


def _policy(resource: Resource) -> Policy:
    body: Mapping[str, Any] = resource.body
    return Policy(
        id=resource.id,
        store_id=body["store_id"],
        kinds=tuple(body["kinds"]),
        memory_kinds=tuple(body["memory_kinds"]),
        min_sessions=body["min_sessions"],
        min_users=body["min_users"],
        min_days=body["min_days"],
        max_risk=body["max_risk"],
        why=body["why"],
        by=body["by"],
        created_at=resource.created_at,
        archived_at=resource.archived_at,
    )


def _some(field: str, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """What is asked for, in the order in which it is known, each once."""
    for each in asked:
        if each not in known:
            raise Invalid(field, f"some of {', '.join(known)}", each)
    if not asked:
        raise Invalid(field, "at least one", 0)
    return [each for each in known if each in asked]


def _least(field: str, number: int) -> int:
    if number < 1:
        raise Invalid(field, "at least 1", number)
    return number


def _named(by: str) -> str:
    name = valid_name(by)
    if len(name) > _LONGEST_NAME:
        raise Invalid("by", f"at most {_LONGEST_NAME} characters", len(name))
    return name


def _reason(why: str | None, kinds: Sequence[ProposalKind]) -> str | None:
    said = (why or "").strip()
    taking = [kind for kind in kinds if kind not in GROWING]
    if taking and not said:
        raise Invalid(
            "why", f"a reason: a policy about {', '.join(taking)} takes something out of memory unseen"
        )
    if len(said) > _LONGEST_WHY:
        raise Invalid("why", f"at most {_LONGEST_WHY:,} characters", len(said))
    return said or None
