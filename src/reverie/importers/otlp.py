"""Reader of OpenTelemetry traces in OTLP's JSON: spans of agents, by the GenAI conventions or OpenInference.

One document, or one batch a line as the collector's file exporter writes. A session is a conversation
(``gen_ai.conversation.id``), else what ``session.id`` names, else a trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from reverie.domain.events import Json
from reverie.domain.imports import Guess, Quarantined
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.importers.documents import roots
from reverie.importers.otlp_messages import DETAILS, Told, is_message_event, told_by
from reverie.importers.otlp_sessions import Folded
from reverie.importers.otlp_spans import Item, SpanEvent, items_in, structured
from reverie.importers.outcomes import finite, from_word
from reverie.importers.transcripts import Account
from reverie.importers.values import fact, mapping
from reverie.plugins import Read, TranscriptFile

__all__ = ["Otlp"]

_HINT: Final = (
    "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT and "
    "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental where they are recorded"
)
_EVALUATION: Final = "gen_ai.evaluation.result"
_CHOICE: Final = "gen_ai.choice"
_SESSIONS: Final = ("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id")
_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("chat", "generate_content", "text_completion", "LLM", "completion"), "model"),
    **dict.fromkeys(("execute_tool", "TOOL", "tool"), "tool"),
    **dict.fromkeys(("invoke_agent", "AGENT", "agent"), "agent"),
    **dict.fromkeys(("invoke_workflow", "CHAIN", "workflow", "task", "create_agent"), "wrapper"),
    **dict.fromkeys(("embeddings", "EMBEDDING"), "embeddings"),
}
_MARKS: Final = ("gen_ai.system", "gen_ai.provider.name", "gen_ai.request.model", "llm.model_name")
_FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "agent": ("gen_ai.agent.name", "agent.name"),
    "agent_version": ("gen_ai.agent.version",),
    "model": ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name"),
    "user": ("user.id", "enduser.id", "traceloop.association.properties.user_id"),
    "task": ("task.id", "task_id", "gen_ai.task.id"),
    "repository": ("vcs.repository.name", "vcs.repository.url.full"),
    "branch": ("vcs.ref.head.name",),
}
_FALLBACKS: Final = {"agent": "service.name", "agent_version": "service.version"}
_EXTRA: Final = ("gen_ai.provider.name", "gen_ai.system", "service.name", "deployment.environment.name")


class Otlp:
    """Traces (and GenAI log records) as OTLP JSON."""

    name = "otlp"

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        spans = b'"resourceSpans"' in head or b'"resource_spans"' in head or b'"scopeSpans"' in head
        logs = b'"resourceLogs"' in head or b'"resource_logs"' in head
        marked = any(mark in head for mark in (b"gen_ai.", b"openinference.", b"llm.", b"traceloop."))
        if spans or (logs and marked):
            return Guess(0.95 if marked else 0.8, "spans of OTLP" if spans else "GenAI log records of OTLP")
        return Guess(0.0, "no resourceSpans")

    def default_places(self) -> Sequence[str]:
        return ()

    def read(self, file: TranscriptFile) -> Iterable[Read]:
        reading = _Reading(file.uri)
        for root in roots(file):
            if isinstance(root, Quarantined):
                reading.account.quarantined.append(root)
            else:
                reading.batch(list(items_in(root, reading.account)))
        yield from reading.transcripts()
        reading.note_silence()
        yield from reading.account.statements()


@dataclass(slots=True)
class _Session:
    """A session and what its spans and their resource tell about it; the first to be told stands."""

    folded: Folded
    facts: dict[str, str] = field(default_factory=dict[str, str])
    extra: dict[str, Json] = field(default_factory=dict[str, Json])

    def learn(self, item: Item) -> None:
        metadata = mapping(structured(item.attributes.get("metadata")))
        for name, keys in _FACTS.items():
            for level in (item.attributes, item.resource, metadata):
                value = next((f for key in keys if (f := fact(level.get(key))) is not None), None)
                if value is not None:
                    self.facts.setdefault(name, value)
        for key in _EXTRA:
            value = fact(item.attributes.get(key)) or fact(item.resource.get(key))
            if value is not None:
                self.extra.setdefault(key, value)

    def info(self, native_id: str) -> SessionInfo:
        known = {name: f for name, key in _FALLBACKS.items() if (f := fact(self.extra.get(key))) is not None}
        return replace(SessionInfo(Otlp.name, native_id, extra=self.extra), **{**known, **self.facts})


class _Reading:
    """One pass over one file, batch by batch."""

    def __init__(self, uri: str) -> None:
        self.account = Account()
        self._uri = uri
        self._sessions: dict[str, _Session] = {}
        self._traces: dict[str, str] = {}
        self._seen: set[str] = set()
        self._pending: dict[str, list[Item]] = {}  # log records of requests that have no answer yet
        self._logged: set[str] = set()
        self._silent = 0
        self._spoken = 0

    def batch(self, items: list[Item]) -> None:
        """Items that were written at once: in order of their ends, what is inside before what is around."""
        for item in items:
            named = item.text(*_SESSIONS)
            if named is not None:
                self._traces.setdefault(item.trace, named)
        for item in sorted(items, key=lambda i: (i.end, -i.start)):
            self._item(item)

    def transcripts(self) -> Iterator[Transcript]:
        for waiting in self._pending.values():  # read when the answer is there: the log only grows at its end
            self.account.skip("a request that has no answer yet", len(waiting))
        for native_id, session in self._sessions.items():
            if session.folded.builder.events:
                yield session.folded.builder.transcript(session.info(native_id))

    def note_silence(self) -> None:
        """Say how many requests came without their messages, and what to do about it."""
        total = self._silent + self._spoken
        told = f"{total} model spans, {self._spoken} with content" if self._silent else ""
        self.account.skip(f"{told}: {_HINT}", self._silent)

    def _session(self, item: Item) -> _Session:
        native_id = item.text(*_SESSIONS) or self._traces.get(item.trace) or item.trace or "no trace"
        self._traces.setdefault(item.trace, native_id)
        session = self._sessions.setdefault(native_id, _Session(Folded(Otlp.name, self._uri)))
        session.learn(item)
        return session

    def _item(self, item: Item) -> None:
        if item.log is not None:
            self._log(item)
            return
        if item.key in self._seen:
            self.account.skip("a span that was exported twice")
            return
        self._seen.add(item.key)
        operation, kind = _operation(item)
        if kind is None and operation is None and not any(e.name == _EVALUATION for e in item.events):
            self.account.skip("a span that is no agent's")
            return
        session = self._session(item)
        judged = [self._judge(session, item, event) for event in item.events if event.name == _EVALUATION]
        left = self._span(session, item, operation or "", kind)
        if left is None or any(judged):
            self.account.used += 1
        elif left == _HINT:
            self._silent += 1
        else:
            self.account.skip(left)

    def _span(self, session: _Session, item: Item, operation: str, kind: str | None) -> str | None:
        """Why the span is left out; None when it became events."""
        folded = session.folded
        if kind == "model":
            return self._model(folded, item)
        if kind == "tool":
            return None if folded.tool(item) else "a span that tells what another one told"
        if kind in ("agent", "wrapper"):
            told = told_by(item) if kind == "agent" and item.trace not in folded.told else Told()
            spoke = bool(told) and folded.exchange(item, told)
            return None if self._ended(session, item) or spoke else "a span around others"
        if kind == "embeddings" or not operation:
            return kind or "a span without an operation"
        folded.note(item, f"span {operation}")
        return None

    def _model(self, folded: Folded, item: Item) -> str | None:
        told = told_by(item)
        if not told and item.key not in self._logged and not item.failed:
            return _HINT
        if told:
            folded.exchange(item, told)
        else:
            folded.usage(item)
        if told or item.key in self._logged:
            self._spoken += 1
            folded.told.add(item.trace)
        return None

    def _ended(self, session: _Session, item: Item) -> bool:
        """The outermost span's failure is the session's, unless someone judged otherwise."""
        builder = session.folded.builder
        if item.parent or not item.failed or builder.outcome != Outcome():
            return False
        why = item.status or item.text("error.type")
        builder.end(Outcome("failure", None, "span status"), item.node, explanation=why)
        return True

    def _judge(self, session: _Session, item: Item, event: SpanEvent) -> bool:
        builder = session.folded.builder
        before, count = builder.outcome, len(builder.events)
        outcome, why = _evaluated(event.attributes)
        builder.end(outcome, item.node, explanation=why)
        if outcome is not None and outcome.label == "unknown" != before.label:
            builder.outcome = before  # a bare score does not undo a verdict
        return len(builder.events) > count

    # Log records.

    def _log(self, item: Item) -> None:
        name = item.log or ""
        request = f"{item.trace}:{item.span}"
        if name == _EVALUATION:
            judged = self._judge(self._session(item), item, SpanEvent(name, item.attributes, ""))
            self._count(judged, "an evaluation without a verdict")
        elif name != DETAILS and not is_message_event(name):
            self.account.skip("a log record that is no agent's")
        elif request in self._logged:  # another choice, or the request exported twice
            self.account.skip("a request that was told before")
        elif name == DETAILS:
            self._logged.add(request)
            self._count(self._session(item).folded.exchange(item, told_by(item)), "a request without content")
        else:
            self._pending.setdefault(request, []).append(item)
            if name == _CHOICE:
                self._logged.add(request)
                self._heard(self._pending.pop(request))

    def _heard(self, items: list[Item]) -> None:
        """The log records of one request, which are its history and its answer."""
        whole = Told()
        for item in items:
            told = told_by(item)
            whole.prompts += told.prompts
            whole.history += told.history
            whole.answer += told.answer
        session = self._session(items[-1])
        session.folded.told.add(items[-1].trace)
        session.folded.exchange(replace(items[-1], start=items[0].start), whole)
        self.account.used += len(items)

    def _count(self, used: bool, reason: str) -> None:
        if used:
            self.account.used += 1
        else:
            self.account.skip(reason)


def _operation(item: Item) -> tuple[str | None, str | None]:
    """(what the span says it did, the kind of span that is)."""
    for name in ("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind"):
        told = item.text(name)
        if told is not None:
            return told, _KINDS.get(told)
    if "ai.toolCall.name" in item.attributes:
        return "tool", "tool"
    if any(mark in item.attributes for mark in _MARKS):
        return "chat", "model"
    return None, None


def _evaluated(attributes: Mapping[str, Json]) -> tuple[Outcome | None, str | None]:
    """(what an evaluation says, why)."""
    name = fact(attributes.get("gen_ai.evaluation.name")) or "result"
    source = f"evaluation {name}"
    score = finite(attributes.get("gen_ai.evaluation.score.value"))
    labelled = from_word(attributes.get("gen_ai.evaluation.score.label"), source)
    why = attributes.get("gen_ai.evaluation.explanation")
    if labelled is not None:
        return replace(labelled, score=score), why if isinstance(why, str) else None
    return Outcome("unknown", score, source) if score is not None else None, why if isinstance(
        why, str
    ) else None
