"""Replays: does an edit of memory help, before anybody adopts it? Kept so that a killed replay goes on where it was.

An edit is one proposal or several, tried together. Two copies of the store are made, one with the edit; tasks are
played in pairs, with the one and with the other, and a plan that was fixed before the first pair says when to stop
(``trials.design``, ``trials.pairs``). Who plays a task, and says whether it succeeded, is not decided here.
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, takewhile
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec

from reverie.domain.clock import Clock
from reverie.domain.errors import Conflict, Invalid, StaleBase, UsageError
from reverie.domain.events import JsonObject
from reverie.domain.resources import Resource
from reverie.dreaming.trials.pairs import Decision, Pair, Standing, stand
from reverie.dreaming.trials.plans import AIMS, Aims, Plan
from reverie.memory.catalog import Catalog
from reverie.memory.stores import MemoryService
from reverie.review.review import Preview, ReviewService
from reverie.storage import audit, lineage
from reverie.storage.codec import dumps
from reverie.storage.database import Connection, Database
from reverie.workspaces.resources import Resources

__all__ = ["KIND", "MAX_TASKS", "PAIRS", "Replay", "ReplayStatus", "Replays"]

KIND: Final = "replay"
PAIRS: Final = 60
"""Pairs at most, unless another number is chosen."""
MAX_TASKS: Final = 1_000
_BY: Final = "reverie"
_AT_ONCE: Final = 500  # stores asked for in one query

ReplayStatus: TypeAlias = Literal["running", "adopt", "give up"]


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay as it stands. ``done`` are its pairs by number, from 0, in the order in which they were begun;
    ``with_store`` and ``without_store`` the copies of the store, archived when it has ended."""

    id: str
    proposals: tuple[str, ...]
    tasks: tuple[str, ...]
    plan: Plan
    coin: float
    done: Mapping[int, Pair]
    with_store: str
    without_store: str
    status: ReplayStatus

    @property
    def in_order(self) -> builtins.list[Pair]:
        """The pairs that are done and have none before them that is not: those that count."""
        return [self.done[number] for number in takewhile(self.done.__contains__, count())]

    @property
    def standing(self) -> Standing:
        """Where the plan stands."""
        return stand(self.plan, self.in_order, self.coin)

    def next(self, playing: Mapping[int, str]) -> tuple[int, str] | None:
        """The number and the task of the pair to begin next; None: no more of them. ``playing`` are those that are
        played now, each taken for one that says nothing, so that two at once ask two tasks.

        Which task it is depends on how often tasks succeeded and never on which side won (``trials.allocation``).
        """
        from reverie.dreaming.trials.allocation import next_task  # numbers are loaded where they are needed

        number = next(n for n in count() if n not in self.done and n not in playing)
        if self.standing.decision is not Decision.GO_ON or number >= self.plan.pairs:
            return None
        asked = [*self.done.values(), *(Pair(task, True, True) for task in playing.values())]
        return number, next_task(self.tasks, asked)


