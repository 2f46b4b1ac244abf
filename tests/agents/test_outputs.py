"""``reverie.outputs``: functions hand over files in the name of the session that calls them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import reverie

MODEL = """
from reverie.domain.messages import ToolCall

def model(request):
    names = ["plain", "waiting", "bash"]
    done = (len(request.messages) - 1) // 2
    if done == len(names):
        return "done"
    given = {"command": "cat /mnt/session/outputs/a.md"} if names[done] == "bash" else {"text": f"text {done}"}
    return ToolCall(f"call-{done}", names[done], given)
"""


def plain(text: str) -> str:
    """Write a file."""
    (reverie.outputs() / "a.md").write_text(text)
    return "written"


async def waiting(text: str) -> str:
    """Write another."""
    await asyncio.sleep(0)
    (reverie.outputs() / "b.md").write_text(text)
    return "written"


def test_what_functions_write_there_is_handed_over(house: reverie.Reverie, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    agent = reverie.Agent(model=f"scripted:{tmp_path / 'model.py'}:model", tools=[plain, waiting, "bash"])
    first = agent.run_sync("go", reverie=house)
    second = agent.run_sync("go", reverie=house)
    for session in (first, second):
        assert session.deliverables() == {"a.md": b"text 0", "b.md": b"text 1"}
    assert house.outputs_of(first.id) != house.outputs_of(second.id)


def test_nobody_else_has_outputs() -> None:
    with pytest.raises(reverie.ReverieError, match="no session is calling"):
        reverie.outputs()
    with pytest.raises(reverie.ReverieError, match="no session is calling"):
        plain("x")
