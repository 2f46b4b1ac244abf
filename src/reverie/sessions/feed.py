"""News of sessions' logs for whoever listens in this process, whichever process wrote them.

What this process appends is handed over as it is committed. One thread hears of the rest, and tells
listeners to look. A listener must bear being told of the same thing twice, and in any order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from reverie.domain.errors import ReverieError
from reverie.domain.events import JsonObject
from reverie.domain.workspaces import DEFAULT_WORKSPACE, EVERYWHERE
from reverie.storage import managed
from reverie.storage.database import Database
from reverie.storage.events import Link
from reverie.storage.tail import Heard, Tail

__all__ = ["Feed", "Listener", "Watcher"]

Watcher: TypeAlias = Callable[[str, Sequence[Link]], None]
"""Told of what this process commits to any session: the workspace, and the events. Called from any thread;
must return at once and never raise."""

_PATIENCE: Final = 1.0  # seconds in one wait; also how long a closed feed's thread lives on
_CHUNK: Final = 500  # sessions asked for in one statement
_BACKSTOP: Final = 10  # waits without news after which it is looked all the same


class Listener(Protocol):
    """Somebody who follows one session. Called from any thread; must return at once and never raise."""

    def appended(self, links: Sequence[Link]) -> None:
        """These were appended, as a run of the log."""
        ...

    def changed(self) -> None:
        """The log is longer than what was handed over: look."""
        ...

    def previewed(self, thread: str, preview: JsonObject) -> None:
        """An event of ``thread`` is being made: ``event_start`` or ``event_delta``, as on the wire."""
        ...

    def deleted(self) -> None:
        """The session is gone."""
        ...


class Feed:
    """One for each opened database. Its thread lives while somebody listens."""

    def __init__(self, db: Database) -> None:
        self._db = db.scoped(EVERYWHERE)
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        self._known: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._tail: Tail | None = None
        self._closed = False
        self._watchers: tuple[Watcher, ...] = ()

    def watch(self, watcher: Watcher) -> None:
        """Tell ``watcher`` from now on of what this process commits, to whichever session."""
        self._watchers = (*self._watchers, watcher)

    def subscribe(self, session_id: str, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` of everything that happens from now on. Gives what ends it."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._tail = self._db.tail()  # listens from here on, not from when the thread has started
                self._thread = threading.Thread(
                    target=self._follow, args=(self._tail,), name="reverie-feed", daemon=True
                )
                self._thread.start()
            self._listeners[session_id] = (*self._listeners.get(session_id, ()), listener)
        return lambda: self._unsubscribe(session_id, listener)

    def publish(self, session_id: str, links: Sequence[Link], *, workspace: str = DEFAULT_WORKSPACE) -> None:
        """These events were committed by this process, to a session of that workspace."""
        if not links:
            return
        for watcher in self._watchers:
            watcher(workspace, links)
        with self._lock:
            listeners = self._listeners.get(session_id, ())
            if listeners:
                self._known[session_id] = max(self._known.get(session_id, 0), links[-1].seq)
        for listener in listeners:
            listener.appended(links)

    def preview(self, session_id: str, thread: str, preview: JsonObject) -> None:
        """Show what is being made, to those in this process who asked for it. Nothing is kept."""
        for listener in self._listeners.get(session_id, ()):
            listener.previewed(thread, preview)

    def gone(self, session_id: str) -> None:
        """The session was deleted by this process."""
        for listener in self._listeners.get(session_id, ()):
            listener.deleted()

    def close(self) -> None:
        """Tell nobody any more."""
        with self._lock:
            self._closed = True
            thread, tail = self._thread, self._tail
        if thread is not None and tail is not None:
            tail.stop()
            thread.join(2 * _PATIENCE)

    # ------------------------------------------------------------------ inside

    def _unsubscribe(self, session_id: str, listener: Listener) -> None:
        with self._lock:
            left = tuple(other for other in self._listeners.get(session_id, ()) if other is not listener)
            if left:
                self._listeners[session_id] = left
            else:
                self._listeners.pop(session_id, None)
                self._known.pop(session_id, None)

    def _follow(self, tail: Tail) -> None:
        quiet = 0
        try:
            while not self._done():
                heard = tail.wait(_PATIENCE)
                quiet = 0 if heard is None or heard else quiet + 1
                if quiet >= _BACKSTOP:
                    heard, quiet = None, 0
                self._look(heard)
        finally:
            tail.close()

    def _done(self) -> bool:
        """Whether the thread may end: nobody listens. Decided where nobody can begin to at the same time."""
        with self._lock:
            if self._closed or not self._listeners:
                self._thread = None
                return True
            return False

    def _look(self, heard: Heard) -> None:
        with self._lock:
            wanted = [session_id for session_id in self._listeners if heard is None or session_id in heard]
        try:
            found = self._heads(wanted) if heard is None else _there(heard)
        except ReverieError:  # the database is away or closed: the next look finds what was missed
            return
        for session_id in wanted:
            self._tell(session_id, found.get(session_id))

    def _heads(self, session_ids: Sequence[str]) -> Mapping[str, int]:
        found: dict[str, int] = {}
        with self._db.read() as conn:
            for start in range(0, len(session_ids), _CHUNK):
                found |= managed.heads(conn, session_ids[start : start + _CHUNK])
        return found

    def _tell(self, session_id: str, events: int | None) -> None:
        with self._lock:
            listeners = self._listeners.get(session_id, ())
            known = self._known.get(session_id, -1)
            if listeners:
                self._known[session_id] = max(known, events or 0)
        if events is None:
            for listener in listeners:
                listener.deleted()
        elif events > known:
            for listener in listeners:
                listener.changed()


def _there(heard: Mapping[str, int]) -> Mapping[str, int]:
    """Of what was heard, the sessions that are there: to 0 events a log shrinks only when it is deleted."""
    return {session_id: events for session_id, events in heard.items() if events}
