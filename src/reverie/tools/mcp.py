"""A client of MCP servers: their tools, and calls of them.

The SDK speaks the protocol; what is here keeps a server from doing harm by how it answers. Everything has an
end in time and in bytes, a connection that breaks is made again once and a call that may have been made is
not repeated, what a server says of the form of its results is not run (it could hang us by it), and what it
asks of us (samples, elicitation, roots) is refused. Importing this loads the SDK, which takes a second.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import httpx2
import mcp_types as types
import msgspec
from mcp import Client, ClientSession, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import ValidationError

from reverie.domain.errors import NotFound, ReverieError, ToolServerDenied, ToolServerFailed
from reverie.domain.events import JsonObject
from reverie.domain.messages import Document, Image, ResultPart, Text
from reverie.plugins import Output
from reverie.tools.guarded import Resolve, system_resolve
from reverie.tools.mcp_tools import McpTool, digest_of
from reverie.tools.mcp_wire import Credential, Headers, client_for
from reverie.tools.schemas import check_schema

__all__ = ["CONNECT_S", "MOST_TOOLS", "McpConnection", "McpServer", "McpServers"]

CONNECT_S: Final = 30.0
MOST_TOOLS: Final = 1_000
_MOST_PAGES: Final = 100
_GOODBYE_S: Final = 1.0
_PATIENCE_S: Final = 0.05
_TRIES: Final = 100
_MOST_EVENT: Final = 8 << 20
_MOST_SAID: Final = 500
_MOST_DESCRIBED: Final = 20_000
_GONE: Final = "Session terminated"  # the server forgot us: what was sent was not looked at
_NO_ANSWER: Final = "Server returned an error response"  # the SDK's word for an HTTP error without a message
_SAID_BY_THE_SDK: Final = (types.CONNECTION_CLOSED, types.PARSE_ERROR, types.INVALID_REQUEST)

Result = TypeVar("Result")


async def _no_headers(refused: Mapping[str, str]) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class McpServer:
    """A server that an agent names. ``headers`` gives what a request needs (``mcp_wire.Headers``)."""

    name: str
    url: str
    headers: Headers = _no_headers


class McpConnection:
    """One server, connected to when it is first used. Many calls may be under way at a time; all within one
    event loop, where it is closed, too.

    Args:
        server: Where it is.
        allow: Hosts and networks that may be reached though they are not public.
        resolve: How a host becomes addresses.
        connect_s: Seconds for making a connection.
    """

    def __init__(
        self,
        server: McpServer,
        *,
        allow: Sequence[str] = (),
        resolve: Resolve = system_resolve,
        connect_s: float = CONNECT_S,
    ) -> None:
        self._server = server
        self._allow = allow
        self._resolve = resolve
        self._connect_s = connect_s
        self._line: _Line | None = None
        self._connecting = asyncio.Lock()

    async def tools(self, timeout_s: float = CONNECT_S) -> list[McpTool]:
        """What the server offers, sorted by name. One with a ``flaw`` is not to be shown to a model.

        Raises:
            ToolServerDenied: it does not accept the credential.
            ToolServerFailed: it cannot be reached, or does not answer as it should.
        """
        try:
            found = await self._asked(_listed, timeout_s, again=True)
        except MCPError as error:
            said = f"it does not list its tools: {error.message[:_MOST_SAID]}"
            raise ToolServerFailed(said, where=f"MCP server {self._server.name}") from None
        names = [tool.name for tool in found]
        return sorted((_tool(tool, names.count(tool.name) > 1) for tool in found), key=lambda tool: tool.name)

    async def call(
        self,
        name: str,
        input: JsonObject,
        timeout_s: float,
        on_progress: Callable[[str], None] = lambda text: None,
    ) -> Output:
        """Call a tool once. An Output with ``is_error`` is what the tool, or the server, says is wrong with
        the call. Cancelling tells the server.

        Raises:
            ToolServerDenied: the server does not accept the credential.
            ToolServerFailed: it gave no whole answer; whether the tool ran, nobody knows, unless it says so.
        """

        async def told(progress: float, total: float | None, message: str | None) -> None:
            share = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
            on_progress(f"{share} {message or ''}".strip()[:_MOST_SAID])

        async def called(session: ClientSession) -> types.CallToolResult:
            params = types.CallToolRequestParams(name=name, arguments=dict(input))
            request = types.CallToolRequest(params=params)
            return await session.send_request(request, types.CallToolResult, progress_callback=told)

        try:
            return _output(await self._asked(called, timeout_s, again=False))
        except MCPError as error:
            return Output(
                (Text(f"The server refuses the call: {error.message[:_MOST_SAID]}"),), is_error=True
            )

    async def close(self) -> None:
        """Let go of the connection. Idempotent; it is made again when it is used again."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    # ------------------------------------------------------------------ asking

    async def _asked(
        self, what: Callable[[ClientSession], Awaitable[Result]], timeout_s: float, *, again: bool
    ) -> Result:
        """Ask, on a new connection if the old one is of no use any more: where the server did not look at
        what was sent, or (``again``) where asking twice does no harm."""
        for last in (False, True):
            line = await self._connected()
            try:
                return await line.ask(what, timeout_s)
            except _Forgotten:
                await self._drop(line)
                if last:
                    raise ToolServerFailed("it forgets its sessions", where=self._server.name) from None
            except ToolServerDenied:
                raise
            except ToolServerFailed:
                await self._drop(line)
                if last or not again:
                    raise
        raise AssertionError("unreachable")

    async def _connected(self) -> _Line:
        async with self._connecting:
            if self._line is None or self._line.over:
                line = _Line(self._server, self._allow, self._resolve)
                await line.open(self._connect_s)
                self._line = line
            return self._line

    async def _drop(self, line: _Line) -> None:
        if self._line is line:
            self._line = None
        await line.close(goodbye=False)  # whoever does not answer hears none


