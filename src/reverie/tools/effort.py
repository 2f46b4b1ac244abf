"""How much work a JSON Schema can make of an input: how often one place in it is looked at.

``anyOf`` of two references looks at a place twice, and thirty such in a row a billion times; a schema that
refers to itself under ``anyOf`` doubles with each level of the input. The count here follows the schema as
a validator does: keywords that speak of the same place add up, those that speak of what is inside it go one
level down, and of several properties the worst counts, since an input's places are apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, cast
from urllib.parse import unquote

__all__ = ["DEEPEST", "deepest"]

DEEPEST: Final = 64
_LIMIT: Final = 20_000
_HERE: Final = ("allOf", "anyOf", "oneOf")
_HERE_ONE: Final = ("not", "if", "then", "else", "$ref", "$dynamicRef", "$recursiveRef")
_INSIDE: Final = (
    "additionalProperties", "unevaluatedProperties", "items", "additionalItems", "unevaluatedItems",
    "contains", "propertyNames",
)  # fmt: skip
_INSIDE_NAMED: Final = ("properties", "patternProperties", "prefixItems")

Schema: TypeAlias = Mapping[str, Any]


def deepest(schema: Schema) -> int:
    """How many levels an input may have so that no place is looked at more than 20,000 times: at most
    ``DEEPEST``; 0 where even a flat one is too much."""
    counting = _Counting(schema)
    low, high = 0, DEEPEST
    while low < high:  # the count grows with the depth
        middle = (low + high + 1) // 2
        low, high = (middle, high) if counting.fits(middle) else (low, middle - 1)
    return low


class _TooMuch(Exception):
    pass


class _Counting:
    def __init__(self, root: Schema) -> None:
        self._anchors = _anchors(root)
        self._known: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()

    def fits(self, depth: int) -> bool:
        self._open.clear()
        try:
            return self._visits(self._anchors["#"], depth) <= _LIMIT
        except (_TooMuch, RecursionError):
            return False

    def _visits(self, node: Any, depth: int) -> int:
        """How often the worst place is looked at when ``node`` is asked about ``depth`` levels."""
        if not isinstance(node, dict) or depth < 0:
            return 1
        key = (id(cast(object, node)), depth)
        if key in self._open:  # the same schema about the same place again: validators stop there
            return 1
        if key not in self._known:
            self._open.add(key)
            self._known[key] = self._counted(cast(Schema, node), depth)
            self._open.discard(key)
        return self._known[key]

    def _counted(self, node: Schema, depth: int) -> int:
        total = 1 + sum(self._visits(child, depth) for child in self._here(node))
        total += sum(
            self._visits(node[word], depth - 1) for word in _INSIDE if isinstance(node.get(word), dict)
        )
        for word in _INSIDE_NAMED:
            total += max((self._visits(child, depth - 1) for child in _children(node.get(word))), default=0)
        if isinstance(node.get("items"), list):  # as drafts before 2020 say prefixItems
            total += max((self._visits(child, depth - 1) for child in _children(node["items"])), default=0)
        if total > _LIMIT:
            raise _TooMuch
        return total

    def _here(self, node: Schema) -> Iterator[Any]:
        for word in _HERE:
            yield from _children(node.get(word))
        for word in _HERE_ONE:
            child = node.get(word)
            yield self._target(child) if isinstance(child, str) else child
        yield from _children(node.get("dependentSchemas"))

    def _target(self, reference: str) -> Schema:
        """What a reference means. One that leads by way of another base URI is not followed, and so refused."""
        found = self._anchors.get(unquote(reference))
        if found is None:
            raise _TooMuch
        return found


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from cast(list[Any], value)
    elif isinstance(value, dict):
        yield from cast(dict[str, Any], value).values()


def _anchors(root: Schema) -> dict[str, Schema]:
    """Every object in the schema by what a ``$ref`` within it may call it: JSON pointer, anchor, id."""
    found: dict[str, Schema] = {}
    stack: list[tuple[str, Any]] = [("#", root)]
    while stack:
        pointer, node = stack.pop()
        if isinstance(node, dict):
            schema = cast(Schema, node)
            found[pointer] = schema
            for word, mark in (("$anchor", "#"), ("$dynamicAnchor", "#"), ("$id", ""), ("id", "")):
                name = schema.get(word)
                if isinstance(name, str):
                    found[mark + name] = schema
            stack += [(f"{pointer}/{_escaped(key)}", child) for key, child in schema.items()]
        elif isinstance(node, list):
            stack += [(f"{pointer}/{i}", child) for i, child in enumerate(cast(list[Any], node))]
    return found


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
