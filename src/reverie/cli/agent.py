"""``reverie agent run|resume``: an agent at work in this terminal."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reverie.cli.options import AsJson, Db
from reverie.cli.output import esc, talk
from reverie.domain.errors import UsageError

if TYPE_CHECKING:
    from reverie.agents.agent import Agent
    from reverie.agents.session import RunSession

__all__ = ["MEANING", "NoInput", "Yes", "add_to", "asks", "code"]

_EXITS: Final = {
    "end_turn": 0,
    "requires_action": 3,
    "budget_reached": 5,
    "refusal": 6,
    "retries_exhausted": 1,
}
MEANING: Final = """

Exit codes: 0 it has ended its turn (with a rubric: it is satisfied), 3 it waits for a confirmation or a result, 5 its
budget is spent, 6 the model refused, 1 it gave up or the rubric is not satisfied, 7 no judgement was to be had, 130 it
was interrupted."""

group = typer.Typer(no_args_is_help=True, help="Agents that work here and now, in this terminal.")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Allow every call that asks.")]
Environment = Annotated[
    str | None,
    typer.Option(metavar="NAME|ID", help="Where its tools run.", show_default="a sandbox without network"),
]
Permissions = Annotated[
    str | None, typer.Option(metavar="POLICY", help="always_allow, always_ask or auto, for built-in tools.")
]
Rubric = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Work until a separate grader finds that this rubric is met."),
]
Grader = Annotated[
    str | None,
    typer.Option(metavar="PROVIDER:MODEL", help="The model that grades.", show_default="the agent's"),
]
Iterations = Annotated[
    int,
    typer.Option(
        "--max-iterations", metavar="N", help="How often the work is judged, and mended in between: 1 to 20."
    ),
]
NoInput = Annotated[bool, typer.Option("--no-input", help="Ask nothing: leave what waits waiting.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="agent")


@group.command("run", epilog=MEANING.strip())
def run(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[FILE] TASK",
            help="The agent's file (Markdown with front matter, or TOML), and what to do; - or nothing behind "
            "a file: read from standard input.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER:MODEL", help="Which model.", show_default="the first of $REVERIE_MODELS"
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What the agent is called.")] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is told first.")] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A built-in tool it may use, none for none, or module:function of yours; may be repeated.",
            show_default="every built-in tool",
        ),
    ] = None,
    memory: Annotated[
        list[str] | None,
        typer.Option(metavar="STORE", help="A memory store it reads and writes; may be repeated."),
    ] = None,
    environment: Environment = None,
    permissions: Permissions = None,
    max_cost: Annotated[float | None, typer.Option(metavar="USD", help="The most it may cost.")] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", help="The most tokens it may use.")] = None,
    rubric: Rubric = None,
    grader: Grader = None,
    max_iterations: Iterations = 3,
    yes: Yes = False,
    no_input: NoInput = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Run an agent on a task, and show what it does: text to stdout, everything else to stderr.

    Ctrl-C stops what it does; a second one leaves at once. The session is kept either way:
    reverie agent resume goes on with it.
    """
    file, task = _said(words)
    given: dict[str, Any] = {
        "model": model,
        "name": name,
        "system": system,
        "tools": None if tool is None else [_tool(each) for each in tool if each != "none"],
        "memory": memory,
        "environment": environment,
        "permissions": permissions,
        "max_cost_usd": None if max_cost is None else Decimal(str(max_cost)),
        "max_tokens": max_tokens,
    }
    agent = _agent(file, {key: value for key, value in given.items() if value is not None})
    if rubric is None and grader is not None:
        raise UsageError("nothing is graded", where="--grader", hint="say by what: --rubric FILE")
    import reverie
    from reverie.agents.pursuing import start
    from reverie.cli.showing import Screen, attend

    with reverie.open(db) as house:

        async def begin() -> reverie.RunSession:
            if rubric is None:
                return await agent.start(task, reverie=house)
            wanted: Any = {"rubric": rubric, "grader": grader, "max_iterations": max_iterations}
            return (await start(task, agent=agent, reverie=house, **wanted)).session

        screen = Screen(as_json=as_json, ask=asks(no_input, as_json), yes=yes)
        raise typer.Exit(code(*attend(begin, screen)))


@group.command("resume", epilog=MEANING.strip())
def resume(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="A session id or a unique prefix.")],
    message: Annotated[str | None, typer.Argument(metavar="TEXT", help="Something more to do.")] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE:FUNCTION", help="A function that is one of its tools; may be repeated."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="PROVIDER:MODEL", help="The session's model, where it is not a configured one."),
    ] = None,
    yes: Yes = False,
    no_input: NoInput = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Go on with a session: answer what it asks, or tell it more."""
    import reverie
    from reverie.cli.showing import Screen, attend

    functions = [found for each in tool or () if not isinstance(found := _tool(each), str)]
    with reverie.open(db) as house:
        whole = house.log.session(session_id).id

        async def begin() -> reverie.RunSession:
            session = await reverie.resume(whole, tools=functions, model=model, reverie=house)
            await session.answer_pending(wait=False)
            return session if message is None else await session.send(message, wait=False)

        screen = Screen(as_json=as_json, ask=asks(no_input, as_json), yes=yes)
        raise typer.Exit(code(*attend(begin, screen)))


def _said(words: list[str]) -> tuple[Path | None, str]:
    """The file and the task."""
    from reverie.agents.files import SUFFIXES

    first = Path(words[0])
    file = first if first.suffix in SUFFIXES and (len(words) > 1 or first.is_file()) else None
    rest = words if file is None else words[1:]
    if rest and rest != ["-"]:
        return file, " ".join(rest)
    if sys.stdin.isatty():
        raise UsageError("it was not said what to do", hint='reverie agent run agent.md "the task"')
    task = sys.stdin.read().strip()
    if not task:
        raise UsageError("it was not said what to do: standard input is empty")
    return file, task


def _agent(file: Path | None, given: dict[str, Any]) -> Agent:
    from reverie.agents.agent import Agent
    from reverie.agents.definition import EVERY_TOOL
    from reverie.agents.files import read_agent

    if file is None:
        given.setdefault("tools", [EVERY_TOOL])
        return Agent(**given)
    found = read_agent(file)
    if found.ignored:
        talk.print(f"[yellow]ignored[/] in {esc(str(file))}: {esc(', '.join(found.ignored))}")
    return Agent(**{**found.arguments, **given})


def _tool(name: str) -> Any:
    """A tool by its name, or a function of the user's own."""
    module, _, function = name.partition(":")
    if not function:
        return name
    from importlib import import_module

    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"there is no such function: {error}", where=f"--tool {name}") from error


def asks(no_input: bool, as_json: bool) -> bool:
    """Whether somebody is there to say yes or no."""
    return not no_input and not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def code(ended: str, session: RunSession | None) -> int:
    """The exit code of a session that came to rest."""
    from reverie.cli.showing import outcome_of

    if ended == "interrupted":
        return 130
    outcome = None if session is None else outcome_of(session)
    if ended == "end_turn" and outcome is not None:
        return {"satisfied": 0, "failed": 7}.get(outcome, 1)
    return _EXITS.get(ended, 1)
