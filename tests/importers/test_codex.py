"""Codex rollouts: two logs told as one, whose words are whose, forks and sub-agents, and nothing raised."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.importers.memory_file import Account, MemoryFile, said

from reverie.domain.events import EVENT_TYPES
from reverie.importers.codex import Codex

ROOT = "019d78fc-c449-7300-92a1-1e92604a4f6a"
FORK = "019d9000-0000-7000-8000-000000000001"
CHILD = "019d7a00-0000-7000-8000-0000000000aa"
OLD_TURN = "019d7905-774c-75b2-96e9-cc112da67592"
NEW_TURN = "019d9001-0000-7000-8000-00000000000b"


class Rollout:
    """Writes a rollout's lines, one second after the other."""

    def __init__(self, id: str = ROOT, **meta: Any) -> None:
        self.id = id
        self.lines: list[dict[str, Any]] = []
        self.second = 0
        if meta.pop("begin", True):
            self.meta(id, **meta)

    def line(self, type: str, payload: dict[str, Any], *, at: str | None = None) -> None:
        self.second += 1
        at = at or f"2026-04-10T20:{self.second // 60:02d}:{self.second % 60:02d}.000Z"
        self.lines.append({"timestamp": at, "type": type, "payload": payload})

    def meta(self, id: str, **fields: Any) -> None:
        payload = {
            "id": id,
            "timestamp": "2026-04-10T19:59:00.000Z",
            "cwd": "/Users/kim/src/shop-experiment",
            "originator": "codex-tui",
            "cli_version": "0.118.0",
            "git": {"branch": "main", "repository_url": "https://example.org/kim/shop.git"},
            **fields,
        }
        self.line("session_meta", payload)

    def item(self, type: str, **fields: Any) -> None:
        self.line("response_item", {"type": type, **fields})

    def event(self, type: str, **fields: Any) -> None:
        self.line("event_msg", {"type": type, **fields})

    def message(self, role: str, *texts: str) -> None:
        kind = "output_text" if role == "assistant" else "input_text"
        self.item("message", role=role, content=[{"type": kind, "text": text} for text in texts])

    def prompt(self, text: str) -> None:
        """As the tool writes it: once in each log."""
        self.message("user", text)
        self.event("user_message", message=text, images=[])

    def answer(self, text: str) -> None:
        self.event("agent_message", message=text, phase="commentary")
        self.message("assistant", text)

    def turn(self, turn_id: str = OLD_TURN, **fields: Any) -> None:
        self.line(
            "turn_context",
            {"turn_id": turn_id, "model": "gpt-5.4", "timezone": "America/Los_Angeles", **fields},
        )

    def command(self, call: str, output: str, code: int) -> None:
        self.item("function_call", name="exec_command", arguments=json.dumps({"cmd": "make"}), call_id=call)
        self.ended(call, output, code)
        self.output(call, output, code)

    def ended(self, call: str, output: str, code: int) -> None:
        duration = {"secs": 1, "nanos": 500_000_000}
        self.event(
            "exec_command_end", call_id=call, aggregated_output=output, exit_code=code, duration=duration
        )

    def output(self, call: str, output: str, code: int) -> None:
        head = f"Chunk ID: 5e02fe\nWall time: 1.5000 seconds\nProcess exited with code {code}\nOriginal token count: 9\nOutput:\n"
        self.item("function_call_output", call_id=call, output=head + output)

    @property
    def data(self) -> bytes:
        return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in self.lines)

    def read(self) -> Account:
        path = f"/home/kim/.codex/sessions/2026/04/10/rollout-2026-04-10T20-00-00-{self.id}.jsonl"
        return Account(Codex(), MemoryFile(path, self.data))


@pytest.fixture
def rollout() -> Rollout:
    return Rollout()


def kinds(account: Account) -> list[str]:
    return [event.type for event in account.events]


# ------------------------------------------------------------------ two logs, one story


def test_what_both_logs_say_is_told_once(rollout: Rollout) -> None:
    rollout.prompt("fix the login\n")
    rollout.answer("looking")
    account = rollout.read()
    assert [(e.type, said(e)) for e in account.events] == [
        ("user.message", "fix the login\n"),
        ("agent.message", "looking"),
    ]
    assert account.skipped == ["a copy of another record"] * 2
    assert account.records == 5


