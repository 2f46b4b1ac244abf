"""Conversations of any shape: dialects, identities, files that grow, and what people say about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.importers.memory_file import Account, said

from reverie.domain.sessions import Outcome, Transcript
from reverie.importers.chat import Chat
from reverie.importers.messages import Dialogue
from reverie.testing.importers import MemoryFile

FIXTURES = Path(__file__).parent / "fixtures" / "chat"


def read(name: str, data: bytes | None = None, folder: str = "/logs") -> Account:
    content = (FIXTURES / name).read_bytes() if data is None else data
    uri = f"{folder}/{name}"
    return Account(Chat(), MemoryFile(uri, {uri: content}))


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def user(text: str, **more: object) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def assistant(text: str, **more: object) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def by_id(account: Account) -> dict[str, Transcript]:
    return {t.info.native_id: t for t in account.transcripts}


# One message a line.


def test_openai_messages_one_a_line() -> None:
    account = read("openai.jsonl")
    assert [e.type for e in account.events] == [
        "system.message",
        "user.message",
        "agent.thinking",
        "agent.tool_use",
        "agent.tool_result",
        "user.message",
        "user.message",
        "agent.tool_use",
        "agent.tool_result",
        "system.message",
        "user.message",
        "raw",
        "session.outcome",
    ]
    assert account.typed() == ["Rename a.txt", "yes", "yes", "no, use git mv"]
    failed = account.of("agent.tool_result")[0]
    assert failed.payload == {
        "tool_use_id": "call_0",
        "content": [{"type": "text", "text": "mv: cannot stat"}],
        "is_error": True,
        "exit_code": 1,
    }
    info = account.transcripts[0].info
    assert (info.user, info.task, info.model, info.goal) == ("ana", "rename", "gpt-5", "Rename a.txt")
    assert info.outcome == Outcome("failure", None, "outcome")
    assert [str(e.at)[:19] for e in account.events[:2]] == ["2026-05-01 08:00:00"] * 2


def test_a_reminder_beside_typed_words_is_not_a_persons() -> None:
    reminder = read("openai.jsonl").of("system.message")[1]
    assert (reminder.payload["kind"], said(reminder)) == (
        "injected",
        "<system-reminder>be careful</system-reminder>",
    )


def test_a_call_without_an_id_gets_the_next_result_of_its_tool() -> None:
    use = read("openai.jsonl").of("agent.tool_use")[1]
    result = read("openai.jsonl").of("agent.tool_result")[1]
    assert use.payload["input"] == {"arguments": "not json"}
    assert result.payload["tool_use_id"] == use.payload["tool_use_id"]


def test_a_file_that_grew_is_the_same_session() -> None:
    whole = (FIXTURES / "openai.jsonl").read_bytes()
    early, late = read("x.jsonl", whole[: whole.index(b'{"role":"tool"')]), read("x.jsonl", whole)
    assert early.transcripts[0].info.native_id == late.transcripts[0].info.native_id
    assert early.events == late.events[: len(early.events)]


def test_two_files_that_begin_alike_are_two_sessions() -> None:
    one, two = (read("x.jsonl", lines(user("hi")), folder) for folder in ("/a", "/b"))
    assert one.transcripts[0].info.native_id != two.transcripts[0].info.native_id


def test_sessions_interleaved_in_one_file_are_parted() -> None:
    records = [user(f"{s}{n}", session_id=s) for n in range(2) for s in ("s1", "s2")]
    sessions = by_id(read("x.jsonl", lines(*records)))
    assert {name: [said(e) for e in t.events] for name, t in sessions.items()} == {
        "s1": ["s10", "s11"],
        "s2": ["s20", "s21"],
    }


def test_a_session_that_goes_on_in_the_next_days_file_has_new_keys() -> None:
    first = read("1.jsonl", lines(user("a", session_id="s"), assistant("b", session_id="s")))
    second = read("2.jsonl", lines(user("c", session_id="s")))
    assert not {e.key for e in first.events} & {e.key for e in second.events}


def test_a_line_removed_above_changes_no_key_below() -> None:
    records = [user("a", session_id="s"), user("b", session_id="s"), user("c", session_id="s")]
    whole = [e.key for e in read("x.jsonl", lines(*records)).events]
    assert [e.key for e in read("x.jsonl", lines(*records[1:])).events] == whole[1:]


def test_a_header_names_the_session_of_the_lines_below() -> None:
    header = {"type": "session", "id": "abc-1", "cwd": "/repo", "timestamp": "2026-01-01T00:00:00Z"}
    change = {"type": "model_change", "id": "m-1", "modelId": "x"}
    message = {"type": "message", "id": "m-2", "message": user("Hi")}
    account = read("x.jsonl", lines(header, change, message))
    (transcript,) = account.transcripts
    assert (transcript.info.native_id, transcript.info.cwd) == ("abc-1", "/repo")
    assert [e.type for e in transcript.events] == ["raw", "user.message"]


def test_content_under_other_names() -> None:
    records = [
        {"role": "user", "message": {"content": [{"type": "text", "text": "a"}]}},
        {"role": "user", "text": "b"},
        {"role": "model", "parts": [{"text": "c"}]},
        {"type": "tool_call", "toolCallId": "t1", "toolName": "Shell", "parameters": {"command": "ls"}},
        {"type": "tool_result", "toolCallId": "t1", "value": {"stdout": "x", "exitCode": 2}},
    ]
    account = read("x.jsonl", lines(*records))
    assert [said(e) for e in account.events[:3]] == ["a", "b", "c"]
    use, result = account.events[3:]
    assert use.payload == {"tool_use_id": "t1", "name": "Shell", "input": {"command": "ls"}}
    assert (result.payload["tool_use_id"], result.payload["exit_code"]) == ("t1", 2)


def test_a_turn_that_says_nothing_we_know_is_kept_as_it_is() -> None:
    account = read("x.jsonl", lines(user("a"), {"role": "assistant", "embedding": [1, 2]}))
    assert account.events[-1].type == "raw"
    assert account.events[-1].payload["record"] == {"role": "assistant", "embedding": [1, 2]}


def test_a_document_that_only_mentions_roles_is_left_alone() -> None:
    data = json.dumps({"samples": [{"input": [user("a")]}], "users": [{"role": "user"}]}).encode()
    assert Chat().sniff(data, MemoryFile("/x.json", {"/x.json": data})).confidence == 0
    cut = json.dumps({"id": "c", "messages": [user("a" * 100_000)]}).encode()[:65_536]
    assert Chat().sniff(cut, MemoryFile("/x.json", {"/x.json": cut})).confidence > 0


# One conversation a line.


def test_conversations_one_a_line() -> None:
    account = read("conversations.jsonl")
    first = by_id(account)["s-1"]
    assert [e.type for e in first.events] == [
        "system.message",
        "user.message",
        "agent.thinking",
        "agent.message",
        "agent.tool_use",
        "agent.tool_result",
        "session.outcome",
    ]
    assert first.events[1].payload["content"] == [
        {"type": "text", "text": "Hi"},
        {"type": "image", "media_type": "image/png", "omitted": "4 characters of data"},
    ]
    assert first.events[5].payload["is_error"] is True
    info = first.info
    assert (info.user, info.model, info.task) == ("bo", "claude-4", "12")
    assert info.outcome == Outcome("success", 1.0, "reward")


def test_a_conversation_on_two_lines_is_one() -> None:
    account = read("conversations.jsonl")
    assert account.skipped.count("the same conversation as on an earlier line") == 2
    (transcript,) = [t for t in account.transcripts if t.info.goal == "one-off"]
    assert transcript.info.outcome.label == "success"
    assert transcript.info.extra == {"temperature": 0.5, "outcome": "success"}


def test_requests_that_repeat_their_history_make_one_conversation() -> None:
    account = read("conversations.jsonl")
    events = by_id(account)["req-1"].events
    assert [said(e) for e in events if e.type != "span.model_request_end"] == [
        "Ping",
        "Pong",
        "Again",
        "Pong!",
    ]
    assert account.skipped.count("repeats an earlier message of its conversation") == 2
    pointers = [e.origin.pointer for e in events if e.origin is not None]
    assert pointers[0] == "/request/messages/0/content"
    assert pointers[1] == "/response/choices/0/message/content"


def test_sharegpt() -> None:
    (transcript,) = [t for t in read("conversations.jsonl").transcripts if t.info.goal == "Q"]
    assert [(e.type, said(e)) for e in transcript.events] == [("user.message", "Q"), ("agent.message", "A")]


# Documents.


def test_responses_items() -> None:
    account = read("responses.json")
    assert [e.type for e in account.events] == [
        "system.message",
        "user.message",
        "agent.thinking",
        "agent.tool_use",
        "agent.tool_result",
        "agent.tool_use",
        "agent.tool_result",
        "agent.tool_use",
        "agent.tool_result",
        "agent.tool_use",
        "user.tool_confirmation",
        "raw",
        "agent.message",
        "agent.message",
        "span.model_request_end",
    ]
    uses = account.of("agent.tool_use")
    assert [(e.payload["name"], e.payload["input"]) for e in uses] == [
        ("shell", {"cmd": ["ls"]}),
        ("apply_patch", {"arguments": "*** Begin Patch"}),
        ("lookup", {}),
        ("web_search", {"type": "search", "query": "x"}),
    ]
    errors = [(said(e), e.payload["is_error"]) for e in account.of("agent.tool_result")]
    assert errors == [("a.py", False), ("ok", False), ("timeout", True)]
    assert account.of("user.tool_confirmation")[0].payload["deny_message"] == "not now"
    assert account.of("span.model_request_end")[0].payload == {
        "model": "gpt-5",
        "usage": {"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 4},
    }
    assert account.skipped == ["a message without content"]  # reasoning that is encrypted


def test_a_list_of_messages_of_two_frameworks() -> None:
    account = read("messages.json")
    assert account.typed() == ["Hello", "LangChain says hello"]
    assert account.of("agent.tool_use")[0].payload["input"] == {"a": 1}
    assert account.of("agent.tool_result")[0].payload["is_error"] is True


def test_a_bare_number_is_an_id_within_its_file_only() -> None:
    names = [t.info.native_id for t in read("several.json").transcripts]
    assert names[0] != "7"
    assert {"c-one", "/logs/several.json#7"} < set(names)


def test_a_document_that_grew_is_the_same_session() -> None:
    def messages(count: int) -> bytes:
        return json.dumps({"messages": [user(str(n)) for n in range(count)]}).encode()

    early, late = read("x.json", messages(1)), read("x.json", messages(3))
    assert early.transcripts[0].info.native_id == late.transcripts[0].info.native_id
    assert [e.key for e in early.events] == [e.key for e in late.events][:1]


# Outcomes.


@pytest.mark.parametrize(
    ("said_of_it", "outcome"),
    [
        ({"outcome": "success"}, Outcome("success", None, "outcome")),
        ({"label": "FAIL", "score": 0.2}, Outcome("failure", 0.2, "label")),
        ({"resolved": False}, Outcome("failure", None, "resolved")),
        ({"reward": 0.99}, Outcome("failure", 0.99, "reward")),
        ({"metadata": {"passed": True, "reward": 0.4}}, Outcome("success", 0.4, "passed")),
        ({"score": 0.7}, Outcome("unknown", 0.7, "score")),
        ({"label": "spam"}, Outcome()),
        ({"reward": "1.0"}, Outcome()),
    ],
)
def test_what_people_call_success(said_of_it: dict[str, object], outcome: Outcome) -> None:
    account = read("x.jsonl", lines({"messages": [user("a")], **said_of_it}))
    assert account.transcripts[0].info.outcome == outcome
    assert len(account.of("session.outcome")) == (outcome != Outcome())


def test_a_tool_that_failed_is_no_verdict_on_the_session() -> None:
    tool = {"role": "tool", "content": "no", "success": False, "result": "failed", "tool_call_id": "c"}
    account = read("x.jsonl", lines(user("a"), tool))
    assert account.transcripts[0].info.outcome == Outcome()


# Bad input.


def test_a_broken_line_costs_a_line() -> None:
    data = lines(user("a")) + b'{"role": "user", "content": NaN}\n' + lines(user("c"))
    account = read("x.jsonl", data)
    assert account.typed() == ["a", "c"]
    assert [(q.line, q.why) for q in account.quarantined] == [(2, "NaN is not JSON")]


def test_a_broken_message_costs_a_message_in_a_document() -> None:
    data = json.dumps({"messages": [user("a"), user("b"), user("c")]}).encode().replace(b'"b"', b"NaN")
    account = read("x.json", data)
    assert account.typed() == ["a", "c"]
    assert [q.pointer for q in account.quarantined] == ["/messages/1"]


def test_wrappers_around_wrappers_are_no_trap() -> None:
    account = read("x.json", b'{"data":' * 100_000 + b"1" + b"}" * 100_000)
    assert not account.transcripts
    assert account.records == 1


# The dialogue.


def test_an_id_given_twice_is_made_unique_and_results_follow() -> None:
    dialogue = Dialogue()
    told = []
    for n in range(3):
        told += dialogue.read(
            {"role": "assistant", "tool_calls": [{"id": "c", "name": "t", "arguments": {"n": n}}]}
        )
        told += dialogue.read({"role": "tool", "tool_call_id": "c", "content": str(n)})
    ids = [item.payload["tool_use_id"] for item in told]
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == 3
    assert not dialogue.waiting


def test_parallel_calls_without_ids_are_answered_in_order_of_their_names() -> None:
    dialogue = Dialogue()
    calls = [{"name": name, "arguments": {}} for name in ("a", "b", "a")]
    uses = dialogue.read({"role": "assistant", "tool_calls": calls})
    results = [dialogue.read({"role": "tool", "name": name, "content": "x"})[0] for name in ("b", "a", "a")]
    ids = [u.payload["tool_use_id"] for u in uses]
    assert [r.payload["tool_use_id"] for r in results] == [ids[1], ids[0], ids[2]]


def test_a_result_of_a_call_nobody_saw_keeps_its_id() -> None:
    (result,) = Dialogue().read({"role": "tool", "tool_call_id": "lost", "content": "x"})
    assert result.payload["tool_use_id"] == "lost"


@pytest.mark.parametrize(
    "scaffold",
    [
        "<environment_context>\n<cwd>/x</cwd>\n</environment_context>",
        "<user_info>OS: linux</user_info>",
    ],
)
def test_a_harness_speaking_as_the_user(scaffold: str) -> None:
    (told,) = Dialogue().read(user(scaffold))
    assert (told.type, told.payload["kind"]) == ("system.message", "injected")
    (typed,) = Dialogue().read(user(f"what does {scaffold} mean?"))
    assert typed.type == "user.message"
