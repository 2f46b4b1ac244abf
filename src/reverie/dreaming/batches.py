"""A batch of sessions as stored, to observations as JSON: the same function here and in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from reverie.domain.sessions import Session
from reverie.plugins import Observer
from reverie.storage import events as event_rows
from reverie.storage.codec import dumps

__all__ = ["Batch", "observed"]

Batch: TypeAlias = Sequence[tuple[Session, Sequence[event_rows.Link]]]
"""Sessions with their events, as raw rows in order."""


def observed(batch: Batch, observer: Observer) -> list[str]:
    """The observations of a batch, in its order, as the JSON that is kept of them."""
    return [dumps(observer.observe(s, [event_rows.read(link) for link in links])) for s, links in batch]
