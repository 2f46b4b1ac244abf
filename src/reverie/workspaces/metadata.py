"""Metadata that clients attach: how a patch is laid over what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from reverie.domain.errors import Invalid

__all__ = ["MAX_PAIRS", "Patch", "patched", "said"]

MAX_PAIRS: Final = 16

Patch: TypeAlias = Mapping[str, str | None]


def patched(stored: Mapping[str, str], patch: Patch | None, *, empty_deletes: bool = False) -> dict[str, str]:
    """``stored`` with the keys of ``patch`` set, and those deleted that are null (or empty, where the wire
    says so of a resource).

    Raises:
        Invalid: more than 16 pairs would be stored.
    """
    found = dict(stored)
    for key, value in (patch or {}).items():
        if value is None or (empty_deletes and not value):
            found.pop(key, None)
        else:
            found[key] = value
    if len(found) > MAX_PAIRS:
        raise Invalid("metadata", f"at most {MAX_PAIRS} pairs", len(found))
    return found


def said(change: Mapping[str, Any], key: str, stored: Any, *, empty: Any = None) -> Any:
    """What a field is after an update: the stored value where it was left out, ``empty`` where it is null."""
    value = change.get(key, stored)
    return empty if value is None else value
