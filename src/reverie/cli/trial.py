"""``reverie trial start|list|show|look|end|withdraw|resume|replay``: did a memory help, and will it?"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
import typer

import reverie
from reverie.cli import replays
from reverie.cli.options import AsJson, By, Db, Store
from reverie.cli.output import data, esc, many, moment, out, print_json, print_table, reviewer, talk
from reverie.domain.trials import BUDGET, PATIENCE_DAYS, SHARE, Interval, Point, Ruling, Trial
from reverie.dreaming.trials.service import Terms

__all__ = ["add_to"]

_SHOWN: Final = 8  # points of a curve, on a screen

group = typer.Typer(
    no_args_is_help=True, help="Trials: some sessions see a memory and others do not; did it help?"
)

Id = Annotated[str, typer.Argument(metavar="ID", help="A trial's id, or the beginning of it.")]
Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Kept with the trial.")]


def add_to(app: typer.Typer) -> None:
    replays.add_to(group)
    app.add_typer(group, name="trial")


@group.command("start")
def start(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The memory, e.g. /notes/uploads.md.")],
    share: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of new sessions that see it, between 0 and 1.")
    ] = SHARE,
    budget: Annotated[
        int, typer.Option(metavar="N", help="Sessions after which it ends without an answer.")
    ] = BUDGET,
    patience: Annotated[
        int, typer.Option(metavar="DAYS", help="A session without outcome counts as failed after so long.")
    ] = PATIENCE_DAYS,
    finding: Annotated[
        str | None, typer.Option(metavar="ID", help="What it is about, if not what it was proposed for.")
    ] = None,
    store: Store = "default",
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Put a memory on trial: each new session that has its store sees it or not, by a coin."""
    terms = Terms(share, budget, patience)
    with reverie.open(db) as rv:
        made = rv.trials.begin(path, store, by=reviewer(by), terms=terms, finding_id=finding)
    if as_json:
        print_json(msgspec.to_builtins(made))
        return
    data(made.id)
    about = "by the failure it is about, and by how sessions end" if made.marks else "by how sessions end"
    talk.print(f"{_percent(made.share)} of new sessions see it; judged {about}")
    talk.print("looked at by: reverie serve, reverie worker, each dream, and reverie trial look")


@group.command("list")
def list_(as_json: AsJson = False, db: Db = None) -> None:
    """List trials, newest first."""
    with reverie.open(db) as rv:
        found = [(each, rv.trials.standing(each.id)) for each in rv.trials.list()]
    if as_json:
        print_json([_as_json(trial, standing) for trial, standing in found])
        return
    if not found:
        data("no trials; next: reverie trial start PATH   or: reverie approve ID --trial")
        return
    rows = [
        (t.id[:13], t.status, t.word, f"{p.sessions} of {t.budget}", _effect(p.effect, p.overall), t.path)
        for t, p in found
    ]
    print_table(("id", "state", "verdict", "sessions", "effect, points", "memory"), rows, folds="memory")


@group.command("show")
def show(id: Id, as_json: AsJson = False, db: Db = None) -> None:
    """What a trial has shown so far: counts, intervals, verdicts, and how it went."""
    with reverie.open(db) as rv:
        found, standing = rv.trials.history(id), rv.trials.standing(id)
    if as_json:
        print_json(_as_json(found.trial, standing) | {"points": msgspec.to_builtins(found.points)})
        return
    _told(found.trial, standing)
    if found.points:
        out.print()
        _curve(found.points)


@group.command("look")
def look(as_json: AsJson = False, db: Db = None) -> None:
    """Count what has ended since the last look, judge all trials together, and do what follows."""
    with reverie.open(db) as rv:
        found = rv.trials.look()
    if as_json:
        told = [
            {**_as_json(e.trial, e.point), "decided": e.decided, "helps": e.ruling.helps,
             "harms": e.ruling.harms, "waiting": e.waiting}
            for e in found
        ]  # fmt: skip
        print_json(told)
        return
    if not found:
        data("nothing is on trial; next: reverie trial start PATH")
        return
    for each in found:
        word = each.ruling.word if each.decided else f"{each.ruling.word} yet"
        counted = f"{each.point.sessions} sessions, {each.waiting} not over"
        out.print(f"[bold]{esc(each.trial.path)}[/]  {word}  [dim]{counted} · {each.trial.id}[/]")
    if any(each.trial.rulings and each.trial.rulings[-1].proposal_id for each in found if each.decided):
        talk.print("next: reverie review")


