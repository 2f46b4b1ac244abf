"""Transcripts as the writing agent may read them: some of them, as data, and on the first desk only what no
untrusted text had a hand in.

What a person typed is theirs. What an agent said is its own as long as it had read nothing foreign in that session,
and foreign from then on; so is everything else. A reader that is held to clean text neither shows the rest nor finds
anything in it, so that not even the presence of a word gets through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from reverie.domain.clock import iso_or_none
from reverie.domain.errors import Ambiguous, NotFound
from reverie.domain.events import Event, Json, TextPart, text_parts
from reverie.domain.findings import Citation, OriginClass
from reverie.domain.observations import Observation
from reverie.sessions.log import SessionLog

__all__ = ["Reader", "Shown", "squeezed"]

_USERS: Final = frozenset({"user.message", "user.interrupt", "user.tool_confirmation"})
_AGENTS: Final = frozenset({"agent.message", "agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use"})
_FOREIGN: Final = frozenset(
    {
        "system.message",
        "agent.tool_result",
        "agent.mcp_tool_result",
        "user.tool_result",
        "user.custom_tool_result",
        "agent.thread_message_received",
        "agent.thread_message_sent",
    }
)
_MOST_SESSIONS: Final = 2_000
_MOST_HITS: Final = 10
_BATCH: Final = 50
_AROUND: Final = 120  # characters on either side of what was found
_LONGEST: Final = 800  # characters of one event
_SHORTEST_QUOTE: Final = 12
_SECRET: Final = "[withheld: it looks like a secret]"  # noqa: S105
_CLOSED: Final = "[not on this desk: what tools, files, programs or other agents brought in]"


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown, as plain data, and the origins of all of it."""

    data: Json
    origins: frozenset[OriginClass] = frozenset()


