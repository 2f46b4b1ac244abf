"""What judging costs without the model: planning, briefing, accepting and settling, per criterion.

    python -m benchmarks.grading

The work is scanned for text addressed to the grader in each run; nothing is kept from one to the next. The same work
a second time (a later iteration, another vote) is cheaper, since a text is scanned once per process: told below.
"""

from __future__ import annotations

import hashlib
import random
import time
from typing import Any

from benchmarks.table import Row, print_table
from reverie.domain.outcomes import Criterion, Deliverable, Rubric, Work
from reverie.outcomes import briefing, evidence, planning, settling, suspicion, verdicts

__all__ = ["main"]

LIMIT_MS = 5.0
ROUNDS = 7
PLAIN, LETTERS, ABOUT = "a report", "a report, not ASCII", "nothing but words of grading"
ORDINARY = (
    "The pilot in region {n} began in March and cost {n} thousand euro so far.",
    "Two suppliers in district {n} delivered late, which moved the second phase by {n} days.",
    "Returns fell by a third after the change, and the hotline took {n} calls a week.",
    "| {n} | valve | 6 bar | tight | Ruiz |",
)
ABOUT_GRADING = (
    "Two of {n} reviewers found the evaluation criteria of the tender hard to apply.",
    "Customers in district {n} were satisfied with the delivery, and returns fell by a third.",
    "The judge gave {n} points for style, and the grader's rubric was revised in May.",
    "The pilot in region {n} began in March and cost {n} thousand euro so far.",
)


def _text(size: int, seed: int, kind: str) -> str:
    dice = random.Random(seed)
    lines: list[str] = []
    length = 0
    while length < size:
        line = dice.choice(ABOUT_GRADING if kind == ABOUT else ORDINARY).format(n=dice.randrange(10_000))
        lines.append(line.replace("euro", "€ – “Größe”") if kind == LETTERS else line)
        length += len(lines[-1]) + 1
    return "\n".join(lines)


def _work(size: int, seed: int, kind: str) -> Work:
    text = _text(size, seed, kind)
    sha = hashlib.sha256(text.encode()).hexdigest()
    return Work((Deliverable("report.md", len(text), sha, text),), "The report is done.")


def _answer(brief: briefing.Brief, work: Work) -> dict[str, Any]:
    lines = (work.deliverables[0].text or "").splitlines()
    judged: list[dict[str, Any]] = []
    for number, label in enumerate([*brief.criteria, *brief.controls]):
        met = label not in brief.controls
        proof = {"file": "report.md", "quote": lines[(number * 37) % len(lines)], "place": None}
        judged.append({
            "label": label, "status": "satisfied" if met else "not_satisfied", "proof": proof if met else None,
            "change": "" if met else "Name it.", "reason": "It does.", "confidence": 0.9,
        })  # fmt: skip
    return {"nonce": brief.nonce, "criteria": judged, "inapplicable": None, "summary": ""}


def _once(rubric: Rubric, work: Work) -> float:
    """Seconds of one evaluation."""
    start = time.perf_counter()
    seen = evidence.digest(work)
    criteria = planning.to_judge(rubric, (), set(), seen)
    notes = suspicion.examine(work)
    brief = briefing.make_brief(
        "Write a report.", rubric, criteria, work, nonce="ab" * 16, rng=random.Random(1)
    )
    paused = time.perf_counter()
    answer = _answer(brief, work)
    resumed = time.perf_counter()
    accepted = verdicts.accept(answer, brief, iteration=0, seen=seen)
    if not isinstance(accepted, verdicts.Accepted):
        raise SystemExit(f"the verdict was refused: {accepted.message}")
    current = planning.merged(rubric, accepted.criteria)
    planning.left_for_full_pass(rubric, current, seen)
    if settling.settle(rubric, current, notes, iteration=0, max_iterations=3).result != "satisfied":
        raise SystemExit("the work was to be satisfied")
    return time.perf_counter() - resumed + paused - start


def main() -> None:
    rows = [
        _row(size, count, kind)
        for size in (10_000, 400_000)
        for kind in (PLAIN, LETTERS, ABOUT)
        for count in (1, 20, 100)
    ]
    print_table("Judging, without the model: ms per criterion", rows)


def _row(size: int, count: int, kind: str) -> Row:
    rubric = Rubric("", [Criterion(f"c{n}", f"The part on topic {n} is complete.") for n in range(count)])
    _once(rubric, _work(size, 0, kind))
    first: list[float] = []
    again: list[float] = []
    for seed in range(1, ROUNDS + 1):
        work = _work(size, seed * 1_000 + count, kind)
        first.append(_once(rubric, work))
        again.append(_once(rubric, work))
    ms, then = (sorted(times)[ROUNDS // 2] * 1_000 / count for times in (first, again))
    what = f"{count} criteria, {size // 1_000} kB, {kind}"
    return Row(what, f"{ms:.2f} ms; again {then:.2f} ms", f"at most {LIMIT_MS:g} ms", ms <= LIMIT_MS)


if __name__ == "__main__":
    main()
