"""Every route, with every kind of caller that must not pass: refused before its handler and before its body.

Generated from the table of routes: a new route is tested by being there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.contract import serving

from reverie.app import Reverie
from reverie.domain.keys import SCOPE_NOUNS
from reverie.server.app import App, build
from reverie.server.endpoint import Endpoint
from reverie.server.public import PATHS
from reverie.server.routes import ENDPOINTS
from reverie.server.settings import Settings

TABLE = sorted(ENDPOINTS, key=lambda endpoint: (endpoint.path, endpoint.method))
NAMES = [f"{endpoint.method} {endpoint.path}" for endpoint in TABLE]


class Entered(Exception):
    """A handler ran that must not."""


def _entered(call: Any) -> Any:
    raise Entered(call.request.url.path)


@pytest.fixture
def refusing(reverie: Reverie) -> App:
    """The API with a bomb in the place of each handler."""
    return build(reverie, endpoints=[replace(endpoint, handle=_entered) for endpoint in TABLE])


@pytest.fixture
def callers(reverie: Reverie, clock: Any) -> dict[str, tuple[dict[str, str], int]]:
    """Headers, and the status that they must be refused with."""
    key = reverie.keys.create("good", by="ana", scopes=["audit:read"])
    revoked = reverie.keys.create("revoked", by="ana")
    reverie.keys.revoke(revoked.key.id, by="ana")
    expired = reverie.keys.create("expired", by="ana", expires_at=clock.now + timedelta(minutes=1))
    elsewhere = reverie.workspaces.create("gone", by="ana")
    archived = reverie.keys.create("archived", by="ana", workspace=elsewhere.id)
    reverie.workspaces.archive(elsewhere.id, by="ana")
    clock.now += timedelta(hours=1)
    flipped = key.token[:20] + ("x" if key.token[20] != "x" else "y") + key.token[21:]
    return {
        "no key": ({}, 401),
        "an empty key": ({"x-api-key": ""}, 401),
        "a key of the vendor's": ({"x-api-key": "sk-ant-api03-" + "x" * 90}, 401),
        "a mistyped key": ({"x-api-key": flipped}, 401),
        "a cut key": ({"x-api-key": key.token[:-1]}, 401),
        "a revoked key": ({"x-api-key": revoked.token}, 401),
        "an expired key": ({"authorization": f"Bearer {expired.token}"}, 401),
        "a key of an archived workspace": ({"x-api-key": archived.token}, 401),
        "another scheme": ({"authorization": f"Basic {key.token}"}, 401),
        "a key in the query alone": ({}, 401),
        "a wrong scope": ({"x-api-key": key.token}, 403),
    }


def _ask(app: App, endpoint: Endpoint, headers: dict[str, str], query: bytes = b"") -> tuple[int, bool]:
    """The status, and whether the body was looked at."""
    read = False

    async def receive() -> dict[str, Any]:
        nonlocal read
        read = True
        return {"type": "http.request", "body": b"{", "more_body": False}

    path = endpoint.path.replace("{", "").replace("}", "")
    return serving.ask(app, endpoint.method, path, receive, headers=headers, query=query), read


def test_whoever_must_not_pass_is_refused_before_the_handler_and_the_body(
    refusing: App, callers: dict[str, tuple[dict[str, str], int]]
) -> None:
    for endpoint in TABLE:
        for who, (headers, status) in callers.items():
            if who == "a wrong scope" and endpoint.scope == "audit:read":
                continue
            query = b"x-api-key=" + headers.get("x-api-key", "rvk_x").encode() if "query" in who else b""
            assert _ask(refusing, endpoint, headers, query) == (status, False), (endpoint.path, who)


def test_the_right_scope_and_no_more_than_it_passes(refusing: App, reverie: Reverie) -> None:
    """A key with exactly the scope of a route reaches its handler; with every other scope it does not."""
    every = [f"{noun}:{verb}" for noun in SCOPE_NOUNS for verb in ("read", "write")]
    for endpoint in TABLE:
        assert endpoint.scope in every, f"{endpoint.path}: {endpoint.scope} is no scope that a key can have"
    for scope in sorted({endpoint.scope for endpoint in TABLE}):
        right = reverie.keys.create("right", by="ana", scopes=[scope]).token
        wrong = reverie.keys.create(
            "wrong", by="ana", scopes=[other for other in every if other != scope]
        ).token
        endpoint = next(it for it in TABLE if it.scope == scope)
        assert _ask(refusing, endpoint, {"x-api-key": right})[0] != 403
        assert _ask(refusing, endpoint, {"x-api-key": wrong}) == (403, False)


def test_reading_needs_read_and_changing_needs_write() -> None:
    """Polling a work queue claims from it, though it is a GET; validating a credential changes nothing, nor does
    looking at many proposals, or an estimate of a dream."""
    odd = {it.path.split("/")[-1] for it in TABLE if (it.method == "GET") != it.scope.endswith(":read")}
    assert odd <= {"poll", "mcp_oauth_validate", "bulk_look", "estimate"}


@pytest.mark.parametrize(
    "path", ["/", "/v1/nothing", "/v1/skills", "/console", "/v1/agents/../../health", "/health/x"]
)
def test_paths_that_are_not_there_need_a_key_too(refusing: App, callers: dict[str, Any], path: str) -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was looked at")

    assert serving.ask(refusing, "GET", path, receive) == 401


def test_what_is_public_is_known(refusing: App, callers: dict[str, Any]) -> None:
    assert set(PATHS) == {"/health", "/openapi.json"}
    with serving.sync_http(refusing) as http:
        for path in PATHS:
            assert http.get(path).status_code == 200


def test_a_key_works_in_either_header_and_beside_one_of_the_vendors(reverie: Reverie) -> None:
    token = reverie.keys.create("good", by="ana").token
    with serving.sync_http(build(reverie)) as http:
        for headers in (
            {"x-api-key": token},
            {"authorization": f"Bearer {token}"},
            {"authorization": f"bearer  {token} "},
            {"x-api-key": "sk-ant-api03-of-the-environment", "authorization": f"Bearer {token}"},
            {"x-api-key": token, "authorization": "Bearer something-else"},
        ):
            assert http.get("/v1/agents", headers=headers).status_code == 200, headers


class Ticker:
    """Seconds that go forward when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_revoked_key_is_refused_within_a_second(reverie: Reverie) -> None:
    ticker, made = Ticker(), reverie.keys.create("good", by="ana")
    with serving.sync_http(build(reverie, now=ticker), {"x-api-key": made.token}) as http:
        assert http.get("/v1/agents").status_code == 200
        reverie.keys.revoke(made.key.id, by="ana")
        ticker.now += 1.0
        assert http.get("/v1/agents").status_code == 401


