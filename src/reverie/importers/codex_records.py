"""Codex rollout records, one at a time, into the events of one session (or of one thread of it).

Two logs overlap in a rollout: ``response_item`` is what the model saw, ``event_msg`` what the person saw.
Whichever tells a thing first is used, and the other is left out as its copy; nothing looks ahead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, TypeAlias

from reverie.domain.events import PRIMARY_THREAD, EventType, Json, JsonObject, Origin, record_sha256
from reverie.domain.imports import Skipped, Used
from reverie.domain.sessions import Transcript
from reverie.importers.codex_items import call, ended_call, prompt_pieces, refusal, result, texts
from reverie.importers.draft import Draft
from reverie.importers.jsonl import Row
from reverie.importers.values import fact, headline, instant, integer, mapping, sequence, string, text_block

__all__ = [
    "FORMAT",
    "Fold",
    "ForkGate",
    "Line",
]

FORMAT: Final = "codex"

Account: TypeAlias = Used | Skipped

_NOISE: Final = {
    "item_started": "a copy of another record",
    "item_completed": "a copy of another record",
    "agent_reasoning": "a copy of another record",
    "agent_reasoning_raw_content": "a copy of another record",
    "view_image_tool_call": "a copy of another record",
    "image_generation_end": "a copy of another record",
    "dynamic_tool_call_request": "a copy of another record",
    "exited_review_mode": "a copy of another record",
    "web_search_end": "a copy of another record",
    "web_search_begin": "progress tick",
    "collab_agent_interaction_end": "progress tick",
    "collab_waiting_end": "progress tick",
    "collab_close_end": "progress tick",
    "collab_resume_end": "progress tick",
    "sub_agent_activity": "progress tick",
    "background_event": "progress tick",
    "task_started": "bookkeeping of the tool",
    "task_complete": "bookkeeping of the tool",
    "thread_settings_applied": "settings of the tool",
    "thread_goal_updated": "settings of the tool",
    "guardian_assessment": "settings of the tool",
    "ghost_snapshot": "file history",
    "compaction": "bookkeeping of the tool",
    "compaction_summary": "bookkeeping of the tool",
    "world_state": "bookkeeping of the tool",
    "inter_agent_communication_metadata": "bookkeeping of the tool",
}
_COPY: Final = Skipped("a copy of another record")
_ENDED: Final = frozenset(
    {
        "exec_command_end",
        "patch_apply_end",
        "mcp_tool_call_end",
        "dynamic_tool_call_response",
        "web_search_end",
    }
)
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})
_ZONE: Final = re.compile(r"[A-Za-z]+(?:/[A-Za-z0-9_+-]+){0,2}\Z")
_TURN_ID: Final = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-", re.IGNORECASE)
_USAGE: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cache_read_input_tokens",
    "reasoning_output_tokens": "reasoning_output_tokens",
}


class ForkGate:
    """Shut while a forked session's file repeats its parent's history, re-stamped with the time of the fork.

    Turn ids are UUIDv7: the time a turn first ran is in them, and the first turn that ran after the fork
    opens the gate. Where turns have no such ids, a pause in the time stamps does.
    """

    _PAUSE: Final = timedelta(seconds=2)

    def __init__(self) -> None:
        self.shut = False
        self._forked_at: datetime | None = None
        self._last: datetime | None = None
        self._dated = False

    def fork(self, session: str, at: datetime | None) -> None:
        self.shut = True
        self._forked_at = _minted(session) or at
        self._last = at

    def passes(self, payload: dict[str, Json], at: datetime | None) -> bool:
        minted = _minted(payload.get("turn_id"))
        if minted is not None and self._forked_at is not None:
            self._dated = True
            self.shut = minted < self._forked_at
        elif not self._dated and at is not None and self._last is not None:
            self.shut = at - self._last <= self._PAUSE
        self._last = at or self._last
        return not self.shut


def _minted(turn: Json) -> datetime | None:
    found = _TURN_ID.match(turn) if isinstance(turn, str) else None
    return datetime.fromtimestamp(int(found[1] + found[2], 16) / 1000, UTC) if found else None


@dataclass(slots=True)
class Line:
    """One record on its way to the session's draft."""

    row: Row
    type: str
    payload: dict[str, Json]
    sha256: str
    uri: str
    draft: Draft
    thread: str
    key: str
    at: datetime | None

    def emit(self, type: EventType, payload: JsonObject, pointer: str = "", key: str | None = None) -> bool:
        place = f"/payload{pointer}" if "payload" in self.row.value else pointer
        native = string(self.payload.get("id")) or string(self.payload.get("call_id"))
        origin = Origin(FORMAT, self.uri, self.row.line, place or None, native, self.sha256)
        key = key or f"{self.key}{pointer}"
        return self.draft.add(type, payload, key=key, at=self.at, origin=origin, thread=self.thread)


