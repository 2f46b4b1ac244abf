"""One brief, worked on in one of three ways: as it is handed over, judged by its own writer, or by a grader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import reverie
from examples.documents.briefs import Brief
from examples.documents.policy import SATISFIED
from examples.documents.tools import Desk
from examples.documents.truth import is_good
from reverie.domain.events import PRIMARY_THREAD
from reverie.domain.outcomes import GraderSettings, Verdict

__all__ = ["GRADER", "ITERATIONS", "RUBRIC", "WAYS", "WRITER", "Done", "Way", "work"]

Way: TypeAlias = Literal["no grader", "own word", "graded", "graded in full"]
WAYS: Final[tuple[Way, ...]] = ("no grader", "own word", "graded")
RUBRIC: Final = Path(__file__).with_name("rubric.md")
WRITER: Final = "scripted:examples.documents.policy:drafter"
GRADER: Final = "scripted:examples.documents.policy:grader"
ITERATIONS: Final = 6
"""How often work is judged at most, by its writer too."""

_SYSTEM: Final = (
    "You write reports and decks for councils. Read the brief first; write each file with its tool, hand over the figures "
    "and sources, and make MANIFEST.txt last (sha256sum, in /mnt/session/outputs). When you are told what must change, "
    "change that and leave the rest."
)
_LOOK: Final = (
    "Look over what you handed over, criterion by criterion, and mend what does not meet its rubric. If nothing is left to "
    f"be mended, say: {SATISFIED}\n\nThe rubric:\n\n"
)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. ``good`` is the truth, whatever was said. ``calls`` and ``tokens`` of grading, by iteration."""

    result: str
    good: bool
    iterations: int
    files: Mapping[str, bytes]
    verdicts: Sequence[Verdict] = ()
    calls: Sequence[int] = ()
    tokens: Sequence[int] = ()
    session: reverie.RunSession | None = field(default=None, repr=False)

    @property
    def accepted(self) -> bool:
        """Whether whoever judged it let it pass."""
        return self.result in ("satisfied", "handed over")


async def work(
    brief: Brief,
    folder: Path,
    way: Way,
    *,
    model: str = WRITER,
    grader: str = GRADER,
    iterations: int = ITERATIONS,
    **where: Any,
) -> Done:
    """Have a brief worked on. ``folder`` is where it is laid; ``where`` is ``db`` or ``reverie``, as for
    ``Agent.run``."""
    brief.write(folder)
    writer = reverie.Agent(
        name="writer", model=model, system=_SYSTEM, tools=[*Desk(folder).tools, "bash", "read"]
    )
    if way == "no grader":
        session = await writer.run(brief.task, **where)
        return _done(brief, session, "handed over", 0)
    if way == "own word":
        return await _own_word(brief, writer, iterations, where)
    settings = GraderSettings(model=grader, full=way == "graded in full")
    pursuit = await reverie.pursue(
        brief.task, agent=writer, rubric=RUBRIC, grader=settings, max_iterations=iterations, **where
    )
    return _done(
        brief, pursuit.session, pursuit.result or "unfinished", len(pursuit.verdicts), pursuit.verdicts
    )


async def _own_word(brief: Brief, writer: reverie.Agent, iterations: int, where: dict[str, Any]) -> Done:
    """The writer looks over its own work until it is satisfied."""
    session = await writer.run(brief.task, **where)
    for iteration in range(1, iterations + 1):
        await session.send(_LOOK + RUBRIC.read_text("utf-8"))
        if SATISFIED in session.text:
            return _done(brief, session, "satisfied", iteration)
    return _done(brief, session, "max_iterations_reached", iterations)


def _done(
    brief: Brief, session: reverie.RunSession, result: str, iterations: int, verdicts: Sequence[Verdict] = ()
) -> Done:
    files = session.deliverables()
    calls, tokens = _spent(session)
    return Done(result, is_good(brief, files), iterations, files, verdicts, calls, tokens, session)


def _spent(session: reverie.RunSession) -> tuple[list[int], list[int]]:
    """Requests to the grader's model and their tokens, in and out, of each evaluation."""
    calls: list[int] = []
    tokens: list[int] = []
    for event in session.events:
        if event.type == "span.outcome_evaluation_start":
            calls.append(0)
            tokens.append(0)
        elif event.type == "span.model_request_end" and event.thread != PRIMARY_THREAD:
            used = event.payload["model_usage"]
            calls[-1] += 1
            tokens[-1] += used["input_tokens"] + used["output_tokens"]
    return calls, tokens
