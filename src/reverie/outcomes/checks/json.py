"""Checks of kind ``json``: whether files are JSON, and fit a JSON Schema."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from reverie.domain.outcomes import Proof
from reverie.outcomes.checks.looking import Fault, Found, Looking, Unchecked
from reverie.outcomes.checks.specs import JsonWants
from reverie.outcomes.documents import limited
from reverie.outcomes.documents.schemas import why_not_a_schema

__all__ = ["check_json"]


def check_json(wants: JsonWants, looking: Looking) -> Found:
    """
    Raises:
        Unchecked: a file cannot be read, the schema is none, or the answer does not come in time.
    """
    found = looking.some(wants.file)
    if isinstance(found, Fault):
        return Found([found])
    schema = wants.schema if wants.schema_file is None else _schema(wants.schema_file, looking)
    faults = [Fault(change, Proof(path)) for path in found for change in _changes(path, schema, looking)]
    return Found(faults, Proof(found[0]))


def _schema(path: str, looking: Looking) -> dict[str, Any]:
    try:
        schema: object = msgspec.json.decode(looking.data(path).removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Unchecked(f"the schema `{path}` is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise Unchecked(f"the schema `{path}` is not a JSON object")
    told = cast(dict[str, Any], schema)
    if fault := why_not_a_schema(told):
        raise Unchecked(f"`{path}` is not a JSON Schema: {fault}")
    return told


def _changes(path: str, schema: dict[str, Any] | None, looking: Looking) -> list[str]:
    data = looking.data(path).removeprefix(b"\xef\xbb\xbf")
    try:
        problems = looking.readers.misfits(schema or {}, data)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        return [f"make `{path}` valid JSON: {error}"]
    except limited.Unanswered:
        raise Unchecked(f"`{path}` could not be held against its schema within the limits of time") from None
    return [f"mend `{path}`: {problem}" for problem in problems]
