"""Wide tables, and a curve as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["curve", "matrix", "percent"]

WIDTH, HEIGHT, EDGE = 900, 520, 60
COLOURS: Final = (
    "#c0392b",
    "#e67e22",
    "#2980b9",
    "#27ae60",
    "#8e44ad",
    "#16a085",
    "#7f8c8d",
    "#2c3e50",
    "#d35400",
    "#f39c12",
)


def percent(rate: float, repetitions: int) -> str:
    """A rate in per cent with its 95 % Monte-Carlo interval."""
    half = 1.96 * math.sqrt(max(rate * (1 - rate), 1 / repetitions**2) / repetitions)
    return f"{100 * rate:.1f} ± {100 * half:.1f}"


def matrix(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table on stdout."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def curve(path: Path, title: str, across: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """An SVG of y in [0, 1] against x, one line for each name, the first the thickest."""
    most = max(x for points in lines.values() for x, _ in points)

    def place(x: float, y: float) -> str:
        return f"{EDGE + x / most * (WIDTH - 300):.1f},{HEIGHT - EDGE - y * (HEIGHT - 2 * EDGE):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/><text x="{EDGE}" y="30" font-size="15">{title}</text>',
        f'<text x="{EDGE}" y="{HEIGHT - 15}">{across}</text>',
    ]
    for step in range(6):
        left, right = place(0, step / 5), place(most, step / 5)
        parts.append(f'<polyline points="{left} {right}" stroke="#ddd" fill="none"/>')
        parts.append(_label(left, -35, 4, f"{20 * step} %"))
        parts.append(_label(place(most * step / 5, 0), -10, 18, f"{most * step / 5:.0f}"))
    for i, (name, points) in enumerate(lines.items()):
        colour, width = COLOURS[i % len(COLOURS)], 3 if i < 2 else 1.3
        parts.append(
            f'<polyline points="{" ".join(place(x, y) for x, y in sorted(points))}" stroke="{colour}" stroke-width="{width}" fill="none"/>'
        )
        parts.append(f'<text x="{WIDTH - 225}" y="{EDGE + 18 * i}" fill="{colour}">{name}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>\n"]), "utf-8")


def _label(place: str, right: float, down: float, text: str) -> str:
    x, y = map(float, place.split(","))
    return f'<text x="{x + right:.1f}" y="{y + down:.1f}">{text}</text>'
