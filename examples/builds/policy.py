"""Models that need no key: what a specialist and the lead do, as functions of what they have been told.

``scripted:examples.builds.policy:specialist`` and ``…:lead`` see what a real model would see: their context and
what their tools gave. They decide by it alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["lead", "specialist"]

_BUILD: Final = re.compile(r"(?m)^Build: (\S+)$")
LEAST_RARITY: Final = 0.5
"""What more passing builds have than this leaves, is no failure by itself."""


def specialist(request: ModelRequest) -> ToolCall | str:
    """Compares, looks at what is rare, reads what it would report, and reports it."""
    build = _build(request)
    given = _given(request)
    match list(given):
        case []:
            return _call(request, "diff_with_last_pass", build=build)
        case ["diff_with_last_pass"]:
            if _is(given, "diff_with_last_pass", "status") == "passed":
                return f"{build} passed."
            return _call(request, "rare_lines", build=build)
        case ["diff_with_last_pass", "rare_lines"]:
            lines, _ = _found(given)
            return _call(request, "show", build=build, lines=lines[0]) if lines else _nothing(build)
        case [*_, "show"]:
            lines, cause = _found(given)
            return _call(request, "report", build=build, lines=lines, cause=cause)
        case _:
            return f"{build}: {given['report']}"


def lead(request: ModelRequest) -> ToolCall | str:
    """Has the reports grouped, and says what is to be done."""
    groups = _given(request).get("group_reports")
    if groups is None:
        return _call(request, "group_reports")
    if not isinstance(groups, list):
        return f"The reports could not be grouped: {groups}"
    return "\n".join(_actionable(cast("list[dict[str, Any]]", groups))) or "Nothing is to be done."


def _actionable(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{n}. {each['title']} ({_count(each['builds'])}): "
        + ", ".join(f"{build['file']}:{build['lines'][0]}" for build in each["builds"])
        for n, each in enumerate(groups, 1)
    ]


def _count(builds: Sequence[object]) -> str:
    return "1 build" if len(builds) == 1 else f"{len(builds)} builds"


# ------------------------------------------------------------------ what it was told


def _build(request: ModelRequest) -> str:
    """The build that it was asked about."""
    for message in reversed(request.messages):
        for part in message.parts if isinstance(message, UserTurn) else ():
            found = _BUILD.search(part.text) if isinstance(part, Text) else None
            if found:
                return found[1]
    return "unknown"


def _given(request: ModelRequest) -> dict[str, Any]:
    """What each tool gave last, in the order of the calls."""
    told: dict[str, Any] = {}
    for message in request.messages:
        for part in message.parts if isinstance(message, UserTurn) else ():
            if isinstance(part, ToolResult):
                text = "".join(each.text for each in part.content if isinstance(each, Text))
                told[part.name] = _read(text)
    return told


def _read(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _is(given: Mapping[str, Any], tool: str, field: str) -> Any:
    told = given.get(tool)
    return cast("dict[str, Any]", told).get(field) if isinstance(told, dict) else None


def _found(given: Mapping[str, Any]) -> tuple[list[str], str]:
    """The lines to report, those of the cause first, and the cause. Where the comparison found nothing that tells
    of a failure, the rarest line that does not occur in passing builds."""
    anomalies: list[dict[str, Any]] = _is(given, "diff_with_last_pass", "anomalies") or []
    if anomalies:
        return [lines for each in anomalies for lines in each["lines"]], str(anomalies[0]["cause"])
    rare = given.get("rare_lines")
    told = cast("list[dict[str, Any]]", rare) if isinstance(rare, list) else []
    lines = [each for each in told if each["rarity"] >= LEAST_RARITY]
    return [str(each["line"]) for each in lines[:1]], "failure"


def _nothing(build: str) -> str:
    return f"{build} failed, and its log does not say why."


def _call(request: ModelRequest, name: str, **given: Any) -> ToolCall:
    return ToolCall(f"{name}-{len(request.messages)}", name, given)
