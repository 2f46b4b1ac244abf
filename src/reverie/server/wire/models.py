"""Models on the wire. What nobody has measured is null, not guessed."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = [
    "Model",
    "ModelList",
]

Lifecycle: TypeAlias = Literal["active", "deprecated", "retired"]


class Model(Wire):
    """A model that is configured here."""

    id: str
    allowed_fallback_models: list[str] | None
    capabilities: None
    created_at: Timestamp
    deprecated_at: Timestamp | None
    display_name: str
    lifecycle: Lifecycle
    line: None
    max_input_tokens: int | None
    max_tokens: int | None
    retires_at: Timestamp | None
    type: Literal["model"] = "model"


class ModelList(Ask):
    """A page of models."""

    after_id: str | None = None
    before_id: str | None = None
    lifecycle: Annotated[list[Lifecycle], Meta(max_length=3)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 20
