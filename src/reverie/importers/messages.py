"""Messages of one conversation, in whatever dialect: OpenAI chat, OpenAI Responses, Anthropic, and kin.

A record is known by its shape, not by a declared format: logs mix dialects (a gateway that speaks two
of them, a framework that adds its own part types), and one reader for all of them loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from reverie.domain.events import Json
from reverie.importers.blocks import block, content_blocks, json_object, json_text, parts
from reverie.importers.claude_words import pieces
from reverie.importers.transcripts import Said
from reverie.importers.values import integer, mapping, sequence, string, text_block

__all__ = ["Dialogue", "exit_code_of", "instructions", "is_error", "is_message", "role_of", "usage_said"]

_ROLES: Final = {
    **dict.fromkeys(("system", "developer", "instructions"), "system"),
    **dict.fromkeys(("user", "human", "person"), "user"),
    **dict.fromkeys(("assistant", "ai", "gpt", "model", "agent", "bot", "chatgpt", "gemini"), "assistant"),
    **dict.fromkeys(
        ("tool", "function", "tool_result", "toolresult", "function_response", "observation"), "tool"
    ),
}
_REASONING: Final = ("reasoning_content", "reasoning", "thinking")
_SPOKEN: Final = (*_REASONING, "function_call", "refusal", "output", "result")
_THOUGHTS: Final = frozenset({"thinking", "reasoning", "redacted_thinking"})
_USES: Final = frozenset(
    {"tool_use", "server_tool_use", "mcp_tool_use", "tool-call", "tool_call", "toolCall"}
)
_RESULTS: Final = frozenset(
    {"tool_result", "tool-result", "toolResult", "function_result", "tool_call_response"}
)
_ITEMS: Final = _THOUGHTS | _USES | _RESULTS
_CONTENT: Final = ("content", "value", "parts", "text", "message")
_ENVELOPES: Final = frozenset({"output", "choices", "message", "data"})
_CALLS: Final = ("tool_calls", "toolCalls")
_IDS: Final = ("tool_call_id", "tool_use_id", "call_id", "toolCallId")
_OUTPUTS: Final = ("output", "outputs", "result", "results", "response", "content", "value")
_ARGUMENTS: Final = ("arguments", "input", "args", "parameters", "action", "operation", "code", "queries")
_EXIT_CODES: Final = ("exit_code", "exitCode", "returncode", "return_code")
_FAILED: Final = frozenset({"error", "failed", "failure"})
# A text that is one of these elements from end to end is a harness's, not a person's.
_SCAFFOLD: Final = re.compile(
    r"\s*<(user_info|environment_context|environment_details|user_instructions|system_reminder|git_status"
    r"|project_layout|additional_data|open_files|context)\b"
)


def role_of(record: dict[str, Json]) -> str | None:
    """system, user, assistant or tool; another role as it is; None where the record has none."""
    role = string(record.get("role")) or string(record.get("from"))
    if role is None and ("content" in record or "data" in record):
        kind = string(record.get("type"))  # LangChain: {"type": "human", "content": …}
        role = kind if kind in _ROLES else None
    return None if role is None else _ROLES.get(role.lower(), role)


def is_message(record: dict[str, Json]) -> bool:
    """Whether the record is one turn (or item) of a conversation."""
    kind = string(record.get("type")) or ""
    return (
        role_of(record) is not None
        or kind in _ITEMS
        or kind.endswith(("_call", "_call_output"))
        or record.get("object") in ("response", "chat.completion")
        or (bool(mapping(record.get("message"))) and role_of(mapping(record["message"])) is not None)
    )


def is_error(record: dict[str, Json]) -> bool:
    """Whether the source itself says that a call failed (the text of a result is not asked)."""
    flags = (record.get("is_error"), record.get("isError"), record.get("error"))
    return any(flag is True or (flag and not isinstance(flag, bool)) for flag in flags) or (
        string(record.get("status")) in _FAILED
    )


def exit_code_of(record: dict[str, Json]) -> int | None:
    """The exit status of a command, where the record has one under a name of its own."""
    return next((code for name in _EXIT_CODES if (code := integer(record.get(name))) is not None), None)


def usage_said(record: dict[str, Json], model: str | None = None, inside: str = "/usage") -> Iterator[Said]:
    """The tokens of one model response, under the wire's names, if the record tells them."""
    if "usage" not in record:
        return
    usage = mapping(record.get("usage"))
    details = mapping(usage.get("prompt_tokens_details")) or mapping(usage.get("input_tokens_details"))
    named = {
        "input_tokens": usage.get("input_tokens", usage.get("prompt_tokens")),
        "output_tokens": usage.get("output_tokens", usage.get("completion_tokens")),
        "cache_read_input_tokens": usage.get("cache_read_input_tokens", details.get("cached_tokens")),
        "cache_creation_input_tokens": usage.get("cache_creation_input_tokens"),
    }
    counted = {name: count for name, value in named.items() if (count := integer(value)) is not None}
    if counted:
        model = string(record.get("model")) or model
        yield Said("span.model_request_end", {"model": model, "usage": counted}, inside)


