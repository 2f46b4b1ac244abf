"""Graphs of who waits for whom, as a drawing: boxes in columns, each right of everything that it needs.

The drawing is plain SVG with links in it; what it shows stands in a table beside it too, for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["MOST", "Box", "Drawing", "Line", "Node", "drawn"]

MOST: Final = 80
"""Nodes of a drawing; a larger graph is a table alone."""
_WIDE, _HIGH = 168, 52
_GAP, _ROW = 56, 16
_EDGE: Final = 8
_SWEEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Node:
    """What is drawn as a box. ``state`` names its colour, ``needs`` the nodes that come before it."""

    id: str
    name: str
    state: str
    words: str
    href: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place, in units of the drawing."""

    node: Node
    x: int
    y: int
    wide: int = _WIDE
    high: int = _HIGH

    @property
    def name(self) -> str:
        """As much of the name as fits."""
        return self.node.name if len(self.node.name) <= 20 else f"{self.node.name[:19]}…"


@dataclass(frozen=True, slots=True)
class Line:
    """From a box to one that needs it, as a path. ``state`` is that of the box it comes from."""

    path: str
    state: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and the lines between them."""

    wide: int
    high: int
    boxes: Sequence[Box]
    lines: Sequence[Line]


def drawn(nodes: Sequence[Node]) -> Drawing | None:
    """A drawing of at most ``MOST`` nodes; None where there are more, or nothing to be seen."""
    if not 1 < len(nodes) <= MOST:
        return None
    columns = _ordered(_columns(nodes))
    tallest = max(map(len, columns))
    high = tallest * (_HIGH + _ROW) - _ROW + 2 * _EDGE
    boxes = [
        Box(node, _EDGE + number * (_WIDE + _GAP), _EDGE + _top(len(column), tallest) + row * (_HIGH + _ROW))
        for number, column in enumerate(columns)
        for row, node in enumerate(column)
    ]
    wide = len(columns) * (_WIDE + _GAP) - _GAP + 2 * _EDGE
    return Drawing(wide, high, boxes, list(_lines({box.node.id: box for box in boxes})))


def _top(count: int, tallest: int) -> int:
    """How far below the edge a column begins, that stands in the middle."""
    return (tallest - count) * (_HIGH + _ROW) // 2


def _columns(nodes: Sequence[Node]) -> list[list[Node]]:
    """The nodes by the length of the longest way to them. What waits for itself (no plan does) counts once."""
    by_id = {node.id: node for node in nodes}
    depth: dict[str, int] = {}
    left = list(nodes)
    while left:
        ready = [n for n in left if all(need in depth for need in n.needs if need in by_id)] or left[:1]
        for node in ready:
            depth[node.id] = max((depth.get(need, -1) + 1 for need in node.needs if need in by_id), default=0)
        left = [node for node in left if node.id not in depth]
    columns: list[list[Node]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in nodes:
        columns[depth[node.id]].append(node)
    return columns


def _ordered(columns: list[list[Node]]) -> list[list[Node]]:
    """Each column in the order of the middles of what its nodes need, so that few lines cross."""
    for _ in range(_SWEEPS):
        rows = _rows(columns)
        for column in columns[1:]:
            column.sort(key=lambda node: _middle(node, rows))
            rows |= _rows([column])
    return columns


def _rows(columns: Sequence[Sequence[Node]]) -> dict[str, float]:
    return {node.id: row - len(column) / 2 for column in columns for row, node in enumerate(column)}


def _middle(node: Node, rows: Mapping[str, float]) -> float:
    known = [rows[need] for need in node.needs if need in rows]
    return sum(known) / len(known) if known else rows[node.id]


def _lines(boxes: Mapping[str, Box]) -> Iterator[Line]:
    for box in boxes.values():
        for need in box.node.needs:
            if (source := boxes.get(need)) is not None:
                x1, y1 = source.x + source.wide, source.y + source.high // 2
                x2, y2 = box.x, box.y + box.high // 2
                bend = (x2 - x1) // 2
                yield Line(f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}", source.node.state)