@pytest.mark.parametrize("log", ["item", "event"])
def test_what_one_log_alone_says_is_told_and_said_twice_it_is_two_things(rollout: Rollout, log: str) -> None:
    for _ in range(2):
        if log == "item":
            rollout.message("user", "continue")
        else:
            rollout.event("user_message", message="continue")
    assert rollout.read().typed() == ["continue", "continue"]


@pytest.mark.parametrize("first", ["ended", "output"])
def test_a_result_has_its_exit_code_whichever_log_comes_first(rollout: Rollout, first: str) -> None:
    rollout.item("function_call", name="exec_command", arguments='{"cmd":"make"}', call_id="c1")
    getattr(rollout, first)("c1", "boom", 2)
    getattr(rollout, "output" if first == "ended" else "ended")("c1", "boom", 2)
    account = rollout.read()
    (result,) = account.of("agent.tool_result")
    assert (said(result), result.payload["exit_code"], result.payload["is_error"]) == ("boom", 2, True)
    assert result.payload["duration_ms"] == 1500
    (use,) = account.of("agent.tool_use")
    assert use.payload == {"tool_use_id": "c1", "name": "exec_command", "input": {"cmd": "make"}}


def test_an_interrupt_counts_once(rollout: Rollout) -> None:
    rollout.message(
        "user", "<turn_aborted>\nThe user interrupted the previous turn on purpose.\n</turn_aborted>"
    )
    rollout.event("turn_aborted", reason="interrupted")
    rollout.event("turn_aborted", reason="replaced")
    rollout.event("turn_aborted", reason="interrupted")
    assert kinds(rollout.read()) == ["user.interrupt", "user.interrupt"]


def test_compaction_counts_once(rollout: Rollout) -> None:
    rollout.line("compacted", {"message": "we fixed the login", "replacement_history": []})
    rollout.event("context_compacted")
    account = rollout.read()
    assert kinds(account) == ["agent.thread_context_compacted", "system.message"]
    assert account.events[1].payload["kind"] == "summary"


def test_tokens_count_once_a_response(rollout: Rollout) -> None:
    rollout.turn()
    first = {"input_tokens": 100, "cached_input_tokens": 60, "output_tokens": 5, "reasoning_output_tokens": 2}
    second = {**first, "output_tokens": 7}
    rollout.event("token_count", info=None, rate_limits={})
    rollout.event("token_count", info={"total_token_usage": first, "last_token_usage": first})
    rollout.event("token_count", info={"total_token_usage": first, "last_token_usage": first})
    rollout.event(
        "token_count", info={"total_token_usage": {"output_tokens": 12}, "last_token_usage": second}
    )
    account = rollout.read()
    usages = [e.payload["usage"]["output_tokens"] for e in account.of("span.model_request_end")]
    assert usages == [5, 7]
    assert account.transcripts[0].info.extra["usage"]["output_tokens"] == 12
    assert account.transcripts[0].info.extra["usage"]["cache_read_input_tokens"] == 120


# ------------------------------------------------------------------ whose words


@pytest.mark.parametrize(
    "scaffolding",
    [
        "<environment_context>\n  <cwd>/x</cwd>\n</environment_context>",
        "# AGENTS.md instructions for /x\n\n<INSTRUCTIONS>\nuse tabs\n</INSTRUCTIONS>",
        "<user_instructions>use tabs</user_instructions>",
        "<permissions instructions>…</permissions instructions>",
        "<skill>\n<name>x</name>\n</skill>",
    ],
)
def test_scaffolding_is_no_prompt(rollout: Rollout, scaffolding: str) -> None:
    rollout.message("user", scaffolding)
    account = rollout.read()
    assert account.typed() == []
    assert account.events[0].payload["kind"] == "instructions"
    assert account.transcripts[0].info.goal is None


def test_the_editors_context_is_parted_from_the_request(rollout: Rollout) -> None:
    rollout.message(
        "user",
        "# Context from my IDE setup:\n\n## Open tabs:\n- a.py\n\n## My request for Codex:\nuse tabs\n",
    )
    rollout.event("user_message", message="use tabs")
    account = rollout.read()
    assert account.typed() == ["use tabs"]
    assert account.of("system.message")[0].payload["kind"] == "injected"


