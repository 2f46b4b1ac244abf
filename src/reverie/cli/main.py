"""The command ``reverie``: every command group, and how errors leave the house."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import typer

from reverie.cli.lazy import Entry, LazyGroup
from reverie.domain.errors import ReverieError

__all__ = ["COMMANDS", "app", "main"]


COMMANDS: Final = {
    "agent": Entry("reverie.cli.agent", "Agents that work here and now, in this terminal."),
    "team": Entry("reverie.cli.team", "Teams: a lead, its specialists, and the plans they carry out."),
    "grade": Entry(
        "reverie.cli.grade",
        "Judge work by its rubric: its checks first, then a grader's model for the rest.",
    ),
    "rubric": Entry("reverie.cli.rubric", "Rubrics: how they are read, what is wrong with them."),
    "import": Entry(
        "reverie.cli.imports",
        "Read transcripts: Claude Code, Codex, ATIF, OTLP spans, tau-bench, SWE-agent, chat JSONL and more.",
    ),
    "dream": Entry(
        "reverie.cli.dreams",
        "Find out what your agents keep getting wrong and what worked, and propose it for memory.",
    ),
    "dreams": Entry("reverie.cli.dreams", "List dreams, newest first."),
    "findings": Entry("reverie.cli.findings", "What dreams found: claims, with their numbers and quotes."),
    "schedule": Entry(
        "reverie.cli.schedule", "Dreams that start by themselves: at times, or when enough is new."
    ),
    "review": Entry(
        "reverie.cli.review",
        "Decide on each proposal: its claim, its evidence with quotes, the change, then one key.",
    ),
    "approve": Entry(
        "reverie.cli.proposals", "Write proposals into memory. Each is one transaction with its audit entry."
    ),
    "reject": Entry(
        "reverie.cli.proposals", "Refuse proposals. The idea comes back only when its evidence has doubled."
    ),
    "modify": Entry("reverie.cli.proposals", "Approve a proposal with a text of your own."),
    "undo": Entry(
        "reverie.cli.proposals",
        "Take a decision back: an approved text leaves memory, a rejected proposal waits again.",
    ),
    "sync": Entry(
        "reverie.cli.sync",
        "Write approved memory into a managed block of AGENTS.md, or into a folder of Markdown.",
    ),
    "verify": Entry(
        "reverie.cli.sessions", "Walk every hash chain and name the first event that was tampered with."
    ),
    "demo": Entry(
        "reverie.cli.demo",
        "Make sessions of a small simulated document desk, dream over them, and show what was found.",
    ),
    "doctor": Entry(
        "reverie.cli.doctor", "Look whether everything that is needed is there, and say what is not."
    ),
    "proposals": Entry(
        "reverie.cli.proposals", "The changes that wait for a decision, and what became of them."
    ),
    "policy": Entry(
        "reverie.cli.policy",
        "What may enter memory without a person looking at it first. By default nothing.",
    ),
    "trial": Entry("reverie.cli.trial", "Trials: some sessions see a memory and others do not; did it help?"),
    "memory": Entry("reverie.cli.memory", "What was learned: list, show, search, history, diff, restore."),
    "sessions": Entry("reverie.cli.sessions", "The sessions in the log, and their transcripts."),
    "keys": Entry("reverie.cli.keys", "Keys for the HTTP API: who may call, and what for."),
    "workspaces": Entry(
        "reverie.cli.workspaces",
        "Workspaces: what is in one cannot be seen or changed from another. Any command works in the one "
        "that $REVERIE_WORKSPACE names.",
    ),
    "serve": Entry(
        "reverie.cli.serve",
        "Serve the HTTP API that the official SDKs speak, and at / the console to review in.",
        "Server",
    ),
    "worker": Entry(
        "reverie.cli.worker",
        "Work on sessions, without serving anything: as many workers as you like share one PostgreSQL.",
        "Server",
    ),
}
"""In the order of ``reverie --help``."""


class _House(LazyGroup):
    """Turns an error of ours into one message and its exit code, and Ctrl-C into 130."""

    entries = COMMANDS

    def invoke(self, ctx: Any) -> Any:
        from reverie.cli.output import fail, talk

        try:
            return super().invoke(ctx)
        except ReverieError as error:
            fail(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            talk.print("interrupted; what was finished is kept, the same command goes on from there")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="reverie",
    cls=_House,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="AI agents that learn from their own sessions, with a memory you can check.",
    epilog="Begin with:  reverie import claude-code  →  reverie dream  →  reverie review",
)


def _version(asked: bool) -> None:
    if asked:
        from reverie import __version__

        typer.echo(f"reverie {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    try:
        app()
    except BrokenPipeError:  # the reader of our output went away: `reverie … | head`
        sys.stderr.close()
        sys.exit(0)
