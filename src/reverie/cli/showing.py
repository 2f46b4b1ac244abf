"""An agent's session in a terminal: its text as it comes, a line for each call, questions where one is there."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from reverie.agents.pursuing import verdict_of
from reverie.agents.session import PendingCall, Piece, RunSession
from reverie.cli.crew import Crew
from reverie.cli.output import esc, many, talk
from reverie.domain.clock import system_clock
from reverie.domain.events import Event, JsonObject, event_text
from reverie.outcomes.verdicts import VERDICT
from reverie.sessions.transcript import as_json as event_json

__all__ = ["Screen", "attend", "outcome_of", "summary"]

Answer = Literal["yes", "no", "always", "leave"]

_CALLS: Final = ("agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use")
_RESULTS: Final = {
    "agent.tool_result": "tool_use_id",
    "agent.mcp_tool_result": "mcp_tool_use_id",
    "user.tool_result": "tool_use_id",
    "user.custom_tool_result": "custom_tool_use_id",
}
_KEYS: Final[dict[str, Answer]] = {"y": "yes", "n": "no", "a": "always", "": "no"}
_ASK: Final = "allow? [y]es, [N]o, [a]lways in this run: "
_WIDE: Final = 100
_EVALUATED: Final = "span.outcome_evaluation_end"
_A_SECOND: Final = 4  # how often a live view is drawn
_AROUND: Final = 8  # lines of a terminal that a live view leaves to what is said


class Screen:
    """Shows a session. ``ask``: somebody is there to say yes or no; ``yes``: it is said already; ``whole``:
    what others say in it shows too, and when it works and rests; ``team``: a view of who does what stays below it
    in a terminal. ``resume`` is the command that goes on with the session."""

    def __init__(
        self,
        *,
        as_json: bool,
        ask: bool,
        yes: bool,
        whole: bool = False,
        team: bool = False,
        resume: str = "reverie agent resume",
    ) -> None:
        self._whole = whole
        self._crew = Crew()
        self._live = team and not as_json and talk.is_terminal
        self._resume = resume
        self.ask = ask
        self._as_json = as_json
        self._always: set[str] | None = None if yes else set()
        self._shown = ""  # of the message that is being made
        self._message = ""
        self._calls: dict[str, str] = {}

    # ------------------------------------------------------------------ what happens

    def learn(self, events: Sequence[Event]) -> None:
        """What was called before anybody looked, and may have its result now; who works in it."""
        for event in events:
            self._crew.absorb(event)
        self._calls |= {event.id: self._call(event) for event in events if event.type in _CALLS}

    def show(self, news: Event | Piece) -> None:
        if self._as_json:
            if isinstance(news, Event):
                print(msgspec.json.encode(event_json(news)).decode(), flush=True)
        elif isinstance(news, Event):
            self._crew.absorb(news)
            self._event(news)
        elif not self._live:  # what is drawn anew below it cannot stand behind half a line
            self._piece(news)

    @contextmanager
    def live(self) -> Generator[None]:
        """While the session works: the view of a team, drawn by the loop that also adds to it."""
        if not self._live:
            yield
            return
        out = sys.stdout.isatty()
        with Live(console=talk, auto_refresh=False, transient=True, redirect_stdout=out) as live:
            drawing = asyncio.get_running_loop().create_task(self._draw(live))
            try:
                yield
            finally:
                drawing.cancel()

    async def _draw(self, live: Live) -> None:
        while True:
            live.update(self._view(), refresh=True)
            await asyncio.sleep(1 / _A_SECOND)

    def _view(self) -> RenderableType:
        now = system_clock()
        parts: list[RenderableType] = [
            esc(each) for each in self._crew.tables(now, max(3, talk.height - _AROUND))[-1:]
        ]
        if members := self._crew.members():
            table = Table(*Crew.columns, box=None, pad_edge=False)
            for member in members[-(talk.height // 2) :]:
                table.add_row(*map(esc, member.row(now)))
            parts.append(table)
        return Group(*parts)

    def _piece(self, piece: Piece) -> None:
        if piece.event_id != self._message:
            self._line()
            self._message, self._shown = piece.event_id, ""
        self._shown += piece.text
        self._write(piece.text)

    def _event(self, event: Event) -> None:
        if event.type == "agent.message":
            self._said_beside(event) if event.thread else self._said(event)
        elif event.type in _CALLS:
            self._calls[event.id] = self._call(event)
        elif event.type in _RESULTS:
            self._result(event)
        elif event.type == "session.error":
            self._failed(event)
        elif event.type == "agent.thread_context_compacted":
            self._say("[dim]the conversation was summed up: it had become too long[/]")
        elif event.type == _EVALUATED:
            self._judged(event)
        elif event.type.startswith("workflow_run."):
            for line in self._crew.lines(event):
                self._say(line)
        elif self._whole:
            self._beside(event)

    def _failed(self, event: Event) -> None:
        error = event.payload["error"]
        again = error["retry_status"]["type"] == "retrying"
        who = self._crew.name(event.thread)
        told = f"{'trying again' if again else 'error'}{f' of {esc(who)}' if who else ''}"
        self._say(f"[{'yellow' if again else 'red'}]{told}[/]: {esc(error['message'])}")

    def _said_beside(self, event: Event) -> None:
        """What somebody said who is not spoken to from here."""
        self._say(
            f"[bold]{esc(self._crew.name(event.thread))}[/] {_first(event_text(event.type, event.payload))}"
        )

    def _judged(self, event: Event) -> None:
        """A verdict: what it is, and what must change."""
        verdict = verdict_of(event)
        score = "" if verdict.score is None else f", score {verdict.score:.2f}"
        colour = {"satisfied": "green", "failed": "yellow"}.get(verdict.result, "red")
        result = verdict.result.replace("_", " ")
        self._say(
            f"[bold]judged[/] for the {_ordinal(verdict.iteration + 1)} time: [{colour}]{result}[/]{score}"
        )
        for each in verdict.criteria:
            if not each.met:
                self._say(f"  [red]✗[/] {esc(each.criterion)}: {esc(_cut(each.change or each.reason))}")
        for note in verdict.notes:
            self._say(f"  [yellow]note[/] {esc(_cut(note.message))}")
        if verdict.result == "failed":
            self._say(f"  {esc(_cut(verdict.explanation))}")

    def _beside(self, event: Event) -> None:
        """What happens in a session besides the agent's own work."""
        if event.type in ("user.message", "system.message"):
            who = event.type.partition(".")[0]
            self._say(f"[bold]{who}[/] {esc(_cut(event_text(event.type, event.payload)))}")
        elif event.type in ("user.interrupt", "user.tool_confirmation"):
            self._say(f"[bold]user[/] {event.payload.get('result', 'interrupts')}")
        elif event.type.startswith("session.status_"):
            reason: JsonObject = event.payload.get("stop_reason") or {}
            status = event.type.removeprefix("session.status_")
            self._say(f"[dim]{status} {reason.get('type', '')}[/]".replace(" [/]", "[/]"))

    def _said(self, event: Event) -> None:
        text = event_text(event.type, event.payload)
        if event.id != self._message or not text.startswith(self._shown):
            self._line()
            self._shown = ""
        self._write(text[len(self._shown) :])
        self._message, self._shown = "", text
        self._line()

    def _result(self, event: Event) -> None:
        call = self._calls.pop(str(event.payload.get(_RESULTS[event.type])), "")
        if not call and event.thread:
            return  # the grader's verdict: it is shown as what it is
        sign = "[red]✗[/]" if event.payload.get("is_error") else "[green]✓[/]"
        self._say(f"[dim]→[/] {call}  {sign} [dim]{_first(event_text(event.type, event.payload))}[/]")

    # ------------------------------------------------------------------ what is asked

    def answer(self, call: PendingCall) -> Answer:
        """Whether a call may run; ``leave`` where nobody is there to say so."""
        if self._always is None or call.name in self._always:
            return "yes"
        if not self.ask:
            return "leave"
        told = msgspec.json.format(msgspec.json.encode(call.input), indent=2).decode()
        talk.print(f"\n[bold]{esc(call.name)}[/] wants to run:\n{esc(told)}")
        found = None
        while found is None:
            found = _KEYS.get(talk.input(_ASK, markup=False).strip().lower())
        if found == "always":
            self._always.add(call.name)
        return found

    # ------------------------------------------------------------------ the end

    def finish(self, session: RunSession) -> None:
        """How it ended, what it used, and what to do next."""
        if self._as_json:
            print(msgspec.json.encode(summary(session)).decode(), flush=True)
            return
        self._line()
        for table in self._crew.tables(system_clock()):
            talk.print(esc(table))
        usage = session.usage
        read = usage.input_tokens + usage.cache_read_input_tokens + usage.ephemeral_5m_input_tokens
        cost = "" if session.cost_usd is None else f" · ${session.cost_usd:.4f}"
        ended = session.stop_reason or session.status
        talk.print(f"[dim]{ended} · {read:,} tokens in, {usage.output_tokens:,} out{cost} · {session.id}[/]")
        if session.stop_reason == "requires_action":
            names = ", ".join(call.name for call in session.pending)
            talk.print(f"it waits for {many(len(session.pending), 'answer')} ({esc(names)})")
            talk.print(f"  next: {self._resume} {session.id[:13]}")

    def stopped(self, session: RunSession | None, *, left: bool) -> None:
        """How to go on with what was broken off. ``left``: nobody was told to stop."""
        if session is None or self._as_json:
            return
        what = "left as it stands" if left else "stopped"
        more = "" if left else ' "…"'
        talk.print(f"{what}; what was finished is kept\n  next: {self._resume} {session.id[:13]}{more}")

    def _call(self, event: Event) -> str:
        """A call on one line: who makes it, the tool, and the one argument that says most. Nothing for the grader's
        verdict."""
        given: JsonObject = event.payload.get("input") or {}
        name = self._crew.name(event.thread)
        if name == "grader" and event.payload.get("name") == VERDICT:
            return ""
        values = [value for value in given.values() if isinstance(value, str)]
        told = (
            values[0] if len(given) == 1 and values else msgspec.json.encode(given).decode() if given else ""
        )
        who = f"{esc(name)}: " if name else ""
        return f"{who}[bold]{esc(str(event.payload.get('name')))}[/] {esc(_cut(told))}".rstrip()

    def _say(self, line: str) -> None:
        self._line()
        talk.print(line)

    def _line(self) -> None:
        if self._shown and not self._shown.endswith("\n"):
            self._write("\n")
        self._shown = ""

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def summary(session: RunSession) -> dict[str, object]:
    """A session that came to rest, as plain data: the last line of ``--json``."""
    return {
        "type": "reverie.result",
        "session_id": session.id,
        "status": session.status,
        "stop_reason": session.stop_reason,
        "text": session.text,
        "error": session.error,
        "outcome": outcome_of(session),
        "pending": [{"id": call.id, "name": call.name, "input": call.input} for call in session.pending],
        "usage": session.usage,
        "cost_usd": None if session.cost_usd is None else str(session.cost_usd),
    }


