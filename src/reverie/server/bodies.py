"""Bodies of requests: counted while they are read, then decoded strictly."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from reverie.domain.errors import TooLarge
from reverie.server.endpoint import Upload
from reverie.server.errors import MalformedBody, WireError, decoding_error, validation_error

__all__ = ["Reader", "decode", "is_deep"]

_DEEPEST: Final = 100
_STALLED: Final = 30.0
_QUICK: Final = 256 * 1024  # bytes that are decoded in about a millisecond
_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"[]{}"))


class Reader:
    """Reads the body of one endpoint: JSON into ``shape``; for ``Upload`` and None nothing, but still bounded."""

    def __init__(self, shape: Any, limit: int) -> None:
        self._limit = limit
        self._decoder = None if shape is None or shape is Upload else msgspec.json.Decoder(shape)

    def bounded(self, scope: Scope, receive: Receive) -> Receive:
        """``receive``, but no more than the limit comes through.

        Raises:
            TooLarge: the body says it is larger, or (while it is read) turns out to be.
            WireError: nothing of it came for half a minute (408).
        """
        said = _header(scope, b"content-length")
        if said.isdigit() and int(said) > self._limit:
            raise self._too_large(f"{int(said)} bytes")
        seen, ended = 0, False

        async def counted() -> Message:
            nonlocal seen, ended
            if ended:  # what comes now is that the client goes away, and for that one may wait
                return await receive()
            try:
                async with asyncio.timeout(_STALLED):
                    message = await receive()
            except TimeoutError:
                raise _stalled() from None
            ended = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise self._too_large("more")
            return message

        return counted

    async def read(self, request: Request) -> Any:
        """The decoded body; None where the endpoint decodes none.

        Raises:
            UsageError: not JSON, too deep, or a wrong field.
            WireError: another content type than JSON (415).
        """
        if self._decoder is None:
            return None
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind and not await request.body():  # nothing was sent: nothing was said
            return decode(b"{}", self._decoder)
        if kind != "application/json":  # a form could be sent by any web page without asking
            raise WireError(
                f"`content-type`: must be application/json, this is {kind[:64] or 'missing'}",
                status=415,
                type="invalid_request_error",
            )
        data = await request.body()
        if len(data) <= _QUICK:
            return decode(data, self._decoder)
        return await anyio.to_thread.run_sync(decode, data, self._decoder)  # the loop has others to serve

    def _too_large(self, found: str) -> TooLarge:
        return TooLarge(f"the body: at most {self._limit} bytes, this has {found}")


def _stalled() -> WireError:
    return WireError(f"nothing of the body came for {_STALLED:.0f} seconds", status=408, type="timeout_error")


def decode(data: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """``data`` in the decoder's shape.

    Raises:
        UsageError: not JSON, nested deeper than 100 levels, or a wrong field.
    """
    try:
        value = decoder.decode(data)
    except msgspec.ValidationError as error:
        raise validation_error(error, _plain(data)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise decoding_error(error) from None
    if is_deep(data):
        raise MalformedBody(f"the body is nested deeper than {_DEEPEST} levels")
    return value


def _plain(data: bytes) -> Any:
    """The body as plain data, to show what was wrong in it; it may be no JSON at all behind that place."""
    try:
        return msgspec.json.decode(data)
    except msgspec.ValidationError:  # a number out of range
        return None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise decoding_error(error) from None


def is_deep(data: bytes, deepest: int = _DEEPEST) -> bool:
    """Whether valid JSON is nested deeper than ``deepest``: the innermost brackets are peeled off, level by level."""
    if data.count(b"[") + data.count(b"{") <= deepest:
        return False
    marks = _TEXT.sub(b"", data).translate(None, delete=_NO_BRACKET)
    for _ in range(deepest):
        if not marks:
            return False
        marks = marks.replace(b"[]", b"").replace(b"{}", b"")
    return bool(marks)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")
