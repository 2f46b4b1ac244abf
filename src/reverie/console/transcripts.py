"""Events as cards of a page: who spoke, in which lane, what is cited, and never more of it than a page holds.

What nobody reads (the model is asked, it rests, so many tokens) stands in strips between the cards.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from reverie.app import Workspace
from reverie.console.diffs import Piece
from reverie.console.text import cost, shortened
from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject, TextPart, text_parts
from reverie.domain.findings import Citation
from reverie.domain.observations import Span
from reverie.domain.outcomes import GRADER

__all__ = ["MAIN", "Card", "Lane", "Part", "Strip", "arranged", "lanes", "marked"]

MAIN: Final = "main"
"""What the primary thread is called in addresses."""

_PAGE: Final = 150_000  # bytes of text on a page
_EVENT: Final = 6_000  # of one event
_WHOLE: Final = 140_000  # of one that is asked for whole
_FRAME: Final = 700  # of a card around its text
_LEAD: Final = 240  # characters before a cited span
_LANES: Final = 6  # colours
_LISTED: Final = 100
_LONG: Final = 900  # characters, or lines, of a text that is folded
_LINES: Final = 14
_MARKS: Final = 20

_SPEAKERS: Final[Mapping[str, str]] = {
    "user.message": "user",
    "user.interrupt": "user interrupts",
    "user.tool_confirmation": "user answers",
    "user.tool_result": "result",
    "user.custom_tool_result": "result",
    "user.define_outcome": "user defines an outcome",
    "system.message": "program",
    "agent.message": "agent",
    "agent.thinking": "agent thinks",
    "agent.tool_use": "call",
    "agent.mcp_tool_use": "call",
    "agent.custom_tool_use": "call",
    "agent.tool_result": "result",
    "agent.mcp_tool_result": "result",
    "agent.thread_message_sent": "message sent",
    "agent.thread_message_received": "message received",
    "session.outcome": "outcome",
    "session.error": "error",
    "span.outcome_evaluation_end": "verdict",
}
_CALLS: Final = ("agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use")
_ANSWERED: Final = ("tool_use_id", "mcp_tool_use_id", "custom_tool_use_id")


@dataclass(frozen=True, slots=True)
class Lane:
    """A thread of the session. ``name`` is what the log calls it, ``label`` what people read, ``key`` its name in
    addresses."""

    name: str
    label: str
    number: int
    grader: bool = False
    status: str = ""

    @property
    def key(self) -> str:
        return self.name or MAIN


@dataclass(frozen=True, slots=True)
class Part:
    """One readable string of an event, as much as is shown. ``before`` and ``after`` are the characters left out."""

    name: str
    pieces: tuple[Piece, ...]
    before: int = 0
    after: int = 0

    @property
    def lines(self) -> int:
        return sum(piece.text.count("\n") for piece in self.pieces) + 1

    @property
    def lead(self) -> str:
        """Its beginning, in one line."""
        return " ".join("".join(piece.text for piece in self.pieces)[:160].split())

    @property
    def long(self) -> bool:
        """Whether it is folded up at first."""
        return self.lines > _LINES or sum(len(piece.text) for piece in self.pieces) > _LONG


@dataclass(slots=True)
class Card:
    """One event. ``result`` is the card of what a call gave, where it is on the same page; ``call`` names a call for
    its result, and ``answers`` in a result the call."""

    event: Event
    who: str
    lane: Lane
    parts: Sequence[Part]
    cited: bool
    here: bool
    said: str = ""
    result: Card | None = None
    call: str | None = None
    answers: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it is a result that says it is an error."""
        return bool(self.event.payload.get("is_error")) or self.event.type == "session.error"

    @property
    def tool(self) -> str:
        """What a call calls; empty for everything else."""
        return str(self.event.payload.get("name") or "") if self.event.type in _CALLS else ""

    @property
    def quiet(self) -> bool:
        """Whether it says nothing that people read."""
        return not self.parts and self.event.type not in _SPEAKERS

    @property
    def cut(self) -> bool:
        """Whether more of it can be shown."""
        return any(part.before or part.after for part in self.parts)

    @property
    def open(self) -> bool:
        """Whether its long texts are unfolded: somebody was led here."""
        return self.cited or self.here


@dataclass(frozen=True, slots=True)
class Strip:
    """Events one after the other that say nothing which people read, of one lane."""

    cards: list[Card] = field(default_factory=list[Card])


