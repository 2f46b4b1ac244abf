"""The disk is full while sessions are at work: writing says so, reading goes on, and when there is room again
everything goes on by itself with nothing lost that was acknowledged."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from tests.runtime.houses import House, Probe, built_in, house_on, results

from reverie.domain.errors import DiskFull, NotFound
from reverie.domain.messages import ModelRequest, ToolCall

STEPS = 30
BACK_S = 15.0  # five on a machine of one's own
"""Within so many seconds after there is room, sessions go on."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mount is not allowed here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


class Real:
    """A small disk that is really full, of somebody else's bytes."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "reverie.db"
        self._ballast = folder / "ballast"

    def fill(self, house: House) -> None:
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def free(self, house: House) -> None:
        self._ballast.unlink()


class Bounded:
    """A database that may not grow: what SQLite says then is what it says of a full disk. Needs no root."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "reverie.db"

    def fill(self, house: House) -> None:
        with house.database.read() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        with suppress(DiskFull):  # one COMMIT with others, who had no room any more: so it is in force
            self._limit(house, pages + 4)

    def free(self, house: House) -> None:
        def freed() -> bool:
            try:
                self._limit(house, 1 << 30)
            except DiskFull:  # one COMMIT with others, who had no room yet
                return False
            return True

        until(freed, 20)

    def _limit(self, house: House, pages: int) -> None:
        house.database.write(lambda conn: conn.execute(text(f"PRAGMA max_page_count = {pages}")).scalar_one())


@pytest.fixture(params=[Real, Bounded])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return request.param(
        request.getfixturevalue("small_disk") if request.param is Real else tmp_path / "bounded"
    )


def until(happened: Callable[[], Any], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def working(request: ModelRequest) -> Any:
    """Calls the tool ``STEPS`` times, whatever comes of it."""
    done = len(results(request))
    return ToolCall("c", "probe", {"n": done}) if done < STEPS else "Done."


class Sender:
    """A client that notes what was acknowledged."""

    def __init__(self, house: House, sessions: list[str]) -> None:
        self.house, self.sessions = house, sessions
        self.acknowledged: list[tuple[str, str]] = []
        self.refused = 0

    def send(self, number: int) -> None:
        session = self.sessions[number % len(self.sessions)]
        content = [{"type": "text", "text": f"word {number} " + "x" * 2_000}]
        try:
            (taken,) = self.house.sessions.send(session, [{"type": "user.message", "content": content}])
        except DiskFull as full:
            assert "no room left" in str(full)
            self.refused += 1
        else:
            self.acknowledged.append((session, taken.id))

    def lost(self) -> list[str]:
        """What is neither in a log nor waits for its turn."""
        return [id for session, id in self.acknowledged if not self._kept(session, id)]

    def _kept(self, session: str, id: str) -> bool:
        try:
            self.house.sessions.event(session, id)
        except NotFound:
            return False
        return True


def idle(house: House, session: str) -> bool:
    return house.live.row(session).status == "idle"


def test_sessions_outlive_a_full_disk(disk: Any) -> None:
    effects: list[tuple[str, int]] = []
    with house_on(disk.database) as house:
        house.tools_here = [Probe(does=lambda input: effects.append(input["n"]) or "y" * 3_000)]  # type: ignore[func-returns-value]
        sessions = [house.begin(working, tools=[built_in()]) for _ in range(3)]
        sender = Sender(house, sessions)
        for number in range(3):
            sender.send(number)
        house.attend()
        until(lambda: len(effects) > 6, 20)
        disk.fill(house)
        until(lambda: sender.send(len(sender.acknowledged)) or sender.refused, 20)
        known = {session: len(house.log_of(session)) for session in sessions}
        assert all(known.values()), "the log is read as before"
        assert house.sessions.get(sessions[0]).row.id == sessions[0]
        heard = [house.watch(session) for session in sessions]
        disk.free(house)
        sender.send(0)
        until(lambda: any(len(house.log_of(s)) > known[s] + 1 for s in sessions), BACK_S)
        until(lambda: all(idle(house, session) for session in sessions), 30)
        for watch in heard:
            watch.until(lambda events: any(e.type == "session.status_idle" for e in events))
            watch.stop()
        assert sender.refused and not sender.lost()
        for session in sessions:
            events = house.log_of(session)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            calls = [e.id for e in events if e.type == "agent.tool_use"]
            answered = [e.payload["tool_use_id"] for e in events if e.type == "agent.tool_result"]
            assert Counter(answered) == Counter(calls)
            assert house.stop(session) == {"type": "end_turn"}
        assert house.verify().problem is None
    assert len(effects) <= len(sessions) * STEPS, "no call was made again silently"


def test_a_store_that_acknowledges_what_it_could_not_write_is_found_out(
    disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    with house_on(disk.database) as house:
        session = house.begin(working, tools=[built_in()])
        sender, honest = Sender(house, [session]), house.sessions.send

        def lying(session_id: str, asked: Any) -> Any:
            try:
                return honest(session_id, asked)
            except DiskFull:
                return [SimpleNamespace(id="sevt_that_is_nowhere")]

        monkeypatch.setattr(house.sessions, "send", lying)
        disk.fill(house)
        for number in range(40):
            sender.send(number)
        disk.free(house)
        assert set(sender.lost()) == {"sevt_that_is_nowhere"}
