"""A house with sessions to dream of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.dreaming_author.house import filled

from reverie.app import Reverie


@pytest.fixture
def rv(tmp_path: Path) -> Iterator[Reverie]:
    with filled(tmp_path / "r.db") as opened:
        yield opened
