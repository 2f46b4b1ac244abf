"""What every shape on the wire shares: one base for answers, one for what is asked, and times.

These are msgspec Structs: one declaration is the validation, the JSON and the JSON Schema of
``/openapi.json``. Limits stand in the types (``Annotated[str, Meta(max_length=255)]``), so that an error
can name the field, the limit and the value.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = ["UNSET", "Ask", "Meta", "Timestamp", "UnsetType", "Wire", "utc"]

Timestamp: TypeAlias = datetime
"""Aware, in UTC; rendered as RFC 3339 with ``Z``."""


class Wire(msgspec.Struct, kw_only=True, omit_defaults=False):
    """The base of answers: every field is sent, null included."""


class Ask(msgspec.Struct, kw_only=True, forbid_unknown_fields=False):
    """The base of request bodies and queries. Give a field the default ``UNSET`` where "not said" and an
    explicit null (which clears) differ."""


def utc(at: datetime) -> datetime:
    """The same moment, in UTC; a time without a zone is taken as UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
