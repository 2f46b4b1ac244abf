"""A memory service over each engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import SteppingClock

from reverie.memory.stores import MemoryService
from reverie.storage.database import Database


@pytest.fixture
def memory(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> MemoryService:
    return MemoryService(db, clock=clock, entropy=entropy)