def outcome_of(session: RunSession) -> str | None:
    """What came of the outcome that was worked on last, where nothing else was asked since; ``needs_revision``
    where it is not over."""
    for event in reversed(session.events):
        if event.type == _EVALUATED:
            return str(event.payload["result"])
        if event.type == "user.message":
            break
    return None


def attend(
    begin: Callable[[], Awaitable[RunSession]], screen: Screen, *, leave: bool = False
) -> tuple[str, RunSession | None]:
    """Show a session until it rests and nobody has anything to say to it. Gives why it rests, or
    ``interrupted``; and the session, if it began. ``leave``: Ctrl-C leaves it to whoever resumes it, and stops
    nothing in it."""
    begun: list[RunSession] = []
    try:
        return asyncio.run(_attend(begin, screen, begun, leave)), begun[0]
    except (asyncio.CancelledError, KeyboardInterrupt):
        session = begun[0] if begun else None
        screen.stopped(session, left=True)
        return "interrupted", session


async def _attend(
    begin: Callable[[], Awaitable[RunSession]], screen: Screen, begun: list[RunSession], leave: bool
) -> str:
    session = await begin()
    begun.append(session)
    screen.learn(session.events)
    stopped = False
    while True:
        with screen.live(), _interrupts(session, leave) as interrupted:
            async for news in session.stream(pieces=True):
                screen.show(news)
        stopped = stopped or interrupted()
        if stopped or not await _answered(session, screen):
            break
    screen.finish(session)
    if stopped:
        screen.stopped(session, left=False)
    return "interrupted" if stopped else session.stop_reason or session.status


