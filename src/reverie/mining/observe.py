"""One session in, one observation out: calls with their results, failures, remarks, attributes.

Pure and deterministic. What may be a consequence of failing (counts, durations) goes to
``consequences`` and is kept apart from what was known before.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reverie.domain.events import Event, Json, JsonObject, Scalar
from reverie.domain.observations import Call, Failure, Observation, Remark, Span
from reverie.domain.outcomes import PLATFORM
from reverie.domain.sessions import Session
from reverie.mining.failures import Fault, Judgement, judge_shell, judge_tool
from reverie.mining.hearing import Hearing
from reverie.mining.recalling import is_recall
from reverie.mining.remarks import Listener
from reverie.mining.tools import (
    ToolKind,
    action_of,
    arguments_of,
    file_of,
    parsed,
    signature_of,
    telling_argument,
    tool_kind,
)
from reverie.mining.wording import is_machine_text

__all__ = ["SessionObserver"]

MAX_QUOTE: Final = 300
STATUS_FORMATS: Final = frozenset({"claude-code", "codex"})
"""Formats whose ``is_error`` states a shell's exit status; elsewhere false may just mean "not said"."""

_CALL_OF: Final[Mapping[str, str]] = {
    "agent.tool_result": "tool_use_id",
    "agent.mcp_tool_result": "mcp_tool_use_id",
    "user.tool_result": "tool_use_id",
    "user.custom_tool_result": "custom_tool_use_id",
}
_TELLING: Final = frozenset({*_CALL_OF, "user.message", "agent.thread_message_received"})
"""What tells an agent something that it did not write."""
_MEMORY: Final = "<!-- reverie:begin "
"""What learned notes begin with in a file that is read as instructions: they may hold anybody's words."""
_CLUSTER_WORDS: Final = 4
_MOST_LISTED: Final = 8


class SessionObserver:
    """The observer that ships with Reverie (``plugins.Observer``)."""

    @property
    def version(self) -> str:
        return "8"

    def observe(self, session: Session, events: Sequence[Event]) -> Observation:
        """Observes a session. ``events``: all of its events, in order of ``seq``. Never raises on content.
        What graders and advisors do on threads of their own is left out."""
        notes = _Notes(session)
        its_own = [event for event in events if notes.is_its_own(event)]
        for event in its_own:
            notes.read(event)
        return notes.observation(len(its_own))


@dataclass(slots=True)
class _Use:
    """A call whose result may still come."""

    event: Event
    id: str
    tool: str
    given: JsonObject
    kind: ToolKind
    action: str
    span: Span
    turn: int
    arguments: Mapping[str, Scalar]
    own: tuple[str, ...]
    call: Call | None = None


