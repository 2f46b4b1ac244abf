"""Spans of OpenTelemetry, as its conventions for generative AI name them, made from what sessions log.

Opt-in: with ``REVERIE_OTEL=1``, or where the standard variables name an exporter or its endpoint, and the extra
``otel`` installed. A thread of its own makes the spans of what was committed, so that nothing waits for it; what
it cannot keep up with is dropped and counted. This file alone knows the names, which are not stable yet:
https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from reverie.domain.errors import ConfigError, ReverieError
from reverie.domain.events import Event, JsonObject
from reverie.storage.events import Link, read

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

__all__ = ["Spans", "tracer", "wanted"]

Describe: TypeAlias = Callable[[str, str], JsonObject]
"""The agent of (workspace, session id), as in its snapshot. NotFound where there is no such session."""

_SWITCH: Final = "REVERIE_OTEL"
_STANDARD: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_SHOWS: Final = frozenset({"true", "1", "span_only", "span_and_event"})
_CALLS: Final = {
    "agent.tool_use": "function",
    "agent.custom_tool_use": "function",
    "agent.mcp_tool_use": "extension",
}
_RESULTS: Final = {
    "agent.tool_result": "tool_use_id",
    "agent.mcp_tool_result": "mcp_tool_use_id",
    "user.tool_result": "tool_use_id",
    "user.custom_tool_result": "custom_tool_use_id",
}
_ENDS: Final = (
    "session.status_idle",
    "session.status_terminated",
    "session.thread_status_idle",
    "session.thread_status_terminated",
)
_BEGINS: Final = ("session.status_running", "session.thread_status_running")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WAITING: Final = 4_096  # batches
_SESSIONS: Final = 1_024  # followed at a time
_log: Final = logging.getLogger("reverie.telemetry")


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether spans are asked for."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    switch = environ.get(_SWITCH)
    if switch is not None:
        return switch.lower() in ("1", "true", "yes", "on")
    return any(environ.get(name, "none") not in ("", "none") for name in _STANDARD)


def tracer(provider: TracerProvider | None = None) -> Tracer:
    """A tracer of ``provider``; by default of the program's own, or of one that exports over OTLP as the
    standard variables say.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        from opentelemetry import trace

        if provider is None:
            provider = trace.get_tracer_provider()
            if isinstance(provider, trace.ProxyTracerProvider):
                provider = _exporting()
                trace.set_tracer_provider(provider)
    except ImportError as error:
        raise ConfigError(
            f"spans are asked for, and OpenTelemetry is not whole here: {error}",
            where=_SWITCH,
            hint="pip install 'reverie-agents[otel]'",
        ) from error
    return provider.get_tracer("reverie")


