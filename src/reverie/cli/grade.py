"""``reverie grade``: work that was made elsewhere, judged by its rubric, with an exit code for CI."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reverie.cli.options import AsJson
from reverie.cli.output import esc, many, out, print_json, print_table, talk
from reverie.cli.verdicts import NO_JUDGEMENT, exit_code, judging, show_verdict, verdict_json
from reverie.domain.errors import UsageError

if TYPE_CHECKING:
    from reverie.agents.trying import Compared
    from reverie.app import Reverie
    from reverie.domain.outcomes import GraderSettings

__all__ = ["GraderModel", "Votes", "add_to", "judge", "settings"]

GraderModel = Annotated[
    str | None,
    typer.Option(
        "--grader",
        metavar="PROVIDER:MODEL",
        help="The model that judges what no check does.",
        show_default="the first of $REVERIE_MODELS",
    ),
]
Votes = Annotated[int, typer.Option(metavar="N", help="Graders that judge; the majority counts: 1, 3, 5, 7.")]


def add_to(app: typer.Typer) -> None:
    app.command(
        "grade",
        epilog="Exit codes: 0 it is satisfied, 1 it is not, 2 the command or the rubric is wrong, 4 no model is "
        "named, 7 no judgement was to be had, 130 it was interrupted.",
    )(grade)


def grade(
    rubric: Annotated[Path, typer.Argument(metavar="RUBRIC", help="The rubric: Markdown or plain text.")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILES…", help="What is judged: files, or a folder.")
    ] = None,
    grader: GraderModel = None,
    task: Annotated[str, typer.Option(metavar="TEXT", help="What was asked for.")] = "",
    message: Annotated[
        str, typer.Option(metavar="TEXT|-", help="What the maker said; - reads it from standard input.")
    ] = "",
    votes: Votes = 1,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge what people labelled (.jsonl, .csv or .toml: file, criterion, status; paths are relative to "
            "it), and say how well the grader agrees with them.",
        ),
    ] = None,
    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="PATH|URL",
            help="Keep the sessions that judge in this database.",
            show_default="not kept",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge work by its rubric: its checks first, then a grader's model for the rest.

    A rubric whose criteria all have checks needs no model. The grader sees the files, the message, the task and
    the rubric, and works in a throw-away copy without a network.
    """

    def work() -> int:
        with judge(db) as house:
            if labels is not None:
                return _compare(house, rubric, labels, files, task, settings(grader, votes), as_json)
            return _grade(house, rubric, files or [], task, message, settings(grader, votes), as_json)

    raise typer.Exit(judging(work))


@contextmanager
def judge(db: str | None) -> Generator[Reverie]:
    """A house to judge in; without a database, one that is gone afterwards."""
    import reverie

    logging.getLogger("reverie").addHandler(logging.NullHandler())  # what went wrong is in the verdict
    if db is not None:
        with reverie.open(db) as house:
            yield house
        return
    with (
        TemporaryDirectory(prefix="reverie-grade-") as folder,
        reverie.open(Path(folder) / "reverie.db") as house,
    ):
        yield house


def settings(model: str | None, votes: int = 1) -> GraderSettings:
    """How it is judged, as the options say."""
    from reverie.domain.outcomes import GraderSettings

    return GraderSettings(model=model, votes=votes)


def _grade(
    house: Reverie,
    rubric: Path,
    files: list[Path],
    task: str,
    message: str,
    grader: GraderSettings,
    as_json: bool,
) -> int:
    from reverie.agents.pursuing import grade_async, rubric_text
    from reverie.outcomes.rubrics import read_rubric

    text = rubric_text(rubric)
    read = read_rubric(text)
    said = sys.stdin.read().strip() if message == "-" else message
    if not files and not said:
        raise UsageError(
            "it was not said what to judge", hint=f"reverie grade {rubric} FILES…, or --message TEXT"
        )
    verdict = asyncio.run(
        grade_async(
            files or said, text, message=said if files else "", task=task, grader=grader, reverie=house
        )
    )
    if as_json:
        print_json(verdict_json(read, verdict))
    else:
        show_verdict(read, verdict)
    return exit_code(verdict)


# ------------------------------------------------------------------ against people's labels


def _compare(
    house: Reverie,
    rubric: Path,
    labels: Path,
    files: list[Path] | None,
    task: str,
    grader: GraderSettings,
    as_json: bool,
) -> int:
    from reverie.agents.pursuing import rubric_text
    from reverie.agents.trying import compared
    from reverie.outcomes.agreement import read_labels
    from reverie.outcomes.rubrics import read_rubric

    if files:
        raise UsageError(
            "the labels say what is judged", where="FILES", hint="leave the files out, or --labels"
        )
    try:
        said = read_labels(labels.read_text("utf-8"), labels.name)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the labels cannot be read: {error}", where=str(labels)) from error
    text = rubric_text(rubric)
    found = asyncio.run(
        compared(said, text, labels.parent, task=task, grader=grader, reverie=house, on_done=_judged)
    )
    read = read_rubric(text)
    if as_json:
        items = {item: verdict_json(read, verdict) for item, verdict in found.verdicts.items()}
        print_json({"type": "reverie.agreement", **_agreement_json(found), "items": items})
    else:
        _show(found)
    return NO_JUDGEMENT if found.unjudged else 0


def _judged(item: str) -> None:
    talk.print(f"[dim]judged {esc(item)}[/]")


def _agreement_json(found: Compared) -> dict[str, Any]:
    """An agreement as plain data; confusions as lists, since JSON's keys are text."""
    told = found.agreement
    figures = ("count", "accuracy", "kappa", "low", "high", "met_accuracy", "met_kappa")
    return {
        **{name: getattr(told, name) for name in figures},
        "confusions": {
            criterion: [
                {"human": human, "grader": grader, "count": n} for (human, grader), n in table.items()
            ]
            for criterion, table in told.confusions.items()
        },
        "unjudged": found.unjudged,
    }


def _show(found: Compared) -> None:
    told = found.agreement
    for item, why in found.unjudged.items():
        talk.print(f"[yellow]no judgement[/] of {esc(item)}: {esc(why)}")
    interval = (
        "" if told.low is None or told.high is None else f"  95 % from {told.low:.2f} to {told.high:.2f}"
    )
    out.print(f"{many(told.count, 'judgement')} that people made too")
    out.print(f"all statuses  accuracy {_figure(told.accuracy)}  kappa {_figure(told.kappa)}{interval}")
    out.print(f"met or not    accuracy {_figure(told.met_accuracy)}  kappa {_figure(told.met_kappa)}")
    rows = [
        (
            criterion,
            human.replace("_", " "),
            grader.replace("_", " "),
            str(count),
            "" if human == grader else "≠",
        )
        for criterion, table in told.confusions.items()
        for (human, grader), count in sorted(table.items())
    ]
    print_table(("criterion", "people", "grader", "times", ""), rows)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