@dataclass(slots=True)
class _Notes:
    """What is known of a session while its events go by."""

    session: Session
    listener: Listener = field(default_factory=Listener)
    hearing: Hearing = field(default_factory=Hearing)
    uses: list[_Use] = field(default_factory=list[_Use])
    waiting: dict[str, _Use] = field(default_factory=dict[str, _Use])
    by_id: dict[str, _Use] = field(default_factory=dict[str, _Use])
    denied: set[str] = field(default_factory=set[str])
    remarks: list[Remark] = field(default_factory=list[Remark])
    turn: int = 0
    first: datetime | None = None
    last: datetime | None = None
    opening: str = ""
    opening_chars: int = 0
    tokens: int = 0
    outside: bool = False
    counts: dict[str, int] = field(default_factory=dict[str, int])
    others: set[str] = field(default_factory=set[str])
    recalls: set[str] = field(default_factory=set[str])
    recalled: set[str] = field(default_factory=set[str])

    def is_its_own(self, event: Event) -> bool:
        """Whether an event tells of the session's own agents, and not of ours that look at their work."""
        if event.type == "session.thread_created" and event.payload.get("agent_name") in PLATFORM:
            self.others.add(str(event.payload.get("session_thread_id")))
            return False
        return event.thread not in self.others

    def read(self, event: Event) -> None:
        if event.at is not None:
            self.first = self.first or event.at
            self.last = event.at
        self.outside = self.outside or _from_outside(event)
        told = [text for _, text in _texts(event.payload)] if event.type in _TELLING else []
        if str(event.payload.get(_CALL_OF.get(event.type, ""))) in self.recalls:
            self.recalled.update(told)
            return
        for text in told:
            self.hearing.hear(event.thread, text)
        match event.type:
            case "agent.tool_use" | "agent.mcp_tool_use" | "agent.custom_tool_use":
                self._use(event)
            case (
                "agent.tool_result" | "agent.mcp_tool_result" | "user.tool_result" | "user.custom_tool_result"
            ):
                self._result(event)
            case "user.message" | "user.interrupt" | "user.tool_confirmation":
                self._person(event)
            case "agent.message":
                self.listener.worked = True
                self._count("messages")
            case "agent.thread_context_compacted":
                self._count("compactions")
            case "span.model_request_end":
                self._tokens(event.payload)
            case _:
                pass

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _use(self, event: Event) -> None:
        name = str(event.payload.get("name") or "")
        given = _object(event.payload.get("input"))
        kind = tool_kind(name, given)
        command = parsed(kind, given)
        use_id = str(event.payload.get("tool_use_id") or event.id)
        if is_recall(name, kind, given, command):
            self.recalls.add(use_id)
            return
        arguments = arguments_of(kind, given, command, self.session.info.cwd)
        use = _Use(
            event,
            use_id,
            name,
            given,
            kind,
            action_of(name, kind, given, command),
            _use_span(event, name, given),
            self.turn,
            arguments,
            self.hearing.own(event.thread, arguments) if kind == "other" else (),
        )
        self.uses.append(use)
        self.waiting[use.id] = self.by_id[use.id] = use
        self.listener.worked = True
        self.listener.last_action = use.action

    def _result(self, event: Event) -> None:
        use = self.waiting.pop(str(event.payload.get(_CALL_OF[event.type]) or ""), None)
        if use is not None:
            use.call = self._call(use, event)

    def _call(self, use: _Use, result: Event | None) -> Call:
        verdict, failures = self._judged(use, result) if result is not None else ("ok", ())
        return Call(
            seq=use.event.seq,
            event_id=use.event.id,
            result_event_id=result.id if result is not None else None,
            thread=use.event.thread,
            turn=use.turn,
            at=use.event.at,
            tool=use.tool,
            action=use.action,
            signature=signature_of(use.tool, use.given),
            use=use.span,
            arguments=use.arguments,
            failure=failures[0] if failures else None,
            ran=verdict != "not_run",
            also=failures[1:],
            after=_told_after(use.event, result) if result is not None else {},
            own=use.own,
        )

    def _judged(self, use: _Use, result: Event) -> tuple[str, tuple[Failure, ...]]:
        """The verdict on a result: that of the first of its texts that speaks of a failure."""
        is_error = bool(result.payload.get("is_error"))
        exit_code = _whole(result.payload.get("exit_code"))
        first = "ok"
        for path, text in _texts(result.payload):
            verdict, faults = self._verdict(use, text, is_error, exit_code)
            if verdict == "failed":
                hidden = not is_error and not exit_code
                return verdict, tuple(_failure(f, result, path, hidden) for f in faults)
            first = verdict if first == "ok" else first
        return first, ()

    def _verdict(self, use: _Use, text: str, is_error: bool, exit_code: int | None) -> Judgement:
        if use.kind != "shell":
            return judge_tool(
                text, is_error=is_error or bool(exit_code), looks=use.kind in ("look", "agent", "plan")
            )
        trusted = exit_code is not None or self.session.info.format in STATUS_FORMATS
        return judge_shell(
            text, parsed(use.kind, use.given), is_error=is_error, exit_code=exit_code, trusted=trusted
        )

    def _person(self, event: Event) -> None:
        denied = None
        if event.type == "user.message":
            self.turn += 1
            if not self.opening:
                self._open(event)
        elif event.type == "user.tool_confirmation" and event.payload.get("result") == "deny":
            use_id = str(event.payload.get("tool_use_id") or "")
            self.denied.add(use_id)
            denied = self.by_id[use_id].span if use_id in self.by_id else None
        self.remarks.extend(self.listener.hear(event, denied))

    def _open(self, event: Event) -> None:
        self.opening_chars = sum(len(text) for _, text in _texts(event.payload))

    def _tokens(self, payload: JsonObject) -> None:
        usage = _object(payload.get("usage") or payload.get("model_usage"))
        for name in ("input_tokens", "output_tokens"):
            self.tokens += _whole(usage.get(name)) or 0

    def observation(self, events: int) -> Observation:
        calls = tuple(self._finished(use) for use in self.uses)
        remarks = tuple(self.remarks)
        info = self.session.info
        started = info.started_at or self.first
        opening = next((r.signature for r in remarks if r.kind == "request"), "")
        return Observation(
            session_id=self.session.id,
            content_sha256=self.session.content_sha256,
            format=info.format,
            agent=info.agent,
            model=info.model,
            user=info.user or _home_owner(info.cwd),
            repository=info.repository,
            task=info.task,
            cluster=_cluster(opening),
            day=_local(started, info.timezone).date().isoformat() if started else None,
            started_at=started,
            ended_at=info.ended_at or self.last,
            outcome=info.outcome.label,
            score=info.outcome.score,
            attributes=self._attributes(started),
            consequences=self._consequences(calls, remarks, events),
            calls=calls,
            remarks=remarks,
            untrusted=self.outside,
            timezone=info.timezone,
            memory=_digest(self.recalled),
        )

    def _finished(self, use: _Use) -> Call:
        call = use.call or self._call(use, None)
        if use.id in self.denied and call.ran:
            return _not_run(call)
        return call

    def _attributes(self, started: datetime | None) -> Mapping[str, Scalar]:
        """What was known before the first step of the work."""
        info = self.session.info
        local = _local(started, info.timezone) if started else None
        found: dict[str, Scalar] = {
            "format": info.format,
            "agent": info.agent,
            "agent_version": info.agent_version,
            "model": info.model,
            "repository": info.repository,
            "branch": info.branch,
            "hour": local.hour if local else None,
            "weekday": local.strftime("%A") if local else None,
            "first_request_chars": self.opening_chars or None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _consequences(
        self, calls: Sequence[Call], remarks: Sequence[Remark], events: int
    ) -> Mapping[str, Scalar]:
        """What the course of the work brought about; never a cause."""
        seconds = (self.last - self.first).total_seconds() if self.first and self.last else None
        ran = [c for c in calls if c.ran]
        in_tools = [d for c in ran if isinstance(d := c.after.get("duration_s"), int | float)]
        found: dict[str, Scalar] = {
            "events": events,
            "turns": self.turn,
            "calls": len(calls),
            "tools": len({c.tool for c in ran}),
            "files": len({file for use in self.uses if (file := file_of(use.given))}),
            "file_kinds": _listed(c.arguments.get("file_ext") for c in ran),
            "places": _listed(c.arguments.get("file_place") for c in ran),
            "errors": len({f.template for c in ran if c.failure for f in (c.failure, *c.also)}),
            "tools_s": round(math.fsum(in_tools), 3) if in_tools else None,
            "failures": sum(c.failure is not None for c in calls),
            "hidden_failures": sum(c.failure is not None and c.failure.hidden for c in calls),
            "retries": sum(a.signature == b.signature for a, b in pairwise(calls)),
            "corrections": sum(r.kind == "correction" for r in remarks),
            "denials": sum(r.kind == "denial" for r in remarks),
            "interrupts": sum(r.kind == "interrupt" for r in remarks),
            "messages": self.counts.get("messages", 0),
            "compactions": self.counts.get("compactions", 0),
            "tokens": self.tokens or None,
            "duration_s": seconds,
        }
        return {name: value for name, value in found.items() if value is not None}


def _from_outside(event: Event) -> bool:
    """Whether an event brings text before the agent that neither a person typed nor the agent wrote: what
    tools gave, what other agents and programs say, what was attached."""
    if event.type in _CALL_OF or event.type == "agent.thread_message_received":
        return True
    if event.type == "user.message":
        return any(is_machine_text(text) for _, text in _texts(event.payload)) or _attached(event.payload)
    if event.type == "system.message":
        told = "\n".join(text for _, text in _texts(event.payload))
        return event.payload.get("kind") != "instructions" or _MEMORY in told
    return False


def _digest(texts: Iterable[str]) -> str | None:
    known = "\n".join(sorted(texts))
    return (
        hashlib.blake2b(known.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest() if known else None
    )


def _attached(payload: JsonObject) -> bool:
    content = payload.get("content")
    blocks = cast(list[Json], content) if isinstance(content, list) else []
    return any(isinstance(b, Mapping) and cast(JsonObject, b).get("type") != "text" for b in blocks)


def _not_run(call: Call) -> Call:
    return replace(call, failure=None, ran=False, also=(), after={})


def _told_after(use: Event, result: Event) -> Mapping[str, Scalar]:
    """What only the result of a call tells: seconds it took, characters it gave, its exit status."""
    exact = result.payload.get("duration_ms")
    duration: float | None = None
    if isinstance(exact, int | float) and not isinstance(exact, bool):
        duration = exact / 1_000
    elif use.at is not None and result.at is not None:
        duration = (result.at - use.at).total_seconds()
    found: dict[str, Scalar] = {
        "duration_s": duration,
        "result_chars": sum(len(text) for _, text in _texts(result.payload)),
        "exit_code": _whole(result.payload.get("exit_code")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _listed(values: Iterable[Scalar]) -> str | None:
    """Distinct words, most frequent first: "py, md"."""
    seen = Counter(value for value in values if isinstance(value, str))
    return ", ".join(sorted(seen, key=lambda v: (-seen[v], v))[:_MOST_LISTED]) or None


def _failure(fault: Fault, result: Event, path: str, hidden: bool) -> Failure:
    span = Span(result.id, result.seq, path, fault.start, fault.end)
    return Failure(fault.template, fault.example, span, hidden, fault.kind)


def _use_span(event: Event, name: str, given: JsonObject) -> Span:
    telling = telling_argument(given)
    path, text = telling if telling else ("/name", name)
    return Span(event.id, event.seq, path, 0, min(len(text), MAX_QUOTE))


def _texts(payload: JsonObject) -> list[tuple[str, str]]:
    content = payload.get("content")
    if isinstance(content, str):
        return [("/content", content)]
    found: list[tuple[str, str]] = []
    if isinstance(content, list):
        for i, block in enumerate(cast(list[Json], content)):
            text = cast(JsonObject, block).get("text") if isinstance(block, dict) else None
            if isinstance(text, str):
                found.append((f"/content/{i}/text", text))
    return found


def _object(value: Json) -> JsonObject:
    return cast(JsonObject, value) if isinstance(value, Mapping) else {}


def _whole(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _local(at: datetime, timezone: str | None) -> datetime:
    zone: tzinfo = UTC
    if timezone:
        try:
            zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zone = UTC
    try:
        return at.astimezone(zone)
    except (OverflowError, ValueError):
        return at


def _home_owner(cwd: str | None) -> str | None:
    """Whose home directory the work was done in: who to count the evidence under when no user is named."""
    parts = (cwd or "").replace("\\", "/").split("/")
    for i, part in enumerate(parts[:-1]):
        if part.lower() in ("users", "home") and i <= 1 and parts[i + 1] not in ("", "Shared"):
            return parts[i + 1]
    return None


def _cluster(opening: str) -> str | None:
    """A signature of the first request: its first few content words, in alphabetical order."""
    words = list(dict.fromkeys(opening.split()))[:_CLUSTER_WORDS]
    return " ".join(sorted(words)) or None
