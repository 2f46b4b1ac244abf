"""ATIF trajectories: steps, subagents, copied context, and the reward that stands beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.importers.memory_file import Account, said

from reverie.domain.sessions import Outcome
from reverie.importers.atif import Atif
from reverie.testing.importers import MemoryFile

FIXTURES = Path(__file__).parent / "fixtures" / "atif"
TRIAL = FIXTURES / "trial"


def read(data: bytes, result: bytes | None = None, name: str = "trajectory.json") -> Account:
    files = {f"/t/agent/{name}": data}
    if result is not None:
        files["/t/result.json"] = result
    return Account(Atif(), MemoryFile(f"/t/agent/{name}", files))


def trial() -> Account:
    return read((TRIAL / "agent/trajectory.json").read_bytes(), (TRIAL / "result.json").read_bytes())


def small(*steps: dict[str, Any], **more: Any) -> bytes:
    numbered = [{"step_id": n, **step} for n, step in enumerate(steps, 1)]
    document = {
        "schema_version": "ATIF-v1.8",
        "session_id": "s",
        "agent": {"name": "a"},
        "steps": numbered,
        **more,
    }
    return json.dumps(document).encode()


def test_what_is_known_of_the_session() -> None:
    info = trial().transcripts[0].info
    assert (info.native_id, info.agent, info.agent_version) == ("run-7", "terminus", "2.1")
    assert (info.model, info.task, info.goal) == (
        "openai/gpt-5",
        "fix-port",
        "Fix the port in the config, see the picture.",
    )
    assert info.outcome == Outcome("success", 1.0, "reward")
    assert info.extra == {"total_prompt_tokens": 500, "total_cost_usd": 0.01, "trial": "fix-port__abc"}
    assert info.started_at is not None
    assert info.started_at.isoformat() == "2026-03-01T08:59:00+00:00"


def test_the_outcome_points_into_the_file_it_stands_in() -> None:
    origin = trial().events[-1].origin
    assert origin is not None
    assert (origin.uri, origin.pointer) == ("/t/result.json", "/verifier_result")


def test_copied_context_is_not_counted_twice() -> None:
    account = trial()
    assert account.skipped == ["context copied from an earlier trajectory"]
    assert not any("earlier plan" in said(e) for e in account.events)


def test_a_subagent_is_a_thread_that_stands_before_its_result() -> None:
    events = trial().events
    threads = [e.thread for e in events]
    begun = next(e for e in events if e.type == "session.thread_created")
    assert begun.payload == {"thread": "run-7-search", "agent": "searcher", "parent_tool_use_id": "call_1"}
    inside = [e for e in events if e.thread == "run-7-search"]
    assert [e.type for e in inside] == [
        "system.message",
        "agent.tool_use",
        "agent.tool_result",
        "agent.message",
    ]
    assert inside[0].payload["kind"] == "instructions"  # an agent asked, not a person
    after = events[threads.index("run-7-search") + len(inside)]
    assert (after.type, after.payload["tool_use_id"]) == ("agent.tool_result", "call_1")


def test_calls_with_one_id_in_two_steps_and_two_agents_keep_their_results() -> None:
    events = trial().events
    uses = [e.payload["tool_use_id"] for e in events if e.type == "agent.tool_use"]
    results = [e.payload["tool_use_id"] for e in events if e.type == "agent.tool_result"]
    assert len(set(uses)) == 4
    assert set(results) == set(uses)


def test_an_exit_code_is_an_error_that_the_source_tells() -> None:
    failed = next(e for e in trial().events if e.payload.get("exit_code"))
    assert (failed.payload["is_error"], failed.payload["exit_code"], said(failed)) == (True, 1, "1 failed")


def test_who_spoke() -> None:
    events = trial().events
    assert [said(e) for e in events if e.type == "user.message"] == [
        "Fix the port in the config, see the picture."
    ]
    system = [(e.payload["kind"], said(e)) for e in events if e.type == "system.message" and not e.thread]
    assert system == [
        ("instructions", "You are an agent in a terminal."),
        ("injected", "Context was summarised."),
    ]
    (raw,) = [e for e in events if e.type == "raw"]
    assert raw.payload["kind"] == "step of oracle"


def test_a_picture_is_noted() -> None:
    asked = next(e for e in trial().events if e.type == "user.message")
    assert asked.payload["content"][1] == {
        "type": "image",
        "media_type": "image/png",
        "source": "images/1.png",
    }


def test_tokens_under_the_names_of_the_wire() -> None:
    (request,) = [e for e in trial().events if e.type == "span.model_request_end"]
    assert request.payload["usage"] == {
        "input_tokens": 120,
        "output_tokens": 30,
        "cache_read_input_tokens": 100,
    }


def test_the_first_versions_name_no_calls() -> None:
    events = read((FIXTURES / "first.json").read_bytes()).events
    screen = next(e for e in events if e.type == "system.message")
    assert (screen.payload["kind"], said(screen)) == ("command", "a.txt  b.txt")
    uses = [e.payload["tool_use_id"] for e in events if e.type == "agent.tool_use"]
    (result,) = [e for e in events if e.type == "agent.tool_result"]
    assert result.payload["tool_use_id"] == uses[-1]


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        ({"rewards": {"reward": 0.5}}, Outcome("failure", 0.5, "reward")),
        ({"rewards": {"correctness": 1}}, Outcome("success", 1.0, "reward")),
        ({"rewards": {"reward": 1, "style": 0}}, Outcome("success", 1.0, "reward")),
        ({"reward": 1.0}, Outcome("success", 1.0, "reward")),
        ({"rewards": {"a": 1, "b": 0}}, Outcome()),
        (None, Outcome()),
    ],
)
def test_rewards(verdict: object, outcome: Outcome) -> None:
    result = json.dumps({"trial_name": "t", "verifier_result": verdict}).encode()
    assert read(small({"source": "user", "message": "x"}), result).transcripts[0].info.outcome == outcome


def test_a_result_of_something_else_is_no_verdict() -> None:
    account = read(small({"source": "user", "message": "x"}), b'{"reward": 1.0, "name": "a job"}')
    assert account.transcripts[0].info.outcome == Outcome()


def test_a_trajectory_that_is_continued_elsewhere_did_not_end_here() -> None:
    data = small({"source": "user", "message": "x"}, continued_trajectory_ref="trajectory.cont-1.json")
    account = read(data, (TRIAL / "result.json").read_bytes())
    assert account.transcripts[0].info.outcome == Outcome()


def test_two_turns_of_one_session_in_two_files_do_not_hide_each_other() -> None:
    turns = [small({"source": "user", "message": m, "timestamp": f"2026-01-01T00:0{m}:00Z"}) for m in "12"]
    (one,), (two,) = (read(t).events for t in turns)
    assert one.key != two.key


def test_one_trajectory_a_line() -> None:
    account = read((FIXTURES / "many.jsonl").read_bytes(), name="all.jsonl")
    assert [t.info.native_id for t in account.transcripts] == ["many-1", "many-2"]
    origin = account.transcripts[1].events[0].origin
    assert origin is not None
    assert (origin.line, origin.pointer) == (2, "/steps/0/message")


def test_subagents_that_never_end_are_bounded() -> None:
    nested: dict[str, Any] = {"session_id": "deep", "steps": [{"source": "agent", "message": "bottom"}]}
    for n in range(20):
        nested = {"session_id": f"n{n}", "steps": [], "subagent_trajectories": [nested]}
    account = read(json.dumps({"schema_version": "ATIF-v1.8", **nested}).encode())
    assert any("16 deep" in q.why for q in account.quarantined)


def test_a_broken_step_costs_a_step() -> None:
    data = small({"source": "user", "message": "a"}, {"source": "agent", "message": "b"}).replace(
        b'"b"', b"NaN"
    )
    account = read(data)
    assert (account.used, [q.pointer for q in account.quarantined]) == (1, ["/steps/1"])
