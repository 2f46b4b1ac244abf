"""Small works and rubrics for the tests of judging."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from reverie.domain.outcomes import (
    Check,
    Criterion,
    CriterionStatus,
    CriterionVerdict,
    Deliverable,
    Proof,
    Rubric,
    Work,
)
from reverie.outcomes.briefing import Brief, make_brief

__all__ = ["BUDGET", "REPORT", "RISKS", "RUBRIC", "answer", "brief_of", "judged", "work"]

BUDGET = Criterion("c_budget", "States the budget in euro.")
RISKS = Criterion("c_risks", "Names at least one risk.")
STYLE = Criterion("c_style", "Mentions no competitors by name.", must=False, weight=2.0)
OPENS = Criterion("c_opens", "Opens in LibreOffice.", check=Check("command", {"run": "true"}))
RUBRIC = Rubric("- States the budget in euro.\n- Names at least one risk.\n", (BUDGET, RISKS, STYLE, OPENS))
REPORT = "# Report\n\nThe budget is 40,000 euro.\nA risk is that the supplier is late.\n| part | 7 |\n"
NONCE = "7d1f0a52c3b94e6688d2a1e05b7c9f34"


def work(files: Mapping[str, str] | None = None, message: str = "It is done.") -> Work:
    made = [
        Deliverable(path, len(text), hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text)
        for path, text in sorted(({"report.md": REPORT} if files is None else files).items())
    ]
    return Work(tuple(made), message)


def brief_of(
    of: Work | None = None,
    criteria: Sequence[Criterion] = (BUDGET, RISKS),
    rubric: Rubric = RUBRIC,
    **more: Any,
) -> Brief:
    return make_brief(
        "Write a report.",
        rubric,
        criteria,
        work() if of is None else of,
        nonce=NONCE,
        rng=random.Random(7),
        **more,
    )


def judged(
    criterion: str, status: CriterionStatus = "satisfied", *, file: str | None = "report.md",
    quote: str | None = "The budget is 40,000 euro.", seen: str = "old", **more: Any,
) -> CriterionVerdict:  # fmt: skip
    change = "" if status in ("satisfied", "not_applicable") else "Do it."
    return CriterionVerdict(criterion, status, "grader", Proof(file, quote), change=change, seen=seen, **more)


def answer(brief: Brief, **statuses: str) -> dict[str, Any]:
    """A good verdict: the budget and the risk quoted, the planted criterion seen through."""
    quotes = {"c_budget": "The budget is 40,000 euro.", "c_risks": "A risk is that the supplier is late."}
    items: list[dict[str, Any]] = []
    for label, id_ in [*brief.labels.items(), *((label, "") for label in brief.controls)]:
        status = statuses.get(id_, "satisfied" if id_ else "not_satisfied")
        proof = (
            {"file": "report.md", "quote": quotes.get(id_), "place": None} if "not_" not in status else None
        )
        items.append({
            "label": label, "status": status, "proof": proof, "change": "" if status == "satisfied" else "Say it.",
            "reason": "So it is.", "confidence": 0.9,
        })  # fmt: skip
    return {"nonce": brief.nonce, "criteria": items, "inapplicable": None, "summary": "A short report."}