def test_developers_words_and_the_tools_are_not_the_persons(rollout: Rollout) -> None:
    rollout.message("developer", "You are in plan mode")
    rollout.event("error", message="stream disconnected")
    rollout.event("undo_completed", success=True, message="restored")
    rollout.item("reasoning", summary=[{"type": "summary_text", "text": "hm"}], encrypted_content="x")
    account = rollout.read()
    assert [(e.type, e.payload.get("kind")) for e in account.events] == [
        ("system.message", "instructions"),
        ("system.message", "injected"),
        ("system.message", "command"),
        ("agent.thinking", None),
    ]


def test_a_refusal_is_the_persons(rollout: Rollout) -> None:
    rollout.item("function_call", name="shell", arguments='{"command":["rm"]}', call_id="c1")
    rollout.item("function_call_output", call_id="c1", output="exec command rejected by user")
    account = rollout.read()
    assert account.of("user.tool_confirmation")[0].payload == {"tool_use_id": "c1", "result": "deny"}
    assert account.of("agent.tool_result")[0].payload["is_error"] is True


# ------------------------------------------------------------------ tools


def test_a_patch(rollout: Rollout) -> None:
    rollout.item(
        "custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="p1", status="completed"
    )
    rollout.event("patch_apply_end", call_id="p1", success=True, stdout="Success.", stderr="")
    answer = json.dumps({"output": "Success.", "metadata": {"exit_code": 0, "duration_seconds": 0.25}})
    rollout.item("custom_tool_call_output", call_id="p1", output=answer)
    account = rollout.read()
    assert account.of("agent.tool_use")[0].payload["input"] == {"input": "*** Begin Patch"}
    (result,) = account.of("agent.tool_result")
    assert (said(result), result.payload["is_error"]) == ("Success.", False)
    alone = Rollout()
    alone.item("custom_tool_call_output", call_id="p1", output=answer)
    payload = alone.read().of("agent.tool_result")[0].payload
    assert (payload["exit_code"], payload["duration_ms"]) == (0, 250)


def test_other_tools(rollout: Rollout) -> None:
    rollout.item("web_search_call", status="completed", action={"type": "search", "query": "q"})
    rollout.item("local_shell_call", call_id="s1", action={"type": "exec", "command": ["ls"]})
    rollout.item("function_call", name="create", namespace="tracker", arguments="not json", call_id="m1")
    rollout.event(
        "mcp_tool_call_end", call_id="m1", result={"Err": "no such project"}, duration={"secs": 0, "nanos": 1}
    )
    rollout.item("function_call_output", call_id="m1", output="no such project")
    rollout.item("function_call_output", call_id="v1", output=[{"type": "input_text", "text": "a picture"}])
    account = rollout.read()
    uses = [(e.payload["name"], e.payload["input"]) for e in account.of("agent.tool_use")]
    assert uses == [
        ("web_search", {"type": "search", "query": "q"}),
        ("shell", {"type": "exec", "command": ["ls"]}),
        ("tracker.create", {"input": "not json"}),
    ]
    failed, picture = account.of("agent.tool_result")
    assert (said(failed), failed.payload["is_error"]) == ("no such project", True)
    assert said(picture) == "a picture"


def test_what_nobody_knows_is_kept_and_named(rollout: Rollout) -> None:
    rollout.event("hologram", x=1)
    rollout.line("quantum_state", {"x": 1})
    assert [e.payload["kind"] for e in rollout.read().of("raw")] == ["event_msg/hologram", "quantum_state"]


# ------------------------------------------------------------------ facts, forks, sub-agents


def test_facts_of_the_session(rollout: Rollout) -> None:
    rollout.turn()
    rollout.prompt("fix the login")
    rollout.event("thread_name_updated", thread_name="Fix login")
    info = rollout.read().transcripts[0].info
    assert (info.format, info.native_id, info.agent, info.agent_version) == (
        "codex",
        ROOT,
        "codex",
        "0.118.0",
    )
    assert (info.user, info.repository, info.branch, info.model) == ("kim", "shop", "main", "gpt-5.4")
    assert (info.goal, info.timezone, info.extra["title"]) == (
        "fix the login",
        "America/Los_Angeles",
        "Fix login",
    )
    assert info.started_at is not None
    assert info.started_at.isoformat() == "2026-04-10T19:59:00+00:00"


