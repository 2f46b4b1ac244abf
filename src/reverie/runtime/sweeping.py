"""Old folders of sessions are taken away while a process works: when it begins to, and then once a day."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["DAY", "Sweeper"]

DAY: Final = 86_400.0  # seconds
_GRACE: Final = 2.0  # seconds for a sweep that is under way when we stop
_log: Final = logging.getLogger("reverie.runtime")


class Sweeper:
    """Calls ``sweep`` at once and then again every ``every`` seconds, in a thread of its own: it reads folders
    and asks the database. What it raises is logged, and tried again the next time."""

    def __init__(self, sweep: Callable[[], object], every: float = DAY) -> None:
        self._sweep = sweep
        self._every = every
        self._begun = threading.Lock()  # held for good by whoever was first
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reverie-sweeper", daemon=True)

    def start(self) -> None:
        """Begin. Again, from whichever thread, is harmless."""
        if self._begun.acquire(blocking=False):
            self._thread.start()

    def stop(self) -> None:
        """Begin no other sweep. Idempotent; also where it was never started."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_GRACE)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._sweep()
            except Exception:  # noqa: BLE001  (whatever it is: tomorrow is another day)
                if not self._stopped.is_set():  # else the house is closed under us
                    _log.exception("old folders of sessions were not taken away")
            self._stopped.wait(self._every)