class McpServers:
    """The servers of an agent, by name. Arguments as ``McpConnection``'s."""

    def __init__(
        self,
        servers: Iterable[McpServer],
        *,
        allow: Sequence[str] = (),
        resolve: Resolve = system_resolve,
        connect_s: float = CONNECT_S,
    ) -> None:
        self._connections = {
            server.name: McpConnection(server, allow=allow, resolve=resolve, connect_s=connect_s)
            for server in servers
        }

    def connection(self, name: str) -> McpConnection:
        """
        Raises:
            NotFound: there is no server of this name.
        """
        try:
            return self._connections[name]
        except KeyError:
            raise NotFound(f"there is no MCP server {name!r}") from None

    async def tools(self) -> dict[str, list[McpTool] | ToolServerFailed]:
        """What each server offers, or why that is not known; all are asked at once."""

        async def asked(connection: McpConnection) -> list[McpTool] | ToolServerFailed:
            try:
                return await connection.tools()
            except ToolServerFailed as error:
                return error

        found = await asyncio.gather(*map(asked, self._connections.values()))
        return dict(zip(self._connections, found, strict=True))

    async def close(self) -> None:
        """Let go of all connections. Idempotent."""
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))


# ------------------------------------------------------------------ one connection


class _Forgotten(Exception):
    """The server does not know our session any more; it did not look at what was sent."""


