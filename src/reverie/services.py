"""The services of one workspace, put together. ``workspace`` says what one does with several of them at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from reverie.domain.clock import Clock
from reverie.domain.errors import ConfigError, NotFound, ReverieError, UsageError
from reverie.dreaming.evidence import Evidence
from reverie.dreaming.exclusions import Exclusions
from reverie.dreaming.replays import Replays
from reverie.dreaming.requests import DreamRequests
from reverie.dreaming.schedule_runs import DreamScheduleRuns
from reverie.dreaming.schedules import DreamSchedules
from reverie.dreaming.trials.service import Trials
from reverie.folders.mounts import Mounts as Folders
from reverie.memory.catalog import Catalog
from reverie.memory.records import Records
from reverie.memory.stores import MemoryService
from reverie.plugins import (
    IMPORTERS,
    MINERS,
    OBSERVERS,
    Importer,
    Miner,
    Model,
    Observer,
    Waker,
    load,
)
from reverie.review.bulk import Bulk
from reverie.review.merges import Merger
from reverie.review.pile import Pile
from reverie.review.policies import Policies
from reverie.review.review import ReviewService
from reverie.sessions.feed import Feed
from reverie.sessions.imports import ImportService
from reverie.sessions.live import LiveSessions
from reverie.sessions.log import SessionLog
from reverie.sessions.secrets import Masker
from reverie.storage.database import Database
from reverie.workspaces.agents import Agents
from reverie.workspaces.bearers import Bearers
from reverie.workspaces.credentials import Credentials
from reverie.workspaces.deployment_runs import DeploymentRuns
from reverie.workspaces.deployments import Deployments
from reverie.workspaces.environments import Environments
from reverie.workspaces.files import Files
from reverie.workspaces.idempotency import Idempotency
from reverie.workspaces.imports import Imports
from reverie.workspaces.keys import Keys
from reverie.workspaces.models import MODELS, Models
from reverie.workspaces.obstacles import Obstacles
from reverie.workspaces.outbound import Outbound
from reverie.workspaces.plans import Plans
from reverie.workspaces.renewing import MAX_ANSWER, Renewer
from reverie.workspaces.resources import Resources
from reverie.workspaces.sealing import Sealer
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.session_news import announcer
from reverie.workspaces.session_resources import Mounts
from reverie.workspaces.session_search import SessionSearch
from reverie.workspaces.sessions import Sessions
from reverie.workspaces.threads import Threads
from reverie.workspaces.validating import Validator
from reverie.workspaces.vaults import Vaults
from reverie.workspaces.webhooks import Webhooks
from reverie.workspaces.work import WorkQueue

__all__ = ["Services", "miners"]

_REINSTALL: Final = "reinstall: pip install --force-reinstall reverie-agents"


class Services:
    """Every service of one workspace of an opened database; they see nothing of other workspaces."""

    def __init__(
        self,
        db: Database,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        mask: Masker,
        sealer: Callable[[], Sealer],
        feed: Feed,
        wake: Waker,
        attend: Callable[[], None],
        model: Callable[[str], Model],
        home: Path,
        allow: Sequence[str] = (),
    ) -> None:
        self._db = db
        self.feed = feed
        self._clock = clock
        self._entropy = entropy
        # One's secrets are none of another's. (``secrets`` is not there yet: it registers with the mask.)
        self._mask = mask.apart(lambda: self.secrets.refresh())  # noqa: PLW0108
        self._sealer = sealer
        self._allow = allow
        self._attend = attend
        self._model = model
        self.id: Final = db.workspace
        self.log = SessionLog(db, clock=clock, mask=self._mask)
        self.resources = Resources(db, workspace=db.workspace, clock=clock, entropy=entropy)
        self.idempotency = Idempotency(db, clock=clock, entropy=entropy)
        self.secrets = Secrets(db, sealer, self._mask.register, clock=clock)
        self.webhooks = Webhooks(
            db, self.resources, self.secrets, check=Outbound(allow=allow).check, clock=clock, entropy=entropy
        )
        self.memory = MemoryService(db, clock=clock, entropy=entropy)
        self.stores = Catalog(db, clock=clock, entropy=entropy, announce=self.webhooks.emit)
        self.memories = Records(db, self.memory, clock=clock)
        self.review = ReviewService(db, self.memory, clock=clock, announce=self.webhooks.emit)
        self.policies = Policies(
            db, self.resources, self.log, self.memory, self.review, clock=clock, leaks=self._mask.leaks
        )
        self.evidence = Evidence(db, self.resources, self.log, self.memory, self.review, clock=clock)
        self.exclusions = Exclusions(
            db, self.resources, self.log, self._observer, miners, clock=clock, taken_out=self.evidence.out
        )
        self.bulk = Bulk(self.review, self.exclusions.fallen)
        self.merger = Merger(self.memory, self.review)
        self.pile = Pile(db)
        self.replays = Replays(
            db, self.resources, self.stores, self.memory, self.review, clock=clock, entropy=entropy
        )
        self._dream_services(clock)
        self._session_services(wake, clock, entropy)
        self.trials = self._trials(clock, entropy)
        self.bearers, self.validator = self._renewing(clock)
        self.folders = self._folders(home, clock)
        self.deployments, self.deployment_runs = self._deployments(clock)

    def _dream_services(self, clock: Clock) -> None:
        db = self._db
        self.imports = Imports(db, self.resources, self.importer)
        emit = self.webhooks.emit
        self.dream_requests = DreamRequests(
            db,
            self.resources,
            self.stores,
            self.log,
            self.review,
            clock=clock,
            announce=emit,
            end=self._end_session,
        )
        self.dream_schedules = DreamSchedules(self.resources, self.stores, clock=clock)
        self.dream_schedule_runs = DreamScheduleRuns(self.resources, self.stores, self.dream_requests)

    def _session_services(self, wake: Waker, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        db, feed = self._db, self.feed
        self.agents = Agents(self.resources, self.secrets, self.webhooks, check_schema=_flaws, clock=clock)
        self.environments = Environments(self.resources, self.webhooks, clock=clock)
        self.keys = Keys(db, clock=clock, entropy=entropy)
        self.work = WorkQueue(db, self.resources, self.keys, clock=clock, entropy=entropy)
        self.vaults = Vaults(self.resources, self.secrets, self.webhooks, clock=clock)
        self.credentials = Credentials(self.resources, self.secrets, self.webhooks, clock=clock)
        self.files = Files(db, self.resources, clock=clock)
        self.models = Models(os.environ.get(MODELS, ""))
        self.live = LiveSessions(
            db,
            feed,
            wake,
            clock=clock,
            entropy=entropy,
            mask=self._mask,
            announce=announcer(self.webhooks),
        )
        self.sessions = Sessions(
            db,
            self.live,
            agents=self.agents,
            environments=self.environments,
            vaults=self.vaults,
            files=self.files,
            mounts=Mounts(self.resources, self.memory, self.secrets, entropy=entropy),
            work=self.work,
            webhooks=self.webhooks,
            clock=clock,
            entropy=entropy,
            forget=self._forget,
        )
        self.threads = Threads(db, self.live, clock=clock)
        self.session_search = SessionSearch(db)
        self.plans = Plans(db, self.live, self.work, clock=clock, entropy=entropy)

    def _trials(self, clock: Clock, entropy: Callable[[int], bytes]) -> Trials:
        return Trials(
            self._db,
            self.resources,
            self.secrets,
            self.log,
            self.memory,
            self.review,
            self._observer,
            clock=clock,
            entropy=entropy,
            announce=self.webhooks.emit,
        )

    def _renewing(self, clock: Clock) -> tuple[Bearers, Validator]:
        outbound = partial(Outbound, allow=self._allow, most=MAX_ANSWER)
        renewer = Renewer(self.resources, self.secrets, outbound, clock=clock)
        bearers = Bearers(self.credentials, self.secrets, renewer)
        validator = Validator(
            self.credentials, self.secrets, renewer, outbound, self._mask.mask_text, clock=clock
        )
        return bearers, validator

    def _forget(self, session_id: str) -> None:
        """What follows when a session was deleted."""
        self.folders.remove(self.id, session_id)
        self.evidence.withdraw(session_id)

    def _folders(self, home: Path, clock: Clock) -> Folders:
        return Folders(
            catalog=self.stores,
            memories=self.memories,
            files=self.files,
            environments=self.environments,
            credentials=self.credentials,
            secrets=self.secrets,
            home=home,
            clock=clock,
            mask=self._mask.mask_text,
            hides=self.trials.exposure.hidden,
        )

    def _deployments(self, clock: Clock) -> tuple[Deployments, DeploymentRuns]:
        deployments = Deployments(
            self.resources,
            agents=self.agents,
            environments=self.environments,
            vaults=self.vaults,
            files=self.files,
            memory=self.memory,
            secrets=self.secrets,
            webhooks=self.webhooks,
            clock=clock,
        )
        obstacles = Obstacles(self.resources, self.agents, self.memory)
        runs = DeploymentRuns(self.resources, self.sessions, obstacles, self.secrets, self.webhooks)
        return deployments, runs

    def importer(self) -> ImportService:
        """The import service with every installed reader."""
        readers = {name: cast(Importer, kind()) for name, kind in load(IMPORTERS).items()}
        return ImportService(self._db, self.log, readers, clock=self._clock)

    def _end_session(self, session_id: str) -> bool:
        """Archive a session, or interrupt it, if it is at work; whether it has ended."""
        try:
            self.sessions.archive(session_id)
        except NotFound:
            return True
        except UsageError:
            with suppress(ReverieError):
                self.sessions.send(session_id, [{"type": "user.interrupt"}])
            return False
        return True

    def _observer(self) -> Observer:
        found = load(OBSERVERS)
        if "default" not in found:
            raise ConfigError(
                "no observer is installed",
                where=OBSERVERS,
                hint=_REINSTALL,
            )
        return cast(Observer, found["default"]())


def miners() -> list[Miner]:
    """Every installed miner."""
    return [cast(Miner, kind()) for kind in load(MINERS).values()]


def _flaws(schema: Mapping[str, Any]) -> Sequence[str]:
    """Why ``schema`` cannot describe a tool's input. (The validator is loaded when the first one comes.)"""
    from reverie.tools.schemas import check_schema

    return check_schema(schema)
