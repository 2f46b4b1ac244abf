"""Who may come in, and whose forms are believed: nothing changes and nothing is shown to anybody else."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from tests.console.visiting import SAME, Visitor
from tests.contract import serving

from reverie.app import Reverie
from reverie.console.entry import own_path
from reverie.server.app import App, build
from reverie.server.settings import Settings

ELSEWHERE = [
    {},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:9999"},
    {"origin": "http://localhost:8000.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://localhost:8000", "sec-fetch-site": "cross-site"},
    {**SAME, "host": "evil.example"},
]
ACTIONS = ["approve", "modify", "reject", "undo", "check"]


@pytest.mark.parametrize("headers", ELSEWHERE)
@pytest.mark.parametrize("action", ACTIONS)
def test_forms_of_other_pages_change_nothing(
    visitor: Visitor, house: Reverie, headers: dict[str, str], action: str
) -> None:
    page = visitor.look(f"/proposals/{visitor.first()}")
    token = next(iter(page.forms.values()))["token"]
    before = house.audit(5)
    fields = {"token": token, "content": "x", "reason": "wrong"}
    address = f"/proposals/{visitor.first()}/{action}"
    assert visitor.http.post(address, data=fields, headers=headers).status_code == 403
    assert house.audit(5) == before


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é", "x" * 100_000])
@pytest.mark.parametrize("action", ACTIONS)
def test_forms_without_the_token_change_nothing(
    visitor: Visitor, house: Reverie, token: str | None, action: str
) -> None:
    before = house.audit(5)
    fields = {"content": "x", "reason": "wrong", **({} if token is None else {"token": token})}
    answer = visitor.http.post(f"/proposals/{visitor.first()}/{action}", data=fields, headers=SAME)
    assert answer.status_code == 403 and "nothing was changed" in answer.text
    assert house.audit(5) == before


def test_a_form_from_before_a_restart_is_told_so(visitor: Visitor, house: Reverie) -> None:
    proposal = visitor.first()
    page = visitor.look(f"/proposals/{proposal}")
    with serving.sync_http(build(house, console=True)) as again:
        answer = Visitor(again, SAME).send(page, f"/proposals/{proposal}/approve")
    assert answer.status_code == 403 and "started again" in answer.text
    assert house.review.get(proposal).status == "pending"


@pytest.mark.parametrize("path", ["/", "/sessions", "/inbox.json", "/static/console.css", "/login"])
def test_a_foreign_name_sees_nothing(http: httpx2.Client, path: str) -> None:
    answer = http.get(path, headers={"host": "evil.example"})
    assert answer.status_code == 403 and "upload" not in answer.text


def test_a_link_from_elsewhere_asks_before_it_opens(http: httpx2.Client) -> None:
    answer = http.get("/sessions?after=", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403 and 'href="/sessions?after="' in answer.text


def test_a_form_is_small_and_well_formed(visitor: Visitor) -> None:
    address = f"/proposals/{visitor.first()}/approve"
    assert visitor.http.post(address, content=b"a=" + b"x" * 1_100_000, headers=SAME).status_code == 413
    for body in (b"a=%ff", b"a=%00", "a=é".encode(), b"&".join(b"a%d=1" % n for n in range(500))):
        assert visitor.http.post(address, content=body, headers=SAME).status_code == 400


# ---------------------------------------------------------------------- with keys


@pytest.fixture
def key(house: Reverie) -> str:
    return house.keys.create("lead", by="test").token


@pytest.fixture
def guarded(house: Reverie, key: str) -> Iterator[httpx2.Client]:
    app: App = build(house, Settings(host="0.0.0.0", hosts=frozenset({"localhost"})), console=True)
    with serving.sync_http(app) as client:
        yield client


def _log_in(http: httpx2.Client, key: str, back: str = "/") -> httpx2.Response:
    return http.post("/login", data={"key": key, "back": back}, headers=SAME)


def _cookie(answer: httpx2.Response) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


PATHS = ["/", "/sessions", "/memory", "/dreams", "/audit", "/proposals/prop_x", "/inbox.json", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_without_a_key_there_is_only_the_door(guarded: httpx2.Client, path: str) -> None:
    answer = guarded.get(path)
    assert answer.status_code == 401 and 'name="key"' in answer.text and "upload" not in answer.text


def test_a_key_opens_and_its_cookie_is_closed_to_everybody_else(guarded: httpx2.Client, key: str) -> None:
    answer = _log_in(guarded, key, "/sessions?after=")
    assert answer.status_code == 303 and answer.headers["location"] == "/sessions?after="
    said = answer.headers["set-cookie"]
    assert said.startswith("__Host-reverie=") and "max-age" not in said.lower()
    for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert word in said
    cookie = _cookie(answer)
    guarded.cookies.clear()
    assert guarded.get("/", headers={"cookie": cookie}).status_code == 200
    assert guarded.get("/inbox.json", headers={"cookie": cookie}).status_code == 200
    assert guarded.get("/v1/proposals", headers={"cookie": cookie}).status_code == 401


def test_a_key_decides_in_its_own_name(guarded: httpx2.Client, key: str, house: Reverie) -> None:
    cookie = _cookie(_log_in(guarded, key))
    guarded.cookies.clear()
    visitor = Visitor(guarded, {**SAME, "cookie": cookie})
    proposal = visitor.first()
    visitor.decide(visitor.look(f"/proposals/{proposal}"), f"/proposals/{proposal}/approve")
    decision = house.review.get(proposal).decision
    assert decision is not None and decision.by == f"console (api:{house.keys.list()[0].id})"
    page = visitor.look("/")
    out = visitor.send(page, "/logout")
    assert out.status_code == 303 and 'reverie=""' in out.headers["set-cookie"]


def test_a_wrong_key_is_told_and_a_revoked_one_falls_out(
    guarded: httpx2.Client, key: str, house: Reverie
) -> None:
    for wrong in ("", "rvk_wrong", key[:-1], "é"):
        answer = _log_in(guarded, wrong)
        assert answer.status_code == 401 and "set-cookie" not in answer.headers and "not a key" in answer.text
    cookie = _cookie(_log_in(guarded, key))
    house.keys.revoke(house.keys.list()[0].id, by="test")
    guarded.cookies.clear()
    assert guarded.get("/", headers={"cookie": cookie}).status_code == 401


def test_who_may_only_look_decides_nothing(guarded: httpx2.Client, house: Reverie) -> None:
    token = house.keys.create("auditor", by="test", scopes=["proposals:read"]).token
    cookie = _cookie(_log_in(guarded, token))
    guarded.cookies.clear()
    visitor = Visitor(guarded, {**SAME, "cookie": cookie})
    proposal = visitor.first()
    page = visitor.look(f"/proposals/{proposal}")
    assert f"/proposals/{proposal}/approve" not in page.forms and "lacks proposals:write" in page.said
    token = page.forms["/logout"]["token"]
    answer = guarded.post(f"/proposals/{proposal}/approve", data={"token": token}, headers=visitor.headers)
    assert answer.status_code == 403 and house.review.get(proposal).status == "pending"
    assert guarded.get("/sessions", headers=visitor.headers).status_code == 403


def test_to_log_in_takes_a_form_of_ours(guarded: httpx2.Client, key: str) -> None:
    for headers in ELSEWHERE:
        answer = guarded.post("/login", data={"key": key}, headers=headers)
        assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("/sessions?q=1", "/sessions?q=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nset-cookie: x", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_sent_elsewhere(said: str, where: str) -> None:
    assert own_path(said) == where
