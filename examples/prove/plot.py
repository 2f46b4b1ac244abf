"""The plot of the proof, as an SVG: success before and after each dream, with memory taken away and given back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from examples.prove.loop import Course
from examples.prove.score import Share, share

__all__ = ["svg"]

_WIDE: Final = 720
_HIGH: Final = 250  # of one world
_LEFT: Final = 56
_TOP: Final = 46
_PLOT: Final = 150
_STEP: Final = 62
_WITHOUT: Final = "#8a8f98"
_WITH: Final = "#0b6e6e"
_CONTROL: Final = "#b4651b"


def svg(courses: Sequence[Course], seed: int) -> str:
    """One panel a world, one below the other. Points are shares, lines their 95 % intervals (Wilson)."""
    title = "Success on held-out tasks"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH * len(courses) + 30}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="t d">',
        f'<title id="t">{title}</title>',
        f'<desc id="d">{escape(_described(courses))}</desc>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, course in enumerate(courses):
        lines += [f'<g transform="translate(0 {number * _HIGH})">', *_panel(course), "</g>"]
    below = _HIGH * len(courses) + 16
    lines.append(
        f'<text x="{_LEFT}" y="{below}" fill="#555">95 % intervals (Wilson); seed {seed}; python -m examples.prove'
        "</text></svg>"
    )
    return "\n".join(lines) + "\n"


def _points(course: Course) -> list[tuple[str, Share, str, bool]]:
    """(label, share, colour, whether a line leads to it from the one before)."""
    first = "before"
    points = [
        (stage.name if stage.name == first else stage.name.removeprefix("after "), share(stage.results),
         _WITH if stage.memories else _WITHOUT, at > 0)
        for at, stage in enumerate(course.stages)
    ]  # fmt: skip
    points += [
        ("away" if stage.name == "without" else "back", share(stage.results),
         _WITHOUT if stage.name == "without" else _WITH, at > 0)
        for at, stage in enumerate(course.phases)
    ]  # fmt: skip
    names = ("shuffled", "placebo")
    points += [
        (name, share(stage.results), _CONTROL, False)
        for name, stage in zip(names, course.controls, strict=True)
    ]
    return points


def _panel(course: Course) -> Iterator[str]:
    yield f'<text x="{_LEFT}" y="24" font-size="15" font-weight="600">{escape(course.world)}</text>'
    for tenth in range(0, 101, 25):
        y = _y(tenth / 100)
        yield f'<line x1="{_LEFT}" x2="{_WIDE - 12}" y1="{y}" y2="{y}" stroke="#e3e5e8"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end" fill="#555">{tenth} %</text>'
    before: tuple[float, float] | None = None
    for at, (label, each, colour, joined) in enumerate(_points(course)):
        x, y = _LEFT + 34 + at * _STEP, _y(each.value)
        if joined and before is not None:
            yield (
                f'<line x1="{before[0]}" y1="{before[1]}" x2="{x}" y2="{y}" stroke="{_WITH}" stroke-opacity=".35" '
                'stroke-width="2"/>'
            )
        yield f'<line x1="{x}" x2="{x}" y1="{_y(each.low)}" y2="{_y(each.high)}" stroke="{colour}" stroke-width="2"/>'
        yield f'<circle cx="{x}" cy="{y}" r="4.5" fill="{colour}"/>'
        yield f'<text x="{x + 8}" y="{y - 6}" fill="{colour}">{each.value:.0%}</text>'
        yield f'<text x="{x}" y="{_TOP + _PLOT + 20}" text-anchor="middle" fill="#333">{escape(label)}</text>'
        before = (x, y)


def _y(value: float) -> float:
    return round(_TOP + _PLOT * (1 - value), 1)


def _described(courses: Sequence[Course]) -> str:
    told = (
        f"{course.world}: " + ", ".join(f"{label} {each}" for label, each, _, _ in _points(course))
        for course in courses
    )
    return "; ".join(told)
