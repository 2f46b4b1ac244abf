"""``reverie sessions list|show|tail|label|export|descendants|take-out`` and ``reverie verify``: the way back to the transcript."""

from __future__ import annotations

from typing import Annotated, Final

import typer

import reverie
from reverie.cli.options import AsJson, Db
from reverie.cli.output import data, moment, out, print_json, print_table, since_time
from reverie.cli.tail import tail
from reverie.domain.clock import system_clock
from reverie.domain.errors import Tampered, UsageError
from reverie.domain.sessions import PERSON, Outcome, Session
from reverie.sessions.chat import chat
from reverie.storage.managed import Filters
from reverie.storage.text import json_text

__all__ = ["add_to"]

_STATUSES: Final = ("idle", "running", "rescheduling", "terminated")
_FORMATS: Final = ("events", "chat")
_LABELS: Final = ("success", "failure", "unknown")
_PAGE: Final = 1_000

group = typer.Typer(no_args_is_help=True, help="The sessions in the log, and their transcripts.")


group.command("tail")(tail)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="sessions")
    app.command("verify")(verify)


@group.command("list")
def list_(
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="7d, 12h, 2026-11-01.")] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help=f"Only those that are {', '.join(_STATUSES)}.")
    ] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this agent.")] = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List sessions, oldest first."""
    if status is not None and status not in _STATUSES:
        raise UsageError(f"no such status: {status!r}", hint=f"one of {', '.join(_STATUSES)}")
    with reverie.open(db) as rv:
        statuses = _statuses(rv)
        found = [
            session
            for session in rv.log.sessions(since=since_time(since, system_clock()))
            if (agent is None or session.info.agent == agent)
            and (status is None or statuses.get(session.id) == status)
        ]
    if as_json:
        print_json([{**_session_json(each), "status": statuses.get(each.id)} for each in found])
    elif not found:
        data("no sessions; next: reverie import claude-code")
    else:
        ordered = sorted(found, key=lambda s: (moment(s.info.started_at), s.id))
        columns = ("session", "began", "agent", "user", "status", "outcome", "events", "goal")
        print_table(columns, [_row(session, statuses.get(session.id)) for session in ordered])


def _statuses(rv: reverie.Reverie) -> dict[str, str]:
    """Of every session, those that were imported among them."""
    found: dict[str, str] = {}
    every = Filters(archived=True)
    page = rv.sessions.list(every, limit=_PAGE)
    while page:
        found.update((view.row.id, view.row.status) for view in page)
        last = page[-1].row
        page = rv.sessions.list(every, after=(last.created_at, last.id), limit=_PAGE)
    return found


def _row(session: Session, status: str | None) -> tuple[str, ...]:
    info = session.info
    return (
        session.id[:13],
        moment(info.started_at),
        _fitted(info.agent or "–", 16),
        _fitted(info.user or "–", 16),
        status or "–",
        info.outcome.label,
        str(session.events),
        _fitted(info.goal or "", min(80, max(16, out.width - 92))),
    )


def _fitted(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


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


@group.command("label")
def label(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="A session id or a unique prefix.")],
    outcome: Annotated[str, typer.Argument(metavar="success|failure|unknown")],
    score: Annotated[float | None, typer.Option(metavar="NUMBER", help="A figure of your own.")] = None,
    explanation: Annotated[str | None, typer.Option("--because", metavar="TEXT")] = None,
    db: Db = None,
) -> None:
    """Say how a session ended. Dreams learn from it; your word outranks every verdict."""
    if outcome not in _LABELS:
        raise UsageError(f"no such outcome: {outcome!r}", hint=f"one of {', '.join(_LABELS)}")
    with reverie.open(db) as rv:
        session = rv.log.session(session_id)
        rv.sessions.label(session.id, Outcome(outcome, score, PERSON), explanation)
        data(f"{session.id}: {outcome}")


@group.command("export")
def export(
    session_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID…", help="Session ids or unique prefixes.", show_default="every session"),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Of every session, those that began then or later.")
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="events: each event whole, a line each; chat: a session a line, as messages.",
        ),
    ] = "events",
    db: Db = None,
) -> None:
    """Print sessions as JSON lines, for other programs. Reverie reads chat back: reverie import FILE."""
    if format not in _FORMATS:
        raise UsageError(f"no such format: {format!r}", where="--format", hint="events or chat")
    with reverie.open(db) as rv:
        if session_ids:
            found = [rv.log.session(each) for each in session_ids]
        else:
            found = rv.log.sessions(since=since_time(since, system_clock()))
        for session in found:
            events = rv.log.stream(session.id)
            if format == "chat":
                data(json_text(chat(session, events)))
                continue
            for event in events:
                data(json_text(rv.event_json(event)))


@group.command("descendants")
def descendants(
    session_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="A session id or a unique prefix; of a deleted one the whole id."),
    ],
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List what was learned from a session, directly or through memory that later sessions read."""
    with reverie.open(db) as rv:
        found = rv.descendants(session_id)
        told = {p.id: f"{p.status}: {p.title}" for p in rv.proposals(status=None)}
    if as_json:
        print_json(found)
        return
    rows = [
        *(("finding", id, "") for id in found.findings),
        *(("proposal", id, told.get(id, "")) for id in found.proposals),
        *(("memory version", id, "") for id in found.versions),
        *(("session that read it", id, "") for id in found.sessions),
    ]
    if rows:
        print_table(("what", "id", ""), rows)
    else:
        data("nothing was learned from it")


@group.command("take-out")
def take_out(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="A session id or a unique prefix.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who decides so.")],
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    db: Db = None,
) -> None:
    """Let a session be no evidence any more, and propose to withdraw what no longer stands without it."""
    with reverie.open(db) as rv:
        found = rv.evidence.take_out(session_id, by=by, reason=because)
    if found:
        print_table(("proposal", "memory", "why"), [(p.id, p.path, p.title) for p in found])
    else:
        data("it counts no more; nothing in memory falls with it")


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
