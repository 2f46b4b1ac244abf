"""The log: sessions as append-only lists of events. The one door through which events come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeAlias

from reverie.domain.clock import Clock, system_clock
from reverie.domain.events import Event, NewEvent
from reverie.domain.ids import derived_id
from reverie.domain.sessions import Session, SessionInfo, Transcript
from reverie.domain.workspaces import DEFAULT_WORKSPACE, identity
from reverie.storage import events as event_rows
from reverie.storage import sessions as session_rows
from reverie.storage import sources as source_rows
from reverie.storage import timeline
from reverie.storage.database import Connection, Database
from reverie.storage.timeline import Slice

__all__ = ["Mask", "Prepared", "Recorded", "SessionLog", "no_mask", "session_id"]

Mask: TypeAlias = Callable[[NewEvent], tuple[NewEvent, Counter[str]]]
"""Takes secrets out of an event and says how many of which kind it found."""

# Facts of a session that may quote what people and programs wrote, and so are masked like events.
_QUOTING: Final = ("goal", "task", "cwd", "repository", "branch", "extra")


def no_mask(event: NewEvent) -> tuple[NewEvent, Counter[str]]:
    """Leaves an event as it is. For tests; an application passes its masker."""
    return event, Counter()


def session_id(info: SessionInfo, workspace: str = DEFAULT_WORKSPACE) -> str:
    """The id of a session: what its format calls it decides, so a second import finds the first."""
    return derived_id("sesn", *identity(workspace, info.format, info.native_id))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a transcript. ``redactions`` counts masked secrets by kind, in new events only."""

    session_id: str
    new_session: bool
    new_events: int
    redactions: Counter[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transcript masked and encoded, ready to be stored quickly. Made by ``SessionLog.prepare``."""

    session_id: str
    info: SessionInfo
    rows: Sequence[event_rows.Row]
    redactions: Counter[str] = field(default_factory=Counter[str])


class SessionLog:
    """The sessions of a workspace.

    Every method may raise the storage errors of ``Database``. What a writing method wrote is on the disk
    when it returns, unless it was handed a connection: then it is when that transaction is.
    """

    def __init__(self, db: Database, *, clock: Clock = system_clock, mask: Mask = no_mask) -> None:
        self._db = db
        self._clock = clock
        self._mask = mask

    # ------------------------------------------------------------------ writing

    def record(
        self,
        transcript: Transcript | Prepared,
        *,
        source_id: str | None = None,
        conn: Connection | None = None,
    ) -> Recorded:
        """Bring the log up to a transcript: events whose key is not in it are appended in their order,
        and the session's facts refreshed (what the transcript does not know stays as it was).

        The same transcript again changes nothing. With ``conn`` it becomes part of that transaction;
        then hand over what ``prepare`` made of it, so that others do not wait while secrets are sought.
        ``source_id`` names the file it came from, which must be in the log already.
        """
        if conn is not None:
            return self._store(conn, self._prepared(transcript, conn), source_id)
        prepared = self._prepared(transcript, None)
        return self._db.write(lambda conn: self._store(conn, prepared, source_id))

    def prepare(self, transcript: Transcript) -> Prepared:
        """Mask and encode what of a transcript is not in the log yet. Needs no transaction."""
        with self._db.read() as conn:
            return self._prepare(transcript, conn)

    def append(self, session_id: str, events: Sequence[NewEvent]) -> list[Event]:
        """Append events to a session; gives them as they stand in the log. An event whose key is in the
        log already is not written again: the one in the log is given in its place.

        Raises:
            NotFound: there is no session of that id.
        """
        rows = [event_rows.prepare(session_id, self._mask(event)[0]) for event in events]
        at = self._clock()
        links = self._db.write(lambda conn: event_rows.append(conn, session_id, rows, at))
        return [event_rows.read(link) for link in links]

    # ------------------------------------------------------------------ reading

    def session_id(self, info: SessionInfo) -> str:
        """The id that a session has, or will have, in this workspace."""
        return session_id(info, self._db.workspace)

    def session(self, id_prefix: str) -> Session:
        """A session by its id or a unique prefix of it.

        Raises:
            NotFound, Ambiguous: none or several fit.
        """
        with self._db.read() as conn:
            return session_rows.session(conn, id_prefix)

    def sessions(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ids: Collection[str] | None = None,
    ) -> list[Session]:
        """Sessions in order of id: all, those that began in [since, until), or those of ``ids`` (whole).

        A session whose source has no clock counts as begun when it came into the log.
        """
        with self._db.read() as conn:
            return session_rows.listed(conn, since=since, until=until, ids=ids)

    def events(self, session_id: str) -> list[Event]:
        """All events of a session, in order.

        Raises:
            NotFound, Ambiguous: as ``session``.
        """
        return list(self.stream(session_id))

    def stream(self, session_id: str) -> Iterator[Event]:
        """As ``events``, some at a time: for sessions that need not fit into memory. One snapshot: what
        is appended meanwhile does not show."""
        with self._db.read() as conn:
            found = session_rows.session(conn, session_id).id
            yield from map(event_rows.read, event_rows.links(conn, found))

    def events_of(self, session_ids: Sequence[str]) -> dict[str, list[Event]]:
        """The events of some sessions (whole ids, at most 500), in one reading. A session without events,
        or none at all, has an empty list."""
        found: dict[str, list[Event]] = {session_id: [] for session_id in session_ids}
        with self._db.read() as conn:
            for link in event_rows.links_of(conn, session_ids):
                found[link.session_id].append(event_rows.read(link))
        return found

    def event(self, event_id: str) -> Event:
        """An event by its id or a unique prefix of it.

        Raises:
            NotFound, Ambiguous: none or several fit.
        """
        with self._db.read() as conn:
            return event_rows.event(conn, event_id)

    def window(
        self,
        session_id: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 50,
        thread: str | None = None,
    ) -> list[Event]:
        """Events of a session (whole id) with a ``seq`` above ``after``, in order; of one thread where given.
        With ``before``, the last ones below it."""
        back = before is not None
        with self._db.read() as conn:
            what = Slice(thread=thread)
            found = timeline.page(
                conn, session_id, what, after=after, before=before, limit=limit, newest_first=back
            )
        return [event_rows.read(link) for link in (reversed(found) if back else found)]

    def threads(self, session_id: str) -> list[str]:
        """The names of a session's threads (whole id), in the order in which they come up in its log."""
        with self._db.read() as conn:
            return timeline.imported_threads(conn, session_id)

    # ------------------------------------------------------------------ inside

    def _prepared(self, transcript: Transcript | Prepared, conn: Connection | None) -> Prepared:
        if isinstance(transcript, Prepared):
            return transcript
        return self.prepare(transcript) if conn is None else self._prepare(transcript, conn)

    def _prepare(self, transcript: Transcript, conn: Connection) -> Prepared:
        found = self.session_id(transcript.info)
        redactions: Counter[str] = Counter()
        rows: list[event_rows.Row] = []
        for id, event in _unknown(conn, found, transcript.events):
            masked, seen = self._mask(event)
            if seen:
                redactions.update(seen)
            rows.append(event_rows.prepare(found, masked, id))
        return Prepared(found, self._masked(transcript.info), rows, redactions)

    def _masked(self, info: SessionInfo) -> SessionInfo:
        quoting = {name: value for name in _QUOTING if (value := getattr(info, name))}
        if not quoting:
            return info
        masked, _ = self._mask(NewEvent("raw", {"kind": "session", "record": quoting}, key=""))
        return replace(info, **masked.payload["record"])

    def _store(self, conn: Connection, prepared: Prepared, source_id: str | None) -> Recorded:
        found, now = prepared.session_id, self._clock()
        new = session_rows.create(conn, found, prepared.info, now)
        before = 0 if new else session_rows.refresh(conn, found, prepared.info, now)
        if before is None:  # it was deleted: its file does not bring it back
            return Recorded(found, False, 0, Counter())
        written = event_rows.append(conn, found, prepared.rows, now)
        if source_id is not None:
            source_rows.attach(conn, found, source_id)
        fresh = len({link.seq for link in written if link.seq > before})
        return Recorded(found, new, fresh, prepared.redactions)


def _unknown(conn: Connection, session: str, events: Sequence[NewEvent]) -> Iterator[tuple[str, NewEvent]]:
    """The events whose key was not seen before, neither in the log nor earlier among them; with their ids."""
    ids = [event_rows.event_id(session, event.key) for event in events]
    seen = event_rows.present(conn, ids) if session_rows.exists(conn, session) else set[str]()
    for id, event in zip(ids, events, strict=True):
        if id not in seen:
            seen.add(id)
            yield id, event
