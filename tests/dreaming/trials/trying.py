"""Houses with a memory on trial, and sessions that end as a test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.contract.making import proposal
from tests.workspaces.timekeeping import Time, house

from reverie.app import Reverie
from reverie.domain.trials import Trial
from reverie.dreaming.trials.service import Terms

__all__ = ["HALF", "LORE", "Time", "begin", "house", "live", "managed", "proposed", "row_of", "saw", "tried"]

HALF: Final = Terms(share=0.5, budget=400)
LORE: Final = "/lore.md"


def begin(rv: Reverie, path: str = LORE, text: str = "Sign the form.\n", terms: Terms = HALF) -> Trial:
    """A memory written by hand, on trial."""
    rv.memory.write("default", path, text, actor="ana")
    return rv.trials.begin(path, by="ana", terms=terms)


def live(
    rv: Reverie, name: str, good: bool | None, *, task: str | None = None, error: str | None = None
) -> bool:
    """One session of an agent of our own, that reads memory when it begins; whether it saw all there is."""
    with rv.session(name, agent="clerk", native_id=name, task=task) as session:
        seen = len(rv.recall(session=session.id)) == len(rv.memory.list())
        session.user("File the form.")
        session.action("submit", form="A")
        session.error(error) if error else session.result("done")
        if good is not None:
            session.outcome("success" if good else "failure")
    return seen


def saw(rv: Reverie, name: str, path: str = LORE) -> bool:
    """Whether a session (made by ``live``, or to come) sees the memory."""
    session = rv.session(name, agent="clerk", native_id=name)
    return path in {memory.path for memory in rv.recall(session=session.id)}


def managed(rv: Reverie, **more: Any) -> tuple[str, Any]:
    """A session that is run here, with the default store; its id and its body."""
    agent = rv.agents.create({"model": "scripted:any", "name": "clerk"}).id
    environment = rv.environments.create({"name": "e", "config": {"type": "cloud"}, **more}).id
    store = {"type": "memory_store", "memory_store_id": rv.memory.store().id}
    row = rv.sessions.create({"agent": agent, "environment_id": environment, "resources": [store]}).row
    return row.id, row.body


def row_of(rv: Reverie, trial: Trial, session_id: str) -> Any:
    """What is written of a session in a trial; None where nothing is."""
    found = rv.trials.history(trial.id).sessions
    return next((each for each in found if each.session_id == session_id), None)


@contextmanager
def tried(url: str, share: float = 0.5) -> Iterator[tuple[Reverie, Time, Trial]]:
    """A house in which one memory is on trial."""
    time = Time("2026-03-01 09:00")
    with house(url, time) as rv:
        yield rv, time, begin(rv, terms=Terms(share=share))


def proposed(rv: Reverie, **fields: Any) -> str:
    """A proposal that waits; its id."""
    store = rv.memory.store().id
    made = proposal(store, path=LORE, content="Sign the form.\n", **fields)
    rv.review.submit([made])
    return made.id
