"""Briefs: what a report is to be about, as a folder with ``brief.md``, ``figures.xlsx`` and ``sources.md``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from openpyxl import Workbook

__all__ = ["FIGURES", "TOPICS", "Brief", "Claim", "Option", "Risk", "Step", "Topic", "make"]

FIGURES: Final = (
    "Cost in year one",
    "Running cost a year",
    "Saving a year",
    "Staff hours a week",
    "Users expected",
)
"""The labels of the sheet ``Figures``, from its second row on; their numbers stand beside them in column B."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What is decided on. ``term`` is an abbreviation that outsiders do not know, and what it stands for."""

    title: str
    place: str
    users: str
    today: str
    options: tuple[str, str, str]
    term: tuple[str, str]
    office: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that rests on a source, and the number of that source in ``sources.md``."""

    text: str
    figure: str
    source: int


@dataclass(frozen=True, slots=True)
class Option:
    """A way to go. ``reason`` is why it is rejected; empty for the one that is recommended."""

    name: str
    about: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Risk:
    id: str
    text: str
    answer: str
    owner: str


@dataclass(frozen=True, slots=True)
class Step:
    id: str
    text: str
    who: str
    when: str


@dataclass(frozen=True, slots=True)
class Brief:
    """One brief. All of it is a function of its number."""

    number: int
    topic: Topic
    options: Sequence[Option]
    recommended: Option
    figures: dict[str, int]
    months: Sequence[tuple[str, int, int, int]]
    claims: Sequence[Claim]
    sources: Sequence[str]
    risks: Sequence[Risk]
    steps: Sequence[Step]

    @property
    def title(self) -> str:
        return f"{self.topic.title}: a proposal"

    @property
    def people(self) -> list[str]:
        return sorted({risk.owner for risk in self.risks} | {step.who for step in self.steps})

    @property
    def text(self) -> str:
        """``brief.md``."""
        rejected = [f"{option.name}: {option.reason}" for option in self.options if option.reason]
        lines = [
            f"# Brief {self.number}: {self.topic.title}",
            "",
            f"For the council of {self.topic.place}. Today: {self.topic.today}.",
            f"Options: {', '.join(option.name for option in self.options)}.",
            f"Recommend {self.recommended.name}, for it costs least over its life. {' '.join(rejected)}",
            f"{self.topic.term[0]} stands for {self.topic.term[1]}; the council does not know that.",
            f"Responsible: {', '.join(self.people)}.",
            "",
            "Risks (what to do; who): ",
            *(f"- {r.id} {r.text}. {r.answer} ({r.owner})" for r in self.risks),
            "",
            "Next steps (who; when): ",
            *(f"- {s.id} {s.text} ({s.who}; {s.when})" for s in self.steps),
            "",
            "Findings, each with its source: ",
            *(f"- {c.text} [{c.source}]" for c in self.claims),
        ]
        return "\n".join(lines) + "\n"

    @property
    def sources_text(self) -> str:
        """``sources.md``."""
        return "\n".join(["# Sources", "", *self.sources]) + "\n"

    @property
    def task(self) -> str:
        """What is asked for."""
        return (
            f"Write a report and a deck on brief {self.number}, “{self.topic.title}”, for a council that has half an "
            "hour. `read_brief` shows the brief, the figures and the sources. Hand over report.docx (with the sections "
            "that the rubric names), deck.pptx, and figures.xlsx and sources.md unchanged, in /mnt/session/outputs, with "
            "a MANIFEST.txt of their SHA-256. Claim nothing that the brief does not bear out."
        )

    def write(self, folder: Path) -> None:
        """Make the folder of the brief."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "brief.md").write_text(self.text, "utf-8")
        (folder / "sources.md").write_text(self.sources_text, "utf-8")
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.title = "Figures"
        for row in [("Figure", "Value"), *self.figures.items()]:
            sheet.append(row)
        monthly = book.create_sheet("Monthly")
        for each in [("Month", "Users", "Cost", "Faults"), *self.months]:
            monthly.append(each)
        book.save(folder / "figures.xlsx")


def _topic(title: str, place: str, users: str, today: str, options: str, term: str, office: str) -> Topic:
    first, second, third = options.split(" | ")
    short, _, long = term.partition(" = ")
    return Topic(title, place, users, today, (first, second, third), (short, long), office)


TOPICS: Final = (
    _topic("Heating the indoor pool", "Aldersley", "guests of the pool", "a gas boiler of 1994 heats the pool",
           "a heat pump | a new gas boiler | heat from the dairy next door", "COP = coefficient of performance",
           "the technical department"),
    _topic("Buses at night", "Brackwater", "passengers", "the last bus leaves at ten in the evening",
           "a bus on call | an hourly night line | vouchers for taxis", "DRT = demand-responsive transport",
           "the transport office"),
    _topic("Meals at school", "Corvedale", "pupils", "a caterer brings meals from forty kilometres away",
           "a kitchen of our own | a nearer caterer | a kitchen shared with the hospital",
           "HACCP = hazard analysis and critical control points", "the office for schools"),
    _topic("Permits without paper", "Dunmore", "applicants", "applications for building permits come on paper",
           "the state's online service | a system of our own | scanning what comes on paper",
           "OCR = optical character recognition", "the building office"),
    _topic("Water meters", "Eastholm", "households", "meters are read by hand once a year",
           "meters with radio | reading by post card | reading by hand twice a year",
           "AMR = automatic meter reading", "the water works"),
    _topic("Opening hours of the library", "Fernhill", "readers", "the library closes at six",
           "an open library with door cards | a late shift on two days | a shelf of lockers for what was ordered",
           "RFID = identification by radio", "the library"),
    _topic("Lamps in the streets", "Garrowby", "residents", "sodium lamps burn all night",
           "lamps that dim when nobody passes | plain LED lamps | switching every second lamp off",
           "CMS = central management system", "the lighting office"),
    _topic("Salt on the roads", "Hexley", "drivers", "three depots store salt for the winter",
           "one depot with brine | the three depots as they are | buying the service",
           "RWIS = road weather information system", "the road office"),
)  # fmt: skip

