"""Access tokens are renewed at a small authorization server on loopback, and never seen where they should not."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from reverie.app import Reverie
from reverie.domain.errors import ToolServerDenied, ToolServerFailed
from reverie.storage.database import Database
from reverie.workspaces import sealing

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
SECRET = "client-secret-5f2a"


class Server(ThreadingHTTPServer):
    """An MCP server and its authorization server: a refresh token is good once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.count = 0
        self.good = "access-token-0"
        self.refresh = "refresh-token-0"
        self.forms: list[dict[str, str]] = []
        self.basic: list[str | None] = []
        self.fault: tuple[int, bytes] | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self._one = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def exchange(self, form: dict[str, str], basic: str | None) -> tuple[int, bytes]:
        self.asked.set()
        assert self.gate.wait(20)
        with self._one:
            self.forms.append(form)
            self.basic.append(basic)
            if self.fault is not None:
                return self.fault
            if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh:
                return 400, b'{"error": "invalid_grant", "error_description": "it was used: refresh-token-0"}'
            self.count += 1
            self.good, self.refresh = f"access-token-{self.count}", f"refresh-token-{self.count}"
            told = {"access_token": self.good, "refresh_token": self.refresh, "expires_in": 3_600}
            return 200, json.dumps({**told, "token_type": "Bearer"}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            status, answer = self.server.exchange(form, self.headers["authorization"])
        elif self.headers["authorization"] == f"Bearer {self.server.good}":
            assert json.loads(body)["method"] == "initialize"
            status, answer = 200, b'{"jsonrpc": "2.0", "id": 1, "result": {}}'
        else:
            status, answer = 401, f"who is {self.headers['authorization']}?".encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.gate.set()
        running.shutdown()
        thread.join()


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(db_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reverie]:
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())
    with opened(db_url, clock) as found:
        yield found


def opened(url: str, clock: Clock) -> Reverie:
    return Reverie(Database.open(url), clock=clock, allow=["127.0.0.1"], waker=lambda *_: None)


Made = tuple[str, str]


@pytest.fixture
def made(house: Reverie, server: Server) -> Callable[..., Made]:
    """Makes an OAuth credential; gives the ids of its vault and of itself."""

    def make(method: str = "client_secret_basic", **said: Any) -> Made:
        vault = house.vaults.create({"display_name": "v"}).id
        how: dict[str, Any] = {"type": method, **({} if method == "none" else {"client_secret": SECRET})}
        refresh = {
            "client_id": "me and you", "refresh_token": server.refresh, "scope": "read",
            "token_endpoint": f"{server.url}/token", "token_endpoint_auth": how,
            "resource": f"{server.url}/mcp",
        }  # fmt: skip
        auth = {
            "type": "mcp_oauth", "access_token": "access-token-0", "mcp_server_url": f"{server.url}/mcp",
            "expires_at": (START + timedelta(hours=1)).isoformat(), "refresh": refresh, **said,
        }  # fmt: skip
        return vault, house.credentials.create(vault, {"auth": auth}).id

    return make


def shown(house: Reverie, server: Server, vault: str, refused: str | None = None) -> str:
    headers = house.bearers.of(f"{server.url}/mcp", {"vault_ids": [vault]})
    told = {} if refused is None else {"authorization": f"Bearer {refused}"}
    return asyncio.run(_given(headers(told)))["authorization"]


async def _given(waited: Any) -> Any:
    return await waited


# ---------------------------------------------------------------------- when


def test_a_token_is_renewed_shortly_before_it_expires(
    house: Reverie, server: Server, made: Any, clock: Clock
) -> None:
    vault, credential = made()
    assert shown(house, server, vault) == "Bearer access-token-0" and server.forms == []
    clock.now += timedelta(minutes=59, seconds=30)
    assert shown(house, server, vault) == shown(house, server, vault) == "Bearer access-token-1"
    (form,) = server.forms
    assert form == {
        "grant_type": "refresh_token", "refresh_token": "refresh-token-0", "scope": "read",
        "resource": f"{server.url}/mcp",
    }  # fmt: skip
    body = house.credentials.get(vault, credential).body
    assert datetime.fromisoformat(body["auth"]["expires_at"]) == clock.now + timedelta(hours=1)
    assert (house.secrets.read(credential, "refresh_token"), body["renewing"]) == ("refresh-token-1", None)


