"""The hands: they make the calls that the brain decided on, in the session's sandbox, at its MCP servers, or
with a function of this process. Whatever happens, a call has a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias, cast

from reverie.domain.errors import (
    ReverieError,
    SandboxFailed,
    ToolsChanged,
    ToolServerDenied,
    ToolServerFailed,
)
from reverie.domain.events import EventType, JsonObject
from reverie.domain.messages import Text
from reverie.plugins import Handler, Output, Sandbox, Surroundings
from reverie.runtime.blocks import blocks_of
from reverie.runtime.context import Call, CallKind, ThreadContext
from reverie.runtime.house import McpFound, McpLink, Mounted, Plugs, Room, Trouble
from reverie.runtime.toolbox import Toolbox

__all__ = ["Hands", "Sift", "Workshop", "result_payload", "result_type", "trouble"]

Sift: TypeAlias = Callable[[str], str]
"""What of a text that a tool gave is shown to the model."""
MAX_SECONDS: Final = 1_800.0
_TYPES: Final[Mapping[CallKind, tuple[EventType, str]]] = {
    "tool": ("agent.tool_result", "tool_use_id"),
    "mcp": ("agent.mcp_tool_result", "mcp_tool_use_id"),
    "custom": ("user.custom_tool_result", "custom_tool_use_id"),
}


def trouble(message: str, kind: str) -> JsonObject:
    """Something that did not stop anybody, as a ``session.error`` tells it."""
    return _error("unknown_error", message, trouble=kind)


def result_type(kind: CallKind) -> EventType:
    """The type of the event that holds a call's result."""
    return _TYPES[kind][0]


def result_payload(kind: CallKind, id: str, output: Output) -> dict[str, Any]:
    """Its payload."""
    return {_TYPES[kind][1]: id, "content": blocks_of(output.content), "is_error": output.is_error}