_PEOPLE: Final = (
    "Ruth Ayala",
    "Tomas Berg",
    "Ines Caro",
    "Olu Dada",
    "Mara Ek",
    "Jon Falk",
    "Priya Gill",
    "Lea Horn",
)
_CLAIMS: Final = (
    "{pct} % of {users} asked for a change in the last survey",
    "{pct} % of what is spent today goes into repairs",
    "Of the towns that changed, {pct} % kept within their budget",
    "Complaints about the present state rose by {pct} % within two years",
    "In the trial of last winter, {pct} % of {users} were content with what they saw",
    "The work of {office} would fall by {pct} % once the change is made",
    "Prices of the equipment fell by {pct} % since the first tender",
    "{pct} % of the faults happen when nobody is on duty",
    "A grant of the state covers {pct} % of the investment",
    "Emissions would fall by {pct} % against today",
)  # fmt: skip
_BORNE_BY: Final = (1, 2, 3, 1, 4, 4, 5, 2, 6, 3)
_SOURCES: Final = (
    "Survey of {users}. {place}, 2025",
    "Accounts of {office}. {place}, 2025",
    "Twelve towns compared. Institute for Public Works, 2024",
    "Report on the trial. {office}, 2026",
    "Prices of municipal equipment. Federal Statistics, 2025",
    "Guide to grants. Ministry of the Interior, 2026",
)
_RISKS: Final = (
    ("The supplier delivers late", "Agree a penalty for each week"),
    ("The grant is refused", "Ask for it before the contract is signed"),
    ("{users} do not use what is new", "Show it to them at open days"),
    ("Costs rise during the works", "Keep a tenth of the sum in reserve"),
    ("{office} lacks the staff", "Train two people from each shift"),
    ("The old equipment fails before", "Rent a replacement for the winter"),
)
_STEPS: Final = (
    "Put the decision before the council", "Ask for the grant", "Publish the tender", "Train the staff",
    "Begin with one district",
)  # fmt: skip
_REASONS: Final = (
    "It is rejected because it ties the town to one supplier.",
    "It is rejected because it costs more over its life.",
    "It is rejected because it does nothing for those who come late.",
    "It is rejected because its savings rest on a price that may change.",
)
_MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                  "November", "December")  # fmt: skip


def make(number: int) -> Brief:
    """The brief of that number."""
    dice = random.Random(f"brief {number}")  # noqa: S311
    topic = TOPICS[number % len(TOPICS)]
    words = {"users": topic.users, "place": topic.place, "office": topic.office}
    percents = dice.sample(range(11, 79), len(_CLAIMS))
    claims = [
        Claim(_capital(text.format(pct=pct, **words)), f"{pct} %", source)
        for text, pct, source in zip(_CLAIMS, percents, _BORNE_BY, strict=True)
    ]
    chosen = dice.randrange(3)
    reasons = dice.sample(_REASONS, 3)
    options = [
        Option(name, _about(name, topic), "" if at == chosen else reasons[at])
        for at, name in enumerate(topic.options)
    ]
    return Brief(
        number, topic, options, options[chosen], _figures(dice), _monthly(dice), claims,
        _listed(claims, words), _risks(dice, words), _steps(dice),
    )  # fmt: skip


def _listed(claims: Sequence[Claim], words: dict[str, str]) -> list[str]:
    """Each source with the figures that it bears out."""
    told: list[str] = []
    for number, source in enumerate(_SOURCES, 1):
        borne = ", ".join(claim.figure for claim in claims if claim.source == number)
        told.append(f"[{number}] {_capital(source.format(**words))}. Figures: {borne}.")
    return told


def _about(name: str, topic: Topic) -> str:
    return (
        f"{_capital(name)} would replace what {topic.place} has today. {_capital(topic.office)} visited a town that runs it "
        "and spoke to those who keep it going. It needs a room, a contract and people who know it, and it can be begun "
        "in one district before the others follow."
    )


def _figures(dice: random.Random) -> dict[str, int]:
    cost = dice.randrange(210, 890) * 1_000 + dice.randrange(1, 10) * 100
    running = dice.randrange(31, 98) * 1_000 + dice.randrange(1, 10) * 100
    values = (
        cost,
        running,
        dice.randrange(41, 97) * 1_100 + 37,
        dice.randrange(21, 64),
        dice.randrange(2_100, 9_900),
    )
    return dict(zip(FIGURES, values, strict=True))


def _monthly(dice: random.Random) -> list[tuple[str, int, int, int]]:
    return [
        (month, dice.randrange(300, 900), dice.randrange(2_000, 9_000), dice.randrange(0, 30))
        for month in _MONTHS
    ]


def _risks(dice: random.Random, words: dict[str, str]) -> list[Risk]:
    return [
        Risk(f"R{at}", _capital(text.format(**words)), f"{answer}.", dice.choice(_PEOPLE))
        for at, (text, answer) in enumerate(_RISKS, 1)
    ]


def _steps(dice: random.Random) -> list[Step]:
    months = sorted(dice.sample(range(12), len(_STEPS)))
    return [
        Step(f"S{at}", text, dice.choice(_PEOPLE), f"{_MONTHS[month]} 2027")
        for at, (text, month) in enumerate(zip(_STEPS, months, strict=True), 1)
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
