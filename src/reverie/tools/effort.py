"""How much work a JSON Schema can make of an input: how often one place in it is looked at.

``anyOf`` of two references looks at a place twice, and thirty such in a row a billion times; a schema that
refers to itself under ``anyOf`` doubles with each level of the input. The count here follows the schema as
a validator does: keywords that speak of the same place add up, those that speak of what is inside it go one
level down, and of several ``properties`` the worst counts, since the places they speak of are apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, cast
from urllib.parse import unquote

__all__ = ["DEEPEST", "MOST_VISITS", "deepest"]

DEEPEST: Final = 64
MOST_VISITS: Final = 100_000
"""What an answer may cost: some tens of milliseconds."""

_HERE: Final = ("allOf", "anyOf", "oneOf", "dependentSchemas", "dependencies")
_HERE_ONE: Final = ("not", "if", "then", "else", "$ref", "$dynamicRef", "$recursiveRef")
_INSIDE: Final = ("additionalProperties", "items", "additionalItems", "contains", "propertyNames")
_INSIDE_MANY: Final = ("patternProperties", "prefixItems", "items")
_ONCE_MORE: Final = ("unevaluatedProperties", "unevaluatedItems")
_AGAIN: Final = 4  # what speaks of the rest asks all others once more, for each thing it finds

Schema: TypeAlias = Mapping[str, Any]


def deepest(schema: Schema, visits: int = MOST_VISITS) -> int:
    """How many levels an input may have so that no place is looked at more than ``visits`` times: at most
    ``DEEPEST``; 0 where even a flat one is too much."""
    counting = _Counting(schema, visits)
    for depth in range(DEEPEST + 1):
        if not counting.fits(depth):
            return max(depth - 1, 0)
    return DEEPEST


class _TooMuch(Exception):
    pass


class _Counting:
    def __init__(self, root: Schema, most: int) -> None:
        self._most = most
        self._anchors = _anchors(root)
        self._known: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()

    def fits(self, depth: int) -> bool:
        try:
            return self._visits(self._anchors["#"], depth) <= self._most
        except (_TooMuch, RecursionError):
            return False

    def _visits(self, node: Any, depth: int) -> int:
        """How often a place ``depth`` levels further in is looked at, when ``node`` is asked about one here."""
        if not isinstance(node, dict):
            return 0
        key = (id(cast(object, node)), depth)
        if key in self._open:  # the same schema about the same place again: validators stop there
            return 0
        if key not in self._known:
            self._open.add(key)
            self._known[key] = self._counted(cast(Schema, node), depth)
            self._open.discard(key)
        return self._known[key]

    def _counted(self, node: Schema, depth: int) -> int:
        total = sum(self._visits(child, depth) for child in self._here(node))
        total += 1 if depth == 0 else self._further_in(node, depth - 1)
        if any(word in node for word in _ONCE_MORE):
            total *= _AGAIN
        if total > self._most:
            raise _TooMuch
        return total

    def _further_in(self, node: Schema, depth: int) -> int:
        ones = sum(self._visits(node.get(word), depth) for word in (*_INSIDE, *_ONCE_MORE))
        many = sum(
            self._visits(child, depth) for word in _INSIDE_MANY for child in _listed(node.get(word), word)
        )
        return (
            ones + many + max((self._visits(c, depth) for c in _children(node.get("properties"))), default=0)
        )

    def _here(self, node: Schema) -> Iterator[Any]:
        for word in _HERE:
            yield from _children(node.get(word))
        for word in _HERE_ONE:
            child = node.get(word)
            yield self._target(child) if isinstance(child, str) else child

    def _target(self, reference: str) -> Schema:
        """What a reference means. One that leads by way of another base URI is not followed, and so refused."""
        found = self._anchors.get(unquote(reference))
        if found is None:
            raise _TooMuch
        return found


def _listed(value: Any, word: str) -> Iterator[Any]:
    """The schemas of a keyword that has many; ``items`` has, where it is a list, as before 2020."""
    return iter(()) if word == "items" and not isinstance(value, list) else _children(value)


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
