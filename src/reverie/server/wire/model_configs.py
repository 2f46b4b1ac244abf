"""Which model, and how it is used, on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Wire

__all__ = [
    "High",
    "Low",
    "Max",
    "Medium",
    "ModelAsk",
    "ModelConfig",
    "ModelConfigAsk",
    "ModelId",
    "Xhigh",
]

ModelId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]


class Low(Wire, tag_field="type", tag="low"):
    """Little effort."""


class Medium(Wire, tag_field="type", tag="medium"):
    """Some effort."""


class High(Wire, tag_field="type", tag="high"):
    """Much effort."""


class Xhigh(Wire, tag_field="type", tag="xhigh"):
    """Very much effort."""


class Max(Wire, tag_field="type", tag="max"):
    """All the effort there is."""


Effort: TypeAlias = Low | Medium | High | Xhigh | Max
EffortAsk: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"] | Effort


class ModelConfig(Wire):
    """A model and how to use it."""

    id: str
    effort: Effort | None
    inference_geo: str | None
    speed: Literal["standard", "fast"] | None


class ModelConfigAsk(Ask):
    """A model that is asked for, with more to say than its id."""

    id: ModelId
    effort: EffortAsk | None = None
    inference_geo: Annotated[str, Meta(max_length=64)] | None = None
    speed: Literal["standard", "fast"] | None = None


ModelAsk: TypeAlias = ModelId | ModelConfigAsk
