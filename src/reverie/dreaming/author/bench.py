"""What the model does at one desk: its calls, each answered from what lies there. A function of the desk and the calls
in their order, and of nothing else: whoever goes on with a dream that was killed makes them again and is where it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from reverie.domain.dreams import Withheld
from reverie.domain.events import Json, JsonObject
from reverie.domain.findings import Finding, OriginClass
from reverie.dreaming.author.calls import (
    Call,
    Done,
    Leave,
    LookAtFinding,
    Propose,
    ReadMemory,
    ReadTranscript,
    SearchTranscripts,
    Suppose,
    parsed,
)
from reverie.dreaming.author.proposing import Judge, Unborne
from reverie.dreaming.author.reading import Reader, Shown
from reverie.dreaming.author.supposing import Supposing
from reverie.dreaming.author.telling import compact, finding_data, shown_topics
from reverie.dreaming.desk import Desk, Draft, topic_of

__all__ = ["Answer", "Bench", "names"]

_MOST_PROPOSALS: Final = 40


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave, for the model."""

    text: str
    is_error: bool = False


@dataclass(slots=True)
class Bench:
    """A desk at work. ``read`` are the origins of all that lay before the model so far, at the desks before too: it
    only grows. ``named`` are the findings by the names that the model has for them."""

    desk: Desk
    clean: bool
    named: dict[str, Finding]
    reader: Reader
    supposing: Supposing
    judge: Judge
    read: set[OriginClass]
    drafts: dict[str, tuple[Draft, ...]] = field(default_factory=dict[str, tuple[Draft, ...]])
    left_out: dict[str, tuple[Unborne, ...]] = field(default_factory=dict[str, tuple[Unborne, ...]])
    refused: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    left: dict[str, str] = field(default_factory=dict[str, str])
    done: bool = False
    idle_dones: int = 0

    def answer(self, name: str, given: JsonObject) -> Answer:
        """Make a call."""
        call = parsed(name, given)
        if isinstance(call, str):
            return Answer(call, is_error=True)
        said = self._made(call)
        return Answer(said, is_error=True) if isinstance(said, str) else self._shown(said)

    @property
    def used(self) -> bool:
        """Whether anything came of it."""
        return bool(self.drafts or self.left)

    @property
    def refusal(self) -> str | None:
        """Why nothing that was proposed holds, where something was."""
        whys = [why for _, why in self.refused.values()]
        return (
            f"nothing that the model proposed holds: {'; '.join(dict.fromkeys(whys))}"[:600] if whys else None
        )

    def written(self, why_not: str) -> list[Draft | Withheld]:
        """What came of it; ``why_not`` is why the rest of what lay there is not written."""
        return [*self.proposed(), *self.withheld(), *self.rest(why_not)]

    def proposed(self) -> Iterator[Draft]:
        """The drafts, in the order in which they were first proposed."""
        for drafts in self.drafts.values():
            yield from drafts

    def withheld(self) -> Iterator[Withheld]:
        """What the model left, and lines that nothing bears out."""
        for finding in self.desk.findings:
            if finding.id in self.left and not self._written(finding):
                yield Withheld(finding.id, finding.claim, f"left by the model: {self.left[finding.id]}")
        for path, (title, why) in self.refused.items():
            yield Withheld(
                self.desk.findings[0].id, title, f"proposed by the model for {path}, and not taken: {why}"
            )
        for path, lines in self.left_out.items():
            drafts = self.drafts.get(path)
            about = drafts[0].findings[0] if drafts else self.desk.findings[0].id
            for line in lines:
                yield Withheld(about, line.text, f"left out of what was proposed for {path}: {line.why}")

    def rest(self, why: str) -> Iterator[Withheld]:
        """What was neither written nor left."""
        yield from (Withheld(f.id, f.claim, why) for f in self.unwritten())

    def unwritten(self) -> list[Finding]:
        """Findings of topics of which nothing was written or left."""
        told = {topic_of(f) for f in self.desk.findings if f.id in self.left or self._written(f)}
        return [finding for finding in self.desk.findings if topic_of(finding) not in told]

    # ------------------------------------------------------------------ calls

    def _made(self, call: Call) -> Shown | str:
        said: Shown | str
        match call:
            case SearchTranscripts():
                said = self._search(call)
            case ReadTranscript():
                said = self.reader.stretch(call.event, call.before, call.after, clean=self.clean)
            case ReadMemory():
                said = self._memory(call.path)
            case LookAtFinding():
                said = self._look(call.finding)
            case Suppose():
                said = self._suppose(call)
            case Propose():
                said = self._propose(call)
            case Leave():
                said = self._leave(call)
            case Done():
                said = self._done()
        return said

    def _shown(self, shown: Shown) -> Answer:
        self.read |= shown.origins
        return Answer(compact(shown.data))

    def _search(self, call: SearchTranscripts) -> Shown | str:
        if call.among is None:
            return self.reader.search(call.words, None, clean=self.clean)
        finding = self.named.get(call.among)
        among: Collection[str] = finding.sessions if finding is not None else (call.among,)
        return self.reader.search(call.words, among, clean=self.clean)

    def _memory(self, path: str) -> Shown | str:
        found = next((memory for memory in self.desk.memories if memory.path == path), None)
        return (
            f"There is no memory at {path} here."
            if found is None
            else Shown({"path": path, "text": found.content})
        )

    def _look(self, name: str) -> Shown | str:
        finding = self.named.get(name)
        if finding is None:
            return f"There is no finding {name!r} here."
        shown = [self.reader.cited(each, clean=self.clean) for each in finding.evidence]
        against = [self.reader.cited(each, clean=self.clean) for each in finding.counter_evidence]
        told = {"for": [each.data for each in shown], "against": [each.data for each in against]}
        return Shown(told, frozenset(origin for each in (*shown, *against) for origin in each.origins))

    def _suppose(self, call: Suppose) -> Shown | str:
        """Attributes and numbers come from calls, which follow whatever an agent had read: they taint."""
        self.read |= {"agent", "tool"}
        about = None if call.finding is None else self.named.get(call.finding)
        if call.finding is not None and about is None:
            return f"There is no finding {call.finding!r} here."
        told = self.supposing.suppose(call, about)
        if not isinstance(told, Finding):
            return Shown(told)
        name = self.supposing.name_of(told)
        self.named[name] = told
        return Shown({"holds": finding_data(told, name)})

    def _propose(self, call: Propose) -> Shown | str:
        if call.path not in self.drafts and len(self.drafts) >= _MOST_PROPOSALS:
            return f"{_MOST_PROPOSALS} proposals are more than anybody reviews: nothing more is taken here."
        judged = self.judge.judge(call, tuple(sorted(self.read)))
        self.left_out.pop(call.path, None)
        self.drafts.pop(call.path, None)
        if judged.left_out:
            self.left_out[call.path] = judged.left_out
        if judged.problem is not None:
            self.refused[call.path] = call.title, judged.problem
            return f"Not taken: {judged.problem}"
        self.refused.pop(call.path, None)
        self.drafts[call.path] = judged.drafts
        told: dict[str, Json] = {"taken": [f"{draft.kind} {draft.path}" for draft in judged.drafts]}
        if judged.left_out:
            told["left_out"] = [{"line": each.text, "why": each.why} for each in judged.left_out]
        return Shown(told)

    def _leave(self, call: Leave) -> Shown | str:
        unknown = [name for name in call.findings if name not in self.named]
        self.left |= {self.named[name].id: call.why for name in call.findings if name in self.named}
        return (
            f"There is no finding {', '.join(unknown)} here; the others are left."
            if unknown
            else Shown("left")
        )

    def _done(self) -> Shown | str:
        if not (self.used or self.refused) and self.idle_dones == 0:
            self.idle_dones += 1
            return "Nothing was proposed, and nothing left with a reason. Do that first."
        self.done = True
        return Shown("done")

    def _written(self, finding: Finding) -> bool:
        return any(finding.id in draft.findings for draft in self.proposed())


def names(findings: Sequence[Finding], after: int) -> dict[str, Finding]:
    """Short names for the findings that are shown at a desk: F1, F2 …, on from ``after``."""
    shown = [finding for group in shown_topics(findings).values() for finding in group]
    return {f"F{after + number}": finding for number, finding in enumerate(shown, 1)}