def test_a_forks_history_is_its_parents(rollout: Rollout) -> None:
    rollout.turn()
    rollout.prompt("first life")
    rollout.answer("yes")
    fork = Rollout(FORK, forked_from_id=ROOT)
    at = fork.lines[0]["timestamp"]
    fork.lines += [{**line, "timestamp": at} for line in rollout.lines]
    fork.turn(NEW_TURN)
    fork.prompt("second life")
    account = fork.read()
    assert [t.info.native_id for t in account.transcripts] == [FORK]
    assert account.typed() == ["second life"]
    assert account.skipped.count("history copied from another session") == len(rollout.lines)
    assert account.records == len(fork.lines)


def test_a_fork_without_dated_turns_is_told_by_the_pause(rollout: Rollout) -> None:
    rollout.prompt("first life")
    fork = Rollout(FORK)
    fork.lines += [{**line, "timestamp": fork.lines[0]["timestamp"]} for line in rollout.lines]
    fork.second += 30
    fork.prompt("second life")
    assert fork.read().typed() == ["second life"]


def test_a_session_resumed_in_its_own_file_goes_on(rollout: Rollout) -> None:
    rollout.prompt("hello")
    rollout.meta(ROOT)
    rollout.prompt("hello again")
    assert rollout.read().typed() == ["hello", "hello again"]


def test_a_sub_agents_rollout_is_a_thread_of_its_parents_session(rollout: Rollout) -> None:
    rollout.event(
        "collab_agent_spawn_end", call_id="c1", new_thread_id=CHILD, new_agent_role="explorer", prompt="look"
    )
    (created,) = rollout.read().events
    assert created.payload == {"thread": CHILD, "parent_tool_use_id": "c1", "agent": "explorer"}
    child = Rollout(CHILD, source={"subagent": {"thread_spawn": {"parent_thread_id": ROOT, "depth": 1}}})
    child.prompt("look for TODOs, always with line numbers")
    child.answer("found 3")
    account = child.read()
    info = account.transcripts[0].info
    assert (info.native_id, info.goal, info.model) == (ROOT, None, None)
    assert account.typed() == []
    assert account.events[0].key == created.key
    assert {e.thread for e in account.events[1:]} == {CHILD}
    assert [e.type for e in account.events[1:]] == ["system.message", "agent.message"]