class Reader:
    """Reads the transcripts of one dream and no others. ``leaks`` says whether a text holds a secret."""

    def __init__(
        self, log: SessionLog, observations: Mapping[str, Observation], leaks: Callable[[str], bool]
    ) -> None:
        self._log = log
        self._observations = observations
        self._leaks = leaks

    def search(self, words: str, among: Collection[str] | None, *, clean: bool) -> Shown:
        """Places that hold all of the words: one a session, newest sessions first; several of a single one."""
        wanted = words.casefold().split()
        chosen = [s for s in self._newest() if among is None or s in among][:_MOST_SESSIONS]
        hits: list[dict[str, Json]] = []
        origins: set[OriginClass] = set()
        looked = 0
        for start in range(0, len(chosen), _BATCH):
            batch = chosen[start : start + _BATCH]
            for session_id, events in self._log.events_of(batch).items():
                looked += 1
                found = [hit for event in events for hit in self._hits(event, wanted, clean)]
                for hit, origin in found[: _MOST_HITS if len(chosen) == 1 else 1]:
                    hits.append({"session": session_id, **hit})
                    origins.add(origin)
            if len(hits) >= _MOST_HITS:
                break
        told = {"searched": f"{looked} of {len(self._observations)} sessions", "places": hits[:_MOST_HITS]}
        return Shown(told, frozenset(origins))

    def stretch(self, event_id: str, before: int, after: int, *, clean: bool) -> Shown | str:
        """An event with its neighbours; or why there is none."""
        event = self._event(event_id)
        if isinstance(event, str):
            return event
        wide = 4 * (before + after + 1)  # between two events that can be read stand others
        around = self._log.window(event.session_id, after=max(0, event.seq - wide), limit=2 * wide)
        readable = [each for each in around if each.type in _USERS | _AGENTS | _FOREIGN]
        place = next((i for i, each in enumerate(readable) if each.id == event.id), None)
        if place is None:
            return f"The event {event_id} holds nothing to read."
        origins: set[OriginClass] = set()
        rows: list[Json] = []
        for each in readable[max(0, place - before) : place + after + 1]:
            parts = list(self._legible(each, clean))
            origins.update(origin for _, origin in parts)
            text = "\n".join(part.text for part, _ in parts)
            rows.append(
                {"event": each.id, "at": iso_or_none(each.at), "type": each.type}
                | ({"error": True} if parts and each.payload.get("is_error") else {})
                | {"text": self._told(text, _LONGEST) if parts else _CLOSED}
            )
        return Shown({"session": event.session_id, "events": rows}, frozenset(origins))

    def cited(self, citation: Citation, *, clean: bool) -> Shown:
        """A place that a finding points at, with its exact quote."""
        event = self._event(citation.span.event_id)
        span = citation.span
        if isinstance(event, str):
            return Shown({"event": span.event_id, "quote": "[gone]"})
        for part, origin in self._legible(event, clean):
            if part.path == span.path:
                quote = self._told(part.text[span.start : span.end], _LONGEST)
                told = {"event": event.id, "type": event.type, "quote": quote}
                return Shown(told, frozenset({origin}))
        return Shown({"event": event.id, "type": event.type, "quote": _CLOSED})

    def bears(self, event_id: str, quote: str, *, clean: bool) -> str | None:
        """Why ``quote`` is no quote of that event; None where it stands there (whitespace apart)."""
        wanted = squeezed(quote)
        if len(wanted) < _SHORTEST_QUOTE:
            return f"a quote has at least {_SHORTEST_QUOTE} characters"
        event = self._event(event_id)
        if isinstance(event, str):
            return event
        if any(wanted in squeezed(part.text) for part, _ in self._legible(event, clean)):
            return None
        return f"the event {event_id} does not hold this quote"

    # ------------------------------------------------------------------ inside

    def _newest(self) -> Sequence[str]:
        seen = self._observations.values()
        return [o.session_id for o in sorted(seen, key=lambda o: (o.day or "", o.session_id), reverse=True)]

    def _event(self, event_id: str) -> Event | str:
        try:
            event = self._log.event(event_id)
        except (NotFound, Ambiguous):
            return f"There is no event {event_id!r}."
        return event if event.session_id in self._observations else f"There is no event {event_id!r}."

    def _legible(self, event: Event, clean: bool) -> Iterator[tuple[TextPart, OriginClass]]:
        swayed = self._observations[event.session_id].untrusted
        for part in text_parts(event.type, event.payload):
            origin = _origin(event, part, swayed)
            if origin is not None and not (clean and origin == "tool"):
                yield part, origin

    def _hits(
        self, event: Event, wanted: Sequence[str], clean: bool
    ) -> Iterator[tuple[dict[str, Json], OriginClass]]:
        for part, origin in self._legible(event, clean):
            folded = part.text.casefold()
            if all(word in folded for word in wanted):
                at = max(0, folded.index(wanted[0]) - _AROUND)
                text = self._told(part.text[at : at + 2 * _AROUND], 2 * _AROUND)
                yield {"event": event.id, "type": event.type, "text": text}, origin

    def _told(self, text: str, most: int) -> str:
        if self._leaks(text):
            return _SECRET
        return text if len(text) <= most else f"{text[: most - 1]}…"


def squeezed(text: str) -> str:
    """``text`` with every run of whitespace as one blank."""
    return " ".join(text.split())


def _origin(event: Event, part: TextPart, swayed: bool) -> OriginClass | None:
    """Whose words a part of an event are; None of what is not to be read (thoughts, records of no known kind)."""
    if event.type in _USERS:
        return "user" if _typed(event, part) else "tool"
    if event.type in _AGENTS:
        return "tool" if swayed else "agent"
    return "tool" if event.type in _FOREIGN else None


def _typed(event: Event, part: TextPart) -> bool:
    """Whether a person typed it: an attachment of a message is a file."""
    content = event.payload.get("content")
    if not isinstance(content, list):
        return True
    numbers = part.path.split("/")
    blocks = cast(list[Json], content)
    if len(numbers) < 3 or numbers[1] != "content":
        return True
    block = blocks[int(numbers[2])]
    return isinstance(block, dict) and cast(dict[str, Json], block).get("type") == "text"
