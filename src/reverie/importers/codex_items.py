"""What Codex writes in a rollout, piece by piece, as events: prompts, calls, results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from reverie.domain.events import EventType, Json
from reverie.importers.jsonl import BadJson, decode
from reverie.importers.values import blocks, fact, integer, mapping, sequence, string, text_block

__all__ = ["EventBody", "call", "ended_call", "exit_of", "prompt_pieces", "refusal", "result", "texts"]

EventBody: TypeAlias = tuple[EventType, dict[str, Json]]

_SCAFFOLDING: Final[tuple[tuple[str, str], ...]] = (
    ("<environment_context", "instructions"),
    ("<ENVIRONMENT_CONTEXT", "instructions"),
    ("<user_instructions", "instructions"),
    ("<permissions instructions", "instructions"),
    ("<collaboration_mode", "instructions"),
    ("<apps_instructions", "instructions"),
    ("<skills_instructions", "instructions"),
    ("<plugins_instructions", "instructions"),
    ("<INSTRUCTIONS", "instructions"),
    ("<skill>", "instructions"),
    ("<personality_spec", "instructions"),
    ("<model_switch", "instructions"),
    ("# AGENTS.md instructions", "instructions"),
    ("<goal_context", "injected"),
    ("<subagent_notification", "injected"),
    ("<user_action", "injected"),
    ("<image ", "injected"),
    ("<user_shell_command", "command"),
    ("<compaction_summary", "summary"),
)
_IDE_CONTEXT: Final = "# Context from my IDE setup:"
_IDE_REQUEST: Final = "## My request for Codex:"
_REFUSALS: Final = (
    "exec command rejected by user",
    "patch rejected by user",
    "rejected by user",
    "user rejected MCP",
)
_EXIT: Final = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d{1,10})$", re.MULTILINE)
_WALL: Final = re.compile(r"^Wall time: ([0-9.]{1,15}) (?:seconds|s)$", re.MULTILINE)
_OUTPUT: Final = "\nOutput:\n"
_HEADER: Final = 4_000  # characters in which the header before the output must end


def prompt_pieces(text: str) -> Iterator[tuple[str, str]]:
    """(kind, text): a user message parted into what was typed ("typed") and what the tool put there."""
    start = text.lstrip()
    kind = next((kind for beginning, kind in _SCAFFOLDING if start.startswith(beginning)), None)
    if kind is not None:
        yield kind, text
    elif start.startswith(_IDE_CONTEXT):
        context, found, request = text.partition(_IDE_REQUEST)
        yield "injected", context.strip()
        if found and request.strip():
            yield "typed", request.strip()
    elif start:
        yield "typed", text


def texts(content: Json) -> list[str]:
    """The readable parts of message content, whatever their blocks are called."""
    items = [mapping(content)] if isinstance(content, dict) else blocks(content)
    return [text for text in (string(block.get("text")) for block in items) if text]


def call(item: dict[str, Json], key: str) -> EventBody | None:
    """A response item that is a call of some tool, as ``agent.tool_use``; None for any other."""
    kind = item.get("type")
    if kind in ("function_call", "custom_tool_call"):
        name = ".".join(n for n in (fact(item.get("namespace")), fact(item.get("name"))) if n) or "?"
        given = _arguments(item.get("arguments" if kind == "function_call" else "input"))
    elif kind == "local_shell_call":
        name, given = "shell", mapping(item.get("action"))
    elif kind == "web_search_call":
        name, given = "web_search", mapping(item.get("action"))
    elif kind == "tool_search_call":
        name, given = "tool_search", _arguments(item.get("arguments"))
    elif kind == "image_generation_call":
        name, given = "image_generation", {"prompt": item.get("revised_prompt")}
    else:
        return None
    use = string(item.get("call_id")) or string(item.get("id")) or key
    return "agent.tool_use", {"tool_use_id": use, "name": name, "input": given}


def _arguments(given: Json) -> dict[str, Json]:
    """Arguments as an object: they come as JSON in a string, as free text (a patch), or as they are."""
    if isinstance(given, dict):
        return mapping(given)
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            value = decode(given.encode("utf-8", "replace"))
        except BadJson:
            value = None
        if isinstance(value, dict):
            return mapping(value)
    return {} if given is None else {"input": given}


def result(item: dict[str, Json]) -> dict[str, Json]:
    """The payload of ``agent.tool_result`` from a call's output, as the model was given it."""
    output, exit_code, duration = _output(item.get("output"))
    refused = mapping(item.get("output")).get("success") is False
    return _result(string(item.get("call_id")), output, exit_code, duration, failed=refused)


