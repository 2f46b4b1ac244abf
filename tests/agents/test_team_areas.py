"""Specialists that write to the same workspace, each in an area of its own, in a real sandbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import reverie
from reverie.domain.errors import SandboxFailed

MODELS = Path(__file__).with_name("sharing.py")


@pytest.fixture
def team(house: reverie.Reverie) -> reverie.Team:
    try:
        house.plugs().environment()
    except SandboxFailed as failed:
        pytest.skip(f"no sandbox: {failed}")
    return reverie.Team(
        lead=reverie.Agent(model=f"scripted:{MODELS}:lead", tools=["bash"]),
        specialists={"writer": reverie.Agent(model=f"scripted:{MODELS}:writer", tools=["bash"])},
    )


def conflicts(session: reverie.RunSession) -> list[str]:
    errors = [event.payload["error"] for event in session.events if event.type == "session.error"]
    return [error["message"] for error in errors if error.get("trouble") == "merge_conflict"]


def test_what_both_write_is_there_in_the_end(house: reverie.Reverie, team: reverie.Team) -> None:
    session = team.run_sync("echo one > a.txt | echo two > b.txt", reverie=house)
    assert "one" in session.text and "two" in session.text, (session.text, session.error)
    assert not conflicts(session) and not session.error


def test_nobody_overwrites_what_another_wrote(house: reverie.Reverie, team: reverie.Team) -> None:
    """Both are at work before either has written; the second to be done finds the other's in its place."""
    session = team.run_sync("sleep 1; echo mine > c.txt | sleep 1; echo yours > c.txt", reverie=house)
    (told,) = conflicts(session)
    assert "c.txt" in told and told in session.text, "the lead is told in words"
    kept = told.partition("Their version is at ")[2].rstrip(".")
    assert kept, told
    assert ("mine" in session.text) != ("yours" in session.text)


def test_tasks_of_a_plan_are_merged_too(house: reverie.Reverie, team: reverie.Team) -> None:
    first = {"id": "a", "agent": "writer", "prompt": "sleep 1; echo mine > c.txt"}
    second = {"id": "b", "agent": "writer", "prompt": "sleep 1; echo yours > c.txt"}
    found = asyncio.run(team.carry_out({"name": "both", "tasks": [first, second]}, reverie=house))
    assert found.result == "completed" and len(conflicts(found.session)) == 1
    assert sum("Conflict" in state.result for state in found.tasks.values()) == 1, "its result says so"