def test_with_the_first_key_the_time_without_one_is_over_for_good(reverie: Reverie) -> None:
    ticker = Ticker()
    with serving.sync_http(build(reverie, now=ticker)) as http:
        assert http.get("/v1/agents").status_code == 200
        made = reverie.keys.create("first", by="ana")
        ticker.now += 1.0
        assert http.get("/v1/agents").status_code == 401
        reverie.keys.revoke(made.key.id, by="ana")
        ticker.now += 1.0
        assert http.get("/v1/agents").status_code == 401


def test_beyond_loopback_nobody_is_let_in_without_a_key(reverie: Reverie) -> None:
    with serving.sync_http(build(reverie, Settings(host="0.0.0.0"))) as http:
        assert http.get("/v1/agents").status_code == 401
        assert http.get("/health").status_code == 200


def test_a_key_is_limited_and_told_when_to_come_again(reverie: Reverie) -> None:
    token = reverie.keys.create("good", by="ana").token
    app = build(reverie, Settings(reads_per_minute=2), now=Ticker())
    with serving.sync_http(app, {"x-api-key": token}) as http:
        assert [http.get("/v1/agents").status_code for _ in range(3)] == [200, 200, 429]
        answer = http.get("/v1/agents")
        assert answer.headers["retry-after"] == "30"
        assert answer.json()["error"]["type"] == "rate_limit_error"


def test_no_key_is_in_the_database_or_its_log(reverie: Reverie, sqlite_url: str) -> None:
    from pathlib import Path

    made = reverie.keys.create("good", by="ana")
    with serving.sync_http(build(reverie), {"x-api-key": made.token}) as http:
        http.get("/v1/agents")
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    kept = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert made.key.id.encode() in kept
    assert made.token[16:40].encode() not in kept