def test_a_token_that_the_server_refused_is_renewed_and_a_newer_one_is_taken(
    house: Reverie, server: Server, made: Any
) -> None:
    vault, _ = made()
    assert shown(house, server, vault, "access-token-0") == "Bearer access-token-1"
    assert shown(house, server, vault, "access-token-0") == "Bearer access-token-1"  # of an older request
    assert len(server.forms) == 1


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_each_way_to_say_who_asks(house: Reverie, server: Server, made: Any, method: str) -> None:
    vault, _ = made(method)
    shown(house, server, vault, "access-token-0")
    (form,), (basic,) = server.forms, server.basic
    pair = base64.b64encode(f"me%20and%20you:{SECRET}".encode()).decode()
    assert basic == (f"Basic {pair}" if method == "client_secret_basic" else None)
    assert form.get("client_secret") == (SECRET if method == "client_secret_post" else None)
    assert form.get("client_id") == (None if method == "client_secret_basic" else "me and you")


def test_without_a_refresh_token_there_is_only_the_token(house: Reverie, server: Server, made: Any) -> None:
    vault, _ = made(refresh=None)
    assert shown(house, server, vault, "access-token-0") == "Bearer access-token-0"


# ---------------------------------------------------------------------- one at a time


def test_many_at_once_in_two_houses_make_one_renewal(
    house: Reverie, server: Server, made: Any, db_url: str, clock: Clock
) -> None:
    vault, _ = made()
    server.gate.clear()
    with opened(db_url, clock) as other:
        given: list[str] = []
        threads = [
            threading.Thread(target=lambda h=h: given.append(shown(h, server, vault, "access-token-0")))
            for h in (house, other, house, other)
        ]
        for thread in threads:
            thread.start()
        assert server.asked.wait(20)
        server.gate.set()
        for thread in threads:
            thread.join(20)
    assert given == ["Bearer access-token-1"] * 4
    assert len(server.forms) == 1


def test_the_lease_of_one_who_died_ends(house: Reverie, server: Server, made: Any, clock: Clock) -> None:
    vault, credential = made()
    turn: Any = house.bearers._renewer._take(credential, "access-token-0")
    assert turn.access_token == "access-token-0"
    assert house.bearers._renewer._take(credential, "access-token-0") is None
    clock.now += timedelta(minutes=1)
    assert shown(house, server, vault, "access-token-0") == "Bearer access-token-1"
    house.bearers._renewer._keep(turn, None)  # it comes back: nothing is lost by it
    assert shown(house, server, vault) == "Bearer access-token-1"


# ---------------------------------------------------------------------- what goes wrong


