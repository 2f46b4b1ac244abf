"""The loop: practise, dream, review, measure on held-out tasks; three times; then memory away, back, away, back."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final

import reverie
from examples.prove.trying import Tried, tried
from examples.prove.world import Lesson, Played, Task, World
from reverie.domain.policies import Policy
from reverie.domain.proposals import Proposal
from reverie.dreaming.dream import DreamResult

__all__ = [
    "Adopted",
    "Course",
    "Dreamt",
    "Plan",
    "Stage",
    "Tell",
    "mounted",
    "prove",
    "read_over",
    "shuffled",
]

Tell = Callable[[str], None]
"""Hears in a line what is being done."""

STORE: Final = "playbook"
AUTHOR: Final = "the proof"
_ENOUGH: Final = 5
_WORD: Final = re.compile(r"`[^`]*`\S*|\S+")
_FILLER: Final = (
    "The team meets on Mondays. Notes are kept in one place and read by everybody who joins. "
    "Good work is careful work, and whoever is in doubt asks before going on. "
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done: tasks practised before each dream, dreams, held-out tasks for each measurement, how many of them
    are played through the engine as well, and tasks of each phase in which memory is there or is not."""

    practice: int
    held_out: int
    played: int
    phase: int
    dreams: int = 3


@dataclass(frozen=True, slots=True)
class Stage:
    """One measurement: what was in memory (``chars`` of text in ``memories`` files), and how each task ended."""

    name: str
    results: Sequence[Played]
    memories: int = 0
    chars: int = 0


@dataclass(frozen=True, slots=True)
class Adopted:
    """A memory as it came in: by which dream, by whose decision (the policy's, or the reviewer's rule), and its worth.
    ``without``: how the held-out tasks end with all of the last memory but this one; ``tried``: what trials would have
    said, where that makes a difference."""

    dream: int
    path: str
    title: str
    decided: str
    lesson: Lesson
    content: str = field(repr=False)
    without: Sequence[Played] = ()
    tried: tuple[Tried, Tried] | None = None


@dataclass(frozen=True, slots=True)
class Dreamt:
    """A dream: the sessions it saw (those that had memory among them), what it found, and what became of it."""

    number: int
    sessions: int
    findings: int
    proposals: int
    by_policy: int
    by_rule: int
    left: int


@dataclass(frozen=True, slots=True)
class Course:
    """All of it. ``stages`` are before any dream and after each; ``phases`` alternate without and with memory, each
    on tasks of its own; ``controls`` are memories that say nothing; ``agreed`` of ``compared`` tasks ended the same
    through the engine as in the small driver. ``learned``: after which dream memory first taught what was planted;
    ``memory`` is what is in it in the end, by path."""

    world: str
    planted: Sequence[str]
    practised: Sequence[Sequence[Played]]
    dreams: Sequence[Dreamt]
    stages: Sequence[Stage]
    phases: Sequence[Stage]
    controls: Sequence[Stage]
    adopted: Sequence[Adopted]
    agreed: int
    compared: int
    learned: Mapping[str, int]
    memory: Mapping[str, str]


def prove(
    world: World,
    plan: Plan,
    seed: int,
    *,
    folder: Path | None = None,
    model: str | None = None,
    tell: Tell = print,
) -> Course:
    """One world, from nothing known to its last dream. ``folder``: where its database is kept (else nowhere).

    Held-out tasks are rehearsed in the small driver; with ``model`` they are played, each measurement in a house of its own.
    """
    with tempfile.TemporaryDirectory(prefix=f"prove-{world.name}-") as made:
        where = (folder or Path(made)) / f"{world.name}.db"
        draw = random.Random(f"{world.name} {seed}")  # noqa: S311  (ids, so that a run can be repeated)
        with reverie.open(where, clock=world.clock, entropy=draw.randbytes) as rv:
            return _Proof(world, plan, seed, rv, model, tell).course()


