"""Query parameters: strings into the fields of a Struct, strictly."""

from __future__ import annotations

from typing import Any, Final, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from reverie.domain.errors import Invalid, UsageError
from reverie.server.errors import validation_error

__all__ = ["Reader", "is_list"]

_IGNORED: Final = frozenset({"beta"})  # the SDK marks its beta routes with it
_MOST: Final = 1_000
_LARGEST: Final = 2**63


class Reader:
    """Reads the query of one endpoint."""

    def __init__(self, shape: type[Any] | None) -> None:
        self._shape = shape
        fields = () if shape is None else msgspec.structs.fields(shape)
        self._attributes = {field.encode_name: field.name for field in fields}
        self._lists = {field.encode_name: is_list(field.type) for field in fields}

    def __call__(self, query: bytes) -> Any:
        """The decoded query; None where the endpoint takes none.

        Raises:
            UsageError: not UTF-8; a parameter that is unknown, given twice, or of a wrong value.
        """
        if not query:
            return None if self._shape is None else self._convert({})
        try:
            pairs = parse_qsl(
                query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST
            )
        except UnicodeError:
            raise UsageError("the query is not percent-encoded UTF-8") from None
        except ValueError:
            raise UsageError(f"the query has more than {_MOST} parameters") from None
        told = self._collect(pairs)
        return None if self._shape is None else self._convert(told)

    def _collect(self, pairs: list[tuple[str, str]]) -> dict[str, str | list[str]]:
        told: dict[str, str | list[str]] = {}
        for key, value in pairs:
            name = key.removesuffix("[]")
            if name in _IGNORED:
                continue
            if name not in self._lists or (name != key and not self._lists[name]):
                known = ", ".join(sorted(self._lists)) or "none"
                raise UsageError(f"`{key[:64]}`: no such query parameter here; there are: {known}")
            if "\x00" in value:  # PostgreSQL has no text with it, so nothing can be asked for by it
                raise Invalid(name, "a text without NUL characters")
            if self._lists[name]:
                told.setdefault(name, []).append(value)  # type: ignore[union-attr]
            elif name in told:
                raise Invalid(name, "given once, and this is given twice")
            else:
                told[name] = value
        return told

    def _convert(self, told: dict[str, str | list[str]]) -> Any:
        try:
            found = msgspec.convert(told, self._shape, strict=False)
        except msgspec.ValidationError as error:
            raise validation_error(error, told) from None
        for name in told:
            value = getattr(found, self._attributes[name])
            if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:  # no column holds more
                raise Invalid(name, "a whole number of 64 bits")
        return found


def is_list(type_: Any) -> bool:
    """Whether a field's type is a list, or a union with one."""
    origin = get_origin(type_)
    if origin is list or type_ is list:
        return True
    return any(is_list(part) for part in get_args(type_) if origin is not dict)
