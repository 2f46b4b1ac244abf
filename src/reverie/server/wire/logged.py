"""What every event on the wire has."""

from __future__ import annotations

from reverie.server.wire.base import Timestamp, Wire

__all__ = ["Logged", "Said"]


class Said(Wire, tag_field="type"):
    """The base of what clients send: without a time while it waits."""

    id: str
    processed_at: Timestamp | None


class Logged(Wire, tag_field="type"):
    """The base of what happened."""

    id: str
    processed_at: Timestamp
