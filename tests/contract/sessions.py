"""What tests of sessions have in common: a session made over the API, and a loop that does what it is told."""

from __future__ import annotations

from typing import Any, Final

from reverie.app import Reverie
from reverie.domain.events import PRIMARY_THREAD, Event, NewEvent

__all__ = ["AGENT", "USAGE", "Loop", "agent", "environment", "message", "session", "store"]

USAGE: Final = {
    "input_tokens": 100,
    "output_tokens": 20,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 4,
}
AGENT: Final[dict[str, Any]] = {"model": "scripted:any", "name": "clerk"}


def agent(sdk: Any, **more: Any) -> Any:
    return sdk.beta.agents.create(**{**AGENT, **more})


def environment(sdk: Any, **more: Any) -> Any:
    return sdk.beta.environments.create(**{"name": "here", **more})


def store(reverie: Reverie, name: str = "Notes & Lore") -> str:
    return reverie.stores.create(name, "what we know", actor="test").id


def session(sdk: Any, **more: Any) -> Any:
    told = {} if "agent" in more else {"agent": agent(sdk).id}
    if "environment_id" not in more:
        told["environment_id"] = environment(sdk).id
    return sdk.beta.sessions.create(**{**told, **more})


def message(text: str = "hello") -> Any:
    return {"type": "user.message", "content": [{"type": "text", "text": text}]}


class Loop:
    """Stands where a runtime will stand: it is woken (and only notes it), and emits what a test says."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.house: Reverie | None = None
        self._keys = 0

    def wake(self, workspace: str, session_id: str) -> None:
        self.woken.append(session_id)

    @property
    def live(self) -> Any:
        assert self.house is not None
        return self.house.live

    def begin(self, session_id: str, thread: str = PRIMARY_THREAD) -> list[Event]:
        """Take what waits and begin to run."""
        taken = self.live.take(session_id)
        return [*taken, *self.live.turn(session_id, "running", thread=thread)]

    def emit(self, session_id: str, type: Any, thread: str = PRIMARY_THREAD, **payload: Any) -> Event:
        self._keys += 1
        new = NewEvent(type, payload, key=f"step {self._keys}", thread=thread)
        event, *_ = self.live.emit(session_id, [new])  # a verdict also labels the session
        return event

    def say(self, session_id: str, text: str = "done", thread: str = PRIMARY_THREAD) -> Event:
        content = [{"type": "text", "text": text}]
        return self.emit(session_id, "agent.message", thread, content=content)

    def call(self, session_id: str, kind: str = "tool", thread: str = PRIMARY_THREAD, **more: Any) -> Event:
        """A call: ``tool``, ``mcp_tool`` or ``custom_tool``."""
        told = {"mcp_server_name": "docs"} if kind == "mcp_tool" else {}
        return self.emit(
            session_id, f"agent.{kind}_use", thread, **{"name": "bash", "input": {}, **told, **more}
        )

    def rest(
        self, session_id: str, reason: str = "end_turn", thread: str = PRIMARY_THREAD, **more: Any
    ) -> None:
        self.live.turn(session_id, "idle", thread=thread, stop={"type": reason}, **more)
