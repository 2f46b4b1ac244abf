"""A small simulated document desk: agents that file documents with a flaky service, and people who ask.

The agents are programs, the service is a program, and what they do is written through the session logger
like any other agent's work. Several things are planted, and nothing but the transcripts tells of them:

- the portal refuses to take a document that was not checked in first (a mistake agents keep making);
- the portal refuses a .docx over 50 MB after 17:00; sending it in parts works, sending it again does not;
- three of the five people say that they want the summary as PDF, in words of their own;
- the service is busy now and then, whatever anyone does (weather, not a lesson).

Everything is drawn from one seeded source, and time is simulated.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from reverie.domain.sessions import OutcomeLabel

__all__ = ["Clerk", "DeskClock", "Recorder", "file_documents"]

_PEOPLE: Final = ("ana", "bo", "chidi", "dana", "eli")
_AGENTS: Final = ("clerk-a", "clerk-b", "clerk-c")
_KINDS: Final = (".docx", ".docx", ".docx", ".pdf", ".xlsx", ".pptx")  # lawyers write letters
_FIRST_DAY: Final = datetime(2026, 11, 2, tzinfo=UTC)

_WISHES: Final = {
    "ana": "Always send the summary as PDF, not as a Word file.",
    "chidi": "Please always send the summary as a PDF, not Word.",
    "eli": "Send the summary as PDF, not as a Word file, please.",
}

_GOALS: Final = (
    "File the {what} with the court portal and send me a summary",
    "Please file the {what} and send a summary when done",
    "The {what} needs to go to the portal today; a summary afterwards",
)
_THINGS: Final = ("lease", "affidavit", "expert report", "exhibit bundle", "claim form", "witness statement")


class Recorder(Protocol):
    """What the desk needs of a session logger."""

    def user(self, text: str, /) -> object: ...
    def message(self, text: str, /) -> object: ...
    def action(self, name: str, /, **arguments: object) -> object: ...
    def result(self, text: str, /) -> object: ...
    def error(self, text: str, /) -> object: ...
    def outcome(self, label: OutcomeLabel, /) -> object: ...


class DeskClock:
    """Simulated time: it stands still until someone works."""

    def __init__(self, now: datetime = _FIRST_DAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True)
class Clerk:
    """One agent with one document to file. It learns nothing: it reads no memory."""

    log: Recorder
    dice: random.Random
    clock: DeskClock
    person: str
    kind: str
    size_mb: int

    def work(self, goal: str) -> None:
        """File the document, send the summary, say how it went."""
        self.log.user(goal)
        self.clock.work(20)
        self._call("open_document", {"file_ext": self.kind, "size_mb": self.size_mb}, "opened")
        if self.dice.random() < 0.55:
            self._check_in()
        filed = self._file()
        if filed:
            self._summary()
        self.log.message("Filed, summary sent." if filed else "The portal did not take the document.")
        self.log.outcome("success" if filed else "failure")

    def _check_in(self) -> None:
        self._call("check_in", {"register": "civil"}, "checked in, receipt issued")
        self._checked_in = True

    _checked_in: bool = False

    def _file(self) -> bool:
        """Try to file, three times at most, as an agent without experience would."""
        for attempt in range(3):
            refusal = self._portal()
            if refusal is None:
                self._call("upload", self._arguments(), "accepted")
                return True
            self._call("upload", self._arguments(), refusal, failed=True)
            if refusal.startswith("409"):
                self._check_in()
            elif refusal.startswith("413") and self.dice.random() < 0.5:
                parts = self.size_mb // 25 + 1
                self._call("upload_in_parts", {**self._arguments(), "parts": parts}, "accepted in parts")
                return True
            elif attempt == 1 and self.dice.random() < 0.5:
                return False
        return False

    def _portal(self) -> str | None:
        """What the court portal answers to an upload: None when it takes the document."""
        if not self._checked_in:
            return "409 Conflict: document is not checked in to the register"
        if self.kind == ".docx" and self.size_mb > 50 and self.clock.now.hour >= 17:
            return "413 Payload refused by the evening gateway"
        if self.dice.random() < 0.04:
            return "503 Service busy, try again later"
        return None

    def _arguments(self) -> dict[str, object]:
        return {"file_ext": self.kind, "size_mb": self.size_mb}

    def _summary(self) -> None:
        self._call("write_summary", {"format": "docx"}, "summary.docx written")
        wish = _WISHES.get(self.person)
        if wish is not None and self.dice.random() < 0.5:
            self.log.user(wish)
            self.clock.work(30)
            self._call("write_summary", {"format": "pdf"}, "summary.pdf written")

    def _call(self, name: str, arguments: dict[str, object], answer: str, *, failed: bool = False) -> None:
        self.log.action(name, **arguments)
        self.clock.work(self.dice.uniform(5, 60))
        if failed:
            self.log.error(answer)
        else:
            self.log.result(answer)


def file_documents(
    session: Callable[..., AbstractContextManager[Recorder]],
    *,
    clock: DeskClock,
    sessions: int = 120,
    seed: int = 7,
) -> Iterator[int]:
    """Work through ``sessions`` documents, one logged session each, yielding the number done so far.

    ``session`` makes a session logger (``Reverie.session`` of a database opened with ``clock``).
    """
    dice = random.Random(seed)  # noqa: S311  (a simulation, not a secret)
    for number in range(sessions):
        person, agent = dice.choice(_PEOPLE), dice.choice(_AGENTS)
        clock.now = _FIRST_DAY + timedelta(
            days=number * 18 // sessions, minutes=dice.randrange(9 * 60, 22 * 60)
        )
        goal = dice.choice(_GOALS).format(what=dice.choice(_THINGS))
        kind, size = dice.choice(_KINDS), int(dice.triangular(1, 130, 60))
        with session(
            goal,
            agent=agent,
            user=person,
            native_id=f"desk-{seed}-{number:06d}",
            repository="desk",
            timezone="UTC",
        ) as log:
            Clerk(log, dice, clock, person, kind, size).work(goal)
        yield number + 1
