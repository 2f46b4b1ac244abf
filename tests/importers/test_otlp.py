"""OTLP traces: every way of carrying messages, one conversation out of repeated histories, tools, verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.importers.memory_file import Account, said

from reverie.domain.sessions import Outcome
from reverie.importers.otlp import Otlp
from reverie.testing.importers import MemoryFile

FIXTURES = Path(__file__).parent / "fixtures" / "otlp"


def read(name: str, data: bytes | None = None) -> Account:
    content = (FIXTURES / name).read_bytes() if data is None else data
    return Account(Otlp(), MemoryFile(f"/traces/{name}", {f"/traces/{name}": content}))


def types(account: Account) -> list[str]:
    return [event.type for event in account.events if event.type != "span.model_request_end"]


def text(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def span(number: int, start: int, end: int, **attributes: object) -> dict[str, Any]:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return {
        "traceId": "t" * 32,
        "spanId": f"{number:016x}",
        "name": "s",
        "startTimeUnixNano": str((1_772_355_600 + start) * 10**9),
        "endTimeUnixNano": str((1_772_355_600 + end) * 10**9),
        "attributes": [
            {"key": k, "value": {"stringValue": v if isinstance(v, str) else json.dumps(v)}}
            for k, v in named.items()
        ],
    }


def chat(number: int, told: list[Any], answer: str, **more: object) -> dict[str, Any]:
    return span(
        number,
        number,
        number + 1,
        gen_ai__operation__name="chat",
        gen_ai__input__messages=told,
        gen_ai__output__messages=[text("assistant", answer)],
        **more,
    )


def batch(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def one_line_each(*spans: dict[str, Any]) -> bytes:
    return b"".join(batch(s) + b"\n" for s in spans)


WEATHER = [
    "system.message",
    "user.message",
    "agent.thinking",
    "agent.tool_use",
    "agent.tool_result",
    "agent.tool_use",
    "raw",
    "agent.tool_result",
    "agent.message",
    "session.outcome",
]


def test_one_conversation_out_of_repeated_histories() -> None:
    account = read("attributes.json")
    assert types(account) == WEATHER
    first, second = account.of("agent.tool_result")
    assert first.payload == {
        "tool_use_id": "call_1",
        "content": [{"type": "text", "text": "Error: no such city"}],
        "is_error": True,
        "duration_ms": 1000,
    }
    # The second tool's span has no result; the next request has it, and the span how long it took.
    assert (said(second), second.payload["duration_ms"]) == ("rainy, 14 °C", 1500)
    info = account.transcripts[0].info
    assert (info.native_id, info.agent, info.user, info.model) == ("conv_1", "desk", "ana", "gpt-5-2026")
    assert info.outcome == Outcome("success", 0.9, "evaluation task")
    assert sorted(account.skipped) == ["a span that is no agent's", "embeddings"]


def test_the_collectors_lines_give_the_same_and_the_next_turn_is_appended() -> None:
    account = read("attributes.jsonl")
    assert types(account) == [*WEATHER, "user.message", "agent.message"]
    assert account.typed() == ["Weather in Paris?", "And tomorrow?"]


def test_an_origin_leads_to_the_attribute() -> None:
    origin = read("attributes.jsonl").of("user.message")[1].origin
    assert origin is not None
    line = (FIXTURES / "attributes.jsonl").read_bytes().split(b"\n")[3]
    assert origin.line == 4
    assert origin.pointer == "/resourceSpans/0/scopeSpans/0/spans/0/attributes/6/value"
    attribute = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][6]
    assert attribute["key"] == "gen_ai.input.messages"


def test_every_older_way_of_carrying_messages() -> None:
    by_id = {t.info.native_id[0]: [said(e) for e in t.events] for t in read("events.json").transcripts}
    assert by_id["1"] == ["Be short.", "2+2?", "4"]
    assert by_id["2"] == ["3+3?", "6"]
    assert by_id["3"] == ["5+5?", "10"]
    assert by_id["4"][:2] == ["Be nice.", "6+6?"]


def test_flattened_calls() -> None:
    (transcript,) = [t for t in read("events.json").transcripts if t.info.native_id[0] == "4"]
    assert transcript.events[-1].payload == {"tool_use_id": "c", "name": "add", "input": {"a": 6}}


def test_log_records_of_one_request_are_read_together() -> None:
    account = read("logs.jsonl")
    assert types(account) == [
        "system.message",
        "user.message",
        "agent.tool_use",
        "agent.tool_result",
        "agent.message",
        "session.outcome",
    ]
    lines = [e.origin.line for e in account.events if e.origin is not None]
    assert lines == [1, 1, 1, 3, 3, 3]
    assert account.transcripts[0].info.outcome == Outcome("failure", None, "evaluation sum")


def test_a_request_without_its_answer_waits_for_it() -> None:
    data = (FIXTURES / "logs.jsonl").read_bytes()
    account = read("logs.jsonl", b"".join(data.splitlines(keepends=True)[:2]))
    assert account.skipped.count("a request that has no answer yet") == 2


def test_openinference() -> None:
    account = read("openinference.jsonl")
    assert types(account) == [
        "system.message",
        "user.message",
        "agent.tool_use",
        "agent.tool_result",
        "agent.message",
        "session.outcome",
    ]
    assert account.of("user.message")[0].payload["content"] == [
        {"type": "text", "text": "File this."},
        {"type": "image", "omitted": "26 characters of data"},
    ]
    info = account.transcripts[0].info
    assert (info.native_id, info.user, info.task, info.agent) == ("s-9", "bo", "t-77", "filer")
    assert info.outcome == Outcome("failure", None, "span status")


def test_openinference_with_nothing_but_values() -> None:
    told = {"messages": [{"role": "user", "content": "Hi"}]}
    llm = span(1, 0, 1, openinference__span__kind="LLM", input__value=told, output__value="Hello")
    account = read("x.json", batch(llm))
    assert [(e.type, said(e)) for e in account.events] == [("user.message", "Hi"), ("agent.message", "Hello")]


def test_the_ai_sdks_own_attributes() -> None:
    told = [{"role": "user", "content": [{"type": "text", "text": "Weather?"}]}]
    call = [{"toolCallId": "c1", "toolName": "weather", "input": {"city": "Rome"}}]
    model = {"gen_ai__system": "openai", "ai__prompt__messages": told, "ai__response__toolCalls": call}
    spans = [
        span(1, 0, 1, **model),
        span(2, 1, 2, ai__toolCall__name="weather", ai__toolCall__id="c1", ai__toolCall__output="sun"),
    ]
    account = read("x.jsonl", one_line_each(*spans))
    assert [(e.type, said(e)) for e in account.events] == [
        ("user.message", "Weather?"),
        ("agent.tool_use", ""),
        ("agent.tool_result", "sun"),
    ]
    assert account.events[1].payload["tool_use_id"] == account.events[2].payload["tool_use_id"] == "c1"


def test_spans_without_content_say_what_to_do() -> None:
    account = read("silent.json")
    reason = account.skipped[0]
    assert reason.startswith("2 model spans, 0 with content: set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE")
    assert account.skipped == [reason] * 2
    use, result = account.events
    assert (use.payload["name"], said(result), result.payload["is_error"]) == ("ls", "denied", True)


def test_agents_are_threads() -> None:
    account = read("agents.json")
    assert [(e.type, e.thread) for e in account.events] == [
        ("user.message", ""),
        ("agent.tool_use", ""),
        ("session.thread_created", ""),
        ("system.message", "scout"),
        ("agent.message", "scout"),
        ("agent.tool_result", ""),
        ("agent.message", ""),
    ]


def test_a_system_prompt_that_changes_does_not_begin_a_new_thread() -> None:
    user = text("user", "Hi")
    spans = [
        chat(
            n, told, f"answer {n}", gen_ai__system_instructions=[{"type": "text", "content": f"It is {n} h"}]
        )
        for n, told in enumerate([[user], [user, text("assistant", "answer 0"), text("user", "More")]])
    ]
    account = read("x.jsonl", one_line_each(*spans))
    assert {e.thread for e in account.events} == {""}
    assert [said(e) for e in account.of("user.message", "agent.message")] == [
        "Hi",
        "answer 0",
        "More",
        "answer 1",
    ]


def test_a_history_whose_beginning_was_dropped_is_recognised() -> None:
    turns = [text("user" if n % 2 == 0 else "assistant", f"m{n}") for n in range(9)]
    first = chat(1, turns[:7], "m7")
    second = chat(2, [*turns[4:7], text("assistant", "m7"), turns[8]], "m9")
    account = read("x.jsonl", one_line_each(first, second))
    assert [said(e) for e in account.events] == [f"m{n}" for n in range(10)]


def test_a_compacted_history_adds_only_what_is_new() -> None:
    conversation = {"gen_ai__conversation__id": "c"}
    first = chat(1, [text("user", "a"), text("assistant", "b"), text("user", "c")], "d", **conversation)
    second = chat(
        2,
        [text("user", "summary"), text("user", "c"), text("assistant", "d"), text("user", "e")],
        "f",
        **conversation,
    )
    account = read("x.jsonl", one_line_each(first, second))
    assert [said(e) for e in account.events] == ["a", "b", "c", "d", "summary", "e", "f"]


def test_a_service_that_keeps_the_history_itself() -> None:
    spans = [chat(n, [text("user", f"q{n}")], f"a{n}", gen_ai__conversation__id="c") for n in range(3)]
    account = read("x.jsonl", one_line_each(*spans))
    assert [said(e) for e in account.events] == ["q0", "a0", "q1", "a1", "q2", "a2"]
    assert {e.thread for e in account.events} == {""}


def test_the_session_is_the_conversation_then_the_session_then_the_trace() -> None:
    spans = [
        chat(1, [text("user", "a")], "b", gen_ai__conversation__id="conv", session__id="sess"),
        {**chat(2, [text("user", "c")], "d", session__id="sess"), "traceId": "u" * 32},
        {**chat(3, [text("user", "e")], "f"), "traceId": "v" * 32},
    ]
    account = read("x.jsonl", one_line_each(*spans))
    assert [t.info.native_id for t in account.transcripts] == ["conv", "sess", "v" * 32]


def test_a_span_that_was_exported_twice_counts_once() -> None:
    one = chat(1, [text("user", "a")], "b")
    account = read("x.jsonl", one_line_each(one, one))
    assert len(account.events) == 2
    assert account.skipped == ["a span that was exported twice"]


def test_a_broken_span_costs_a_span() -> None:
    spans = [chat(n, [text("user", f"q{n}")], "a", gen_ai__conversation__id="c") for n in range(3)]
    data = batch(*spans).replace(b'"s"', b"NaN", 1)
    account = read("x.json", data)
    assert [said(e) for e in account.of("user.message")] == ["q1", "q2"]
    assert [q.pointer for q in account.quarantined] == ["/resourceSpans/0/scopeSpans/0/spans/0"]


@pytest.mark.parametrize(
    ("label", "score", "outcome"),
    [
        ("pass", 1.0, Outcome("success", 1.0, "evaluation e")),
        ("Failed", None, Outcome("failure", None, "evaluation e")),
        ("relevant", 0.7, Outcome("unknown", 0.7, "evaluation e")),
        ("relevant", None, Outcome()),
    ],
)
def test_evaluations(label: str, score: float | None, outcome: Outcome) -> None:
    attributes = [
        {"key": "gen_ai.evaluation.name", "value": {"stringValue": "e"}},
        {"key": "gen_ai.evaluation.score.label", "value": {"stringValue": label}},
    ]
    if score is not None:
        attributes.append({"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": score}})  # type: ignore[dict-item]
    judged = {
        **chat(1, [text("user", "a")], "b"),
        "events": [{"name": "gen_ai.evaluation.result", "attributes": attributes}],
    }
    assert read("x.json", batch(judged)).transcripts[0].info.outcome == outcome
