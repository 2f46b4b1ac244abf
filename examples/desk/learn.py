"""``python -m examples.desk dream``: what dreams make of practice, quirk by quirk, and how much practice it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import reverie
from examples.desk.truth import PLANTED
from examples.desk.world import Desk
from examples.prove.world import Lesson, Played, Task
from reverie.domain.proposals import Proposal

__all__ = ["Found", "Night", "curve", "nights", "table"]

STORE: Final = "desk notes"
_ACTOR: Final = "examples.desk"


@dataclass(frozen=True, slots=True)
class Found:
    """A proposal and what it is worth."""

    proposal: Proposal
    lesson: Lesson


@dataclass(frozen=True, slots=True)
class Night:
    """A dream over ``sessions``: its proposals, all adopted, what memory teaches after it (judged as a whole), and how
    held-out matters end with it."""

    sessions: int
    found: Sequence[Found]
    whole: Lesson
    held_out: Sequence[Played]
    memory: str

    @property
    def share(self) -> float:
        return sum(each.succeeded for each in self.held_out) / len(self.held_out)

    @property
    def false(self) -> Sequence[Found]:
        return [each for each in self.found if each.lesson.false]


def curve(counts: Sequence[int], held_out: int, seed: int) -> Iterator[Night]:
    """One dream each over the first so many of the same sessions of clerks without memory."""
    desk = Desk()
    held = desk.tasks("held out", held_out, seed)
    with tempfile.TemporaryDirectory(prefix="desk-") as made, _opened(made, desk) as rv:
        played = desk.practise(rv, desk.tasks("practice", max(counts), seed))
        for count in counts:
            store = f"{STORE} {count}"
            rv.stores.create(store, actor=_ACTOR)
            yield _night(rv, desk, store, [str(each.session_id) for each in played[:count]], held)


def nights(dreams: int, practice: int, held_out: int, seed: int) -> Iterator[Night]:
    """Dream after dream into one store, each after practice with what is in it by then."""
    desk = Desk()
    held = desk.tasks("held out", held_out, seed)
    tasks = desk.tasks("practice", dreams * practice, seed)
    memory = ""
    with tempfile.TemporaryDirectory(prefix="desk-") as made, _opened(made, desk) as rv:
        rv.stores.create(STORE, actor=_ACTOR)
        for number in range(dreams):
            desk.practise(rv, tasks[number * practice : (number + 1) * practice], memory)
            night = _night(rv, desk, STORE, None, held)
            memory = night.memory
            yield night


def _opened(folder: str, desk: Desk) -> reverie.Reverie:
    return reverie.open(Path(folder) / "desk.db", clock=desk.clock)


def _night(
    rv: reverie.Reverie, desk: Desk, store: str, sessions: Sequence[str] | None, held: Sequence[Task]
) -> Night:
    result = rv.dream(store, sessions=sessions)
    found = [Found(each, desk.judge(each.content)) for each in result.proposals]
    for each in result.proposals:
        rv.approve(each.id, by=_ACTOR)
    memory = "\n\n".join(each.content for each in rv.memory.list(store))
    return Night(result.dream.sessions, found, desk.judge(memory), desk.rehearse(held, memory), memory)


def table(done: Sequence[Night], naive: float) -> Iterator[str]:
    """Lines of Markdown: one row a planted thing, one column a dream."""
    yield "| | " + " | ".join(f"{night.sessions} sessions" for night in done) + " |"
    yield "|---|" + "---|" * len(done)
    for name in PLANTED:
        yield f"| {name} | " + " | ".join(_mark(night, name) for night in done) + " |"
    yield "| false lessons | " + " | ".join(str(len(night.false)) for night in done) + " |"
    yield (
        f"| held-out success ({naive:.1%} without memory) | "
        + " | ".join(f"{n.share:.1%}" for n in done)
        + " |"
    )


def _mark(night: Night, name: str) -> str:
    return "taught" if name in night.whole.teaches else "warned of" if name in night.whole.warns else "–"
