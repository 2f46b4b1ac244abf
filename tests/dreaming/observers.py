"""Observers that a worker process can make by name, and that go wrong there."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from reverie.domain.events import Event
from reverie.domain.observations import Observation
from reverie.domain.sessions import Session
from reverie.mining.observe import SessionObserver


class Killed(SessionObserver):
    """Dies at the session whose id stands in the file that ``$KILL_ONCE`` names, once."""

    def observe(self, session: Session, events: Sequence[Event]) -> Observation:
        order = Path(os.environ["KILL_ONCE"])
        if order.exists() and order.read_text() == session.id:
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().observe(session, events)


class Raising(SessionObserver):
    def observe(self, session: Session, events: Sequence[Event]) -> Observation:
        raise ValueError("no eyes today")


class Noisy(SessionObserver):
    def observe(self, session: Session, events: Sequence[Event]) -> Observation:
        print("looking at", session.id)
        return super().observe(session, events)
