"""Plans as they are kept in the log: JSON, without what is as always."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeAlias, cast

import msgspec

from reverie.domain.plans import Phase, Plan, Task

__all__ = ["plan_json", "plan_of"]

_Part: TypeAlias = Plan | Task | Phase


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan as JSON values; ``plan_of`` reads it."""
    told = _said(plan)
    told["tasks"] = [_said(task) for task in plan.tasks]
    if plan.phases:
        told["phases"] = [_said(phase) for phase in plan.phases]
    return told


def plan_of(told: Mapping[str, Any]) -> Plan:
    """The plan that ``plan_json`` wrote: it was checked before it was written, and is not again.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(told, Plan)


def _said(part: _Part) -> dict[str, Any]:
    """The fields that are not as always; tuples as lists."""
    told: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if field.default is MISSING or value != field.default:
            told[field.name] = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
    return told
