"""The house put together: with ``workspace`` the only file that knows every room.

``open()`` gives a ``Reverie``; everything a person can do from the command line is a method of it or of
one of its services (``log``, ``memory``, ``review``).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, cast

import platformdirs

from reverie.domain.clock import Clock, system_clock
from reverie.domain.errors import ConfigError, UsageError
from reverie.domain.events import JsonObject
from reverie.domain.workspaces import DEFAULT_WORKSPACE, EVERYWHERE
from reverie.dreaming import schedules
from reverie.dreaming.night import NightWatch
from reverie.dreaming.processes import this_process
from reverie.dreaming.trials.records import KIND as TRIAL
from reverie.dreaming.trials.records import RUNNING
from reverie.jobs.choosing import engine
from reverie.jobs.engine import Engine
from reverie.plugins import RUNTIMES, Handler, Model, Runtime, Waker, load
from reverie.runtime.house import Plugs
from reverie.sessions.feed import Feed
from reverie.sessions.secrets import Masker
from reverie.sessions.verify import VerifyReport, verify
from reverie.storage.database import Database
from reverie.telemetry import Spans, wanted
from reverie.wiring import plugs
from reverie.workspace import Workspace
from reverie.workspaces.agents import DEPLOYMENT
from reverie.workspaces.courier import Courier
from reverie.workspaces.deployments import SCHEDULED
from reverie.workspaces.keys import Keys
from reverie.workspaces.outbound import Outbound
from reverie.workspaces.registry import Workspaces
from reverie.workspaces.scheduler import Attended, Scheduler
from reverie.workspaces.sealing import sealer

__all__ = ["Reverie", "Workspace", "default_database", "open"]

_FILE: Final = "reverie.db"
_REINSTALL: Final = "reinstall: pip install --force-reinstall reverie-agents"


def default_database(environ: Mapping[str, str] = os.environ) -> str:
    """Where memory lives when nobody says: ``$REVERIE_DB``, else ``$REVERIE_HOME/reverie.db``, else the
    platform's data folder."""
    if url := environ.get("REVERIE_DB"):
        return url
    home = environ.get("REVERIE_HOME")
    folder = Path(home).expanduser() if home else Path(platformdirs.user_data_dir("reverie", appauthor=False))
    return str(folder / _FILE)


