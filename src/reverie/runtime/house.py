"""What the runtime needs of the house: as protocols, so that the house can know the runtime and not the other
way round."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from reverie.domain.areas import MergeReport
from reverie.domain.events import JsonObject
from reverie.domain.messages import ToolSpec
from reverie.jobs.engine import Engine
from reverie.plugins import Environment, Handler, Model, Output, Sandbox, SandboxSpec, Tool
from reverie.sessions.feed import Feed
from reverie.sessions.live import LiveSessions
from reverie.storage.database import Database

__all__ = [
    "Copy",
    "Handler",
    "House",
    "McpFound",
    "McpLink",
    "Mounted",
    "Plugs",
    "Room",
    "Spill",
    "Trouble",
    "Validate",
]

Validate: TypeAlias = Callable[[JsonObject, JsonObject], Sequence[str]]
"""``validate(schema, input)``: what does not fit, in words for the model; nothing where it fits."""

Spill: TypeAlias = Callable[[Output, Sandbox, str], Awaitable[Output]]
"""``await spill(output, sandbox, call_id)``: an output that is too long, its whole kept in a file that is named."""


class McpFound(Protocol):
    """A tool of an MCP server. ``digest`` identifies its definition; ``called`` is its name for the model."""

    @property
    def server(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def called(self) -> str: ...

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def digest(self) -> str: ...

    @property
    def read_only(self) -> bool: ...

    @property
    def idempotent(self) -> bool: ...


class McpLink(Protocol):
    """A connection to one MCP server, for one session."""

    async def tools(self) -> Sequence[McpFound]:
        """
        Raises:
            ToolServerFailed: it cannot be reached, or does not take the credential (ToolServerDenied).
        """
        ...

    async def call(self, name: str, input: JsonObject) -> Output:
        """
        Raises:
            ToolServerFailed: no whole answer came.
        """
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Plugs:
    """What is plugged in. The house fills it in; see ``plugins``."""

    model: Callable[[str], Model]
    """The model of an id, as an agent says it. Raises ConfigError, NotFound."""
    tools: Mapping[str, Tool]
    environment: Callable[[], Environment]
    """Where tools run. Raises SandboxFailed, ConfigError: nowhere."""
    validate: Validate
    spill: Spill
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    """Between 0 and 1."""


class Trouble(Protocol):
    """Something that went wrong with a session's folders, and did not stop it."""

    @property
    def kind(self) -> str: ...

    @property
    def message(self) -> str: ...

    @property
    def path(self) -> str | None: ...


class Mounted(Protocol):
    """The folders of one session on this machine."""

    @property
    def spec(self) -> SandboxSpec:
        """The sandbox that shows them."""
        ...

    @property
    def briefing(self) -> str:
        """What the model is told of them."""
        ...

    def pull(self) -> Sequence[Trouble]:
        """Bring in what changed in the stores."""
        ...

    def push(self) -> Sequence[Trouble]:
        """Bring out what changed in the folders."""
        ...

    def changed(self) -> bool:
        """Whether ``push`` has anything to do. Cheap."""
        ...

    def fork(self, name: str) -> Mounted:
        """The area of a specialist: its own copy of what the agents of this one may write, at the same places.
        Costs nothing; its first ``pull`` makes it, or finds it as it was, and a later one brings in what was
        merged meanwhile. Memory is shared."""
        ...

    def merge(self, name: str, mark: str = "") -> MergeReport:
        """Take over what was done in an area. Again with the same ``mark`` (not empty): the same report, and
        nothing done twice, whatever was killed in between."""
        ...

    def copy(self, name: str, network: bool = False) -> Copy:
        """A throw-away copy of what is here now. Blocks while it is made.

        Raises:
            TooLarge: more than is copied.
        """
        ...

    def discard(self, name: str) -> None:
        """Take an area or a copy away, with what was not merged. Again is harmless."""
        ...


class Copy(Mounted, Protocol):
    """A throw-away copy: without memory, secrets and, unless it was asked for, network. What is written in it
    is kept nowhere."""

    @property
    def outputs(self) -> Path:
        """The folder of this machine with what is handed over. Links in it are not to be followed."""
        ...

    def files(self) -> Sequence[tuple[str, int]]:
        """The plain files that are handed over: path below the outputs folder, and bytes. In order."""
        ...

    def read(self, path: str, limit: int) -> bytes:
        """At most ``limit`` bytes of one of them.

        Raises:
            NotFound: there is no plain file of that name.
        """
        ...


class Room(Protocol):
    """A workspace, as the runtime sees it."""

    @property
    def live(self) -> LiveSessions: ...

    @property
    def feed(self) -> Feed: ...

    def load_file(self, file_id: str) -> tuple[str, bytes]:
        """The media type and the bytes of an uploaded file. Raises NotFound."""
        ...

    def mount(self, session_id: str, body: JsonObject) -> Mounted:
        """The folders of a session on this machine."""
        ...

    def mcp(self, server: JsonObject, body: JsonObject) -> McpLink:
        """A connection to an MCP server of a session (``{name, url}``), with the session's credentials."""
        ...

    def pinned(self, session_id: str, server: str, found: Mapping[str, str]) -> Mapping[str, str]:
        """The digests of a server's tools as this session saw them first: ``found``, the first time."""
        ...


class House(Protocol):
    """What opens workspaces and databases."""

    @property
    def database(self) -> Database: ...

    def workspace(self, id: str) -> Room: ...

    def plugs(self) -> Plugs: ...

    def engine_of_work(self) -> Engine: ...

    def sweep(self) -> None:
        """Take away old folders of sessions of every workspace, on this machine. Blocks."""
        ...
