"""Whatever is sent, the answer is one that ``/openapi.json`` describes: no failure of ours, no other status,
no field outside its schema.

Two makers of requests: schemathesis, from the document alone, and good requests (``world.py``) in which one
thing is replaced, which come further. Both with ids of real things in most places. The everyday run is a
few hundred cases; the slow one (``make test-slow``) 20,000, or ``REVERIE_FUZZ_CASES``.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.core import NotSet
from tests.contract import serving
from tests.contract.tenants import TABLE, Tenant

from reverie.server.endpoint import Endpoint, Upload
from reverie.server.openapi import document

CASES = int(os.environ.get("REVERIE_FUZZ_CASES", "20000"))
DOCUMENT = document(TABLE, "1", public={})
ORDER = {"GET": 0, "POST": 1, "DELETE": 3}
BY_NAME = {(it.method, it.path): it for it in TABLE}


def _late(endpoint: Endpoint) -> tuple[int, str]:
    """What takes things away comes last."""
    ends = endpoint.path.endswith(("/archive", "/redact", "/stop", "/cancel"))
    return (2 if ends else ORDER[endpoint.method], endpoint.path)


TURN = sorted(TABLE, key=_late)


class Judge:
    """Reads answers against the document."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.seen: Counter[int] = Counter()
        self._validators: dict[tuple[str, str, str], Any] = {}

    def __call__(self, endpoint: Endpoint, said: Any, answer: httpx2.Response) -> None:
        self.seen[answer.status_code] += 1
        problem = self._problem(endpoint, answer)
        if problem:
            self.problems.append(f"{endpoint.method} {endpoint.path} {str(said)[:600]}: {problem}")

    def _problem(self, endpoint: Endpoint, answer: httpx2.Response) -> str | None:
        status = str(answer.status_code)
        if answer.status_code >= 500:
            return f"{status} {answer.text}"
        known = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]["responses"]
        if status not in known:
            return f"{status} is not described: {answer.text}"
        if "request-id" not in answer.headers:
            return "no request-id"
        told = known[status].get("$ref")
        content = (DOCUMENT["components"]["responses"][status] if told else known[status])["content"]
        kind = answer.headers["content-type"].partition(";")[0]
        media = content.get(kind) or content.get("*/*")
        if media is None:
            return f"{kind} is not described"
        if kind != "application/json" or "*/*" in content:
            return None
        validator = self._validator(endpoint, status, media["schema"])
        errors = [
            f"{'/'.join(map(str, it.instance_path))}: {it.message}"
            for it in validator.iter_errors(answer.json())
        ]
        return "; ".join(errors[:3]) + f" in {answer.text[:1500]}" if errors else None

    def _validator(self, endpoint: Endpoint, status: str, schema: Any) -> Any:
        key = (endpoint.method, endpoint.path, status)
        if key not in self._validators:
            whole = {"components": DOCUMENT["components"], **schema}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]


@pytest.fixture
def judge() -> Judge:
    return Judge()


def _told(judge: Judge, least: int) -> None:
    assert not judge.problems, "\n".join(judge.problems[:20])
    assert judge.seen.total() >= least
    assert judge.seen[200] > 0.05 * judge.seen.total()  # it gets somewhere


# ---------------------------------------------------------------------- from the document alone


