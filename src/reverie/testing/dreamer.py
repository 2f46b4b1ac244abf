"""A writer of dreams that is a program: it does what a careful model is asked to do, and no more.

    reverie dream --model scripted:reverie.testing.dreamer:careful

shows a model-written dream without a key. It reads what lies on the desk, looks at what speaks against it, proposes one
memory for each topic that says what to do, every line with its citation, and leaves the rest with the reason. Its
words are the findings' own; a model's would be better.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reverie.domain.messages import AssistantTurn, Message, ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["DeskText", "calls_since", "careful", "desk_of", "propose", "topics_of"]

_AT_ONCE: Final = 8
_FOLDERS: Final = {
    "preference": "preferences",
    "playbook": "playbooks",
    "warning": "warnings",
    "note": "notes",
}
_MUTE: Final = ("tautology", "explained")


@dataclass(frozen=True, slots=True)
class DeskText:
    """What lies before the writer: ``topics`` are lists of findings (as data), ``memories`` an index by path."""

    number: int
    topics: Sequence[Sequence[Mapping[str, Any]]]
    memories: Mapping[str, Mapping[str, Any]]


def careful(request: ModelRequest) -> list[Text | ToolCall]:
    """Looks once at whatever has counter-evidence, then proposes, leaves, and is done."""
    desk = desk_of(request.messages)
    results = calls_since(request.messages)
    disputed = [finding["id"] for topic in desk.topics for finding in topic[:1] if finding.get("against")]
    if disputed and not results:
        return [_call(f"look{n}", "look_at_finding", finding=id) for n, id in enumerate(disputed[:_AT_ONCE])]
    return list(_written(desk))


def desk_of(messages: Sequence[Message]) -> DeskText:
    """The desk that was laid last."""
    texts = [
        part.text
        for turn in messages
        if isinstance(turn, UserTurn)
        for part in turn.parts
        if isinstance(part, Text)
    ]
    brief = next(text for text in reversed(texts) if text.startswith("Desk "))
    found, _, index = brief.partition("\n# Memory")
    number = re.match(r"Desk (\d+)", brief)
    return DeskText(
        int(number[1]) if number else 0,
        [json.loads(line) for line in found.splitlines() if line.startswith("[{")],
        {
            told["path"]: told
            for line in index.splitlines()
            if line.startswith("{") and (told := json.loads(line))
        },
    )


def topics_of(desk: DeskText) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """The topics of which there is something to say, with the advice or warning to begin with."""
    for topic in desk.topics:
        first = next((finding for finding in topic if finding["nature"] not in _MUTE), None)
        said = first and (first.get("advice") or first.get("warning"))
        if first is not None and said:
            yield str(said), [first, *(finding for finding in topic if finding is not first)]


def calls_since(messages: Sequence[Message]) -> list[ToolResult]:
    """What the calls gave since the desk was laid."""
    found: list[ToolResult] = []
    for turn in messages:
        if isinstance(turn, AssistantTurn):
            continue
        for part in getattr(turn, "parts", ()):
            if isinstance(part, Text) and part.text.startswith("Desk "):
                found.clear()
            elif isinstance(part, ToolResult):
                found.append(part)
    return found


def propose(
    number: int, said: str, topic: Sequence[Mapping[str, Any]], memories: Mapping[str, object]
) -> ToolCall:
    """A proposal about a topic, whose first line is ``said``; an update where there is a memory at its path."""
    first = topic[0]
    kind = _kind(first)
    title = _title(str(first.get("title") or said))
    path = f"/{_FOLDERS[kind]}/{_slug(title)}.md"
    lines = [{"text": _sentence(said), "cites": [{"finding": first["id"]}]}]
    for name, lead in (("instead", "Instead: "), ("example", "It shows as: ")):
        text = first.get(name)
        if isinstance(text, str) and text and text not in said:
            form = "paragraph" if name == "example" else "sentence"
            told = _sentence(f"{lead}{text}"[:590])
            lines.append({"text": told, "cites": [{"finding": first["id"]}], "form": form})
    given = {"change": "update" if path in memories else "add", "path": path, "title": title, "lines": lines}
    return _call(f"propose{number}", "propose", **given, kind=kind, when=str(first.get("when") or "")[:200])


def _written(desk: DeskText) -> Iterator[Text | ToolCall]:
    written: set[str] = set()
    for number, (said, topic) in enumerate(topics_of(desk)):
        written.add(topic[0]["id"])
        yield propose(number, said, topic, desk.memories)
    left = [topic[0]["id"] for topic in desk.topics if not written & {finding["id"] for finding in topic}]
    if left:
        yield _call("leave", "leave", findings=left[:60], why="nothing follows from it that could be done")
    yield _call("done", "done")


def _kind(finding: Mapping[str, Any]) -> str:
    if finding["kind"] == "preference":
        return "preference"
    if finding["kind"] == "workflow":
        return "playbook"
    return "note" if finding.get("advice") else "warning"


def _title(said: str) -> str:
    title = " ".join(said.split()).rstrip(".")
    return title if len(title) <= 100 else title[:100].rpartition(" ")[0]


def _slug(title: str) -> str:
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)[:60].strip("-") or "note"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":", "`")) else f"{text}."


def _call(id: str, name: str, **given: Any) -> ToolCall:
    return ToolCall(id, name, given)
