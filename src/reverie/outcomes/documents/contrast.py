"""Whether text can be told from what is behind it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SMALLEST_SEEN_PT", "unseen"]

SMALLEST_SEEN_PT: Final = 2.0
"""Text of this size or smaller counts as hidden."""
_LEAST_CONTRAST: Final = 1.25
"""Of WCAG 2's ratio of luminances (1: the same, 21: black on white; 3 is its least for large text). Light
grey on white that a person still makes out, #DDDDDD, has 1.36."""
_HEX: Final = re.compile(r"\A#?([0-9A-Fa-f]{6})\Z")


def unseen(colour: str, behind: str) -> bool:
    """Whether text of a colour (six hexadecimal digits) cannot be made out on another; False where one of them
    is not known."""
    front, back = _luminance(colour), _luminance(behind)
    if front is None or back is None:
        return False
    return (max(front, back) + 0.05) / (min(front, back) + 0.05) < _LEAST_CONTRAST


def _luminance(colour: str) -> float | None:
    """The relative luminance of WCAG 2, from 0 to 1."""
    found = _HEX.match(colour)
    if found is None:
        return None
    parts = (int(found[1][at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
