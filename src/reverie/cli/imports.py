"""``reverie import``: read transcripts, and an account that adds up."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, get_args

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

import reverie
from reverie.cli.options import AsJson, Db, Quiet
from reverie.cli.output import data, esc, many, out, print_json, talk
from reverie.domain.errors import UsageError
from reverie.domain.imports import FileReport
from reverie.domain.sessions import Outcome, OutcomeLabel
from reverie.sessions.imports import ImportReport

__all__ = ["add_to"]

_SHOWN: Final = 12
_STATUSES: Final = {
    "unchanged": "unchanged since the last import",
    "grown": "grown and continued",
    "copy": "copies of files read before",
}


def add_to(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH…",
            help="Files, folders, or the names claude-code and codex for their default places.",
        ),
    ],
    format: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Read as this format instead of looking.")
    ] = None,
    label_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="Outcomes: columns session, outcome (success|failure|unknown), score."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each file is taken for, and why; read nothing.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    db: Db = None,
) -> None:
    """Read transcripts: Claude Code, Codex, ATIF, OTLP spans, tau-bench, SWE-agent, chat JSONL and more.

    Reading the same files again changes nothing; files that grew are continued. Secrets are masked before
    anything is stored, and the files themselves are never changed.
    """
    with reverie.open(db) as rv:
        if explain:
            _explain(rv, paths, as_json)
            return
        labels = _labels(label_from) if label_from is not None else None
        with Progress(
            SpinnerColumn(),
            TextColumn("reading"),
            MofNCompleteColumn(),
            TextColumn("[dim]{task.description}"),
            console=talk,
            transient=True,
            disable=quiet or as_json or not talk.is_terminal,
        ) as bar:
            task = bar.add_task("", total=None)

            def on_file(file: FileReport) -> None:
                bar.update(task, advance=1, description=esc(Path(file.uri).name))

            report = rv.import_paths(*paths, format=format, labels=labels, on_file=on_file)
        if as_json:
            print_json(report_json(report))
        elif not quiet:
            _print(report)
    if report.failed:
        raise typer.Exit(1)


def _explain(rv: reverie.Reverie, paths: list[str], as_json: bool) -> None:
    guesses = {path: rv.importer().explain(path) for path in paths}
    if as_json:
        print_json(
            {
                p: [{"format": f, "confidence": g.confidence, "why": g.why} for f, g in found]
                for p, found in guesses.items()
            }
        )
        return
    for path, found in guesses.items():
        out.print(f"[bold]{esc(path)}[/]")
        for name, guess in found:
            out.print(f"  {guess.confidence:4.0%}  {name:<12} {esc(guess.why)}")


def _labels(path: Path) -> Mapping[str, Outcome]:
    """Outcomes by session id or file path, from a CSV with a header.

    Raises:
        UsageError: unreadable, or a row that makes no sense (named by its line).
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path)) from error
    labels: dict[str, Outcome] = {}
    for number, row in enumerate(rows, start=2):
        label = (row.get("outcome") or "").strip().lower()
        name = (row.get("session") or "").strip()
        if label not in get_args(OutcomeLabel) or not name:
            raise UsageError(
                "needs the columns session and outcome (success, failure or unknown)",
                where=f"{path}:{number}",
            )
        labels[name] = Outcome(label, _score(row.get("score"), f"{path}:{number}"), f"file:{path.name}")  # type: ignore[arg-type]
    return labels


def _score(text: str | None, where: str) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a number", where=where) from None


def report_json(report: ImportReport) -> dict[str, object]:
    """The account as plain data: totals, then every file that was not simply unchanged."""
    return {
        "files": dict(sorted(Counter(file.status for file in report.files).items())),
        "sessions": sum(file.sessions for file in report.files),
        "new_sessions": report.new_sessions,
        "new_events": report.new_events,
        "records": report.records,
        "used": report.used,
        "skipped": dict(report.skipped),
        "quarantined": report.quarantined,
        "raw": dict(report.raw),
        "redactions": dict(report.redactions),
        "details": [_file_json(file) for file in report.files if file.status != "unchanged"],
    }


def _file_json(file: FileReport) -> dict[str, object]:
    return {
        "uri": file.uri,
        "format": file.format,
        "status": file.status,
        "sessions": file.sessions,
        "new_events": file.new_events,
        "records": file.records,
        "used": file.used,
        "skipped": dict(file.skipped),
        "quarantined": [{"line": q.line, "pointer": q.pointer, "why": q.why} for q in file.quarantined],
        "message": file.message,
    }


def _print(report: ImportReport) -> None:
    by_status = Counter(file.status for file in report.files)
    formats = Counter(file.format for file in report.files if file.format)
    named = ", ".join(f"{number} {name}" for name, number in formats.most_common())
    out.print(
        f"[bold]{many(report.new_sessions, 'new session')}[/], {many(report.new_events, 'new event')} "
        f"from {many(len(report.files), 'file')}" + (f" ({named})" if named else "")
    )
    for status, words in _STATUSES.items():
        if by_status[status]:
            out.print(f"  {by_status[status]} {words}")
    if report.records:
        out.print(
            f"  {report.records} records = {report.used} used + {sum(report.skipped.values())} skipped "
            f"+ {report.quarantined} quarantined"
        )
    for reason, number in report.skipped.most_common(6):
        out.print(f"    [dim]{number:>7} skipped: {esc(reason)}[/]")
    for kind, number in report.raw.most_common(5):
        out.print(f"    [dim]{number:>7} kept as they are, of a kind not known yet: {esc(kind)}[/]")
    if report.redactions:
        masked = ", ".join(f"{number} {name}" for name, number in report.redactions.most_common(6))
        out.print(f"  {many(sum(report.redactions.values()), 'secret')} masked: {esc(masked)}")
    _troubles(report)
    if report.new_sessions or report.new_events:
        talk.print("next: reverie dream")


def _troubles(report: ImportReport) -> None:
    for file in report.files:
        if file.status in ("not_a_transcript", "failed"):
            out.print(
                f"  [red]not read[/] {esc(file.uri)}: {esc(file.message or 'no reader knows this file')}"
            )
    broken = [(file.uri, record) for file in report.files for record in file.quarantined]
    for uri, record in broken[:_SHOWN]:
        place = f"{uri}:{record.line}" if record.line else f"{uri}{record.pointer or ''}"
        out.print(f"  [yellow]quarantined[/] {esc(place)}: {esc(record.why)}")
    if len(broken) > _SHOWN:
        data(f"  … {len(broken) - _SHOWN} more: --json lists them all")