class _Proof:
    def __init__(
        self, world: World, plan: Plan, seed: int, rv: reverie.Reverie, model: str | None, tell: Tell
    ) -> None:
        self._world, self._plan, self._seed, self._rv, self._model = world, plan, seed, rv, model
        self._tell = lambda text: tell(f"{world.name}: {text}")
        self._store = rv.stores.create(STORE, actor=AUTHOR).id
        self._policy = rv.policies.add(
            self._store, by=AUTHOR, min_sessions=_ENOUGH, min_users=1, max_risk="medium"
        )
        self._held = world.tasks("held out", plan.held_out, seed)

    def course(self) -> Course:
        stages = [self._stage("before", self._held)]
        practice = self._world.tasks("practice", self._plan.practice * self._plan.dreams, self._seed)
        practised: list[Sequence[Played]] = []
        dreams: list[Dreamt] = []
        adopted: list[Adopted] = []
        learned: dict[str, int] = {}
        for number in range(1, self._plan.dreams + 1):
            part = practice[(number - 1) * self._plan.practice : number * self._plan.practice]
            practised.append(self._practise(number, part))
            dreamt, fresh = self._dream(number)
            dreams.append(dreamt)
            adopted = _newest([*adopted, *fresh])
            for name in (name for each in fresh for name in each.lesson.teaches):
                learned.setdefault(name, number)
            stages.append(self._stage(f"after dream {number}", self._held))
        return Course(
            self._world.name, self._world.planted, practised, dreams, stages, self._phases(), self._controls(),
            self._weighed(adopted), *self._compared(), learned, self._texts(),
        )  # fmt: skip

    # ------------------------------------------------------------------ practice and dreams

    def _practise(self, number: int, tasks: Sequence[Task]) -> Sequence[Played]:
        self._tell(f"{len(tasks)} tasks of practice before dream {number}")
        store = self._store if number > 1 else None
        return self._world.play(self._rv, tasks, store=store, model=self._model)

    def _dream(self, number: int) -> tuple[Dreamt, list[Adopted]]:
        result = self._rv.dream(self._store)
        pending = [each for each in result.proposals if each.status == "pending"]
        read = read_over(self._rv, self._policy, pending)
        applied = [each for each in result.proposals if each.status == "approved"]
        by_policy = [self._adopted(number, each, "policy") for each in applied]
        by_rule = [self._adopted(number, each, "reviewer's rule") for each in read]
        dreamt = Dreamt(
            number, result.dream.sessions, len(result.findings), len(result.proposals), len(by_policy),
            len(by_rule), len(pending) - len(read),
        )  # fmt: skip
        self._tell(
            f"dream {number}: {_told(result)}, {len(by_policy)} by the policy, {len(by_rule)} by the rule"
        )
        return dreamt, [*by_policy, *by_rule]

    def _adopted(self, number: int, proposal: Proposal, decided: str) -> Adopted:
        lesson = self._world.judge(proposal.content)
        return Adopted(number, proposal.path, proposal.title, decided, lesson, proposal.content)

    # ------------------------------------------------------------------ measurements

    def _texts(self) -> dict[str, str]:
        return {each.path: each.content for each in self._rv.memory.list(self._store)}

    def _stage(self, name: str, tasks: Sequence[Task], texts: Mapping[str, str] | None = None) -> Stage:
        """How tasks end with these texts in memory; by default with what is there now."""
        texts = self._texts() if texts is None else texts
        told = "\n\n".join(texts.values())
        results = self._played(tasks, texts) if self._model else self._world.rehearse(tasks, told)
        return Stage(name, results, len(texts), len(told))

    def _played(self, tasks: Sequence[Task], texts: Mapping[str, str]) -> Sequence[Played]:
        """In a house of its own, so that no dream sees it."""
        with (
            tempfile.TemporaryDirectory(prefix="prove-held-out-") as made,
            reverie.open(Path(made) / "held-out.db", clock=self._world.clock) as rv,
        ):
            return self._world.play(rv, tasks, store=mounted(rv, texts), model=self._model)

    def _phases(self) -> list[Stage]:
        """Without, with, without, with: each on tasks that nothing else was measured on."""
        self._tell("memory away, back, away, back")
        first, size = self._plan.held_out, self._plan.phase
        tasks = self._world.tasks("held out", first + 4 * size, self._seed)[first:]
        parts = [tasks[at * size : (at + 1) * size] for at in range(4)]
        return [
            self._stage("with memory", part) if at % 2 else self._stage("without", part, {})
            for at, part in enumerate(parts)
        ]

    def _controls(self) -> list[Stage]:
        """As much text as memory has, that says nothing: its own words in any order; words about nothing."""
        self._tell("controls")
        texts = self._texts()
        mixed = shuffled(texts, self._seed)
        filler = {path: _filler(len(text)) for path, text in texts.items()}
        return [
            self._stage("its words shuffled", self._held, mixed),
            self._stage("as long a text about nothing", self._held, filler),
        ]

    def _weighed(self, adopted: Sequence[Adopted]) -> list[Adopted]:
        """Each memory that is still there, with what is lost without it."""
        texts = self._texts()
        self._tell(f"each of {len(texts)} memories left out in turn")
        last = self._stage("", self._held, texts).results
        weighed: list[Adopted] = []
        for each in adopted:
            others = {path: text for path, text in texts.items() if path != each.path}
            left = others.keys() != texts.keys()
            without = self._stage("", self._held, others).results if left else ()
            about = [*each.lesson.teaches, *each.lesson.warns]
            differs = bool(without) and [p.failures for p in without] != [p.failures for p in last]
            trials = tried(last, without, about, self._seed) if differs else None
            weighed.append(replace(each, without=without, tried=trials))
        return weighed

    def _compared(self) -> tuple[int, int]:
        """How many of some held-out tasks end through the engine, with the store mounted, as they do without it."""
        tasks = self._held[: self._plan.played]
        self._tell(f"{len(tasks)} held-out tasks through the engine")
        played = self._world.play(self._rv, tasks, store=self._store, model=self._model)
        shown = self._stage("", tasks).results
        return sum(a.succeeded == b.succeeded for a, b in zip(played, shown, strict=True)), len(tasks)


