"""Models: those that are configured here. Nothing is claimed of them that nobody has said.

``$REVERIE_MODELS`` names them, parted by commas, each as ``provider:model`` (``ollama:qwen3``); the first one
stands in wherever an id says no provider, so that examples written for a vendor's ids run. Where it names some,
it names all: whoever may write an agent must not choose whom this machine talks to, pays, or which program it
loads. Where it names none, whatever a provider's key is there for may be used, but no address and no file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from reverie.domain.errors import NotFound

__all__ = ["MODELS", "Models"]

MODELS: Final = "REVERIE_MODELS"
"""The environment variable."""

_POINTS: Final = re.compile(r"^scripted:.*[/\\]|://")
"""Ids that say where: a file to be loaded, a server to be asked."""


class Models:
    """The configured models, in their order. ``told`` is what the variable says."""

    def __init__(self, told: str) -> None:
        self._ids = tuple(dict.fromkeys(part for each in told.split(",") if (part := each.strip())))
        self._allowed: set[str] = set()

    @property
    def ids(self) -> Sequence[str]:
        """All of them; the first one is the default."""
        return self._ids

    def allow(self, model_id: str) -> None:
        """Let one more be used in this process, because the person who runs it names it (``--model``)."""
        self._allowed.add(model_id)

    def resolve(self, model_id: str) -> str:
        """The model that an id means: itself, or the default for an id without a provider.

        An id with a provider is usable if it is configured or allowed, and, where nothing is configured, also if
        it says no address and no file.

        Raises:
            NotFound: it is none of that.
        """
        if model_id in self._ids or model_id in self._allowed:
            return model_id
        if ":" not in model_id and self._ids:
            return self._ids[0]
        if ":" in model_id and not self._ids and not _POINTS.search(model_id):
            return model_id
        known = ", ".join(self._ids) or "none is"
        raise NotFound(
            f"the model {model_id!r} is not configured here; configured: {known}",
            hint=f"name models in {MODELS}, like anthropic:claude-opus-5-5,ollama:qwen3",
        )
