"""Events as cards of a page: who spoke, in which lane, what is cited, and never more of it than a page holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.app import Workspace
from reverie.console.diffs import Piece
from reverie.console.text import cost, shortened
from reverie.domain.events import PRIMARY_THREAD, Event, TextPart, text_parts
from reverie.domain.findings import Citation
from reverie.domain.outcomes import GRADER

__all__ = ["Card", "Lane", "Part", "arranged", "lanes", "snippet"]

_PAGE: Final = 150_000  # bytes of text on a page
_EVENT: Final = 6_000  # of one event
_WHOLE: Final = 140_000  # of one that is asked for whole
_LEAD: Final = 240  # characters before a cited span
_LANES: Final = 6  # colours
_LISTED: Final = 100

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
    "session.outcome": "outcome",
}
_CALLS: Final = ("agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use")
_ANSWERED: Final = ("tool_use_id", "mcp_tool_use_id", "custom_tool_use_id")


@dataclass(frozen=True, slots=True)
class Lane:
    """A thread of the session. ``name`` is what the log calls it, ``label`` what people read."""

    name: str
    label: str
    number: int
    grader: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One readable string of an event, as much as is shown. ``before`` and ``after`` are the characters left out."""

    name: str
    pieces: tuple[Piece, ...]
    before: int = 0
    after: int = 0


@dataclass(slots=True)
class Card:
    """One event. ``result`` is the card of what a call gave, where it is on the same page."""

    event: Event
    who: str
    lane: Lane
    parts: Sequence[Part]
    cited: bool
    here: bool
    result: Card | None = None

    @property
    def failed(self) -> bool:
        """Whether it is a result that says it is an error."""
        return bool(self.event.payload.get("is_error"))

    @property
    def tool(self) -> str:
        """What a call calls; empty for everything else."""
        return str(self.event.payload.get("name") or "") if self.event.type in _CALLS else ""

    @property
    def quiet(self) -> bool:
        """Whether it says nothing that people read."""
        return not self.parts

    @property
    def cut(self) -> bool:
        """Whether more of it can be shown."""
        return any(part.before or part.after for part in self.parts)


def lanes(house: Workspace, session_id: str) -> list[Lane]:
    """The threads of a session, the primary one first; those of graders say so."""
    kept = {view.id: view for view in house.threads.list(session_id, after=None, limit=_LISTED)}
    found: list[Lane] = []
    for number, name in enumerate(
        sorted(house.log.threads(session_id), key=lambda name: name != PRIMARY_THREAD)
    ):
        view = kept.get(name)
        agent = str((view.agent or {}).get("name") or "") if view is not None else ""
        label = (view.name if view is not None else None) or agent or name or "main"
        found.append(
            Lane(name, "main" if name == PRIMARY_THREAD else label, number % _LANES, agent == GRADER)
        )
    return found


def arranged(
    events: Sequence[Event],
    threads: Sequence[Lane],
    cited: Sequence[Citation],
    *,
    at: str | None,
    full: str | None,
) -> tuple[list[Card], list[Event]]:
    """Cards for as many of ``events`` as a page holds (one at least), each result with its call; and those events."""
    by_name = {lane.name: lane for lane in threads}
    cards: list[Card] = []
    calls: dict[str, Card] = {}
    shown: list[Event] = []
    left = _PAGE
    for event in events:
        most = _WHOLE if event.id == full else _EVENT
        spans = [each for each in cited if each.span.event_id == event.id]
        parts = list(_parts(event, spans, most))
        used = sum(cost(piece.text) for part in parts for piece in part.pieces)
        if shown and used > left:
            break
        left -= used + 500  # its frame
        shown.append(event)
        lane = by_name.get(event.thread) or Lane(event.thread, event.thread or "main", 0)
        card = Card(event, _SPEAKERS.get(event.type, event.type), lane, parts, bool(spans), event.id == at)
        call = _call_of(event, calls)
        if call is None:
            cards.append(card)
        else:
            call.result = card
        if event.type in _CALLS:
            calls[str(event.payload.get("tool_use_id") or event.id)] = card
    return cards, shown


def _call_of(event: Event, calls: Mapping[str, Card]) -> Card | None:
    """The card of the call that an event is the result of."""
    if not event.type.endswith("result"):
        return None
    answered = next((event.payload[name] for name in _ANSWERED if event.payload.get(name)), None)
    call = calls.get(str(answered))
    return call if call is not None and call.result is None else None


def _parts(event: Event, cited: Sequence[Citation], most: int) -> Iterator[Part]:
    """An event's readable strings, those that are cited for certain, until there is no more room."""
    if event.type == "session.outcome":
        said = [
            str(event.payload[name]) for name in ("label", "score") if event.payload.get(name) is not None
        ]
        yield Part("", (Piece(" ".join(said)),))
    left = most
    wanted = {each.span.path for each in cited}
    for part in text_parts(event.type, event.payload):
        if not part.text or (left <= 0 and part.path not in wanted):
            continue
        spans = sorted((each.span.start, each.span.end) for each in cited if each.span.path == part.path)
        made = _part(part, spans, max(left, most // 4))
        left -= sum(cost(piece.text) for piece in made.pieces) + 40
        yield made


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


def snippet(text: str, at: int, length: int) -> str:
    """A line around a place in a text."""
    begin, end = max(0, at - 60), at + length + 100
    return ("…" if begin else "") + " ".join(text[begin:end].split()) + ("…" if end < len(text) else "")
