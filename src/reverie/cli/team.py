"""``reverie team run|resume|show|stop``: a lead and its specialists, at work in this terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from reverie.cli.agent import MEANING, NoInput, Yes, asks, code
from reverie.cli.options import AsJson, Db
from reverie.cli.output import data, esc, print_json, print_table, talk
from reverie.domain.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from reverie.agents.session import RunSession
    from reverie.agents.team import Team
    from reverie.agents.team_files import TeamFile
    from reverie.cli.crew import Crew
    from reverie.orchestration.progress import PlanState
    from reverie.orchestration.runs import Run

__all__ = ["add_to"]

_RESUME = "reverie team resume"
_PLANS = MEANING.strip() + " Of a plan: 0 every task has finished, 1 some failed or were skipped."

group = typer.Typer(
    no_args_is_help=True, help="Teams: a lead, its specialists, and the plans they carry out."
)

Id = Annotated[str, typer.Argument(metavar="ID", help="A session id or a unique prefix.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="team")


@group.command("run", epilog=_PLANS)
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The team's file.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TASK]",
            help="What the lead is asked; - reads it from standard input.",
            show_default="the file's plan, else its task",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER:MODEL",
            help="The model of all of them.",
            show_default="those that the file names",
        ),
    ] = None,
    yes: Yes = False,
    no_input: NoInput = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Run a team: its plan, or its lead on a task. Shows who does what as it goes.

    Ctrl-C leaves a plan as it stands, and stops a lead; the session is kept either way: reverie team resume
    goes on with it, and does nothing again that has finished.
    """
    import reverie
    from reverie.agents.team_files import read_team
    from reverie.cli.showing import Screen, attend

    read = read_team(file)
    team, task = _team(read, model), _task(read, words or [])
    if read.ignored:
        talk.print(f"[yellow]ignored[/] in {esc(str(file))}: {esc(', '.join(read.ignored))}")
    with reverie.open(db) as house:

        async def begin() -> RunSession:
            if task is not None:
                return await team.start(task, reverie=house)
            assert read.plan is not None
            return await team.start_plan(read.plan, reverie=house)

        screen = Screen(as_json=as_json, ask=asks(no_input, as_json), yes=yes, team=True, resume=_RESUME)
        raise typer.Exit(_code(*attend(begin, screen, leave=task is None), task is None))


@group.command("resume", epilog=_PLANS)
def resume(
    session_id: Id,
    message: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Something for the lead.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER:MODEL",
            help="A model of the team's that is not a configured one; may be repeated.",
        ),
    ] = None,
    yes: Yes = False,
    no_input: NoInput = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Go on with a team's session: what was left or cut off, what asks, or something more for the lead."""
    import reverie
    from reverie.agents.team import plans_of
    from reverie.cli.showing import Screen, attend

    with reverie.open(db) as house:
        whole = house.log.session(session_id).id
        for each in model or ():
            house.models.allow(each)
        planned: list[bool] = []

        async def begin() -> RunSession:
            session = await reverie.resume(whole, reverie=house)
            planned.append(message is None and any(plan.result is None for plan in plans_of(session)))
            return session if message is None else await session.send(message, wait=False)

        screen = Screen(as_json=as_json, ask=asks(no_input, as_json), yes=yes, team=True, resume=_RESUME)
        raise typer.Exit(_code(*attend(begin, screen, leave=message is None), any(planned)))


@group.command("show")
def show(session_id: Id, as_json: AsJson = False, db: Db = None) -> None:
    """Show who worked in a session, and what became of its plans: state, time, tokens and cost of each task."""
    import reverie
    from reverie.cli.crew import Crew
    from reverie.domain.clock import system_clock

    crew = Crew()
    with reverie.open(db) as house:
        whole = house.log.session(session_id).id
        for event in house.log.stream(whole):
            crew.absorb(event)
    if as_json:
        print_json(_crew_json(whole, crew))
        return
    now = system_clock()
    for table in crew.tables(now, rows=sys.maxsize):
        data(table + "\n")
    if members := crew.members():
        print_table(Crew.columns, [member.row(now) for member in members])
    if not (crew.runs or members):
        data("nobody worked in it beside its agent, and it had no plan")


@group.command("stop")
def stop(
    session_id: Id,
    why: Annotated[str, typer.Option("--because", metavar="TEXT")] = "stopped from the command line",
    db: Db = None,
) -> None:
    """Stop the plans of a session for good. What has finished stays."""
    import reverie
    from reverie.orchestration.runs import runs_of

    with reverie.open(db) as house:
        whole = house.log.session(session_id).id
        open_ = runs_of(house.log.stream(whole)).open
        if not open_:
            raise NothingToDo("no plan of it goes on", where=whole)
        for each in open_:
            house.plans.stop(whole, each.id, why)
            data(f"{each.state.plan.name}: stopped")


# ---------------------------------------------------------------------- pieces


def _team(read: TeamFile, model: str | None) -> Team:
    from reverie.agents.agent import Agent
    from reverie.agents.team import Team

    more: dict[str, Any] = {} if model is None else {"model": model}
    lead: dict[str, Any] = {"description": read.description, **read.lead, **more}
    specialists = {name: Agent(**{**told, **more}) for name, told in read.specialists.items()}
    return Team(lead=Agent(**lead), specialists=specialists)


def _task(read: TeamFile, words: list[str]) -> str | None:
    """What the lead is asked; None where the plan is carried out."""
    said = sys.stdin.read().strip() if words == ["-"] else " ".join(words)
    if words and not said:
        raise UsageError("it was not said what to do: standard input is empty")
    if said:
        return said
    if read.plan is not None:
        return None
    if read.task is None:
        hint = f'reverie team run {read.path} "the task", or a task or a plan in the file'
        raise UsageError("it was not said what to do", where=str(read.path), hint=hint)
    return read.task


def _code(ended: str, session: RunSession | None, planned: bool) -> int:
    """The exit code; of a plan by what became of its tasks."""
    from reverie.agents.team import plans_of

    if session is None or not planned or ended not in ("end_turn", "idle"):
        return code(ended, session)
    return max((_plan_code(each.state) for each in plans_of(session)[-1:]), default=0)


def _plan_code(state: PlanState) -> int:
    if state.ended is None or state.ended.error == "budget_reached":
        return 1 if state.ended is None else 5
    needed = [state.tasks[task.id].status for task in state.plan.tasks if not task.optional]
    return 0 if state.ended.result == "completed" and set(needed) <= {"finished"} else 1


def _crew_json(session_id: str, crew: Crew) -> dict[str, Any]:
    members = [msgspec.to_builtins(member) for member in crew.members()]
    return {"session_id": session_id, "plans": list(map(_run_json, crew.runs)), "agents": members}


def _run_json(run: Run) -> dict[str, Any]:
    state = run.state
    agents = {task.id: task.agent for task in state.plan.tasks}
    return {
        "id": run.id,
        "name": state.plan.name,
        "result": None if state.ended is None else state.ended.result,
        "why": None if state.ended is None else state.ended.why,
        "began_at": state.began_at,
        "ended_at": None if state.ended is None else state.ended.at,
        "tokens": state.tokens,
        "tasks": [
            {"id": task, "agent": agents[task], **msgspec.to_builtins(at)} for task, at in state.tasks.items()
        ],
    }