def test_a_refusal_says_what_to_do_and_is_not_asked_again_at_once(
    house: Reverie, server: Server, made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vault, credential = made()
    server.refresh = "another"
    for _ in range(3):
        with pytest.raises(ToolServerDenied, match=r"HTTP 400, invalid_grant[\s\S]*sign in") as told:
            shown(house, server, vault, "access-token-0")
        assert "token-0" not in str(told.value)
    assert len(server.forms) == 1
    assert "token-0" not in caplog.text and SECRET not in caplog.text
    server.refresh = "refresh-token-new"
    change = {"auth": {"type": "mcp_oauth", "refresh": {"refresh_token": server.refresh}}}
    house.credentials.update(vault, credential, change)  # a person signed in again
    assert shown(house, server, vault, "access-token-0") == "Bearer access-token-1"


@pytest.mark.parametrize("fault", [(503, b"later"), (429, b"{}")])
def test_an_endpoint_that_is_away_costs_nothing_while_the_token_lives(
    house: Reverie, server: Server, made: Any, clock: Clock, fault: tuple[int, bytes]
) -> None:
    vault, _ = made()
    server.fault = fault
    clock.now += timedelta(minutes=59, seconds=30)
    assert shown(house, server, vault) == "Bearer access-token-0"
    clock.now += timedelta(minutes=1)
    with pytest.raises(ToolServerFailed, match=f"HTTP {fault[0]}"):
        shown(house, server, vault)
    server.fault = None
    assert shown(house, server, vault) == "Bearer access-token-1"


@pytest.mark.parametrize(
    "answer",
    [b"", b"no", b"[]", b'{"access_token": ""}', b'{"access_token": "a\\nb"}', b'{"access_token": 7}'],
)
def test_an_answer_without_a_token_changes_nothing(
    house: Reverie, server: Server, made: Any, answer: bytes
) -> None:
    vault, credential = made()
    server.fault = (200, answer)
    with pytest.raises(ToolServerDenied, match="holds no token"):
        shown(house, server, vault, "access-token-0")
    assert house.secrets.read(credential, "access_token") == "access-token-0"


def test_what_was_archived_meanwhile_keeps_no_secret(house: Reverie, server: Server, made: Any) -> None:
    vault, credential = made()
    server.gate.clear()
    told: list[BaseException] = []

    def ask() -> None:
        try:
            shown(house, server, vault, "access-token-0")
        except Exception as error:
            told.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert server.asked.wait(20)
    house.credentials.archive(vault, credential)
    server.gate.set()
    thread.join(20)
    assert len(told) == 1
    assert house.resources.write(lambda conn: house.secrets.names(conn, credential)) == set()


def test_a_token_endpoint_in_our_own_network_is_not_asked(house: Reverie, server: Server, made: Any) -> None:
    vault, credential = made()
    auth = house.credentials.get(vault, credential).body["auth"]["refresh"]
    assert auth["token_endpoint"].startswith("http://127.0.0.1")
    house.validator._renewer._outbound = type(house.validator._renewer._outbound())  # nothing is allowed
    with pytest.raises(ToolServerFailed, match="https"):
        shown(house, server, vault, "access-token-0")
    assert server.forms == []


# ---------------------------------------------------------------------- validation


def validated(house: Reverie, made: Made) -> Any:
    return asyncio.run(house.validator.validate(*made))


def test_a_token_that_is_taken_is_valid(house: Reverie, server: Server, made: Any) -> None:
    found = validated(house, made())
    assert (found.status, found.probed, found.refresh, found.has_refresh_token) == (
        "valid",
        False,
        None,
        True,
    )


def test_a_token_that_is_refused_is_renewed_and_tried_again(
    house: Reverie, server: Server, made: Any
) -> None:
    server.good = "none yet"
    found = validated(house, made())
    assert (found.status, found.probed, found.refresh.status) == ("valid", False, "succeeded")


def test_a_renewal_that_is_refused_is_invalid_and_shows_both_answers_masked(
    house: Reverie, server: Server, made: Any
) -> None:
    server.good, ids = "none yet", made()
    server.refresh = "another"
    found = validated(house, ids)
    assert (found.status, found.probed, found.refresh.status) == ("invalid", True, "failed")
    assert (found.failed.status_code, found.refresh_failed.status_code) == (401, 400)
    assert "who is" in found.failed.body and "invalid_grant" in found.refresh_failed.body
    assert "token-0" not in found.failed.body + found.refresh_failed.body + found.reason


def test_nobody_there_says_nothing_about_the_token(house: Reverie, server: Server, made: Any) -> None:
    ids = made(mcp_server_url="http://127.0.0.1:9/mcp")
    found = validated(house, ids)
    assert (found.status, found.probed, found.failed, found.refresh) == ("unknown", True, None, None)


def test_without_a_refresh_token_a_refusal_is_invalid(house: Reverie, server: Server, made: Any) -> None:
    server.good = "none yet"
    found = validated(house, made(refresh=None))
    assert (found.status, found.refresh.status, found.has_refresh_token) == (
        "invalid",
        "no_refresh_token",
        False,
    )


# ---------------------------------------------------------------------- as a session meets it


def test_a_session_is_told_that_its_server_wants_a_new_sign_in(
    house: Reverie, server: Server, made: Any
) -> None:
    server.good = "none yet"
    vault, _ = made()
    server.refresh = "another"
    link = house.mcp({"name": "docs", "url": f"{server.url}/mcp"}, {"vault_ids": [vault]})

    async def story() -> None:
        try:
            await link.tools()
        finally:
            await link.close()

    with pytest.raises(ToolServerDenied, match=r"invalid_grant[\s\S]*sign in") as told:
        asyncio.run(story())
    assert "token-0" not in str(told.value)
    assert len(server.forms) == 1
