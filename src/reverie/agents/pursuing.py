"""``reverie.pursue``: work towards an outcome, judged by a grader of its own until it is as it should be; and
``reverie.grade``, which judges what was made elsewhere."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from reverie.agents.agent import Agent, begun, opened
from reverie.agents.definition import Definition
from reverie.agents.functions import Functions
from reverie.agents.session import OnEvent, RunSession
from reverie.app import Reverie
from reverie.app import open as open_reverie
from reverie.domain.errors import NotFound, UsageError
from reverie.domain.events import Event, JsonObject
from reverie.domain.outcomes import MAX_ITERATIONS, GraderSettings, Verdict
from reverie.folders.places import OUTPUTS
from reverie.outcomes.rubrics import read_rubric
from reverie.sessions.accepting import ClientEvent

__all__ = ["Given", "Pursuit", "grade", "grade_async", "pursue", "verdict_of"]

Given: TypeAlias = str | Path | Sequence[Path] | Mapping[str, str | bytes]
"""Work that was made elsewhere: what was said (text), a file or folder, several of them, or names of files and
what is in them."""
Grader: TypeAlias = str | GraderSettings | None
"""The model that grades (``provider:model``), or all that can be said of it; None: the agent's own model, in a
context of its own."""

_END: Final = "span.outcome_evaluation_end"
_NOBODY: Final = "none:none"
_MAX_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Pursuit:
    """Work towards an outcome, as far as it came.

    ``result`` is how it ended: ``satisfied``, ``max_iterations_reached``, ``failed`` (no judgement was to be had),
    ``interrupted``; None where the session rests before that (it waits for a person, or its budget is spent).
    ``verdicts`` are those of each iteration, the last one last.
    """

    session: RunSession
    verdicts: Sequence[Verdict]

    @property
    def result(self) -> str | None:
        last = self.verdicts[-1].result if self.verdicts else None
        return None if last == "needs_revision" else last

    @property
    def satisfied(self) -> bool:
        return self.result == "satisfied"

    @property
    def text(self) -> str:
        """What the agent said last."""
        return self.session.text

    def deliverables(self) -> dict[str, bytes]:
        """What is in the session's outputs folder, by name."""
        return self.session.deliverables()


async def pursue(
    task: str,
    *,
    agent: Agent,
    rubric: str | Path,
    grader: Grader = None,
    max_iterations: int = 3,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
    on_event: OnEvent | None = None,
) -> Pursuit:
    """Have an agent work on a task until a separate grader finds that its rubric is met, at most ``max_iterations``
    times. What it makes belongs in ``/mnt/session/outputs``; the grader sees that, what the agent says last, the
    task and the rubric, and nothing of how it was made.

        pursuit = await reverie.pursue("Write the report.", agent=agent, rubric=Path("rubric.md"))
        print(pursuit.result, pursuit.verdicts[-1].explanation)

    Args:
        rubric: Its text, or a file with it; Markdown lists are read as criteria, with checks where they say so.

    Raises:
        Invalid: a rubric that is none; more than 20 iterations.
        ConfigError, NotFound: as ``Agent.start``.
    """
    asked = _outcome(task, rubric, grader, max_iterations)
    house = reverie or await asyncio.to_thread(opened, db)
    _allowed(house, asked.get("grader"))
    session = await begun(house, agent.definition, task, agent.functions)
    await session.define_outcome(asked)
    await session.wait(on_event)
    return Pursuit(session, [verdict_of(event) for event in session.events if event.type == _END])


def grade(
    output: Given,
    rubric: str | Path,
    *,
    task: str = "",
    grader: Grader = None,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
) -> Verdict:
    """Judge work that was made elsewhere, by its rubric. ``grade_async`` for programs with an event loop.

        verdict = reverie.grade(Path("report.docx"), Path("rubric.md"), grader="anthropic:claude-opus-5")
        for each in verdict.criteria:
            print(each.criterion, each.status, each.change)

    Args:
        output: Text, files, or what is in them; see ``Given``.
        rubric: Its text, or a file with it. One whose criteria all have checks needs no model.
        task: What was asked for, for the grader to know.
        grader: Its model; by default the first of ``$REVERIE_MODELS``.
        db: Where the session is kept that judges; by default nowhere, when the program has ended.

    Raises:
        Invalid: a rubric that is none.
        NotFound, UsageError: files that are not there, or too large.
    """
    return asyncio.run(grade_async(output, rubric, task=task, grader=grader, db=db, reverie=reverie))


