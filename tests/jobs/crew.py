"""A program for tests of many processes: one worker, which takes steps until somebody stops it.

    python crew.py URL ENGINE STEPS PAUSE FENCED

Prints the worker's name when it works. ENGINE is ``local`` or ``dbos``; PAUSE is in seconds; FENCED is 0 or 1.
"""

from __future__ import annotations

import signal
import sys
import threading

from tests.jobs.work import Steps

from reverie.domain.clock import system_clock
from reverie.jobs.engine import Engine
from reverie.jobs.heart import Pace
from reverie.jobs.local import LocalEngine
from reverie.storage.database import Database

PACE = Pace(beat_s=0.3, dead_s=1.5, look_s=0.15)
AT_ONCE = 4


def main(url: str, kind: str, steps: str, pause: str, fenced: str) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Database.open(url) as db:
        engine = made(kind, db)
        engine.start(
            Steps(db, engine, steps=int(steps), pause_s=float(pause), fenced=fenced == "1"), at_once=AT_ONCE
        )
        print(engine.worker, flush=True)
        stop.wait()
        engine.close(grace_s=5.0)


def made(kind: str, db: Database) -> Engine:
    if kind == "local":
        return LocalEngine(db, pace=PACE)
    from reverie.jobs.dbos import DbosEngine

    return DbosEngine(db, clock=system_clock, pace=PACE)


if __name__ == "__main__":
    main(*sys.argv[1:])
