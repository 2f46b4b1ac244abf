"""Plans that clients have carried out in a session, by the agents that its own may call; and how each stands."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import Invalid, NotFound, UsageError
from reverie.domain.events import NewEvent
from reverie.domain.ids import new_id
from reverie.domain.resources import Cursor
from reverie.orchestration.checking import checked_plan
from reverie.orchestration.notation import plan_json
from reverie.orchestration.progress import StopAsked, news_json
from reverie.orchestration.roster import roster_of
from reverie.orchestration.runs import MAX_OPEN, Run, Runs
from reverie.sessions.live import LiveSessions
from reverie.sessions.status import SessionState
from reverie.sessions.turns import budget_reached
from reverie.storage import managed, timeline
from reverie.storage.database import Connection, Database
from reverie.storage.events import Link, read
from reverie.storage.managed import SessionRow
from reverie.storage.timeline import Slice
from reverie.workspaces.work import WorkQueue

__all__ = ["PlanView", "Plans", "Status"]

Said: TypeAlias = Mapping[str, Any]
Status: TypeAlias = Literal["running", "stopping", "completed", "stopped", "error"]

_STOPPED: Final = "stopped by the client"
_TOLD: Final = ("workflow_run.created", "workflow_run.news", "span.model_request_end", "user.interrupt")
"""Types of the events that say how runs stand."""
_CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True)
class PlanView:
    """A run of a plan in a session. ``ended_with``: the session has ended, and the run with it."""

    session_id: str
    run: Run
    ended_with: bool

    @property
    def id(self) -> str:
        return self.run.id

    @property
    def created_at(self) -> datetime:
        return self.run.state.began_at

    @property
    def status(self) -> Status:
        """Stopping: somebody wants it to stop, and it has not yet."""
        state = self.run.state
        if state.ended is not None:
            return state.ended.result
        if self.ended_with:
            return "stopped"
        return "running" if state.stop is None else "stopping"


class Plans:
    """Runs of plans in one workspace's sessions. All methods raise ``NotFound`` for what is not there."""

    def __init__(
        self,
        db: Database,
        live: LiveSessions,
        work: WorkQueue,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._db = db
        self._live = live
        self._work = work
        self._clock = clock
        self._entropy = entropy

    def start(self, session_id: str, asked: Said) -> PlanView:
        """Have a plan carried out; see ``orchestration.checking.checked_plan`` for what one may say.

        Raises:
            Invalid: a plan that cannot be carried out, or not by the agents that the session's may call.
            UsageError: ten runs are open, the budget is spent, or the session has ended or was imported.
        """
        row = self._live.row(session_id)
        plan = checked_plan(asked, _specialists(row))
        run_id = new_id("wrun", self._entropy)
        told: dict[str, Any] = {
            "workflow_run_id": run_id,
            "name": plan.name,
            "description": plan.description or None,
            "phases": [{"id": p.id, "name": p.name, "description": p.description} for p in plan.phases],
            "plan": plan_json(plan),
            "private": {"call": None, "asked": False, "agents": {}},
        }

        def ask(state: SessionState) -> Sequence[NewEvent]:
            _room(state)
            return [NewEvent("workflow_run.created", told, run_id)]

        def enqueue(conn: Connection, state: SessionState) -> None:
            if state.self_hosted:
                self._work.enqueue((row.body or {})["environment_id"], session_id, conn=conn)

        self._live.ask_of_runs(session_id, ask, then=enqueue)
        return self.get(session_id, run_id)

    def list(
        self, session_id: str, *, after: Cursor | None = None, limit: int = 20
    ) -> builtins.list[PlanView]:
        """The runs of a session, oldest first."""
        found = self._runs(session_id)
        if after is not None:
            found = [run for run in found if (run.created_at, run.id) > after]
        return found[:limit]

    def get(self, session_id: str, run_id: str) -> PlanView:
        """A run."""
        for run in self._runs(session_id):
            if run.id == run_id:
                return run
        raise NotFound(f"there is no run {run_id!r} of a plan in this session")

    def stop(self, session_id: str, run_id: str, why: str | None = None) -> PlanView:
        """Have a run stopped: what runs is cut off, what waits never starts. Again is harmless.

        Raises:
            UsageError: the session was imported.
        """
        found = self.get(session_id, run_id)
        if found.status != "running":
            return found
        news = news_json(StopAsked(self._clock(), why or _STOPPED))
        told = {"workflow_run_id": run_id, "news": news}
        stop = NewEvent("workflow_run.news", told, self._entropy(16).hex(), thread=found.run.lead)
        self._live.ask_of_runs(session_id, lambda state: [stop])
        return self.get(session_id, run_id)

    def _runs(self, session_id: str) -> builtins.list[PlanView]:
        runs = Runs()
        with self._db.read() as conn:
            row = managed.row(conn, session_id)
            for link in _told(conn, session_id):
                runs.absorb(read(link))
        ended = row.status == "terminated"
        found = [PlanView(session_id, run, ended) for run in runs.runs.values()]
        return sorted(found, key=lambda run: (run.created_at, run.id))


def _told(conn: Connection, session_id: str) -> Iterator[Link]:
    """The events that say how a session's runs stand, from the first run on."""
    first = timeline.page(conn, session_id, Slice(types=_TOLD[:1]), limit=1)
    place = first[0].seq - 1 if first else None
    while place is not None:
        links = timeline.page(conn, session_id, Slice(types=_TOLD), after=place, limit=_CHUNK)
        yield from links
        place = links[-1].seq if len(links) == _CHUNK else None


def _room(state: SessionState) -> None:
    if budget_reached(state):
        raise UsageError("the session's budget is reached: it begins nothing", where="`plan`")
    if len(state.open_runs) >= MAX_OPEN:
        raise UsageError(f"at most {MAX_OPEN} runs of plans that have not ended", where="`plan`")


def _specialists(row: SessionRow) -> Collection[str]:
    """The names of those whom a plan may give tasks to."""
    roster = roster_of((row.body or {}).get("agent") or {})
    if not roster.plans or not roster.workflows:
        raise Invalid("plan", "a session whose agent may call others: its `multiagent` names them")
    return roster.workflows
