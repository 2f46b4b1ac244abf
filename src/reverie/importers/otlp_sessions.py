"""Spans, one after another, folded into sessions.

Every request to a model repeats the history; what is new in it is found by its longest common prefix
with what the thread has heard. The fold never looks ahead (a file that grows gives a log that grows)
and takes what comes in file order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

import msgspec

from reverie.domain.events import PRIMARY_THREAD, Json
from reverie.importers.blocks import content_blocks, json_object
from reverie.importers.messages import Dialogue
from reverie.importers.otlp_messages import Message, Told
from reverie.importers.otlp_spans import Item, structured
from reverie.importers.transcripts import Builder, Said
from reverie.importers.values import string, text_block

__all__ = ["Folded", "tool_name"]

_AGENTS: Final = ("gen_ai.agent.id", "gen_ai.agent.name", "agent.name")
_MODELS: Final = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
_TOOLS: Final = ("gen_ai.tool.name", "tool.name", "traceloop.entity.name", "ai.toolCall.name")
_CALL_IDS: Final = ("gen_ai.tool.call.id", "tool_call.id", "tool.id", "ai.toolCall.id")
_GIVEN: Final = (
    *("gen_ai.tool.call.arguments", "input.value", "tool.parameters", "traceloop.entity.input"),
    *("ai.toolCall.args", "ai.toolCall.input"),
)
_RESULT: Final = (
    *("gen_ai.tool.call.result", "output.value", "traceloop.entity.output"),
    *("ai.toolCall.result", "ai.toolCall.output"),
)
_ALIGNMENTS: Final = 64  # tried at most, so that a made-up history costs little
_TOKENS: Final = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.prompt_tokens": "input_tokens",
    "llm.token_count.prompt": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.completion_tokens": "output_tokens",
    "llm.token_count.completion": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read": "cache_read_input_tokens",
    "gen_ai.usage.cache_creation.input_tokens": "cache_creation_input_tokens",
}


def tool_name(item: Item) -> str:
    """The tool that a span ran."""
    named = item.text(*_TOOLS) or string(item.name.removeprefix("execute_tool "))
    return named or "unknown"


@dataclass(frozen=True, slots=True)
class _Heard:
    """Something said in a request or its answer, and its gist: equal when it is said again."""

    said: Said
    message: Message
    gist: bytes
    at: datetime | None
    thoughts: tuple[Said, ...] = ()  # said before it; a request seldom repeats them, so they are no history


@dataclass(slots=True)
class _Thread:
    """One line of conversation: what its model has heard so far."""

    name: str
    agent: str | None
    prompts: set[bytes] = field(default_factory=set[bytes])
    history: list[bytes] = field(default_factory=list[bytes])
    known: set[bytes] = field(default_factory=set[bytes])

    def new(self, heard: Sequence[_Heard]) -> Sequence[_Heard]:
        """What of ``heard`` the thread does not know; it knows all of it afterwards."""
        gists = [h.gist for h in heard]
        common = _common(self.history, gists)
        if common == len(self.history):
            fresh = heard[common:]
        elif (overlap := _overlap(self.history, gists)) > 0:  # the oldest messages were dropped
            fresh = heard[overlap:]
        else:  # rewritten: a compaction, an edit, a retry
            fresh = [h for h in heard[common:] if h.gist not in self.known]
        self.history = gists
        self.known.update(gists)
        return fresh


@dataclass(slots=True)
class _Call:
    """A tool call in the log. ``span`` facts wait here for a result that the tool's span did not carry."""

    id: str
    name: str
    given: Json
    answered: bool = False
    facts: dict[str, Json] = field(default_factory=dict[str, Json])


