"""An opened house, and models that are programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import reverie

MODELS = Path(__file__).with_name("models.py")


@pytest.fixture
def house(sqlite_url: str) -> Iterator[reverie.Reverie]:
    with reverie.open(sqlite_url) as opened:
        yield opened


@pytest.fixture
def scripted() -> Callable[[str], str]:
    """The name of one of the models in ``models.py``."""
    return lambda name: f"scripted:{MODELS}:{name}"
