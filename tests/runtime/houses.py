"""A house whose sessions run here, with models and tools that a test brings along."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reverie.app import Reverie
from reverie.domain.areas import MergeReport
from reverie.domain.errors import ConfigError
from reverie.domain.events import Event, JsonObject
from reverie.domain.messages import (
    ModelRequest,
    ModelResponse,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
    UserTurn,
)
from reverie.jobs.local import LocalEngine
from reverie.models.scripted import ScriptedModel
from reverie.plugins import Model, Output, Sandbox, SandboxSpec, Surroundings
from reverie.runtime.house import Plugs
from reverie.sessions.feed import Feed
from reverie.storage.database import Database
from reverie.storage.events import Link, read
from reverie.tools.schemas import problems
from reverie.tools.spilling import spill

__all__ = [
    "Answers",
    "House",
    "Probe",
    "Watch",
    "answer",
    "built_in",
    "calls",
    "custom",
    "house_on",
    "rested",
    "results",
    "said",
]

PATIENCE = 30.0


def said(request: ModelRequest) -> list[str]:
    """The texts of people and of tools, in order."""
    texts: list[str] = []
    for message in request.messages:
        if isinstance(message, UserTurn):
            for part in message.parts:
                if isinstance(part, Text):
                    texts.append(part.text)
                elif isinstance(part, ToolResult):
                    texts.append("".join(p.text for p in part.content if isinstance(p, Text)))
    return texts


def results(request: ModelRequest) -> list[Any]:
    """The results of calls that a model has seen."""
    turns = [message for message in request.messages if isinstance(message, UserTurn)]
    return [part for turn in turns for part in turn.parts if isinstance(part, ToolResult)]


def calls(*names: str, **input: Any) -> list[ToolCall]:
    return [ToolCall(f"call{number}", name, input) for number, name in enumerate(names)]


def answer(*parts: Any, cost: Any = None, stop: Any = "end_turn", tokens: int = 10, **details: str) -> Any:
    """A response with everything said."""
    return ModelResponse(parts, Usage(tokens, 1), stop, "scripted:it", cost, details)


class Answers:
    """A model's answers, one after the other: what each is, or what makes it. The last one stays."""

    priced = True

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[ModelRequest] = []

    async def __call__(self, request: ModelRequest) -> Any:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
            if asyncio.iscoroutine(answer):
                answer = await answer
        return answer


class Probe:
    """A tool that a test looks into."""

    def __init__(
        self,
        name: str = "probe",
        *,
        repeatable: bool = False,
        risk: str = "low",
        does: Callable[[JsonObject], Any] = lambda input: "done",
    ) -> None:
        self.spec = ToolSpec(name, "A tool.", {"type": "object", "properties": {"n": {"type": "integer"}}})
        self.repeatable = repeatable
        self.made: list[JsonObject] = []
        self.began = threading.Event()
        self._risk: Any = risk
        self._does = does

    def risk(self, input: JsonObject) -> Any:
        return self._risk

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        self.made.append(input)
        self.began.set()
        gave = self._does(input)
        if asyncio.iscoroutine(gave):
            gave = await gave
        return gave if isinstance(gave, Output) else Output([Text(str(gave))])


@dataclass
class _Folders:
    spec: SandboxSpec
    briefing: str = ""
    outputs: Path = Path(os.devnull)

    def pull(self) -> list[Any]:
        return []

    def push(self) -> list[Any]:
        return []

    def changed(self) -> bool:
        return False

    def fork(self, name: str) -> Any:
        return _Folders(SandboxSpec(f"{self.spec.id}.{name}", ()), self.briefing, self.outputs)

    def merge(self, name: str, mark: str = "") -> MergeReport:
        return MergeReport()

    def copy(self, name: str, network: bool = False) -> Any:
        return self.fork(name)

    def discard(self, name: str) -> None: ...


class _Environment:
    name = "none"

    def obstacle(self) -> None:
        return None

    def open(self, spec: SandboxSpec) -> Sandbox:
        return _Sandbox(spec)  # type: ignore[return-value]


@dataclass
class _Sandbox:
    spec: SandboxSpec
    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, path: str, data: bytes) -> None:
        self.files[path] = data

    async def close(self) -> None: ...


