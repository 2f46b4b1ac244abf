"""What the frame makes of a request before a handler sees it, and what it says of a wrong one."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.contract import serving
from tests.server.small import SMALL

from reverie.app import Reverie
from reverie.server.app import App, build
from reverie.server.bodies import decode, is_deep
from reverie.server.settings import MAX_BODY

JSON = {"content-type": "application/json"}


def refused(answer: httpx2.Response, status: int, kind: str = "invalid_request_error") -> str:
    """Assert the vendor's shape of an error; its message."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["type"] == "error" and body["error"]["type"] == kind, body
    assert body["request_id"] == answer.headers["request-id"]
    return body["error"]["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "`name`: required, and it is missing"),
        ({"name": ""}, "`name`: at least 1 characters, this has 0"),
        ({"name": "x" * 11}, "`name`: at most 10 characters, this has 11"),
        ({"name": 5}, "`name`: a text, this is 5"),
        ({"name": None}, "`name`: a text, this is null"),
        ({"name": "x", "kind": "c"}, '`kind`: one of the known values, this is "c"'),
        ({"name": "x", "size": 101}, "`size`: at most 100, this is 101"),
        ({"name": "x", "size": -1}, "`size`: at least 0, this is -1"),
        ({"name": "x", "size": 1.5}, "`size`: a whole number or null, this is 1.5"),
        ({"name": "x", "pet": {"type": "cow"}}, '`pet.type`: one of the known values, this is "cow"'),
        ({"name": "x", "pet": {}}, "`pet.type`: required, and it is missing"),
        ({"name": "x", "pet": {"type": "cat", "lives": 10}}, "`pet.lives`: at most 9, this is 10"),
        ({"name": "x", "pet": {"type": "dog", "tricks": []}}, "`pet.tricks`: at least 1 items, this has 0"),
        (
            {"name": "x", "pet": {"type": "dog", "tricks": ["a", "too long"]}},
            "`pet.tricks[1]`: at most 5 characters, this has 8",
        ),
        (
            {"name": "x", "labels": {"a": "1", "b": "2", "c": "3"}},
            "`labels`: at most 2 entries, this has 3",
        ),
        ({"name": "x", "labels": {"abcde": "1"}}, "`labels`: keys of at most 4 characters, this has 5"),
        ({"name": "x", "labels": {"b": "1", "a": "1234567"}}, "`labels.a`: at most 6 characters, this has 7"),
        ({"name": "x", "labels": {"b": "1", "a": 2}}, "`labels.a`: a text, this is 2"),
        ([], "`body`: an object, this is a list"),
        ("x" * 500, f'`body`: an object, this is "{"x" * 119}…'),
    ],
)
def test_a_wrong_field_is_named_with_its_limit_and_its_value(
    http: httpx2.Client, body: Any, message: str
) -> None:
    assert refused(http.post("/v1/things", json=body), 400) == message


@pytest.mark.parametrize(
    "body", [{"name": "x"}, {"name": "x" * 10, "size": 100, "labels": {"abcd": "123456"}, "unknown": 1}]
)
def test_at_the_limit_is_within_it(http: httpx2.Client, body: Any) -> None:
    answer = http.post("/v1/things", json=body)
    assert answer.status_code == 200 and answer.json()["name"] == body["name"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name": "x"} x',
        b'{"name": NaN}',
        b'{"name": "\xff"}',
        b"\xff\xfe\x00",
        b'\xef\xbb\xbf{"name": "x"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\udc00\\ud800"}',
        b'{"name": "x", "deep": "\\ud800x"}',
        b'{"name": "x", "deep": {"\\ud800x": 1}}',
        b'{"name": "x", "deep": ' + b"[" * 100_000,
        b'{"name": "x", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"name": "x", "deep": ' + b'{"a":' * 100 + b"1" + b"}" * 101,
        b'{"name": "x", "size": 1e999}',
    ],
    ids=range(15),
)
def test_what_is_not_json_is_refused(http: httpx2.Client, body: bytes) -> None:
    refused(http.post("/v1/things", content=body, headers=JSON), 400)


