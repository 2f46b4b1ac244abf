"""A small table of routes over a real house, to look at the frame with nothing of a resource in the way."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from starlette.responses import StreamingResponse

from reverie.domain.errors import Conflict, NotFound
from reverie.server.endpoint import Call, Endpoint, Raw, Stream, Upload
from reverie.server.wire.base import Ask, Meta, Wire

__all__ = ["SMALL", "Thing"]


class Thing(Wire):
    """What was understood of a request."""

    id: str
    workspace: str
    name: str
    asked: dict[str, Any]


class Cat(Ask, tag="cat"):
    """One of two."""

    lives: Annotated[int, Meta(ge=1, le=9)] = 9


class Dog(Ask, tag="dog"):
    """The other of two."""

    tricks: Annotated[list[Annotated[str, Meta(max_length=5)]], Meta(min_length=1, max_length=2)]


class Make(Ask):
    """A body."""

    name: Annotated[str, Meta(min_length=1, max_length=10)]
    kind: Literal["a", "b"] = "a"
    size: Annotated[int, Meta(ge=0, le=100)] | None = None
    pet: Cat | Dog | None = None
    labels: Annotated[
        dict[Annotated[str, Meta(max_length=4)], Annotated[str, Meta(max_length=6)]], Meta(max_length=2)
    ] = {}  # noqa: RUF012
    deep: Any = None


class Find(Ask):
    """A query."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    statuses: list[Literal["on", "off"]] | None = None
    archived: bool = False
    page: str | None = None
    seed: int | None = None


def _thing(call: Call[Any, Any]) -> Thing:
    asked = {name: getattr(call.query, name) for name in (call.query.__struct_fields__ if call.query else ())}
    name = call.body.name if isinstance(call.body, Make) else ""
    return Thing(id=call.path.get("id", ""), workspace=call.house.id, name=name, asked=asked)


async def _later(call: Call[Any, Any]) -> Thing:
    await asyncio.sleep(0)
    return _thing(call)


def _fail(call: Call[Any, Any]) -> Thing:
    match call.path["id"]:
        case "missing":
            raise NotFound("no such thing: missing")
        case "changed":
            raise Conflict("it changed")
        case _:
            raise RuntimeError("a secret of the inside")


async def _count(call: Call[Any, Any]) -> Thing:
    seen = 0
    async for chunk in call.request.stream():
        seen += len(chunk)
    return Thing(id=str(seen), workspace=call.house.id, name="", asked={})


async def _ticks(call: Call[Any, Any]) -> StreamingResponse:
    async def ticks() -> Any:
        yield b"id: 1\ndata: tick\n\n"
        await call.server.closing.wait()
        yield b"id: 2\ndata: bye\n\n"

    return StreamingResponse(ticks(), media_type="text/event-stream")


SMALL: Final = (
    Endpoint("GET", "/v1/things", _later, Thing, "things:read", query=Find),
    Endpoint("POST", "/v1/things", _thing, Thing, "things:write", body=Make, status=200),
    Endpoint("GET", "/v1/things/{id}", _thing, Thing, "things:read"),
    Endpoint("POST", "/v1/things/{id}", _thing, Thing, "things:write", body=Make),
    Endpoint("DELETE", "/v1/things/{id}", _thing, Thing, "things:write"),
    Endpoint("GET", "/v1/things/newest", _ticks, Stream, "things:read"),
    Endpoint("POST", "/v1/things/{id}/fail", _fail, Thing, "things:write"),
    Endpoint("POST", "/v1/things/{id}/content", _count, Thing, "things:write", body=Upload, limit=1000),
    Endpoint("GET", "/v1/things/{id}/content", _ticks, Raw, "things:read"),
)