def test_early_rollouts_without_wrapping() -> None:
    lines = [
        {"id": ROOT, "timestamp": "2025-05-01T10:00:00Z", "instructions": None, "git": {"branch": "main"}},
        {"record_type": "state"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
        {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": '{"output":"x","metadata":{"exit_code":1}}',
        },
    ]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    file = MemoryFile(f"/x/rollout-2025-05-01-{ROOT}.jsonl", data)
    assert Codex().sniff(data, file).confidence > 0
    account = Account(Codex(), file)
    assert kinds(account) == ["user.message", "agent.tool_use", "agent.tool_result"]
    assert account.transcripts[0].info.branch == "main"
    assert account.records == 5


# ------------------------------------------------------------------ bad input


def full_rollout() -> Rollout:
    rollout = Rollout()
    rollout.turn()
    rollout.message("user", "<environment_context>x</environment_context>")
    rollout.prompt("go")
    rollout.answer("ok")
    rollout.command("c1", "boom", 1)
    rollout.item("custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="p1")
    rollout.event("patch_apply_end", call_id="p1", success=False, stdout="", stderr="bad")
    rollout.event(
        "mcp_tool_call_end", call_id="m", result={"Ok": {"content": [{"type": "text", "text": "x"}]}}
    )
    rollout.event("dynamic_tool_call_response", call_id="d", content_items=[{"text": "x"}], success=True)
    rollout.event("web_search_end", call_id="w", results=[{"title": "t", "url": "u"}])
    rollout.event(
        "token_count", info={"total_token_usage": {"a": 1}, "last_token_usage": {"input_tokens": 1}}
    )
    rollout.event("turn_aborted", reason="interrupted")
    rollout.event("collab_agent_spawn_end", call_id="c9", new_thread_id=CHILD)
    rollout.line("compacted", {"message": "s"})
    rollout.item("tool_search_output", call_id="ts", tools=[{"name": "a"}])
    rollout.item("reasoning", summary=[])
    rollout.prompt("go")
    return rollout


LINES = full_rollout().data.splitlines(keepends=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def read(data: bytes) -> Account:
    account = Account(Codex(), MemoryFile(f"/x/rollout-{ROOT}.jsonl", data))
    for transcript in account.transcripts:
        keys = [event.key for event in transcript.events]
        assert len(keys) == len(set(keys))
        for event in transcript.events:
            assert event.type in EVENT_TYPES
            assert event.origin is not None
            json.dumps(event.payload).encode()
    return account


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_field_of_any_record_may_be_anything(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(LINES) - 1))
    record = json.loads(LINES[number])
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        for key, inner in list(node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(inner, dict | list):
                collect(inner)

    collect(record)
    node, key = data.draw(st.sampled_from(places))
    node[key] = data.draw(VALUES)
    lines = [*LINES]
    lines[number] = json.dumps(record).encode("utf-8", "surrogatepass") + b"\n"
    assert read(b"".join(lines)).records == len(LINES)


@settings(max_examples=80, deadline=None)
@given(st.randoms(use_true_random=False), st.binary(max_size=40), st.integers(0, 300))
def test_lines_removed_reordered_and_garbled_still_add_up(dice: random.Random, junk: bytes, at: int) -> None:
    lines = dice.sample(LINES, dice.randint(1, len(LINES)))
    broken = dice.randrange(len(lines))
    text = lines[broken]
    lines[broken] = (
        text[:at] + junk.replace(b"\n", b" ") + text[at + dice.randint(0, 9) :].rstrip(b"\n") + b"\n"
    )
    account = read(b"".join(lines))
    assert len(lines) - 1 <= account.records <= len(lines) + 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, sum(map(len, LINES))))
def test_a_file_cut_anywhere_gives_a_prefix(cut: int) -> None:
    data = b"".join(LINES)
    whole, part = read(data), read(data[:cut])
    for transcript in part.transcripts:
        assert list(whole.transcripts[0].events[: len(transcript.events)]) == list(transcript.events)


def test_sniffing_knows_its_own_and_leaves_others(rollout: Rollout) -> None:
    def sniff(data: bytes) -> float:
        return Codex().sniff(data, MemoryFile("/x/a.jsonl", data)).confidence

    assert sniff(rollout.data) == 1
    assert sniff(b"") == sniff(b"hello\n") == sniff(b'{"type":"message","role":"user"}\n') == 0
    assert sniff(b'{"type":{"a":1},"payload":{}}\n') == 0
    long_first = json.dumps(rollout.lines[0], separators=(",", ":")).encode()[:-1] + b"x" * 70_000
    assert sniff(long_first[:65_536]) > 0


# ------------------------------------------------------------------ real rollouts


def test_real_rollouts_are_read_whole(data_dir: Path) -> None:
    for path in sorted((data_dir / "codex-and-claude" / "sessions").glob("019*.jsonl")):
        data = path.read_bytes()
        account = Account(Codex(), MemoryFile(str(path), data))
        assert account.records == data.strip().count(b"\n") + 1
        assert not account.quarantined
        assert not account.of("raw")
        uses = {e.payload["tool_use_id"] for e in account.of("agent.tool_use")}
        results = {e.payload["tool_use_id"] for e in account.of("agent.tool_result")}
        assert results <= uses
        assert 1 <= len(account.typed()) <= 3
        assert not any(text.lstrip().startswith(("<", "#")) for text in account.typed())
        assert account.transcripts[0].info.timezone is not None


def test_real_sessions_of_other_tools_are_left_alone(data_dir: Path) -> None:
    for path in sorted((data_dir / "formats" / "agent-sessions").rglob("*.json*")):
        if path.suffix in (".json", ".jsonl") and "codex" not in path.parts:
            data = path.read_bytes()
            assert Codex().sniff(data[:65_536], MemoryFile(str(path), data)).confidence == 0, path