def lanes(house: Workspace, session_id: str, *, imported: bool) -> list[Lane]:
    """The threads of a session, the primary one first; those of graders say so."""
    if imported:
        names = sorted(_named(house, session_id), key=lambda name: name != PRIMARY_THREAD)
        return [Lane(name, name or MAIN, number % _LANES) for number, name in enumerate(names[:_LISTED])]
    kept = house.threads.list(session_id, after=None, limit=_LISTED)
    found: list[Lane] = []
    seen: Counter[str] = Counter()
    for number, view in enumerate(kept):
        agent = str((view.agent or {}).get("name") or "")
        name, label = (
            (PRIMARY_THREAD, MAIN) if view.parent is None else (view.id, view.name or agent or view.id)
        )
        seen[label] += 1
        told = label if seen[label] == 1 else f"{label} {seen[label]}"
        found.append(Lane(name, told, number % _LANES, agent == GRADER, view.status))
    return found


_NAMED: Final[OrderedDict[str, Sequence[str]]] = OrderedDict()
"""The threads that imported logs name, by the head of the log's chain, which says all of what it holds: to find
them is to read the whole log."""
_REMEMBERED: Final = 256
_LOCK: Final = Lock()


def _named(house: Workspace, session_id: str) -> Sequence[str]:
    head = house.log.session(session_id).content_sha256
    with _LOCK:
        if (known := _NAMED.get(head)) is not None:
            return known
    found = house.log.threads(session_id)
    with _LOCK:
        _NAMED[head] = found
        while len(_NAMED) > _REMEMBERED:
            _NAMED.popitem(last=False)
    return found


def arranged(
    events: Sequence[Event],
    threads: Sequence[Lane],
    cited: Sequence[Citation],
    *,
    at: str | None,
    full: str | None,
    newest: bool = False,
) -> tuple[list[Card | Strip], list[Event]]:
    """Cards for as many of ``events`` as a page holds (one at least), each result with its call; and those events.
    They are the first ones, or with ``newest`` the last."""
    made = _fitting(events, threads, cited, at, full, newest)
    entries: list[Card | Strip] = []
    calls: dict[str, Card] = {}
    for card in made:
        call = None if card.answers is None else calls.get(card.answers)
        if card.call is not None:
            calls[card.call] = card
        if call is not None and call.result is None:
            call.result = card
        elif not card.quiet:
            entries.append(card)
        elif entries and isinstance(last := entries[-1], Strip) and last.cards[0].lane == card.lane:
            last.cards.append(card)
        else:
            entries.append(Strip([card]))
    return entries, [card.event for card in made]


def _fitting(
    events: Sequence[Event],
    threads: Sequence[Lane],
    cited: Sequence[Citation],
    at: str | None,
    full: str | None,
    newest: bool,
) -> list[Card]:
    by_name = {lane.name: lane for lane in threads}
    made: list[Card] = []
    left = _PAGE
    for event in reversed(events) if newest else events:
        spans = [each for each in cited if each.span.event_id == event.id]
        lane = by_name.get(event.thread) or Lane(event.thread, event.thread or MAIN, 0)
        card = _card(event, lane, spans, at, _WHOLE if event.id == full else _EVENT)
        left -= _FRAME + sum(cost(piece.text) for part in card.parts for piece in part.pieces)
        if made and left < 0:
            break
        made.append(card)
    return made[::-1] if newest else made


def _card(event: Event, lane: Lane, cited: Sequence[Citation], at: str | None, most: int) -> Card:
    payload = event.payload
    return Card(
        event,
        _SPEAKERS.get(event.type, event.type),
        lane,
        list(_parts(event, cited, most)),
        bool(cited),
        event.id == at,
        said=_saying(event)[:300],
        call=str(payload.get("tool_use_id") or event.id) if event.type in _CALLS else None,
        answers=_answered(event),
    )


def _answered(event: Event) -> str | None:
    """Which call an event is the result of."""
    if not event.type.endswith("result"):
        return None
    return next((str(event.payload[name]) for name in _ANSWERED if event.payload.get(name)), None)


def marked(event: Event, words: str) -> Iterator[Citation]:
    """Every place of an event that says ``words``, as if it were cited."""
    if not words:
        return
    found = 0
    for part in text_parts(event.type, event.payload):
        folded = part.text.casefold()
        text = folded if len(folded) == len(part.text) else part.text
        at = text.find(words.casefold())
        while at >= 0 and found < _MARKS:
            span = Span(event.id, event.seq, part.path, at, at + len(words))
            yield Citation(event.session_id, span)
            found, at = found + 1, text.find(words.casefold(), at + len(words))


# ---------------------------------------------------------------------- what an event says


