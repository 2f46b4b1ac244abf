"""The one table of all pages. A screen's file makes its rows; here they are only put together."""

from __future__ import annotations

from typing import Final

from reverie.console import acting, audit, dreams, evidence, inbox, memory, proposals, session, sessions
from reverie.console.visits import Page

__all__ = ["PAGES"]

PAGES: Final[tuple[Page, ...]] = (
    *inbox.PAGES,
    *proposals.PAGES,
    *evidence.PAGES,
    *sessions.PAGES,
    *session.PAGES,
    *acting.PAGES,
    *dreams.PAGES,
    *memory.PAGES,
    *audit.PAGES,
)
