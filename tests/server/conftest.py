"""A small API over a real house, in process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from tests.contract import serving
from tests.server.small import SMALL

from reverie.app import Reverie
from reverie.server.app import App, build
from reverie.server.settings import Settings
from reverie.storage.database import Database


class Ticker:
    """Seconds that go forward when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticker() -> Ticker:
    return Ticker()


@pytest.fixture
def reverie(sqlite_url: str, clock: Callable[[], Any], entropy: Callable[[int], bytes]) -> Iterator[Reverie]:
    with Reverie(Database.open(sqlite_url, clock=clock), clock=clock, entropy=entropy) as house:
        yield house


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def app(reverie: Reverie, settings: Settings, ticker: Ticker) -> App:
    return build(reverie, settings, endpoints=SMALL, now=ticker)


@pytest.fixture
def http(app: App) -> Iterator[httpx2.Client]:
    with serving.sync_http(app) as client:
        yield client
