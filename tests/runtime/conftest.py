"""A house on each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.runtime.houses import House, house_on


@pytest.fixture
def house(db_url: str) -> Iterator[House]:
    """Its sessions run; a test says with what."""
    with house_on(db_url) as opened:
        opened.attend()
        yield opened  # type: ignore[misc]