async def grade_async(
    output: Given,
    rubric: str | Path,
    *,
    task: str = "",
    grader: Grader = None,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
) -> Verdict:
    """``grade`` for programs with an event loop."""
    asked = _outcome(task or "(What was asked for is not known.)", rubric, grader, 1)
    message, files = await asyncio.to_thread(_given, output)
    house = reverie or await asyncio.to_thread(opened if db is not None else _nowhere, db)
    _allowed(house, asked.get("grader"))
    definition = Definition(name="graded elsewhere", model=_model(house, grader))
    session = await begun(house, definition, task or "graded", Functions([]))
    await asyncio.to_thread(_place, house, session.id, files)
    payload = {key: value for key, value in asked.items() if key != "type"}
    payload["private"] = {"given": {"message": message}}
    await asyncio.to_thread(house.live.send, session.id, [ClientEvent("user.define_outcome", payload)])
    await session.wait()
    if db is None and reverie is None:
        await asyncio.to_thread(house.sessions.delete, session.id, actor="reverie.grade")
    ends = [event for event in session.events if event.type == _END]
    if not ends:
        raise UsageError(f"no verdict was reached: {session.error or session.stop_reason}", where=session.id)
    return verdict_of(ends[-1])


def verdict_of(event: Event) -> Verdict:
    """The verdict that a ``span.outcome_evaluation_end`` holds."""
    told = event.payload
    private: JsonObject = told.get("private") or {}
    criteria: Sequence[JsonObject] = told.get("criteria") or ()
    return msgspec.convert(
        {
            **{key: told.get(key) for key in ("result", "iteration", "explanation", "score")},
            "criteria": [{**each, "criterion": each["id"]} for each in criteria],
            "feedback": str(private.get("feedback") or ""),
            "notes": told.get("notes") or [],
        },
        Verdict,
    )


# ---------------------------------------------------------------------- what is asked


def _outcome(task: str, rubric: str | Path, grader: Grader, max_iterations: int) -> dict[str, Any]:
    text = _text(rubric)
    read_rubric(text)
    if not 1 <= max_iterations <= MAX_ITERATIONS:
        raise UsageError(f"from 1 to {MAX_ITERATIONS}, not {max_iterations}", where="max_iterations")
    asked: dict[str, Any] = {
        "type": "user.define_outcome",
        "description": task,
        "rubric": {"type": "text", "content": text},
        "max_iterations": max_iterations,
    }
    if grader is not None:
        settings = GraderSettings(model=grader) if isinstance(grader, str) else grader
        told = {**msgspec.to_builtins(settings), "instructions": settings.instructions or None}
        asked["grader"] = {key: value for key, value in told.items() if value is not None}
    return asked


def _text(rubric: str | Path) -> str:
    if isinstance(rubric, str):
        return rubric
    try:
        return rubric.read_bytes().decode()
    except FileNotFoundError:
        raise NotFound("there is no such rubric", where=str(rubric)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the rubric cannot be read: {error}", where=str(rubric)) from None


def _allowed(house: Reverie, grader: JsonObject | None) -> None:
    model = None if grader is None else grader.get("model")
    if model is not None:
        house.models.allow(model if isinstance(model, str) else model["id"])


def _model(house: Reverie, grader: Grader) -> str | Mapping[str, Any]:
    told = grader.model if isinstance(grader, GraderSettings) else grader
    return told or next(iter(house.models.ids), _NOBODY)


# ---------------------------------------------------------------------- what is given


def _given(output: Given) -> tuple[str, dict[str, Path | bytes]]:
    """What was said, and the files by their names in the outputs folder."""
    if isinstance(output, str):
        return output, {}
    if isinstance(output, Mapping):
        return "", {name: text.encode() if isinstance(text, str) else text for name, text in output.items()}
    paths = [output] if isinstance(output, Path) else list(output)
    files: dict[str, Path | bytes] = {}
    for path in paths:
        for name, each in _under(path):
            if name in files:
                raise UsageError(f"two files would be called {name!r}", where=str(each))
            files[name] = each
    size = sum(path.stat().st_size for path in files.values() if isinstance(path, Path))
    if size > _MAX_BYTES:
        raise UsageError(f"{size} bytes: at most {_MAX_BYTES} are judged", where=str(paths[0]))
    return "", files


def _under(path: Path) -> list[tuple[str, Path]]:
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file())
        return [(each.relative_to(path).as_posix(), each) for each in found]
    if not path.is_file():
        raise NotFound("there is no such file", where=str(path))
    return [(path.name, path)]


def _place(house: Reverie, session_id: str, files: Mapping[str, Path | bytes]) -> None:
    """Put files where the session hands them over."""
    if not files:
        return
    body = house.live.row(session_id).body or {}
    mounts = house.mount(session_id, body).spec.mounts
    root = next(mount.folder for mount in mounts if mount.inside == OUTPUTS)
    for name, file in files.items():
        place = (root / name).resolve()
        if not place.is_relative_to(root.resolve()):
            raise UsageError("a name that leads out of the folder", where=name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, bytes):
            place.write_bytes(file)
        else:
            shutil.copyfile(file, place)


@cache
def _private() -> Reverie:
    """A house of this program alone, that is gone when the program is."""
    folder = tempfile.mkdtemp(prefix="reverie-grade-")
    house = open_reverie(Path(folder) / "reverie.db")

    def gone() -> None:
        house.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(gone)
    return house


def _nowhere(db: object) -> Reverie:
    return _private()
