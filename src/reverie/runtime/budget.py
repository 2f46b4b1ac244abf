"""Whether there is anything left to spend. Asked in the transaction that begins a request, so that no two
threads can both take the last of it: each may be one request over, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from reverie.domain.events import JsonObject
from reverie.plugins import Model
from reverie.sessions.pages import Page
from reverie.sessions.status import SessionState

__all__ = ["allows", "reached", "resume"]

_REACHED: Final[JsonObject] = {"type": "budget_reached"}
_GAVE_UP: Final[JsonObject] = {"type": "retries_exhausted"}


def allows(page: Page, thread: str, model: Model) -> bool:
    """Whether ``model`` may be asked once more; where not, the thread rests, and the log says why."""
    budget = page.budget
    if budget is not None and not model.priced and not budget.get("max_tokens"):
        _unheld(page, thread, model.name)
        return False
    if reached(page.state, budget):
        page.turn("idle", thread=thread, stop=_REACHED)
        return False
    return True


def reached(state: SessionState, budget: JsonObject | None) -> bool:
    """Whether what was used has come up to the budget: ``max_list_cost`` in cents, or ``max_tokens``."""
    if budget is None:
        return False
    tokens, money, spent = budget.get("max_tokens"), budget.get("max_list_cost"), state.usage.list_cost
    if tokens is not None and state.usage.tokens >= int(tokens):
        return True
    return money is not None and spent is not None and Decimal(spent) >= Decimal(str(money["amount"]))


def resume(page: Page, threads: Sequence[str]) -> None:
    """Let threads that the budget had stopped go on, where there is something left to spend."""
    if not reached(page.state, page.budget):
        for name in threads:
            if not page.state.threads[name].spent:
                page.turn("running", thread=name)


def _unheld(page: Page, thread: str, model: str) -> None:
    """A limit in money that nothing would ever come up to: better no answer than one without the limit."""
    message = (
        f"the budget is in money, and {model} has no list price: no request is made. "
        "Give the session a budget in tokens (max_tokens), with or without this one, or none"
    )
    told = {
        "type": "model_request_failed_error",
        "message": message,
        "retry_status": {"type": "exhausted"},
    }
    page.turn("running", thread=thread)
    page.say("session.error", {"error": told}, thread)
    page.turn("idle", thread=thread, stop=_GAVE_UP)
