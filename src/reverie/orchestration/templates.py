"""One specialist over many inputs: the tasks of a ``Map``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any, Final, TypeAlias

import msgspec

from reverie.domain.errors import Invalid
from reverie.domain.plans import Map, Task

__all__ = ["expanded"]

_Input: TypeAlias = str | Mapping[str, Any]
_Piece: TypeAlias = tuple[str, str | None]
"""Literal text, and the field that follows it."""

_FIELD: Final = re.compile(r"\w[\w-]*")
_OWN: Final = ("input", "index")


def expanded(asked: Map, where: str = "map") -> Iterator[Task]:
    """The tasks of a map, in the order of its inputs. What an input holds is never read as a template.

    Raises:
        Invalid: a template that is none or names nothing, a field that an input does not have, an input that
            is no JSON value. ``where`` begins the path that is named.
    """
    pieces = _pieces(asked.prompt, f"{where}.prompt")
    for number, given in enumerate(asked.inputs):
        values = _values(given, number, pieces, f"{where}.inputs[{number}]")
        prompt = "".join(text + ("" if name is None else values[name]) for text, name in pieces)
        limits = (asked.retries, asked.timeout_s, asked.max_tokens)
        yield Task(f"item-{number + 1}", asked.agent, prompt, (), *limits)


def _pieces(template: str, where: str) -> Sequence[_Piece]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        hint = "write {{ and }} for braces that stand for themselves"
        raise Invalid(where, f"a template: {error}", hint=hint) from error
    for _, name, spec, conversion in parsed:
        if name is not None and (spec or conversion or not _FIELD.fullmatch(name)):
            raise Invalid(where, "fields that are plain names, like {input}", name)
    if all(name is None for _, name, _, _ in parsed):
        raise Invalid(where, "a template with {input}, {index} or a field of the inputs in it")
    return [(text, name) for text, name, _, _ in parsed]


def _values(given: _Input, number: int, pieces: Sequence[_Piece], where: str) -> Mapping[str, str]:
    fields: Mapping[str, Any] = {} if isinstance(given, str) else given
    found: dict[str, str] = {}
    for _, name in pieces:
        if name == "index":
            found[name] = str(number + 1)
        elif name == "input":
            found[name] = _text(given, where)
        elif name is not None and name in fields:
            found[name] = _text(fields[name], f"{where}.{name}")
        elif name is not None:
            known = ", ".join((*_OWN, *fields))
            raise Invalid(where, f"the field {name}, which the prompt names; it has: {known}"[:1000])
    return found


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(where, f"a JSON value: {error}") from error
