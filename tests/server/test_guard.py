"""Who comes in: names, pages, limits of a rate; and the two paths that are for everybody."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.contract import serving
from tests.server.conftest import Ticker
from tests.server.small import SMALL
from tests.server.test_requests import refused

from reverie.app import Reverie
from reverie.server.app import App, build
from reverie.server.auth import ALL_SCOPES, Principal
from reverie.server.limits import RateLimits
from reverie.server.settings import Settings, is_loopback

FOREIGN = ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", "", "[::2]", "0.0.0.0", "localhost@evil.example", "evil.example.", "2130706433"]  # fmt: skip
OURS = ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "localhost."]  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/v1/things", "/health", "/openapi.json"])
def test_a_foreign_name_that_resolves_to_loopback_reaches_nothing(
    http: httpx2.Client, host: str, path: str
) -> None:
    refused(http.get(path, headers={"host": host}), 403, "permission_error")


@pytest.mark.parametrize("host", OURS)
def test_our_own_names_are_answered(http: httpx2.Client, host: str) -> None:
    assert http.get("/v1/things", headers={"host": host}).status_code == 200


PAGES: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"origin": "http://localhost:8000"}, 200),
    ({"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}, 200),
    ({"sec-fetch-site": "none"}, 200),
    ({"origin": "http://localhost:9999"}, 403),
    ({"origin": "http://localhost"}, 403),
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "http://evil.example:8000"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": ""}, 403),
    ({"origin": "file://"}, 403),
    ({"origin": "http://["}, 403),
    ({"origin": "http://[::1"}, 403),
    ({"origin": "http://localhost:8000.evil.example"}, 403),
    ({"origin": "http://localhost:8000@evil.example"}, 403),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
    ({"origin": "http://localhost:8000", "sec-fetch-site": "cross-site"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), PAGES)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_pages_of_other_sites_change_and_read_nothing(
    http: httpx2.Client, headers: dict[str, str], status: int, kind: str, method: str
) -> None:
    answer = http.request(
        method, "/v1/things", content=b'{"name": "x"}', headers={**headers, "content-type": kind}
    )
    if status == 403:
        refused(answer, 403, "permission_error")
    elif method == "POST":
        assert answer.status_code == (200 if kind == "application/json" else 415)
    else:
        assert answer.status_code == (200 if method == "GET" else 405)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_behind_a_proxy_its_name_is_allowed_and_then_a_key_is_needed(reverie: Reverie) -> None:
    app = build(reverie, Settings(hosts=frozenset({"reverie.example"})), endpoints=SMALL)
    with serving.sync_http(app) as http:
        named = http.get("/v1/things", headers={"host": "reverie.example"})
        refused(named, 401, "authentication_error")
        refused(http.get("/v1/things"), 401, "authentication_error")
        refused(http.get("/v1/things", headers={"host": "other.example"}), 403, "permission_error")


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.com", False),
        ("", False),
        ("::ffff:127.0.0.1", False),
    ],
)
def test_what_is_loopback(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone
    assert Settings(host=host).keyless == alone


def test_health_and_openapi_are_for_everybody_and_only_to_be_read(http: httpx2.Client) -> None:
    health = http.get("/health").json()
    assert health["status"] == "ok" and health["ready"] and health["database"]["kind"] == "sqlite"
    assert http.get("/openapi.json").json()["openapi"] == "3.1.0"
    refused(http.post("/health", json={}), 405)


def test_health_says_when_the_database_does_not_answer(http: httpx2.Client, reverie: Reverie) -> None:
    reverie.close()
    answer = http.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable" and not answer.json()["ready"]


def test_a_server_that_closes_is_not_ready_and_its_streams_end(app: App, http: httpx2.Client) -> None:
    with http.stream("GET", "/v1/things/newest") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "id: 1"
        transport: Any = http._transport
        transport.run(_close(app))
        assert "data: bye" in list(lines)
    assert http.get("/health").json()["status"] == "closing"


async def _close(app: App) -> None:
    app.running.close()
    app.running.close()


# ---------------------------------------------------------------------- rates


def _principal(key: str | None) -> Principal:
    return Principal(key, "wrkspc_default", ALL_SCOPES)


def _allowed(limits: RateLimits, principal: Principal, kind: str, tries: int) -> list[float]:
    """How long to wait, for each of the tries that was refused."""
    from reverie.domain.errors import RateLimited

    waits = []
    for _ in range(tries):
        try:
            limits.take(principal, kind)
        except RateLimited as error:
            waits.append(error.retry_after)
    return waits


def test_a_key_may_ask_so_often_and_then_as_often_as_it_comes_back(ticker: Ticker) -> None:
    limits = RateLimits(Settings(creates_per_minute=3, reads_per_minute=6), ticker)
    assert _allowed(limits, _principal("a"), "create", 4) == [20.0]
    assert _allowed(limits, _principal("a"), "read", 6) == []
    assert _allowed(limits, _principal("b"), "create", 3) == []
    ticker.now += 19
    assert _allowed(limits, _principal("a"), "create", 1) == [pytest.approx(1.0)]
    ticker.now += 1.001
    assert len(_allowed(limits, _principal("a"), "create", 2)) == 1
    ticker.now += 3600
    assert len(_allowed(limits, _principal("a"), "create", 5)) == 2  # never more than a minute's worth


def test_without_a_key_or_a_limit_nothing_is_counted(ticker: Ticker) -> None:
    assert _allowed(RateLimits(Settings(creates_per_minute=1), ticker), _principal(None), "create", 5) == []
    assert _allowed(RateLimits(Settings(creates_per_minute=0), ticker), _principal("a"), "create", 5) == []
