"""The API on a free port, with a runtime that echoes: ``python echo_server.py DATABASE``; prints its URL."""

from __future__ import annotations

import queue
import sys
import threading

import reverie
from reverie.domain.events import NewEvent
from reverie.server.app import build
from reverie.server.listening import listen, run
from reverie.server.settings import Settings

USAGE = {
    "input_tokens": 9,
    "output_tokens": 2,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "speed": None,
}


class Echo:
    """Says what it was told, turn by turn, on a thread of its own."""

    def __init__(self) -> None:
        self._woken: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.house: reverie.Reverie | None = None
        threading.Thread(target=self._work, daemon=True).start()

    def wake(self, workspace: str, session_id: str) -> None:
        self._woken.put(session_id)

    def _work(self) -> None:
        while True:
            session_id = self._woken.get()
            assert self.house is not None
            live = self.house.live
            live.turn(session_id, "running")
            for number, event in enumerate(live.take(session_id)):
                key = f"{event.id} {number}"
                live.emit(session_id, [NewEvent("span.model_request_start", {}, key=f"{key} start")])
                live.emit(
                    session_id, [NewEvent("agent.message", {"content": event.payload["content"]}, key=key)]
                )
                end = {"model_request_start_id": "", "model_usage": USAGE, "is_error": False}
                live.emit(session_id, [NewEvent("span.model_request_end", end, key=f"{key} end")])
            live.turn(session_id, "idle")


def main(database: str) -> None:
    echo = Echo()
    with reverie.open(database, waker=echo.wake) as house:
        echo.house = house
        server = listen("127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        run(build(house, Settings()), [server], started=lambda: print(url, flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
