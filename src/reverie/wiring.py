"""The wings, put together for the runtime: models, tools, sandboxes, whatever is installed.

With ``app`` and ``workspace`` the only file that knows them by name.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar, cast

from reverie.plugins import ENVIRONMENTS, MODELS, TOOLS, Environment, Model, ModelMaker, Tool, load
from reverie.runtime.house import Plugs

__all__ = ["plugs"]

T = TypeVar("T")


def plugs(resolve: Callable[[str], str]) -> Plugs:
    """Everything that is plugged in. ``resolve`` gives the full name of a model.

    Raises:
        ConfigError: a plug-in cannot be loaded.
    """
    from reverie.models.registry import ModelRegistry
    from reverie.tools.schemas import problems
    from reverie.tools.spilling import spill

    models = ModelRegistry(_made(MODELS, ModelMaker))

    def model(id: str) -> Model:
        return models.model(resolve(id))

    return Plugs(
        model=model,
        tools=_usable(_made(TOOLS, Tool)),
        environment=_environment(),
        validate=problems,
        spill=spill,
        sleep=asyncio.sleep,
        jitter=random.random,
    )


def _environment() -> Callable[[], Environment]:
    """Where tools run: found out when the first one runs, and once."""

    @cache
    def chosen() -> Environment:
        from reverie.environments.choosing import choose

        return choose(_made(ENVIRONMENTS, Environment), tenants=1, loopback=True)

    return chosen


def _usable(tools: Mapping[str, Tool]) -> Mapping[str, Tool]:
    """Without those that say why they cannot be used here: web_search, where there is nothing to search with."""
    return {name: tool for name, tool in tools.items() if _obstacle(tool) is None}


def _obstacle(tool: Tool) -> str | None:
    asked: Callable[[], str | None] | None = getattr(tool, "obstacle", None)
    return None if asked is None else asked()


def _made(group: str, kind: type[T]) -> Mapping[str, T]:
    return {name: cast(Callable[[], T], plug)() for name, plug in load(group).items()}
