"""Whether a plan can be carried out: what a person, a program or a model asks for becomes a ``Plan``, or is
refused with the path of what is wrong, in words that help whoever wrote it to write it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Meta, Struct

from reverie.domain.errors import Invalid
from reverie.domain.plans import AT_ONCE, MAX_AT_ONCE, MAX_TASKS, RUN_SECONDS, Map, Phase, Plan, Task
from reverie.orchestration.templates import expanded

__all__ = ["MAX_EDGES", "MAX_PROMPT", "MAX_PROMPTS", "MAX_RETRIES", "checked_plan"]

MAX_PROMPT: Final = 100_000
"""Characters of one prompt."""
MAX_PROMPTS: Final = 8_000_000
"""Characters of all prompts of a plan: it is one event of the log."""
MAX_EDGES: Final = 50_000
"""Dependencies of a plan, all tasks together."""
MAX_RETRIES: Final = 10

_Told = TypeVar("_Told", bound=Struct)
_Id: TypeAlias = Annotated[str, Meta(max_length=64, pattern=r"\A\w[\w.:/-]*\Z")]
_Prompt: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_PROMPT)]
_Retries: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_RETRIES)]
_Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=RUN_SECONDS)]
_Tokens: TypeAlias = Annotated[int, Meta(ge=1, le=2**53)]
_MOST_SHOWN: Final = 12


class _PhaseAsk(Struct, forbid_unknown_fields=True):
    id: _Id
    name: Annotated[str, Meta(max_length=64)] | None = None
    description: Annotated[str, Meta(max_length=256)] | None = None


class _TaskAsk(Struct, forbid_unknown_fields=True):
    id: _Id
    agent: str
    prompt: _Prompt
    depends_on: list[_Id] = []
    retries: _Retries = 0
    timeout_s: _Seconds | None = None
    max_tokens: _Tokens | None = None
    phase: _Id | None = None
    optional: bool = False


class _MapAsk(Struct, forbid_unknown_fields=True):
    agent: str
    inputs: list[str | dict[str, Any]]
    prompt: _Prompt
    retries: _Retries = 0
    timeout_s: _Seconds | None = None
    max_tokens: _Tokens | None = None


class _PlanAsk(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=64)] = "plan"
    description: Annotated[str, Meta(max_length=256)] = ""
    tasks: list[Any] | None = None
    map: dict[str, Any] | None = None
    at_once: Annotated[int, Meta(ge=1)] = AT_ONCE
    phases: list[str | dict[str, Any]] = []
    on_failure: Literal["skip", "stop"] = "skip"
    max_tokens: _Tokens | None = None
    timeout_s: _Seconds = RUN_SECONDS
    reduce: _Prompt | None = None


def checked_plan(
    told: Mapping[str, Any],
    agents: Collection[str],
    *,
    where: str = "plan",
    most_tasks: int = MAX_TASKS,
    most_at_once: int = MAX_AT_ONCE,
) -> Plan:
    """A plan that can be carried out. Takes time linear in tasks and dependencies.

    Args:
        told: The fields of ``Plan``, with ``tasks`` as a list of objects; or ``map``, an object with the
            fields of ``Map``, in their place. A field that is null is one that was left out.
        agents: Names of the specialists there are.
        where: What the plan is called where something is wrong with it: ``plan.tasks[2].agent``.
        most_tasks: No more tasks than that.
        most_at_once: No more at once than that: 25 are the threads that a session has beside its primary one.

    Raises:
        Invalid: a field that is unknown, missing or of the wrong kind, an empty plan or one too large, two
            tasks of one id, an unknown specialist, phase or dependency, tasks that wait for each other.
    """
    asked = _converted(told, _PlanAsk, where)
    if asked.at_once > most_at_once:
        raise Invalid(f"{where}.at_once", f"from 1 to {most_at_once}", asked.at_once)
    tasks = _tasks(asked, where, most_tasks)
    _check_agents(tasks, agents, where, mapped=asked.map is not None)
    _check_order(tasks, where)
    return Plan(
        name=asked.name,
        tasks=tasks,
        description=asked.description,
        at_once=asked.at_once,
        phases=_phases(asked.phases, tasks, where),
        on_failure=asked.on_failure,
        max_tokens=asked.max_tokens,
        timeout_s=asked.timeout_s,
        reduce=asked.reduce,
    )


# ---------------------------------------------------------------------- shapes


def _converted(told: object, kind: type[_Told], where: str) -> _Told:
    if not isinstance(told, Mapping):
        raise Invalid(where, "an object", type(told).__name__)
    fields = cast("Mapping[str, Any]", told)
    try:
        return msgspec.convert({name: value for name, value in fields.items() if value is not None}, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__)
        raise _refusal(str(error), where, f"the fields are {known}") from error


def _refusal(message: str, where: str, fields: str) -> Invalid:
    """``Expected `int` >= 1 - at `$.at_once``` as an error of ours."""
    what, _, place = message.partition(" - at `$")
    if "matching regex" in what:
        what = "letters, digits and _ . : / -, the first being a letter or digit"
    limit = what.replace("`", "").removeprefix("Expected ")
    return Invalid(where + place.removesuffix("`"), limit, hint=fields if "field" in what else None)


def _tasks(asked: _PlanAsk, where: str, most: int) -> tuple[Task, ...]:
    if asked.tasks is not None and asked.map is None:
        _check_count(f"{where}.tasks", len(asked.tasks), most)
        tasks = tuple(_listed(asked.tasks, where))
    elif asked.map is not None and asked.tasks is None:
        tasks = _mapped(asked.map, f"{where}.map", most)
    else:
        raise Invalid(where, "tasks or map, one of the two")
    for what, limit, found in (
        ("characters in all prompts", MAX_PROMPTS, sum(len(task.prompt) for task in tasks)),
        ("dependencies in all", MAX_EDGES, sum(len(task.depends_on) for task in tasks)),
    ):
        if found > limit:
            raise Invalid(f"{where}.tasks", f"at most {limit} {what}", found)
    return tasks


def _check_count(where: str, count: int, most: int) -> None:
    if not 0 < count <= most:
        raise Invalid(where, f"from 1 to {most} in a plan", count)


def _mapped(told: Mapping[str, Any], where: str, most: int) -> tuple[Task, ...]:
    asked = _converted(told, _MapAsk, where)
    _check_count(f"{where}.inputs", len(asked.inputs), most)
    limits = (asked.retries, asked.timeout_s, asked.max_tokens)
    return tuple(expanded(Map(asked.agent, asked.inputs, asked.prompt, *limits), where))


def _listed(given: Sequence[Any], where: str) -> Iterable[Task]:
    for number, told in enumerate(given):
        asked = _converted(told, _TaskAsk, f"{where}.tasks[{number}]")
        yield Task(
            id=asked.id,
            agent=asked.agent,
            prompt=asked.prompt,
            depends_on=tuple(dict.fromkeys(asked.depends_on)),
            retries=asked.retries,
            timeout_s=asked.timeout_s,
            max_tokens=asked.max_tokens,
            phase=asked.phase,
            optional=asked.optional,
        )


def _phases(given: Sequence[str | dict[str, Any]], tasks: Sequence[Task], where: str) -> tuple[Phase, ...]:
    """As they are told, or as the tasks name them where none is."""
    named = dict.fromkeys(task.phase for task in tasks if task.phase is not None)
    if not given:
        return tuple(Phase(name, name) for name in named)
    asked = [
        _converted({"id": told} if isinstance(told, str) else told, _PhaseAsk, f"{where}.phases[{number}]")
        for number, told in enumerate(given)
    ]
    _distinct([phase.id for phase in asked], f"{where}.phases")
    known = [phase.id for phase in asked]
    for number, task in enumerate(tasks):
        if task.phase is not None and task.phase not in known:
            raise Invalid(f"{where}.tasks[{number}].phase", f"one of: {_few(known)}", task.phase)
    return tuple(Phase(each.id, each.name or each.id, each.description) for each in asked)


# ---------------------------------------------------------------------- sense


def _check_agents(tasks: Sequence[Task], agents: Collection[str], where: str, *, mapped: bool) -> None:
    for number, task in enumerate(tasks):
        if task.agent not in agents:
            field = f"{where}.map.agent" if mapped else f"{where}.tasks[{number}].agent"
            of = "" if mapped else f" of task {task.id!r}"
            limit = f"the specialist{of}: one of {_few(sorted(agents)) or 'none'}"
            raise Invalid(field, limit, task.agent, hint=_meant(task.agent, agents))


def _check_order(tasks: Sequence[Task], where: str) -> None:
    _distinct([task.id for task in tasks], f"{where}.tasks")
    known = {task.id for task in tasks}
    for number, task in enumerate(tasks):
        for place, need in enumerate(task.depends_on):
            field = f"{where}.tasks[{number}].depends_on[{place}]"
            if need == task.id:
                raise Invalid(field, f"another task than {task.id!r} itself", need)
            if need not in known:
                limit = f"the id of a task of this plan, for {task.id!r} to depend on"
                raise Invalid(field, limit, need, hint=_meant(need, known))
    if cycle := _cycle(tasks):
        limit = f"tasks that do not wait for each other: {_path(cycle)}"
        raise Invalid(f"{where}.tasks", limit, hint="take one of these dependencies out")


def _cycle(tasks: Sequence[Task]) -> list[str]:
    """Ids of tasks each of which needs the next, the last being the first; nothing where there is none.

    What is left once every task that can be done is taken away (Kahn 1962) has a task in it that leads, along
    what it needs, to a task seen before.
    """
    left = {task.id: len(task.depends_on) for task in tasks}
    dependents: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for need in task.depends_on:
            dependents[need].append(task.id)
    ready = [name for name, count in left.items() if not count]
    while ready:
        done = ready.pop()
        del left[done]
        for name in dependents[done]:
            left[name] -= 1
            if not left[name]:
                ready.append(name)
    return _walked(left, {task.id: task.depends_on for task in tasks})


def _walked(left: Collection[str], needs: Mapping[str, Sequence[str]]) -> list[str]:
    places: dict[str, int] = {}
    here = next(iter(left), None)
    while here is not None and here not in places:
        places[here] = len(places)
        here = next(need for need in needs[here] if need in left)
    return [] if here is None else [*list(places)[places[here] :], here]


# ---------------------------------------------------------------------- words


def _path(cycle: Sequence[str]) -> str:
    if len(cycle) > _MOST_SHOWN:
        head, tail = cycle[: _MOST_SHOWN - 2], cycle[-2:]
        cycle = [*head, f"({len(cycle) - _MOST_SHOWN} more)", *tail]
    return " → ".join(cycle)


def _few(names: Sequence[str]) -> str:
    more = len(names) - 2 * _MOST_SHOWN
    return ", ".join(names[: 2 * _MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _meant(name: str, known: Collection[str]) -> str | None:
    close = get_close_matches(name, list(known)[:MAX_TASKS], n=1)
    return f"is {close[0]!r} meant?" if close else None


def _distinct(names: Sequence[str], where: str) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise Invalid(where, "ids that differ", f"{name} ({times} times)")
