"""Teams for tests: leads and specialists that say what a test scripts, and what must hold of every session."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.runtime.houses import PATIENCE, Answers, House, Watch, rested, results, said

from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject
from reverie.domain.messages import AssistantTurn, ModelRequest, ToolCall, ToolResult, UserTurn
from reverie.runtime.context import SessionContext
from reverie.storage.events import read

__all__ = [
    "Gate",
    "Script",
    "again",
    "begin_team",
    "check",
    "idles",
    "of",
    "patiently",
    "results_of",
    "send",
    "stops",
    "threads",
    "tool",
    "wait",
]


class Gate:
    """A model's answer that comes when a test says so, or never."""

    def __init__(self, answer: Any = "late") -> None:
        self.asked = threading.Event()
        self.go = threading.Event()
        self.answer = answer

    async def __call__(self, request: ModelRequest) -> Any:
        self.asked.set()
        while not self.go.is_set():
            await asyncio.sleep(0.005)
        return self.answer(request) if callable(self.answer) else self.answer


class Script(Answers):
    """Answers one after the other; what it is asked is a conversation in good order."""

    async def __call__(self, request: ModelRequest) -> Any:
        _well_ordered(request)
        return await super().__call__(request)

    @property
    def heard(self) -> list[str]:
        """Everything said to it, as of the last request."""
        return said(self.requests[-1])


def _well_ordered(request: ModelRequest) -> None:
    """Behind an answer with calls stand their results, all of them, and nothing between."""
    turns = list(request.messages)
    for turn, behind in zip(turns, [*turns[1:], None], strict=True):
        calls = (
            [part.id for part in turn.parts if isinstance(part, ToolCall)]
            if isinstance(turn, AssistantTurn)
            else []
        )
        if calls:
            assert isinstance(behind, UserTurn), "calls have no results"
            first = behind.parts[: len(calls)]
            assert sorted(p.call_id for p in first if isinstance(p, ToolResult)) == sorted(calls)


def tool(name: str, /, **input: Any) -> ToolCall:
    return ToolCall("c", name, input)


def send(agent: str, message: str = "do it", **more: Any) -> ToolCall:
    return tool("send_to_agent", agent=agent, message=message, **more)


def again(thread: str, message: str) -> ToolCall:
    return tool("send_to_agent", thread_id=thread, message=message)


def wait(**how: Any) -> ToolCall:
    return tool("wait_for_agents", **how)


def begin_team(
    house: House,
    lead: Any,
    specialists: Mapping[str, Any],
    *,
    agents: Mapping[str, JsonObject] | None = None,
    multiagent: JsonObject | None = None,
    **more: Any,
) -> str:
    """A session whose agent leads these, each a model; ``agents`` say more of some."""
    house.models_here = {
        **house.models_here,
        **{f"scripted:{name}": model for name, model in specialists.items()},
    }
    made = [
        house.agents.create({"name": name, "model": f"scripted:{name}", **(agents or {}).get(name, {})}).id
        for name in specialists
    ]
    said = {"type": "coordinator", "agents": made, **(multiagent or {})}
    agent = {**more.pop("agent", {}), "multiagent": said}
    return house.begin(lead, agent=agent, **more)


# ---------------------------------------------------------------------- what the log says


def threads(events: Sequence[Event]) -> dict[str, str]:
    """The threads that were made, by their id: the names of their agents."""
    made = [event.payload for event in events if event.type == "session.thread_created"]
    return {told["session_thread_id"]: told["agent_name"] for told in made}


def of(events: Sequence[Event], agent: str) -> str:
    """The one thread of an agent."""
    (found,) = [id for id, name in threads(events).items() if name == agent]
    return found


def idles(events: Sequence[Event]) -> int:
    return sum(event.type == "session.status_idle" for event in events)


def stops(events: Sequence[Event], thread: str) -> list[JsonObject]:
    """Why a thread rested, each time."""
    return [
        event.payload["stop_reason"]
        for event in events
        if event.type == "session.thread_status_idle" and event.thread == thread
    ]


def results_of(request: ModelRequest) -> list[str]:
    return [result.content[0].text for result in results(request)]


def patiently(enough: Callable[[], Any], what: str = "it did not happen") -> Any:
    """Wait for something outside the log."""
    done = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if found := enough():
            return found
        done.wait(0.01)
    raise AssertionError(what)


def check(house: House, session: str) -> list[Event]:
    """What holds of every session that rests: its log is whole, every call has one result, nobody works, and the
    fold that the loop kept is that of the log."""
    events = house.log_of(session)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert not [e for e in events if e.type == "session.error" and "internal fault" in str(dict(e.payload))]
    _answered_once(events)
    state = house.live.state(session)
    assert not [name for name, each in state.threads.items() if each.status in ("running", "rescheduling")]
    assert not state.open_runs
    runtime: Any = house._runtime
    kept: SessionContext = patiently(lambda: runtime._folds.get(session, (0, None))[1], "it is worked on")
    patiently(lambda: runtime._folds.get(session, (0, kept))[1].seq == len(events), "its fold is behind")
    _same(runtime._folds[session][1], house, session)
    return events


def _answered_once(events: Sequence[Event]) -> None:
    fields = {
        "agent.tool_result": "tool_use_id",
        "user.tool_result": "tool_use_id",
        "user.custom_tool_result": "custom_tool_use_id",
    }
    answered = [event.payload[fields[event.type]] for event in events if event.type in fields]
    assert len(answered) == len(set(answered)), "a call has two results"
    living = {PRIMARY_THREAD, *threads(events)}
    living -= {event.thread for event in events if event.type == "session.thread_status_terminated"}
    calls = [
        e.id for e in events if e.type in ("agent.tool_use", "agent.custom_tool_use") and e.thread in living
    ]
    waiting = set(calls) - set(answered)
    (*_, last) = [e for e in events if e.type == "session.status_idle"]
    assert waiting <= set(last.payload["stop_reason"].get("event_ids", ())), "a call has no result"


def _same(kept: SessionContext, house: House, session: str) -> None:
    fresh = SessionContext(house.load_file)
    for link in house.live.log_after(session, 0, 100_000):
        fresh.absorb(read(link))
    assert kept.threads.keys() == fresh.threads.keys()
    for name, mine in kept.threads.items():
        its = fresh.threads[name]
        assert mine.messages == its.messages, name
        for field in ("open", "due", "running", "interrupted", "failures", "steps", "stopped", "broken_off"):
            assert getattr(mine, field) == getattr(its, field), (name, field)
    assert {id: run.state for id, run in kept.runs.runs.items()} == {
        id: run.state for id, run in fresh.runs.runs.items()
    }


def rests(watch: Watch) -> list[Event]:
    return watch.until(rested)
