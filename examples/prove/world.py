"""What a world is, for the proof: tasks, agents that read memory and nothing else, and a truth only the scorer sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import reverie
from reverie.domain.clock import Clock

__all__ = ["Lesson", "Played", "Split", "Task", "World"]

Split: TypeAlias = Literal["practice", "held out"]


@dataclass(frozen=True, slots=True)
class Task:
    """One task: ``kind`` groups those that are alike (a site, a matter), ``seed`` makes it."""

    kind: str
    seed: int


@dataclass(frozen=True, slots=True)
class Played:
    """One task as it was played. ``succeeded`` is the world's own truth, ``failures`` names what went wrong
    (planted names; for the scorer, never for a transcript). ``session_id`` is None where the engine was left out.
    ``tokens`` and ``calls`` are what it cost."""

    task: Task
    succeeded: bool
    failures: tuple[str, ...] = ()
    session_id: str | None = None
    tokens: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one memory says, held against the planted truth: the planted things that it ``teaches`` to avoid, those
    that it only ``warns`` of, and what in it is ``false`` (each in a few words, for the table)."""

    teaches: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()
    false: tuple[str, ...] = ()


class World(Protocol):
    """A world. Its agents are programs (or a model, by name) whose only carrier of knowledge is memory."""

    @property
    def name(self) -> str: ...

    @property
    def clock(self) -> Clock:
        """Its own time, in which sessions are logged: the same seed has the same hours and days."""
        ...

    @property
    def planted(self) -> Sequence[str]:
        """The names of what can be learned, for the scorer."""
        ...

    def judge(self, memory: str) -> Lesson:
        """What the text of one memory is worth, by the planted truth. For the scorer alone."""
        ...

    def tasks(self, split: Split, count: int, seed: int) -> Sequence[Task]:
        """``count`` tasks; practice and held-out ones share no seed and no task."""
        ...

    def play(
        self,
        rv: reverie.Reverie,
        tasks: Sequence[Task],
        *,
        store: str | None = None,
        model: str | None = None,
    ) -> Sequence[Played]:
        """Play tasks as sessions of ``rv`` (their logs and outcomes are all that a dream sees), the agents reading
        the memory ``store`` as it stands, or none."""
        ...

    def rehearse(self, tasks: Sequence[Task], memory: str) -> Sequence[Played]:
        """The same policies and tools in a small driver without engine or log, reading ``memory`` as one text: for
        measuring many held-out tasks fast. A test shows on some tasks that it ends as ``play`` does."""
        ...
