"""A mission in text: what the crew did, and the way down as a plot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from examples.moon.flight import Sample
from examples.moon.simulate import Line, Ran

__all__ = ["log", "plot"]

_WIDE: Final = 72
_HIGH: Final = 18
_LONG: Final = 150


def log(ran: Ran) -> Iterator[str]:
    """One line a call, as a person would read them; then the plot, and how it ended."""
    yield ran.mission.order
    yield ""
    for line in ran.lines:
        yield _line(line)
    yield ""
    yield from plot(ran.mission.flight.samples)
    yield ""
    yield "SUCCESS" if ran.mission.succeeded else "FAILURE"
    yield json.dumps(ran.report)


def plot(samples: Sequence[Sample]) -> Iterator[str]:
    """Height over time. ``o`` is the drone, ``~`` where dust keeps back more than half of a beam, ``a`` what the
    altimeter says where that is more than 1 m off. The lowest rows are stretched: rows follow the square root."""
    if not samples:
        return
    rows = [[" "] * _WIDE for _ in range(_HIGH)]
    last = max(sample.t for sample in samples) or 1.0
    top = max(sample.height for sample in samples) or 1.0
    for sample in samples:
        column = round((_WIDE - 1) * sample.t / last)
        if abs(sample.reading - sample.height) > 1.0:
            rows[_row(sample.reading, top)][column] = "a"
        rows[_row(sample.height, top)][column] = "~" if sample.clear < 0.5 else "o"
    for number, row in enumerate(rows):
        height = top * ((_HIGH - 1 - number) / (_HIGH - 1)) ** 2
        yield f"{height:6.1f} m |{''.join(row).rstrip()}"
    yield " " * 9 + "+" + "-" * _WIDE
    yield " " * 9 + f"0 s{last:>{_WIDE - 4}.0f} s"


def _row(height: float, top: float) -> int:
    share = min(max(height / top, 0.0), 1.0) ** 0.5
    return _HIGH - 1 - round((_HIGH - 1) * share)


def _line(line: Line) -> str:
    if not line.tool:
        return f"{line.who:9}   says {_short(line.result)}"
    given = ", ".join(f"{name}={_value(value)}" for name, value in line.given.items() if line.tool != "write")
    mark = "!" if line.is_error else " "
    return f"{line.who:9} {mark} {line.tool}({_short(given)})\n{'':12}-> {_short(line.result, 2 * _LONG)}"


def _value(value: Any) -> str:
    return _short(value, 80) if isinstance(value, str) else f"{value}"


def _short(text: str, most: int = _LONG) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