class Watch:
    """Everything that happens in a session, as it happens."""

    def __init__(self, feed: Feed, session_id: str) -> None:
        self._news = threading.Condition()
        self._events: list[Event] = []
        self.stop = feed.subscribe(session_id, self)

    def appended(self, links: Sequence[Link]) -> None:
        with self._news:
            self._events += [read(link) for link in links]
            self._news.notify_all()

    def changed(self) -> None: ...
    def previewed(self, thread: str, preview: JsonObject) -> None: ...
    def deleted(self) -> None: ...

    def until(self, enough: Callable[[list[Event]], Any]) -> list[Event]:
        with self._news:
            for _ in range(int(PATIENCE / 0.05)):  # what it looks at may change without an event
                if enough(self._events):
                    return list(self._events)
                self._news.wait(0.05)
            raise AssertionError([(event.type, dict(event.payload)) for event in self._events])


class House(Reverie):
    """A ``Reverie`` with the test's models and tools, and without sandboxes of its own."""

    models_here: Mapping[str, Any]
    tools_here: Sequence[Probe]
    servers: Mapping[str, Any]
    slept: list[float]
    pins: dict[tuple[str, str], dict[str, str]]
    context_tokens: int | None = None
    outputs_here: Path = Path(os.devnull)

    def plugs(self) -> Plugs:
        def model(id: str) -> Model:
            if id not in self.models_here:
                raise ConfigError("nobody has this model", where=id)
            found = self.models_here[id]
            return found if isinstance(found, Model) else ScriptedModel(id, found, self.context_tokens)

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            await asyncio.sleep(0)

        return Plugs(
            model=model,
            tools={tool.spec.name: tool for tool in self.tools_here},
            environment=_Environment,
            validate=problems,
            spill=spill,
            sleep=sleep,
            jitter=lambda: 0.5,
        )

    def engine_of_work(self) -> Any:
        return LocalEngine(self._db)

    def mount(self, session_id: str, body: JsonObject) -> Any:
        return _Folders(SandboxSpec(session_id, ()), outputs=self.outputs_here)

    def mcp(self, server: JsonObject, body: JsonObject) -> Any:
        return self.servers[server["name"]]

    def pinned(self, session_id: str, server: str, found: Mapping[str, str]) -> Mapping[str, str]:
        return self.pins.setdefault((session_id, server), dict(found))

    # ------------------------------------------------------------------ what tests do

    def begin(self, model: Any = None, *, tools: Sequence[JsonObject] = (), **more: Any) -> str:
        """A session with an agent of that model; gives its id."""
        if model is not None:
            self.models_here = {**self.models_here, "scripted:it": model}
        agent = {"name": "clerk", "model": "scripted:it", "tools": list(tools), **more.pop("agent", {})}
        made = self.agents.create(agent)
        place = self.environments.create({"name": "here", **more.pop("environment", {})})
        return self.sessions.create({"agent": made.id, "environment_id": place.id, **more}).row.id

    def tell(self, session_id: str, text: str = "go") -> None:
        content = [{"type": "text", "text": text}]
        self.sessions.send(session_id, [{"type": "user.message", "content": content}])

    def watch(self, session_id: str) -> Watch:
        return Watch(self.feed, session_id)

    def turn(self, session_id: str, text: str = "go") -> list[Event]:
        """Say something, and wait until the session rests; gives what happened."""
        watch = self.watch(session_id)
        try:
            self.tell(session_id, text)
            return watch.until(rested)
        finally:
            watch.stop()

    def then(self, session_id: str, *events: JsonObject) -> list[Event]:
        """Send something else, and wait until the session rests."""
        watch = self.watch(session_id)
        try:
            self.sessions.send(session_id, events)
            return watch.until(rested)
        finally:
            watch.stop()

    def log_of(self, session_id: str) -> list[Event]:
        return [read(link) for link in self.live.log_after(session_id, 0, 100_000)]

    def stop(self, session_id: str) -> JsonObject:
        (*_, last) = [e for e in self.log_of(session_id) if e.type == "session.status_idle"]
        return last.payload["stop_reason"]


def rested(events: Sequence[Event]) -> bool:
    return any(event.type in ("session.status_idle", "session.status_terminated") for event in events)


def house_on(url: str | Path) -> House:
    """An opened house; close it. Its clock is the real one: leases run out by it."""
    house = House(Database.open(url))
    house.models_here, house.tools_here, house.servers, house.slept, house.pins = {}, [], {}, [], {}
    return house


def built_in(policy: str = "always_allow") -> JsonObject:
    """The toolset, with every tool that is installed."""
    default = {"enabled": True, "permission_policy": {"type": policy}}
    return {"type": "agent_toolset_20260401", "default_config": default}


def custom(name: str = "ask_client") -> JsonObject:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    return {"type": "custom", "name": name, "description": "A tool of the client's.", "input_schema": schema}