class _Line:
    """One connection, from its making to its end. A task of its own holds it, since what the SDK opens must
    be closed where it was opened; whoever asks watches that task too, so that its end is the end of waiting."""

    def __init__(self, server: McpServer, allow: Sequence[str], resolve: Resolve) -> None:
        self._server = server
        self._allow = allow
        self._resolve = resolve
        self._credential = Credential(server.headers)
        self._session: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        return self._holder is None or self._holder.done()

    async def open(self, timeout_s: float) -> None:
        """Connect by streamable HTTP; by SSE, where the server does not know that."""
        try:
            async with asyncio.timeout(timeout_s):
                if not await self._begun(listening=False):
                    await self._begun(listening=True)
        except TimeoutError:
            await self.close()
            raise self._failed(f"no connection within {timeout_s:g} s") from None
        except BaseException:
            await self.close()
            raise

    async def _begun(self, *, listening: bool) -> bool:
        """Whether there is a session; False where another transport is to be tried."""
        self._session = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(listening))
        await asyncio.wait([self._holder, self._session], return_when=asyncio.FIRST_COMPLETED)
        if self._session.done():
            return True
        if not listening and self._credential.status in (400, 404, 405) and self._holder.exception():
            return False
        raise self._told(self._holder.exception())

    async def ask(self, what: Callable[[ClientSession], Awaitable[Result]], timeout_s: float) -> Result:
        """
        Raises:
            _Forgotten: the server did not look at it.
            MCPError: the server says no.
            ToolServerFailed: no whole answer.
        """
        holder = self._holder
        assert holder is not None
        asking = asyncio.ensure_future(what(self._session.result()))
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.wait([asking, holder], return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise self._told(holder.exception())
            return asking.result()
        except TimeoutError:
            raise self._failed(f"no answer within {timeout_s:g} s") from None
        except MCPError as error:
            raise self._meaning(error) from None
        except (ValidationError, ValueError, RuntimeError) as error:
            raise self._failed(f"its answer is not one: {_first_line(error)}") from None
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await asking

    async def close(self, *, goodbye: bool = True) -> None:
        """Let go; with a word to the server, which forgets the session then, where there is one to tell."""
        self._closing.set()
        if self._holder is None:
            return
        if goodbye and self._session.done():
            await asyncio.wait([self._holder], timeout=_GOODBYE_S)
        # The SDK has a last word for the server when it is cancelled, so it may take a second time.
        for _ in range(_TRIES):
            if self._holder.done():
                break
            self._holder.cancel()
            await asyncio.wait([self._holder], timeout=_PATIENCE_S)
        if self._holder.done() and not self._holder.cancelled():
            self._holder.exception()  # seen

    async def _hold(self, listening: bool) -> None:
        async with AsyncExitStack() as stack:
            http = client_for(
                self._credential,
                allow=self._allow,
                resolve=self._resolve,
                timeout_s=CONNECT_S,
                listening=listening,
            )
            if listening:
                transport: Any = sse_client(self._server.url, httpx_client_factory=_given(http))
            else:
                await stack.enter_async_context(http)
                transport = streamable_http_client(
                    self._server.url, http_client=http, max_sse_event_size=_MOST_EVENT
                )
            about = types.Implementation(name="reverie", version="1")
            mode = "legacy" if listening else "auto"
            client = await stack.enter_async_context(
                Client(transport, mode=mode, client_info=about, cache=None)
            )
            self._session.set_result(client.session)
            await self._closing.wait()

    # ------------------------------------------------------------------ what went wrong

    def _failed(self, what: str) -> ToolServerFailed:
        return ToolServerFailed(what, where=f"MCP server {self._server.name}")

    def _meaning(self, error: MCPError) -> Exception:
        if error.message == _GONE:
            return _Forgotten()
        if error.message == _NO_ANSWER or error.code in _SAID_BY_THE_SDK:
            return self._told(error)
        return error

    def _told(self, error: BaseException | None) -> ToolServerFailed:
        """Why the connection is of no use, in one sentence."""
        if (failure := self._credential.failure) is not None:
            kind = ToolServerDenied if isinstance(failure, ToolServerDenied) else ToolServerFailed
            told = f"there is no credential for it: {failure}"
            return kind(told, where=f"MCP server {self._server.name}")
        if self._credential.denied:
            said = f"it does not accept the credential (HTTP {self._credential.status})"
            return ToolServerDenied(said, where=f"MCP server {self._server.name}")
        causes = list(_causes(error))
        ours = next((cause for cause in causes if isinstance(cause, ReverieError)), None)
        if ours is not None:
            return self._failed(str(ours))
        if self._credential.status >= 400:
            return self._failed(f"it answers HTTP {self._credential.status}")
        why = next((cause for cause in causes if isinstance(cause, httpx2.HTTPError)), None) or error
        return self._failed("the connection ended" if why is None else _first_line(why))


def _given(http: httpx2.AsyncClient) -> Any:
    """What the SDK calls to make a client: ours is made already."""

    def factory(**said: object) -> httpx2.AsyncClient:
        return http

    return factory


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _causes(inner)
    elif error is not None:
        yield error


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0][:_MOST_SAID]
    return f"{type(error).__name__}: {text}".rstrip(": ")


# ------------------------------------------------------------------ tools and results


async def _listed(session: ClientSession) -> list[types.Tool]:
    found: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        found += page.tools
        if len(found) > MOST_TOOLS:
            break
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise ValueError(f"more than {MOST_TOOLS:,} tools, or more than {_MOST_PAGES} pages of them")


def _tool(tool: types.Tool, twice: bool) -> McpTool:
    annotations = tool.annotations
    said: dict[str, Any] = {} if annotations is None else annotations.model_dump(exclude_none=True)
    description = tool.description or tool.title or ""
    flaws = ["the server has two of this name"] if twice else check_schema(tool.input_schema)
    return McpTool(
        name=tool.name,
        description=description[:_MOST_DESCRIBED],
        input_schema=tool.input_schema,
        read_only=bool(said.get("read_only_hint")),
        idempotent=bool(said.get("idempotent_hint")),
        digest=digest_of(tool.name, description, tool.input_schema, said),
        flaw=flaws[0] if flaws else None,
    )


def _output(result: types.CallToolResult) -> Output:
    parts = [_part(block) for block in result.content]
    if not parts and result.structured_content is not None:
        parts = [Text(msgspec.json.encode(result.structured_content).decode())]
    return Output(parts or [Text("(no output)")], bool(result.is_error))


def _part(block: types.ContentBlock) -> ResultPart:
    match block:
        case types.TextContent():
            return Text(block.text)
        case types.ImageContent():
            return _media(block.mime_type, block.data)
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return Text(f"[{resource.uri}]\n{resource.text}")
        case types.EmbeddedResource(resource=types.BlobResourceContents() as resource):
            return _media(resource.mime_type or "application/octet-stream", resource.blob)
        case types.ResourceLink():
            return Text(f"[{block.name}: {block.uri}] {block.description or ''}".rstrip())
        case _:
            return Text(f"[{block.type}: cannot be shown]")


def _media(kind: str, data: str) -> ResultPart:
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return Text(f"[{kind[:100]}: what came is not base64]")
    if kind in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        return Image(kind, decoded)
    if kind == "application/pdf":
        return Document(kind, decoded)
    return Text(f"[{kind[:100]} of {len(decoded):,} bytes: cannot be shown]")
