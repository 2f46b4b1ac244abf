"""A house with something to review, and the console over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
from tests.console.visiting import SAME, Visitor
from tests.contract import serving

from reverie.app import Reverie
from reverie.server.app import App, build
from reverie.server.settings import Settings
from reverie.storage.database import Database
from reverie.testing.desk import DeskClock, file_documents

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no browser: chromium is not installed (make browser)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="session")
def _dreamt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("console") / "dreamt.db"
    clock = DeskClock()
    with Reverie(Database.open(path), clock=clock, entropy=Random(7).randbytes) as house:
        for _ in file_documents(house.session, clock=clock, sessions=60, seed=7):
            pass
        house.dream()
    return path


@pytest.fixture
def house(tmp_path: Path, _dreamt: Path, clock: Callable[[], Any]) -> Iterator[Reverie]:
    """Sixty sessions, one dream, and what it proposed."""
    path = tmp_path / "home" / "reverie.db"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(_dreamt.read_bytes())
    with Reverie(Database.open(path), clock=clock, entropy=Random(8).randbytes) as found:
        yield found


@pytest.fixture
def empty(sqlite_url: str, clock: Callable[[], Any], entropy: Callable[[int], bytes]) -> Iterator[Reverie]:
    with Reverie(Database.open(sqlite_url, clock=clock), clock=clock, entropy=entropy) as found:
        yield found


@pytest.fixture
def app(house: Reverie) -> App:
    return build(house, Settings(), console=True)


@pytest.fixture
def http(app: App) -> Iterator[httpx2.Client]:
    with serving.sync_http(app) as client:
        yield client


@pytest.fixture
def visitor(http: httpx2.Client) -> Visitor:
    return Visitor(http, SAME)
