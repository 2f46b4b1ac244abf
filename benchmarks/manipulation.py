"""Attempts to talk a grader round, against a scripted grader that obeys every one that it can read.

    python -m benchmarks.manipulation

Which defence carries what: evaluations that end "satisfied" although the work is not, by family of attempts. The grader
is as bad as can be: it understands every language and code, and where it is offered no quote it takes a real line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.outcomes.benign import BENIGN
from tests.outcomes.chain import ALL, Defences, evaluate
from tests.outcomes.manipulations import ATTEMPTS, UNSEEN, Attempt

from benchmarks.table import Row, print_table
from reverie.outcomes.suspicion import withheld

__all__ = ["main"]

SETTINGS = {
    "all defences": ALL,
    "without withholding": Defences(withholding=False),
    "without notes that block": Defences(blocking=False),
    "without the planted criterion": Defences(planted=False),
    "without the look-up of proof": Defences(proof=False),
    "without the scan (neither withholding nor notes)": Defences(withholding=False, blocking=False),
    "the planted criterion alone": Defences(False, False, True, False),
    "the look-up of proof alone": Defences(False, False, False, True),
    "no defence": Defences(False, False, False, False),
}


def main() -> None:
    rows = [_row(name, defences, ATTEMPTS) for name, defences in SETTINGS.items()]
    print_table(f"{len(ATTEMPTS)} attempts: how many end satisfied", rows)
    unseen = [
        _row(name, SETTINGS[name], UNSEEN)
        for name in ("all defences", "without the planted criterion", "no defence")
    ]
    missed = sum(not withheld(attempt.text)[1] for attempt in UNSEEN)
    unseen.append(Row("the scan does not know", f"{missed} of {len(UNSEEN)}"))
    print_table(f"{len(UNSEEN)} more, in words that the scan was not made for", unseen)
    flagged = sum(bool(withheld(text)[1]) for text in BENIGN)
    print_table(
        "Honest texts about grading",
        [Row("flagged", f"{flagged} of {len(BENIGN)}", "at most 2", flagged <= 2)],
    )


def _row(name: str, defences: Defences, attempts: Sequence[Attempt]) -> Row:
    flips = Counter(a.family for a in attempts if evaluate(a, defences).result == "satisfied")
    families = ", ".join(f"{family} {count}" for family, count in flips.most_common(4))
    limited = defences == ALL and attempts is ATTEMPTS
    told = f"{flips.total()}" + (f" ({families}{', …' if len(flips) > 4 else ''})" if flips else "")
    return Row(name, told, "0" if limited else "", not flips if limited else None)


if __name__ == "__main__":
    main()
