"""The HTTP client under the providers: how long it waits, and how much it takes.

A provider, or what stands in its place, may hang, drip or never end. What is read is bounded in silence (between
bytes), in bytes of a body, and in bytes of one line of a stream, before anybody tries to understand it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import httpx2
from pydantic_ai.models import create_async_httpx2_client

__all__ = ["ATTEMPT", "Attempt", "Patience", "TooMuch", "client"]

_STREAM: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for, in seconds, and how large it may be, in bytes.

    ``silence_s`` counts between bytes of a stream; ``whole_s`` until an answer that comes in one piece begins,
    for such a provider is silent as long as its model thinks; ``longest_s`` is for everything together.
    """

    connect_s: float = 10.0
    silence_s: float = 120.0
    whole_s: float = 600.0
    longest_s: float = 3600.0
    most_body: int = 64 << 20
    most_line: int = 8 << 20
    most_answer: int = 8 << 20


@dataclass(slots=True)
class Attempt:
    """One request, as it is made. ``sent``: it has left for the provider."""

    sent: bool = False


ATTEMPT: Final[ContextVar[Attempt]] = ContextVar("ATTEMPT")
"""The attempt that the running task is making: what fails before it is sent was no fault of the provider."""


class TooMuch(httpx2.ReadError):
    """More came than an answer may have."""


def client(patience: Patience) -> httpx2.AsyncClient:
    """A client for the SDKs. Proxies and certificates are as the environment says.

    Compressed answers are neither asked for nor taken: a few bytes of them can become any number.
    """

    async def bound(response: httpx2.Response) -> None:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            await response.aclose()
            raise TooMuch(f"the answer is compressed ({encoding}), which was not asked for")
        line = patience.most_line if response.headers.get("content-type", "").startswith(_STREAM) else None
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream, patience.most_body, line)

    async def note(request: httpx2.Request) -> None:
        ATTEMPT.get().sent = True

    made = create_async_httpx2_client(timeout=httpx2.Timeout(patience.whole_s, connect=patience.connect_s))
    made.headers["Accept-Encoding"] = "identity"
    made.event_hooks = {"request": [*made.event_hooks["request"], note], "response": [bound]}
    return made


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error when it, or one line of it, has grown too long."""

    def __init__(self, inner: httpx2.AsyncByteStream, body: int, line: int | None) -> None:
        self._inner = inner
        self._body = body
        self._line = line

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = line = 0
        async for chunk in self._inner:
            body += len(chunk)
            end = chunk.rfind(b"\n")
            line = line + len(chunk) if end < 0 else len(chunk) - end - 1
            if body > self._body:
                raise TooMuch(f"the answer has more than {self._body:,} bytes")
            if self._line is not None and line > self._line:
                raise TooMuch(f"a line of the answer has more than {self._line:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