def read_over(rv: reverie.Reverie, policy: Policy, proposals: Sequence[Proposal]) -> list[Proposal]:
    """The reviewer's rule: it stands in for the person who reads what no policy may apply, and approves what the policy
    would have applied had no tool's output had a hand in it. No policy applies that: an error's text is a tool's output,
    so all that is learned from errors waits for somebody."""
    approved: list[Proposal] = []
    for each in proposals:
        clean = replace(each, origins=tuple(origin for origin in each.origins if origin != "tool"))
        if each.tainted and rv.policies.why_not(policy, clean) is None:
            approved.append(
                rv.approve(
                    each.id, by="the reviewer's rule", note="nobody read it: a rule in a person's place"
                )
            )
    return approved


def mounted(rv: reverie.Reverie, texts: Mapping[str, str]) -> str | None:
    """A new store with these texts by path; None where there is none."""
    if not texts:
        return None
    store = rv.stores.create(STORE, actor=AUTHOR)
    for path, text in texts.items():
        rv.memories.create(store.id, path, text, actor=AUTHOR)
    return store.id


def shuffled(texts: Mapping[str, str], seed: int) -> dict[str, str]:
    """The words of all texts in another order, as many in each as before. What stands in backquotes is one word."""
    found = {path: _WORD.findall(text) for path, text in texts.items()}
    words = [word for each in found.values() for word in each]
    random.Random(f"shuffle {seed}").shuffle(words)  # noqa: S311
    left = iter(words)
    return {path: " ".join(islice(left, len(each))) for path, each in found.items()}


def _filler(length: int) -> str:
    return (_FILLER * (length // len(_FILLER) + 1))[:length]


def _newest(adopted: Sequence[Adopted]) -> list[Adopted]:
    """The last state of each memory."""
    return list({each.path: each for each in adopted}.values())


def _told(result: DreamResult) -> str:
    dream = result.dream
    return f"{dream.sessions} sessions, {len(result.findings)} findings, {len(result.proposals)} proposals"
