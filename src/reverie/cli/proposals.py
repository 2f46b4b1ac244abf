"""``reverie proposals list|show|bulk``, the decisions (approve, reject, modify, undo), and what is no evidence
for a finding: ``reverie proposals exclude|include|excluded``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, get_args

import typer

import reverie
from reverie.cli.options import AsJson, By, Db
from reverie.cli.output import data, esc, out, print_json, print_table, reviewer, talk
from reverie.cli.show import proposal_lines
from reverie.domain.errors import UsageError
from reverie.domain.proposals import Proposal, ProposalStatus, RejectReason
from reverie.domain.trials import SHARE
from reverie.dreaming.exclusions import Recount
from reverie.dreaming.render import exclusions_json, finding_json, proposal_json
from reverie.dreaming.trials.service import Terms
from reverie.review.bulk import LeftOut

__all__ = ["add_to"]

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Proposal ids or unique prefixes.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A proposal id or a unique prefix.")]
Finding = Annotated[str, typer.Argument(metavar="FINDING", help="A finding id or a unique prefix.")]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A word for the audit log.")]

group = typer.Typer(
    no_args_is_help=True, help="The changes that wait for a decision, and what became of them."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="proposals")
    app.command("approve")(approve)
    app.command("reject")(reject)
    app.command("modify")(modify)
    app.command("undo")(undo)


@group.command("list")
def list_(
    store: Annotated[str | None, typer.Option(metavar="NAME", help="Only this memory store.")] = None,
    status: Annotated[str, typer.Option(metavar="STATUS", help="pending, approved, … or all.")] = "pending",
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List proposals in order of importance."""
    with reverie.open(db) as rv:
        found = rv.proposals(store, status=_status(status))
        if as_json:
            print_json([proposal_json(proposal) for proposal in found])
            return
        if not found:
            data(f"no {'' if status == 'all' else status + ' '}proposals; next: reverie dream")
            return
        rows = [(p.id[:13], p.status, str(p.evidence_weight), p.title) for p in found]
        print_table(("id", "status", "sessions", "what"), rows, folds="what")
        talk.print("\nnext: reverie review   or: reverie proposals show ID")


def _status(word: str) -> ProposalStatus | None:
    if word == "all":
        return None
    for known in get_args(ProposalStatus):
        if word == known:
            return known
    known = ", ".join((*get_args(ProposalStatus), "all"))
    raise UsageError(f"{word!r} is no status", where="--status", hint=f"one of: {known}")


@group.command("show")
def show(proposal_id: Id, as_json: AsJson = False, db: Db = None) -> None:
    """Show one proposal: its claim, its evidence with quotes, and the diff."""
    with reverie.open(db) as rv:
        proposal = rv.review.get(proposal_id)
        if as_json:
            findings = [finding_json(rv.finding(f), rv.log.event) for f in proposal.cited]
            print_json(proposal_json(proposal) | {"evidence": findings})
            return
        for line in proposal_lines(rv, proposal, examples=5):
            out.print(line)


