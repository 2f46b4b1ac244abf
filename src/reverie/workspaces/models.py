"""Models: those that are configured here. Nothing is claimed of them that nobody has said.

``$REVERIE_MODELS`` names them, parted by commas, each as ``provider:model`` (``ollama:qwen3``); the first one
stands in wherever an id says no provider, so that examples written for a vendor's ids run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reverie.domain.errors import NotFound

__all__ = ["MODELS", "Models"]

MODELS: Final = "REVERIE_MODELS"
"""The environment variable."""


class Models:
    """The configured models, in their order. ``told`` is what the variable says."""

    def __init__(self, told: str) -> None:
        self._ids = tuple(dict.fromkeys(part for each in told.split(",") if (part := each.strip())))

    @property
    def ids(self) -> Sequence[str]:
        """All of them; the first one is the default."""
        return self._ids

    def resolve(self, model_id: str) -> str:
        """The configured model that an id means: itself, or the default for an id without a provider.

        Raises:
            NotFound: it is not configured, or nothing is.
        """
        if model_id in self._ids:
            return model_id
        if self._ids and ":" not in model_id:
            return self._ids[0]
        known = ", ".join(self._ids) or "none is"
        raise NotFound(
            f"the model {model_id!r} is not configured here; configured: {known}",
            hint=f"name models in {MODELS}, like anthropic:claude-opus-5-5,ollama:qwen3",
        )
