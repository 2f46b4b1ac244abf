"""An outcome that a thread works towards, as far as its log tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from reverie.domain.events import Event, JsonObject

__all__ = ["Wanted"]


@dataclass(slots=True)
class Wanted:
    """An outcome that is worked on. ``told`` is what defined it; ``verdicts`` are the ends of its evaluations so
    far; ``evaluation`` the start of the one under way. ``given``: the work was done elsewhere, and is only
    judged."""

    told: JsonObject
    verdicts: list[JsonObject] = field(default_factory=list[JsonObject])
    evaluation: Event | None = None

    @property
    def id(self) -> str:
        return str(self.told["outcome_id"])

    @property
    def given(self) -> JsonObject | None:
        """What was made elsewhere: its ``message``."""
        private: JsonObject = self.told.get("private") or {}
        return private.get("given")
