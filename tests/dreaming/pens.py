"""An author without a model: writes one memory a desk, and says what it used; fails and stops where a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from reverie.domain.dreams import Estimate, Wish, Withheld, Writing
from reverie.domain.errors import ModelFailed
from reverie.domain.findings import Finding
from reverie.domain.messages import Usage
from reverie.dreaming.authors import Study
from reverie.dreaming.desk import Desk, Draft, Reach

__all__ = ["Pen"]

NAME = "model/1:pen"


@dataclass
class Pen:
    """``fails``: the numbers of the desks it fails at, from 0. ``at_desk`` is called with the study at each desk, before
    anything is used. ``session``: makes the session of a sitting. ``guesses``: what its hypotheses turn out to be. ``cites``: how many of a desk's findings (None: all)."""

    fails: frozenset[int] = frozenset()
    at_desk: Callable[[Study, int], object] = lambda study, number: None
    session: Callable[[Study], str] = lambda study: f"sesn_of_{study.dream_id}_{study.after}"
    guesses: Sequence[Finding] = ()
    cites: int | None = None
    body: str = "Sign the form before you submit it."
    refuses: Exception | None = None
    asked: list[str] = field(default_factory=list[str])
    sat: list[Study] = field(default_factory=list[Study])
    left: int = 0

    def version(self, wish: Wish) -> str:
        return f"{NAME}:{wish.model}:{wish.instructions}"

    def estimate(self, study: Study) -> Estimate:
        return Estimate(1_000, 100, 50_000)

    @contextmanager
    def sit(self, study: Study) -> Iterator[_Sitting]:
        if self.refuses is not None:
            raise self.refuses
        self.sat.append(study)
        study.begun(self.session(study))
        yield _Sitting(self, study)
        self.left += 1


@dataclass
class _Sitting:
    pen: Pen
    study: Study
    desks: int = 0
    usage: Usage = field(default_factory=Usage)

    name = NAME

    @property
    def reach(self) -> Reach:
        return "dream"

    @property
    def writing(self) -> Writing:
        return Writing(str(self.study.wish.model), None, self.usage, self.pen.estimate(self.study))

    @property
    def hypotheses(self) -> Sequence[Finding]:
        return self.pen.guesses

    def write(self, desk: Desk) -> Sequence[Draft | Withheld]:
        number, self.desks = self.desks, self.desks + 1
        self.pen.at_desk(self.study, number)
        self.pen.asked.append(f"{desk.dream_id}#{number}")
        used = self.usage
        self.usage = replace(
            used, input=used.input + 100, output=used.output + 10, cache_read=used.cache_read + 5
        )
        self.study.going_on()
        if number in self.pen.fails:
            raise ModelFailed(f"no answer at desk {number}", retryable=False)
        cited = (*(f.id for f in self.pen.guesses), *(f.id for f in desk.findings[: self.pen.cites]))
        text = f"---\nkind: note\n---\n\n# Written {number}\n\n{self.pen.body}\n"
        return [
            Draft("add", f"/notes/written-{number}.md", f"Written {number}", text, f"written-{number}", cited)
        ]