class Folded:
    """One session: its events so far, its threads and its open calls."""

    def __init__(self, format: str, uri: str) -> None:
        self.builder = Builder(format, uri)
        self.told: set[str] = set()  # traces whose model spans carried messages
        self._threads: list[_Thread] = []
        self._calls: dict[str, _Call] = {}  # by the source's id, the newest
        self._open: dict[str, _Call] = {}  # by ours, in order
        self._names = 0
        self._inner: dict[tuple[str, str], str] = {}  # tools whose spans stood in another span

    # Requests to a model.

    def exchange(self, item: Item, told: Told) -> bool:
        """A request and its answer; whether it said anything new."""
        dialogue = Dialogue()
        heard = [
            *_heard(told.history, dialogue, item.started_at),
            *_heard(told.answer, dialogue, item.ended_at),
        ]
        prompts = _heard(told.prompts, dialogue, item.started_at)
        agent = item.text(*_AGENTS)
        thread = self._route(item, agent, {p.gist for p in prompts}, [h.gist for h in heard])
        count = len(self.builder.events)
        key = item.key
        for number, prompt in enumerate(prompts):
            if prompt.gist not in thread.prompts:
                thread.prompts.add(prompt.gist)
                self._tell(item, prompt, prompt.said, f"{key}:prompt{number}", thread.name)
        names: dict[str, str] = {}
        for number, one in enumerate(thread.new(heard)):
            for order, thought in enumerate(one.thoughts):
                self._tell(item, one, thought, f"{key}:{number}.thought{order}", thread.name)
            said = self._own(one.said, names)
            if said is not None:
                self._tell(item, one, said, f"{key}:{number}", thread.name)
        self._usage(item, key, thread.name)
        return len(self.builder.events) > count

    def usage(self, item: Item) -> None:
        """A request of which only the bill is known (its messages stand elsewhere)."""
        thread = self._threads[0].name if self._threads else PRIMARY_THREAD
        self._usage(item, item.key, thread)

    def _route(self, item: Item, agent: str | None, prompts: set[bytes], gists: list[bytes]) -> _Thread:
        """The thread a request belongs to: the one whose history it repeats, else its agent's, else a new one."""
        fitting = [t for t in self._threads if agent is None or t.agent in (None, agent)]
        best = max(fitting, key=lambda t: _common(t.history, gists), default=None)
        if best is not None and _common(best.history, gists) > 0:
            return best
        for thread in fitting:
            if (agent is not None and thread.agent == agent) or (agent is None and prompts & thread.prompts):
                return thread
        if self._threads and agent is None and not prompts:
            return self._threads[0]
        return self._begin(item, agent)

    def _begin(self, item: Item, agent: str | None) -> _Thread:
        names = {t.name for t in self._threads}
        name = PRIMARY_THREAD if not self._threads else agent or f"thread {len(self._threads)}"
        while name in names:
            name += "+"
        thread = _Thread(name, agent)
        if self._threads:
            shown = item.text("gen_ai.agent.name", "agent.name") or agent
            said = Said("session.thread_created", {"thread": name, "agent": shown})
            self._add(item, said, "", f"{item.key}:thread", item.started_at, PRIMARY_THREAD)
        self._threads.append(thread)
        return thread

    def _own(self, said: Said, names: dict[str, str]) -> Said | None:
        """``said`` with the log's ids of its calls; None for a result that is in the log already."""
        if said.type == "agent.tool_use":
            given = str(said.payload["tool_use_id"])
            call = self._call(given, str(said.payload["name"]), said.payload["input"])
            names[given] = call.id
            return Said(said.type, {**said.payload, "tool_use_id": call.id}, said.inside, said.native_id)
        if said.type == "agent.tool_result":
            given = str(said.payload["tool_use_id"])
            call = self._calls.get(names.get(given, given)) or self._calls.get(given)
            if call is None:
                return said
            if call.answered:
                return None
            self._close(call)
            return Said(
                said.type, {**said.payload, "tool_use_id": call.id, **call.facts}, said.inside, said.native_id
            )
        return said

    def _call(self, native: str, name: str, given: Json) -> _Call:
        self._names += 1
        ours = f"{native}~{self._names}" if native in self._calls else native
        call = _Call(ours, name, given)
        self._calls[native] = self._calls[ours] = self._open[ours] = call
        return call

    def _close(self, call: _Call) -> None:
        call.answered = True
        self._open.pop(call.id, None)

    def _usage(self, item: Item, key: str, thread: str) -> None:
        usage = {
            ours: count
            for theirs, ours in reversed(_TOKENS.items())
            if isinstance(count := item.attributes.get(theirs), int)
        }
        if usage or item.failed:
            payload: dict[str, Json] = {"model": item.text(*_MODELS), "usage": usage}
            if item.failed:
                payload["error"] = item.status or item.text("error.type") or "failed"
            self._add(
                item, Said("span.model_request_end", payload), "", f"{key}:usage", item.ended_at, thread
            )

    # Tools.

    def tool(self, item: Item) -> bool:
        """A tool's span: the result of a call that is open, or call and result in one; False for a repetition."""
        native, name = item.text(*_CALL_IDS), tool_name(item)
        if self._inner.get((item.trace, item.span)) == name:  # a client's span inside it told the same
            return False
        given = next((item.attributes[k] for k in _GIVEN if item.attributes.get(k) is not None), None)
        call = self._calls.get(native) if native else self._fitting(name, given)
        if call is not None and call.answered:
            return False
        self._inner[item.trace, item.parent] = name
        thread, key = self._thread_of(item), item.key
        if call is None:
            call = self._call(native or f"span {item.span}", name, given)
            payload = {"tool_use_id": call.id, "name": name, "input": json_object(structured(given))}
            self._add(item, Said("agent.tool_use", payload), "", f"{key}:use", item.started_at, thread)
            self._answer(item, call, key, thread, final=True)
        else:
            self._answer(item, call, key, thread, final=False)
        return True

    def _answer(self, item: Item, call: _Call, key: str, thread: str, *, final: bool) -> None:
        """The result, if the span has it; what it has besides waits for the result in the next request."""
        found = next((k for k in _RESULT if item.attributes.get(k) is not None), None)
        call.facts = {"duration_ms": item.duration_ms} if item.duration_ms is not None else {}
        if item.failed:
            call.facts["is_error"] = True
        if found is None and not final:
            return
        self._close(call)
        shown = content_blocks(structured(item.attributes[found])) if found is not None else _failure(item)
        payload = {"tool_use_id": call.id, "content": shown, "is_error": False, **call.facts}
        place = item.place(found) if found is not None else ""
        self._add(item, Said("agent.tool_result", payload), place, f"{key}:result", item.ended_at, thread)

    def _fitting(self, name: str, given: Json) -> _Call | None:
        """The oldest open call of the tool, by its arguments if both sides tell them."""
        waiting = (c for c in self._open.values() if not c.facts and c.name == name)
        if given is None:
            return next(waiting, None)
        wanted = json_object(structured(given))
        return next((c for c in waiting if c.given == wanted), None)

    def _thread_of(self, item: Item) -> str:
        agent = item.text(*_AGENTS)
        return next((t.name for t in self._threads if agent is not None and t.agent == agent), PRIMARY_THREAD)

    # Anything.

    def note(self, item: Item, kind: str) -> None:
        """A span that is no message and no tool, kept as it is."""
        said = Said("raw", {"kind": kind, "record": {"name": item.name, "attributes": dict(item.attributes)}})
        self._add(
            item,
            said,
            "",
            f"{item.trace}:{item.span or item.node.pointer}:{kind}",
            item.started_at,
            PRIMARY_THREAD,
        )

    def _tell(self, item: Item, heard: _Heard, said: Said, key: str, thread: str) -> None:
        node = heard.message.node or item.node
        placed = Said(said.type, said.payload, heard.message.place, said.native_id)
        self.builder.add([placed], node, key, at=heard.at, thread=thread)

    def _add(self, item: Item, said: Said, place: str, key: str, at: datetime | None, thread: str) -> None:
        placed = Said(said.type, said.payload, place, said.native_id)
        self.builder.add([placed], item.node, key, at=at, thread=thread)


