"""Spans of sessions, as an exporter gets them: from the real loop, and from logs as they may come."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import reverie
from reverie.domain.clock import iso
from reverie.domain.errors import ConfigError, NotFound
from reverie.storage.events import Link
from reverie.telemetry import Spans, tracer, wanted

MODEL = f"scripted:{Path(__file__).parents[1] / 'agents' / 'models.py'}:caller"


class Exported:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self, describe: Callable[[str, str], Any], **more: Any) -> Spans:
        return Spans(tracer(self.provider), describe, **more)

    def named(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    @property
    def all(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


@pytest.fixture
def exported() -> Exported:
    return Exported()


@pytest.fixture
def house(sqlite_url: str) -> Iterator[reverie.Reverie]:
    with reverie.open(sqlite_url) as opened:
        yield opened


def price(article: str) -> str:
    """What an article costs."""
    if article == "gold":
        raise LookupError("no gold")
    return "three"


def ran(
    house: reverie.Reverie, exported: Exported, task: str, *, content: bool = False
) -> tuple[reverie.RunSession, dict[str, ReadableSpan]]:
    spans = exported.spans(house.agent_of, content=content)
    house.observe(spans)
    agent = reverie.Agent(name="clerk", model=MODEL, tools=[price])
    session = agent.run_sync(task, reverie=house)
    spans.close()
    return session, exported.named()


# ------------------------------------------------------------------ a session


def test_a_turn_is_a_tree_of_spans(house: reverie.Reverie, exported: Exported) -> None:
    session, named = ran(house, exported, 'price {"article": "tea"}')
    assert sorted(span.name.split()[0] for span in exported.all) == [
        "chat",
        "chat",
        "execute_tool",
        "invoke_agent",
    ]
    turn, call = named["invoke_agent clerk"], named["execute_tool price"]
    chats = [span for span in exported.all if span.name.startswith("chat")]
    assert turn.parent is None and turn.context is not None
    for span in (call, *chats):
        assert span.parent is not None and span.parent.span_id == turn.context.span_id
    assert (turn.kind, call.kind, chats[0].kind) == (SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.CLIENT)
    for span in exported.all:
        assert span.attributes is not None
        assert span.attributes["gen_ai.conversation.id"] == session.id
        assert span.status.status_code is StatusCode.UNSET
    assert turn.attributes is not None and turn.attributes["gen_ai.agent.name"] == "clerk"
    assert turn.attributes["gen_ai.provider.name"] == "scripted"
    assert turn.attributes["reverie.stop_reason"] == "end_turn"


def test_times_are_those_of_the_events(house: reverie.Reverie, exported: Exported) -> None:
    session, named = ran(house, exported, 'price {"article": "tea"}')
    at = {event.type: event.at for event in session.events if event.at is not None}
    turn = named["invoke_agent clerk"]
    for told, type in ((turn.start_time, "session.status_running"), (turn.end_time, "session.status_idle")):
        assert told == round(at[type].timestamp() * 1_000_000) * 1_000  # type: ignore[arg-type]


def test_tokens_are_counted(house: reverie.Reverie, exported: Exported) -> None:
    session, _ = ran(house, exported, 'price {"article": "tea"}')
    chats = [span.attributes or {} for span in exported.all if span.name.startswith("chat")]
    assert sum(int(str(each["gen_ai.usage.input_tokens"])) for each in chats) == session.usage.input_tokens
    assert sum(int(str(each["gen_ai.usage.output_tokens"])) for each in chats) == session.usage.output_tokens
    assert [each["gen_ai.response.finish_reasons"] for each in chats] == [("tool_call",), ("stop",)]


def test_nothing_that_was_said_leaves_unless_it_is_asked_for(
    house: reverie.Reverie, exported: Exported
) -> None:
    ran(house, exported, 'price {"article": "tea"}')
    told = " ".join(span.to_json() for span in exported.all)
    assert "tea" not in told and "three" not in told and "calling" not in told


def test_content_is_as_the_conventions_have_it(house: reverie.Reverie, exported: Exported) -> None:
    _, named = ran(house, exported, 'price {"article": "tea"}', content=True)
    call = named["execute_tool price"].attributes or {}
    assert json.loads(str(call["gen_ai.tool.call.arguments"])) == {"article": "tea"}
    assert json.loads(str(call["gen_ai.tool.call.result"])) == [{"type": "text", "text": "three"}]
    first, second = (span.attributes or {} for span in exported.all if span.name.startswith("chat"))
    (asked,) = json.loads(str(first["gen_ai.input.messages"]))
    assert asked == {
        "role": "user",
        "parts": [{"type": "text", "content": 'price {"article": "tea"}'}],
    }
    (said,) = json.loads(str(first["gen_ai.output.messages"]))
    assert [part["type"] for part in said["parts"]] == ["text", "tool_call"]
    (answered,) = json.loads(str(second["gen_ai.input.messages"]))
    assert answered["parts"][0]["response"] == [{"type": "text", "text": "three"}]


def test_a_tool_that_fails_is_an_error_and_the_turn_is_not(
    house: reverie.Reverie, exported: Exported
) -> None:
    _, named = ran(house, exported, 'price {"article": "gold"}')
    assert named["execute_tool price"].status.status_code is StatusCode.ERROR
    assert (named["execute_tool price"].attributes or {})["error.type"] == "tool_error"
    assert named["invoke_agent clerk"].status.status_code is StatusCode.UNSET


def test_a_model_that_fails_is_an_error_of_the_turn(house: reverie.Reverie, exported: Exported) -> None:
    _, named = ran(house, exported, "price [1, 2")  # the model itself cannot read this
    turn, chat = named["invoke_agent clerk"], next(s for s in exported.all if s.name.startswith("chat"))
    assert turn.status.status_code is StatusCode.ERROR and chat.status.status_code is StatusCode.ERROR
    assert (turn.attributes or {})["error.type"] == "model_request_failed_error"
    assert (turn.attributes or {})["reverie.stop_reason"] == "retries_exhausted"


# ------------------------------------------------------------------ logs as they may come


def link(clock: Any, seq: int, type: str, thread: str = "", **payload: Any) -> Link:
    at = iso(clock())
    return Link("sesn_x", seq, f"sevt_{seq}", str(seq), type, at, thread, json.dumps(payload), None, "00")


def told(exported: Exported, links: list[Link], **more: Any) -> list[ReadableSpan]:
    spans = exported.spans(lambda workspace, session_id: {"name": "clerk"}, **more)
    for each in links:
        spans.appended("default", [each])
    spans.close()
    return exported.all


IDLE = {"stop_reason": {"type": "end_turn"}}
ASKS = {"stop_reason": {"type": "requires_action", "event_ids": ["sevt_2"]}}


def test_a_call_that_waits_for_somebody_ends_with_its_result(exported: Exported, clock: Any) -> None:
    clock.step = timedelta(seconds=10)
    first, waited, second = told(
        exported,
        [
            link(clock, 1, "session.status_running"),
            link(clock, 2, "agent.tool_use", name="bash", input={}),
            link(clock, 3, "session.status_idle", **ASKS),
            link(clock, 4, "user.tool_confirmation", tool_use_id="sevt_2", result="allow"),
            link(clock, 5, "session.status_running"),
            link(clock, 6, "agent.tool_result", tool_use_id="sevt_2", content=[]),
            link(clock, 7, "session.status_idle", **IDLE),
        ],
    )
    assert [first.name, waited.name, second.name] == [
        "invoke_agent clerk",
        "execute_tool bash",
        "invoke_agent clerk",
    ]
    assert waited.end_time is not None and waited.start_time is not None
    assert waited.end_time - waited.start_time == 40 * 10**9
    assert waited.parent is not None and first.context is not None
    assert waited.parent.span_id == first.context.span_id


def test_each_thread_has_its_own_turns(exported: Exported, clock: Any) -> None:
    spans = told(
        exported,
        [
            link(clock, 1, "session.status_running"),
            link(clock, 2, "session.thread_status_running", "sthr_a"),
            link(clock, 3, "span.model_request_start", "sthr_a"),
            link(clock, 4, "span.model_request_start"),
            link(clock, 5, "span.model_request_end", "sthr_a", model_usage={"input_tokens": 7}),
            link(clock, 6, "session.thread_status_idle", "sthr_a", **IDLE),
            link(clock, 7, "span.model_request_end", model_usage={"input_tokens": 9}),
            link(clock, 8, "session.status_idle", **IDLE),
        ],
    )
    assert [span.name for span in spans] == ["chat", "invoke_agent clerk", "chat", "invoke_agent clerk"]
    for chat, turn in (spans[:2], spans[2:]):
        assert chat.parent is not None and turn.context is not None
        assert chat.parent.span_id == turn.context.span_id


def test_a_process_that_comes_in_later_makes_what_spans_it_can(exported: Exported, clock: Any) -> None:
    spans = told(
        exported,
        [
            link(clock, 4, "span.model_request_end", model_usage={}),
            link(clock, 5, "agent.tool_result", tool_use_id="sevt_2", content=[]),
            link(clock, 6, "span.model_request_start"),
            link(clock, 7, "span.model_request_end", model_usage={}),
            link(clock, 8, "session.status_idle", **IDLE),
        ],
    )
    assert [span.name for span in spans] == ["chat"]


def test_cached_tokens_are_input_too(exported: Exported, clock: Any) -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 300}
    (span,) = told(
        exported,
        [
            link(clock, 1, "span.model_request_start"),
            link(clock, 2, "span.model_request_end", model="m-1", model_usage={**usage, "output_tokens": 4}),
        ],
    )
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.input_tokens"] == 321
    assert span.attributes["gen_ai.usage.cache_read.input_tokens"] == 20
    assert span.attributes["gen_ai.response.model"] == "m-1"


# ------------------------------------------------------------------ in nobody's way


def test_what_goes_wrong_here_stops_nothing(
    exported: Exported, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken = link(clock, 1, "agent.tool_use")._replace(payload="{")
    with caplog.at_level(logging.WARNING):
        spans = told(
            exported,
            [broken, link(clock, 2, "span.model_request_start"), link(clock, 3, "span.model_request_end")],
        )
    assert [span.name for span in spans] == ["chat"]
    assert "no span could be made" in caplog.text


def test_a_session_that_is_gone_has_no_agent_and_still_spans(exported: Exported, clock: Any) -> None:
    def gone(workspace: str, session_id: str) -> Any:
        raise NotFound("it was deleted")

    spans = exported.spans(gone)
    spans.appended(
        "default", [link(clock, 1, "session.status_running"), link(clock, 2, "session.status_idle")]
    )
    spans.close()
    assert [span.name for span in exported.all] == ["invoke_agent agent"]


def test_nobody_waits_for_spans_and_what_has_no_room_is_counted(exported: Exported, clock: Any) -> None:
    held = threading.Event()

    def slow(workspace: str, session_id: str) -> Any:
        held.wait(30)
        return {}

    spans = exported.spans(slow)
    one = [link(clock, 1, "session.status_running")]
    for _ in range(5_000):
        spans.appended("default", one)
    assert spans.dropped >= 5_000 - 4_096 - 1
    held.set()
    spans.close()


# ------------------------------------------------------------------ whether they are wanted


@pytest.mark.parametrize(
    ("environ", "answer"),
    [
        ({}, False),
        ({"REVERIE_OTEL": "1"}, True),
        ({"REVERIE_OTEL": "0", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"REVERIE_OTEL": "1", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_spans_are_made_only_where_they_are_asked_for(environ: dict[str, str], answer: bool) -> None:
    assert wanted(environ) is answer


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setenv("REVERIE_OTEL", "1")
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"reverie-agents\[otel\]"):
        reverie.open(tmp_path / "r.db")


def test_a_house_that_is_opened_with_it_makes_spans(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exported: Exported
) -> None:
    from opentelemetry import trace

    monkeypatch.setenv("REVERIE_OTEL", "1")
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: exported.provider)
    with reverie.open(tmp_path / "r.db") as house:
        agent = reverie.Agent(name="clerk", model=MODEL, tools=[price])
        asyncio.run(agent.run('price {"article": "tea"}', reverie=house))
    assert "execute_tool price" in exported.named()
