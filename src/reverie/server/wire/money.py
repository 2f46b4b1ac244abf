"""Budgets and usage on the wire. Money is whole cents, as text."""

from __future__ import annotations

from typing import Annotated, Literal

from reverie.server.wire.base import UNSET, Ask, Meta, UnsetType, Wire

__all__ = ["Budget", "BudgetAsk", "CacheCreation", "Money", "MoneyAsk", "ServerToolUse", "SpanUsage", "Used"]


class Money(Wire):
    """An amount of money, in cents."""

    amount: str
    currency: Literal["USD"]


class MoneyAsk(Ask):
    """An amount of money, in whole cents."""

    amount: Annotated[str, Meta(pattern="^[1-9][0-9]{0,14}$")]
    currency: Literal["USD"]


class Budget(Wire, tag_field="type", tag="limit"):
    """The most that a session may cost at list prices, or use in tokens; either or both."""

    max_list_cost: Money | UnsetType = UNSET
    max_tokens: str | UnsetType = UNSET


class BudgetAsk(Ask, tag_field="type", tag="limit"):
    """A budget that is asked for. ``max_tokens`` is ours: tokens read, written and cached, as a whole number."""

    max_list_cost: MoneyAsk | UnsetType = UNSET
    max_tokens: Annotated[str, Meta(pattern="^[1-9][0-9]{0,14}$")] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.max_list_cost is UNSET and self.max_tokens is UNSET:
            raise ValueError("Object missing required field `max_list_cost` (or `max_tokens`)")


class CacheCreation(Wire):
    """Tokens that went into prompt caches, by how long those live."""

    ephemeral_1h_input_tokens: int | None
    ephemeral_5m_input_tokens: int | None


class ServerToolUse(Wire):
    """How often the server's own web tools were used."""

    web_fetch_requests: int | None
    web_search_requests: int | None


class Used(Wire):
    """What a session or a thread used so far."""

    active_seconds: float | None
    cache_creation: CacheCreation | None
    cache_read_input_tokens: int | None
    input_tokens: int | None
    list_cost: Money | None
    output_tokens: int | None
    server_tool_use: ServerToolUse | None


class SpanUsage(Wire):
    """The tokens of one model request, or of one evaluation."""

    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    input_tokens: int
    output_tokens: int
    speed: Literal["standard", "fast"] | None = None