def test_nesting_is_counted_outside_of_texts(http: httpx2.Client) -> None:
    deep = "[" * 99 + '"[[[\\"{\\\\"' + "]" * 99
    told = '{"name": "x", "deep": ' + deep + ', "labels": {"a": "[[[]"}}'
    assert http.post("/v1/things", content=told.encode(), headers=JSON).status_code == 200


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\a é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[{"\\'), inner, max_size=3),
    max_leaves=40,
)


def _depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 0


@given(_PLAIN, st.integers(1, 6))
def test_depth_is_the_depth(value: Any, deepest: int) -> None:
    for told in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert is_deep(told.encode(), deepest) == (_depth(value) > deepest)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_decode_or_are_refused_in_our_words(data: bytes) -> None:
    from reverie.domain.errors import UsageError

    try:
        decode(data, msgspec.json.Decoder(dict[str, Any]))
    except UsageError as error:
        assert error.what


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_only_json_is_taken_so_that_no_form_of_a_web_page_can_be(
    http: httpx2.Client, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    message = refused(http.post("/v1/things", content=b'{"name": "x"}', headers=headers), 415)
    assert "content-type" in message and (kind or "missing") in message


def test_nothing_sent_is_an_empty_object(http: httpx2.Client) -> None:
    assert refused(http.post("/v1/things"), 400) == "`name`: required, and it is missing"


def test_a_large_body_is_read_as_any_other(http: httpx2.Client) -> None:
    assert http.post("/v1/things", json={"name": "x", "deep": "y" * 300_000}).json()["name"] == "x"


def test_json_may_say_its_charset(http: httpx2.Client) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert http.post("/v1/things", content=b'{"name": "x"}', headers=headers).status_code == 200


def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(http: httpx2.Client) -> None:
    inside = http.post("/v1/things/1/content", content=b"x" * 1000)
    assert inside.json()["id"] == "1000"
    message = refused(http.post("/v1/things/1/content", content=b"x" * 1001), 413, "request_too_large")
    assert "1000 bytes" in message and "1001" in message


@pytest.mark.parametrize("said", [True, False])
def test_of_a_body_too_large_nothing_more_is_read(app: App, said: bool) -> None:
    """33 MB: refused by its header alone, or when the limit is passed, and then no byte further."""
    chunk = b" " * (1 << 20)
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": taken < 33 << 20}

    status = serving.ask(app, "POST", "/v1/things", receive, size=33 << 20 if said else None)
    assert status == 413
    assert taken == (0 if said else MAX_BODY + len(chunk))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", '`limit`: at least 1, this is "0"'),
        ("limit=101", '`limit`: at most 100, this is "101"'),
        ("limit=ten", '`limit`: a whole number, this is "ten"'),
        ("limit=1&limit=2", "`limit`: given once, and this is given twice"),
        (
            "limit[]=1",
            "`limit[]`: no such query parameter here; there are: archived, limit, page, seed, statuses",
        ),
        (
            "limits=1",
            "`limits`: no such query parameter here; there are: archived, limit, page, seed, statuses",
        ),
        ("statuses[]=on&statuses[]=no", '`statuses[1]`: one of the known values, this is "no"'),
        ("archived=perhaps", '`archived`: true or false, this is "perhaps"'),
        ("seed=9223372036854775808", "`seed`: a whole number of 64 bits"),
        ("page=a%00b", "`page`: a text without NUL characters"),
        ("page=%ff", "the query is not percent-encoded UTF-8"),
    ],
)
def test_a_wrong_parameter_is_named(http: httpx2.Client, query: str, message: str) -> None:
    assert refused(http.get(f"/v1/things?{query}"), 400) == message


def test_parameters_are_read_as_the_sdk_writes_them(http: httpx2.Client) -> None:
    asked = http.get(
        "/v1/things?beta=true&limit=100&statuses[]=on&statuses[]=off&archived=true&page=x"
    ).json()
    assert asked["asked"] == {
        "limit": 100,
        "statuses": ["on", "off"],
        "archived": True,
        "page": "x",
        "seed": None,
    }
    assert http.get("/v1/things?statuses=on").json()["asked"]["statuses"] == ["on"]
    assert http.get("/v1/things").json()["asked"] == {
        "limit": 20, "statuses": None, "archived": False, "page": None, "seed": None
    }  # fmt: skip


