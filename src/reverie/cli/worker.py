"""``reverie worker``: work on sessions, and begin what is due by its schedule."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from types import FrameType
from typing import Annotated, Final

import typer

from reverie.cli.options import Db
from reverie.cli.output import esc, talk
from reverie.logs import configure

__all__ = ["add_to"]

_logger: Final = logging.getLogger("reverie.worker")


def add_to(app: typer.Typer) -> None:
    app.command("worker", rich_help_panel="Server")(worker)


def worker(
    sessions: Annotated[
        int,
        typer.Option(
            "--sessions", "-n", metavar="N", min=1, max=10_000, help="How many to work on at once, at most."
        ),
    ] = 64,
    db: Db = None,
) -> None:
    """Work on sessions, without serving anything: as many workers as you like share one PostgreSQL."""
    import reverie

    _log()
    stop = _stopped_by_signals()
    with reverie.open(db) as house:
        house.attend(sessions)
        meanwhile = (house.scheduler(), house.night_watch())
        for each in meanwhile:
            each.start()
        _say(f"works on sessions of {house.where}, at most {sessions} at once; stop with Ctrl-C")
        stop.wait()
        for each in meanwhile:
            each.stop()
        _say("stops: what is under way goes on where another worker is, or comes")


def _log() -> None:
    """A line for each session that was worked on: for a person, or as JSON where no person looks."""
    configure(as_json=not sys.stderr.isatty())
    logging.getLogger("reverie").setLevel(logging.INFO)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        talk.print(esc(text))
    else:
        _logger.info("%s", text)


def _stopped_by_signals() -> threading.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process as it always does."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop
