"""``reverie review``: one proposal at a time, single keys."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import typer

import reverie
from reverie.cli.options import By, Db
from reverie.cli.output import esc, out, reviewer, talk
from reverie.cli.show import proposal_lines
from reverie.domain.errors import NotFound, ReverieError, StaleBase, UsageError
from reverie.domain.proposals import Proposal, RejectReason
from reverie.memory.merge import has_conflict_markers

__all__ = ["add_to"]

_KEYS: Final = "[bold]a[/] approve  [bold]e[/] edit, then approve  [bold]r[/] reject  [bold]s[/] skip  [bold]u[/] undo  [bold]v[/] evidence  [bold]q[/] quit"
_REASONS: Final[dict[str, RejectReason]] = {
    "1": "wrong",
    "2": "useless",
    "3": "too_broad",
    "4": "known",
    "5": "sensitive",
}
_MANY: Final = 50

Step = Literal["next", "stay", "back", "quit"]


def add_to(app: typer.Typer) -> None:
    app.command("review")(review)


def review(
    store: str = typer.Option("default", "--store", metavar="NAME", help="The memory store."),
    by: By = None,
    db: Db = None,
) -> None:
    """Decide on each proposal: its claim, its evidence with quotes, the change, then one key."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "review needs a terminal", hint="reverie proposals list; then approve, reject or modify by id"
        )
    with reverie.open(db) as rv:
        waiting = rv.proposals(store)
        if not waiting:
            out.print("nothing waits for a decision; next: reverie dream")
            return
        desk = Desk(rv, reviewer(by), [proposal.id for proposal in waiting])
        with raw_keys() as key:
            desk.run(key)


@contextlib.contextmanager
def raw_keys() -> Generator[Callable[[], str]]:
    """A function that waits for one key press, unbuffered. Line input where the terminal cannot do that."""
    try:
        import termios
        import tty
    except ImportError:
        yield lambda: (sys.stdin.readline() or "q").strip()[:1]
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)

    def key() -> str:
        try:
            tty.setcbreak(handle, termios.TCSADRAIN)  # the default would throw away what was typed ahead
            return os.read(handle, 1).decode("utf-8", "replace") or "q"
        finally:
            termios.tcsetattr(handle, termios.TCSADRAIN, before)

    yield key


@dataclass(slots=True)
class Desk:
    """The reviewer's desk: a pile of proposal ids, a place in it, and what was decided (for undo)."""

    rv: reverie.Reverie
    by: str
    pile: list[str]
    decided: list[str] = field(default_factory=list[str])
    place: int = 0

    def run(self, key: Callable[[], str]) -> None:
        """Show and decide until the pile or the patience ends."""
        while self.place < len(self.pile):
            proposal = self.rv.review.get(self.pile[self.place])
            out.print(f"\n[reverse] {self.place + 1} of {len(self.pile)} [/]")
            for line in proposal_lines(self.rv, proposal):
                out.print(line)
            if not self._decide(proposal, key):
                break
        out.print(f"\n{len(self.decided)} decided, {len(self.pile) - self.place} not looked at.")
        if self.decided:
            talk.print("next: reverie sync --to agents-md AGENTS.md")

    def _decide(self, proposal: Proposal, key: Callable[[], str]) -> bool:
        """Keys until one moves on. False when the reviewer leaves."""
        while True:
            out.print("\n" + _KEYS)
            try:
                step = self._key(proposal, key().lower(), key)
            except StaleBase as conflict:
                out.print(f"[red]{esc(conflict.what)}[/]\n{esc(conflict.merged)}")
                out.print("[bold]e[/] opens this merge in your editor")
                continue
            except ReverieError as error:
                out.print(f"[red]{esc(str(error))}[/]")
                continue
            if step == "quit":
                return False
            if step == "stay":
                continue
            self.place += 1 if step == "next" else 0
            return True

    def _key(self, proposal: Proposal, pressed: str, key: Callable[[], str]) -> Step:
        keys: dict[str, Callable[[], Step]] = {
            "a": lambda: self._done(self.rv.approve(proposal.id, by=self.by)),
            "e": lambda: self._edit(proposal),
            "r": lambda: self._reject(proposal, key),
            "s": lambda: "next",
            "u": self._undo,
            "v": lambda: self._evidence(proposal),
            **dict.fromkeys(("q", "\x03", "\x04", "\x1b"), lambda: "quit"),
        }
        return keys.get(pressed, lambda: "stay")()

    def _done(self, proposal: Proposal) -> Step:
        self.decided.append(proposal.id)
        out.print(f"[green]{proposal.status}[/] {esc(proposal.path)}")
        return "next"

    def _edit(self, proposal: Proposal) -> Step:
        """The text in $EDITOR: as proposed, or merged with what memory has become since."""
        preview = self.rv.review.preview(proposal.id)
        text = edited(preview.result or "")
        if text is None or text.strip() == "":
            out.print("nothing was written; the proposal still waits")
            return "stay"
        if has_conflict_markers(text):
            out.print("[red]conflict markers are still in the text; the proposal still waits[/]")
            return "stay"
        return self._done(
            self.rv.review.modify(proposal.id, text, by=self.by, seen_sha256=preview.seen_sha256)
        )

    def _reject(self, proposal: Proposal, key: Callable[[], str]) -> Step:
        out.print(
            "why?  " + "  ".join(f"[bold]{n}[/] {why.replace('_', ' ')}" for n, why in _REASONS.items())
        )
        reason = _REASONS.get(key())
        if reason is None:
            out.print("not rejected")
            return "stay"
        return self._done(self.rv.reject(proposal.id, reason=reason, by=self.by))

    def _undo(self) -> Step:
        if not self.decided:
            out.print("nothing was decided here yet")
            return "stay"
        undone = self.rv.undo(self.decided[-1], by=self.by)
        self.decided.pop()
        out.print(f"[yellow]taken back[/] {esc(undone.path)} is {undone.status}")
        self.place = self.pile.index(undone.id)
        return "back"

    def _evidence(self, proposal: Proposal) -> Step:
        """Every cited event in full, with its neighbours' way: the command that shows the transcript."""
        for finding_id in proposal.cited:
            finding = self.rv.finding(finding_id)
            for sign, citations in (("for", finding.evidence), ("against", finding.counter_evidence)):
                for citation in citations:
                    self._event(sign, citation.session_id, citation.span.event_id)
        return "stay"

    def _event(self, sign: str, session_id: str, event_id: str) -> None:
        try:
            text = self.rv.transcript(session_id, around=event_id, before=2, after=1)
        except NotFound:
            text = "(no longer in the log)"
        lines = text.splitlines()
        out.print(f"\n[bold]{sign}[/]  [dim]reverie sessions show {session_id} --event {event_id}[/]")
        out.print(esc("\n".join(lines[:_MANY])))
        if len(lines) > _MANY:
            out.print(f"[dim]… {len(lines) - _MANY} more lines[/]")


def edited(content: str) -> str | None:
    """``content`` after a visit to $VISUAL or $EDITOR; None when the editor failed.

    Raises:
        UsageError: no editor can be started.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "memory.md"
        file.write_text(content, encoding="utf-8")
        try:
            code = subprocess.run([*shlex.split(command), str(file)], check=False).returncode  # noqa: S603
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the editor {command!r} cannot be started: {error}", hint="set $EDITOR"
            ) from error
        return file.read_text(encoding="utf-8") if code == 0 else None