class Workshop:
    """What an agent works with: folders (``mount`` gives them when they are first wanted), a sandbox that shows
    them, connections."""

    def __init__(
        self,
        room: Room,
        plugs: Plugs,
        session_id: str,
        body: JsonObject,
        mount: Callable[[], Awaitable[Mounted]],
    ) -> None:
        self.session_id = session_id
        self.body = body
        self._room = room
        self._plugs = plugs
        self._mount = mount
        self._mounted: Mounted | None = None
        self._sandbox: Sandbox | None = None
        self._links: dict[str, McpLink] = {}
        self._found: dict[str, list[McpFound]] = {}
        self._door = asyncio.Lock()
        self._refusals: set[str] = set()
        self.wanted = False
        """Whether an agent of the session has tools that need the folders."""
        self.troubles: list[JsonObject] = []
        """``session.error`` objects that nobody wrote to the log yet."""

    @property
    def self_hosted(self) -> bool:
        """Whether built-in tools run at the client."""
        return bool(self.body.get("self_hosted"))

    @property
    def opened(self) -> bool:
        """Whether its folders were wanted."""
        return self._mounted is not None

    async def open(self) -> Mounted:
        """The folders, made and filled."""
        async with self._door:
            if self._mounted is None:
                self._mounted = await self._mount()
                self._note(await asyncio.to_thread(self._mounted.pull))
            return self._mounted

    async def sandbox(self) -> Sandbox:
        """The sandbox.

        Raises:
            SandboxFailed: none can be made here. Nothing runs outside one instead.
        """
        mounted = await self.open()
        if self._sandbox is None:
            environment = self._plugs.environment()
            if notice := getattr(environment, "notice", None):
                self.troubles.append(_error("unknown_error", str(notice), trouble="unsafe_sandbox"))
            self._sandbox = environment.open(replace(mounted.spec, refused=self._refused))
        return self._sandbox

    def _refused(self, host: str, reason: str) -> None:
        """A connection out of the sandbox was refused: told once for each host."""
        if host not in self._refusals:
            self._refusals.add(host)
            told = f"a connection to {host} was refused: {reason}"
            self.troubles.append(_error("unknown_error", told, trouble="connection_refused"))

    async def briefing(self) -> str:
        """What the model is told of the folders."""
        if not (self.body.get("resources") or self.wanted):
            return ""
        return (await self.open()).briefing

    async def refresh(self) -> None:
        """Bring in what changed in the stores, before a turn."""
        if self._mounted is not None:
            self._note(await asyncio.to_thread(self._mounted.pull))

    async def keep(self) -> None:
        """Bring out what a call changed."""
        mounted = self._mounted
        if mounted is not None and mounted.changed():
            self._note(await asyncio.to_thread(mounted.push))

    async def mcp(self, server: JsonObject) -> list[McpFound]:
        """The tools of an MCP server, as they were when the session saw them first; none where it fails,
        which ``troubles`` tell."""
        name = str(server["name"])
        if name not in self._found:
            link = self._links.setdefault(name, self._room.mcp(server, self.body))
            try:
                found = list(await link.tools())
            except ToolServerFailed as error:
                self.troubles.append(_mcp_error(name, error))
                return []
            self._found[name] = self._approved(name, found)
        return self._found[name]

    def link(self, server: str) -> McpLink:
        """The connection to a server whose tools were found."""
        return self._links[server]

    def _approved(self, server: str, found: list[McpFound]) -> list[McpFound]:
        pinned = self._room.pinned(self.session_id, server, {tool.name: tool.digest for tool in found})
        changed = [tool.name for tool in found if pinned.get(tool.name, tool.digest) != tool.digest]
        if changed:
            told = f"it now describes {', '.join(changed)} otherwise than this session saw it first: not used"
            error = ToolsChanged(told, hint="look at it, then set the session's tools anew")
            self.troubles.append(_mcp_error(server, error))
        return [tool for tool in found if tool.name not in changed]

    def _note(self, troubles: Sequence[Trouble]) -> None:
        self.troubles += [_trouble_error(trouble) for trouble in troubles]

    async def hang_up(self) -> None:
        """Close the connections to servers; what they have is asked again when it is wanted."""
        for link in self._links.values():
            await link.close()
        self._links.clear()
        self._found.clear()

    async def close(self) -> None:
        """Kill what runs, hang up; folders stay."""
        if self._sandbox is not None:
            await self._sandbox.close()
            self._sandbox = None
        await self.hang_up()