def _home(db: Database, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the folders of sessions are: ``$REVERIE_HOME``, else beside the database's file, else the
    platform's data folder."""
    if home := environ.get("REVERIE_HOME"):
        return Path(home).expanduser().absolute()
    if db.dialect == "sqlite":
        return Path(f"{db.where}.files")
    return Path(platformdirs.user_data_dir("reverie", appauthor=False))


def open(
    db: str | Path | None = None,
    *,
    workspace: str | None = None,
    clock: Clock = system_clock,
    entropy: Callable[[int], bytes] = os.urandom,
    secrets: Sequence[str] = (),
    allow: Sequence[str] = (),
    waker: Waker | None = None,
) -> Reverie:
    """Open (and make, if need be) a database: a path, ``sqlite:///…`` or ``postgresql+psycopg://…``.

    Args:
        db: Where; by default ``default_database()``.
        workspace: The name or id of the workspace to work in; by default ``$REVERIE_WORKSPACE``, else the
            default one.
        clock: Gives the present, in UTC.
        entropy: ``entropy(n)`` gives n random bytes, for the ids of things without identity of their own.
        secrets: Values that must never be stored: masked in every encoding, besides the known patterns.
        allow: Host names and networks of your own that webhooks may go to; see ``workspaces.outbound``.
        waker: Wakes sessions; by default the runtime that is installed.

    Raises:
        Unavailable: the database cannot be opened or reached.
        SchemaMismatch: it was made by a newer version, or is not Reverie's.
        NotFound: there is no such workspace.
        ConfigError: OpenTelemetry is asked for (see ``reverie.telemetry``), and not installed.
    """
    database = Database.open(db if db is not None else default_database(), clock=clock)
    if name := workspace or os.environ.get("REVERIE_WORKSPACE"):
        try:
            found = Workspaces(database, clock=clock, entropy=entropy).get(name)
        except BaseException:
            database.close()
            raise
        database = database.scoped(found.id)
    house = Reverie(database, clock=clock, entropy=entropy, secrets=secrets, allow=allow, waker=waker)
    try:
        if wanted(os.environ):
            house.observe(Spans.of(os.environ, house.agent_of))
    except ConfigError:
        house.close()
        raise
    return house


class Reverie(Workspace):
    """One opened database. It is the workspace that it was opened at, ``workspace`` gives the others, and some
    things concern the whole house. Use it as a context manager."""

    def __init__(
        self,
        db: Database,
        *,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
        secrets: Sequence[str] = (),
        allow: Sequence[str] = (),
        waker: Waker | None = None,
    ) -> None:
        mask, seal, feed = Masker(registered=secrets), cache(lambda: sealer(db)), Feed(db)
        self._house_mask = mask  # knows no workspace's secrets, this one's included
        self._waker = waker
        self._runtime: Runtime | None = None
        self._plugs: Plugs | None = None
        self._spans: list[Spans] = []
        self._door = threading.Lock()
        super().__init__(
            db,
            clock=clock,
            entropy=entropy,
            mask=mask,
            sealer=seal,
            feed=feed,
            wake=self._wake,
            attend=self.attend,
            model=self._made,
            home=_home(db),
            allow=allow,
        )
        self._opened: dict[str, Workspace] = {self.id: self}
        self.keys = Keys(db, clock=clock, entropy=entropy)
        self.workspaces = Workspaces(db, clock=clock, entropy=entropy)

    def workspace(self, id: str = DEFAULT_WORKSPACE) -> Workspace:
        """The services of one workspace, and of no other; the same ones at each call. Whether there is such
        a workspace is not asked.

        Raises:
            UsageError: it is the whole house, and not a workspace.
        """
        found = self._opened.get(id)
        if found is None:
            if id == EVERYWHERE:
                raise UsageError("a service works in one workspace, and this is all of them", where=id)
            fresh = Workspace(
                self._db.scoped(id),
                clock=self._clock,
                entropy=self._entropy,
                mask=self._house_mask,
                sealer=self._sealer,
                feed=self.feed,
                wake=self._wake,
                attend=self.attend,
                model=self._made,
                home=_home(self._db),
                allow=self._allow,
            )
            found = self._opened.setdefault(id, fresh)  # whichever thread was first
        return found

    @property
    def where(self) -> str:
        """What the database is called in messages: its path, or its URL without user and password."""
        return self._db.where

    def engine(self) -> tuple[Literal["sqlite", "postgresql"], str]:
        """Which database this is, and its version: asked of it, so that an answer is a sign of life.

        Raises:
            StorageError: it does not answer.
        """
        return self._db.dialect, self._db.version()

    # ------------------------------------------------------------------ what a server does meanwhile

    def attend(self, at_once: int | None = None) -> None:
        """Begin to work on sessions in this process, those that were left behind among them: at most
        ``at_once`` at a time. Again is harmless.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        self._runs().attend(at_once)

    def handle(self, session_id: str, handlers: Mapping[str, Handler]) -> None:
        """Answer calls of these custom tools of a session in this process."""
        self._runs().handle(session_id, handlers)

    def plugs(self) -> Plugs:
        """What is plugged in.

        Raises:
            ConfigError: a plug-in cannot be loaded.
        """
        return plugs(self.models.resolve)

    def _made(self, model: str) -> Model:
        """The model of that name.

        Raises:
            ConfigError, NotFound: there is none, or no key for it.
        """
        if self._plugs is None:
            self._plugs = self.plugs()
        return self._plugs.model(model)

    def engine_of_work(self) -> Engine:
        """What shares the work among processes."""
        return engine(self._db, clock=self._clock)

    def sweep(self) -> None:
        """``sweep_folders``, of every workspace."""
        for each in self.workspaces.list(archived=True):
            if (_home(self._db) / "sessions" / each.id).is_dir():  # of few, on most machines
                self.workspace(each.id).sweep_folders()

    @property
    def database(self) -> Database:
        """The opened database."""
        return self._db

    def courier(self) -> Courier:
        """Delivers webhooks, for every workspace."""
        return Courier(
            self._db,
            lambda id: self.workspace(id).webhooks,
            partial(Outbound, allow=self._allow),
            clock=self._clock,
        )

    def night_watch(self) -> NightWatch:
        """Works off requests for dreams, of every workspace."""
        worker = this_process()
        return NightWatch(self._db, lambda id, stopping: self.workspace(id).night(worker, stopping))

    def scheduler(self) -> Scheduler:
        """Starts what is due by its schedule, in every workspace."""
        deployments = Attended(SCHEDULED, lambda id: self.workspace(id).deployment_runs.attend)
        return self._scheduler({DEPLOYMENT: deployments})

    def dreams_due(self) -> None:
        """Ask for the dreams that are due by their schedules, in every workspace, once: for machines without a
        server. ``night_watch`` works them off.

        Raises:
            StorageError: the database does not answer.
        """
        self._scheduler({}).look()

    def _scheduler(self, others: Mapping[str, Attended]) -> Scheduler:
        dreams = Attended(schedules.ACTIVE, lambda id: self.workspace(id).dream_schedule_runs.attend)
        trials = Attended(RUNNING, lambda id: self.workspace(id).trials.attend)
        kinds = {schedules.KIND: dreams, TRIAL: trials, **others}
        return Scheduler(self._db, self.workspaces, kinds, clock=self._clock)

    def observe(self, spans: Spans) -> None:
        """Make spans of what sessions do in this process, from now on."""
        self.feed.watch(spans.appended)
        self._spans.append(spans)

    def agent_of(self, workspace: str, session_id: str) -> JsonObject:
        """The agent of a session, as it was when the session began; empty of one that was imported.

        Raises:
            NotFound: there is no such session in that workspace.
        """
        return (self.workspace(workspace).live.row(session_id).body or {}).get("agent", {})

    def notice(self) -> str | None:
        """What whoever runs this should know about the database, if anything."""
        return self._db.notice()

    def verify(self) -> VerifyReport:
        """Walk every hash chain; the report names the first thing that was changed outside Reverie."""
        return verify(self._db)

    def close(self) -> None:
        """Finish what is being written and close. Idempotent."""
        if self._runtime is not None:
            self._runtime.close()
        self.feed.close()
        for spans in self._spans:
            spans.close()
        self._db.close()

    def _wake(self, workspace: str, session_id: str) -> None:
        """Wake whoever runs sessions: the waker that was given, else the runtime."""
        wake = self._waker or self._runs().wake
        wake(workspace, session_id)

    def _runs(self) -> Runtime:
        """The runtime that is installed.

        Raises:
            ConfigError: there is none.
        """
        with self._door:
            if self._runtime is None:
                self._runtime = self._installed()
            return self._runtime

    def _installed(self) -> Runtime:
        for kind in load(RUNTIMES).values():
            return cast(Callable[[Reverie], Runtime], kind)(self)
        raise ConfigError("no runtime is installed", where=RUNTIMES, hint=_REINSTALL)

    def __enter__(self) -> Reverie:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