@group.command("bulk")
def bulk(
    proposals: Ids,
    yes: Annotated[bool, typer.Option("--yes", help="Approve them; without it they are only shown.")] = False,
    by: By = None,
    note: Note = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Approve many at once, each on its own: only what adds, replaces nothing, and no foreign text had a
    hand in."""
    with reverie.open(db) as rv:
        glance = rv.bulk.look(_whole(rv, proposals))
        if yes:
            seen = {each.proposal.id: each.seen_sha256 for each in glance.included}
            done = rv.bulk.approve(seen, by=reviewer(by), note=note) if seen else None
            approved = [each.id for each in done.approved] if done else []
            left_out = [*glance.left_out, *(done.left_out if done else ())]
        else:
            approved, left_out = [], list(glance.left_out)
        if as_json:
            print_json({
                "included": [each.proposal.id for each in glance.included],
                "approved": approved,
                "left_out": [{"id": each.proposal.id, "why": each.why} for each in left_out],
            })  # fmt: skip
            return
        for each in glance.included:
            out.print(esc(each.diff))
        _told(left_out)
        out.print(f"{len(approved)} approved" if yes else f"{len(glance.included)} would be approved")
        if not yes and glance.included:
            talk.print("next: the same with --yes")


def _told(left_out: list[LeftOut]) -> None:
    for each in left_out:
        out.print(
            f"[yellow]left out[/]  {esc(each.proposal.path)}: {esc(each.why)}  [dim]{each.proposal.id}[/]"
        )


@group.command("exclude")
def exclude(
    finding_id: Finding,
    session: Annotated[str, typer.Option("--session", metavar="ID", help="The session that is no evidence.")],
    event: Annotated[str | None, typer.Option("--event", metavar="ID", help="Only this event of it.")] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit log.")] = "",
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Say that a session, or one event of it, is not evidence for a finding. It is counted anew at once, and
    later dreams heed it."""
    with reverie.open(db) as rv:
        whole = rv.log.session(session).id
        only = None if event is None else rv.log.event(event).id
        found = rv.exclusions.mark(finding_id, whole, only, by=reviewer(by), reason=reason)
        _counted(found, as_json)


@group.command("include")
def include(
    finding_id: Finding,
    exclusion_id: Annotated[str, typer.Argument(metavar="MARK", help="As `excluded` lists it.")],
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Let a mark count no longer."""
    with reverie.open(db) as rv:
        _counted(rv.exclusions.take_back(finding_id, exclusion_id, by=reviewer(by)), as_json)


@group.command("excluded")
def excluded(finding_id: Finding, as_json: AsJson = False, db: Db = None) -> None:
    """List what is marked as not evidence for a finding, and how it counts without."""
    with reverie.open(db) as rv:
        _counted(rv.exclusions.of(rv.finding(finding_id)), as_json)


def _counted(found: Recount | None, as_json: bool) -> None:
    if as_json:
        print_json(exclusions_json(found))
        return
    if found is None:
        out.print("nothing is marked: it counts as the dream told it")
        return
    rows = [
        (m.id, m.session_id[:13], (m.event_id or "all of it")[:13], m.by, m.reason) for m in found.exclusions
    ]
    print_table(("mark", "session", "event", "by", "why"), rows, folds="why")
    if found.finding is None:
        out.print(f"[yellow]{esc(found.why or '')}[/]")
    else:
        counts = found.finding.counts
        out.print(
            f"{counts.sessions} of {counts.of_sessions} sessions, {counts.occurrences} times, without them"
        )


def approve(
    proposals: Ids,
    trial: Annotated[
        bool, typer.Option("--trial", help="Let some sessions see it and others not: does it help?")
    ] = False,
    share: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="With --trial: the share that sees it.", show_default=f"{SHARE}"),
    ] = None,
    by: By = None,
    note: Note = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Write proposals into memory. Each is one transaction with its audit entry."""
    if share is not None and not trial:
        raise UsageError("--share is for --trial")
    terms = Terms(SHARE if share is None else share) if trial else None
    with reverie.open(db) as rv:
        done = [rv.approve(name, by=reviewer(by), note=note, trial=terms) for name in _whole(rv, proposals)]
        _decided(done, as_json)


def reject(
    proposals: Ids,
    reason: Annotated[
        str, typer.Option("--reason", metavar="REASON", help="wrong, useless, too_broad, known or sensitive.")
    ],
    by: By = None,
    note: Note = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Refuse proposals. The idea comes back only when its evidence has doubled."""
    why = _reason(reason)
    with reverie.open(db) as rv:
        done = [rv.reject(name, reason=why, by=reviewer(by), note=note) for name in _whole(rv, proposals)]
        _decided(done, as_json)


def modify(
    proposal_id: Id,
    file: Annotated[
        str, typer.Option("--file", metavar="PATH|-", help="The text to keep instead; - reads stdin.")
    ],
    by: By = None,
    note: Note = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Approve a proposal with a text of your own."""
    content = _text(file)
    with reverie.open(db) as rv:
        _decided([rv.modify(proposal_id, content, by=reviewer(by), note=note)], as_json)


def undo(proposal_id: Id, by: By = None, as_json: AsJson = False, db: Db = None) -> None:
    """Take a decision back: an approved text leaves memory, a rejected proposal waits again."""
    with reverie.open(db) as rv:
        _decided([rv.undo(proposal_id, by=reviewer(by))], as_json)


def _whole(rv: reverie.Reverie, names: list[str]) -> list[str]:
    """Full ids, all found before any is decided: a typo in the third must not leave two decided."""
    return list(dict.fromkeys(rv.review.get(name).id for name in names))


def _reason(word: str) -> RejectReason:
    for known in get_args(RejectReason):
        if word.replace("-", "_") == known:
            return known
    raise UsageError(
        f"{word!r} is no reason", where="--reason", hint=f"one of: {', '.join(get_args(RejectReason))}"
    )


def _text(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=file) from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 (byte {error.start})", where=file) from error


def _decided(done: list[Proposal], as_json: bool) -> None:
    if as_json:
        print_json([proposal_json(proposal) for proposal in done])
        return
    for proposal in done:
        out.print(f"{proposal.status}  {esc(proposal.path)}  [dim]{proposal.id}[/]")
    if any(proposal.status in ("approved", "modified") for proposal in done):
        talk.print("next: reverie sync --to agents-md AGENTS.md")
