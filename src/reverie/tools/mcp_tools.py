"""The tools of MCP servers, as they are pinned and as a model is told of them. Nothing here speaks to a server.

A server may describe a tool otherwise tomorrow than when a person looked at it. So what was approved is a
digest of all that a model would read, and whoever offers the tools compares (``changes``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from reverie.domain.events import JsonObject

__all__ = ["LONGEST_NAME", "Changes", "McpTool", "changes", "digest_of", "model_name", "model_names"]

LONGEST_NAME: Final = 64
"""Characters of a tool's name: what every provider of models takes."""

_SERVER: Final = re.compile(r"[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*")
_TOOL: Final = re.compile(r"(?!_)[A-Za-z0-9_-]+(?<!_[0-9a-f]{12})")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool of an MCP server. ``read_only`` and ``idempotent`` are what the server says of it, which proves
    nothing; ``digest`` (SHA-256, hex) is over name, description, schema and what it says; ``flaw`` is why it
    cannot be offered to a model, None where it can."""

    name: str
    description: str
    input_schema: JsonObject
    read_only: bool
    idempotent: bool
    digest: str
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """How the tools of a server differ from those that were approved, by name. True where they do."""

    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    removed: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def digest_of(name: str, description: str, input_schema: JsonObject, annotations: JsonObject) -> str:
    """The digest of a definition: the same for the same JSON, whatever the order of its keys."""
    definition = [name, description, input_schema, annotations]
    return hashlib.sha256(msgspec.json.encode(definition, order="deterministic")).hexdigest()


def changes(pinned: Mapping[str, str], found: Iterable[McpTool]) -> Changes:
    """How ``found`` differs from what was approved (digests by name)."""
    now = {tool.name: tool.digest for tool in found}
    return Changes(
        added=sorted(now.keys() - pinned.keys()),
        changed=sorted(name for name in now.keys() & pinned.keys() if now[name] != pinned[name]),
        removed=sorted(pinned.keys() - now.keys()),
    )


def model_name(server: str, tool: str) -> str:
    """The name under which a model calls a server's tool: ``mcp__github__create_issue``; always the same for
    the same two, and never the same for others.

    A pair of names that could be split in two ways, that has signs no provider takes, or that is too long,
    is cut, and ends in twelve digits of its digest; a plain name that looks like that gets digits of its own.
    """
    plain = f"mcp__{server}__{tool}"
    if _SERVER.fullmatch(server) and _TOOL.fullmatch(tool) and len(plain) <= LONGEST_NAME:
        return plain
    digits = hashlib.sha256(msgspec.json.encode([repr(server), repr(tool)])).hexdigest()[:12]
    head = f"mcp__{_fitting(server, 20)}__{_fitting(tool, LONGEST_NAME)}"
    return f"{head[: LONGEST_NAME - 13]}_{digits}"


def model_names(tools: Mapping[str, Iterable[McpTool]]) -> dict[str, tuple[str, str]]:
    """(server, tool) by the name that a model calls."""
    return {
        model_name(server, tool.name): (server, tool.name)
        for server, found in tools.items()
        for tool in found
    }


def _fitting(name: str, most: int) -> str:
    return _UNFIT.sub("_", name).strip("_")[:most] or "x"
