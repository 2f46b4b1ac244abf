"""JSON held against a JSON Schema. Nothing is fetched for a ``$ref``, and patterns run in linear time.

Alternatives of a schema multiply: thirty lines can keep a validator busy for hours. ``plain`` schemas, which
have none, are looked at here; the others where time is limited (``limited``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs
import msgspec
from jsonschema_rs import RegexOptions, ValidationError, Validator

__all__ = ["plain", "problems", "why_not_a_schema"]

_MOST_PROBLEMS: Final = 10
_LONGEST: Final = 300
_BRANCHING: Final = (
    '"$ref"', '"$dynamicRef"', '"$recursiveRef"', '"anyOf"', '"oneOf"', '"allOf"', '"not"', '"if"',
    '"unevaluatedProperties"', '"unevaluatedItems"', '"dependentSchemas"', '"dependencies"', '"uniqueItems"',
)  # fmt: skip


def plain(schema: Mapping[str, Any]) -> bool:
    """Whether each place of an instance is looked at about once."""
    told = msgspec.json.encode(schema).decode()
    return not any(keyword in told for keyword in _BRANCHING)


def why_not_a_schema(schema: Mapping[str, Any]) -> str | None:
    """Why it is no schema that can be used; None where it is one."""
    try:
        _validator(msgspec.json.encode(schema))
    except ValidationError as error:
        return _first_line(error)
    except (ValueError, TypeError, UnicodeError, RecursionError) as error:
        return _first_line(error)
    return None


def problems(schema: Mapping[str, Any], instance: object) -> list[str]:
    """What does not fit, a sentence for each of the first ten faults, with the place in the instance."""
    try:
        errors = list(
            islice(_validator(msgspec.json.encode(schema)).iter_errors(instance), _MOST_PROBLEMS + 1)
        )
    except (ValueError, TypeError, RecursionError) as error:
        return [f"it cannot be held against the schema: {_first_line(error)}"]
    told = [_one(error) for error in errors[:_MOST_PROBLEMS]]
    return [*told, "… and more"] if len(errors) > len(told) else told


@lru_cache(maxsize=64)
def _validator(encoded: bytes) -> Validator:
    schema = msgspec.json.decode(encoded)
    return jsonschema_rs.validator_for(schema, offline=True, pattern_options=RegexOptions())


def _one(error: ValidationError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return f"`{place.lstrip('.')}`: {_first_line(error)}" if place else _first_line(error)


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