def test_a_route_without_parameters_takes_none(http: httpx2.Client) -> None:
    assert "there are: none" in refused(http.get("/v1/things/1?x=1"), 400)
    assert http.get("/v1/things/1?beta=true").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/thing",
        "/v1/things/",
        "/v1/things/1/",
        "/v1//things",
        "/v1/things/%00",
        "/v1/things/%0a",
        "/v1/things/" + "x" * 513,
    ],
)
def test_what_is_not_there_is_not_found(http: httpx2.Client, path: str) -> None:
    refused(http.get(path), 404, "not_found_error")


def test_a_slash_inside_an_id_is_not_a_slash_of_the_path(http: httpx2.Client) -> None:
    refused(http.get("/v1/things/a%2Fb"), 404, "not_found_error")


def test_a_literal_path_goes_before_a_parameter(app: App, http: httpx2.Client) -> None:
    with http.stream("GET", "/v1/things/newest") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(answer.iter_lines()) == "id: 1"
    assert http.delete("/v1/things/newest").status_code == 405  # and says so rather than guess


def test_a_method_that_is_not_offered_says_which_are(http: httpx2.Client) -> None:
    answer = http.put("/v1/things/1", json={})
    assert "DELETE, GET, POST" in refused(answer, 405) and answer.headers["allow"] == "DELETE, GET, POST"


def test_errors_of_ours_have_their_status(http: httpx2.Client) -> None:
    refused(http.post("/v1/things/missing/fail"), 404, "not_found_error")
    changed = http.post("/v1/things/changed/fail")
    refused(changed, 409, "conflict_error")
    assert changed.headers["x-should-retry"] == "false"  # the SDK would try a conflict again


def test_a_failure_of_ours_tells_nothing_of_the_inside(
    http: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "reverie.server"):
        answer = http.post("/v1/things/broken/fail")
    message = refused(answer, 500, "api_error")
    assert "secret" not in answer.text and "Traceback" not in answer.text and "log" in message
    assert "a secret of the inside" in caplog.text and answer.headers["request-id"] in caplog.text


def test_a_database_that_is_gone_is_503_and_logged_but_not_where_it_was(
    reverie: Reverie, http: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    reverie.close()
    with caplog.at_level(logging.ERROR, "reverie.server"):
        answer = http.get("/v1/things")
    assert "closed" in refused(answer, 503, "api_error")
    assert answer.headers["retry-after"] == "1"
    assert ".db" not in answer.text and ".db" in caplog.text


def test_a_path_cannot_forge_the_log(http: httpx2.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "reverie.server"):
        http.post("/v1/things/a b/fail")
        http.post("/v1/things/%0AERROR%20forged/fail")
    assert "\nERROR forged" not in caplog.text


def test_every_request_has_an_id_of_its_own(http: httpx2.Client) -> None:
    ids = {http.get("/v1/things").headers["request-id"] for _ in range(5)}
    assert len(ids) == 5 and all(id_.startswith("req_") for id_ in ids)


def test_a_table_with_the_same_route_twice_does_not_build(reverie: Reverie) -> None:
    with pytest.raises(ValueError, match="twice"):
        build(reverie, endpoints=[*SMALL, SMALL[0]])


@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE"]),
    path=st.text(alphabet="/v1things%{}.~\x00é ", max_size=20).map(lambda text: "/" + text),
    query=st.binary(max_size=12),
    body=st.binary(max_size=20),
    kind=st.sampled_from(["application/json", "text/plain", ""]),
)
def test_whatever_is_sent_is_answered_and_never_with_a_failure(
    app: App, method: str, path: str, query: bytes, body: bytes, kind: str
) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    assert serving.ask(app, method, path, receive, query=query, kind=kind) in {200, 400, 404, 405, 415}
