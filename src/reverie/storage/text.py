"""Text and JSON as both engines can keep them: no lone surrogates, and no NUL in a text column."""

from __future__ import annotations

import re
from typing import Any, Final, cast

import msgspec

__all__ = ["clean_json", "clean_text", "json_text"]

_UNFIT: Final = re.compile("[\ud800-\udfff\x00]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_encoder: Final = msgspec.json.Encoder()


def clean_text(text: str) -> str:
    """``text`` for a text column: what neither UTF-8 nor PostgreSQL can hold becomes U+FFFD."""
    return text if text.isprintable() else _UNFIT.sub("\ufffd", text)


def json_text(value: Any) -> str:
    """The JSON text of plain data and our types, in the order it came in; lone surrogates become U+FFFD, NaN null.

    Raises:
        TypeError: something in it has no JSON form.
        RecursionError: it is nested deeper than anything that can be read back.
    """
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        return _encoder.encode(clean_json(msgspec.to_builtins(value))).decode()


def clean_json(value: Any) -> Any:
    """A copy of plain data without lone surrogates, in keys too."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        items = cast(dict[Any, Any], value).items()
        return {clean_json(key): clean_json(item) for key, item in items}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in cast(list[Any], value)]
    return value
