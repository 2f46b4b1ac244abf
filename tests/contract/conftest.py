"""The vendor's own client against our API, in process; and a strict reading of what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from tests.contract import both, serving
from tests.contract.strictness import strict as _strict
from tests.contract.tenants import Tenant

from reverie.app import Reverie
from reverie.server.app import App, build
from reverie.server.settings import Settings
from reverie.storage.database import Database
from reverie.workspaces import sealing


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """The database behind the API: SQLite, unless a test asks for both engines with
    ``@pytest.mark.parametrize("database_url", ENGINES, indirect=True)`` (``tests.contract.serving``)."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url


@pytest.fixture
def reverie(
    database_url: str, clock: Callable[[], Any], entropy: Callable[[int], bytes]
) -> Iterator[Reverie]:
    """The opened house that the API is over."""
    with Reverie(Database.open(database_url, clock=clock), clock=clock, entropy=entropy) as house:
        yield house


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def api(reverie: Reverie, settings: Settings) -> App:
    """The ASGI application."""
    return build(reverie, settings)


@pytest.fixture
def client(api: App) -> Iterator[anthropic.Anthropic]:
    """The synchronous SDK; its requests run on one event loop in a thread of its own."""
    with serving.sync_http(api) as http:
        yield anthropic.Anthropic(
            api_key="unused-on-loopback", base_url=serving.BASE, http_client=http, max_retries=0
        )


@pytest.fixture
def http(api: App) -> Iterator[httpx2.Client]:
    """A plain HTTP client on the same application, for what the SDK would not send."""
    with serving.sync_http(api) as http:
        yield http


@pytest.fixture
def async_client(api: App) -> anthropic.AsyncAnthropic:
    """The asynchronous SDK. Use it inside ``asyncio.run``; it holds nothing that needs closing."""
    return serving.async_client(api)


@pytest.fixture(params=["sync", "async"])
def sdk(request: pytest.FixtureRequest, api: App) -> Iterator[Any]:
    """The SDK, once as each of its clients; see ``tests.contract.both``."""
    if request.param == "sync":
        yield request.getfixturevalue("client")
    else:
        with both.settled(serving.async_client(api)) as client:
            yield client


@pytest.fixture
def strict() -> Callable[[Any, Any], None]:
    """``strict(answer, Model)``: see ``tests.contract.strictness.strict``."""
    return _strict


@pytest.fixture
def tenant(reverie: Reverie, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """A workspace with one of everything in it, whose requests are not counted."""
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())
    api = build(reverie, Settings(creates_per_minute=0, reads_per_minute=0))
    with serving.sync_http(api) as http:
        yield Tenant(reverie, http, "tenant")
