"""Runs a rubric's deterministic checks on a work.

Files are read before any command runs, and each check looks at the work as it was delivered. Commands run one
after another, in the rubric's order, in one copy: what one leaves there the next one finds, and no check of
another kind does. What could not be checked is never satisfied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from reverie.domain.errors import Invalid
from reverie.domain.outcomes import Check, Criterion, CriterionVerdict, Proof, Work
from reverie.outcomes.checks.commands import check_command
from reverie.outcomes.checks.documents import check_document
from reverie.outcomes.checks.files import check_files
from reverie.outcomes.checks.json import check_json
from reverie.outcomes.checks.looking import Found, Looking, Unchecked
from reverie.outcomes.checks.specs import (
    KINDS,
    CommandWants,
    FileWants,
    JsonWants,
    TextWants,
    wanted,
)
from reverie.outcomes.checks.text import check_text
from reverie.outcomes.documents.readers import Readers
from reverie.outcomes.files import Files
from reverie.plugins import Sandbox

__all__ = ["run_checks"]

_MOST_TOLD: Final = 10
_LONGEST: Final = 4_000


async def run_checks(
    criteria: Sequence[Criterion],
    work: Work,
    files: Files,
    sandbox: Sandbox | None,
    *,
    folder: str | None = None,
    iteration: int = 0,
    seen: str = "",
) -> list[CriterionVerdict]:
    """Verdicts on the criteria that have a check, in their order. Never raises on what is in the work.

    Args:
        criteria: of a rubric; those without a check are left out.
        work: whose message is looked at.
        files: the outputs, as they were delivered; not read any more when the first command runs.
        sandbox: where commands run, best a throw-away copy without network; None: they are not run.
        folder: where in it the outputs are, in which commands start; None: where the sandbox starts.
        iteration: what the verdicts say it is.
        seen: what the verdicts say they were made on.
    """
    asked = [(criterion, criterion.check) for criterion in criteria if criterion.check is not None]
    read = [(criterion, check) for criterion, check in asked if check.kind != "command"]
    found = await asyncio.to_thread(_looked_at, read, work, files) if read else {}
    for criterion, check in asked:
        if check.kind == "command":
            found[criterion.id] = await _run(check, sandbox, folder)
    return [_verdict(criterion, found[criterion.id], iteration, seen) for criterion, _ in asked]


def _looked_at(
    asked: Sequence[tuple[Criterion, Check]], work: Work, files: Files
) -> dict[str, Found | Unchecked]:
    with Readers() as readers:
        looking = Looking(files, work.message, readers)
        return {criterion.id: _examined(check, looking) for criterion, check in asked}


def _examined(check: Check, looking: Looking) -> Found | Unchecked:
    try:
        return _found(check, looking)
    except Unchecked as unchecked:
        return unchecked
    except Exception as error:  # noqa: BLE001  # a fault in a check must not end the grading, nor pass the work
        return Unchecked(f"the check failed: {type(error).__name__}: {str(error)[:300]}")


def _found(check: Check, looking: Looking) -> Found:
    if check.kind not in KINDS:
        raise Unchecked(f"there is no check of kind {check.kind!r}")
    wants = wanted(check, KINDS[check.kind])
    match wants:
        case FileWants():
            return check_files(wants, looking)
        case JsonWants():
            return check_json(wants, looking)
        case TextWants() if check.kind == "text":
            return check_text(wants, looking)
        case TextWants():
            return check_document(wants, looking)
        case _:
            raise Unchecked(f"a check of kind {check.kind!r} is not made by reading")


async def _run(check: Check, sandbox: Sandbox | None, folder: str | None) -> Found | Unchecked:
    try:
        return await check_command(wanted(check, CommandWants), sandbox, folder)
    except Unchecked as unchecked:
        return unchecked
    except Invalid as invalid:
        return Unchecked(f"the check cannot be made: {invalid}")
    except Exception as error:  # noqa: BLE001  # as above
        return Unchecked(f"the command was not run: {type(error).__name__}: {str(error)[:300]}")


def _verdict(criterion: Criterion, found: Found | Unchecked, iteration: int, seen: str) -> CriterionVerdict:
    proof: Proof | None = None
    change = reason = ""
    if isinstance(found, Unchecked):
        reason, change = str(found), found.change
    elif found.faults:
        proof = next((fault.proof for fault in found.faults if fault.proof is not None), None)
        told = [fault.change for fault in found.faults[:_MOST_TOLD]]
        more = len(found.faults) - len(told)
        change = "; ".join([*told, f"and {more} more"] if more else told)
    else:
        return CriterionVerdict(
            criterion.id, "satisfied", "check", found.proof, iteration=iteration, seen=seen
        )
    return CriterionVerdict(
        criterion.id,
        "not_satisfied",
        "check",
        proof,
        change=change[:_LONGEST],
        reason=reason[:_LONGEST],
        iteration=iteration,
        seen=seen,
    )
