"""A house on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.runtime.houses import House, house_on


@pytest.fixture
def house(db_url: str, clock: Any, entropy: Any) -> Iterator[House]:
    """Its sessions run; a test says with what."""
    with house_on(db_url, clock, entropy) as opened:
        opened.attend()
        yield opened  # type: ignore[misc]
