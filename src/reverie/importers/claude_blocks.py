"""Content blocks of Claude Code messages as events: what was said, called and answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from reverie.domain.events import PRIMARY_THREAD, EventType, Json, record_sha256
from reverie.importers.claude_words import PieceKind, denial, pieces, typed_answers
from reverie.importers.values import blocks, fact, integer, mapping, sequence, string, text_block

__all__ = ["EventBody", "Said", "assistant_event", "tool_result", "user_said", "without_bytes"]

EventBody: TypeAlias = tuple[EventType, dict[str, Json]]

_EXIT_CODE: Final = re.compile(r"\A(?:Error: )?Exit code (\d{1,3})\b")
_SHELL: Final = "Bash"
_PLAN: Final = "Implement the following plan:\n\n#"  # handed over by the tool when a person approves a plan


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a user record. ``typed`` blocks are gathered into one message, ``command`` is the slash
    command they went to, ``goal`` may stand in as the session's goal where nobody typed one."""

    type: EventType
    payload: dict[str, Json]
    command: str | None = None
    goal: str | None = None

    @property
    def typed(self) -> bool:
        return self.type == "user.message"


def user_said(record: dict[str, Json], block: dict[str, Json], thread: str) -> Iterator[Said]:
    """The events of one block of a user record (but for tool results). ``user.message`` holds one block each."""
    text = block.get("text")
    if block.get("type") in ("image", "document") and thread == PRIMARY_THREAD and not record.get("isMeta"):
        yield Said("user.message", {"content": [without_bytes(block)]})
    elif not isinstance(text, str):
        yield Said("raw", {"kind": f"user/{fact(block.get('type')) or '?'}", "record": without_bytes(block)})
    elif kind := _machine(record, text):
        yield _system(kind, text, goal=_plan_title(record, text))
    else:
        for piece in pieces(text):
            if piece.kind == "typed":
                yield _typed(piece.text, piece.command, thread)
            elif piece.kind == "interrupt" and thread == PRIMARY_THREAD:
                yield Said("user.interrupt", {"during": "tool_use"} if "tool use" in piece.text else {})
            else:
                yield _system("injected" if piece.kind == "interrupt" else piece.kind, piece.text)


def _typed(text: str, command: str | None, thread: str) -> Said:
    if thread != PRIMARY_THREAD:  # what a sub-agent is told comes from the agent that called it
        return _system("instructions", text)
    return Said("user.message", {"content": [text_block(text)]}, command)


def _system(kind: PieceKind, text: str, goal: str | None = None) -> Said:
    if goal is None and kind == "command" and (name := _between(text, "command-name")):
        goal = f"{name} {_between(text, 'command-args')}".strip()
    return Said("system.message", {"content": [text_block(text)], "kind": kind}, goal=goal)


def _machine(record: dict[str, Json], text: str) -> PieceKind | None:
    """What a record's own marks say: a program wrote all of it. None: look at the words."""
    if record.get("isCompactSummary") is True:
        return "summary"
    if string(record.get("planContent")) or text.startswith(_PLAN):
        return "injected"
    if fact(mapping(record.get("origin")).get("kind")) not in (None, "human", "user"):
        return "injected"
    if record.get("isMeta") is True:
        first = next(pieces(text), None)
        return "instructions" if first is None or first.kind in ("typed", "interrupt") else first.kind
    return None


def _plan_title(record: dict[str, Json], text: str) -> str | None:
    plan = string(record.get("planContent")) or (text.partition(":")[2] if text.startswith(_PLAN) else None)
    return plan and next((line.lstrip("# ") for line in plan.splitlines() if line.strip("# ")), None)


def _between(text: str, tag: str) -> str:
    inside, closed, _ = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")
    return inside.strip() if closed else ""