def _heard(messages: Sequence[Message], dialogue: Dialogue, at: datetime | None) -> list[_Heard]:
    found: list[_Heard] = []
    thoughts: list[Said] = []
    for message in messages:
        for said in dialogue.read(message.record):
            if said.type == "agent.thinking":
                thoughts.append(said)
            elif said.type != "span.model_request_end":
                found.append(_Heard(said, message, _gist(said), at, tuple(thoughts)))
                thoughts = []
        found += [_Heard(thought, message, _gist(thought), at) for thought in thoughts]
        thoughts = []
    return found


def _gist(said: Said) -> bytes:
    """What was said, without ids and flags: a digest."""
    payload = said.payload
    told = (said.type, payload.get("name"), payload.get("input"), payload.get("content"))
    return hashlib.sha256(msgspec.json.encode(told)).digest()


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    """How many the two have in common at their beginnings."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _overlap(history: Sequence[bytes], heard: Sequence[bytes]) -> int:
    """The length of the longest end of ``history`` (two or more) that ``heard`` begins with."""
    starts = (n for n, gist in enumerate(history) if heard and gist == heard[0])
    for start in islice(starts, _ALIGNMENTS):
        length = len(history) - start
        if length > 1 and list(heard[:length]) == list(history[start:]):
            return length
    return 0


def _failure(item: Item) -> list[dict[str, Json]]:
    """What a failed span says of its failure: its status, else its exception."""
    told = [item.status] if item.status else []
    for event in item.events if not told else ():
        if event.name == "exception":
            told += [
                t for k in ("exception.type", "exception.message") if (t := string(event.attributes.get(k)))
            ]
    return [text_block(": ".join(told))] if told and item.failed else []
