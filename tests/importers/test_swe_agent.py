"""SWE-agent's and mini-swe-agent's trajectories, in all their generations."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path
from typing import Any

import pytest
from tests.importers.memory_file import Account, said

from reverie.domain.sessions import Outcome
from reverie.importers.swe_agent import SweAgent
from reverie.testing.importers import MemoryFile

FIXTURES = Path(__file__).parent / "fixtures" / "swe"


def read(name: str, data: bytes | None = None) -> Account:
    content = (FIXTURES / name).read_bytes() if data is None else data
    return Account(SweAgent(), MemoryFile(f"/runs/one/{name}", {f"/runs/one/{name}": content}))


def mini(*messages: dict[str, Any], **info: Any) -> bytes:
    head = [{"role": "system", "content": "You can use bash."}, {"role": "user", "content": "Do it"}]
    return json.dumps({"info": {"mini_version": "1.0.0", **info}, "messages": [*head, *messages]}).encode()


def types(account: Account) -> list[str]:
    return [event.type for event in account.events]


def test_the_classic_history() -> None:
    account = read("acme__widgets-12.traj")
    assert types(account) == [
        "system.message",
        "user.message",
        "agent.message",
        "agent.tool_use",
        "agent.tool_result",
        "agent.message",
        "agent.tool_use",
        "agent.tool_result",
    ]
    assert account.typed() == ["ISSUE: widgets wobble\n(Current directory: /acme__widgets)\nbash-$"]
    assert account.events[3].payload["input"] == {"command": "ls -F\n"}
    assert account.events[4].payload["duration_ms"] == 250  # from the steps
    assert account.skipped == ["a demonstration from another run", *["steps that the history repeats"] * 2]
    info = account.transcripts[0].info
    assert (info.task, info.repository, info.agent) == ("acme__widgets-12", "acme/widgets", "swe-agent")
    assert info.outcome == Outcome()  # submitted is not solved


def test_function_calls_keep_their_names() -> None:
    account = read("acme__widgets-13.traj")
    use = account.of("agent.tool_use")[0]
    assert use.payload == {
        "tool_use_id": "call_f",
        "name": "find_file",
        "input": {"file_name": "gadget.py"},
    }
    assert account.of("agent.tool_result")[0].payload["tool_use_id"] == "call_f"
    complaint = account.of("system.message")[-1]
    assert (complaint.payload["kind"], said(complaint)) == (
        "injected",
        "Your output was not formatted correctly.",
    )
    info = account.transcripts[0].info
    assert (info.model, info.agent_version) == ("claude-3-7", "1.1.0")
    assert info.outcome == Outcome("failure", None, "exit status")


def test_steps_without_a_history() -> None:
    account = read("steps_only.traj")
    assert types(account) == ["agent.message", "agent.tool_use", "agent.tool_result"]
    assert account.events[-1].payload["duration_ms"] == 2000


@pytest.mark.parametrize(
    ("place", "report", "label"),
    [
        ("results.json", {"resolved": ["acme__widgets-12"]}, "success"),
        ("results.json", {"generated": ["acme__widgets-12"], "resolved": []}, "failure"),
        ("x.results.json", {"resolved_ids": ["acme__widgets-12"]}, "success"),
        ("report.json", {"acme__widgets-12": {"resolved": False}}, "failure"),
        ("../results.json", {"unresolved_ids": ["acme__widgets-12"]}, "failure"),
        ("results.json", {"resolved": ["other__thing-1"]}, "unknown"),
        ("results.json", [], "unknown"),
    ],
)
def test_a_report_beside_it_says_whether_it_was_solved(place: str, report: object, label: str) -> None:
    path = posixpath.normpath(f"/runs/one/{place}")
    data = (FIXTURES / "acme__widgets-12.traj").read_bytes()
    uri = "/runs/one/acme__widgets-12.traj"
    account = Account(SweAgent(), MemoryFile(uri, {uri: data, path: json.dumps(report).encode()}))
    outcome = account.transcripts[0].info.outcome
    assert (outcome.label, outcome.source) == (label, None if label == "unknown" else "report")
    if label != "unknown":
        origin = account.events[-1].origin
        assert origin is not None
        assert origin.uri == path


def test_mini_in_text() -> None:
    account = read("acme__widgets-15.traj.json")
    assert types(account) == [
        "system.message",
        "user.message",
        "agent.message",
        "agent.tool_use",
        "agent.tool_result",
        "agent.message",
        "system.message",
        "agent.message",
        "agent.tool_use",
        "agent.tool_result",
        "session.outcome",
    ]
    failed = account.events[4].payload
    assert (failed["is_error"], failed["exit_code"]) == (True, 2)
    assert account.events[3].payload["input"] == {"command": "ls missing"}
    assert account.events[-2].payload["exit_code"] == 0
    info = account.transcripts[0].info
    assert (info.agent, info.agent_version, info.model) == ("mini-swe-agent", "1.9.0", "gpt-5-mini")
    assert (info.task, info.cwd, info.outcome.label) == ("acme__widgets-15", "/testbed", "failure")


def test_mini_with_tool_calls_and_responses() -> None:
    account = read("mini.traj.json")
    uses = [e.payload["tool_use_id"] for e in account.of("agent.tool_use")]
    assert uses == ["toolu_1", "call_9"]
    results = account.of("agent.tool_result")
    assert [(e.payload["tool_use_id"], e.payload["exit_code"], e.payload["is_error"]) for e in results] == [
        ("toolu_1", 1, True),
        ("call_9", 0, False),
    ]
    assert account.of("user.interrupt")[0].payload == {"reason": "please stop"}
    assert account.typed() == ["Make it faster"]
    assert account.events[3].at is not None
    assert account.transcripts[0].info.task is None


def test_a_person_who_refuses_a_command() -> None:
    call = {"role": "assistant", "content": "```bash\nrm -rf build\n```"}
    refusal = "Command not executed. The user rejected your command with the following message:\nkeep build"
    account = read("x.traj.json", mini(call, {"role": "user", "content": refusal}))
    assert account.of("user.tool_confirmation")[0].payload == {
        "tool_use_id": account.of("agent.tool_use")[0].payload["tool_use_id"],
        "result": "deny",
        "deny_message": "keep build",
    }


def test_fences_that_never_close_cost_nothing() -> None:
    account = read("x.traj.json", mini({"role": "assistant", "content": "```bash\n" * 200_000}))
    assert not account.of("agent.tool_use")


@pytest.mark.parametrize(("status", "label"), [("Submitted", "unknown"), ("LimitsExceeded", "failure")])
def test_exit_status(status: str, label: str) -> None:
    assert read("x.traj.json", mini(exit_status=status)).transcripts[0].info.outcome.label == label


def test_a_trajectory_that_grew_goes_on() -> None:
    call = {"role": "assistant", "content": "```bash\nls\n```"}
    result = {"role": "user", "content": "<returncode>0</returncode>"}
    early, late = read("x.traj.json", mini(call)), read("x.traj.json", mini(call, result))
    assert early.transcripts[0].info.native_id == late.transcripts[0].info.native_id
    keys = [e.key for e in late.events]
    assert [e.key for e in early.events] == keys[: len(early.events)]


def test_something_else_in_a_traj_file_is_named() -> None:
    account = read("x.traj", b'{"a": 1}')
    assert not account.transcripts
    assert account.quarantined[0].why.startswith("no messages, history or trajectory")
