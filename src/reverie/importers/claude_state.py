"""What must be remembered between the records of one Claude Code file, each concern by itself."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from reverie.domain.events import Json
from reverie.importers.values import string

__all__ = ["PromptQueue", "ReplyTree", "SeenRecords"]

_COPIES_WITHIN: Final = 12  # records between a queued prompt's delivery and the copy of it in another record


@dataclass(slots=True)
class PromptQueue:
    """Prompts typed while the agent was busy.

    ``remove`` hands the oldest to the agent within its turn, and in some versions that is the only trace
    of what the person said; others write the prompt once more, as an attachment. ``dequeue`` makes it
    the next prompt, which is written as usual; ``popAll`` gives all of them back to the person.
    """

    waiting: deque[str] = field(default_factory=deque[str])
    delivered: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def operate(self, record: dict[str, Json], number: int) -> str | None:
        """The prompt that this queue operation hands to the agent; ``number`` counts the records."""
        operation, text = record.get("operation"), string(record.get("content"))
        if operation == "enqueue" and text:
            self.waiting.append(text)
        elif operation == "popAll":
            self.waiting.clear()
        elif operation in ("remove", "dequeue") and self.waiting:
            if text is not None and text in self.waiting:
                self.waiting.remove(text)
            else:
                text = self.waiting.popleft()
            if operation == "remove" and not text.startswith("/"):  # a slash command leaves its own records
                self.delivered.append((number, text.strip()))
                return text
        return None

    def copy_of_delivered(self, text: str, number: int) -> bool:
        """Whether ``text`` was delivered a moment ago. One delivery answers for one copy."""
        self.delivered = [d for d in self.delivered if number - d[0] <= _COPIES_WITHIN]
        copy = next((d for d in self.delivered if d[1] == text.strip()), None)
        if copy is not None:
            self.delivered.remove(copy)
        return copy is not None


@dataclass(slots=True)
class ReplyTree:
    """Who answers whom. Notes and ticks hang where their parent does, so that they hide no fork."""

    anchors: dict[str, str] = field(default_factory=dict[str, str])  # uuid → nearest ancestor that was said
    replies: dict[str, str] = field(default_factory=dict[str, str])  # uuid → what was first said in reply

    def grow(self, record: dict[str, Json]) -> None:
        uuid, parent = record.get("uuid"), record.get("parentUuid")
        if not isinstance(uuid, str):
            return
        above = self.anchors.get(parent, parent) if isinstance(parent, str) else ""
        said = record.get("type") in ("user", "assistant") and record.get("isMeta") is not True
        self.anchors[uuid] = uuid if said else above
        if record.get("type") == "assistant" and above:
            self.replies.setdefault(above, uuid)

    def replaced_by(self, record: dict[str, Json]) -> str | None:
        """The earlier reply that this prompt replaces: a person went back and said something else."""
        uuid, parent = record.get("uuid"), record.get("parentUuid")
        if not isinstance(uuid, str) or not isinstance(parent, str):
            return None
        above = self.anchors.get(parent, parent)
        first = self.replies.setdefault(above, uuid) if above else uuid
        return None if first == uuid else first


@dataclass(slots=True)
class SeenRecords:
    """Every record once: the same uuid again is a copy, or another record that needs a key of its own."""

    known: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    nameless: Counter[str] = field(default_factory=Counter[str])

    def admit(self, uuid: str | None, sha256: str, session: str) -> tuple[str | None, str]:
        """(the record's key, "") or (None, why it is left out)."""
        if uuid is None:  # equal lines may say two things: two prompts taken from the queue at one time
            self.nameless[sha256] += 1
            again = self.nameless[sha256]
            return f"sha256:{sha256[:32]}" + (f"#{again}" if again > 1 else ""), ""
        key = uuid
        before = self.known.get(key)
        if before is not None and before[1] != session:
            return None, "history copied from another session"
        if before is not None and before[0] != sha256:
            key = f"{uuid}#{sha256[:16]}"
            before = self.known.get(key)
        if before is not None:
            return None, "the same record again"
        self.known[key] = (sha256, session)
        return key, ""
