"""Did a memory help: what its page shows of that, and its trials, begun, ended, withdrawn and resumed from there."""

from __future__ import annotations

from typing import Any, Final

from reverie.console.helping import marks, plot, said, stand
from reverie.console.rendering import link
from reverie.console.visits import Answer, Moved, Page, Visit
from reverie.domain.errors import Invalid, NotFound
from reverie.domain.memories import Memory
from reverie.domain.trials import BUDGET, SHARE
from reverie.dreaming.trials.service import Terms

__all__ = ["PAGES", "effect"]

_TRIALS: Final = 5
"""That are shown of a memory: the newest."""


def effect(visit: Visit, memory: Memory | None) -> dict[str, Any]:
    """What became of what the memory is about."""
    if memory is None or not visit.visitor.may("trials:read"):
        return {"course": None, "plot": None, "said": None, "stands": (), "terms": None}
    trials = visit.house.trials
    course = trials.course(memory.path, memory.store_id)
    histories = trials.of_memory(memory.path, memory.store_id)[:_TRIALS]
    stands = [stand(each, trials.standing(each.trial.id)) for each in histories]
    open_ = any(each.trial.status != "ended" for each in histories)
    return {
        "course": course,
        "plot": plot(course, marks(course, histories)),
        "said": said(course),
        "stands": stands,
        "terms": None if open_ else Terms(SHARE, BUDGET),
    }


def _act(visit: Visit) -> Answer:
    store_id, memory_id = visit.path["store_id"], visit.path["memory_id"]
    memory = visit.house.memories.get(store_id, memory_id)
    trials, form, what = visit.house.trials, visit.form, visit.form.get("what", "")
    why = form.get("why", "").strip() or None
    match what:
        case "begin":
            trials.begin(memory.path, store_id, by=visit.by, terms=_terms(visit))
        case "end":
            trials.end(_trial(visit, memory), by=visit.by, why=why)
        case "withdraw":
            trials.withdraw(_trial(visit, memory), by=visit.by, why=why)
        case "resume":
            trials.resume(_trial(visit, memory), by=visit.by, why=why)
        case _:
            raise Invalid("what", "begin, end, withdraw or resume", what[:64])
    return Moved(link(f"/memory/{store_id}/{memory_id}", did=what) + "#helped")


def _trial(visit: Visit, memory: Memory) -> str:
    """The trial that a form names, if it is one of this memory."""
    wanted = visit.form.get("trial", "")
    found = visit.house.trials.list(store_id=memory.store_id, memory_id=memory.id)
    if wanted not in {each.id for each in found}:
        raise NotFound(f"there is no trial {wanted[:64]!r} of this memory")
    return wanted


def _terms(visit: Visit) -> Terms:
    """
    Raises:
        Invalid: no numbers, or such as no trial can be run on.
    """
    share, budget = visit.form.get("share", ""), visit.form.get("budget", "")
    try:
        part, sessions = float(share) / 100, int(budget)
    except ValueError:
        raise Invalid(
            "share, budget", "a percentage and a number of sessions", f"{share[:20]}, {budget[:20]}"
        ) from None
    return Terms(part, sessions)


PAGES: Final = (Page("POST", "/memory/{store_id}/{memory_id}/trial", _act, "trials:write"),)
