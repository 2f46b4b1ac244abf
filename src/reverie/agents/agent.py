"""``reverie.Agent``: an agent in a dozen lines, whose sessions are in the log like everybody's."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from reverie.agents.definition import Access, Definition, Policy
from reverie.agents.files import read_agent
from reverie.agents.functions import Functions
from reverie.agents.session import OnEvent, RunSession, Task
from reverie.app import Reverie, default_database
from reverie.app import open as open_reverie

__all__ = ["Agent", "Tool", "attended", "begun", "opened", "resume"]

Tool: TypeAlias = str | Callable[..., Any]
"""The name of a built-in tool (``bash``, ``read`` …; ``*`` is all of them), or a Python function."""


class Agent:
    """An agent: a model, what it is told, and what it may use.

        def weather(city: str) -> str:
            "The weather in a city."
            return "sunny"

        agent = reverie.Agent(model="ollama:qwen3", tools=[weather, "bash"], memory=["travel notes"])
        session = agent.run_sync("What shall I wear in Lisbon?")
        print(session.text)

    Args:
        name: What it is called. An agent of the workspace that has this name, and was made in this way, is
            this one: it has a new version where its definition changed.
        model: ``provider:model``, or a model as on the wire; by default the first of ``$REVERIE_MODELS``.
        system: What it is told before everything else.
        tools: Names of built-in tools, which run in the session's sandbox, and Python functions, which run
            in this program; ``*`` is every built-in tool.
        memory: Names or ids of memory stores that its sessions read and write; a mapping says how:
            ``{"team notes": "read_only"}``. A name that no store has makes one.
        environment: The name or id of an environment; by default a sandbox without a network.
        permissions: Whether built-in tools run unasked: ``always_allow``, ``always_ask`` or ``auto``, for all
            or by the name of the tool or MCP server. By default built-in tools do, and those of an MCP server
            ask.
        mcp_servers: URLs of MCP servers, by the name that they shall have.
        max_cost_usd: The most that one session may cost at list prices, in US dollars.
        max_tokens: The most tokens that one session may use, read and written, cached ones among them.
        description: What it is for, for those who read lists of agents.

    Raises:
        UsageError: an unknown tool or policy, a function that cannot be a tool, a budget of nothing.
    """

    def __init__(
        self,
        *,
        name: str = "agent",
        model: str | Mapping[str, Any] | None = None,
        system: str | None = None,
        tools: Iterable[Tool] = (),
        memory: Sequence[str] | Mapping[str, Access] = (),
        environment: str | None = None,
        permissions: Policy | Mapping[str, Policy] | None = None,
        mcp_servers: Mapping[str, str] | None = None,
        max_cost_usd: Decimal | float | None = None,
        max_tokens: int | None = None,
        description: str | None = None,
    ) -> None:
        given = list(tools)
        self.functions: Final = Functions(tool for tool in given if not isinstance(tool, str))
        self.definition: Final = Definition(
            name=name,
            model=model,
            description=description,
            system=system,
            built_in=[tool for tool in given if isinstance(tool, str)],
            custom=self.functions.specs,
            memory=memory if isinstance(memory, Mapping) else dict.fromkeys(memory, "read_write"),
            environment=environment,
            permissions=permissions,
            mcp_servers=mcp_servers or {},
            max_cost_usd=None if max_cost_usd is None else Decimal(str(max_cost_usd)),
            max_tokens=max_tokens,
        )

    @classmethod
    def from_file(cls, path: str | Path, **more: Any) -> Agent:
        """An agent as a file says it (``agents.files``); ``more`` are arguments that say otherwise.

        Raises:
            NotFound, UsageError: no such file, or one that is no agent's.
        """
        return cls(**{**read_agent(Path(path)).arguments, **more})

    async def start(
        self, task: Task, *, db: str | Path | None = None, reverie: Reverie | None = None
    ) -> RunSession:
        """Begin a session with a task. It works in the background; ``stream`` or ``wait`` for it.

        Args:
            task: What to do: text, or blocks as on the wire.
            db: Where the log is; by default ``default_database()``. It stays open until the program ends.
            reverie: An opened house, in the place of ``db``.

        Raises:
            ConfigError, NotFound, Invalid: as ``Definition.session`` says.
        """
        house = reverie or await asyncio.to_thread(opened, db)
        text = task if isinstance(task, str) else " ".join(str(block.get("text", "")) for block in task)
        session = await begun(house, self.definition, text, self.functions)
        return await session.send(task, wait=False)

    async def run(
        self,
        task: Task,
        *,
        db: str | Path | None = None,
        reverie: Reverie | None = None,
        on_event: OnEvent | None = None,
    ) -> RunSession:
        """As ``start``, and wait until the session rests."""
        session = await self.start(task, db=db, reverie=reverie)
        return await session.wait(on_event)

    def run_sync(
        self,
        task: Task,
        *,
        db: str | Path | None = None,
        reverie: Reverie | None = None,
        on_event: OnEvent | None = None,
    ) -> RunSession:
        """``run`` for programs without an event loop."""
        return asyncio.run(self.run(task, db=db, reverie=reverie, on_event=on_event))


async def resume(
    session_id: str,
    *,
    tools: Iterable[Callable[..., Any]] = (),
    model: str | None = None,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
) -> RunSession:
    """Go on with a session that another program (or this one, before it crashed) began; ``wait`` for it.

    ``tools`` are the functions it was begun with. A call of one that a crash cut off is answered with "outcome
    unknown", since it may have had its effect, unless the function is ``repeatable``. Calls that already wait
    for their result are in ``pending``: ``answer_pending`` makes them. ``model`` is the model of the session
    where it is not a configured one: named here it may be used in this program.

    Raises:
        NotFound: there is no such session.
        UsageError: it was imported.
    """
    house = reverie or await asyncio.to_thread(opened, db)
    if model is not None:
        house.models.allow(model)
    return await attended(house, session_id, Functions(tools))


async def begun(house: Reverie, definition: Definition, about: str, functions: Functions) -> RunSession:
    """A new session of an agent, to which nothing was said yet.

    Raises:
        ConfigError, NotFound, Invalid: as ``Definition.session`` says.
    """
    asked = await asyncio.to_thread(definition.session, house, about)
    made = await asyncio.to_thread(house.sessions.create, asked)
    return await attended(house, made.row.id, functions)


async def attended(house: Reverie, session_id: str, functions: Functions) -> RunSession:
    """The session, its functions known to the runtime before it can want them."""
    functions.here()
    functions.folder = partial(house.outputs_of, session_id)
    house.handle(session_id, functions.handlers())
    await asyncio.to_thread(house.attend)
    return await RunSession.open(house, session_id, functions)


_door: Final = threading.Lock()
_houses: Final[dict[str, Reverie]] = {}


def opened(db: str | Path | None) -> Reverie:
    """The house at a place, opened once in a program, since two would wait for each other's writes; closed
    when the program ends."""
    told = str(db if db is not None else default_database())
    place = told if "://" in told else str(Path(told).expanduser().absolute())
    with _door:
        if place not in _houses:
            _houses[place] = open_reverie(place)
            atexit.register(_houses[place].close)
        return _houses[place]
