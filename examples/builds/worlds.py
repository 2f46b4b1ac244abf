"""Builds that never were: seeded logs of many kinds of project, with causes planted in them, and what is true.

A kind of project is a text in ``shapes/``. ``== phase NAME`` is what every build says, in order, ``== end`` how a
passing one ends, ``== failure CAUSE at PHASE`` what a failing one says from somewhere in that phase on. The first
column of a line tells: ``!`` a person would mark it as the failure's, ``*`` it comes several times, ``?`` in some
builds only, ``%`` a progress bar, redrawn with carriage returns. ``{slots}`` vary from line to line; those of an
*incident* (a missing artifact, a host that is down, a broken symbol) are the same in every build that it breaks.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["Build", "Truth", "World", "make", "truths", "write"]

SHAPES: Final = Path(__file__).parent / "shapes"
FAILING: Final = 0.3
SHARED: Final = frozenset({"dependency", "network", "checkout", "disk", "agent", "permission"})
"""Causes that break builds of many projects at once; the others are a project's own."""
_NAMED: Final = frozenset({"dependency", "network", "checkout"})  # the log names what is to blame


class Truth(msgspec.Struct, frozen=True):
    """What is wrong in a failed build: the cause, which incident it was, and the lines that tell of it."""

    cause: str
    incident: str
    lines: list[int]


@dataclass(frozen=True, slots=True)
class Build:
    """One build. ``truth`` is None where it passed."""

    name: str
    log: str
    truth: Truth | None


@dataclass(frozen=True, slots=True)
class World:
    """All builds, in the order in which they ran."""

    builds: Sequence[Build]


@dataclass(frozen=True, slots=True)
class _Incident:
    name: str
    cause: str
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Shape:
    clock: str
    phases: Sequence[tuple[str, Sequence[str]]]
    end: Sequence[str]
    failures: Mapping[str, tuple[str, Sequence[str]]]  # cause → phase, lines


@dataclass(frozen=True, slots=True)
class _Project:
    name: str
    shape: _Shape
    words: Sequence[str]


@dataclass(slots=True)
class _Paper:
    """A log while it is written: each line with its end, and which of them tell of the failure."""

    clock: Callable[[], str]
    text: list[str] = field(default_factory=list[str])
    wrong: list[int] = field(default_factory=list[int])

    def say(self, line: str, *, wrong: bool = False, end: str = "\n") -> None:
        self.text.append(f"{self.clock()}{line}{end}")
        if wrong:
            self.wrong.append(len(self.text))


def make(builds: int = 300, seed: int = 7) -> World:
    """So many builds of a dozen and more projects; the same for the same seed. Each project's first build passes."""
    dice = random.Random(seed)  # noqa: S311 (a world, not a secret)
    shapes = {path.stem: _shape(path) for path in sorted(SHAPES.glob("*.txt"))}
    projects = [
        _Project(f"{word}-{kind}", shape, dice.sample(_WORDS, 12))
        for kind, shape in shapes.items()
        for word in dice.sample(_WORDS, 2)
    ]
    shared = {
        cause: [_incident(cause, n, dice) for n in range(2 if cause in _NAMED else 1)]
        for cause in sorted(SHARED)
    }
    numbers = {project.name: 0 for project in projects}
    own: dict[str, _Incident] = {}
    made: list[Build] = []
    for k in range(builds):
        project = projects[k % len(projects)] if k < len(projects) else dice.choice(projects)
        numbers[project.name] += 1
        fails = k >= len(projects) and dice.random() < FAILING
        incident = _what_breaks(project, shared, own, dice) if fails else None
        made.append(_build(project, f"{project.name}_{numbers[project.name]}", incident, dice))
    return World(made)


def write(world: World, folder: Path) -> None:
    """Each build's log to ``logs/BUILD/pass.log`` or ``fail.log``, and what is true to ``truth.json``, where no
    specialist looks."""
    for build in world.builds:
        place = folder / "logs" / build.name
        place.mkdir(parents=True)
        name = "fail.log" if build.truth else "pass.log"
        (place / name).write_bytes(build.log.encode())
    told = {build.name: build.truth for build in world.builds if build.truth}
    (folder / "truth.json").write_bytes(msgspec.json.encode(told))


def truths(folder: Path) -> dict[str, Truth]:
    """What is true of the failed builds that ``write`` wrote."""
    return msgspec.json.decode((folder / "truth.json").read_bytes(), type=dict[str, Truth])


# ------------------------------------------------------------------ one build


def _build(project: _Project, name: str, incident: _Incident | None, dice: random.Random) -> Build:
    paper = _Paper(_clock(project.shape.clock, dice))
    fill = _filler(project, incident, dice)
    at, failing = project.shape.failures[incident.cause] if incident else ("", ())
    for phase, lines in project.shape.phases:
        if phase == at:
            _tell(paper, lines[: dice.randint(1, len(lines))], fill, dice)
            _tell(paper, failing, fill, dice)
            break
        _tell(paper, lines, fill, dice)
    else:
        _tell(paper, project.shape.end, fill, dice)
    truth = Truth(incident.cause, incident.name, paper.wrong) if incident else None
    return Build(name, "".join(paper.text), truth)


