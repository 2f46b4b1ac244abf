"""Whether there is anything left to spend. Asked in the transaction that begins a request, so that no two
threads can both take the last of it: each may be one request over, and no more.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from reverie.domain.events import JsonObject
from reverie.sessions.status import SessionState

__all__ = ["reached"]


def reached(state: SessionState, budget: JsonObject | None) -> bool:
    """Whether what was used has come up to the budget: ``max_list_cost`` in cents, or ``max_tokens``."""
    if budget is None:
        return False
    usage = state.usage
    tokens = budget.get("max_tokens")
    if tokens is not None:
        used = usage.input_tokens + usage.output_tokens + usage.ephemeral_5m_input_tokens
        if used + usage.cache_read_input_tokens + usage.ephemeral_1h_input_tokens >= int(tokens):
            return True
    limit = _cents(budget.get("max_list_cost"))
    return limit is not None and usage.list_cost is not None and Decimal(usage.list_cost) >= limit


def _cents(told: JsonObject | None) -> Decimal | None:
    try:
        return None if told is None else Decimal(str(told["amount"]))
    except (InvalidOperation, KeyError):
        return None
