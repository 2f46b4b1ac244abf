"""A worker process: ``python -m reverie.dreaming.worker MODULE OBSERVER VERSION``, batches on stdin.

See ``pool`` for the frames. What an observer prints goes to stderr, where it does no harm.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import cast

import msgspec

from reverie.domain.sessions import Session
from reverie.dreaming.batches import observed
from reverie.dreaming.pool import Answer, receive, send
from reverie.plugins import Observer
from reverie.storage.events import Link

__all__ = ["main"]

_batch = msgspec.json.Decoder(list[tuple[Session, list[Link]]])


def main(arguments: Sequence[str]) -> None:
    """Answers every batch until the input ends."""
    module, name, version = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, and it ends the workers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    observer = cast(Observer, getattr(import_module(module), name)())
    assert observer.version == version, f"{module}.{name} is another version here: {observer.version}"
    while (frame := receive(sys.stdin.buffer)) is not None:
        send(answers, msgspec.json.encode(_answered(frame, observer)))


def _answered(frame: bytes, observer: Observer) -> Answer:
    try:
        return Answer(observed(_batch.decode(frame), observer))
    except Exception as error:  # noqa: BLE001 - told to the parent, who raises it
        return Answer(failed=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