def _output(output: Json) -> tuple[list[str], int | None, int | None]:
    """(texts, exit code, milliseconds) of an output: text, blocks, or JSON in a string with metadata."""
    if not isinstance(output, str):
        inner = mapping(output).get("content")
        return texts(inner if inner is not None else output), None, None
    if output.startswith('{"output"'):
        try:
            value = mapping(decode(output.encode("utf-8", "replace")))
        except BadJson:
            value = {}
        if (text := value.get("output")) is not None and isinstance(text, str):
            meta = mapping(value.get("metadata"))
            return [text] if text else [], integer(meta.get("exit_code")), _ms(meta.get("duration_seconds"))
    header, found, body = output.partition(_OUTPUT)
    if not found or len(header) > _HEADER:
        return [output] if output else [], None, None
    wall = _WALL.search(header)
    return (
        [body] if body else [],
        exit_of(header),
        _ms(float(wall[1])) if wall and wall[1].count(".") < 2 else None,
    )


def exit_of(header: str) -> int | None:
    """The exit code that a result's header tells; None while the program still runs."""
    found = _EXIT.search(header)
    return int(found[1]) if found else None


def ended_call(event: dict[str, Json]) -> dict[str, Json] | None:
    """The payload of ``agent.tool_result`` from an event that tells how a call ended; None for any other."""
    kind, use = event.get("type"), string(event.get("call_id"))
    duration = _span(event.get("duration"))
    if kind == "exec_command_end":
        output = next(
            (t for f in ("aggregated_output", "formatted_output", "stdout") if (t := string(event.get(f)))),
            "",
        )
        return _result(use, [output] if output else [], integer(event.get("exit_code")), duration)
    if kind == "patch_apply_end":
        output = [t for t in (string(event.get("stdout")), string(event.get("stderr"))) if t]
        return _result(use, output, None, duration, failed=event.get("success") is False)
    if kind == "mcp_tool_call_end":
        outcome = mapping(event.get("result"))
        answer, error = mapping(outcome.get("Ok")), string(outcome.get("Err"))
        output = [error] if error else texts(answer.get("content"))
        return _result(use, output, None, duration, failed=error is not None or answer.get("isError") is True)
    if kind == "dynamic_tool_call_response":
        return _result(
            use, texts(event.get("content_items")), None, duration, failed=event.get("success") is False
        )
    if kind == "web_search_end" and event.get("results"):
        hits = [
            " ".join(t for f in ("title", "url", "snippet") if (t := string(mapping(r).get(f))))
            for r in sequence(event["results"])
        ]
        return _result(use, [hit for hit in hits if hit], None, duration)
    return None


def _result(
    use: str | None, output: list[str], exit_code: int | None, duration: int | None, *, failed: bool = False
) -> dict[str, Json]:
    payload: dict[str, Json] = {
        "tool_use_id": use or "",
        "content": [text_block(text) for text in output],
        "is_error": failed or exit_code not in (None, 0) or refusal("\n".join(output)),
    }
    if exit_code is not None:
        payload["exit_code"] = exit_code
    if duration is not None:
        payload["duration_ms"] = duration
    return payload


def refusal(output: str) -> bool:
    """Whether a result says that a person refused the call."""
    return output.lstrip().startswith(_REFUSALS)


def _span(value: Json) -> int | None:
    parts = mapping(value)
    seconds, nanos = integer(parts.get("secs")), integer(parts.get("nanos"))
    return None if seconds is None else seconds * 1000 + (nanos or 0) // 1_000_000


def _ms(seconds: Json) -> int | None:
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 10**9:
        return round(seconds * 1000)
    return None