def _exporting() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "reverie"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Spans:
    """Makes the spans of sessions: ``invoke_agent`` for each turn of a thread, in it ``chat`` for each request
    to a model and ``execute_tool`` for each call.

    ``appended`` is told what was committed, from any thread; it returns at once and never raises.
    """

    def __init__(self, tracer: Tracer, describe: Describe, *, content: bool = False) -> None:
        self._making = _Making(tracer, describe, content=content)
        self._queue: queue.Queue[tuple[str, Sequence[Link]] | None] = queue.Queue(_WAITING)
        self._door = threading.Lock()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        """Batches of events that had no room."""

    @classmethod
    def of(cls, environ: Mapping[str, str], describe: Describe) -> Spans:
        """As the environment says.

        Raises:
            ConfigError: the extra is not installed.
        """
        return cls(tracer(), describe, content=environ.get(_CONTENT, "").lower() in _SHOWS)

    def appended(self, workspace: str, links: Sequence[Link]) -> None:
        """These events of one session of a workspace were committed, as a run of its log."""
        if self._thread is None:
            self._start()
        try:
            self._queue.put_nowait((workspace, links))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Make the spans of what was told so far."""
        with self._door:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _start(self) -> None:
        with self._door:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="reverie-spans", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while (told := self._queue.get()) is not None:
            workspace, links = told
            try:
                for link in links:
                    self._making.event(workspace, read(link))
            except Exception:  # noqa: BLE001  (whatever goes wrong here, sessions go on)
                _log.warning("no span could be made of an event", exc_info=True)


@dataclass(slots=True)
class _Turn:
    """What is open of one thread. ``said`` is what the model is asked, ``answer`` what it said."""

    span: Span | None = None
    chat: Span | None = None
    calls: dict[str, Span] = field(default_factory=dict[str, "Span"])
    said: list[JsonObject] = field(default_factory=list[JsonObject])
    answer: list[JsonObject] = field(default_factory=list[JsonObject])
    asked: bool = False  # the answer has a call in it
    error: str | None = None


class _Making:
    """Events in, spans out. Used by one thread."""

    def __init__(self, tracer: Tracer, describe: Describe, *, content: bool) -> None:
        self._tracer = tracer
        self._describe = describe
        self._content = content
        self._agents: dict[str, JsonObject] = {}
        self._turns: dict[str, dict[str, _Turn]] = {}

    def event(self, workspace: str, event: Event) -> None:
        """One more event of a session of that workspace."""
        if event.session_id not in self._agents:
            self._agents[event.session_id] = self._described(workspace, event.session_id)
        threads = self._turns.setdefault(event.session_id, {})
        turn = threads.setdefault(event.thread, _Turn())
        if event.type in _BEGINS:
            self._begin(turn, event)
        elif event.type in _ENDS:
            self._end(turn, event)
            self._forget(event, threads)
        elif event.type == "span.model_request_start":
            self._ask(turn, event)
        elif event.type == "span.model_request_end":
            self._answered(turn, event)
        elif event.type in _CALLS:
            self._call(turn, event)
        elif event.type in _RESULTS:
            self._result(turn, event)
        else:
            self._note(turn, event)

    # ------------------------------------------------------------------ turns

    def _begin(self, turn: _Turn, event: Event) -> None:
        if turn.span is None:  # a session says so for itself and for its thread, and again after a retry
            agent, turn.error = self._agents[event.session_id], None
            name = agent.get("name", "agent")
            told = {**_of_agent(agent, event), "gen_ai.operation.name": "invoke_agent"}
            turn.span = self._span(f"invoke_agent {name}", told, event, None)

    def _end(self, turn: _Turn, event: Event) -> None:
        """A thread rests. Calls that wait for somebody stay open, until they have their result."""
        stop: JsonObject = event.payload.get("stop_reason") or {}
        reason = str(stop.get("type", "terminated"))
        if turn.span is not None:
            turn.span.set_attribute("reverie.stop_reason", reason)
            if turn.error is not None:
                _failed(turn.span, turn.error)
            turn.span.end(_nanoseconds(event.at))
            turn.span = None
        if reason != "requires_action":
            for call in turn.calls.values():
                call.end(_nanoseconds(event.at))
            turn.calls.clear()

    def _forget(self, event: Event, threads: dict[str, _Turn]) -> None:
        """Whoever rests is not followed any more; of too many, the one that was longest."""
        if not threads[event.thread].calls:
            threads.pop(event.thread)
        if not threads:
            self._turns.pop(event.session_id, None)
            self._agents.pop(event.session_id, None)
        while len(self._turns) > _SESSIONS:
            oldest = next(iter(self._turns))
            self._turns.pop(oldest)
            self._agents.pop(oldest, None)

    # ------------------------------------------------------------------ requests and calls

    def _ask(self, turn: _Turn, event: Event) -> None:
        agent = self._agents[event.session_id]
        told = {**_of_agent(agent, event), "gen_ai.operation.name": "chat"}
        if self._content and turn.said:
            told["gen_ai.input.messages"] = _json(turn.said)
        turn.chat = self._span(f"chat {_model(agent)}".strip(), told, event, turn.span, client=True)
        turn.answer, turn.said, turn.asked = [], [], False

    def _answered(self, turn: _Turn, event: Event) -> None:
        if turn.chat is None:
            return
        told = event.payload
        turn.chat.set_attributes(_usage(told))
        turn.chat.set_attribute("gen_ai.response.finish_reasons", ("tool_call" if turn.asked else "stop",))
        if self._content and turn.answer:
            message = {"role": "assistant", "parts": turn.answer}
            turn.chat.set_attribute("gen_ai.output.messages", _json([message]))
        if told.get("is_error"):
            _failed(turn.chat, "interrupted" if told.get("interrupted") else "model_request_failed")
        turn.chat.end(_nanoseconds(event.at))
        turn.chat = None

    def _call(self, turn: _Turn, event: Event) -> None:
        told = event.payload
        name = str(told.get("name"))
        turn.asked = True
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.conversation.id": event.session_id,
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": event.id,
            "gen_ai.tool.type": _CALLS[event.type],
        }
        if self._content:
            attributes["gen_ai.tool.call.arguments"] = _json(told.get("input"))
            part = {"type": "tool_call", "id": event.id, "name": name, "arguments": told.get("input")}
            turn.answer.append(part)
        turn.calls[event.id] = self._span(f"execute_tool {name}", attributes, event, turn.span)

    def _result(self, turn: _Turn, event: Event) -> None:
        call = str(event.payload.get(_RESULTS[event.type]))
        if self._content:
            part = {"type": "tool_call_response", "id": call, "response": event.payload.get("content")}
            turn.said.append({"role": "tool", "parts": [part]})
        span = turn.calls.pop(call, None)
        if span is None:
            return
        if self._content:
            span.set_attribute("gen_ai.tool.call.result", _json(event.payload.get("content")))
        if event.payload.get("is_error"):
            _failed(span, "tool_error")
        span.end(_nanoseconds(event.at))

    def _note(self, turn: _Turn, event: Event) -> None:
        if event.type == "session.error":
            turn.error = str(event.payload["error"].get("type", "_OTHER"))
        elif self._content and event.type == "user.message":
            turn.said.append({"role": "user", "parts": _parts(event.payload)})
        elif self._content and event.type == "agent.message":
            turn.answer += _parts(event.payload)

    # ------------------------------------------------------------------ inside

    def _described(self, workspace: str, session_id: str) -> JsonObject:
        try:
            return self._describe(workspace, session_id)
        except ReverieError:
            return {}

    def _span(
        self,
        name: str,
        attributes: Mapping[str, Any],
        event: Event,
        parent: Span | None,
        *,
        client: bool = False,
    ) -> Span:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, set_span_in_context

        empty = Context()  # whatever this thread happens to be doing is not its parent
        return self._tracer.start_span(
            name,
            context=empty if parent is None else set_span_in_context(parent, empty),
            kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
            attributes={key: value for key, value in attributes.items() if value is not None},
            start_time=_nanoseconds(event.at),
        )


def _of_agent(agent: JsonObject, event: Event) -> dict[str, Any]:
    model = _model(agent)
    return {
        "gen_ai.conversation.id": event.session_id,
        "gen_ai.agent.id": agent.get("id"),
        "gen_ai.agent.name": agent.get("name"),
        "gen_ai.agent.version": None if "version" not in agent else str(agent["version"]),
        "gen_ai.provider.name": model.split(":")[0] if ":" in model else None,
        "gen_ai.request.model": model.split(":", 1)[-1] or None,
    }


def _model(agent: JsonObject) -> str:
    model: JsonObject = agent.get("model") or {}
    return str(model.get("id", ""))


def _usage(told: JsonObject) -> dict[str, Any]:
    """Input tokens are all that the model read, cached or not, as the conventions want it."""
    usage: JsonObject = told.get("model_usage") or {}
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    found: dict[str, Any] = {
        "gen_ai.usage.input_tokens": (usage.get("input_tokens") or 0) + read + written,
        "gen_ai.usage.output_tokens": usage.get("output_tokens") or 0,
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_creation.input_tokens": written,
    }
    if told.get("model"):
        found["gen_ai.response.model"] = str(told["model"])
    return found


def _failed(span: Span, kind: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


def _parts(payload: JsonObject) -> list[JsonObject]:
    blocks: Sequence[JsonObject] = payload.get("content") or ()
    return [{"type": "text", "content": block["text"]} for block in blocks if block.get("type") == "text"]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _nanoseconds(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // timedelta(microseconds=1) * 1_000
