"""A draft: report and deck of a brief, as a competent writer makes them, and the gaps that a careless one leaves."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from examples.documents.briefs import FIGURES, Brief, Claim
from examples.documents.office import Section, Slide

__all__ = ["GAPS", "LOOSE", "OFTEN", "Draft", "make_draft"]

GAPS: Final = {
    "order": "Risks stand behind the recommendation",
    "missing": "there are no assumptions",
    "unresolved": "a citation has no reference",
    "uncited": "a reference is cited nowhere",
    "font": "a font of its own",
    "small": "a note of 7 pt",
    "long": "the background is told at length",
    "number": "two digits of a figure are swapped",
    "untitled": "a slide has no title",
    "wordy": "a slide is a page of text",
    "deck-number": "a figure of the deck is old",
    "untold": "the summary does not say what is recommended",
    "costless": "the summary does not say what it costs",
    "unreasoned": "an option is dropped without a reason",
    "unowned": "a risk has no owner",
    "undated": "a next step has no date",
    "unsourced": "a finding has no source",
    "misattributed": "a finding cites a source that says nothing of it",
    "contradiction": "the deck concludes something else",
    "term": "an abbreviation is not explained",
    "title": "no title in the properties",
    "manifest": "the manifest is of an older draft",
    "unowned-vaguely": "everybody owns a risk",
}
"""Kinds of gaps, and what each is."""
OFTEN: Final = tuple(kind for kind in GAPS if kind != "unowned-vaguely")
"""What drafts begin with; the other is what becomes of "unowned" where it is mended without thought."""
LOOSE: Final = ("title", "manifest", "term")
"""Gaps in what should be, and need not."""

_SECTIONS: Final = ("Summary", "Background", "Options", "Findings", "Costs", "Risks", "Recommendation", "Assumptions",
                    "Next steps", "Annex", "References")  # fmt: skip
_HISTORY: Final = (
    "The council asked for this report in spring, after {office} had told it that the present state cannot go on for "
    "long. {today}. What that means for {users} was heard at two meetings, one in the morning for those who work "
    "late and one in the evening for all others. Those who came said much the same: they do not mind how it is "
    "done, they mind that it can be relied on.",
    "Three things are known from the years before. What is old breaks when it is needed most, and the spare parts are "
    "made by one firm alone. Those who know how to keep it going will have retired before the end of the decade. And "
    "each year in which nothing is decided is paid for twice, once for keeping what there is and once for planning "
    "what could come.",
    "{place} is not alone in this. Towns of its size have gone different ways, and most of them were ready to "
    "say what they would do otherwise. Their advice is in this report where it bears on the question, with its "
    "source; what was told in confidence is not.",
    "The report was written by {office} with the help of those named in it. It went to the treasurer and to the "
    "staff council, whose remarks are worked in. It does not repeat what earlier papers said about the law, since "
    "nothing of that has changed.",
)
_ELABORATED: Final = (
    "The figure is that of the whole town; the districts differ little, and where they do it is for reasons that lie "
    "outside this question. It was put to {office}, which found it plausible and sees the same in its own books.",
    "Others who looked at the matter came to much the same result. The difference between their way of counting and "
    "ours is small, and it does not bear on the order in which the options stand.",
    "This was not expected when the work began, and it was looked at twice. The second look changed the words in "
    "which it is told here, and not what it comes to.",
    "Those who are concerned by it were asked whether they recognise themselves in it, and they do. What they added is "
    "in the minutes of the meetings, which the council has.",
    "It would be wrong to read more into it than it says: it tells how things are, and not why. The why is a matter of "
    "judgement, which is why the recommendation rests on several findings and on none alone.",
)
_FURTHER: Final = (
    "For the options it means this. Those that leave things as they are would leave this as it is too, and the town would "
    "speak of it again in a few years, with less time to choose. Those that change something change it at different "
    "speed, and the table under Costs says what that speed is worth. Who has to live with it until then was asked, and "
    "would rather wait a season for what lasts than have at once what has to be mended.",
    "There is another side to it. Some of those who were heard fear that what is new will be harder to use, and they have "
    "reason to, for it was so the last time something was changed. This time those who will work with it have seen it "
    "at work elsewhere, and what they asked for is in the list of what the supplier has to deliver. The staff council "
    "has looked at that list and agrees with it.",
    "It bears on the order of the options less than one would think. Whichever is taken, the same people have to be "
    "trained, the same rooms have to be cleared and the same contract has to be ended. What differs is how long both, the "
    "old and the new, have to be kept going side by side, and who answers for it when one of them fails in that time.",
    "What could be done about it at once was looked at as well. There are small remedies, and {office} has "
    "begun with them: they make the next winter easier and they change nothing about the years behind it. They are "
    "not counted among the options, since they cost next to nothing and will be done whatever the council decides.",
)
_HEARD: Final = (
    "A teacher said that children get used to whatever there is, and that it is their parents who ask. She would rather see "
    "the town do one thing well than three by halves, and she would like to be told beforehand and not from the paper.",
    "The owner of a shop at the market said that what costs customers is not the change but the weeks of it. He asked for a "
    "date and for somebody who can be called, and he said that he would bear with it if both were kept.",
    "A nurse who works nights said that whoever plans such things sleeps at the time that she speaks of. She offered to show "
    "anybody who wants to see it what a night is like, and two of those who wrote this report went with her.",
    "A man who has lived in {place} for sixty years said that all of this was promised before, in other words and by other "
    "people. He does not say that it cannot be done; he says that he will believe it when he sees it.",
    "Somebody who looks after her mother said that she cannot come at the hours at which things are open, and that it makes no "
    "difference to her how modern they are. For her the question is when, and nothing else.",
    "A student said that most of what the town does could be found out more easily, and that he had not known of the meeting "
    "but for his grandmother. He suggested that what is decided be told in one sentence first.",
    "One of those who work in {office} said that she likes her work and does not fear what is new. What she fears is doing both, "
    "the old and the new, for a year or more, with as many hands as now.",
    "The chair of the club said that volunteers are glad to help and are not there to fill gaps in the plan. He asked that the "
    "report say plainly what is to be done by people who are paid for it.",
    "A father of three said that he had counted what it costs him in time as it is, and that it comes to more than he had "
    "thought. He did not want to name a sum, for his time is not for sale.",
    "A woman in a wheelchair said that she is asked at every meeting and built in at none. The report has taken up what she "
    "proposed, word for word, in the list of what the supplier has to deliver.",
    "The one who drives for the town said that on paper all roads are dry. Whatever is decided should be tried in February, by "
    "those who have to do it then, and not in May by those who sell it.",
    "A pensioner said that she was treasurer of a firm for thirty years and that she had read the figures. She found them sound; "
    "she asked what happens should the grant not come, which is told under Risks.",
)
_DISTRICTS: Final = ("North", "East", "South", "West", "Centre")
_COSTS: Final = (
    "All sums are in euro and without tax. They were taken from the sheet that comes with this report, and whoever wants "
    "to follow them finds each step there.",
    "The sums hold for a start in the coming year. A later start changes the first of them, since prices of "
    "equipment and of work do not move together, and leaves the others as they are.",
    "The grant is not counted in. Should it come, it shortens the time after which the change has paid for itself; "
    "should it not, the order of the options stays the same.",
)
_ASSUMPTIONS: Final = (
    "The report takes for granted that the number of {users} stays what it is, that the law does not change, and that "
    "{office} keeps its staff. Should one of these fail, the question has to be looked at again.",
    "What is not known is how prices of energy and of work will move. Nobody could tell, so the report counts with those "
    "of today and says in the annex how the year before went, month by month.",
)


@dataclass(frozen=True, slots=True)
class Draft:
    """The arguments of ``write_report`` and of ``write_deck``."""

    title: str
    sections: list[Section]
    note: str
    font: str
    note_pt: float
    slides: list[Slide]


def make_draft(brief: Brief, gaps: Collection[str] = ()) -> Draft:
    """The draft of a brief with just these gaps. The same arguments make the same draft."""
    return _Writer(brief, frozenset(gaps)).draft()


class _Writer:
    def __init__(self, brief: Brief, gaps: frozenset[str]) -> None:
        self._brief = brief
        self._gaps = gaps
        topic = brief.topic
        self._words = {
            "users": topic.users,
            "place": topic.place,
            "office": topic.office,
            "today": topic.today[:1].upper() + topic.today[1:],
        }

    def draft(self) -> Draft:
        made = {
            "Summary": self._summary(),
            "Background": self._background(),
            "Options": self._options(),
            "Findings": self._findings(),
            "Costs": self._costs(),
            "Risks": self._risks(),
            "Recommendation": self._recommendation(),
            "Assumptions": self._said(*_ASSUMPTIONS),
            "Next steps": self._steps(),
            "Annex": self._annex(),
            "References": self._references(),
        }
        note = f"Figures: figures.xlsx, as of the day of this report. {self._brief.topic.place}."
        return Draft(
            "" if "title" in self._gaps else self._brief.title,
            [Section(heading=name, **made[name]) for name in self._order()],
            note,
            "Comic Sans MS" if "font" in self._gaps else "Calibri",
            7 if "small" in self._gaps else 9,
            self._slides(),
        )

    def _order(self) -> list[str]:
        names = [name for name in _SECTIONS if name != "Assumptions" or "missing" not in self._gaps]
        if "order" in self._gaps:
            names.remove("Risks")
            names.insert(names.index("Recommendation") + 1, "Risks")
        return names

    def _said(self, *texts: str, table: list[list[str]] | None = None) -> dict[str, list]:  # type: ignore[type-arg]
        return {"paragraphs": [text.format(**self._words) for text in texts], "table": table or []}

    # ------------------------------------------------------------------ the report

    def _summary(self) -> dict[str, list]:  # type: ignore[type-arg]
        brief, topic = self._brief, self._brief.topic
        short, long = topic.term
        texts = [
            f"{topic.title} has to be decided: {topic.today}. Three options were looked at with {topic.office} and "
            f"with those concerned, the {topic.users} of {topic.place}."
        ]
        if "untold" not in self._gaps:
            texts.append(f"We recommend {brief.recommended.name}.")
        if "costless" not in self._gaps:
            texts.append(
                f"In its first year it costs {brief.figures[FIGURES[0]]:,} euro; what it saves is told under Costs."
            )
        explained = short if "term" in self._gaps else f"{short} ({long})"
        texts.append(f"Figures on {explained} are in the annex of the tender and not in this report.")
        return {"paragraphs": texts, "table": []}

    def _background(self) -> dict[str, list]:  # type: ignore[type-arg]
        texts = [text.format(**self._words) for text in _HISTORY]
        if "unresolved" in self._gaps:
            texts[2] += " A study of the neighbouring county says the same [9]."
        if "long" in self._gaps:
            texts += [f"To put it at length once more. {text}" for text in texts * 6]
        return {"paragraphs": texts, "table": []}

    def _options(self) -> dict[str, list]:  # type: ignore[type-arg]
        texts: list[str] = []
        for option in self._brief.options:
            bare = "unreasoned" in self._gaps and option.name == self._rejected
            texts.append(
                " ".join(
                    filter(None, (f"Option: {option.name}.", option.about, "" if bare else option.reason))
                )
            )
        return {"paragraphs": texts, "table": []}

    @property
    def _rejected(self) -> str:
        return [option.name for option in self._brief.options if option.reason][self._brief.number % 2]

    def _findings(self) -> dict[str, list]:  # type: ignore[type-arg]
        claims = self._brief.claims
        dice = random.Random(f"findings {self._brief.number}")  # noqa: S311
        often = [each.source for each in claims]
        bare, wrong = dice.sample([each for each in claims if often.count(each.source) > 1], 2)
        texts: list[str] = []
        for at, claim in enumerate(claims):
            told = _ELABORATED[(at + self._brief.number) % len(_ELABORATED)].format(**self._words)
            cited = self._cited(claim, bare, wrong)
            further = _FURTHER[(at + self._brief.number) % len(_FURTHER)].format(**self._words)
            texts += [f"{claim.text}{cited}. {told}", further]
        return {"paragraphs": texts, "table": []}

    def _cited(self, claim: Claim, bare: Claim, wrong: Claim) -> str:
        if "unsourced" in self._gaps and claim is bare:
            return ""
        if "misattributed" in self._gaps and claim is wrong:
            return f" [{claim.source % len(self._brief.sources) + 1}]"
        return f" [{claim.source}]"

    def _costs(self) -> dict[str, list]:  # type: ignore[type-arg]
        figures = {label: f"{value:,}" for label, value in self._brief.figures.items()}
        if "number" in self._gaps:
            figures[FIGURES[2]] = _swapped(figures[FIGURES[2]])
        return self._said(
            *_COSTS, table=[["Figure", "Value"], *([label, text] for label, text in figures.items())]
        )

    def _risks(self) -> dict[str, list]:  # type: ignore[type-arg]
        rows = [["No.", "Risk", "What is done", "Owner"]]
        for at, risk in enumerate(self._brief.risks):
            owner = risk.owner
            if at == 1 + self._brief.number % 4 and "unowned" in self._gaps:
                owner = "–"
            elif at == 1 + self._brief.number % 4 and "unowned-vaguely" in self._gaps:
                owner = "Everybody"
            rows.append([risk.id, risk.text, risk.answer, owner])
        return self._said("What could go wrong, what is done about it, and who sees to that.", table=rows)

    def _recommendation(self) -> dict[str, list]:  # type: ignore[type-arg]
        name = self._brief.recommended.name
        return self._said(
            f"We recommend {name}. It answers what {{users}} asked for, it costs least over its life, and it can be begun "
            "in one district before the others follow."
        )

    def _steps(self) -> dict[str, list]:  # type: ignore[type-arg]
        rows = [["No.", "What", "Who", "By when"]]
        for at, step in enumerate(self._brief.steps):
            open_ = "undated" in self._gaps and at == self._brief.number % 5
            rows.append([step.id, step.text, step.who, "soon" if open_ else step.when])
        return self._said("If the council agrees, these steps follow.", table=rows)

    def _annex(self) -> dict[str, list]:  # type: ignore[type-arg]
        rows = [["Month", "District", "Users", "Cost", "Faults"]]
        for month, users, cost, faults in self._brief.months:
            for at, district in enumerate(_DISTRICTS):
                parts = ((count + at) // len(_DISTRICTS) for count in (users, cost, faults))
                rows.append([month, district, *map(str, parts)])
        intro = "What was heard at the two meetings, and then the year before, month by month and for each district."
        return self._said(intro, *_HEARD, table=rows)

    def _references(self) -> dict[str, list]:  # type: ignore[type-arg]
        entries = [entry.partition(" Figures:")[0] for entry in self._brief.sources]
        if "uncited" in self._gaps:
            entries.append("[7] Handbook of municipal works. Third edition, 2019.")
        return {"paragraphs": entries, "table": []}

    # ------------------------------------------------------------------ the deck

    def _slides(self) -> list[Slide]:
        brief, topic = self._brief, self._brief.topic
        figures = {label: f"{value:,}" for label, value in brief.figures.items()}
        if "deck-number" in self._gaps:
            figures[FIGURES[0]] = _swapped(figures[FIGURES[0]])
        question = [f"{topic.today[:1].upper()}{topic.today[1:]}.", "It cannot go on for long."]
        if "wordy" in self._gaps:
            question = [_HISTORY[1], _HISTORY[0].format(**self._words)]
        slides = [
            Slide(title=topic.title, points=[f"For the council of {topic.place}"]),
            Slide(title="The question", points=question),
            Slide(title="Three options", points=[option.name for option in brief.options]),
            Slide(title="What was found", points=[claim.text for claim in brief.claims[:4]]),
            Slide(title="Costs", points=[f"{label}: {figures[label]}" for label in (FIGURES[0], FIGURES[2])]),
            Slide(title="Next steps", points=[f"{step.text}: {step.who}" for step in brief.steps]),
            Slide(
                title="Conclusion",
                points=[f"We recommend {self._concluded}.", "It costs least over its life."],
            ),
        ]
        if "untitled" in self._gaps:
            slides[3]["title"] = ""
        return slides

    @property
    def _concluded(self) -> str:
        others = [option.name for option in self._brief.options if option.reason]
        return others[0] if "contradiction" in self._gaps else self._brief.recommended.name


def _swapped(number: str) -> str:
    """A number with two of its digits the other way round, which it is not then."""
    for at in range(len(number) - 1):
        a, b = number[at], number[at + 1]
        if a.isdigit() and b.isdigit() and a != b and not (at == 0 and b == "0"):
            return number[:at] + b + a + number[at + 2 :]
    return number + "0"