def _tell(paper: _Paper, lines: Sequence[str], fill: Callable[[str], str], dice: random.Random) -> None:
    for line in lines:
        mark, text = line[:1], line[3:]
        if mark == "%":
            for percent in range(0, 101, dice.choice((5, 10, 20))):
                paper.say(fill(text.replace("{percent}", str(percent))), end="\n" if percent == 100 else "\r")
        elif mark == "*":
            for _ in range(dice.randint(6, 40)):
                paper.say(fill(text))
        elif mark != "?" or dice.random() < 0.15:
            paper.say(fill(text), wrong=mark == "!")


def _clock(kind: str, dice: random.Random) -> Callable[[], str]:
    """What stands in front of each line: nothing, or the time in one of the ways of CI systems."""
    now = datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(seconds=dice.randrange(2_000_000))
    forms = {"github": "%Y-%m-%dT%H:%M:%S.%f0Z ", "gitlab": "%Y-%m-%dT%H:%M:%S.%fZ 00O ", "brackets": "[%Y-%m-%dT%H:%M:%S.%fZ] ", "time": "%H:%M:%S "}  # fmt: skip

    def tick() -> str:
        nonlocal now
        now += timedelta(milliseconds=dice.randrange(2_000))
        return now.strftime(forms[kind])

    return tick if kind in forms else lambda: ""


# ------------------------------------------------------------------ what breaks


def _what_breaks(
    project: _Project,
    shared: Mapping[str, Sequence[_Incident]],
    own: dict[str, _Incident],
    dice: random.Random,
) -> _Incident:
    """Half of the time what broke the project before, or breaks others too."""
    cause = dice.choice(sorted(project.shape.failures))
    if cause in shared:
        return dice.choice(shared[cause])
    known = f"{project.name}/{cause}"
    if known not in own or dice.random() < 0.4:
        own[known] = _incident(f"{cause} in {project.name}", len(own), dice, cause)
    return own[known]


def _incident(name: str, number: int, dice: random.Random, cause: str | None = None) -> _Incident:
    symbol = f"{dice.choice(_WORDS)}{dice.choice(_WORDS).title()}"
    dep = f"{dice.choice(_WORDS)}{dice.choice(('core', 'client', 'kit'))}"
    slots = {
        "symbol": symbol,
        "Symbol": symbol[:1].upper() + symbol[1:],
        "dep": dep,
        "Dep": dep.title(),
        "depversion": f"{dice.randint(2, 9)}.{dice.randint(0, 9)}.{dice.randint(0, 9)}",
        "host": f"{dice.choice(_WORDS)}.mirror.example.net",
        "limit": str(dice.choice((10, 30, 60))),
    }
    return _Incident(f"{name} #{number}", cause or name, slots)


# ------------------------------------------------------------------ words

_WORDS: Final = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "haven",
    "inlet",
    "jasper",
    "karst",
    "lumen",
    "maple",
    "north",
    "ochre",
    "pearl",
    "quartz",
    "ridge",
    "sable",
    "tidal",
    "umber",
    "vesper",
    "willow",
    "xenon",
    "yarrow",
    "zephyr",
    "atlas",
    "basil",
    "coral",
    "dune",
    "echo",
    "flint",
]
_SLOT: Final = re.compile(r"\{(\w+)\}")


def _filler(project: _Project, incident: _Incident | None, dice: random.Random) -> Callable[[str], str]:
    kinds: dict[str, Callable[[], str]] = {
        "n": lambda: str(dice.randint(2, 400)),
        "digit": lambda: str(dice.randint(0, 9)),
        "s": lambda: f"{dice.uniform(0.1, 90):.2f}",
        "ms": lambda: str(dice.randint(1, 4000)),
        "size": lambda: f"{dice.uniform(1, 900):.1f} {dice.choice(('kB', 'MB'))}",
        "hash": lambda: f"{dice.getrandbits(48):012x}",
        "version": lambda: f"{dice.randint(0, 9)}.{dice.randint(0, 20)}.{dice.randint(0, 9)}",
        "time": lambda: (
            f"2026-03-{dice.randint(1, 28):02}T{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:07Z"
        ),
        "percent": lambda: str(dice.randint(1, 100)),
        "word": lambda: dice.choice(project.words),
        "Word": lambda: dice.choice(project.words).title(),
        "words": lambda: " ".join(dice.sample(_WORDS, 3)),
        "project": lambda: project.name,
    }
    told = incident.slots if incident else dict[str, str]()

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return told[name] if name in told else kinds[name]() if name in kinds else found[0]

    return lambda text: _SLOT.sub(value, text)


# ------------------------------------------------------------------ shapes


def _shape(path: Path) -> _Shape:
    clock = "none"
    end: Sequence[str] = ()
    phases: list[tuple[str, Sequence[str]]] = []
    failures: dict[str, tuple[str, Sequence[str]]] = {}
    for title, lines in _sections(path.read_text("utf-8")):
        match title.split():
            case ["clock", kind]:
                clock = kind
            case ["phase", name]:
                phases.append((name, lines))
            case ["failure", cause, "at", name]:
                failures[cause] = (name, lines)
            case _:
                end = lines
    return _Shape(clock, phases, end, failures)


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    for section in re.split(r"(?m)^== ", text)[1:]:
        title, *lines = section.rstrip("\n").split("\n")
        yield title, lines
