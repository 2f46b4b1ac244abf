"""The writing agent's session: an ordinary session of the workspace, driven as any client would drive it.

Its tools are custom ones without a handler, so that whichever process runs the session rests with their calls, and
whoever works on the dream answers them: the same one, or the one after a crash. Its id is the dream's, derived, so
that who goes on finds it, and nothing that is in its log is asked of a model twice.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from reverie.domain.errors import NotFound, UsageError
from reverie.domain.events import Event, JsonObject, QueuedEvent
from reverie.domain.ids import derived_id
from reverie.domain.resources import Resource
from reverie.dreaming.authors import DREAMER
from reverie.plugins import Model
from reverie.sessions.feed import Feed
from reverie.sessions.live import LiveSessions
from reverie.sessions.status import SessionState, session_status, stop_reason
from reverie.sessions.views import Asking
from reverie.storage.events import Link, read
from reverie.workspaces.agents import Agents
from reverie.workspaces.environments import Environments
from reverie.workspaces.sessions import Sessions

__all__ = ["Door", "Rest", "WritingSession"]

_MARK: Final = {"made_by": DREAMER}
_PAGE: Final = 256
_LOOK: Final = 1.0  # seconds between two looks at a session of which nothing is heard
_QUEUED: Final = 20


@dataclass(frozen=True, slots=True)
class Door:
    """What of the house lets a dream have an agent at work. ``attend`` begins to work on sessions in this process;
    ``model`` makes a model by the name that an agent says (raises ConfigError, NotFound)."""

    sessions: Sessions
    live: LiveSessions
    agents: Agents
    environments: Environments
    feed: Feed
    attend: Callable[[], None]
    model: Callable[[str], Model]


@dataclass(frozen=True, slots=True)
class Rest:
    """A session that rests: why, and for which calls it waits."""

    reason: str
    state: SessionState

    @property
    def calls(self) -> Sequence[str]:
        return list(self.state.pending)


class WritingSession:
    """One dream's session. ``going_on`` is called while it is waited for, and raises where the dream is to stop.
    ``after``: the one that was ended before, where the dream is begun again."""

    def __init__(
        self, door: Door, dream_id: str, going_on: Callable[[], None], after: str | None = None
    ) -> None:
        self.id: Final = derived_id("sesn", "dream", dream_id, after or "")
        self._door = door
        self._dream_id = dream_id
        self._going_on = going_on
        self._bell = threading.Event()
        self._seq = 0
        self._unheard = False  # the last thing said to it is in its log, and no turn has ended since
        self.news: deque[Event] = deque()
        """Events that nobody looked at yet, in order."""

    def exists(self) -> bool:
        """Whether an earlier sitting made it."""
        try:
            self._door.live.row(self.id)
        except NotFound:
            return False
        return True

    def create(self, agent: Mapping[str, Any], max_tokens: int, first: str) -> None:
        """Make it, with the first thing that is said to its agent."""
        made = _found(self._door.agents.list, agent["name"])
        kept = self._door.agents.create(agent) if made is None else self._door.agents.update(made.id, agent)
        asked = {
            "agent": {"type": "agent", "id": kept.id, "version": kept.version},
            "environment_id": self._environment().id,
            "title": f"Writing the dream {self._dream_id}",
            "metadata": {**_MARK, "dream_id": self._dream_id},
            "budget": {"type": "limit", "max_tokens": str(max_tokens)},
            "initial_events": [_message(first)],
        }
        self._door.sessions.create(asked, session_id=self.id)

    def say(self, results: Sequence[tuple[str, str, bool]], text: str | None = None) -> None:
        """Answer calls (id, text, whether it is an error), and say something besides.

        Raises:
            UsageError: it has ended, or its budget is reached.
        """
        answers = [
            {
                "type": "user.custom_tool_result",
                "custom_tool_use_id": call,
                "content": [{"type": "text", "text": told}],
                "is_error": is_error,
            }
            for call, told, is_error in results
        ]
        self._door.sessions.send(self.id, [*answers, *([_message(text)] if text is not None else [])])

    def rest(self) -> Rest:
        """Wait until it rests; what happened is in ``news``.

        Raises:
            NotFound: it was deleted.
        """
        with self._listening():
            while True:
                self._going_on()
                waits = self.waits()  # in this order: what was taken by then is in the log that is read last
                state = self._door.live.state(self.id)
                self.read()
                reason = _reason(state)
                heard = not (waits or self._unheard) or reason in ("requires_action", "terminated")
                if reason is not None and heard:
                    return Rest(reason, state)
                self._bell.wait(_LOOK)
                self._bell.clear()

    def read(self) -> None:
        """Add what is new in the log to the news."""
        while links := self._door.live.log_after(self.id, self._seq, _PAGE):
            for event in map(read, links):
                self.news.append(event)
                if event.type in ("user.message", "session.status_idle"):
                    self._unheard = event.type == "user.message"
            self._seq = links[-1].seq

    def state(self) -> SessionState:
        """What its log adds up to."""
        return self._door.live.state(self.id)

    def ended(self) -> bool:
        """Whether it takes nothing any more."""
        row = self._door.live.row(self.id)
        return row.archived_at is not None or row.status == "terminated"

    def waits(self) -> list[str]:
        """What was said to it and is not in its log yet."""
        newest = Asking(newest_first=True)
        _, _, found = self._door.sessions.events(self.id, newest, after=None, limit=_QUEUED)
        return [_text(each.payload) for each in found if isinstance(each, QueuedEvent)]

    def archive(self) -> None:
        """End it; its log stays. One that still runs is left to its budget."""
        with suppress(UsageError, NotFound):
            self._door.sessions.archive(self.id)

    # ------------------------------------------------------------------ inside

    @contextmanager
    def _listening(self) -> Generator[None]:
        unsubscribe = self._door.feed.subscribe(self.id, self)
        try:
            yield
        finally:
            unsubscribe()

    def _environment(self) -> Resource:
        found = _found(self._door.environments.list, DREAMER)
        if found is not None:
            return found
        about = "Where dreams are written: no network, and nothing runs."
        config = {"type": "cloud", "networking": {"type": "limited"}}
        asked = {"name": DREAMER, "description": about, "config": config, "metadata": dict(_MARK)}
        return self._door.environments.create(asked)

    # ------------------------------------------------------------------ told, from any thread

    def appended(self, links: Sequence[Link]) -> None:
        self._bell.set()

    def changed(self) -> None:
        self._bell.set()

    def previewed(self, thread: str, preview: JsonObject) -> None:
        """Nobody watches here."""

    def deleted(self) -> None:
        self._bell.set()


def _found(listed: Callable[..., list[Resource]], name: str) -> Resource | None:
    """The oldest resource of that name that we made, if there is one."""
    kept: Resource | None = None
    page = listed(limit=100)
    while page:
        ours = [r for r in page if r.body["name"] == name and _MARK.items() <= r.body["metadata"].items()]
        kept = ours[-1] if ours else kept
        page = listed(after=(page[-1].created_at, page[-1].id), limit=100) if len(page) == 100 else []
    return kept


def _reason(state: SessionState) -> str | None:
    """Why it rests; None while it works, or is about to."""
    if session_status(state) == "terminated":
        return "terminated"
    told = stop_reason(state)
    return None if told is None else str(told["type"])


def _message(text: str) -> dict[str, Any]:
    return {"type": "user.message", "content": [{"type": "text", "text": text}]}


def _text(payload: JsonObject) -> str:
    content = payload.get("content")
    return "".join(str(block.get("text", "")) for block in content) if isinstance(content, list) else ""  # pyright: ignore
