"""What a grader is worth and what judging again costs, on the world of documents (``examples/documents``).

    python -m benchmarks.documents [BRIEFS]      6 by default: some two minutes; the README's tables are of 20

Writer and grader are programs, so the figures show what the machinery does with them, not how good a model is. Tokens
are counted, four characters each.
"""

from __future__ import annotations

import sys

from examples.documents.compare import Cost, done_in, lines
from examples.documents.work import WAYS

from benchmarks.table import Row, print_table

__all__ = ["main"]

LIMIT = 0.5


def main() -> None:
    briefs = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    found = done_in([*WAYS, "graded in full"], range(1, briefs + 1))
    print("\n### Documents: who judges\n\n" + "\n".join(lines({way: found[way] for way in WAYS})))
    part, whole = Cost.of(found["graded"]), Cost.of(found["graded in full"])
    ratio = part.tokens / whole.tokens
    graded, own = (sum(done.good for done in found[way]) for way in ("graded", "own word"))
    print_table(
        f"Documents: later iterations, {briefs} briefs",
        [
            Row("truly good when graded; by the writer's own word", f"{graded}; {own}", "more", graded > own),
            Row("truly good, of those graded in full each time", f"{part.good} of {whole.good}", "as many",
                part.good >= whole.good),
            Row("tokens of later iterations, of full grading", f"{ratio:.2f}", f"at most {LIMIT:g}", ratio <= LIMIT),
            Row("model calls of later iterations, of full grading", f"{part.calls / whole.calls:.2f}"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
