"""The tools by which agents work together, as models are told of them. What they do is the runtime's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

from reverie.domain.messages import ToolSpec
from reverie.domain.plans import AT_ONCE, MAX_AT_ONCE, MAX_TASKS
from reverie.orchestration.checking import MAX_RETRIES
from reverie.orchestration.roster import Roster

__all__ = [
    "CONSULT_ADVISOR",
    "LIST_AGENTS",
    "READ_PLAN",
    "READ_RESULT",
    "RUN_PLAN",
    "SEND_TO_AGENT",
    "SEND_TO_PARENT",
    "STOP_AGENT",
    "STOP_PLAN",
    "TEAM_TOOLS",
    "WAIT_FOR_AGENTS",
    "lead_specs",
    "specialist_specs",
]

LIST_AGENTS: Final = "list_agents"
SEND_TO_AGENT: Final = "send_to_agent"
WAIT_FOR_AGENTS: Final = "wait_for_agents"
READ_RESULT: Final = "read_result"
STOP_AGENT: Final = "stop_agent"
RUN_PLAN: Final = "run_plan"
READ_PLAN: Final = "read_plan"
STOP_PLAN: Final = "stop_plan"
SEND_TO_PARENT: Final = "send_to_parent"
CONSULT_ADVISOR: Final = "consult_advisor"

TEAM_TOOLS: Final = frozenset(
    (
        LIST_AGENTS,
        SEND_TO_AGENT,
        WAIT_FOR_AGENTS,
        READ_RESULT,
        STOP_AGENT,
        RUN_PLAN,
        READ_PLAN,
        STOP_PLAN,
        SEND_TO_PARENT,
        CONSULT_ADVISOR,
    )
)

_Schema: TypeAlias = dict[str, Any]


def lead_specs(roster: Roster) -> tuple[ToolSpec, ...]:
    """The tools of an agent that may call others: none, where it may call nobody."""
    found: list[ToolSpec] = []
    if roster.delegates:
        found += [_list_agents(), _send_to_agent(roster), _wait_for_agents()]
    if roster.delegates or roster.plans:
        found += [_read_result(), _stop_agent()]
    if roster.plans:
        found += [_run_plan(roster), _read_plan(), _stop_plan()]
    if roster.advisor is not None:
        found.append(_consult_advisor())
    return tuple(found)


def specialist_specs() -> tuple[ToolSpec, ...]:
    """The tools of an agent that was called by another."""
    about = (
        "Send a message to the agent that gave you this task, while you go on working: something it should "
        "know now, or a question. What you say last, when you stop, is delivered as your result without this."
    )
    return (_spec(SEND_TO_PARENT, about, {"message": _text("What to tell it.")}, ["message"]),)


# ---------------------------------------------------------------------- one by one


def _list_agents() -> ToolSpec:
    about = (
        "List the specialists you can call, what each is for, the threads you have started with them and how "
        "each stands (running, idle, waiting for a person), with tokens and cost, and the runs of your plans."
    )
    return _spec(LIST_AGENTS, about, {}, [])


def _send_to_agent(roster: Roster) -> ToolSpec:
    about = (
        "Give a task to a specialist: with `agent`, a new thread is started, which knows nothing but your "
        "message; with `thread_id`, a thread that you started before goes on, and remembers everything. "
        "Returns the thread's id at once, without waiting: start all that can work in parallel, then call "
        f"{WAIT_FOR_AGENTS}. Say in the message all that is needed: goal, files, what to return. A specialist "
        "shares your workspace through an area of its own, whose changes are merged when it is done."
    )
    fields = {
        "agent": _one_of("The specialist to start a new thread of.", roster.subagents),
        "thread_id": _text("A thread that you started before, to go on with."),
        "message": _text("The task, or what to tell the thread."),
        "name": {**_text("A short name for the new thread, to tell it from others."), "maxLength": 64},
        "max_tokens": _count("The most tokens that the new thread may use, read and written."),
    }
    if roster.inline_subagents:
        fields["new_agent"] = _invented("An agent that you define here, in the place of `agent`.")
    return _spec(SEND_TO_AGENT, about, fields, ["message"])


def _wait_for_agents() -> ToolSpec:
    about = (
        "Wait until specialists have finished, failed, or need something of you, and get what they reported. "
        "You use no tokens while you wait."
    )
    fields = {
        "thread_ids": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The threads to wait for; by default all of yours that work.",
        },
        "mode": {
            "type": "string",
            "enum": ["any", "all"],
            "default": "all",
            "description": "Whether to go on as soon as one of them is done, or when all are.",
        },
        "timeout_s": _seconds("Go on after so many seconds in any case; what works goes on working."),
    }
    return _spec(WAIT_FOR_AGENTS, about, fields, [])


def _read_result() -> ToolSpec:
    about = (
        "Read the whole of what a specialist reported last, where you were shown only its beginning. Name the "
        "thread, or the task of a plan."
    )
    fields = {
        "thread_id": _text("The thread."),
        "task": _text("The id of a task of a plan."),
        "run_id": _text("The run that the task belongs to; by default the last one."),
        "offset": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "The character to begin at, where a result is longer than one answer holds.",
        },
    }
    return _spec(READ_RESULT, about, fields, [])


def _stop_agent() -> ToolSpec:
    about = (
        "Stop what a specialist is doing. What it did so far stays; it can be given more work afterwards. A "
        "task of a plan that is stopped is not tried again."
    )
    return _spec(STOP_AGENT, about, {"thread_id": _text("Its thread.")}, ["thread_id"])


# ---------------------------------------------------------------------- plans


def _run_plan(roster: Roster) -> ToolSpec:
    about = (
        "Carry out a plan: tasks for specialists, each in a thread of its own. Every task whose dependencies "
        f"have finished runs in parallel, up to at_once (by default {AT_ONCE}), and is given their results. "
        "Failed tasks are tried again as often as `retries` says; what needs a task that failed is skipped. "
        "To do one thing to many inputs give `map` instead of `tasks`. With wait (the default) you get the "
        f"results when all is done; else the run's id at once, for {READ_PLAN} and {STOP_PLAN}. A plan that "
        "cannot be carried out (a cycle, an unknown agent or dependency) is refused, and nothing of it runs."
    )
    fields: _Schema = {
        "name": {**_text("What the plan is for, in a few words."), "maxLength": 64},
        "description": {**_text("More about it, for people who watch."), "maxLength": 256},
        "tasks": {"type": "array", "items": _task(roster), "minItems": 1, "maxItems": MAX_TASKS},
        "map": _map(roster),
        "at_once": {"type": "integer", "minimum": 1, "maximum": MAX_AT_ONCE, "default": AT_ONCE},
        "phases": {
            "type": "array",
            "items": {"type": "string", "maxLength": 64},
            "description": "Names of parts of the plan, in order, for people who watch; tasks refer to them.",
        },
        "on_failure": {
            "type": "string",
            "enum": ["skip", "stop"],
            "default": "skip",
            "description": "When a task has failed for good: skip what needs it, or stop everything.",
        },
        "max_tokens": _count("The most tokens that all tasks together may use; then everything stops."),
        "timeout_s": _seconds("The most seconds that the whole may take."),
        "reduce": _text("A note to yourself, shown with the results: what to make of them."),
        "wait": {"type": "boolean", "default": True, "description": "Whether to wait for the results."},
    }
    if roster.inline_workflows:
        about_them = "Agents that you define here, for the tasks of this plan to name."
        fields["agents"] = {"type": "array", "items": _invented(""), "description": about_them}
    return _spec(RUN_PLAN, about, fields, ["name"])


def _read_plan() -> ToolSpec:
    about = (
        "See how a run of a plan stands: each task with its state, time, tokens and cost, and, when it is over, "
        "its results."
    )
    return _spec(READ_PLAN, about, {"run_id": _text("The run; by default the last one.")}, [])


def _stop_plan() -> ToolSpec:
    about = (
        "Stop a run of a plan: its threads stop, what has not started never does. What has finished stays, and "
        "its results are returned."
    )
    fields = {
        "run_id": _text("The run; by default the last one."),
        "why": _text("Why, for the record."),
    }
    return _spec(STOP_PLAN, about, fields, [])


def _consult_advisor() -> ToolSpec:
    about = (
        "Ask an advisor, a model that sees this conversation and can do nothing but answer: before a decision "
        "that is hard to take back, or when you are stuck."
    )
    return _spec(CONSULT_ADVISOR, about, {"question": _text("What you want to know.")}, ["question"])


def _task(roster: Roster) -> _Schema:
    fields = {
        "id": {
            "type": "string",
            "maxLength": 64,
            "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$",
            "description": "Its name in this plan: letters, digits and _ . : / -",
        },
        "depends_on": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Ids of tasks that must have finished; their results are put below the prompt.",
        },
        "phase": _text("The part of the plan that it belongs to."),
        "optional": {
            "type": "boolean",
            "default": False,
            "description": "Whether what depends on it may run although it failed.",
        },
        **_work(roster, "What to do, with everything that is needed: the agent knows nothing else."),
    }
    return _object("One task.", fields, ["id", "agent", "prompt"])


def _map(roster: Roster) -> _Schema:
    prompt = (
        "What to do with one input: a template with {input} (as JSON, where it is an object), {index} (from "
        "1) and {name} for a field of an input that is an object; {{ and }} are braces."
    )
    fields = {
        "inputs": {
            "type": "array",
            "items": {"type": ["string", "object"]},
            "minItems": 1,
            "maxItems": MAX_TASKS,
            "description": "Each becomes a task: item-1, item-2 …",
        },
        **_work(roster, prompt),
    }
    return _object(
        "One specialist over many inputs, instead of tasks.", fields, ["agent", "inputs", "prompt"]
    )


def _work(roster: Roster, prompt: str) -> _Schema:
    named = () if roster.inline_workflows else roster.workflows
    known = f" ({', '.join(roster.workflows)})" if roster.workflows else ""
    return {
        "agent": _one_of(f"The specialist that does it{known}.", named),
        "prompt": _text(prompt),
        "retries": {"type": "integer", "minimum": 0, "maximum": MAX_RETRIES, "default": 0},
        "timeout_s": _seconds("The most seconds that one attempt may take."),
        "max_tokens": _count("The most tokens that it may use, all attempts together."),
    }


# ---------------------------------------------------------------------- schemas


def _spec(name: str, about: str, fields: Mapping[str, Any], required: list[str]) -> ToolSpec:
    return ToolSpec(name, about, _object("", fields, required))


def _object(about: str, fields: Mapping[str, Any], required: list[str]) -> _Schema:
    told = {"description": about} if about else {}
    return {
        "type": "object",
        **told,
        "properties": dict(fields),
        "required": required,
        "additionalProperties": False,
    }


def _text(about: str) -> _Schema:
    return {"type": "string", "minLength": 1, "description": about}


def _count(about: str) -> _Schema:
    return {"type": "integer", "minimum": 1, "description": about}


def _seconds(about: str) -> _Schema:
    return {"type": "number", "exclusiveMinimum": 0, "description": about}


def _one_of(about: str, names: Collection[str]) -> _Schema:
    """A name; where nobody can be invented, one of those there are."""
    return {"type": "string", "description": about, **({"enum": list(names)} if names else {})}


def _invented(about: str) -> _Schema:
    fields = {
        "name": {**_text("What it is called."), "maxLength": 64},
        "system": _text("Who it is and how it works, in general."),
        "description": _text("What it is for."),
        "model": _text("Its model; by default yours."),
        "tools": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Which of your own tools and MCP servers it may use; by default all of them.",
        },
    }
    return _object(about, fields, ["name"])
