"""What a server does besides answering: deliver webhooks, work off requests for dreams."""

from __future__ import annotations

from reverie.app import Reverie

__all__ = ["Background"]


class Background:
    """The work in the background of one server process. Several processes may share a database: what one
    takes, the others leave alone, and what one leaves when it dies, another takes up."""

    def __init__(self, reverie: Reverie) -> None:
        self._courier = reverie.courier()
        self._watch = reverie.night_watch()

    def start(self) -> None:
        """Begin, in threads of its own."""
        self._courier.start()
        self._watch.start()

    def stop(self) -> None:
        """End within seconds; what is not done then is done by the next start. Idempotent."""
        self._courier.stop()
        self._watch.stop()
