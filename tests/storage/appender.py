"""A program for the crash tests: appends events, and says so after each, until somebody kills it.

    python appender.py URL THREADS

Prints ``session-number event-number`` when the event is acknowledged.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading

from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.sessions.log import SessionLog
from reverie.storage.database import Database


def main(url: str, threads: int) -> None:
    log = SessionLog(Database.open(url))
    writers = [threading.Thread(target=append, args=(log, n)) for n in range(threads)]
    for writer in writers:
        writer.start()


def append(log: SessionLog, number: int) -> None:
    session = log.record(Transcript(SessionInfo("crash", f"{number}"), ())).session_id
    for n in itertools.count(log.session(session).events):
        log.append(session, [NewEvent("raw", {"n": n, "text": "x" * 500}, f"{n}")])
        os.write(1, f"{number} {n}\n".encode())  # one call, no buffer: said as soon as it is true


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
