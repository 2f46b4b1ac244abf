"""``reverie rubric show|lint|probe``: what a rubric says, what is wrong with it, and whether a grader can be fooled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from reverie.cli.grade import GraderModel, Votes, judge, settings
from reverie.cli.options import AsJson
from reverie.cli.output import data, esc, many, out, print_json, print_table, talk
from reverie.cli.verdicts import NO_JUDGEMENT, UNSATISFIED, judging

if TYPE_CHECKING:
    from reverie.agents.trying import Tried
    from reverie.domain.outcomes import Rubric

__all__ = ["add_to"]

group = typer.Typer(no_args_is_help=True, help="Rubrics: how they are read, what is wrong with them.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The rubric: Markdown or plain text.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="rubric")


@group.command("show")
def show(file: File, as_json: AsJson = False) -> None:
    """Show the criteria as they are read."""
    from reverie.outcomes.rubrics import as_json as rubric_json

    rubric = _read(file)
    if as_json:
        print_json({"type": "reverie.rubric", **rubric_json(rubric)})
        return
    rows = [
        (str(each.line), "must" if each.must else "should", f"{each.weight:g}", each.id,
         "" if each.check is None else each.check.kind, " ".join(each.text.split()))
        for each in rubric.criteria
    ]  # fmt: skip
    print_table(("line", "", "weight", "id", "check", "criterion"), rows, folds="criterion")
    unchecked = sum(each.check is None for each in rubric.criteria)
    talk.print(
        f"[dim]{many(unchecked, 'criterion')} for a model to judge[/]".replace("criterions", "criteria")
    )


@group.command("lint", epilog="Exit codes: 0 nothing to remark, 1 there are remarks, 2 it is no rubric.")
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Rubrics: Markdown or plain text.")],
    as_json: AsJson = False,
) -> None:
    """Say what a grader will stumble over: vague, unverifiable, contradictory or doubled criteria. Asks no model."""
    from reverie.outcomes.lint import lint as remarks

    def work() -> int:
        found = [(file, each) for file in files for each in remarks(_read(file))]
        if as_json:
            print_json([{"file": str(file), **msgspec.to_builtins(each)} for file, each in found])
        else:
            for file, each in found:
                data(f"{file}:{each.line}: {each.kind}: {each.message}\n  {each.suggestion}")
        return UNSATISFIED if found else 0

    raise typer.Exit(judging(work))


@group.command(
    "probe",
    epilog="Exit codes: 0 none passes, 1 one does, 2 the command or the rubric is wrong, 4 no model is named, 7 of "
    "some there was no judgement.",
)
def probe(file: File, grader: GraderModel = None, votes: Votes = 1, as_json: AsJson = False) -> None:
    """Hand in work that no rubric should pass: nothing, words that say nothing, orders to the grader, the rubric
    itself, a verdict. Says of each whether it passed."""
    from reverie.agents.pursuing import rubric_text
    from reverie.agents.trying import probed

    def work() -> int:
        text = rubric_text(file)
        with judge(None) as house:
            found = asyncio.run(probed(text, grader=settings(grader, votes), reverie=house))
        if as_json:
            print_json([_tried_json(each) for each in found])
        else:
            _show(found)
        if any(each.passed for each in found):
            return UNSATISFIED
        return 0 if all(each.judged for each in found) else NO_JUDGEMENT

    raise typer.Exit(judging(work))


def _read(file: Path) -> Rubric:
    """A rubric's file.

    Raises:
        NotFound, UsageError: it is not there, or is none; the file is named.
    """
    from reverie.agents.pursuing import rubric_text
    from reverie.domain.errors import Invalid, UsageError
    from reverie.outcomes.rubrics import read_rubric

    try:
        return read_rubric(rubric_text(file))
    except Invalid as error:
        raise UsageError(f"{error.where}: {error.what}", where=str(file), hint=error.hint) from error


def _tried_json(tried: Tried) -> dict[str, Any]:
    verdict = tried.verdict
    told = {"probe": tried.probe.name, "passed": tried.passed, "judged": tried.judged}
    return {**told, "result": verdict.result, "score": verdict.score, "explanation": verdict.explanation}


def _show(found: list[Tried]) -> None:
    for each in found:
        name = esc(each.probe.name)
        if each.passed:
            out.print(f"[bold red]passed[/]        {name}")
        elif each.judged:
            out.print(f"[green]held[/]          {name}")
        else:
            why = " ".join(each.verdict.explanation.split())
            out.print(f"[yellow]no judgement[/]  {name}: {esc(why)}")
    talk.print(f"[dim]{sum(each.passed for each in found)} of {len(found)} passed; none should[/]")
