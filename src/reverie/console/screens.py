"""The one table of all pages. A screen's file makes its rows; here they are only put together."""

from __future__ import annotations

from typing import Final

from reverie.console import audit, dreams, evidence, inbox, memory, proposals, sessions
from reverie.console.visits import Page

__all__ = ["PAGES"]

PAGES: Final[tuple[Page, ...]] = (
    *inbox.PAGES,
    *proposals.PAGES,
    *evidence.PAGES,
    *sessions.PAGES,
    *dreams.PAGES,
    *memory.PAGES,
    *audit.PAGES,
)