class Dialogue:
    """Reads the records of one conversation in order.

    It remembers the calls that are open: a result without an id answers the oldest open call (of its
    name, if it has one), and an id that a tool gives twice is made unique, so that every result in the
    log belongs to exactly one call.
    """

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}  # the source's id of a call → its id in the log, the newest
        self._open: list[tuple[str, str]] = []  # (id in the log, tool) of calls without a result yet
        self._count = 0

    @property
    def waiting(self) -> bool:
        """Whether a call has no result yet."""
        return bool(self._open)

    def read(self, record: dict[str, Json], inside: str = "") -> list[Said]:
        """What the record says, in order; a ``raw`` event for a record that is no message we know."""
        kind = string(record.get("type")) or ""
        if (kind.endswith("_output") and "call_id" in record) or (
            kind in _RESULTS and role_of(record) is None
        ):
            return [self.answer(record, inside)]
        if kind.endswith("_call") or (kind in _USES and role_of(record) is None):
            return self._item_call(kind, record, inside)
        if kind in _THOUGHTS or kind == "compaction":
            return list(_thought(record, inside)) if kind != "compaction" else _compaction(record, inside)
        if kind == "mcp_approval_response":
            return [_approval(record, inside)]
        return self._whole(record, inside) or self._turn(record, inside)

    def _whole(self, record: dict[str, Json], inside: str) -> list[Said]:
        """Response objects and envelopes: the messages in them, and the tokens they took."""
        if _ENVELOPES.isdisjoint(record):
            return []
        found: list[Said] = []
        role = role_of(record)
        for number, item in enumerate(sequence(record.get("output")) if role is None else ()):
            found += self.read(mapping(item), f"{inside}/output/{number}")
        for number, choice in enumerate(sequence(record.get("choices"))[:1]):
            found += self.read(mapping(mapping(choice).get("message")), f"{inside}/choices/{number}/message")
        for name in ("message", "data"):
            inner = mapping(record.get(name))
            if role_of(inner) is not None:
                found += self.read(inner, f"{inside}/{name}")
            elif name == "data" and inner and role is not None and "content" not in record:
                found += self._turn({**inner, "role": role}, f"{inside}/{name}")
        return [*found, *usage_said(record, inside=f"{inside}/usage")] if found else []

    def _turn(self, record: dict[str, Json], inside: str) -> list[Said]:
        role = role_of(record)
        name = next((n for n in _CONTENT if n in record), None)
        content, where = record.get(name) if name else None, f"{inside}/{name or 'content'}"
        if name == "message" and "content" in mapping(content):  # {"role": …, "message": {"content": …}}
            return self._turn({**mapping(content), "role": role}, where)
        empty = name is None and not any(key in record for key in (*_CALLS, *_SPOKEN))
        if role == "user" and not empty:
            return list(self._user(content, where))
        if role == "assistant" and not empty:
            return list(self._assistant(record, content, inside, where))
        if role == "tool" and not empty:
            return self._results(record, content, inside, where)
        return instructions(content, where) if role == "system" else [_raw(role, record, inside)]

    # What each side of the conversation says.

    def _user(self, content: Json, where: str) -> Iterator[Said]:
        """What a person typed, parted from what a program wrote in the person's name."""
        held: list[dict[str, Json]] = []
        place = where
        for inside, part in parts(content):
            for said in self._user_part(part, where + inside):
                if said.type == "user.message":
                    place = place if held else said.inside
                    held += sequence(said.payload["content"])
                    continue
                yield from _person(held, place)
                held = []
                yield said
        yield from _person(held, place)

    def _user_part(self, part: Json, where: str) -> Iterator[Said]:
        found = mapping(part)
        if string(found.get("type")) in _RESULTS:
            yield self.answer(found, where)
            return
        shown = block(part)
        if shown.get("type") != "text":
            yield Said("user.message", {"content": [shown]}, where)
            return
        text = string(shown.get("text")) or ""
        scaffold = _SCAFFOLD.match(text)
        if scaffold is not None and text.rstrip().endswith(f"</{scaffold[1]}>"):
            yield Said("system.message", {"content": [text_block(text)], "kind": "injected"}, where)
            return
        for piece in pieces(text):
            said = {"content": [text_block(piece.text)]}
            if piece.kind == "typed":
                yield Said("user.message", said, where)
            elif piece.kind == "interrupt":
                yield Said("user.interrupt", {"reason": piece.text}, where)
            else:
                yield Said("system.message", {**said, "kind": piece.kind}, where)

    def _assistant(self, record: dict[str, Json], content: Json, inside: str, where: str) -> Iterator[Said]:
        for name in _REASONING:
            if isinstance(record.get(name), str):
                yield from _thought({"text": record[name]}, f"{inside}/{name}")
                break
        for place, part in parts(content):
            yield from self._assistant_part(part, where + place)
        if string(record.get("refusal")):
            yield _agent(text_block(cast(str, record["refusal"])), f"{inside}/refusal")
        for name in _CALLS:
            for number, call in enumerate(sequence(record.get(name))):
                yield self.call(mapping(call), f"{inside}/{name}/{number}")
        if mapping(record.get("function_call")):
            yield self.call(mapping(record["function_call"]), f"{inside}/function_call")
        yield from usage_said(record, inside=f"{inside}/usage")

    def _assistant_part(self, part: Json, where: str) -> Iterator[Said]:
        found = mapping(part)
        kind = string(found.get("type")) or ""
        if kind in _THOUGHTS:
            yield from _thought(found, where)
        elif kind in _USES:
            yield self.call(found, where)
        elif kind in _RESULTS or kind.endswith("_tool_result"):
            yield self.answer(found, where)
        else:
            shown = block(part)
            if shown.get("type") != "text" or string(shown.get("text")):
                yield _agent(shown, where)

    def _results(self, record: dict[str, Json], content: Json, inside: str, where: str) -> list[Said]:
        """A tool's turn: one result, or several as parts."""
        several = [
            (place, mapping(p)) for place, p in parts(content) if string(mapping(p).get("type")) in _RESULTS
        ]
        if several:
            return [self.answer(part, where + place) for place, part in several]
        return [self.answer(record, inside)]

    def _item_call(self, kind: str, record: dict[str, Json], inside: str) -> list[Said]:
        """A call of the Responses API; the tools that the API runs itself carry their result along."""
        name = string(record.get("name")) or string(record.get("toolName")) or kind.removesuffix("_call")
        found = [self.call({**record, "name": name}, inside)]
        if any(record.get(key) is not None for key in ("output", "outputs", "results", "error")):
            found.append(self.answer(record, inside))
        return found

    # Calls and their results.

    def call(self, record: dict[str, Json], inside: str) -> Said:
        """One tool call, whatever its dialect."""
        function = mapping(record.get("function")) or mapping(record.get("custom")) or record
        name = string(function.get("name")) or string(record.get("toolName")) or "unknown"
        given = next((function[key] for key in _ARGUMENTS if function.get(key) is not None), None)
        native = _call_id(record) or _id(record.get("id"))
        ours = self._register(native, name)
        payload = {"tool_use_id": ours, "name": name, "input": json_object(given)}
        return Said("agent.tool_use", payload, inside, native)

    def answer(self, record: dict[str, Json], inside: str) -> Said:
        """One tool result, whatever its dialect."""
        native = _call_id(record)
        if native is None and _id(record.get("id")) in self._ours:  # else it is the message's own id
            native = _id(record.get("id"))
        name = string(record.get("name")) or string(record.get("toolName"))
        output = next((record[key] for key in _OUTPUTS if record.get(key) is not None), None)
        if output is None and record.get("error") is not None:
            output = record["error"]
        failed = is_error(record)
        code = exit_code_of(record) if exit_code_of(record) is not None else exit_code_of(mapping(output))
        payload: dict[str, Json] = {
            "tool_use_id": self._answered(native, name),
            "content": content_blocks(output if isinstance(output, str | list | dict) else json_text(output)),
            "is_error": failed or bool(code),
        }
        if output is None:
            payload["content"] = []
        if code is not None:
            payload["exit_code"] = code
        return Said("agent.tool_result", payload, inside, native)

    def _register(self, native: str | None, name: str) -> str:
        self._count += 1
        ours = (
            native if native is not None and native not in self._ours else f"{native or 'call'}~{self._count}"
        )
        if native is not None:
            self._ours[native] = ours
        self._open.append((ours, name))
        return ours

    def _answered(self, native: str | None, name: str | None) -> str:
        if native is not None:
            ours = self._ours.get(native, native)
        else:
            fitting = [call for call, tool in self._open if tool == name] or [call for call, _ in self._open]
            ours = fitting[0] if fitting else f"result~{self._count}"
        self._open = [(call, tool) for call, tool in self._open if call != ours]
        return ours