class Fold:
    """Takes the records of one rollout in order; gives its transcript at the end."""

    def __init__(self, session: str) -> None:
        self._draft = Draft(FORMAT, session, FORMAT)
        self._thread = PRIMARY_THREAD
        self._own: str | None = None  # the id of the file's own session_meta
        self._gate = ForkGate()
        self._raws: Counter[str] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()  # (what, text) → how often it became an event
        self._heard: Counter[tuple[str, str, str]] = Counter()  # (log, what, text) → how often a log said it
        self._tokens: Json = None
        self._usage: Counter[str] = Counter()

    def take(self, row: Row, uri: str) -> Account:
        value = row.value
        inner = value.get("payload")
        payload = mapping(inner) if isinstance(inner, dict) else value
        kind = fact(value.get("type")) or ("session_meta" if _is_bare_meta(value) else "?")
        name = kind if kind not in ("response_item", "event_msg") else fact(payload.get("type")) or "?"
        at = instant(value.get("timestamp"))
        if kind == "session_meta" and self._own is not None:
            return self._second_meta(payload, at)
        if self._gate.shut and not self._gate.passes(payload, at):
            return Skipped("history copied from another session")
        return self._handled(self._line(row, uri, kind, payload, at), name)

    def transcripts(self) -> Iterator[Transcript]:
        if self._usage and self._thread == PRIMARY_THREAD:
            self._draft.extra["usage"] = dict(self._usage)
        if self._draft.events:
            yield self._draft.transcript()

    def _line(self, row: Row, uri: str, kind: str, payload: dict[str, Json], at: datetime | None) -> Line:
        sha = record_sha256(row.raw)
        self._raws[sha] += 1
        again = self._raws[sha]
        key = f"sha256:{sha[:32]}" if again == 1 else f"sha256:{sha[:32]}#{again}"
        self._draft.saw(at)
        return Line(row, kind, payload, sha, uri, self._draft, self._thread, key, at)

    def _handled(self, line: Line, name: str) -> Account:
        if (body := call(line.payload, line.key)) is not None:
            line.emit(*body)
            return Used()
        if (handler := self._HANDLERS.get(name)) is not None:
            return handler(self, line)
        if name in _NOISE:
            return Skipped(_NOISE[name])
        if line.row.value.get("record_type") == "state":
            return Skipped("bookkeeping of the tool")
        return self._raw(line, name)

    def _raw(self, line: Line, name: str) -> Account:
        kind = name if line.type == name else f"{line.type}/{name}"
        line.emit("raw", {"kind": kind[:100], "record": line.row.value})
        return Used()

    # --- facts ------------------------------------------------------------------------------------

    def _meta(self, line: Line) -> Account:
        meta, draft = line.payload, self._draft
        own = fact(meta.get("id"))
        self._own = own or draft.native_id
        draft.native_id = self._own
        draft.saw(instant(meta.get("timestamp")))
        draft.cwd, draft.agent_version = fact(meta.get("cwd")), fact(meta.get("cli_version"))
        git = mapping(meta.get("git"))
        draft.branch, draft.repository = fact(git.get("branch")), _repository(git.get("repository_url"))
        if originator := fact(meta.get("originator")):
            draft.extra["originator"] = originator
        if parent := _parent_thread(meta):
            self._become_thread(line, fact(meta.get("session_id")) or parent)
        if meta.get("forked_from_id"):
            self._gate.fork(self._own, line.at)
        return Used()

    def _become_thread(self, line: Line, root: str) -> None:
        """This rollout is a sub-agent's: a thread of the session that its parent belongs to."""
        thread = self._own or "?"
        if root == thread:
            root = _parent_thread(line.payload) or root
        agent = fact(line.payload.get("agent_role")) or fact(line.payload.get("agent_nickname"))
        draft = self._draft
        self._draft = Draft(FORMAT, root, FORMAT, started_at=draft.started_at, ended_at=draft.ended_at)
        payload = {"thread": thread, "agent": agent} if agent else {"thread": thread}
        origin = Origin(FORMAT, line.uri, line.row.line, "/payload", thread, line.sha256)
        self._draft.add("session.thread_created", payload, key=f"thread:{thread}", at=line.at, origin=origin)
        self._thread = thread

    def _second_meta(self, meta: dict[str, Json], at: datetime | None) -> Account:
        """A resumed session says its meta again; another session's meta opens the history copied from it."""
        if fact(meta.get("id")) == self._own:
            return Skipped("bookkeeping of the tool")
        if not self._gate.shut and not any(e.type == "user.message" for e in self._draft.events):
            self._gate.fork(self._own or "", at)
        return Skipped("history copied from another session")

    def _turn(self, line: Line) -> Account:
        turn, draft = line.payload, self._draft
        if self._thread != PRIMARY_THREAD:
            return Used()
        if model := fact(turn.get("model")):
            draft.models[model] += 1
        draft.cwd = draft.cwd or fact(turn.get("cwd"))
        zone = fact(turn.get("timezone"))
        if zone and _ZONE.match(zone):
            draft.timezone = zone
        return Used()

    def _title(self, line: Line) -> Account:
        if (name := string(line.payload.get("thread_name"))) and (title := headline(name)):
            self._draft.extra["title"] = title
        return Used()

    # --- what was said ----------------------------------------------------------------------------

    def _first(self, line: Line, what: str, text: str) -> bool:
        """Whether this is the first of the two logs to say it. Said twice in one log, it is two things."""
        text = " ".join(text.split())
        log = "event" if line.type == "event_msg" else "item"
        self._heard[log, what, text] += 1
        if self._heard[log, what, text] <= self._told[what, text]:
            return False
        self._told[what, text] += 1
        return True

    def _message(self, line: Line) -> Account:
        role, said = line.payload.get("role"), texts(line.payload.get("content"))
        if role not in ("user", "assistant", "developer", "system"):
            return self._raw(line, "message")
        if role == "assistant":
            return self._answer(line, "\n".join(said), "/content")
        if role != "user" or self._thread != PRIMARY_THREAD:
            return self._system(line, "instructions", "\n".join(said), "/content")
        used = [self._prompt(line, text, f"/content/{number}") for number, text in enumerate(said)]
        return Used() if any(used) or not said else _COPY

    def _prompt(self, line: Line, text: str, pointer: str) -> bool:
        """One block of a prompt; False when all of it was told before."""
        used = False
        if text.lstrip().startswith("<turn_aborted"):
            return self._first(line, "interrupt", "") and line.emit("user.interrupt", {}, pointer)
        for kind, piece in prompt_pieces(text):
            if kind != "typed":
                self._system(line, kind, piece, pointer)
                used = True
            elif self._first(line, "prompt", piece):
                payload = {"content": [text_block(piece)]}
                used = line.emit("user.message", payload, pointer, f"{line.key}{pointer}!typed") or used
        return used

    def _user_message(self, line: Line) -> Account:
        text = string(line.payload.get("message"))
        if text is None or self._thread != PRIMARY_THREAD:
            return _COPY
        return Used() if self._prompt(line, text, "/message") else _COPY

    def _agent_message(self, line: Line) -> Account:
        if line.type != "event_msg":
            return self._between_agents(line)
        return self._answer(line, string(line.payload.get("message")) or "", "/message")

    def _answer(self, line: Line, text: str, pointer: str) -> Account:
        if not text:
            return Skipped("an empty message")
        if not self._first(line, "answer", text):
            return _COPY
        line.emit("agent.message", {"content": [text_block(text)]}, pointer)
        return Used()

    def _reasoning(self, line: Line) -> Account:
        parts = texts(line.payload.get("summary")) or texts(line.payload.get("content"))
        line.emit("agent.thinking", {"content": [text_block(part) for part in parts]} if parts else {})
        return Used()

    def _between_agents(self, line: Line) -> Account:
        said = "\n".join(texts(line.payload.get("content"))) or string(line.payload.get("message")) or ""
        return self._system(line, "injected", said, "/content")

    def _notice(self, line: Line) -> Account:
        """What the tool tells the person: errors, an undo, the start of a review."""
        payload = line.payload
        said = (
            string(payload.get("message"))
            or string(payload.get("user_facing_hint"))
            or string(payload.get("prompt"))
        )
        asked = payload.get("type") in ("undo_completed", "entered_review_mode")
        return self._system(line, "command" if asked else "injected", said or "", "")

    def _system(self, line: Line, kind: str, text: str, pointer: str) -> Account:
        if not text.strip():
            return Skipped("an empty message")
        line.emit("system.message", {"content": [text_block(text)], "kind": kind}, pointer)
        return Used()

    # --- what was done ----------------------------------------------------------------------------

    def _output(self, line: Line) -> Account:
        item = line.payload
        if item.get("type") == "tool_search_output":
            names = [
                name for name in (fact(mapping(t).get("name")) for t in sequence(item.get("tools"))) if name
            ]
            item = {"call_id": item.get("call_id"), "output": ", ".join(names)}
        return self._result(line, result(item), "/output")

    def _ended(self, line: Line) -> Account:
        payload = ended_call(line.payload)
        return _COPY if payload is None else self._result(line, payload, "")

    def _result(self, line: Line, payload: dict[str, Json], pointer: str) -> Account:
        use = payload["tool_use_id"]
        if not line.emit("agent.tool_result", payload, pointer, f"result:{use}" if use else None):
            return _COPY
        if any(refusal(block["text"]) for block in payload["content"]):
            deny = {"tool_use_id": use, "result": "deny"}
            line.emit("user.tool_confirmation", deny, pointer, f"deny:{use or line.key}")
        return Used()

    def _aborted(self, line: Line) -> Account:
        reason = line.payload.get("reason")
        if reason not in (None, "interrupted"):
            return Skipped("bookkeeping of the tool")
        return Used() if self._first(line, "interrupt", "") and line.emit("user.interrupt", {}) else _COPY

    def _compacted(self, line: Line) -> Account:
        if not self._first(line, "compaction", ""):
            return _COPY
        line.emit("agent.thread_context_compacted", {})
        if summary := string(line.payload.get("message")):
            self._system(line, "summary", summary, "/message")
        return Used()

    def _spawned(self, line: Line) -> Account:
        thread = fact(line.payload.get("new_thread_id"))
        if thread is None:
            return self._raw(line, "collab_agent_spawn_end")
        found = {"thread": thread, "parent_tool_use_id": fact(line.payload.get("call_id"))}
        found["agent"] = fact(line.payload.get("new_agent_role"))
        payload = {name: value for name, value in found.items() if value}
        return Used() if line.emit("session.thread_created", payload, "", f"thread:{thread}") else _COPY

    def _token_count(self, line: Line) -> Account:
        """Tokens of the last response. The record is repeated without a response in between: then the total stands."""
        info = mapping(line.payload.get("info"))
        total, last = info.get("total_token_usage"), mapping(info.get("last_token_usage"))
        if not last or (total is not None and total == self._tokens):
            return Skipped("limits and repeated token counts")
        self._tokens = total
        usage = {ours: n for theirs, ours in _USAGE.items() if (n := integer(last.get(theirs))) is not None}
        self._usage.update(usage)
        models = self._draft.models
        line.emit("span.model_request_end", {"model": next(reversed(models), None), "usage": usage}, "/info")
        return Used()

    # Functions and not bound methods: a fold that held on to itself would hold on to all it has read.
    _HANDLERS: ClassVar[dict[str, Callable[[Fold, Line], Account]]] = {
        "session_meta": _meta,
        "turn_context": _turn,
        "compacted": _compacted,
        "context_compacted": _compacted,
        "message": _message,
        "reasoning": _reasoning,
        "agent_message": _agent_message,
        "user_message": _user_message,
        "turn_aborted": _aborted,
        "token_count": _token_count,
        "thread_name_updated": _title,
        "collab_agent_spawn_end": _spawned,
        "inter_agent_communication": _between_agents,
        "error": _notice,
        "warning": _notice,
        "stream_error": _notice,
        "undo_completed": _notice,
        "entered_review_mode": _notice,
        **dict.fromkeys(_ENDED, _ended),
        **dict.fromkeys(_OUTPUTS, _output),
        "tool_search_output": _output,
    }


def _is_bare_meta(value: dict[str, Json]) -> bool:
    """The first line of rollouts before records were wrapped."""
    return "id" in value and "timestamp" in value and ("instructions" in value or "git" in value)


def _parent_thread(meta: dict[str, Json]) -> str | None:
    source = mapping(mapping(mapping(meta.get("source")).get("subagent")).get("thread_spawn"))
    return fact(meta.get("parent_thread_id")) or fact(source.get("parent_thread_id"))


def _repository(url: Json) -> str | None:
    name = fact(url)
    return fact(name.rstrip("/").removesuffix(".git").replace(":", "/").rsplit("/", 1)[-1]) if name else None