def _examples(endpoint: Endpoint, mode: GenerationMode, count: int, work: Callable[[Any], None]) -> None:
    operation = SCHEMA[endpoint.path][endpoint.method]
    shrink_nothing = [Phase.explicit, Phase.generate]

    @hypothesis_settings(
        max_examples=count, database=None, deadline=None, phases=shrink_nothing, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        work(case)

    run()


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


def _send(
    tenant: Tenant, endpoint: Endpoint, case: Any, dice: random.Random
) -> tuple[Any, httpx2.Response | None]:
    """A generated case with real ids in most places of its path; None where a client cannot say it."""
    path = endpoint.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", tenant.world[name] if dice.random() < 0.85 else str(value))
    query = {key: value for key, value in (case.query or {}).items() if value is not None}
    said: dict[str, Any] = {"params": query}
    if endpoint.body is Upload:
        said["files"] = {"file": ("x", repr(case.body).encode("utf-8", "replace"))}
    elif isinstance(case.body, bytes):  # no JSON at all
        said |= {"content": case.body, "headers": {"content-type": "application/json"}}
    elif not isinstance(case.body, NotSet):
        said["json"] = case.body
    return said, _asked(tenant, endpoint, path, said)


def _asked(tenant: Tenant, endpoint: Endpoint, path: str, said: dict[str, Any]) -> httpx2.Response | None:
    try:
        return tenant.ask(endpoint.method, path, **said)
    except (UnicodeEncodeError, httpx2.InvalidURL, ValueError) as error:
        assert re.search("surrogate|JSON|URL", str(error)), error
        return None


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_what_the_document_allows_and_forbids(tenant: Tenant, judge: Judge, mode: GenerationMode) -> None:
    dice = random.Random(3)
    each = max(2, CASES // 4 // len(TURN))
    for endpoint in TURN:

        def work(case: Any, endpoint: Endpoint = endpoint) -> None:
            said, answer = _send(tenant, endpoint, case, dice)
            if answer is not None:
                judge(endpoint, said, answer)

        _examples(endpoint, mode, each, work)
    _told(judge, least=CASES // 8)


def test_the_document_is_one_that_requests_can_be_made_from(tenant: Tenant, judge: Judge) -> None:
    """The everyday share: a valid request to each route without a body."""
    dice = random.Random(4)
    for endpoint in TURN:
        if endpoint.body is None:

            def work(case: Any, endpoint: Endpoint = endpoint) -> None:
                said, answer = _send(tenant, endpoint, case, dice)
                if answer is not None:
                    judge(endpoint, said, answer)

            _examples(endpoint, GenerationMode.POSITIVE, 1, work)
    _told(judge, least=60)


# ---------------------------------------------------------------------- from good requests

ODD: list[Any] = [
    None, True, 0, -1, 1.5, 2**63, 10**30, 1e308, "", " ", "\x00", "\x1f", "￿", "é", "e\u0301", "🦉" * 3,
    "\u202e", "x" * 70, "x" * 300, "x" * 3000, "../..", "/", "/a//b", "/a/../b", "%00", "null", "2026-01-01",
    "2026-13-45T99:99:99Z", "2026-03-01T00:00:00+14:00", "https://", "https://[::1", "file:///etc/passwd",
    "agent_", "sesn_nothing", [], [None], [[]], ["x"] * 300, {}, {"type": "x"}, {"": ""}, {"k" * 70: "v"},
    {f"k{n}": "v" for n in range(20)}, [{"type": "text", "text": ""}], {"type": "user.message", "content": []},
    "0 0 31 2 *", "$ref", "a" * 64, "-" * 40, [1, "a", {}],
]  # fmt: skip


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from _places(part, (*at, key))


def _changed(value: Any, at: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not at:
        return change(value)
    key, rest = at[0], at[1:]
    if isinstance(value, dict):
        return {**value, key: _changed(value[key], rest, change)}
    return [*value[:key], _changed(value[key], rest, change), *value[key + 1 :]]


def _mutated(said: dict[str, Any], known: list[str], dice: random.Random) -> dict[str, Any]:
    """A good request with one or two things replaced, doubled, dropped, or added under a known name."""
    for part in ("json", "params"):
        for _ in range(dice.choice((1, 1, 2))):
            if part not in said:
                continue
            value = said[part]
            at = dice.choice([place for place in _places(value) if place or part == "json"] or [()])
            if part == "params" and not at:
                name = dice.choice(known or ["x"])
                said = {**said, part: {**value, name: _flat(dice.choice(ODD))}}
                continue
            odd = dice.choice(ODD)
            said = {**said, part: _changed(value, at, lambda old, odd=odd: _odd(old, odd, known, dice))}
            if part == "params":
                said[part] = {key: _flat(inner) for key, inner in said[part].items()}
    return said


def _odd(old: Any, odd: Any, known: list[str], dice: random.Random) -> Any:
    if isinstance(old, dict) and dice.random() < 0.7:
        names = [*old, *known, "type", "x"]
        return {**old, dice.choice(names): odd}
    if isinstance(old, dict) and old and dice.random() < 0.5:
        dropped = dice.choice(list(old))
        return {key: value for key, value in old.items() if key != dropped}
    if isinstance(old, list) and dice.random() < 0.5:
        return old * dice.choice((0, 2, 60))
    if isinstance(old, str) and dice.random() < 0.3:
        return old + str(odd)
    return odd


def _flat(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _names(endpoint: Endpoint) -> list[str]:
    """The fields that a request to the endpoint may have, wherever in it."""
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
    for ref in set(re.findall(r"#/components/schemas/([\w\[\], ]+)", str(operation.get("requestBody", "")))):
        names += DOCUMENT["components"]["schemas"][ref].get("properties", {})
    return names


def _odd_requests(tenant: Tenant, judge: Judge, each: int) -> None:
    dice = random.Random(5)
    for endpoint in TURN:
        known = _names(endpoint)
        mutable = endpoint.body is not None or endpoint.query is not None
        for _ in range(each if mutable else 1):
            said = tenant.world.said(endpoint)
            if endpoint.query is not None:
                said.setdefault("params", {})
            said = _mutated(said, known, dice)
            answer = _asked(tenant, endpoint, tenant.world.path(endpoint), said)
            if answer is not None:
                judge(endpoint, said, answer)
    assert judge.seen[400] > 0.2 * judge.seen.total()


@pytest.mark.parametrize("database_url", serving.ENGINES, indirect=True)
def test_good_requests_with_something_odd_in_them(tenant: Tenant, judge: Judge) -> None:
    _odd_requests(tenant, judge, 5)
    _told(judge, least=300)


@pytest.mark.slow
def test_many_good_requests_with_something_odd_in_them(tenant: Tenant, judge: Judge) -> None:
    _odd_requests(tenant, judge, CASES // 2 // len(TURN))
    _told(judge, least=CASES // 4)
