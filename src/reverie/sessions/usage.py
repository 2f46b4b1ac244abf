"""What was used: tokens, requests and money, counted and added up."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

__all__ = ["Usage", "cents", "total"]


class Usage(msgspec.Struct, frozen=True):
    """What was used so far. ``list_cost`` is in cents, as a decimal text; None until a cost was told."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    list_cost: str | None = None

    @property
    def tokens(self) -> int:
        """All of them, read, written and cached: what a budget in tokens counts."""
        cached = self.cache_read_input_tokens + self.ephemeral_5m_input_tokens
        return self.input_tokens + self.output_tokens + cached + self.ephemeral_1h_input_tokens


def cents(told: object) -> str | None:
    """A cost as a decimal text; None where it is none."""
    try:
        return None if told is None else str(Decimal(str(told)))
    except InvalidOperation:
        return None


def total(usages: Iterable[Usage]) -> Usage:
    """All of them together."""
    found: dict[str, int] = {}
    cost: Decimal | None = None
    for usage in usages:
        for name in _COUNTERS:
            found[name] = found.get(name, 0) + getattr(usage, name)
        if usage.list_cost is not None:
            cost = (cost or Decimal(0)) + Decimal(usage.list_cost)
    return Usage(**found, list_cost=None if cost is None else str(cost))


_COUNTERS: Final = tuple(name for name in Usage.__struct_fields__ if name != "list_cost")