def tool_result(block: dict[str, Json], structured: Json, tool: str | None) -> list[EventBody]:
    """A tool's result, and what a person did there: refused the call, or answered in their own words.

    ``structured`` is the record's ``toolUseResult``: an object whose shape depends on the tool, or text.
    """
    use = string(block.get("tool_use_id")) or ""
    content = [without_bytes(b) for b in blocks(block.get("content"))]
    text = "\n".join(t for t in (string(b.get("text")) for b in content) if t)
    is_error = block.get("is_error") is True
    facts = mapping(structured)
    payload: dict[str, Json] = {"tool_use_id": use, "content": content, "is_error": is_error}
    if (code := _exit_code(text, facts, tool, is_error)) is not None:
        payload["exit_code"] = code
    if (duration := _duration_ms(facts)) is not None:
        payload["duration_ms"] = duration
    if facts.get("interrupted") is True:
        payload["interrupted"] = True
    stderr = string(facts.get("stderr"))
    if stderr and stderr.strip() not in text:
        payload["stderr"] = stderr
    events: list[EventBody] = [("agent.tool_result", payload)]
    refused, why = denial(structured if isinstance(structured, str) and not text else text)
    if refused and is_error:
        deny: dict[str, Json] = {"tool_use_id": use, "result": "deny"}
        events.append(("user.tool_confirmation", {**deny, "deny_message": why} if why else deny))
    if "answers" in facts:
        for question, answer in _answers(facts):
            events.append(("user.message", {"content": [text_block(answer)], "in_reply_to": question}))
    return events


def _answers(facts: dict[str, Json]) -> list[tuple[str, str]]:
    asked: list[tuple[str, list[str]]] = []
    for question in map(mapping, sequence(facts.get("questions"))):
        options = [string(mapping(o).get("label")) for o in sequence(question.get("options"))]
        asked.append((string(question.get("question")) or "", [o for o in options if o]))
    answers = {q: a.strip() for q, a in mapping(facts.get("answers")).items() if isinstance(a, str)}
    return typed_answers(asked, answers)


def _exit_code(text: str, facts: dict[str, Json], tool: str | None, is_error: bool) -> int | None:
    """The shell tool says "Exit code N" when N is not 0; a plain success is 0, an excused one is not told."""
    if found := _EXIT_CODE.match(text):
        return int(found[1])
    unclear = (
        facts.get("interrupted") or facts.get("returnCodeInterpretation") or facts.get("backgroundTaskId")
    )
    return 0 if tool == _SHELL and "stdout" in facts and not is_error and not unclear else None


def _duration_ms(facts: dict[str, Json]) -> int | None:
    seconds = facts.get("durationSeconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 10**9:
        return round(seconds * 1000)
    found = integer(facts.get("durationMs"))
    return found if found is not None else integer(facts.get("totalDurationMs"))


def assistant_event(block: dict[str, Json], *, synthetic: bool, fallback_id: str) -> EventBody:
    """One block of an assistant message. ``synthetic`` text is the tool's own (an API error), not the model's."""
    kind, text = block.get("type"), block.get("text")
    if kind == "text" and isinstance(text, str):
        content = {"content": [text_block(text)]}
        return (
            ("system.message", {**content, "kind": "injected"}) if synthetic else ("agent.message", content)
        )
    if kind in ("thinking", "redacted_thinking"):
        thought = string(block.get("thinking"))
        return "agent.thinking", {"content": [text_block(thought)]} if thought else {}
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        given = block.get("input")
        return "agent.tool_use", {
            "tool_use_id": string(block.get("id")) or fallback_id,
            "name": string(block.get("name")) or "?",
            "input": mapping(given) if isinstance(given, dict) else {"input": given},
        }
    if isinstance(kind, str) and kind.endswith("_tool_result"):
        return tool_result(block, None, None)[0]
    return "raw", {"kind": f"assistant/{fact(kind) or '?'}", "record": without_bytes(block)}


def without_bytes(block: dict[str, Json]) -> dict[str, Json]:
    """``block`` with the digest and length of its picture in place of the picture."""
    if "source" not in block:
        return block
    source = mapping(block.get("source"))
    data = string(source.get("data"))
    if data is None or source.get("type") == "text":
        return block
    kept = {k: v for k, v in source.items() if k != "data"}
    digest = record_sha256(data.encode("utf-8", "replace"))
    return {**block, "source": {**kept, "omitted_sha256": digest, "omitted_characters": len(data)}}
