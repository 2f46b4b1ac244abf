"""A world with nothing to learn: a machine that jams by chance, whatever one does.

Its attendants set knobs in all sorts of ways, and heed what memory says of them. No lesson about it can be true, so
each that is adopted is a false one, and no memory can help.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import reverie
from examples.prove.clock import WorldClock, in_turn
from examples.prove.world import Lesson, Played, Split, Task
from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn
from reverie.domain.sessions import PERSON, Outcome

__all__ = ["Press", "attendant"]

_FIRST: Final[Mapping[Split, int]] = {"practice": 0, "held out": 500_000}
_JAMS: Final = 0.35
_SHEETS: Final = ("paper", "card", "foil")
_INKS: Final = ("black", "blue", "red", "green")
_ASKED: Final = re.compile(r"\bjob (\d+)\b")
_ADVICE: Final = re.compile(
    r"call `run_press` with `(\w+)` (?:of (\d+(?:\.\d+)?) or more|below (\d+(?:\.\d+)?))"
)


class Jammed(Exception):
    """The press has jammed."""


class Press:
    """A press that jams in a third of its runs, and nobody can do anything about it (``prove.World``)."""

    def __init__(self) -> None:
        self.clock = WorldClock()

    @property
    def name(self) -> str:
        return "nothing to learn"

    @property
    def planted(self) -> Sequence[str]:
        return ()

    def judge(self, memory: str) -> Lesson:
        title = next((line for line in memory.splitlines() if line.startswith("# ")), "# a memory")
        return Lesson(false=(title.removeprefix("# "),))

    def tasks(self, split: Split, count: int, seed: int) -> Sequence[Task]:
        first = _FIRST[split] + seed * 1_000_000
        return [Task("job", first + at) for at in range(count)]

    def play(
        self,
        rv: reverie.Reverie,
        tasks: Sequence[Task],
        *,
        store: str | None = None,
        model: str | None = None,
    ) -> Sequence[Played]:
        memory = [] if store is None else [store]
        return asyncio.run(in_turn(self.clock, tasks, lambda task: _run(rv, task, memory, model)))

    def rehearse(self, tasks: Sequence[Task], memory: str) -> Sequence[Played]:
        return [_ended(task, _settings(task.seed, memory)) for task in tasks]


def attendant(request: ModelRequest) -> str | ToolCall:
    """Reads what memory there is, runs the press once, and says how it went."""
    parts = [part for message in request.messages for part in getattr(message, "parts", ())]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    results = {part.call_id: part for part in parts if isinstance(part, ToolResult)}
    done = {str(call.input.get("file_path")) for call in calls if call.name == "read"}
    left = [path for path in _mounted(request.system) if path not in done]
    if left and any(tool.name == "read" for tool in request.tools):
        return ToolCall(f"call_{len(calls) + 1}", "read", {"file_path": left[0]})
    if calls and calls[-1].name == "run_press":
        return "The job jammed." if results[calls[-1].id].is_error else "The job is done."
    said = " ".join(
        p.text for m in request.messages if isinstance(m, UserTurn) for p in m.parts if isinstance(p, Text)
    )
    asked = _ASKED.search(said)
    read = "\n".join(_text(results[call.id]) for call in calls if call.name == "read" and call.id in results)
    wanted = _settings(int(asked[1]) if asked else 0, f"{request.system}\n{read}")
    return ToolCall(f"call_{len(calls) + 1}", "run_press", wanted)


def _settings(job: int, memory: str) -> dict[str, Any]:
    """How the press is set for a job: in all sorts of ways, but for what memory says."""
    wanted: dict[str, Any] = {
        "job": job,
        "sheet": _SHEETS[int(_chance(job, "sheet") * len(_SHEETS))],
        "ink": _INKS[int(_chance(job, "ink") * len(_INKS))],
        "speed": round(20 + 80 * _chance(job, "speed")),
        "pressure": round(1 + 4 * _chance(job, "pressure"), 1),
        "dry_s": round(30 * _chance(job, "dry")),
    }
    for name, least, below in _ADVICE.findall(memory):
        if name in wanted and least:
            wanted[name] = max(wanted[name], float(least))
        elif name in wanted:
            wanted[name] = min(wanted[name], float(below) - 0.1)
    return wanted


def _ended(task: Task, given: Mapping[str, Any], **more: Any) -> Played:
    """Whether it jammed: by chance, drawn anew for each way of setting it."""
    settings = (f"{each:.1f}" if isinstance(each, int | float) else each for each in given.values())
    jammed = _chance(task.seed, *settings) < _JAMS
    return Played(task, not jammed, ("chance",) if jammed else (), **more)


async def _run(rv: reverie.Reverie, task: Task, memory: Sequence[str], model: str | None) -> Played:
    runs: list[Mapping[str, Any]] = []

    def run_press(job: int, sheet: str, ink: str, speed: float, pressure: float, dry_s: float) -> str:
        """Run the press for a job.

        Args:
            job: Its number.
            sheet: What is printed on: paper, card or foil.
            ink: The ink.
            speed: Sheets a minute, 20 to 100.
            pressure: In bar, 1 to 5.
            dry_s: Seconds of drying between two sheets, 0 to 30.
        """
        given = {"job": job, "sheet": sheet, "ink": ink, "speed": speed, "pressure": pressure, "dry_s": dry_s}
        runs.append(given)
        if not _ended(task, given).succeeded:
            raise Jammed("the press has jammed")
        return "printed"

    agent = reverie.Agent(
        name="attendant",
        model=model or "scripted:examples.prove.null:attendant",
        system="You run a press. Do the job that you are given, once, and say how it went.",
        tools=[run_press, *(["read"] if memory else [])],
        memory=dict.fromkeys(memory, "read_only"),  # type: ignore[arg-type]
    )
    session = await agent.run(f"Print job {task.seed}.", reverie=rv)
    ended = _ended(
        task, runs[-1] if runs else {}, session_id=session.id, tokens=session.usage.tokens, calls=len(runs)
    )
    told = Outcome("success" if ended.succeeded else "failure", source=PERSON)
    await asyncio.to_thread(rv.live.label, session.id, told)
    return ended


def _mounted(system: str) -> list[str]:
    """Files of memory that a system prompt lists, each with its shelf's folder."""
    found: list[str] = []
    folder = ""
    for line in system.splitlines():
        if shelf := re.match(r"^## .*?: (/\S+) \(", line):
            folder = shelf[1]
        elif folder and (file := re.match(r"^- (\S+\.(?:md|txt))(?=:|$)", line)):
            found.append(f"{folder.rstrip('/')}/{file[1].lstrip('/')}")
    return found


def _text(result: ToolResult) -> str:
    return "".join(each.text for each in result.content if isinstance(each, Text))


def _chance(*what: object) -> float:
    digest = hashlib.sha256(" ".join(map(str, what)).encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
