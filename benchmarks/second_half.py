"""``python -m benchmarks.second_half [FOLDER]``: what a dream over the first half of real transcripts would have
prevented in the second.

The sessions of a folder (by default ``../shared/data/claude-code``) are split by the time they began. A dream reads
the first half and writes with the templates. Each memory that it proposes is taken as adopted at that moment; each
session of the second half in which the mistake that it speaks of was made is one that had the memory before its eyes
first, and made it (nobody told it then). Beside it: as many of the most frequent error messages of the first half, as a
list without a dream would have them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import reverie
from reverie.domain.observations import Observation
from reverie.domain.trials import Marks
from reverie.dreaming.observing import Observing
from reverie.dreaming.trials.marks import hit, marks_of
from reverie.mining.observe import SessionObserver

FOLDER: Final = Path("../shared/data/claude-code")
_WIDTH: Final = 76


@dataclass(frozen=True, slots=True)
class Line:
    """One memory, and the mistake that it speaks of: the sessions in which it was made, and how often."""

    title: str
    tainted: bool
    before: int
    after: int
    times: int


def main(folder: Path) -> None:
    """Print the table."""
    with TemporaryDirectory() as temporary, reverie.open(Path(temporary) / "r.db") as rv:
        rv.import_paths(folder)
        dated = sorted(
            (s for s in rv.log.sessions() if s.info.started_at), key=lambda s: str(s.info.started_at)
        )
        half = len(dated) // 2
        dream = rv.dream(sessions=[session.id for session in dated[:half]])
        seen = Observing(rv.database, SessionObserver()).observe(dated, lambda done, total: None)
        first, second = seen[:half], seen[half:]
        lines = [
            _line(rv, each.title, each.findings, each.tainted, first, second) for each in dream.proposals
        ]
        _print(folder, dated[half].info.started_at, first, second, [line for line in lines if line])


def _line(
    rv: reverie.Reverie,
    title: str,
    findings: Iterable[str],
    tainted: bool,
    first: Sequence[Observation],
    second: Sequence[Observation],
) -> Line | None:
    found = rv.finding(next(iter(findings)))
    mine = [each for each in first if each.session_id in found.sessions]
    marks = marks_of(found, mine)
    if not (marks.templates or marks.remarks):
        return None
    after = [each for each in second if hit(each, marks)]
    times = sum(_times(each, marks) for each in after)
    return Line(title, tainted, sum(hit(each, marks) for each in first), len(after), times)


def _times(observation: Observation, marks: Marks) -> int:
    """How often the mistake was made in a session; at least once."""
    return max(1, sum(template in marks.templates for template in _templates(observation)))


def _templates(observation: Observation) -> Iterator[str]:
    for call in observation.calls:
        if call.failure is not None:
            yield call.failure.template
            yield from (each.template for each in call.also)


def _print(
    folder: Path,
    at: object,
    first: Sequence[Observation],
    second: Sequence[Observation],
    lines: Sequence[Line],
) -> None:
    print(f"\n### {folder.name}: {len(first)} sessions before {at:%Y-%m-%d}, {len(second)} from then on\n")
    print(
        "| memory, as the dream over the first half words it | sessions before | sessions after | times after |"
    )
    print("|---|---|---|---|")
    for line in sorted(lines, key=lambda each: -each.after):
        mark = " *" if line.tainted else ""
        print(f"| {line.title[:_WIDTH]}{mark} | {line.before} | {line.after} | {line.times} |")
    came = [line for line in lines if line.after]
    print("\n\\* untrusted text had a hand in it: a person has to read it first")
    print(
        f"\n{len(came)} of {len(lines)} memories would have applied in the second half before the mistake was made again."
    )
    frequent = Counter(template for each in first for template in {*_templates(each)}).most_common(len(lines))
    again = sum(any(template in {*_templates(each)} for each in second) for template, _ in frequent)
    print(f"Of the {len(frequent)} most frequent error messages of the first half, {again} came again.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