@group.command("end")
def end(id: Id, why: Why = None, by: By = None, db: Db = None) -> None:
    """End a trial: all sessions see the memory."""
    with reverie.open(db) as rv:
        done = rv.trials.end(id, by=reviewer(by), why=why)
    data(f"{done.id} has ended; all sessions see {done.path}")


@group.command("withdraw")
def withdraw(id: Id, why: Why = None, by: By = None, db: Db = None) -> None:
    """Take the memory out of all sessions at once."""
    with reverie.open(db) as rv:
        done = rv.trials.withdraw(id, by=reviewer(by), why=why)
    data(f"{done.path} is withdrawn: no session sees it; back again: reverie trial resume {done.id}")


@group.command("resume")
def resume(id: Id, why: Why = None, by: By = None, db: Db = None) -> None:
    """Take a withdrawal back: the trial goes on with a new round."""
    with reverie.open(db) as rv:
        done = rv.trials.resume(id, by=reviewer(by), why=why)
    data(f"{done.id} goes on with round {done.round.number}; {_percent(done.share)} of new sessions see it")


def _told(trial: Trial, standing: Point) -> None:
    out.print(f"[bold]{esc(trial.path)}[/]  {trial.status} · {trial.word}  [dim]{trial.id}[/]")
    out.print(f"  begun    {moment(trial.began_at)} by {esc(trial.began_by)}; round {trial.round.number}")
    if trial.ended_at is not None:
        out.print(
            f"  over     {moment(trial.ended_at)} by {esc(trial.ended_by or '')}: {esc(trial.why or '')}"
        )
    seen = f"{standing.seen} of them saw it ({_percent(trial.share)} were to)"
    out.print(f"  counted  {many(standing.sessions, 'session')} of {trial.budget}; {seen}")
    _rates("failed", standing.failures, standing)
    out.print(f"  effect   {_effect(standing.effect, standing.overall)} points on sessions that end well")
    if standing.hits is not None and standing.addressed is not None:
        _rates("its failure", standing.hits, standing)
        told = _effect(standing.addressed_effect, standing.addressed)
        out.print(f"  effect   {told} points on sessions without the failure it is about")
    for each in trial.rulings:
        out.print(f"  verdict  {_verdict(each)}")


def _rates(what: str, counts: tuple[int, int], point: Point) -> None:
    with_it, without = counts
    out.print(
        f"  {what:<8} {with_it} of {point.seen} with it, {without} of {point.sessions - point.seen} without"
    )


def _verdict(ruling: Ruling) -> str:
    then = f"; proposed: {ruling.proposal_id}" if ruling.proposal_id else ""
    evidence = f"e-values {ruling.helps:.3g} for help, {ruling.harms:.3g} for harm"
    return f"{moment(ruling.at)} after {ruling.sessions} sessions: {ruling.word} ({evidence}){then}"


def _curve(points: tuple[Point, ...]) -> None:
    step = max(1, -(-len(points) // _SHOWN))
    shown = points[::-1][::step][::-1]  # the last one is among them
    rows = [
        (
            moment(p.at),
            str(p.round),
            str(p.sessions),
            f"{p.failures[0]}/{p.seen}",
            f"{p.failures[1]}/{p.sessions - p.seen}",
            _effect(p.effect, p.overall),
        )
        for p in shown
    ]
    print_table(("until (UTC)", "round", "sessions", "failed with", "without", "effect, points"), rows)


def _effect(effect: float | None, interval: Interval) -> str:
    """``−12 (−22 to −3)``, in points."""
    if effect is None:
        return "–"
    return f"{_points(effect)} ({_points(interval[0])} to {_points(interval[1])})"


def _points(value: float) -> str:
    return f"{100 * value:+.0f}".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _as_json(trial: Trial, standing: Point) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(trial)
    return {**told, "verdict": trial.word, "standing": msgspec.to_builtins(standing)}
