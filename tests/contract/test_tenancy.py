"""Two workspaces, every route, every place where an id can stand: nothing of the other is read or written,
and "not mine" looks like "not there". Generated from the table of routes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.contract import serving
from tests.contract.tenants import TABLE, Tenant
from tests.contract.world import World, missing_rows, parameters

from reverie.app import Reverie
from reverie.server.app import App, build
from reverie.server.endpoint import Endpoint, Raw, Stream
from reverie.server.settings import Settings
from reverie.workspaces import sealing

EVERYBODYS = {"model_id"}  # models belong to nobody
ENGINES = pytest.mark.parametrize("database_url", serving.ENGINES, indirect=True)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())


@pytest.fixture
def settings() -> Settings:
    return Settings(creates_per_minute=0, reads_per_minute=0)


@contextmanager
def two(reverie: Reverie, api: App) -> Iterator[tuple[Tenant, Tenant]]:
    with serving.sync_http(api) as one, serving.sync_http(api) as other:
        yield Tenant(reverie, one, "victim"), Tenant(reverie, other, "stranger")


def test_a_new_route_says_what_a_good_request_is() -> None:
    """If this fails: give the route a row in ``tests/contract/world.py``."""
    found = {f"{it.method} {it.path}": missing_rows(it) for it in TABLE}
    assert {route: missing for route, missing in found.items() if missing} == {}


def _swaps(endpoint: Endpoint, mine: World, theirs: dict[str, str]) -> Iterator[tuple[str, str, Any]]:
    """(place, path, what is said) for each place of an id, with another's id in it."""
    said = mine.said(endpoint)
    names = [name for name in parameters(endpoint) if name not in EVERYBODYS]
    for name in names:
        yield f"path {name}", mine.path(endpoint, **{name: theirs[name]}), said
    if len(names) > 1:
        yield "whole path", mine.path(endpoint, **{name: theirs[name] for name in names}), said
    names_of = {id_: name for name, id_ in mine.ids.items() if name not in EVERYBODYS}
    for part in ("json", "params"):
        for place, swapped in _swapped(said.get(part), names_of, theirs):
            yield f"{part} {place}", mine.path(endpoint), {**said, part: swapped}


