"""``reverie.pursue``: work towards an outcome, judged by a grader of its own until it is as it should be; and
``reverie.grade``, which judges what was made elsewhere."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from reverie.agents.agent import Agent, begun, opened
from reverie.agents.definition import Definition
from reverie.agents.functions import Functions
from reverie.agents.session import OnEvent, RunSession
from reverie.agents.team import Team
from reverie.app import Reverie
from reverie.app import open as open_reverie
from reverie.domain.errors import ConfigError, ModelFailed, NotFound, UsageError
from reverie.domain.events import Event, JsonObject
from reverie.domain.outcomes import MAX_ITERATIONS, GraderSettings, Rubric, Verdict
from reverie.folders.places import OUTPUTS
from reverie.outcomes.rubrics import read_rubric
from reverie.sessions.accepting import ClientEvent
from reverie.workspaces.models import MODELS

__all__ = [
    "Given",
    "Grader",
    "Pursuit",
    "grade",
    "grade_async",
    "pursue",
    "rubric_text",
    "start",
    "verdict_of",
]

Given: TypeAlias = str | Path | Sequence[Path] | Mapping[str, str | bytes]
"""Work that was made elsewhere: what was said (text), a file or folder, several of them, or names of files and
what is in them."""
Grader: TypeAlias = str | GraderSettings | None
"""The model that grades (``provider:model``), or all that can be said of it; None: the agent's own model, in a
context of its own."""

_END: Final = "span.outcome_evaluation_end"
_NOBODY: Final = "none:none"
_MAX_BYTES: Final = 1 << 30
_LONGEST_NAME: Final = 255
_VOTES: Final = (1, 3, 5, 7)
_UNKNOWN: Final = "(What was asked for is not known.)"


@dataclass(frozen=True, slots=True)
class Pursuit:
    """Work towards an outcome, as far as it came. Of a session that was resumed: ``Pursuit(session)``."""

    session: RunSession

    @property
    def verdicts(self) -> list[Verdict]:
        """Those of each iteration, the last one last."""
        return [verdict_of(event) for event in self.session.events if event.type == _END]

    @property
    def result(self) -> str | None:
        """How it ended: ``satisfied``, ``max_iterations_reached``, ``failed`` (no judgement was to be had) or
        ``interrupted``; None while it has not: the session works, waits for a person, or its budget is spent."""
        ends = (event.payload["result"] for event in reversed(self.session.events) if event.type == _END)
        last = next(ends, None)
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
    agent: Agent | Team,
    rubric: str | Path,
    grader: Grader = None,
    max_iterations: int = 3,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
    on_event: OnEvent | None = None,
) -> Pursuit:
    """Have an agent or a team work on a task until a separate grader finds that its rubric is met, at most
    ``max_iterations`` times. What it makes belongs in ``/mnt/session/outputs``; the grader sees that, what the agent
    says last, the task and the rubric, and nothing of how it was made.

        pursuit = await reverie.pursue("Write the report.", agent=agent, rubric=Path("rubric.md"))
        print(pursuit.result, pursuit.verdicts[-1].explanation)

    Args:
        rubric: Its text, or a file with it; Markdown lists are read as criteria, with checks where they say so.
        grader: The model that judges, in a context of its own; by default the agent's.
        max_iterations: How often the work is judged, and mended in between: 1 to 20.

    Raises:
        Invalid: a rubric that is none.
        UsageError: more than 20 iterations; a rubric's file that cannot be read.
        ConfigError, NotFound: as ``Agent.start``.
    """
    pursuit = await start(
        task, agent=agent, rubric=rubric, grader=grader, max_iterations=max_iterations, db=db, reverie=reverie
    )
    await pursuit.session.wait(on_event)
    return pursuit


async def start(
    task: str,
    *,
    agent: Agent | Team,
    rubric: str | Path,
    grader: Grader = None,
    max_iterations: int = 3,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
) -> Pursuit:
    """Begin what ``pursue`` does, and do not wait: ``pursuit.session`` is there to stream."""
    asked = _outcome(task, rubric, grader, max_iterations)
    house = reverie or await asyncio.to_thread(opened, db)
    _allow(house, grader)
    session = await begun(house, agent.definition, task, agent.functions)
    return Pursuit(await session.define_outcome(asked))


def grade(
    output: Given,
    rubric: str | Path,
    *,
    message: str = "",
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
        message: What the maker said of the files.
        task: What was asked for, for the grader to know.
        grader: Its model; by default the first of ``$REVERIE_MODELS``.
        db: Where the session is kept that judges; by default nowhere, when the program has ended.

    Returns:
        A verdict whose result is ``satisfied``, ``needs_revision`` or ``failed``: no judgement was to be had.

    Raises:
        Invalid: a rubric that is none.
        ConfigError: a model is needed, and none is named.
        NotFound, UsageError: files that are not there, too large, or that lead elsewhere.
    """
    given: dict[str, Any] = {"message": message, "task": task, "grader": grader, "db": db, "reverie": reverie}
    return asyncio.run(grade_async(output, rubric, **given))


