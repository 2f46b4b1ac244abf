"""Tool inputs against their schemas: in words, at once, and without asking anybody."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.tools.effort import DEEPEST, deepest
from reverie.tools.schemas import check_schema, problems

EDIT = {
    "type": "object",
    "properties": {
        "file_path": {"type": "string"},
        "mode": {"enum": ["a", "b"]},
        "view_range": {"type": ["array", "null"], "items": {"type": "integer"}, "minItems": 2},
        "nested": {"type": "object", "properties": {"deep": {"type": "array", "items": {"type": "string"}}}},
    },
    "required": ["file_path"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"file_path": "a"}, []),
        ({"file_path": "a", "view_range": None}, []),
        ({}, ["the field `file_path` is missing"]),
        ({"file_path": 1}, ['`file_path`: 1 is not of type "string"']),
        ({"file_path": "a", "colour": 1}, ["there is no field `colour`"]),
        ({"file_path": "a", "mode": "c"}, ['`mode`: "c" is not one of "a" or "b"']),
        ({"file_path": "a", "nested": {"deep": ["x", 5]}}, ['`nested.deep[1]`: 5 is not of type "string"']),
    ],
)
def test_what_does_not_fit_is_said_in_words(given: dict[str, Any], said: list[str]) -> None:
    assert problems(EDIT, given) == said


def test_what_is_said_is_bounded() -> None:
    found = problems(EDIT, {"file_path": ["x" * 1_000_000], **{f"f{i}": i for i in range(1000)}})
    assert sum(map(len, found)) < 2_000
    many = problems(
        {"type": "object", "additionalProperties": {"type": "string"}}, {str(i): i for i in range(50)}
    )
    assert many[-1] == "… and more"
    assert len(many) == 9


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array"},
        {"type": "objekt"},
        {"type": "object", "properties": 5},
        {"type": "object", "properties": {"a": {"type": "strin"}}},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        {"type": "object", "$ref": "#/$defs/none"},
        {"type": "object", "$ref": "https://example.org/schema.json"},
        {"type": "object", "$ref": "file:///etc/passwd"},
        {"type": "object", "$schema": "https://example.org/meta"},
        {"type": "object", "minProperties": "many"},
    ],
)
def test_what_is_no_schema_is_refused_and_nothing_is_fetched(schema: dict[str, Any]) -> None:
    assert check_schema(schema)


@pytest.mark.parametrize("schema", [EDIT, {"type": "object"}, {"type": "object", "properties": {"a": True}}])
def test_schemas_are_taken(schema: dict[str, Any]) -> None:
    assert check_schema(schema) == []


def test_a_call_by_a_schema_that_is_none_is_a_problem_too() -> None:
    assert "cannot be used" in problems({"type": "objekt"}, {})[0]


def test_what_json_cannot_hold_is_told() -> None:
    assert problems(EDIT, {"file_path": object()})
    assert problems({"type": "object"}, {1: 2})  # type: ignore[dict-item]


def doubling(rows: int) -> dict[str, Any]:
    rest = {
        f"x{i}": {"anyOf": [{"$ref": f"#/$defs/x{i - 1}"}, {"$ref": f"#/$defs/x{i - 1}"}]}
        for i in range(1, rows)
    }
    return {"type": "object", "$defs": {"x0": {"type": "string"}, **rest}, "$ref": f"#/$defs/x{rows - 1}"}


def test_a_schema_that_would_take_for_ever_is_refused() -> None:
    assert check_schema(doubling(5)) == []
    assert "multiply" in check_schema(doubling(40))[0]
    assert "multiply" in problems(doubling(40), {})[0]


def test_patterns_are_bounded() -> None:
    schema = {"type": "object", "properties": {"a": {"pattern": "^(?=x)(x|xx)+$"}}}
    assert problems(schema, {"a": "x" * 60 + "y"})  # 2**40 steps without a limit


def tree(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for _ in range(levels):
        node = {"left": node}
    return node


LEFT: dict[str, Any] = {"properties": {"left": {"$ref": "#"}}}
BRANCHING = [
    {"anyOf": [LEFT, {**LEFT, "required": ["op"]}]},
    {"oneOf": [LEFT] * 5},
    {"allOf": [LEFT] * 3},
    {"patternProperties": {"^l": {"$ref": "#"}, "t$": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}},
    {"anyOf": [LEFT, LEFT], "unevaluatedProperties": {"$ref": "#"}},
    {"dependentSchemas": {"left": {"anyOf": [LEFT] * 3}}},
    {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"left": {"anyOf": [LEFT] * 3}}},
    {"$dynamicAnchor": "n", "anyOf": [{"properties": {"left": {"$dynamicRef": "#n"}}}] * 3},
    {"if": LEFT, "then": LEFT, "else": LEFT},
    {"not": {"not": {"anyOf": [LEFT, LEFT]}}},
]


def test_schemas_of_trees_are_asked_about_trees() -> None:
    plain = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert deepest(plain) == DEEPEST
    assert problems(plain, tree(DEEPEST)) == []
    assert "nested too deep" in problems(plain, tree(100_000))[0]


@pytest.mark.parametrize("branching", BRANCHING, ids=lambda schema: next(iter(schema)))
def test_schemas_that_branch_are_asked_about_shallow_trees_alone(branching: dict[str, Any]) -> None:
    schema = {"type": "object", **branching}
    depth = deepest(schema)
    assert 2 < depth < 20
    assert check_schema(schema) == []
    problems(schema, tree(depth))  # and again with a fault: both come at once
    assert problems({**schema, "required": ["nothing"]}, tree(depth))
    assert "nested too deep" in problems(schema, tree(depth + 1))[0]


def test_a_reference_by_another_base_is_not_guessed_at() -> None:
    schema = {"type": "object", "$id": "https://example.org/a", "$defs": {"b": {}}, "$ref": "/a#/$defs/b"}
    assert check_schema(schema)


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner)
)
kinds = st.sampled_from(["string", "integer", "boolean", "null", "array", "object"])
fields = st.recursive(
    kinds.map(lambda kind: {"type": kind})
    | st.lists(scalars, min_size=1, max_size=3).map(lambda e: {"enum": e}),
    lambda inner: (
        inner.map(lambda items: {"type": "array", "items": items})
        | st.lists(inner, min_size=1, max_size=3).map(lambda any_of: {"anyOf": any_of})
        | st.dictionaries(st.sampled_from("abc"), inner).map(lambda p: {"type": "object", "properties": p})
    ),
    max_leaves=6,
)
schemas = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("abc"), fields)},
    optional={
        "required": st.lists(st.sampled_from("abc"), unique=True),
        "additionalProperties": st.booleans(),
    },
)


@settings(max_examples=80)
@given(schema=schemas, input=st.dictionaries(st.sampled_from("abcd"), values))
def test_fits_exactly_when_the_reference_implementation_says_so(
    schema: dict[str, Any], input: dict[str, Any]
) -> None:
    assert check_schema(schema) == []
    expected = jsonschema.Draft202012Validator(schema).is_valid(input)
    assert (problems(schema, input) == []) == expected