class Hands:
    """The hands of one agent."""

    def __init__(
        self,
        workshop: Workshop,
        toolbox: Toolbox,
        plugs: Plugs,
        handlers: Mapping[str, Handler],
        thread: ThreadContext,
        sift: Sift | None = None,
    ) -> None:
        self.toolbox = toolbox
        self._sift = sift
        self._workshop = workshop
        self._plugs = plugs
        self._handlers = handlers
        self._thread = thread
        self._states: dict[str, dict[str, object]] = {}

    def mine(self, call: Call) -> bool:
        """Whether a call is made here, and not by the client."""
        if call.kind == "custom":
            return call.name in self._handlers
        return call.kind == "mcp" or call.own or not self._workshop.self_hosted

    def repeatable(self, call: Call) -> bool:
        """Whether a call that was cut off may be made again."""
        if call.own:
            return True
        if call.kind == "tool":
            tool = self.toolbox.tool(call.name)
            return tool is not None and tool.repeatable
        if call.kind == "mcp":
            found = self.toolbox.mcp(call.name)
            return found is not None and (found.read_only or found.idempotent)
        return bool(getattr(self._handlers.get(call.name), "repeatable", False))

    async def make(self, call: Call) -> dict[str, Any]:
        """Make a call; the payload of its result. Cancelling it ends what runs."""
        try:
            async with asyncio.timeout(MAX_SECONDS):
                output = await self._maker(call)(call)
            if self._sift is not None and not call.own:
                output = _sifted(output, self._sift)
            output = await self._bounded(call, output)
        except TimeoutError:
            output = _failed(f"{call.name} did not end within {MAX_SECONDS:.0f} seconds and was stopped.")
        except SandboxFailed as error:
            output = _failed(f"{call.name} was not run: {error}")
        except ReverieError as error:
            output = _failed(f"{call.name} failed: {error}")
        except Exception as error:  # noqa: BLE001  (somebody else's code: whatever it raises is its result)
            output = _failed(f"{call.name} failed: {type(error).__name__}: {error}"[:2_000])
        return result_payload(call.kind, call.id, output)

    def _maker(self, call: Call) -> Callable[[Call], Awaitable[Output]]:
        if call.own and (own := self.toolbox.own(call.name)) is not None:
            return own.call
        makers: Mapping[CallKind, Callable[[Call], Awaitable[Output]]] = {
            "tool": self._built_in,
            "mcp": self._of_server,
            "custom": self._here,
        }
        return makers[call.kind]

    async def _built_in(self, call: Call) -> Output:
        tool = self.toolbox.tool(call.name)
        if tool is None:
            return _failed(f"There is no tool {call.name!r} any more.")
        where = Surroundings(
            await self._workshop.sandbox(),
            self._workshop.session_id,
            self._thread.name,
            self.toolbox.config(call.name),
            self._states.setdefault(call.name, {}),
            shown=lambda: self.toolbox.shown(self._thread.messages),
        )
        try:
            return await tool.call(call.input, where)
        finally:
            await self._workshop.keep()

    async def _of_server(self, call: Call) -> Output:
        found = self.toolbox.mcp(call.name)
        if found is None:
            return _failed(f"There is no tool {call.name!r} any more.")
        return await self._workshop.link(found.server).call(found.name, call.input)

    async def _here(self, call: Call) -> Output:
        return await self._handlers[call.name](call.input)

    async def _bounded(self, call: Call, output: Output) -> Output:
        """The output as a model can be shown it; what is too long for that is kept in the sandbox."""
        if all(isinstance(part, Text) for part in output.content) and _length(output) <= _LONG:
            return output
        if self._workshop.self_hosted or not self.toolbox.built_in:
            return _cut(output)
        return await self._plugs.spill(output, await self._workshop.sandbox(), call.id)


def _sifted(output: Output, sift: Sift) -> Output:
    parts = [Text(sift(part.text)) if isinstance(part, Text) else part for part in output.content]
    return Output(parts, output.is_error)


_LONG: Final = 100_000


def _length(output: Output) -> int:
    return sum(len(part.text) for part in output.content if isinstance(part, Text))


def _cut(output: Output) -> Output:
    """An output that is too long where there is no file to keep the rest in."""
    if _length(output) <= _LONG:
        return output
    text = "\n\n".join(part.text for part in output.content if isinstance(part, Text))
    half = _LONG // 2
    left = f"{text[:half]}\n\n[{len(text) - 2 * half} characters were left out here]\n\n{text[-half:]}"
    rest = [part for part in output.content if not isinstance(part, Text)]
    return Output([Text(left), *rest], output.is_error)


def _failed(text: str) -> Output:
    return Output([Text(text)], is_error=True)


def _mcp_error(server: str, error: ToolServerFailed) -> JsonObject:
    denied = isinstance(error, ToolServerDenied)
    kind = "mcp_authentication_failed_error" if denied else "mcp_connection_failed_error"
    return _error(kind, f"{server}: {error}", mcp_server_name=server)


def _trouble_error(trouble: Trouble) -> JsonObject:
    """What went wrong with a mount, as the wire has it."""
    known = str(trouble.kind)
    kind = f"{known}_error" if known.startswith("repository_") else "unknown_error"
    more = {} if trouble.path is None else {"path": trouble.path}
    return _error(kind, trouble.message, trouble=known, **more)


def _error(type: str, message: str, **more: Any) -> JsonObject:
    return cast(JsonObject, {"type": type, "message": message, "retry_status": {"type": "exhausted"}, **more})
