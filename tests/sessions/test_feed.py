"""News of logs: each append is told of, whoever wrote it, and a lost connection loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from reverie.domain.events import JsonObject, NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.sessions.feed import Feed
from reverie.sessions.log import SessionLog
from reverie.storage import managed
from reverie.storage.database import Database
from reverie.storage.events import Link

PATIENCE = 30.0  # a test that waits longer is stuck


class Reader:
    """Follows a session as a stream does: takes what it is handed, looks when it is told to."""

    def __init__(self, db: Database, session_id: str) -> None:
        self._log, self._id = SessionLog(db), session_id
        self._news = threading.Condition()
        self.seen: set[int] = set()
        self.handed, self.gone = 0, False
        self.previews: list[JsonObject] = []

    def appended(self, links: Sequence[Link]) -> None:
        with self._news:
            self.handed += len(links)
            self.seen |= {link.seq for link in links}
            self._news.notify_all()

    def changed(self) -> None:
        found = {event.seq for event in self._log.events(self._id)}
        with self._news:
            self.seen |= found
            self._news.notify_all()

    def previewed(self, thread: str, preview: JsonObject) -> None:
        self.previews.append(preview)

    def deleted(self) -> None:
        with self._news:
            self.gone = True
            self._news.notify_all()

    def wait(self, until: Callable[[], bool]) -> bool:
        with self._news:
            return self._news.wait_for(until, PATIENCE)


def said(number: int) -> NewEvent:
    return NewEvent("agent.message", {"content": [{"type": "text", "text": "x"}]}, key=str(number))


@pytest.fixture
def session_id(db: Database) -> str:
    return SessionLog(db).record(Transcript(SessionInfo("f", "n"), [said(0)])).session_id


@pytest.fixture
def feed(db: Database) -> Iterator[Feed]:
    feed = Feed(db)
    yield feed
    feed.close()


@pytest.fixture
def reader(db: Database, session_id: str, feed: Feed) -> Reader:
    reader = Reader(db, session_id)
    feed.subscribe(session_id, reader)
    return reader


def test_what_others_append_is_looked_for(db_url: str, session_id: str, reader: Reader, clock: Any) -> None:
    with Database.open(db_url, clock=clock) as other:  # as another process has it
        for number in range(1, 6):
            SessionLog(other).append(session_id, [said(number)])
    assert reader.wait(lambda: reader.seen >= {1, 2, 3, 4, 5, 6})
    assert reader.handed == 0


def test_what_is_handed_over_need_not_be_looked_for(
    db: Database, session_id: str, feed: Feed, reader: Reader
) -> None:
    link = Link(session_id, 2, "sevt_2", "2", "agent.message", None, "", "{}", None, "")
    feed.publish(session_id, [link])
    feed.publish("sesn_other", [link])
    assert reader.seen == {2} and reader.handed == 1
    feed.preview(session_id, "", {"type": "event_start"})
    assert reader.previews == [{"type": "event_start"}]


def test_a_session_that_is_gone_is_told_of(db_url: str, session_id: str, reader: Reader, clock: Any) -> None:
    with Database.open(db_url, clock=clock) as other:
        other.write(lambda conn: managed.delete(conn, session_id, clock()))
    assert reader.wait(lambda: reader.gone)


def test_who_no_longer_listens_hears_nothing(db: Database, session_id: str, feed: Feed) -> None:
    reader = Reader(db, session_id)
    unsubscribe = feed.subscribe(session_id, reader)
    unsubscribe()
    unsubscribe()
    feed.publish(session_id, [Link(session_id, 2, "sevt_2", "2", "raw", None, "", "{}", None, "")])
    assert reader.handed == 0
    again = Reader(db, session_id)
    feed.subscribe(session_id, again)
    SessionLog(db).append(session_id, [said(7)])
    assert again.wait(lambda: 2 in again.seen), "it begins anew for the next who listens"


def test_a_connection_that_is_cut_costs_a_moment(
    postgresql_url: str, clock: Any, _postgresql_database: tuple[str, Any]
) -> None:
    with Database.open(postgresql_url, clock=clock) as db:
        session_id = SessionLog(db).record(Transcript(SessionInfo("f", "n"), [said(0)])).session_id
        feed, reader = Feed(db), Reader(db, session_id)
        feed.subscribe(session_id, reader)
        _, superuser = _postgresql_database
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        SessionLog(db).append(session_id, [said(1)])
        assert reader.wait(lambda: 2 in reader.seen)
        SessionLog(db).append(session_id, [said(2)])
        assert reader.wait(lambda: 3 in reader.seen)
        feed.close()
