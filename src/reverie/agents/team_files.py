"""Teams in files: a lead, its specialists, and perhaps a plan, in TOML.

    [team]
    name = "reviewers"
    lead = { model = "ollama:qwen3", system = "You put reviews together." }

    [specialists.reader]
    file = "agents/reader.md"                    # as reverie.Agent.from_file reads it; keys beside it win

    [specialists.judge]
    model = "ollama:qwen3"
    system = "You judge what others found."

    [plan]
    reduce = "One list, worst first."

    [plan.map]
    agent = "reader"
    inputs = { glob = "reviews/*.txt" }
    prompt = "Review {name}: {text}"

Paths are relative to the file. It names no functions: it may come from anywhere, and a function would run
outside the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import msgspec

from reverie.agents.definition import EVERY_TOOL
from reverie.agents.files import SUFFIXES, AgentFile, agent_arguments, read_agent, read_toml
from reverie.domain.errors import NotFound, UsageError
from reverie.domain.plans import MAX_TASKS, Plan
from reverie.orchestration.checking import MAX_PROMPT, checked_plan
from reverie.workspaces.tools import BUILT_IN

__all__ = ["MAX_SPECIALISTS", "TeamFile", "read_team"]

MAX_SPECIALISTS: Final = 20
_SECTIONS: Final = ("team", "specialists", "plan")
_TEAM: Final = ("name", "description", "task", "lead")
_INPUTS: Final = ("glob", "jsonl")
_Table: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TeamFile:
    """What a team's file says. ``lead`` and ``specialists`` are arguments of ``reverie.Agent``; ``task`` is what
    the lead is asked where nobody asks anything else; ``ignored`` is what files of agents say besides that
    means nothing here."""

    path: Path
    name: str
    lead: Mapping[str, Any]
    specialists: Mapping[str, Mapping[str, Any]]
    description: str | None = None
    task: str | None = None
    plan: Plan | None = None
    ignored: tuple[str, ...] = ()


def read_team(path: Path) -> TeamFile:
    """A team's file. An agent without ``tools`` has every built-in one.

    Raises:
        NotFound: there is no such file, or no file of an agent that it names.
        UsageError: it cannot be read, a key is unknown or of the wrong kind, there is no specialist or more
            than 20, or the plan cannot be carried out. The file and the key are named.
    """
    told = read_toml(path)
    place = _Place(path)
    place.known(told, _SECTIONS, "")
    team = place.table(told.get("team", {}), "team")
    place.known(team, _TEAM, "team")
    texts = {key: place.text(team.get(key), f"team.{key}") for key in ("name", "description", "task")}
    name = texts.pop("name") or path.stem
    ignored: list[str] = []
    lead = _agent(place, team.get("lead", {}), "team.lead", ignored)
    specialists = _specialists(place, told.get("specialists", {}), ignored)
    plan = _plan(place, told["plan"], name, specialists) if "plan" in told else None
    return TeamFile(
        path, name, {"name": name, **lead}, specialists, **texts, plan=plan, ignored=tuple(ignored)
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """The file that is read: what is wrong is said with its name and the key."""

    path: Path

    def wrong(self, key: str, what: str, hint: str | None = None) -> UsageError:
        return UsageError(what, where=f"{self.path}: {key}" if key else str(self.path), hint=hint)

    def table(self, told: object, key: str) -> _Table:
        if not isinstance(told, dict):
            raise self.wrong(key, f"it is {type(told).__name__}, and should be a table")
        return cast("dict[str, Any]", told)

    def text(self, told: object, key: str) -> str | None:
        if told is not None and (not isinstance(told, str) or not told.strip()):
            raise self.wrong(key, f"it is {told!r:.50}, and should be text")
        return told

    def known(self, told: Iterable[str], keys: Iterable[str], key: str) -> None:
        if unknown := [each for each in told if each not in keys]:
            hint = f"the keys are {', '.join(keys)}"
            raise self.wrong(key, f"no such key: {', '.join(unknown)}", hint)

    def beside(self, told: str) -> Path:
        """A path that the file names, relative to where it is itself."""
        return self.path.parent / Path(told).expanduser()


# ---------------------------------------------------------------------- agents


def _specialists(place: _Place, told: object, ignored: list[str]) -> dict[str, Mapping[str, Any]]:
    found = place.table(told, "specialists")
    if not 0 < len(found) <= MAX_SPECIALISTS:
        hint = 'one begins with [specialists.NAME] and has a model, a system prompt, or file = "…"'
        raise place.wrong("specialists", f"a team has from 1 to {MAX_SPECIALISTS}, not {len(found)}", hint)
    for name, table in found.items():
        if isinstance(table, dict) and cast("_Table", table).get("name", name) != name:
            raise place.wrong(f"specialists.{name}.name", "a specialist is called as its table is")
    agents = {name: _agent(place, table, f"specialists.{name}", ignored) for name, table in found.items()}
    return {name: {**agent, "name": name} for name, agent in agents.items()}


def _agent(place: _Place, told: object, key: str, ignored: list[str]) -> dict[str, Any]:
    """An agent: its keys, or the path of its file, or both."""
    table = {"file": told} if isinstance(told, str) else dict(place.table(told, key))
    file = place.text(table.pop("file", None), f"{key}.file")
    found = agent_arguments(table, f"{place.path}: {key}")
    for name in found.get("tools", ()):
        if name not in (*BUILT_IN, EVERY_TOOL):
            raise place.wrong(f"{key}.tools", f"{name!r} is none of: {', '.join((*BUILT_IN, EVERY_TOOL))}")
    if file is None:
        return {"tools": [EVERY_TOOL], **found}
    if Path(file).suffix not in SUFFIXES:
        raise place.wrong(f"{key}.file", f"{file!r} does not end with {' or '.join(SUFFIXES)}")
    read = _read_agent(place, file, key)
    ignored += [f"{key}: {what}" for what in read.ignored]
    return {**read.arguments, **found}


def _read_agent(place: _Place, file: str, key: str) -> AgentFile:
    try:
        return read_agent(place.beside(file))
    except NotFound as error:
        raise NotFound(f"there is no file {place.beside(file)}", where=f"{place.path}: {key}.file") from error


# ---------------------------------------------------------------------- the plan


def _plan(place: _Place, told: object, name: str, specialists: Iterable[str]) -> Plan:
    asked = {"name": name[:64], **place.table(told, "plan")}
    if "map" in asked:
        mapped = dict(place.table(asked["map"], "plan.map"))
        if isinstance(mapped.get("inputs"), dict):
            mapped["inputs"] = list(_inputs(place, mapped["inputs"], str(mapped.get("prompt", ""))))
        asked["map"] = mapped
    try:
        return checked_plan(asked, list(specialists))
    except UsageError as error:
        where = f"{place.path}: {(error.where or 'plan').strip('`')}"
        raise UsageError(error.what, where=where, hint=error.hint) from error


def _inputs(place: _Place, told: _Table, prompt: str) -> Iterator[str | _Table]:
    key = "plan.map.inputs"
    place.known(told, _INPUTS, key)
    if len(told) != 1:
        raise place.wrong(key, "it names one source: a list, { glob = … } or { jsonl = … }")
    ((kind, value),) = told.items()
    named = place.text(value, f"{key}.{kind}")
    if named is None:
        raise place.wrong(f"{key}.{kind}", "it is not said")
    yield from _matches(place, named, "{text}" in prompt) if kind == "glob" else _records(place, named)


def _matches(place: _Place, pattern: str, with_text: bool) -> Iterator[_Table]:
    """A record for each file, in the order of their paths; what is in it, where the prompt names that."""
    key = "plan.map.inputs.glob"
    folder = place.path.parent
    try:
        paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    except (ValueError, NotImplementedError) as error:
        raise place.wrong(key, f"{pattern!r} is no pattern of paths below {folder}: {error}") from error
    if not 0 < len(paths) <= MAX_TASKS:
        raise place.wrong(
            key, f"{pattern!r} fits {len(paths)} files in {folder}: a plan takes 1 to {MAX_TASKS}"
        )
    for path in paths:
        record = {"path": path.relative_to(folder).as_posix(), "name": path.name}
        yield {**record, "text": _text(place, path)} if with_text else record


def _text(place: _Place, path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_PROMPT + 1)
    except OSError as error:
        raise place.wrong("plan.map.inputs.glob", f"{path} cannot be read: {error}") from error
    if len(text) > MAX_PROMPT:
        hint = "leave {text} out of the prompt, and let the specialist read the file"
        raise place.wrong("plan.map.inputs.glob", f"{path} has more than {MAX_PROMPT} characters", hint)
    return text


def _records(place: _Place, named: str) -> Iterator[str | _Table]:
    """A record for each line that is not empty."""
    path = place.beside(named)
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise place.wrong("plan.map.inputs.jsonl", f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _record(line, path, number)


def _record(line: bytes, path: Path, number: int) -> str | _Table:
    try:
        return msgspec.json.decode(line, type=str | dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        what = f"a line is a JSON object or text: {error}"
        raise UsageError(what, where=f"{path}, line {number}") from error
