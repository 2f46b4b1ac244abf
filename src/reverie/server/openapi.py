"""``/openapi.json``: the table of endpoints as OpenAPI 3.1, every schema from the Struct that is in force."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from reverie.server.endpoint import Endpoint, Raw, Stream, Upload
from reverie.server.errors import ErrorBody
from reverie.server.queries import is_list

__all__ = ["document"]

_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"{(\w+)}")
_ERRORS: Final = {
    "400": "A field, a parameter or the body is wrong; the message names it, the limit and the value.",
    "401": "No key, or one that is unknown, expired or revoked.",
    "403": "The key lacks the scope, or the request comes from a foreign page or under a foreign name.",
    "429": "Too many requests with this key; `retry-after` says when to come again.",
    "503": "The database cannot be reached; `retry-after` says when to come again.",
    "529": "The database is busy; `retry-after` says when to come again.",
}
_WITH_ID: Final = {"404": "There is no such thing in the caller's workspace."}
_WITH_BODY: Final = {
    "409": "It changed since the caller looked, or the idempotency key was used for another request.",
    "412": "A condition of the request does not hold.",
    "413": "The body is larger than is taken.",
    "415": "The body has another content type than is taken.",
}
_ABOUT: Final = """The managed-agents API: the official `anthropic` SDK speaks it with `base_url=` alone, and what
Reverie adds to it. Every error has the shape of `ErrorBody` and the header `request-id`."""


def document(
    endpoints: Iterable[Endpoint], version: str, *, public: Mapping[str, tuple[str, Any]]
) -> dict[str, Any]:
    """The OpenAPI document of a table of routes. ``public`` are the paths that need no key: a summary of
    each, and the type of its answer (None: any object)."""
    table = list(endpoints)
    answers = [answer for _, answer in public.values() if answer is not None]
    types = [ErrorBody, *answers, *_types(table)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    known = iter(schemas)
    next(known)  # of ErrorBody: referred to by name
    paths: dict[str, dict[str, Any]] = {}
    for path, (summary, answer) in public.items():
        schema = {"type": "object"} if answer is None else next(known)
        paths[path] = {"get": _open(path, summary, schema)}
    for endpoint in table:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, known, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reverie", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY, "responses": dict(_responses())},
        "security": [{"key": []}, {"bearer": []}],
    }


_SECURITY: Final = {
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def _open(path: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    responses = {"200": {"description": "Yes.", "content": content}}
    if path == "/health":
        responses["503"] = {"description": "No.", "content": content}
    return {
        "operationId": f"get{path.replace('/', '_').replace('.', '_')}",
        "summary": summary,
        "security": [],
        "responses": responses,
    }


def _types(table: list[Endpoint]) -> list[Any]:
    """Every type of the table, in the order in which ``_operation`` asks for their schemas."""
    types: list[Any] = []
    for endpoint in table:
        types += [type_ for type_ in (endpoint.query, endpoint.body, endpoint.answer) if _has_schema(type_)]
    return types


def _has_schema(type_: Any) -> bool:
    return type_ is not None and type_ not in (Raw, Stream, Upload)


def _operation(
    endpoint: Endpoint, schemas: Iterator[dict[str, Any]], components: dict[str, Any]
) -> dict[str, Any]:
    parameters = [_in_path(name) for name in _PARAMETER.findall(endpoint.path)]
    if endpoint.query is not None:
        parameters += _in_query(endpoint.query, _resolve(next(schemas), components))
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag] if endpoint.tag else [],
        "parameters": parameters,
        "x-scope": endpoint.scope,
    }
    if endpoint.method == "POST":
        operation["parameters"].append(_IDEMPOTENCY)
    if endpoint.body is not None:
        operation["requestBody"] = _body(endpoint, schemas)
    content = _content(endpoint, schemas)
    operation["responses"] = {
        str(endpoint.status): {"description": "Done.", "content": content},
        **{code: {"$ref": f"#/components/responses/{code}"} for code in _codes(endpoint)},
    }
    return operation


_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeating a request with the same key gives the first answer again, for seven days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def _operation_id(endpoint: Endpoint) -> str:
    words = [part for part in re.split(r"[/{}]+", endpoint.path.removeprefix("/v1")) if part]
    return "_".join([endpoint.method.lower(), *words])


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 512}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(shape: type[Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    lists = {field.encode_name: is_list(field.type) for field in msgspec.structs.fields(shape)}
    return [
        {
            "name": f"{name}[]" if lists[name] else name,
            "in": "query",
            "required": name in required,
            "schema": _spoken(inner),
        }
        for name, inner in schema.get("properties", {}).items()
    ]


def _spoken(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema: null cannot be said in a query, so it is not offered."""
    if "anyOf" not in schema:
        return schema
    kept = [part for part in schema["anyOf"] if part != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**(kept[0] if len(kept) == 1 else {"anyOf": kept}), **rest}


def _body(endpoint: Endpoint, schemas: Iterator[dict[str, Any]]) -> dict[str, Any]:
    if endpoint.body is Upload:
        schema = {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}},
            "required": ["file"],
        }
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    return {"required": True, "content": {"application/json": {"schema": next(schemas)}}}


def _content(endpoint: Endpoint, schemas: Iterator[dict[str, Any]]) -> dict[str, Any]:
    if endpoint.answer is Raw:
        return {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    if endpoint.answer is Stream:
        about = "Server-sent events: `event:` the type, `data:` one JSON event, `id:` where to resume from."
        return {"text/event-stream": {"schema": {"type": "string", "description": about}}}
    return {
        "application/json": {"schema": next(schemas) if endpoint.answer is not None else {"type": "null"}}
    }


def _codes(endpoint: Endpoint) -> list[str]:
    found = [*_ERRORS]
    if "{" in endpoint.path or endpoint.query is not None or endpoint.body is not None:
        found += _WITH_ID
    if endpoint.method != "GET":
        found += _WITH_BODY
    return sorted(found)


def _responses() -> Iterator[tuple[str, dict[str, Any]]]:
    schema = {"$ref": _REF.format(name="ErrorBody")}
    for code, about in (_ERRORS | _WITH_ID | _WITH_BODY).items():
        yield code, {"description": about, "content": {"application/json": {"schema": schema}}}


def _resolve(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return schema if reference is None else components[reference.rpartition("/")[2]]
