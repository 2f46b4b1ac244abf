"""What a server does besides answering: deliver webhooks, attend schedules, work off requests for dreams."""

from __future__ import annotations

from reverie.app import Reverie

__all__ = ["Background"]


class Background:
    """The work in the background of one server process. Several processes may share a database: what one
    takes, the others leave alone, and what one leaves when it dies, another takes up."""

    def __init__(self, reverie: Reverie) -> None:
        self._workers = (reverie.courier(), reverie.scheduler(), reverie.night_watch())

    def start(self) -> None:
        """Begin, in threads of its own."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End within seconds; what is not done then is done by the next start. Idempotent."""
        for worker in self._workers:
            worker.stop()
