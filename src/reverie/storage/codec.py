"""Our types as JSON text and back. The same value gives the same bytes: keys of mappings are sorted."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, TypeVar, cast, get_origin

import msgspec

__all__ = ["dumps", "loads"]

T = TypeVar("T")

_encoder: Final = msgspec.json.Encoder(order="deterministic")


def dumps(value: object) -> str:
    """JSON text of plain data and frozen dataclasses; datetimes as RFC 3339, tuples as arrays.

    Raises:
        TypeError: ``value`` holds something that has no JSON form.
    """
    return _encoder.encode(value).decode()


def loads(text: str, type: type[T]) -> T:
    """The value of ``type`` that ``dumps`` wrote.

    Raises:
        msgspec.ValidationError: the text is not such a value.
    """
    return msgspec.json.decode(text, type=type, dec_hook=_decode)


def _decode(kind: Any, value: Any) -> Any:
    if kind is Counter or get_origin(kind) is Counter:
        return cast(object, Counter(value))
    raise NotImplementedError(f"no way to read a {kind}")  # msgspec's word for "not mine either"
