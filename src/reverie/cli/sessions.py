"""``reverie sessions list|show`` and ``reverie verify``: the way back to the transcript."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

import reverie
from reverie.cli.options import AsJson, Db
from reverie.cli.output import data, esc, moment, out, print_json, since_time
from reverie.domain.clock import system_clock
from reverie.domain.errors import Tampered
from reverie.domain.sessions import Session

__all__ = ["add_to"]

group = typer.Typer(no_args_is_help=True, help="The sessions in the log, and their transcripts.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="sessions")
    app.command("verify")(verify)


@group.command("list")
def list_(
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="7d, 12h, 2026-11-01.")] = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List sessions, oldest first."""
    with reverie.open(db) as rv:
        found = rv.log.sessions(since=since_time(since, system_clock()))
        if as_json:
            print_json([_session_json(session) for session in found])
            return
        if not found:
            data("no sessions; next: reverie import claude-code")
            return
        table = Table(box=None, pad_edge=False)
        for name, width in (("session", 13), ("began", 16), ("user", 8), ("outcome", 7), ("events", 6)):
            table.add_column(
                name, no_wrap=True, overflow="ellipsis", min_width=width, max_width=max(width, 16)
            )
        table.add_column("goal", no_wrap=True)
        for session in sorted(found, key=lambda s: (moment(s.info.started_at), s.id)):
            info = session.info
            goal = " ".join((info.goal or "").split())
            table.add_row(
                session.id[:13],
                moment(info.started_at),
                esc(info.user or "–"),
                info.outcome.label,
                str(session.events),
                esc(goal[: min(80, max(16, out.width - 66))]),
            )
        out.print(table)


def _session_json(session: Session) -> dict[str, object]:
    info = session.info
    return {
        "id": session.id,
        "format": info.format,
        "native_id": info.native_id,
        "agent": info.agent,
        "agent_version": info.agent_version,
        "user": info.user,
        "model": info.model,
        "repository": info.repository,
        "branch": info.branch,
        "task": info.task,
        "goal": info.goal,
        "started_at": info.started_at,
        "ended_at": info.ended_at,
        "outcome": info.outcome.label,
        "score": info.outcome.score,
        "outcome_source": info.outcome.source,
        "events": session.events,
        "content_sha256": session.content_sha256,
    }


@group.command("show")
def show(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="A session id or a unique prefix.")],
    event: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this event and its neighbours.")
    ] = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Show a transcript, or one event of it with what came before and after."""
    with reverie.open(db) as rv:
        session = rv.log.session(session_id)
        if as_json:
            events = rv.log.events(session.id)
            if event is not None:
                wanted = rv.log.event(event).seq
                events = [e for e in events if abs(e.seq - wanted) <= 3]
            print_json(_session_json(session) | {"log": [rv.event_json(e) for e in events]})
            return
        data(rv.transcript(session.id, around=event, before=3, after=3))


def verify(as_json: AsJson = False, db: Db = None) -> None:
    """Walk every hash chain and name the first event that was tampered with."""
    with reverie.open(db) as rv:
        report = rv.verify()
    if as_json:
        print_json(report)
    elif report.problem is None:
        data(
            f"intact: {report.sessions} sessions, {report.events} events, {report.memory_versions} memory versions, {report.audit_entries} audit entries"
        )
    if report.problem is not None:
        if as_json:
            raise typer.Exit(1)
        raise Tampered(
            report.problem.what,
            where=" ".join(filter(None, (report.problem.where, report.problem.event_id))),
            hint="restore the database from a backup; what is named here was changed outside Reverie",
        )
