"""Word lists, written as prose so that they can be read and kept in order."""

from __future__ import annotations

__all__ = ["vocabulary"]


def vocabulary(text: str, separator: str | None = None) -> frozenset[str]:
    """The words of a text (by white space, or by a separator where entries have spaces)."""
    return frozenset(" ".join(entry.split()) for entry in text.split(separator) if entry.strip())
