"""Claude Code records, one at a time, into the events of the sessions they belong to.

Every record belongs to the session its ``sessionId`` names (a resumed session's file may begin with
records of the session it resumed; they go where they came from, and their ``uuid`` keeps them from
counting twice). Nothing here looks ahead: the events of a file cut short are a prefix of its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, TypeAlias

from reverie.domain.events import PRIMARY_THREAD, EventType, Json, JsonObject, Origin, record_sha256
from reverie.domain.imports import Skipped, Used
from reverie.domain.sessions import Transcript
from reverie.importers.claude_blocks import EventBody, assistant_event, tool_result, user_said
from reverie.importers.claude_notes import attachment_note, system_note
from reverie.importers.claude_state import PromptQueue, ReplyTree, SeenRecords
from reverie.importers.draft import Draft
from reverie.importers.jsonl import Row
from reverie.importers.values import (
    blocks,
    fact,
    headline,
    instant,
    integer,
    mapping,
    sequence,
    string,
    text_block,
)

__all__ = [
    "FORMAT",
    "Fold",
    "Line",
]

FORMAT: Final = "claude-code"

Account: TypeAlias = Used | Skipped

_TICK: Final = Skipped("progress tick")
_HISTORY: Final = Skipped("file history")
_SETTINGS: Final = Skipped("settings of the tool")
_NOISE: Final = {
    "progress": _TICK,
    "file-history-snapshot": _HISTORY,
    "file-history-delta": _HISTORY,
    "permission-mode": _SETTINGS,
    "mode": _SETTINGS,
    "worktree-state": _SETTINGS,
    "relocated": _SETTINGS,
    "bridge-session": _SETTINGS,
    "last-prompt": Skipped("a copy of the last prompt"),
}
_TITLES: Final = {"summary": "summary", "ai-title": "aiTitle", "custom-title": "customTitle"}
_ENVELOPE: Final = ("cwd", "gitBranch", "version", "entrypoint", "slug")
_USAGE: Final = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


@dataclass(slots=True)
class Line:
    """One record on its way: where it stands, and the session and thread it belongs to."""

    row: Row
    value: dict[str, Json]
    sha256: str
    uri: str
    draft: Draft
    thread: str
    key: str
    at: datetime | None
    pointer: str = ""

    def emit(self, type: EventType, payload: JsonObject, pointer: str = "", tag: int = 0) -> None:
        """``pointer`` is the place inside the record; ``tag`` tells apart the events of one place."""
        key = f"{self.key}{pointer}!{tag}" if tag else f"{self.key}{pointer}"
        self.draft.add(type, payload, key=key, at=self.at, origin=self.origin(pointer), thread=self.thread)

    def origin(self, pointer: str = "") -> Origin:
        place, uuid = self.pointer + pointer, string(self.value.get("uuid"))
        return Origin(FORMAT, self.uri, self.row.line, place or None, uuid, self.sha256)


@dataclass(slots=True)
class _Response:
    """A model response that is spread over several records."""

    id: str
    model: str | None
    usage: dict[str, Json]
    line: Line
    told: bool


class Fold:
    """Takes the records of one file (and of its sub-agents' files) in order; gives transcripts at the end."""

    def __init__(self, own_session: str, agents_with_files: set[str]) -> None:
        self.called: list[
            tuple[str, str]
        ] = []  # (tool-use or agent id, tool-use id) the last record mentions
        self._own_session = own_session
        self._agents_with_files = agents_with_files
        self._drafts: dict[str, Draft] = {}
        self._seen = SeenRecords()
        self._queue = PromptQueue()
        self._tree = ReplyTree()
        self._tools: dict[str, str] = {}  # tool-use id → name
        self._responses: dict[tuple[str, str], _Response] = {}  # (session, thread) → its latest response
        self._usage: dict[tuple[str, str], dict[str, Json]] = {}  # (session, response id) → last known usage
        self._sidechains: dict[str, str] = {}  # uuid → thread, for sub-agents inside the session's own file
        self._count = 0
        self._envelope: tuple[Json, ...] = ()

    def take(self, row: Row, uri: str) -> Account:
        """Account for one record of the session's own file."""
        value = row.value
        kind = value.get("type")
        if kind == "progress":
            return self._progress(row, uri)
        if isinstance(kind, str) and kind in _NOISE:
            return _NOISE[kind]
        if value.get("forkedFrom"):
            return Skipped("history copied from another session")
        session = fact(value.get("sessionId")) or self._own_session
        return self._take(row, value, uri, session, self._sidechain(value))

    def take_agent(self, row: Row, uri: str, agent: str, kind: str | None, call: str | None) -> Account:
        """Account for one record of a sub-agent's file; ``call`` is the tool use that started it."""
        name = row.value.get("type")
        if isinstance(name, str) and name in _NOISE:
            return _NOISE[name]
        return self._take(row, row.value, uri, self._own_session, agent, call=call, kind=kind)

    def transcripts(self) -> Iterator[Transcript]:
        for session, draft in self._drafts.items():
            usages = [_tokens(usage) for (owner, _), usage in self._usage.items() if owner == session]
            if usages:
                draft.extra["usage"] = {name: sum(u.get(name, 0) for u in usages) for name in _USAGE}
                draft.extra["responses"] = len(usages)
            if draft.events:
                yield draft.transcript()

    # --- where a record belongs -------------------------------------------------------------------

    def _take(
        self,
        row: Row,
        value: dict[str, Json],
        uri: str,
        session: str,
        thread: str,
        *,
        pointer: str = "",
        call: str | None = None,
        kind: str | None = None,
    ) -> Account:
        self._count += 1
        self.called.clear()
        sha = record_sha256(row.raw)
        key, why = self._seen.admit(fact(value.get("uuid")), sha, session)
        if key is None:
            return Skipped(why)
        draft = self._drafts.get(session)
        if draft is None:
            draft = self._drafts[session] = Draft(FORMAT, session, FORMAT)
        at = instant(value.get("timestamp"))
        line = Line(row, value, sha, uri, draft, thread, key, at, pointer)
        self._facts(line)
        if thread != PRIMARY_THREAD:
            self._open_thread(line, call, kind or fact(value.get("attributionAgent")))
        self._tree.grow(value)
        return self._handled(line)

    def _facts(self, line: Line) -> None:
        draft, value = line.draft, line.value
        draft.saw(line.at)
        known = (draft.native_id, *(value.get(name) for name in _ENVELOPE))
        if known == self._envelope:  # nearly always: the records of one file differ little
            return
        self._envelope = known
        draft.cwd = draft.cwd or fact(value.get("cwd"))
        draft.branch = draft.branch or fact(value.get("gitBranch"))
        draft.agent_version = fact(value.get("version")) or draft.agent_version
        for name in ("entrypoint", "slug"):
            if name not in draft.extra and (found := fact(value.get(name))):
                draft.extra[name] = found

    def _sidechain(self, value: dict[str, Json]) -> str:
        """The thread of a record in the session's own file: sub-agents used to be written there."""
        if value.get("isSidechain") is not True:
            return PRIMARY_THREAD
        uuid = fact(value.get("uuid")) or ""
        parent = value.get("parentUuid")
        above = self._sidechains.get(parent) if isinstance(parent, str) else None
        thread = fact(value.get("agentId")) or above or uuid or "sidechain"
        self._sidechains[uuid] = thread
        return thread

    def _open_thread(self, line: Line, call: str | None, kind: str | None) -> None:
        key = f"thread:{line.thread}"
        if key in line.draft.keys:
            return
        found = {"thread": line.thread, "parent_tool_use_id": call, "agent": kind}
        payload = {name: value for name, value in found.items() if value}
        line.draft.add("session.thread_created", payload, key=key, at=line.at, origin=line.origin())

    # --- records ----------------------------------------------------------------------------------

    def _handled(self, line: Line) -> Account:
        kind = line.value.get("type")
        name = kind if isinstance(kind, str) else "?"
        handler = self._HANDLERS.get(name)
        return self._raw(line, name) if handler is None else handler(self, line)

    def _raw(self, line: Line, kind: str) -> Account:
        line.emit("raw", {"kind": kind[:100], "record": line.value})
        return Used()

    def _user(self, line: Line) -> Account:
        content = mapping(line.value.get("message")).get("content")
        items = blocks(content)
        if not items:
            return self._raw(line, "user")
        typed: list[dict[str, Json]] = []
        command: str | None = None
        for where, block in _placed(content, items):
            if block.get("type") == "tool_result":
                self._tool_result(line, block, where)
                continue
            for number, said in enumerate(user_said(line.value, block, line.thread)):
                if said.typed:
                    typed += said.payload["content"]
                    command = command or said.command
                else:
                    line.emit(said.type, said.payload, where, number)
                if said.goal and line.thread == PRIMARY_THREAD:
                    line.draft.fallback_goal = line.draft.fallback_goal or headline(said.goal)
        if not typed:
            return Used()
        if self._queue.copy_of_delivered(_text(typed), self._count):
            return Used() if len(items) > 1 else Skipped("a copy of a queued prompt")
        return self._typed(line, typed, command, alone=all(b.get("type") != "tool_result" for b in items))

    def _typed(
        self, line: Line, typed: list[dict[str, Json]], command: str | None, *, alone: bool
    ) -> Account:
        payload: dict[str, Json] = {"content": typed}
        if command:
            payload["command"] = command
        if alone and (replaced := self._tree.replaced_by(line.value)):
            payload["rewind_of"] = replaced
        line.emit("user.message", payload, "/message/content", 1)
        return Used()

    def _tool_result(self, line: Line, block: dict[str, Json], where: str) -> None:
        use = string(block.get("tool_use_id")) or ""
        structured = line.value.get("toolUseResult")
        if agent := fact(mapping(structured).get("agentId")):
            self.called.append((agent, use))
        for number, (kind, payload) in enumerate(tool_result(block, structured, self._tools.get(use))):
            line.emit(kind, payload, where, number)

    def _assistant(self, line: Line) -> Account:
        message = mapping(line.value.get("message"))
        content = message.get("content")
        items = blocks(content)
        if not items and not message:
            return self._raw(line, "assistant")
        synthetic = line.value.get("isApiErrorMessage") is True or message.get("model") == "<synthetic>"
        response = None if synthetic else self._response(line, message)
        for where, block in _placed(content, items):
            kind, payload = assistant_event(block, synthetic=synthetic, fallback_id=f"{line.key}{where}")
            line.emit(kind, payload, where)
            if kind == "agent.tool_use":
                use = payload["tool_use_id"]
                self._tools[use] = payload["name"]
                self.called.append((use, use))
        if response is not None:
            self._count_tokens(response, line, message)
        return Used()

    def _system(self, line: Line) -> Account:
        return self._note(line, "system", line.value.get("subtype"), system_note(line.value))

    def _attachment(self, line: Line) -> Account:
        attachment = mapping(line.value.get("attachment"))
        if attachment.get("type") != "queued_command":
            return self._note(line, "attachment", attachment.get("type"), attachment_note(attachment))
        text = _text(blocks(attachment.get("prompt")))
        if not text:
            return self._raw(line, "attachment/queued_command")
        if self._queue.copy_of_delivered(text, self._count):
            return Skipped("a copy of a queued prompt")
        return self._delivered(line, text, "/attachment/prompt")

    def _note(self, line: Line, name: str, inner: Json, note: EventBody | Skipped | None) -> Account:
        if isinstance(note, Skipped):
            return note
        if note is None:
            return self._raw(line, f"{name}/{inner}" if isinstance(inner, str) else name)
        line.emit(*note)
        return Used()

    def _queue_operation(self, line: Line) -> Account:
        text = self._queue.operate(line.value, self._count)
        return Skipped("bookkeeping of queued prompts") if text is None else self._delivered(line, text, "")

    def _delivered(self, line: Line, text: str, pointer: str) -> Account:
        """A prompt that reached the agent in the middle of its turn."""
        for number, said in enumerate(user_said({}, text_block(text), line.thread)):
            line.emit(said.type, {**said.payload, "queued": True}, pointer, number)
        return Used()

    def _progress(self, row: Row, uri: str) -> Account:
        """A sub-agent's messages, where there is no file of the sub-agent's own."""
        data = mapping(row.value.get("data"))
        message, agent = mapping(data.get("message")), fact(data.get("agentId"))
        if not agent or message.get("type") not in ("user", "assistant"):
            return _TICK
        if agent in self._agents_with_files:
            return Skipped("a copy of what the sub-agent's own file says")
        session = fact(row.value.get("sessionId")) or self._own_session
        call = fact(row.value.get("parentToolUseID"))
        return self._take(row, message, uri, session, agent, pointer="/data/message", call=call)

    # --- tokens -----------------------------------------------------------------------------------

    def _response(self, line: Line, message: dict[str, Json]) -> _Response:
        """The response that a record is part of. Another one than before: the one before is complete."""
        response_id = string(message.get("id")) or string(line.value.get("requestId")) or line.key
        place = (line.draft.native_id, line.thread)
        response = self._responses.get(place)
        if response is not None and response.id == response_id:
            return response
        if response is not None:
            self._tell(response)
        model = fact(message.get("model"))
        if model and line.thread == PRIMARY_THREAD:
            line.draft.models[model] += 1
        told = f"usage:{response_id}" in line.draft.keys
        self._responses[place] = response = _Response(response_id, model, {}, line, told)
        return response

    def _count_tokens(self, response: _Response, line: Line, message: dict[str, Json]) -> None:
        """Tokens count once per response. Its records repeat ``usage``; the last one has it whole."""
        usage = mapping(message.get("usage"))
        if usage:
            response.usage, response.line = usage, line
            self._usage[line.draft.native_id, response.id] = usage
        if message.get("stop_reason") is not None:
            self._tell(response)

    def _tell(self, response: _Response) -> None:
        if response.told or not response.usage:
            return
        response.told = True
        line = response.line
        payload = {"model": response.model, "usage": _tokens(response.usage)}
        where = line.origin("/message/usage")
        key = f"usage:{response.id}"
        line.draft.add(
            "span.model_request_end", payload, key=key, at=line.at, origin=where, thread=line.thread
        )

    # --- facts ------------------------------------------------------------------------------------

    def _title(self, line: Line) -> Account:
        """The session's title. A ``summary`` may be another session's: it names the record it is about."""
        about = line.value.get("leafUuid")
        if isinstance(about, str) and about not in self._seen.known:
            return Skipped("the title of another session")
        text = string(line.value.get(_TITLES[str(line.value.get("type"))]))
        if text and (title := headline(text)):
            line.draft.extra["title"] = title
        return Used()

    def _agent_name(self, line: Line) -> Account:
        line.draft.extra["agent_name"] = fact(line.value.get("agentName"))
        return Used()

    def _pull_request(self, line: Line) -> Account:
        url = fact(line.value.get("prUrl"))
        known = sequence(line.draft.extra.setdefault("pull_requests", []))
        if url and url not in known:
            known.append(url)
        return Used()

    # Functions and not bound methods: a fold that held on to itself would hold on to all it has read.
    _HANDLERS: ClassVar[dict[str, Callable[[Fold, Line], Account]]] = {
        "user": _user,
        "assistant": _assistant,
        "system": _system,
        "attachment": _attachment,
        "queue-operation": _queue_operation,
        "pr-link": _pull_request,
        "agent-name": _agent_name,
        **dict.fromkeys(_TITLES, _title),
    }


def _placed(content: Json, items: list[dict[str, Json]]) -> list[tuple[str, dict[str, Json]]]:
    """Each block with its JSON pointer in the record."""
    if isinstance(content, str):
        return [("/message/content", block) for block in items]
    return [(f"/message/content/{index}", block) for index, block in enumerate(items)]


def _text(items: list[dict[str, Json]]) -> str:
    return "\n".join(t for t in (string(block.get("text")) for block in items) if t)


def _tokens(reported: dict[str, Json]) -> dict[str, int]:
    """The counts we keep of a response's ``usage``."""
    return {name: n for name in _USAGE if (n := integer(reported.get(name))) is not None}
