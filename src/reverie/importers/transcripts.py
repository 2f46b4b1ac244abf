"""From records to a transcript: what is said gets its key and place, and every record its line in the account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from reverie.domain.events import (
    PRIMARY_THREAD,
    EventType,
    Json,
    JsonObject,
    NewEvent,
    Origin,
    event_text,
)
from reverie.domain.imports import Quarantined, Skipped, Used
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.importers.documents import Node
from reverie.importers.jsonl import BadJson
from reverie.importers.values import headline

__all__ = ["Account", "Builder", "Said", "outcome_said"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says, before it has a place in a session.

    ``inside`` points to the part of the record that says it (RFC 6901, relative to the record).
    ``at`` overrides the time of the record.
    """

    type: EventType
    payload: JsonObject
    inside: str = ""
    native_id: str | None = None
    at: datetime | None = None


def outcome_said(outcome: Outcome, inside: str = "", explanation: str | None = None) -> Said:
    """The event that says how the session ended."""
    payload: dict[str, Json] = {"label": outcome.label, "label_source": outcome.source}
    if outcome.score is not None:
        payload["score"] = outcome.score
    if explanation:
        payload["explanation"] = explanation
    return Said("session.outcome", payload, inside)


class Account:
    """What became of each record: used, skipped with a reason, or quarantined. It adds up by construction."""

    def __init__(self) -> None:
        self.used = 0
        self.skipped: Counter[str] = Counter()
        self.quarantined: list[Quarantined] = []

    def skip(self, reason: str, records: int = 1) -> None:
        if records:
            self.skipped[reason] += records

    def refuse(self, node: Node, why: str) -> None:
        self.quarantined.append(node.refuse(why))

    def decode(self, node: Node) -> Json:
        """The value of ``node``; None, and the node in quarantine, if it has none."""
        try:
            return node.decode()
        except BadJson as error:
            self.refuse(node, str(error))
            return None

    def record(self, node: Node) -> dict[str, Json] | None:
        """The object that a record must be; None, and the record in quarantine, if it is not."""
        if not node.is_object:
            self.refuse(node, "not a JSON object")
            return None
        value = self.decode(node)
        return cast(dict[str, Json], value) if isinstance(value, dict) else None

    def elements(self, node: Node) -> list[Node]:
        """The elements of a list; none, and the node in quarantine, if it is not one."""
        if not node.is_array:
            self.refuse(node, "not a list")
        return node.elements()

    def members(self, node: Node) -> dict[str, Node]:
        """The members of an object by name. What is no member, or one a second time, is quarantined."""
        found: dict[str, Node] = {}
        for key, child in node.members():
            if key in found:
                self.refuse(child, f"the key {key[:40]!r} stands twice in one object")
            elif child.start == child.end:
                self.refuse(child, "a member without a value")
            else:
                found[key] = child
        return found

    def statements(self) -> Iterator[Used | Skipped | Quarantined]:
        if self.used:
            yield Used(self.used)
        for reason, records in self.skipped.items():
            yield Skipped(reason, records)
        yield from self.quarantined


class Builder:
    """One session under construction."""

    def __init__(self, format: str, uri: str) -> None:
        self.format = format
        self.uri = uri
        self.events: list[NewEvent] = []
        self.outcome = Outcome()
        self._keys: set[str] = set()

    def add(
        self,
        said: Iterable[Said],
        node: Node,
        key: str,
        *,
        at: datetime | None = None,
        thread: str = PRIMARY_THREAD,
        uri: str | None = None,
    ) -> int:
        """Append what a record says and return how many events that was; a key is used once.

        ``key`` identifies the record within the session across re-reads; ``uri`` names another file
        when the record stands there (a result beside the trajectory).
        """
        count = len(self.events)
        here = node.origin(self.format, uri or self.uri)
        seen: Counter[str] = Counter()
        for item in said:
            twice = f"~{seen[item.inside]}" if seen[item.inside] else ""
            seen[item.inside] += 1
            whole = key + item.inside + twice
            if whole in self._keys:  # read before
                continue
            self._keys.add(whole)
            pointer = (here.pointer or "") + item.inside if item.inside else here.pointer
            place = Origin(self.format, here.uri, here.line, pointer, item.native_id, here.sha256)
            type, payload = item.type, item.payload
            if type == "user.message" and thread != PRIMARY_THREAD:  # an agent tells another one what to do
                type, payload = "system.message", {**payload, "kind": "instructions"}
            self.events.append(NewEvent(type, payload, whole, item.at or at, thread, place))
        return len(self.events) - count

    def end(
        self, outcome: Outcome | None, node: Node, *, explanation: str | None = None, uri: str | None = None
    ) -> None:
        """Note how the session ended, if it is said. A different verdict later is a different event."""
        if outcome is None or outcome in (Outcome(), self.outcome):
            return
        self.outcome = outcome
        key = f"outcome:{outcome.source}:{outcome.label}:{outcome.score}"
        self.add([outcome_said(outcome, explanation=explanation)], node, key, uri=uri)

    def transcript(self, info: SessionInfo) -> Transcript:
        """The session, with what its events show filled in where ``info`` leaves it open."""
        times = [event.at for event in self.events if event.at is not None]
        return Transcript(
            replace(
                info,
                goal=info.goal or self._first_request(),
                started_at=info.started_at or min(times, default=None),
                ended_at=info.ended_at or max(times, default=None),
                outcome=info.outcome if info.outcome != Outcome() else self.outcome,
            ),
            self.events,
        )

    def _first_request(self) -> str | None:
        asked = (e for e in self.events if e.type == "user.message")
        return next((text for e in asked if (text := headline(event_text(e.type, e.payload)))), None)
