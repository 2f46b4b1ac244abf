"""Which maker makes which model: by the provider in its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

from reverie.domain.errors import ConfigError
from reverie.plugins import MODELS, Model, ModelMaker

__all__ = ["ModelRegistry"]

_DEFAULT: Final = "default"


@runtime_checkable
class _Closing(Protocol):
    async def aclose(self) -> None: ...


class ModelRegistry:
    """Models by name. Each is made once; ``makers`` are those of ``plugins.load(MODELS)``, made.

        registry = ModelRegistry({name: maker() for name, maker in load(MODELS).items()})
        model = registry.model("ollama:qwen3")

    ``ollama:…`` is asked of the maker called ``ollama``, and of the one called ``default`` where there is none.
    """

    def __init__(self, makers: Mapping[str, ModelMaker]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Model] = {}

    def model(self, name: str) -> Model:
        """The model of that name (``provider:model``), the same one each time.

        Raises:
            ConfigError: an unknown model or provider, no key for it, or nobody makes such models here.
        """
        made = self._made.get(name)
        return made if made is not None else self._made.setdefault(name, self._maker(name).make(name))

    async def aclose(self) -> None:
        """Let go of the connections that the models keep open in this event loop. They may be used again."""
        for thing in (*self._made.values(), *self._makers.values()):
            if isinstance(thing, _Closing):
                await thing.aclose()

    def _maker(self, name: str) -> ModelMaker:
        provider, parted, model = name.partition(":")
        if not (provider and parted and model):
            raise ConfigError(
                f"the model {name!r} says no provider", hint="name it provider:model, like ollama:qwen3"
            )
        maker = self._makers.get(provider) or self._makers.get(_DEFAULT)
        if maker is None:
            raise ConfigError(
                f"nobody makes models of {provider!r}; makers: {', '.join(sorted(self._makers)) or 'none'}",
                where=MODELS,
                hint="install a plug-in for it, or reinstall reverie-agents",
            )
        return maker