def _id(value: Json) -> str | None:
    return (
        str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )


def _call_id(record: dict[str, Json]) -> str | None:
    return next((found for key in _IDS if (found := _id(record.get(key))) is not None), None)


def _raw(role: str | None, record: dict[str, Json], inside: str) -> Said:
    return Said("raw", {"kind": string(record.get("type")) or role or "unknown", "record": record}, inside)


def _agent(shown: dict[str, Json], inside: str) -> Said:
    return Said("agent.message", {"content": [shown]}, inside)


def _person(held: list[dict[str, Json]], inside: str) -> Iterator[Said]:
    if held:
        yield Said("user.message", {"content": held}, inside)


def instructions(content: Json, inside: str = "") -> list[Said]:
    """A prompt of the system or the developer."""
    shown = content_blocks(content)
    return [Said("system.message", {"content": shown, "kind": "instructions"}, inside)] if shown else []


def _thought(record: dict[str, Json], inside: str) -> Iterator[Said]:
    """Reasoning in the open; encrypted or signature-only reasoning says nothing."""
    told = [record.get(name) for name in ("thinking", "text", "summary", "content", "reasoning")]
    shown = [b for value in told if isinstance(value, str | list) for b in content_blocks(cast(Json, value))]
    if shown:
        yield Said("agent.thinking", {"content": shown}, inside)


def _compaction(record: dict[str, Json], inside: str) -> list[Said]:
    return [Said("agent.thread_context_compacted", {}, inside, string(record.get("id")))]


def _approval(record: dict[str, Json], inside: str) -> Said:
    """A person's answer to "may this tool run?"."""
    payload: dict[str, Json] = {
        "tool_use_id": _id(record.get("approval_request_id")) or "",
        "result": "allow" if record.get("approve") is True else "deny",
    }
    if string(record.get("reason")):
        payload["deny_message"] = record["reason"]
    return Said("user.tool_confirmation", payload, inside)
