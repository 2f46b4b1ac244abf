"""The document that is served: whole, of valid schemas, and of what is in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from tests.server.small import SMALL

from reverie.server.endpoint import Endpoint
from reverie.server.openapi import document
from reverie.server.routes import ENDPOINTS


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _schemas(operation: dict[str, Any]) -> Iterator[Any]:
    for parameter in operation["parameters"]:
        yield parameter["schema"]
    for answer in [operation.get("requestBody", {}), *operation["responses"].values()]:
        for media in answer.get("content", {}).values():
            yield media["schema"]


@pytest.fixture(scope="module", params=[SMALL, ENDPOINTS], ids=["small", "all"])
def table(request: pytest.FixtureRequest) -> tuple[Endpoint, ...]:
    found: tuple[Endpoint, ...] = request.param
    return found


@pytest.fixture(scope="module")
def told(table: tuple[Endpoint, ...]) -> dict[str, Any]:
    return document(table, "1.2.3", public={})


def test_every_route_is_in_it_and_every_reference_leads_somewhere(
    table: tuple[Endpoint, ...], told: dict[str, Any]
) -> None:
    routes = {(path, method.upper()) for path, methods in told["paths"].items() for method in methods}
    assert routes == {(endpoint.path, endpoint.method) for endpoint in table}
    for ref in _refs(told):
        where: Any = told
        for step in ref.removeprefix("#/").split("/"):
            where = where[step]


def test_every_schema_is_a_schema(told: dict[str, Any]) -> None:
    schemas = [*told["components"]["schemas"].values()]
    for methods in told["paths"].values():
        for operation in methods.values():
            schemas += _schemas(operation)
    for schema in schemas:
        jsonschema_rs.meta.validate(schema)
    assert not jsonschema_rs.meta.is_valid({"type": "texts"})


def test_operations_have_names_of_their_own_parameters_scopes_and_errors(
    table: tuple[Endpoint, ...], told: dict[str, Any]
) -> None:
    operations = [operation for methods in told["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for endpoint in table:
        operation = told["paths"][endpoint.path][endpoint.method.lower()]
        in_path = {it["name"] for it in operation["parameters"] if it["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", endpoint.path))
        assert operation["x-scope"] == endpoint.scope
        assert {"400", "401", "403", "429", "503"} <= operation["responses"].keys()
        assert ("requestBody" in operation) == (endpoint.body is not None)


def test_a_resources_route_says_what_it_is_for(table: tuple[Endpoint, ...]) -> None:
    silent = [f"{it.method} {it.path}" for it in table if table is ENDPOINTS and not (it.summary and it.tag)]
    assert silent == []


def test_streams_bytes_uploads_and_parameters_are_described(http: httpx2.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    stream = paths["/v1/things/newest"]["get"]["responses"]["200"]["content"]
    assert list(stream) == ["text/event-stream"]
    raw = paths["/v1/things/{id}/content"]["get"]["responses"]["200"]["content"]
    assert raw == {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    upload = paths["/v1/things/{id}/content"]["post"]["requestBody"]["content"]
    assert list(upload) == ["multipart/form-data"]
    query = {it["name"]: it for it in paths["/v1/things"]["get"]["parameters"]}
    assert query["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert query["statuses[]"]["schema"] == {"type": "array", "items": {"enum": ["off", "on"]}}
    assert paths["/health"]["get"]["security"] == []
