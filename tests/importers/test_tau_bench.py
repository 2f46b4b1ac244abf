"""tau-bench and tau2: runs with a simulated customer, their tasks and rewards."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.importers.memory_file import Account, said

from reverie.domain.sessions import Outcome
from reverie.importers.tau_bench import TauBench
from reverie.testing.importers import MemoryFile

FIXTURES = Path(__file__).parent / "fixtures" / "tau"
REAL = Path(__file__).parents[3] / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"


def read(data: bytes, name: str = "gpt-4o-airline.json", **beside: bytes) -> Account:
    return Account(TauBench(), MemoryFile(f"/r/s/{name}", {**beside, f"/r/s/{name}": data}))


def test_task_reward_and_model_are_kept_and_the_customer_is_nobody() -> None:
    account = read((FIXTURES / "gpt-4o-airline.json").read_bytes())
    infos = [t.info for t in account.transcripts]
    assert [i.task for i in infos] == ["airline/0", "airline/0", "airline/1"]
    assert [i.outcome for i in infos] == [
        Outcome("success", 1.0, "reward"),
        Outcome("failure", 0.0, "reward"),
        Outcome("failure", 0.0, "reward"),
    ]
    assert {(i.model, i.user) for i in infos} == {("gpt-4o", None)}
    assert len({i.native_id for i in infos}) == 3
    assert [i.extra["trial"] for i in infos] == [0, 1, 0]


def test_a_run_reads_like_a_conversation() -> None:
    first, second, _ = read((FIXTURES / "gpt-4o-airline.json").read_bytes()).transcripts
    assert [e.type for e in first.events] == [
        "system.message",
        "user.message",
        "agent.tool_use",
        "agent.tool_result",
        "agent.message",
        "user.message",
        "agent.tool_use",
        "agent.tool_result",
        "user.message",
        "session.outcome",
    ]
    assert first.events[0].payload["kind"] == "instructions"
    assert first.events[2].payload == {"tool_use_id": "call_a", "name": "search", "input": {"from": "JFK"}}
    failed = second.events[7]
    assert said(failed) == "Error: payment amount does not add up"
    assert failed.payload["is_error"] is False  # the source does not say so; the text does
    origin = failed.origin
    assert origin is not None
    assert (origin.pointer, origin.native_id) == ("/1/traj/7", "call_a")


def test_an_id_that_is_used_twice_stays_unambiguous() -> None:
    first = read((FIXTURES / "gpt-4o-airline.json").read_bytes()).transcripts[0]
    uses = [e.payload["tool_use_id"] for e in first.events if e.type == "agent.tool_use"]
    results = [e.payload["tool_use_id"] for e in first.events if e.type == "agent.tool_result"]
    assert uses == results
    assert len(set(uses)) == 2


@pytest.mark.parametrize(
    ("name", "model", "domain", "agent"),
    [
        ("gpt-4o-retail.json", "gpt-4o", "retail", None),
        (
            "tool-calling-gpt-4o-0.0_range_0--1_user-gpt-4o-llm_0618.json",
            "gpt-4o",
            "airline",
            "tool-calling",
        ),
        ("results.json", None, "airline", None),
    ],
)
def test_what_a_file_is_called(name: str, model: str | None, domain: str, agent: str | None) -> None:
    info = read((FIXTURES / "gpt-4o-airline.json").read_bytes(), name).transcripts[0].info
    assert (info.model, info.task, info.agent) == (model, f"{domain}/0", agent)


def test_tau2_says_it_in_the_file() -> None:
    first, second = read((FIXTURES / "two.json").read_bytes(), "run.json").transcripts
    info = first.info
    assert (info.native_id, info.task, info.model) == ("sim-1", "telecom/7", "claude-sonnet-4")
    assert (info.agent, info.agent_version, info.user) == ("llm_agent", "0123456789ab", None)
    assert info.ended_at is not None
    assert info.ended_at.isoformat() == "2026-01-02T10:02:00+00:00"
    assert info.outcome == Outcome("success", 1.0, "reward")
    assert second.info.outcome == Outcome()  # the infrastructure failed, not the agent


def test_tau2_tools_of_the_customer_are_not_the_agents() -> None:
    first, _ = read((FIXTURES / "two.json").read_bytes(), "run.json").transcripts
    assert Counter(e.type for e in first.events) == {
        "agent.message": 2,
        "user.message": 1,
        "agent.tool_use": 2,
        "agent.tool_result": 2,
        "raw": 2,
        "session.outcome": 1,
    }
    errors = [e.payload["is_error"] for e in first.events if e.type == "agent.tool_result"]
    assert errors == [False, True]


def test_a_simulation_in_a_file_of_its_own_finds_its_settings_beside_it() -> None:
    data = (FIXTURES / "split/simulations/sim-1.json").read_bytes()
    beside = {"/r/results.json": (FIXTURES / "split/results.json").read_bytes()}
    info = read(data, "sim-1.json", **beside).transcripts[0].info
    assert (info.task, info.model) == ("telecom/7", "claude-sonnet-4")
    assert read(data, "sim-1.json").transcripts[0].info.task == "7"
    settings = read((FIXTURES / "split/results.json").read_bytes(), "results.json")
    assert settings.skipped == ["settings of a run whose simulations are elsewhere"]


def test_a_file_cut_off_keeps_every_whole_message() -> None:
    data = (FIXTURES / "gpt-4o-airline.json").read_bytes()
    account = read(data[: data.rindex(b'"Yes."')])
    assert len(account.transcripts) == 3
    last = account.transcripts[-1]
    assert last.info.outcome.label == "failure"  # it stands before the messages
    assert [e.type for e in last.events][-2:] == ["agent.message", "session.outcome"]
    assert len(last.events) == 6
    assert [q.pointer for q in account.quarantined] == ["/2/traj/5"]
    assert account.quarantined[0].why.startswith("the document ends before this is complete (at byte ")


def test_the_same_run_has_the_same_name_wherever_the_file_lies() -> None:
    data = (FIXTURES / "gpt-4o-airline.json").read_bytes()
    here = Account(TauBench(), MemoryFile("/a/x.json", {"/a/x.json": data}))
    there = Account(TauBench(), MemoryFile("/b/x.json", {"/b/x.json": data}))
    assert [t.info.native_id for t in here.transcripts] == [t.info.native_id for t in there.transcripts]


def test_a_run_without_messages_is_named() -> None:
    account = read(json.dumps([{"task_id": 1, "reward": 1.0}, 5]).encode())
    assert [q.why.split(" (")[0] for q in account.quarantined] == [
        "a run without traj or messages",
        "not a JSON object",
    ]


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data/tau-airline is not here")
def test_the_published_airline_runs() -> None:
    account = Account(TauBench(), MemoryFile(str(REAL), {str(REAL): REAL.read_bytes()}))
    infos = [t.info for t in account.transcripts]
    assert (len(infos), len({i.task for i in infos}), len({i.native_id for i in infos})) == (200, 50, 200)
    assert Counter(i.outcome.label for i in infos) == {"success": 84, "failure": 116}
    assert (account.used, account.skipped, account.quarantined) == (5308, [], [])
    for transcript in account.transcripts:
        results = {e.payload["tool_use_id"] for e in transcript.events if e.type == "agent.tool_result"}
        uses = [e.payload["tool_use_id"] for e in transcript.events if e.type == "agent.tool_use"]
        assert len(uses) == len(set(uses))
        assert results == set(uses)
