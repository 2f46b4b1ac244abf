"""Looking into memory: which calls do no more than that.

They are no step of the work, no remedy and nobody's choice: that sessions which read memory fare better says what
memory is worth, and trials say that better. And what memory tells an agent is no circumstance of its task: a value that
it takes from there is its own choice, made with advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from reverie.domain.events import Json, JsonObject
from reverie.mining.shell import Command
from reverie.mining.tools import ToolKind, command_of
from reverie.mining.vocabulary import vocabulary

__all__ = ["is_recall"]

_PLACE: Final = re.compile(r"(?<![\w.-])(?:/mnt/memory|/memories)(?=[/\s'\"]|$)")
"""Where stores are mounted: ours, and that of the vendors' memory tool."""
_LOOKS: Final = vocabulary(
    "cat head tail less grep egrep rg ls find fd tree wc cd sort sed awk echo stat file"
)


def is_recall(name: str, kind: ToolKind, given: JsonObject, command: Command) -> bool:
    """Whether a call reads or keeps memory, and does nothing else."""
    if kind == "shell" and name.lower() != "memory":
        looks = bool(command.steps) and all(step.name in _LOOKS for step in command.steps)
        return looks and _PLACE.search(command_of(given)) is not None
    if kind in ("look", "edit") or name.lower() == "memory":
        return any(_PLACE.match(text) for text in _texts(given))
    return False


def _texts(given: JsonObject) -> Iterator[str]:
    for value in given.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (each for each in cast(list[Json], value) if isinstance(each, str))
        elif isinstance(value, Mapping):
            yield from (each for each in cast(Mapping[str, Json], value).values() if isinstance(each, str))