def _swapped(value: Any, names: dict[str, str], theirs: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Copies of ``value``, each with one id replaced."""
    if isinstance(value, str) and value in names:
        yield "", theirs[names[value]]
    elif isinstance(value, dict):
        for key, inner in value.items():
            for place, swapped in _swapped(inner, names, theirs):
                yield f".{key}{place}", {**value, key: swapped}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for place, swapped in _swapped(inner, names, theirs):
                yield f"[{index}]{place}", [*value[:index], swapped, *value[index + 1 :]]


def _nobodys(world: World) -> dict[str, str]:
    """Ids that look like the world's and are of nothing."""
    return {name: id_[:-12] + "nothinghere2" for name, id_ in world.ids.items()}


def _bare(answer: httpx2.Response, ids: dict[str, str]) -> str:
    """What was answered, without the ids that were asked for and the request's own."""
    text = answer.text.replace(answer.headers["request-id"], "")
    for name, id_ in sorted(ids.items(), key=lambda item: -len(item[1])):  # one may be in another
        text = text.replace(id_, name)
    return text


def _leaks(victim: Tenant, stranger: Tenant, table: Sequence[Endpoint] = TABLE) -> list[str]:
    """What went wrong when the stranger asked with the victim's ids: each next to an id of nothing."""
    problems: list[str] = []
    nobodys = _nobodys(victim.world)
    for endpoint in table:
        foreign = _swaps(endpoint, stranger.world, victim.world.ids)
        unknown = _swaps(endpoint, stranger.world, nobodys)
        for (place, path, said), (_, path2, said2) in zip(foreign, unknown, strict=True):
            answer = stranger.ask(endpoint.method, path, **said)
            control = stranger.ask(endpoint.method, path2, **said2)
            where = f"{endpoint.method} {endpoint.path}, {place}: {answer.status_code}"
            if answer.status_code >= 500:
                problems.append(f"{where} {answer.text}")
            if not (answer.is_error or (place.startswith("params") and _is_empty(answer))):
                problems.append(f"{where}, which is no refusal")
            elif answer.status_code != control.status_code or (
                _bare(answer, victim.world.ids) != _bare(control, nobodys)
            ):
                problems.append(f"{where} differs from {control.status_code} {control.text}: {answer.text}")
            if victim.canary in answer.text:
                problems.append(f"{where} shows what is another's")
    return problems


@ENGINES
def test_with_ids_of_another_workspace_nothing_is_read_or_written(
    reverie: Reverie, api: App, clock: Any
) -> None:
    with two(reverie, api) as (victim, stranger):
        clock.step = timedelta(0)  # some answers say how long something has been so
        before = _everything(victim)
        assert _leaks(victim, stranger) == []
        assert _everything(victim) == before


def test_a_route_that_leaks_would_be_found(reverie: Reverie, settings: Settings) -> None:
    """The control: one handler of the table is given the wrong house."""
    houses: list[Any] = []

    def leaking(endpoint: Endpoint) -> Endpoint:
        if (endpoint.method, endpoint.path) != ("GET", "/v1/vaults/{vault_id}"):
            return endpoint
        honest = endpoint.handle
        return replace(endpoint, handle=lambda call: honest(replace(call, house=houses[0])))

    api = build(reverie, settings, endpoints=[leaking(endpoint) for endpoint in TABLE])
    with two(reverie, api) as (victim, stranger):
        houses.append(victim.house)
        found = _leaks(victim, stranger, [each for each in TABLE if each.tag == "vaults"])
    assert [problem for problem in found if "is no refusal" in problem]
    assert [problem for problem in found if "shows what is another's" in problem]
    assert all(problem.startswith("GET /v1/vaults/{vault_id}, ") for problem in found)


def _is_empty(answer: httpx2.Response) -> bool:
    return answer.json().get("data") == []


def _everything(tenant: Tenant) -> dict[str, str]:
    """All that a tenant can read of its own things. (Polling would claim work.)"""
    told = {}
    for endpoint in TABLE:
        if endpoint.method == "GET" and endpoint.answer is not Stream and endpoint.scope.endswith(":read"):
            answer = tenant.ask("GET", tenant.world.path(endpoint), **tenant.world.said(endpoint))
            assert answer.status_code in (200, 400, 404), (endpoint.path, answer.text)
            told[endpoint.path] = answer.text.replace(answer.headers["request-id"], "")
    return told


@ENGINES
def test_lists_and_cursors_show_ones_own(reverie: Reverie, api: App) -> None:
    with two(reverie, api) as (victim, stranger):
        World(victim.http, victim.house, victim.canary)  # two of each: a page of one has a next
        ids = {id_ for name, id_ in victim.world.ids.items() if name not in EVERYBODYS}
        read = _everything(stranger)
        assert stranger.canary in "".join(read.values())
        for path, text in read.items():
            assert victim.canary not in text, path
            assert not [id_ for id_ in ids if id_ in text], path
        walked = 0
        for endpoint in TABLE:
            if endpoint.method != "GET" or "page" not in getattr(endpoint.query, "__struct_fields__", ()):
                continue
            first = victim.ask("GET", victim.world.path(endpoint), params={"limit": 1}).json()
            if cursor := first.get("next_page"):
                walked += 1
                path = stranger.world.path(endpoint)
                there = stranger.ask("GET", path, params={"limit": 1, "page": cursor})
                assert there.status_code in (200, 400), (endpoint.path, there.text)
                assert victim.canary not in there.text and not [id_ for id_ in ids if id_ in there.text]
        assert walked >= 8


@ENGINES
def test_cancelled_requests_leave_nothing_behind(reverie: Reverie, api: App) -> None:
    """Requests of both, at once, cancelled at whatever point they are: each answer is the asker's own, and no
    connection or place in the pool is lost."""
    with two(reverie, api) as (victim, stranger):
        tenants = (victim, stranger)
        asyncio.run(_storm(build(reverie, Settings(creates_per_minute=0, reads_per_minute=0)), tenants))
        for tenant, other in (tenants, tenants[::-1]):
            told = "".join(_everything(tenant).values())
            assert tenant.canary in told and other.canary not in told


async def _storm(api: App, tenants: tuple[Tenant, ...]) -> None:
    dice = random.Random(7)
    reads = [
        it
        for it in TABLE
        if it.method == "GET" and it.answer not in (Stream, Raw) and it.scope.endswith(":read")
    ]
    answered = cancelled = 0

    async def one(tenant: Tenant, other: Tenant, http: httpx2.AsyncClient) -> bool:
        if dice.random() < 0.3:
            body = {"name": tenant.canary, "model": "scripted:x"}
            asking = http.post("/v1/agents", json=body)
        else:
            endpoint = dice.choice(reads)
            asking = http.get(tenant.world.path(endpoint), **tenant.world.said(endpoint))
        task = asyncio.ensure_future(asking)
        if dice.random() < 0.5:
            for _ in range(dice.randrange(30)):
                await asyncio.sleep(0)
            if dice.random() < 0.3:
                await asyncio.sleep(dice.random() / 100)
            task.cancel()
        try:
            answer = await task
        except asyncio.CancelledError:
            return False
        assert answer.status_code in (200, 400, 404), answer.text
        assert other.canary not in answer.text
        return True

    clients = [serving.async_http(api, {"x-api-key": tenant.token}) for tenant in tenants]
    for _ in range(12):
        asked = []
        for _ in range(20):
            which = dice.randrange(2)
            asked.append(one(tenants[which], tenants[1 - which], clients[which]))
        done = await asyncio.gather(*asked)
        answered += sum(done)
        cancelled += len(done) - sum(done)
    assert answered > 60 and cancelled > 30
