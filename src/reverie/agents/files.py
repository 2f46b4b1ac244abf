"""Agents in files: Markdown with front matter, as Claude Code keeps its agents, or TOML.

    ---                                        name = "clerk"
    name: clerk                                model = "ollama:qwen3"
    model: ollama:qwen3                        tools = ["read", "bash"]
    tools: read, bash                          system = "You file documents."
    ---
    You file documents.

Keys are the arguments of ``reverie.Agent``. A file names no functions: it may come from anywhere, and a
function would run outside the sandbox.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from reverie.agents.definition import EVERY_TOOL
from reverie.domain.errors import NotFound, UsageError
from reverie.workspaces.tools import BUILT_IN

__all__ = ["SUFFIXES", "AgentFile", "agent_arguments", "read_agent", "read_toml"]

SUFFIXES: Final = (".md", ".toml")
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "name": (str,),
    "description": (str,),
    "model": (str,),
    "system": (str,),
    "tools": (list, str),
    "memory": (list, dict, str),
    "environment": (str,),
    "permissions": (dict, str),
    "mcp_servers": (dict,),
    "max_cost_usd": (int, float),
    "max_tokens": (int,),
}
_LISTS: Final = ("tools", "memory")
_THEIRS: Final = {name.replace("_", ""): name for name in BUILT_IN}  # WebFetch is web_fetch, Bash is bash
_ALIASES: Final = ("inherit", "sonnet", "opus", "haiku")  # of a vendor's program: the default model here


@dataclass(frozen=True, slots=True)
class AgentFile:
    """What a file says: arguments of ``reverie.Agent``, and what it says besides that means nothing here."""

    arguments: Mapping[str, Any]
    ignored: list[str] = field(default_factory=list[str])


def read_agent(path: Path) -> AgentFile:
    """An agent's file. Without ``tools`` it has every built-in one; without a name, the file's.

    Raises:
        NotFound: there is no such file.
        UsageError: it cannot be read as what it is, or a key has a value of the wrong kind.
    """
    if path.suffix == ".toml":
        found = agent_arguments(read_toml(path), str(path))
        return AgentFile({"name": path.stem, "tools": [EVERY_TOOL], **found})
    told = _markdown(path)
    ignored = [key for key in told if key not in _KINDS]
    found = agent_arguments({key: value for key, value in told.items() if key in _KINDS}, str(path))
    tools: list[str] = found.get("tools", [EVERY_TOOL])
    ignored += [f"tool {name}" for name in tools if not _is_tool(name)]
    kept = [name for name in tools if _is_tool(name)]
    return AgentFile({"name": path.stem, **found, "tools": kept}, ignored)


def agent_arguments(told: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Arguments of ``reverie.Agent`` as a file says them, under the same keys; ``where`` is the place of it.

    Raises:
        UsageError: an unknown key, or one with a value of the wrong kind.
    """
    if unknown := [key for key in told if key not in _KINDS]:
        known = ", ".join(_KINDS)
        raise UsageError(f"no such key: {', '.join(unknown)}", where=where, hint=f"the keys are {known}")
    found = {key: _checked(where, key, told[key]) for key in _KINDS if told.get(key) is not None}
    if "tools" in found:
        found["tools"] = [_tool(name) for name in found["tools"]]
    if found.get("model") in _ALIASES:
        del found["model"]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise NotFound("there is no such file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"it cannot be read: {error}", where=str(path)) from error


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        NotFound: there is no such file.
        UsageError: it cannot be read, or is no TOML: the line is named.
    """
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"it is no TOML: {error}", where=str(path)) from error


def _markdown(path: Path) -> dict[str, Any]:
    """Front matter, and the body as the system prompt."""
    import frontmatter
    import yaml

    try:
        post = frontmatter.loads(_text(path))
    except yaml.YAMLError as error:
        raise UsageError(f"its front matter is no YAML: {error}", where=str(path)) from error
    told = cast(dict[str, Any], dict(post.metadata))
    body = post.content.strip()
    return {**told, "system": body} if body else told


def _checked(where: str, key: str, value: Any) -> Any:
    if not isinstance(value, _KINDS[key]) or isinstance(value, bool):
        kinds = " or ".join(kind.__name__ for kind in _KINDS[key])
        raise UsageError(f"{key} is {type(value).__name__}, and should be {kinds}", where=where)
    if key in _LISTS and isinstance(value, str):
        return [part for each in value.split(",") if (part := each.strip())]
    return cast(Any, value)


def _tool(name: str) -> str:
    """Our name of a tool, also where it is written as Claude Code writes it."""
    return _THEIRS.get(str(name).lower(), str(name))


def _is_tool(name: str) -> bool:
    return name in BUILT_IN or name == EVERY_TOOL
