"""PostgreSQL is killed, refuses, or falls silent while two workers run sessions: they go on within ten seconds,
nothing acknowledged is lost, and no step has two owners."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import psycopg
import pytest
from tests import postgres
from tests.runtime.houses import House, Probe, built_in, house_on, results, said

from reverie.domain.clock import system_clock
from reverie.domain.errors import StorageError
from reverie.domain.messages import ModelRequest, ToolCall
from reverie.jobs.dbos import DbosEngine
from reverie.storage.database import Database

RECOVERY_S = 10.0
PATIENCE_S = 3 * RECOVERY_S  # on a machine that has other things to do
STEPS = 12
SESSIONS = 3


class Proxy:
    """Between us and PostgreSQL's socket: lets through, refuses, or swallows everything."""

    def __init__(self, behind: Path) -> None:
        self._behind = behind / ".s.PGSQL.5432"
        self.folder = Path(tempfile.mkdtemp(prefix="reverie-px-"))
        self._socket = self.folder / ".s.PGSQL.5432"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flows = threading.Event()
        self._flows.set()
        self._door = threading.Lock()
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._socket))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Cut what is open, and take nobody in."""
        self._hang_up_listener()
        self.cut()

    def swallow(self) -> None:
        """Take what comes, and answer nothing."""
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        with self._door:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._hang_up_listener()
        self.flow()
        self.cut()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _hang_up_listener(self) -> None:
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            self._socket.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                ours, _ = listener.accept()
                theirs = socket.socket(socket.AF_UNIX)
                try:
                    theirs.connect(str(self._behind))
                except OSError:
                    ours.close(), theirs.close()
                    continue
                with self._door:
                    self._pairs.append((ours, theirs))
                threading.Thread(target=self._connect, args=(ours, theirs), daemon=True).start()

    def _connect(self, ours: socket.socket, theirs: socket.socket) -> None:
        back = threading.Thread(target=self._pump, args=(theirs, ours), daemon=True)
        back.start()
        self._pump(ours, theirs)
        back.join()
        with self._door:
            self._pairs = [pair for pair in self._pairs if pair[0] is not ours]
        ours.close(), theirs.close()

    def _pump(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65_536):
                self._flows.wait()
                there.sendall(data)
        for end in (here, there):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Site:
    """A server of our own, a proxy before it, and what sessions did to the world."""

    def __init__(self, server: str, proxy: Proxy) -> None:
        self.server, self.proxy = server, proxy
        self.url = f"postgresql+psycopg://postgres@/faults?host={quote(str(proxy.folder), safe='/')}"
        self.effects: list[tuple[str, int]] = []
        self.acknowledged: dict[str, list[str]] = {}


@pytest.fixture(scope="module")
def faulty() -> Iterator[tuple[str, Path]]:
    try:
        with postgres.server() as url:
            with psycopg.connect(
                url.replace("+psycopg", "").format("postgres"), autocommit=True
            ) as connection:
                connection.execute("CREATE DATABASE template_of_ours")
            Database.open(url.format("template_of_ours")).close()
            yield url, Path(unquote(url.partition("host=")[2]))
    except postgres.Missing as missing:
        pytest.skip(f"PostgreSQL: {missing}")


@pytest.fixture
def site(faulty: tuple[str, Path]) -> Iterator[Site]:
    url, folder = faulty
    plain = url.replace("+psycopg", "").format("postgres")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE DATABASE faults TEMPLATE template_of_ours")
    proxy = Proxy(folder)
    yield Site(url, proxy)
    proxy.close()
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("DROP DATABASE faults WITH (FORCE)")


def model(request: ModelRequest) -> Any:
    """``STEPS`` calls for every message, whatever comes of them."""
    done = len(results(request))
    if done >= STEPS * sum(text == "go" for text in said(request)):
        return "Done."
    return ToolCall("c", "change", {"n": done, "session": request.system})


@contextmanager
def working(site: Site, engine: str, *, pause_s: float = 0.05, careless: bool = False) -> Iterator[House]:
    """A house whose sessions leave marks. ``careless``: its tool says that it changes nothing."""

    async def does(input: Any) -> str:
        site.effects.append((input["session"], input["n"]))
        await asyncio.sleep(pause_s)
        return "done"

    with house_on(site.url) as house:
        if engine == "dbos":
            house.engine_of_work = lambda: DbosEngine(house.database, clock=system_clock)  # type: ignore[method-assign]
        house.tools_here = [Probe("change", does=does, repeatable=careless)]
        house.models_here = {"scripted:it": model}
        house.attend()
        yield house  # type: ignore[misc]


def begin(house: House, site: Site, count: int = SESSIONS) -> list[str]:
    made = [
        house.begin(agent={"name": f"s{n}", "system": f"s{n}", "model": "scripted:it", "tools": [built_in()]})
        for n in range(count)
    ]
    for session in made:
        site.acknowledged[session] = []
        tell(house, site, session)
    return made


def tell(house: House, site: Site, session: str) -> bool:
    content = [{"type": "text", "text": "go"}]
    try:
        (taken,) = house.sessions.send(session, [{"type": "user.message", "content": content}])
    except StorageError:
        return False
    site.acknowledged[session].append(taken.id)
    return True


def until(happened: Callable[[], Any], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while True:
        with suppress(StorageError):
            if happened():
                return
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def check(house: House, site: Site, sessions: list[str]) -> None:
    repeated = [effect for effect, times in Counter(site.effects).items() if times > 1]
    assert not repeated, f"done twice: {repeated}"
    for session in sessions:
        events = house.log_of(session)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        kept = [e.id for e in events if e.type == "user.message"]
        assert set(site.acknowledged[session]) <= set(kept)
        calls = [e.id for e in events if e.type == "agent.tool_use"]
        answered = [e.payload["tool_use_id"] for e in events if e.type == "agent.tool_result"]
        assert Counter(calls) == Counter(answered)
        assert len(calls) == STEPS * len(kept)
        for event in events:
            if event.type == "agent.tool_result" and event.payload["is_error"]:
                assert "unknown" in event.payload["content"][0]["text"]
    assert house.verify().problem is None


def killed(site: Site) -> None:
    postgres.restart(site.server)


def refused(site: Site) -> None:
    site.proxy.refuse()
    time.sleep(1.5)
    site.proxy.open()


def silent(site: Site) -> None:
    """For some seconds nothing comes through, and then every connection turns out to be dead."""
    site.proxy.swallow()
    time.sleep(2.5)
    site.proxy.cut()
    site.proxy.flow()


def late(site: Site) -> None:
    """For some seconds nothing comes through, and then everything does."""
    site.proxy.swallow()
    time.sleep(2.5)
    site.proxy.flow()


_SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("engine", "fault"),
    [
        ("local", killed),
        ("local", refused),
        ("local", silent),
        ("dbos", killed),
        pytest.param("local", late, marks=_SLOW),
        pytest.param("dbos", refused, marks=_SLOW),
        pytest.param("dbos", silent, marks=_SLOW),
        pytest.param("dbos", late, marks=_SLOW),
    ],
)
def test_sessions_go_on(site: Site, engine: str, fault: Callable[[Site], None]) -> None:
    with working(site, engine) as house, _second(site, engine):
        sessions = begin(house, site)
        until(lambda: len(site.effects) > 5)
        fault(site)
        known = len(site.effects)
        until(lambda: len(site.effects) > known or _settled(house, sessions), PATIENCE_S)
        until(lambda: tell(house, site, sessions[0]), PATIENCE_S)
        until(lambda: _settled(house, sessions))
        check(house, site, sessions)


@pytest.mark.slow
def test_again_and_again(site: Site) -> None:
    """With our own engine: DBOS asks for a database that is away at pauses that double, up to a minute, so that
    after faults without a rest between them it may be away longer than ten seconds."""
    dice = random.Random(11)
    with working(site, "local") as house, _second(site, "local"):
        sessions = begin(house, site)
        for _ in range(20):
            dice.choice((killed, refused, silent, late))(site)
            until(lambda: tell(house, site, dice.choice(sessions)), PATIENCE_S)
            known = len(site.effects)
            until(lambda k=known: len(site.effects) > k or _settled(house, sessions), PATIENCE_S)
        until(lambda: _settled(house, sessions), 120)
        check(house, site, sessions)


@contextmanager
def _second(site: Site, engine: str) -> Iterator[None]:
    """Another worker on the same database, where a process may hold two."""
    if engine == "dbos":
        yield
        return
    with working(site, engine):
        yield


def _settled(house: House, sessions: list[str]) -> bool:
    for session in sessions:
        events = house.log_of(session)
        messages = sum(event.type == "user.message" for event in events)
        calls = sum(event.type == "agent.tool_result" for event in events)
        if house.live.row(session).status != "idle" or calls < STEPS * messages or not messages:
            return False
    return True


def test_a_runtime_that_repeats_what_it_could_not_record_is_found_out(site: Site) -> None:
    """The control: a tool that is taken for one that changes nothing, cut off from the database while it runs."""
    with working(site, "local", pause_s=0.5, careless=True) as house:
        sessions = begin(house, site, 1)
        until(lambda: site.effects)
        site.proxy.refuse()
        time.sleep(0.8)
        site.proxy.open()
        until(lambda: len(site.effects) > len(set(site.effects)), PATIENCE_S)
        with pytest.raises(AssertionError, match="done twice"):
            check(house, site, sessions)


def test_a_connection_to_a_machine_that_is_gone_has_an_end(site: Site) -> None:
    """Over TCP; a server that only vanishes sends nobody a goodbye."""
    with Database.open(site.url) as db, db.read() as connection:
        driver: Any = connection.connection.driver_connection
        asked = driver.info.get_parameters()
    assert int(asked["tcp_user_timeout"]) <= RECOVERY_S * 1000
    assert int(asked["keepalives_idle"]) + 3 * int(asked["keepalives_interval"]) <= 2 * RECOVERY_S
