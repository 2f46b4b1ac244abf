"""A channel shows every event once, whatever it is told before it knows where it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from reverie.domain.clock import Clock
from reverie.domain.events import PRIMARY_THREAD
from reverie.server.channels import Channel
from reverie.sessions.views import View
from reverie.storage.events import Link

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def link(seq: int) -> Link:
    payload = f'{{"content": [{{"text": "{seq}", "type": "text"}}]}}'
    return Link(
        "sesn_1", seq, f"sevt_{seq}", str(seq), "user.message", None, PRIMARY_THREAD, payload, None, ""
    )


class Log:
    """A session's log, and a feed that tells of it when the test says so."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.listener: Channel | None = None

    @property
    def clock(self) -> Clock:
        return lambda: NOW

    def subscribe(self, session_id: str, listener: Channel) -> Callable[[], None]:
        self.listener = listener
        return lambda: None

    def log_after(self, session_id: str, seq: int, limit: int) -> list[Link]:
        return self.links[seq : seq + limit]

    def append(self, count: int) -> Sequence[Link]:
        self.links += [link(len(self.links) + 1 + n) for n in range(count)]
        return self.links[-count:]


async def _seen(channel: Channel) -> list[int]:
    for _ in range(50):
        await asyncio.sleep(0.001)
    place, ids = 0, list[int]()
    while place < channel.tail:
        frames, place = await channel.after(place)
        ids += [int(frame.split(b"\n", 1)[0].removeprefix(b"id: ")) for frame in frames]
    return ids


@pytest.mark.parametrize("read", [0, 2, 5])
@pytest.mark.parametrize("told", ["appended", "changed"])
def test_what_is_told_before_the_log_was_read_shows_once(read: int, told: str) -> None:
    async def main() -> list[int]:
        log = Log()
        channel = Channel(log, log, View("sesn_1"), NOW)  # type: ignore[arg-type]
        for count in (2, 3):
            links = log.append(count)
            channel.appended(links) if told == "appended" else channel.changed()
        await asyncio.sleep(0)  # the loop hears of it, as it does while a thread reads the log's length
        await asyncio.sleep(0)
        channel.begin(read)
        channel.appended(log.append(1))
        return await _seen(channel)

    assert asyncio.run(main()) == [1, 2, 3, 4, 5, 6]


def test_a_session_deleted_before_the_log_was_read_ends_its_streams() -> None:
    async def main() -> tuple[bool, int]:
        log = Log()
        log.append(3)
        channel = Channel(log, log, View("sesn_1"), NOW)  # type: ignore[arg-type]
        channel.deleted()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        channel.begin(3)
        return channel.ended, channel.tail

    assert asyncio.run(main()) == (True, 4)