def _parts(event: Event, cited: Sequence[Citation], most: int) -> Iterator[Part]:
    """An event's readable strings, those that are cited for certain, until there is no more room."""
    left = most
    wanted = {each.span.path for each in cited}
    for part in (*_more(event), *text_parts(event.type, event.payload)):
        if not part.text or (left <= 0 and part.path not in wanted):
            continue
        spans = sorted((each.span.start, each.span.end) for each in cited if each.span.path == part.path)
        made = _part(part, spans, max(left, most // 4))
        left -= sum(cost(piece.text) for piece in made.pieces) + 40
        yield made


def _more(event: Event) -> Iterator[TextPart]:
    """What is read in events that no miner reads."""
    payload = event.payload
    if event.type == "session.outcome":
        said = [str(payload[name]) for name in ("label", "score") if payload.get(name) is not None]
        yield TextPart("", " ".join(said))
    elif event.type == "user.define_outcome":
        yield TextPart("/input/task", str(payload.get("description") or ""))
        yield TextPart("/input/rubric", str(_object(payload.get("rubric")).get("content") or ""))
    elif event.type == "session.error":
        yield TextPart("", str(_object(payload.get("error")).get("message") or ""))


def _object(told: Any) -> JsonObject:
    return told if isinstance(told, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]


def _part(part: TextPart, spans: Sequence[tuple[int, int]], most: int) -> Part:
    text = part.text
    begin = max(0, spans[0][0] - _LEAD) if spans and cost(text[: spans[0][1]]) > most else 0
    shown = shortened(text[begin:], most)
    end = begin + len(shown)
    pieces: list[Piece] = []
    at = begin
    for start, stop in spans:
        start, stop = max(start, at), min(stop, end)  # noqa: PLW2901
        if start < stop:
            pieces += [Piece(text[at:start]), Piece(text[start:stop], changed=True)]
            at = stop
    pieces.append(Piece(text[at:end]))
    name = part.path.removeprefix("/input/") if part.path.startswith("/input/") else ""
    return Part(name, tuple(p for p in pieces if p.text), begin, len(text) - end)


def _saying(event: Event) -> str:
    """What a strip or a head says of an event beside its texts."""
    says = _SAYINGS.get(event.type)
    return "" if says is None else says(event.payload)


def _tokens(told: Any) -> str:
    usage = _object(told)
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    counted = sum(value for name in names if isinstance(value := usage.get(name), int))
    return f"{counted:,} tokens"


def _rests(payload: JsonObject) -> str:
    return str(_object(payload.get("stop_reason")).get("type") or "").replace("_", " ")


def _agent(payload: JsonObject) -> str:
    return str(payload.get("agent_name") or payload.get("agent") or payload.get("name") or "")


_SAYINGS: Final[Mapping[str, Callable[[JsonObject], str]]] = {
    "session.status_running": lambda told: "works",
    "session.status_idle": lambda told: f"rests: {_rests(told) or 'done'}",
    "session.status_rescheduled": lambda told: "tries again later",
    "session.status_terminated": lambda told: "has ended",
    "session.thread_status_running": lambda told: f"{_agent(told)} works",
    "session.thread_status_idle": lambda told: f"{_agent(told)} rests: {_rests(told) or 'done'}",
    "session.thread_status_rescheduled": lambda told: f"{_agent(told)} tries again later",
    "session.thread_status_terminated": lambda told: f"{_agent(told)} has ended",
    "session.thread_created": lambda told: f"{_agent(told)} begins",
    "session.usage": lambda told: "usage",
    "session.updated": lambda told: f"changed: {', '.join(map(str, told))}",
    "span.model_request_start": lambda told: "model asked",
    "span.model_request_end": lambda told: (
        f"model answered, {_tokens(told.get('model_usage') or told.get('usage'))}"
    ),
    "span.outcome_evaluation_start": lambda told: f"judging begins (iteration {told.get('iteration', 0)})",
    "span.outcome_evaluation_ongoing": lambda told: "judging",
    "agent.thread_message_sent": lambda told: (
        f"to {told.get('to_agent_name') or told.get('to_session_thread_id')}"
    ),
    "agent.thread_message_received": lambda told: (
        f"from {told.get('from_agent_name') or told.get('from_session_thread_id')}"
    ),
    "user.tool_confirmation": lambda told: str(told.get("result") or ""),
    "workflow_run.created": lambda told: f"plan {told.get('name') or ''} begins",
    "workflow_run.status_running": lambda told: "plan works",
    "workflow_run.status_idle": lambda told: "plan rests",
    "workflow_run.status_ended": lambda told: (
        f"plan is over: {_object(told.get('result')).get('type') or ''}"
    ),
    "workflow_run.phase_started": lambda told: "phase begins",
    "workflow_run.phase_ended": lambda told: "phase is over",
    "workflow_run.news": lambda told: (
        f"task {_object(told.get('news')).get('task') or ''} {_object(told.get('news')).get('news') or ''}"
    ),
    "agent.thread_context_compacted": lambda told: "context compacted",
}
