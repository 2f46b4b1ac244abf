"""A room to work in, and how a test runs what is asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.tools.rooms import Room, surroundings

from reverie.domain.messages import Text
from reverie.plugins import Output, Surroundings
from reverie.tools.schemas import problems


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "room")


@pytest.fixture
def where(room: Room) -> Surroundings:
    return surroundings(room)


@pytest.fixture
def call(where: Surroundings) -> Callable[..., Output]:
    """Calls a tool as the runtime does: with an input that fits its schema."""

    def calling(tool: Any, place: Surroundings | None = None, **input: Any) -> Output:
        assert problems(tool.spec.input_schema, input) == []
        return asyncio.run(tool.call(input, place or where))

    return calling


def text_of(output: Output) -> str:
    return "\n".join(part.text for part in output.content if isinstance(part, Text))


Calling = Callable[..., Output]
Answering = Callable[..., Awaitable[Output]]
