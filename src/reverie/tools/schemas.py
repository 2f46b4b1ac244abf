"""Whether a tool's schema is JSON Schema, and whether a call's input fits it, said in words for a model.

Schemas come from agents' authors and from MCP servers. So: nothing is ever fetched for a ``$ref``, patterns
run under a limit of steps, and a schema whose alternatives multiply is only asked about inputs so shallow
that the answer comes at once (``effort``): left alone, a validator takes hours for thirty lines of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, cast

import jsonschema_rs
import msgspec
from jsonschema_rs import FancyRegexOptions, ValidationError, ValidationErrorKind, Validator

from reverie.domain.events import Json, JsonObject
from reverie.tools.effort import deepest

__all__ = ["check_schema", "problems"]

_MOST_PROBLEMS: Final = 8
_MOST_CHARS: Final = 300
_TELLING: Final = (
    2_000  # visits: to collect what is wrong costs fifty times what it costs to see that something is
)
_PATTERNS: Final = FancyRegexOptions(backtrack_limit=100_000)


def problems(schema: JsonObject, input: JsonObject) -> list[str]:
    """What does not fit, at most eight lines; nothing where ``input`` fits ``schema``.

    Costs about a microsecond for a call that fits, once the schema was seen. A schema that ``check_schema``
    finds fault with has its fault as the one problem.
    """
    try:
        validator, depth, telling = _compiled(msgspec.json.encode(schema))
    except (ValueError, TypeError, UnicodeError, RecursionError) as error:
        return [f"the tool's schema cannot be used: {_first_line(error)}"]
    if _deeper(input, depth):
        return [f"the input is nested too deep: at most {depth} levels here"]
    try:
        if validator.is_valid(input):
            return []
        if _deeper(input, telling):
            return ["the input does not fit, in more ways than can be told: try a flatter one"]
        return _told(list(islice(validator.iter_errors(input), _MOST_PROBLEMS + 1)))
    except (ValueError, TypeError) as error:  # a key that is no text, a number that no JSON holds
        return [f"the input is not JSON: {_first_line(error)}"]


def check_schema(schema: JsonObject) -> list[str]:
    """Why ``schema`` cannot describe a tool's input; nothing where it can."""
    if schema.get("type") != "object":
        return ['`type` must be "object": a tool takes one object']
    try:
        _compiled(msgspec.json.encode(schema))
    except ValidationError as error:
        return [_one(error)]
    except (ValueError, TypeError, UnicodeError, RecursionError) as error:
        return [_first_line(error)]
    return []


@lru_cache(maxsize=512)
def _compiled(encoded: bytes) -> tuple[Validator, int, int]:
    """(validator, how deep an input may be nested, how deep it may be so that all its faults are looked for)."""
    schema = msgspec.json.decode(encoded)
    validator = jsonschema_rs.validator_for(schema, offline=True, pattern_options=_PATTERNS)
    depth = deepest(schema)
    if depth < 1:
        raise ValueError("its references and alternatives multiply beyond what can be checked")
    return validator, depth, deepest(schema, _TELLING)


def _deeper(value: Json, limit: int) -> bool:
    level: list[Json] = [value]
    for _ in range(limit + 1):
        level = [item for node in level for item in _inside(node)]
        if not level:
            return False
    return True


def _inside(node: Json) -> Sequence[Json]:
    if isinstance(node, dict):
        return list(cast(dict[str, Any], node).values())
    return cast(list[Json], node) if isinstance(node, list | tuple) else ()


# ------------------------------------------------------------------ in words


def _told(errors: Sequence[ValidationError]) -> list[str]:
    told = [_one(error) for error in errors[:_MOST_PROBLEMS]]
    return [*told, "… and more"] if len(errors) > len(told) else told


def _one(error: ValidationError) -> str:
    where = _place(error.instance_path)
    said = _wording(error)
    return f"`{where}`: {said}" if where else said


def _wording(error: ValidationError) -> str:
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            return f"the field `{name}` is missing"
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            return _short("there is no field " + ", ".join(f"`{name}`" for name in names))
        case ValidationErrorKind.AnyOf() | ValidationErrorKind.OneOfNotValid():
            return "fits none of the forms that are allowed here"
        case _:
            return _short(_first_line(error))


def _place(path: Sequence[str | int]) -> str:
    place = ""
    for step in path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return _short(place)


def _first_line(error: BaseException) -> str:
    text = error.message if isinstance(error, ValidationError) else str(error)
    return _short(text.partition("\n")[0])


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS // 2]} … {text[-_MOST_CHARS // 2 :]}"
