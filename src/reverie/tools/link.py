"""An MCP server as the runtime knows it. The SDK is loaded when the server is first asked, and not before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reverie.domain.events import JsonObject
from reverie.domain.messages import ToolSpec
from reverie.plugins import Output
from reverie.tools.mcp_tools import model_name

if TYPE_CHECKING:
    from reverie.tools.mcp import McpConnection

__all__ = ["Link", "Offered"]

CALL_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool of a server. ``called`` is its name for models; ``digest`` identifies its definition."""

    server: str
    name: str
    called: str
    spec: ToolSpec
    digest: str
    read_only: bool
    idempotent: bool


class Link:
    """A connection to one server. ``headers`` gives what each request carries; ``allow`` names hosts and
    networks that may be reached though they are not public."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]],
        allow: Sequence[str] = (),
    ) -> None:
        self._name = name
        self._url = url
        self._headers = headers
        self._allow = allow
        self._made: McpConnection | None = None

    async def tools(self) -> list[Offered]:
        """What the server offers that a model can be shown.

        Raises:
            ToolServerFailed, ToolServerDenied: as ``McpConnection.tools``.
        """
        return [
            Offered(
                self._name,
                tool.name,
                called := model_name(self._name, tool.name),
                ToolSpec(called, tool.description, tool.input_schema),
                tool.digest,
                tool.read_only,
                tool.idempotent,
            )
            for tool in await self._connection().tools()
            if tool.flaw is None
        ]

    async def call(self, name: str, input: JsonObject) -> Output:
        """Call a tool once.

        Raises:
            ToolServerFailed, ToolServerDenied: as ``McpConnection.call``.
        """
        return await self._connection().call(name, input, CALL_S)

    async def close(self) -> None:
        """Hang up."""
        if self._made is not None:
            await self._made.close()

    def _connection(self) -> McpConnection:
        if self._made is None:
            from reverie.tools.mcp import McpConnection, McpServer

            server = McpServer(self._name, self._url, self._headers)
            self._made = McpConnection(server, allow=self._allow)
        return self._made
