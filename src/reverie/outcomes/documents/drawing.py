"""What a PDF's page says to draw: followed far enough to tell text that is seen from text that is not.

A state is kept as PDF 32000-1, 8.4 and 9.3, has it: the transformation, the colour that fills, and of text its
mode, size and matrix. Text inside form XObjects is not followed: it counts as seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

__all__ = ["Drawing", "State"]

Matrix: TypeAlias = tuple[float, float, float, float, float, float]
_UNMOVED: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_SHOWING: Final = frozenset({b"Tj", b"TJ", b"'", b'"'})
_FILLING: Final = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"})
_COVERING: Final = frozenset({b"sh", b"Do", b"INLINE IMAGE"})
_INVISIBLE: Final = 3
_DEEPEST: Final = 256
_WHITE: Final = 0.93


@dataclass(frozen=True, slots=True)
class State:
    """``white`` is None for a colour that cannot be known."""

    moved: Matrix = _UNMOVED
    white: bool | None = False
    mode: int = 0
    size: float = 0.0
    font: str = ""


class Drawing:
    """Follows the operators of one page. ``box`` is what is shown of it, in its own units (1/72 inch)."""

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self._box = box
        self.state = State()
        self._kept: list[State] = []
        self._text = self._line = _UNMOVED
        self._painted = False

    def shows(self, operator: bytes) -> bool:
        return operator in _SHOWING

    @property
    def points(self) -> float:
        """The size of text as it is drawn."""
        across = _times(self._text, self.state.moved)
        return abs(self.state.size) * math.hypot(across[2], across[3])

    def why_unseen(self, smallest: float) -> str | None:
        """Why text that is shown now is not seen; None where it is, or that cannot be told."""
        x, y = _times(self._text, self.state.moved)[4:]
        left, low, right, high = self._box
        if self.state.mode == _INVISIBLE:
            return "text that is not drawn (render mode 3)"
        if self.points <= smallest:
            return f"text of {self.points:.2g} pt"
        if not (left - 1_000 < x < right and low - self.points < y < high):
            return "text outside the page"
        if self.state.white and not self._painted:
            return "white text"
        return None

    def follow(self, operands: Sequence[Any], operator: bytes) -> None:
        """
        Raises:
            Exception: anything, of operands that are not what the operator takes.
        """
        match operator:
            case b"q":
                self._kept.append(self.state) if len(self._kept) < _DEEPEST else None
            case b"Q":
                self.state = self._kept.pop() if self._kept else self.state
            case b"cm":
                self.state = replace(self.state, moved=_times(_matrix(operands), self.state.moved))
            case b"BT" | b"Td" | b"TD" | b"Tm" | b"T*" | b"'" | b'"':
                self._move(operands, operator)
            case b"Tf":
                self.state = replace(self.state, font=str(operands[0]), size=float(operands[1]))
            case b"Tr":
                self.state = replace(self.state, mode=int(operands[0]))
            case _:
                self._colour(operands, operator)

    def _move(self, operands: Sequence[Any], operator: bytes) -> None:
        if operator == b"BT":
            self._line = _UNMOVED
        elif operator == b"Tm":
            self._line = _matrix(operands)
        elif operator in (b"Td", b"TD"):
            self._line = _times((1.0, 0.0, 0.0, 1.0, float(operands[0]), float(operands[1])), self._line)
        self._text = self._line

    def _colour(self, operands: Sequence[Any], operator: bytes) -> None:
        match operator:
            case b"g" | b"rg":
                white = all(float(part) >= _WHITE for part in operands)
                self.state = replace(self.state, white=white)
            case b"k":
                self.state = replace(self.state, white=all(float(part) <= 1 - _WHITE for part in operands))
            case b"cs":
                self.state = replace(self.state, white=False)
            case b"sc" | b"scn":
                numbers = [float(part) for part in operands if isinstance(part, int | float)]
                known = len(numbers) == 3 and len(operands) == 3
                self.state = replace(self.state, white=all(n >= _WHITE for n in numbers) if known else None)
            case _:
                self._painted |= operator in _COVERING or (operator in _FILLING and not self.state.white)


def _matrix(operands: Sequence[Any]) -> Matrix:
    a, b, c, d, e, f = (float(part) for part in operands)
    return a, b, c, d, e, f


def _times(one: Matrix, other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = other
    return (
        a * g + b * i,
        a * h + b * j,
        c * g + d * i,
        c * h + d * j,
        e * g + f * i + k,
        e * h + f * j + m,
    )