async def grade_async(
    output: Given,
    rubric: str | Path,
    *,
    message: str = "",
    task: str = "",
    grader: Grader = None,
    db: str | Path | None = None,
    reverie: Reverie | None = None,
) -> Verdict:
    """``grade`` for programs with an event loop."""
    asked = _outcome(task or _UNKNOWN, rubric, grader, 1)
    said, files = await asyncio.to_thread(_given, output, message)
    house = reverie or await asyncio.to_thread(opened if db is not None else _nowhere, db)
    _allow(house, grader)
    model = _model(house, grader, read_rubric(str(asked["rubric"]["content"])))
    session = await begun(house, Definition(name="graded elsewhere", model=model), task, Functions([]))
    try:
        await asyncio.to_thread(_place, house, session.id, files)
        await asyncio.to_thread(house.live.send, session.id, [_defined(asked, said)])
        await session.wait()
        return _only(session)
    finally:
        if db is None and reverie is None:
            await asyncio.to_thread(house.sessions.delete, session.id, actor="reverie.grade")


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


def rubric_text(rubric: str | Path) -> str:
    """A rubric's text.

    Raises:
        NotFound: there is no such file.
        UsageError: it is not text, or is the name of a file in the place of the file.
    """
    if isinstance(rubric, str):
        return _no_name(rubric, "rubric")
    try:
        return rubric.read_bytes().decode()
    except FileNotFoundError:
        raise NotFound("there is no such rubric", where=str(rubric)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the rubric cannot be read: {error}", where=str(rubric)) from None


def _no_name(text: str, what: str) -> str:
    """Text is text, and never the name of a file: where it is one all the same, a path was meant."""
    if text and len(text) < _LONGEST_NAME and text.isprintable() and Path(text).is_file():
        raise UsageError(f"{text!r} is a file, given as text", where=what, hint=f"say Path({text!r})")
    return text


def _outcome(task: str, rubric: str | Path, grader: Grader, max_iterations: int) -> dict[str, Any]:
    text = rubric_text(rubric)
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
        if settings.votes not in _VOTES:
            raise UsageError(f"one of {', '.join(map(str, _VOTES))}, not {settings.votes}", where="votes")
        told = {**msgspec.to_builtins(settings), "instructions": settings.instructions or None}
        asked["grader"] = {key: value for key, value in told.items() if value is not None}
    return asked


def _defined(asked: JsonObject, message: str) -> ClientEvent:
    """An outcome that is only judged: nobody works on it."""
    payload = {key: value for key, value in asked.items() if key != "type"}
    return ClientEvent("user.define_outcome", {**payload, "private": {"given": {"message": message}}})


def _only(session: RunSession) -> Verdict:
    """The verdict of a session that does nothing but judge; there is no more than one iteration to have reached."""
    for event in session.events:
        if event.type == _END:
            found = verdict_of(event)
            missed = found.result == "max_iterations_reached"
            return replace(found, result="needs_revision") if missed else found
    raise ModelFailed(f"no verdict was reached: {session.error or session.stop_reason}", where=session.id)


def _allow(house: Reverie, grader: Grader) -> None:
    """Who names a model here may use it."""
    if (model := _named(grader)) is not None:
        house.models.allow(model if isinstance(model, str) else model["id"])


def _named(grader: Grader) -> str | Mapping[str, Any] | None:
    return grader.model if isinstance(grader, GraderSettings) else grader


def _model(house: Reverie, grader: Grader, rubric: Rubric) -> str | Mapping[str, Any]:
    """The model that grades.

    Raises:
        ConfigError: there is none, and not every criterion has a check.
    """
    if (found := _named(grader) or next(iter(house.models.ids), None)) is not None:
        return found
    if unchecked := [each.id for each in rubric.criteria if each.check is None]:
        raise ConfigError(
            f"no model is named, and {', '.join(unchecked[:3])} {'have' if len(unchecked) > 1 else 'has'} no check",
            hint=f"name a grader, provider:model, or a default in {MODELS}; or give every criterion a check",
        )
    return _NOBODY


# ---------------------------------------------------------------------- what is given


def _given(output: Given, message: str) -> tuple[str, dict[str, Path | bytes]]:
    """What was said, and the files by their names in the outputs folder."""
    if isinstance(output, str):
        if message:
            raise UsageError("the output is text already", where="message", hint="give files, or no message")
        return _no_name(output, "output"), {}
    if isinstance(output, Mapping):
        files = {name: text.encode() if isinstance(text, str) else text for name, text in output.items()}
        return message, dict(files)
    return message, _files([output] if isinstance(output, Path) else list(output))


def _files(paths: Sequence[Path]) -> dict[str, Path | bytes]:
    files: dict[str, Path | bytes] = {}
    size = 0
    for path in paths:
        for name, each in _under(path):
            if name in files:
                raise UsageError(f"two files would be called {name!r}", where=str(each))
            files[name] = each
            size += each.stat().st_size
    if size > _MAX_BYTES:
        raise UsageError(f"{size:,} bytes: at most {_MAX_BYTES:,} are judged", where=str(paths[0]))
    return files


def _under(path: Path) -> list[tuple[str, Path]]:
    """A file, or the files of a folder, by their names in it. What is in it may have been made by anybody, and what
    a link leads to would be shown to the grader's model."""
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file())
        root = path.resolve()
        if out := [each for each in found if not each.resolve().is_relative_to(root)]:
            raise UsageError("a link that leads out of the folder", where=str(out[0]))
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
    root = next(mount.folder for mount in mounts if mount.inside == OUTPUTS).resolve()
    for name, file in files.items():
        place = (root / name).resolve()
        if place == root or not place.is_relative_to(root):
            raise UsageError("a name that leads out of the folder", where=name)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _ = place.write_bytes(file) if isinstance(file, bytes) else shutil.copyfile(file, place)
        except OSError as error:
            raise UsageError(f"it cannot be handed over: {error}", where=name) from error


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
