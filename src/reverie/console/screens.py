"""The one table of all pages. A screen's file makes its rows; here they are only put together."""

from __future__ import annotations

from typing import Final

from reverie.console import (
    acting,
    audit,
    bulk,
    dreaming,
    dreams,
    evidence,
    inbox,
    memory,
    outcomes,
    policies,
    proposals,
    remembering,
    schedules,
    session,
    sessions,
    settings,
    teams,
)
from reverie.console.visits import Page

__all__ = ["PAGES"]

PAGES: Final[tuple[Page, ...]] = (
    *inbox.PAGES,
    *bulk.PAGES,
    *proposals.PAGES,
    *evidence.PAGES,
    *sessions.PAGES,
    *session.PAGES,
    *acting.PAGES,
    *outcomes.PAGES,
    *teams.PAGES,
    *dreaming.PAGES,
    *schedules.PAGES,
    *dreams.PAGES,
    *memory.PAGES,
    *remembering.PAGES,
    *audit.PAGES,
    *settings.PAGES,
    *policies.PAGES,
)
