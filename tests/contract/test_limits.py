"""Every limit that ``/openapi.json`` states for a body or a query: at it, and one past it.

Generated from the document and the good requests of ``world.py``: a field is set to its limit, and must not
be refused for that; then to one more, and must be refused by a message that names field, limit and value.
What a limit of the rules is (counts of things, bytes of a memory), its resource's own tests show.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.contract.tenants import Tenant
from tests.contract.test_fuzz import DOCUMENT, TURN

from reverie.server.endpoint import Endpoint, Upload


class Limit(NamedTuple):
    """One limit of one field: values at it and past it, and what the message must say."""

    at: tuple[Any, ...]
    inside: Any
    outside: Any
    words: str
    shown: str


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _limits(schema: dict[str, Any], value: Any, at: tuple[Any, ...] = ()) -> Iterator[Limit]:
    """The limits of what the schema allows at ``at``, and within the good ``value`` that is there."""
    schema = _resolved(schema)
    for option in schema.get("anyOf", ()):
        if _is_of(_resolved(option), value):
            yield from _limits(option, value, at)
    if schema.get("type") == "string" and "pattern" not in schema and "format" not in schema:
        if (most := schema.get("maxLength")) is not None:
            yield Limit(at, "x" * most, "x" * (most + 1), f"at most {most} characters", f"has {most + 1}")
        if least := schema.get("minLength"):
            yield Limit(
                at, "x" * least, "x" * (least - 1), f"at least {least} characters", f"has {least - 1}"
            )
    elif schema.get("type") in ("integer", "number"):
        if (most := schema.get("maximum")) is not None:
            yield Limit(at, most, most + 1, f"at most {most}", str(most + 1))
        if (least := schema.get("minimum")) is not None:
            yield Limit(at, least, least - 1, f"at least {least}", str(least - 1))
    elif schema.get("type") == "array":
        yield from _of_list(schema, value, at)
    elif schema.get("type") == "object":
        good = value if isinstance(value, dict) else {}
        for name, inner in schema.get("properties", {}).items():
            if at == () or isinstance(value, dict):
                yield from _limits(inner, good.get(name), (*at, name))
        if "maxProperties" in schema:
            most = schema["maxProperties"]
            made = [{f"k{n}": "v" for n in range(size)} for size in (most, most + 1)]
            yield Limit(at, made[0], made[1], f"at most {most} entries", f"has {most + 1}")


def _is_of(option: dict[str, Any], value: Any) -> bool:
    """Whether the value, where there is one, is of this member of a union."""
    tags = option.get("properties", {}).get("type", {}).get("enum")
    if tags is not None:
        return isinstance(value, dict) and value.get("type") in tags
    return value is None or option.get("type") == _KINDS.get(type(value))


_KINDS = {str: "string", list: "array", dict: "object", int: "integer", bool: "boolean"}


def _of_list(schema: dict[str, Any], value: Any, at: tuple[Any, ...]) -> Iterator[Limit]:
    inner = _resolved(schema.get("items", {}))
    plain = inner.get("type") == "string" and not {"pattern", "enum", "format"} & inner.keys()
    one = value[0] if isinstance(value, list) and value else "xyz" if plain else None
    if one is None:
        return
    if (most := schema.get("maxItems")) is not None:
        yield Limit(at, [one] * most, [one] * (most + 1), f"at most {most} items", f"has {most + 1}")
    if least := schema.get("minItems"):
        yield Limit(at, [one] * least, [one] * (least - 1), f"at least {least} items", f"has {least - 1}")
    if isinstance(value, list) and value:
        yield from _limits(schema["items"], value[0], (*at, 0))


def _set(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    if isinstance(at[0], int):
        return [_set(value[0], at[1:], new), *value[1:]]
    good = value if isinstance(value, dict) else {}
    return {**good, at[0]: _set(good.get(at[0]), at[1:], new)}


def _field(at: tuple[Any, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at).removeprefix(".")


def _of(endpoint: Endpoint, said: dict[str, Any]) -> Iterator[tuple[str, Limit]]:
    """The endpoint's limits, each with the part of the request that it is of."""
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    if endpoint.body not in (None, Upload):
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        for limit in _limits(schema, said.get("json")):
            yield "json", limit
    for parameter in operation["parameters"]:
        if parameter["in"] == "query" and not parameter["name"].endswith("[]"):
            for limit in _limits(parameter["schema"], None, (parameter["name"],)):
                yield "params", limit


def test_at_a_limit_is_taken_and_past_it_is_refused_by_name(tenant: Tenant) -> None:
    problems, seen = [], 0
    for endpoint in TURN:
        said = tenant.world.said(endpoint)
        path = tenant.world.path(endpoint)
        for part, limit in _of(endpoint, said):
            seen += 1
            field = _field(limit.at)
            past = {**said, part: _set(said.get(part, {}), limit.at, limit.outside)}
            answer = tenant.ask(endpoint.method, path, **past)
            message = answer.json()["error"]["message"] if answer.is_error else "taken"
            if answer.status_code != 400 or not all(
                word in message for word in (f"`{field}`", limit.words, limit.shown)
            ):
                problems.append(
                    f"{endpoint.method} {endpoint.path} {field} past {limit.words}: {answer.status_code} {message}"
                )
            at = {**said, part: _set(said.get(part, {}), limit.at, limit.inside)}
            answer = tenant.ask(endpoint.method, path, **at)
            if answer.status_code >= 500 or (answer.status_code == 400 and limit.words in answer.text):
                problems.append(f"{endpoint.method} {endpoint.path} {field} at {limit.words}: {answer.text}")
    assert problems == []
    assert seen > 100
