"""``reverie trial replay``: tasks played with proposals and without, before anybody adopts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reverie.cli.options import AsJson, Db
from reverie.cli.output import data, many, print_json, talk
from reverie.domain.errors import NotFound, NothingToDo, UsageError

if TYPE_CHECKING:
    from reverie.agents.definition import Access
    from reverie.agents.replaying import Play, Work
    from reverie.app import Reverie
    from reverie.dreaming.replays import Replay
    from reverie.dreaming.trials.pairs import Pair

__all__ = ["add_to"]

_FIELDS: Final = frozenset({"name", "task", "rubric"})
_EXITS: Final = {"adopt": 0, "give up": 1}

_HELP: Final = """

What is played: sessions that ran here and have an outcome (--session, by default those of the last weeks that the
proposals were not learned from), or tasks of a file (--tasks, with --agent): one JSON object a line, {"name": …,
"task": …, "rubric": …}. A task succeeds if a grader is satisfied with the first attempt.

Exit codes: 0 adopt them, 1 give them up. Nothing is decided by this: reverie approve, or reverie reject."""


def add_to(group: typer.Typer) -> None:
    group.command("replay", epilog=_HELP.strip())(replay)


def replay(
    proposals: Annotated[
        list[str], typer.Argument(metavar="PROPOSAL…", help="Proposals that are tried together, by id.")
    ],
    session: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A session that is played anew; may be repeated."),
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tasks to play, a JSON object a line.")
    ] = None,
    agent: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The agent that plays them (Markdown or TOML).")
    ] = None,
    rubric: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The rubric of tasks that have none of their own.")
    ] = None,
    grader: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER:MODEL", help="The model that grades them.", show_default="the agent's"
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER:MODEL",
            help="A model of sessions to play that is not a configured one; may be repeated.",
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(metavar="N", help="How many pairs are played at most.")] = 60,
    at_once: Annotated[int, typer.Option(metavar="N", help="Pairs at a time.", min=1, max=16)] = 2,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Play tasks with proposals in memory and without, in pairs, until it is clear whether they help.

    Of proposals that change nothing at most 5 % come out as helpful, of those that harm by ten points at most 1 %. What
    was played is kept: the same command goes on where it was.
    """
    import asyncio

    import reverie

    if (tasks is None) == (session is None) and session is not None:
        raise UsageError("sessions or a file of tasks, not both", where="--session, --tasks")
    if (tasks is None) != (agent is None):
        raise UsageError("a file of tasks and an agent belong together", where="--tasks, --agent")
    with reverie.open(db) as house:
        for each in (*(model or ()), *([grader] if grader else ())):
            house.models.allow(each)
        whole = [house.review.get(each).id for each in proposals]
        store = house.review.get(whole[0]).store_id
        if tasks is not None and agent is not None:
            works = read_works(tasks, rubric)
            names, play = list(works), _by_agent(house, agent, works, store, grader)
        else:
            names, play = _sessions(house, whole, session), _anew(house, store)
        talk.print(f"{many(len(names), 'task')}, {pairs} pairs at most; Ctrl-C keeps what was played")
        found = asyncio.run(
            reverie.replay(whole, names, play, pairs=pairs, at_once=at_once, reverie=house, on_pair=_told)
        )
    if as_json:
        print_json(_json(found))
    else:
        data(_words(found))
    raise typer.Exit(_EXITS[found.status])


def read_works(path: Path, rubric: Path | None) -> dict[str, Work]:
    """The tasks of a file, by name.

    Raises:
        NotFound: there is no such file.
        UsageError: a line that is no task, one without a rubric where no other is given, a name twice.
    """
    import msgspec

    from reverie.agents.replaying import Work

    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    found: dict[str, Work] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            told = msgspec.json.decode(line, type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise UsageError(f"it is no JSON object of texts: {error}", where=where) from None
        if told.keys() - _FIELDS or "task" not in told:
            raise UsageError(
                'a task is {"name": …, "task": …, "rubric": …}; only task must be there', where=where
            )
        judged: str | Path | None = told.get("rubric") or rubric
        if judged is None:
            raise UsageError(
                "nothing says when this task is done", where=where, hint="give it a rubric, or --rubric"
            )
        name = told.get("name", f"line {number}")
        if name in found:
            raise UsageError(f"two tasks are named {name!r}", where=where)
        found[name] = Work(told["task"], judged)
    if not found:
        raise UsageError("there is no task in it", where=str(path))
    return found


def _by_agent(house: Reverie, file: Path, works: dict[str, Work], replaced: str, grader: str | None) -> Play:
    from reverie.agents.agent import Agent
    from reverie.agents.files import read_agent
    from reverie.agents.replaying import of_agent

    before: Mapping[str, Access] | Sequence[str] = read_agent(file).arguments.get("memory", ())
    access = before if isinstance(before, Mapping) else dict.fromkeys(before, "read_write")
    others = {name: how for name, how in access.items() if house.memory.store(name).id != replaced}

    def with_store(store: str) -> Agent:
        return Agent.from_file(file, memory={**others, store: "read_only"})

    return of_agent(with_store, works, grader=grader, reverie=house)


def _anew(house: Reverie, replaced: str) -> Play:
    from reverie.agents.replaying import of_sessions

    return of_sessions(replaced, reverie=house)


def _sessions(house: Reverie, proposals: Sequence[str], named: Sequence[str] | None) -> list[str]:
    """The sessions to play: those that were named, else all that can be and that nothing was learned from."""
    if named is not None:
        return [house.log.session(each).id for each in named]
    from reverie.agents.replaying import playable

    learned = {
        session
        for each in proposals
        for finding in house.review.get(each).findings
        for session in house.finding(finding).sessions
    }
    found = [id for id in playable(house) if id not in learned]
    if not found:
        raise NothingToDo(
            "no session can be played anew that these proposals were not learned from",
            hint="name some with --session, or give tasks: --tasks FILE --agent FILE",
        )
    return found


def _told(replay: Replay, pair: Pair) -> None:
    standing = replay.standing
    came = {True: "done", False: "not done"}
    talk.print(
        f"pair {len(replay.done)}: with {came[pair.with_edit]}, without {came[pair.without]}"
        f" – won {standing.wins}, lost {standing.losses}"
    )


def _words(found: Replay) -> str:
    standing = found.standing
    same = standing.pairs - standing.wins - standing.losses
    answer = "adopt: they help" if found.status == "adopt" else "give up: nothing shows that they help"
    return (
        f"{answer}\n{many(standing.pairs, 'pair')}: better with them in {standing.wins}, worse in {standing.losses}, "
        f"alike in {same}"
    )


def _json(found: Replay) -> dict[str, Any]:
    standing = found.standing
    return {
        "id": found.id,
        "proposals": found.proposals,
        "status": found.status,
        "pairs": standing.pairs,
        "won": standing.wins,
        "lost": standing.losses,
        "done": [
            {"task": pair.task, "with": pair.with_edit, "without": pair.without} for pair in found.in_order
        ],
    }