class Replays:
    """The replays of one workspace. All methods raise ``NotFound`` for an id that is not one of them."""

    def __init__(
        self,
        db: Database,
        resources: Resources,
        stores: Catalog,
        memory: MemoryService,
        review: ReviewService,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._db = db
        self._resources = resources
        self._stores = stores
        self._memory = memory
        self._review = review
        self._clock = clock
        self._entropy = entropy

    def begin(
        self, proposals: Sequence[str], tasks: Sequence[str], *, pairs: int = PAIRS, aims: Aims = AIMS
    ) -> Replay:
        """Try proposals on tasks, in ``pairs`` pairs at most; the same proposals on the same tasks again are the same
        replay, as it stands: who dislikes an answer does not get another one by asking again.

        Args:
            proposals: Ids of proposals that wait, all for one store, each for another path.
            tasks: Names of tasks, each once: best ones that no session which the proposals were learned from worked on.

        Raises:
            NotFound, Ambiguous: a proposal.
            Invalid: no task, too many, one twice; pairs or aims out of bounds.
            UsageError: a proposal that was decided; several stores, or one path twice.
            StaleBase: memory changed since in the same place: such an edit cannot be tried.
        """
        from reverie.dreaming.trials.design import plan_for

        if not 1 <= len(tasks) <= MAX_TASKS or len({*tasks}) < len(tasks):
            raise Invalid("tasks", f"1 to {MAX_TASKS:,} tasks, each once", len(tasks))
        previews = [self._review.preview(each) for each in dict.fromkeys(proposals)]
        store_id = _one_store(previews)
        key = _key(previews, tasks, pairs, aims)
        known = next(
            (each for each in self._resources.list(KIND, archived=None) if each.body["key"] == key), None
        )
        if known is not None:
            return _read(known)
        plan = plan_for(pairs, aims)  # takes its time: before the transaction
        coin = int.from_bytes(self._entropy(7), "big") / (1 << 56)
        try:
            return _read(
                self._resources.write(partial(self._make, previews, store_id, [*tasks], key, plan, coin))
            )
        except Conflict:  # somebody began the same one meanwhile
            return self.begin(proposals, tasks, pairs=pairs, aims=aims)

    def add(self, replay_id: str, number: int, pair: Pair) -> Replay:
        """Keep what became of a pair. The first to tell of a number is believed. Where the plan has its answer, the
        replay ends, in the same transaction."""

        def change(now: Resource) -> Resource:
            if now.status != "running" or str(number) in now.body["done"]:
                return now
            told = [pair.task, pair.with_edit, pair.without]
            after = replace(now, body={**now.body, "done": {**now.body["done"], str(number): told}})
            decision = _read(after).standing.decision
            return after if decision is Decision.GO_ON else replace(after, status=decision.value)

        def work(conn: Connection) -> Resource:
            before = self._resources.get(KIND, replay_id, conn=conn)
            after = self._resources.change(KIND, replay_id, change, conn=conn)
            if before.status != after.status:
                self._ended(conn, _read(after))
            return after

        return _read(self._resources.write(work))

    def get(self, replay_id: str) -> Replay:
        """A replay as it stands."""
        return _read(self._resources.get(KIND, replay_id))

    def list(self, proposal_id: str | None = None) -> builtins.list[Replay]:
        """Replays, newest first; of one proposal."""
        found = map(_read, self._resources.list(KIND, archived=None))
        return [each for each in found if proposal_id is None or proposal_id in each.proposals]

    def sessions(self) -> frozenset[str]:
        """The sessions that were played for replays: rehearsals are no evidence for a dream."""
        copies = [id for each in self.list() for id in (each.with_store, each.without_store)]
        with self._db.read() as conn:
            few = (copies[at : at + _AT_ONCE] for at in range(0, len(copies), _AT_ONCE))
            return frozenset(id for stores in few for id in lineage.sessions_with(conn, stores))

    # ------------------------------------------------------------------ inside

    def _make(
        self,
        previews: Sequence[Preview],
        store_id: str,
        tasks: builtins.list[str],
        key: str,
        plan: Plan,
        coin: float,
        conn: Connection,
    ) -> Resource:
        name = f"{self._stores.get(store_id, conn=conn).name[:200]} (rehearsal)"  # both: an agent cannot tell which
        copies = {
            side: self._stores.copy(store_id, name, actor=_BY, conn=conn).id for side in ("with", "without")
        }
        for each in previews:
            _apply(self._memory, copies["with"], each, conn)
        body: JsonObject = {
            "key": key,
            "store_id": store_id,
            "proposals": [each.proposal.id for each in previews],
            "tasks": tasks,
            "plan": msgspec.to_builtins(plan),
            "coin": coin,
            "done": {},
            **copies,
        }
        made = self._resources.create(KIND, body, prefix="rply", status="running", key=key, conn=conn)
        detail = {"proposals": body["proposals"], "tasks": len(tasks), "pairs": plan.pairs}
        audit.append(conn, self._clock(), _BY, "replay.began", made.id, detail)
        return made

    def _ended(self, conn: Connection, replay: Replay) -> None:
        at, standing = self._clock(), replay.standing
        for each in (replay.with_store, replay.without_store):
            self._stores.archive(each, actor=_BY, conn=conn)
        detail: dict[str, Any] = {
            "proposals": replay.proposals,
            "pairs": standing.pairs,
            "won": standing.wins,
            "lost": standing.losses,
        }
        audit.append(conn, at, _BY, f"replay.{standing.decision.value.replace(' ', '_')}", replay.id, detail)


def _one_store(previews: Sequence[Preview]) -> str:
    """The store of all of them.

    Raises:
        Invalid, UsageError, StaleBase: as ``Replays.begin``.
    """
    if not previews:
        raise Invalid("proposals", "at least one", 0)
    for each in previews:
        if each.proposal.status != "pending":
            raise UsageError(
                f"it was {each.proposal.status}: there is nothing to try", where=each.proposal.id
            )
        if not each.clean:
            raise StaleBase(
                "memory changed since this was written, in the same place",
                merged=each.result or "",
                where=each.proposal.id,
                hint="settle it first: reverie review",
            )
    stores = {each.proposal.store_id for each in previews}
    paths = [each.proposal.path for each in previews]
    if len(stores) > 1 or len({*paths}) < len(paths):
        raise UsageError("proposals that are tried together are for one store, each for another path")
    return stores.pop()


def _apply(memory: MemoryService, store_id: str, preview: Preview, conn: Connection) -> None:
    path, title = preview.proposal.path, preview.proposal.title
    if preview.result is not None:
        memory.write(store_id, path, preview.result, actor=_BY, reason=title, conn=conn)
    elif memory.find(store_id, path, conn=conn) is not None:
        memory.delete(store_id, path, actor=_BY, reason=title, conn=conn)


def _key(previews: Sequence[Preview], tasks: Sequence[str], pairs: int, aims: Aims) -> str:
    edits = sorted([each.proposal.id, each.seen_sha256] for each in previews)
    told = dumps([edits, sorted(tasks), pairs, msgspec.to_builtins(aims)])
    return hashlib.sha256(told.encode()).hexdigest()


def _read(resource: Resource) -> Replay:
    body: Mapping[str, Any] = resource.body
    return Replay(
        id=resource.id,
        proposals=tuple(body["proposals"]),
        tasks=tuple(body["tasks"]),
        plan=msgspec.convert(body["plan"], Plan),
        coin=body["coin"],
        done={int(number): Pair(*told) for number, told in body["done"].items()},
        with_store=body["with"],
        without_store=body["without"],
        status=cast(ReplayStatus, resource.status),
    )
