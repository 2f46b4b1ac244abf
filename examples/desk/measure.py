"""``python -m examples.desk measure``: success by kind of matter, without memory, with each remedy told, with all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from examples.desk.matters import KINDS
from examples.desk.remedies import EVERYTHING, REMEDIES
from examples.desk.world import Desk
from examples.prove.world import Played

__all__ = ["table"]


def table(count: int, seed: int) -> Iterator[str]:
    """Lines of two tables in Markdown, as they are known."""
    desk = Desk()
    tasks = desk.tasks("held out", count, seed)
    naive, told = desk.rehearse(tasks, ""), desk.rehearse(tasks, EVERYTHING)
    yield f"| kind ({count} matters) | naive | all told |"
    yield "|---|---|---|"
    for kind in KINDS:
        yield f"| {kind} | {_share(_of(naive, kind))} | {_share(_of(told, kind))} |"
    yield f"| **all** | **{_share(naive)}** | **{_share(told)}** |"
    yield ""
    yield "| remedy | matters it goes wrong in | told that alone | all but that |"
    yield "|---|---|---|---|"
    for name, remedy in REMEDIES.items():
        rest = "\n".join(text for other, text in REMEDIES.items() if other != name)
        alone, without = desk.rehearse(tasks, remedy), desk.rehearse(tasks, rest)
        wrong = sum(name in each.failures for each in naive)
        yield f"| {name} | {wrong / count:.0%} | {_share(alone)} | {_share(without)} |"
    yield ""
    yield f"fail whatever one does: {sum(_others(each) for each in naive) / count:.1%}"


def _of(played: Sequence[Played], kind: str) -> Sequence[Played]:
    return [each for each in played if each.task.kind == kind]


def _share(played: Sequence[Played]) -> str:
    return f"{sum(each.succeeded for each in played) / len(played):.0%}" if played else "–"


def _others(played: Played, known: Mapping[str, str] = REMEDIES) -> bool:
    return any(name not in known for name in played.failures)