async def _answered(session: RunSession, screen: Screen) -> bool:
    """Whether something it waits for was answered."""
    any_ = False
    for call in session.pending:
        if call.waits_for not in ("confirmation", "mcp_confirmation"):
            continue
        said = screen.answer(call)
        if said == "leave":
            continue
        await session.confirm(call.id, allow=said != "no", wait=False)
        any_ = True
    return any_


@contextmanager
def _interrupts(session: RunSession, leave: bool) -> Generator[Callable[[], bool]]:
    """While the session works, Ctrl-C stops what it does, and the second one us; with ``leave``, the first one."""
    loop = asyncio.get_running_loop()
    asked: list[asyncio.Task[RunSession]] = []
    task = asyncio.current_task()

    def stop() -> None:
        if asked or leave:
            assert task is not None
            task.cancel()
        else:
            talk.print("\n[dim]stopping; again to leave at once[/]")
            asked.append(loop.create_task(session.interrupt(wait=False)))

    try:
        loop.add_signal_handler(signal.SIGINT, stop)
    except (NotImplementedError, RuntimeError, ValueError):  # not on this system, or not the main thread
        yield lambda: False
        return
    try:
        yield lambda: bool(asked)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _first(text: str) -> str:
    """The first line of a result, and how many more there are."""
    lines = text.strip().splitlines() or ["(nothing)"]
    more = f" (+{many(len(lines) - 1, 'line')})" if len(lines) > 1 else ""
    return esc(_cut(lines[0])) + more


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDE else line[: _WIDE - 1] + "…"
