"""A session while it is being read: its events so far, and the facts that turn up on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from reverie.domain.events import PRIMARY_THREAD, EventType, Json, JsonObject, NewEvent, Origin
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.importers.values import headline, mapping, repository_of, string, user_of

__all__ = ["Draft"]


@dataclass(slots=True)
class Draft:
    """Events in, ``Transcript`` out. A key that was used before is not used again (``add`` says so).

    ``goal`` is the first thing a person typed; ``fallback_goal`` stands in where nobody typed anything
    (a slash command, a handed-over plan).
    """

    format: str
    native_id: str
    agent: str
    events: list[NewEvent] = field(default_factory=list[NewEvent])
    keys: set[str] = field(default_factory=set[str])
    extra: dict[str, Json] = field(default_factory=dict[str, Json])
    models: Counter[str] = field(default_factory=Counter[str])
    agent_version: str | None = None
    cwd: str | None = None
    repository: str | None = None
    branch: str | None = None
    timezone: str | None = None
    goal: str | None = None
    fallback_goal: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def add(
        self,
        type: EventType,
        payload: JsonObject,
        *,
        key: str,
        at: datetime | None,
        origin: Origin,
        thread: str = PRIMARY_THREAD,
    ) -> bool:
        """Append an event; False when its key is taken, which means it was read before."""
        if key in self.keys:
            return False
        self.keys.add(key)
        self.events.append(NewEvent(type, payload, key, at, thread, origin))
        if type == "user.message" and self.goal is None and thread == PRIMARY_THREAD:
            self.goal = headline(" ".join([str(payload.get("command") or ""), *_texts(payload)]))
        return True

    def saw(self, at: datetime | None) -> None:
        """The session was alive at ``at``."""
        if at is None:
            return
        if self.started_at is None or at < self.started_at:
            self.started_at = at
        if self.ended_at is None or at > self.ended_at:
            self.ended_at = at

    def transcript(self) -> Transcript:
        info = SessionInfo(
            format=self.format,
            native_id=self.native_id,
            agent=self.agent,
            agent_version=self.agent_version,
            user=user_of(self.cwd),
            model=self.models.most_common(1)[0][0] if self.models else None,
            repository=self.repository or repository_of(self.cwd),
            branch=self.branch,
            cwd=self.cwd,
            goal=self.goal or self.fallback_goal,
            timezone=self.timezone,
            started_at=self.started_at,
            ended_at=self.ended_at,
            extra=self.extra,
        )
        return Transcript(info, self.events)


def _texts(payload: JsonObject) -> list[str]:
    content: list[Json] = payload.get("content") or []
    return [text for text in (string(mapping(block).get("text")) for block in content) if text]
