"""The ground: seeded height fields with craters, rocks, loose fines and shadows.

A site is a square of ``SIDE`` cells of ``CELL`` metres with the science target in its middle. Heights are a
random fractal surface (a Hurst exponent of 0.8; medians on the Moon are 0.76 in the maria and 0.95 in the highlands:
Rosenburg et al., JGR 116, E02001, 2011), with craters somewhat shallower than fresh ones, which are 0.2 of their
diameter deep and have a rim of 0.036 of it (Pike, 1977). Rock diameters follow a power law, and a rock is half as high as it is
wide (Golombek and Rapp, JGR 102, 4117, 1997, for Mars). Shadows are cast by a low sun over the heights themselves.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["CELL", "KINDS", "REACH", "SIDE", "Kind", "Rock", "Site", "make_site"]

CELL: Final = 2.0
SIDE: Final = 256
REACH: Final = CELL * SIDE / 2 - 2 * CELL
"""Metres from the target to the edge of what is known of the ground."""

Kind: TypeAlias = Literal["plains", "slopes", "boulders", "dusty", "shadow", "far"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_Field: TypeAlias = npt.NDArray[np.float64]
_BUCKET: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Recipe:
    """``slope``: root mean square slope of the fractal at 4 m, degrees, of exponent ``hurst``. ``craters``: how many, of what least and
    greatest diameter (m). ``rocks``: of at least 0.35 m across, per m², within ``_ROCKY`` of the target.
    ``fines``: loose dust, 0 to 1. ``sun``: degrees above the horizon. ``start``: metres from the target;
    ``fuel``: kg."""

    slope: float
    hurst: float
    craters: tuple[int, float, float]
    rocks: float
    fines: float
    sun: float
    start: tuple[float, float]
    fuel: tuple[float, float]


_ROCKY: Final = 60.0
_HEAPS: Final = 90
_HEAP: Final = 3.5  # m, standard deviation
_LOOSE: Final = 0.06
_LARGEST: Final = 1.8  # m across
_RECIPES: Final[dict[Kind, _Recipe]] = {
    "plains": _Recipe(2.0, 0.8, (6, 8, 30), 0.004, 0.1, 35, (60, 110), (6.2, 6.8)),
    "slopes": _Recipe(17.0, 0.45, (200, 5, 25), 0.008, 0.15, 30, (60, 110), (6.2, 6.8)),
    "boulders": _Recipe(2.5, 0.8, (10, 8, 30), 1.25, 0.15, 30, (60, 110), (6.2, 6.8)),
    "dusty": _Recipe(2.0, 0.8, (6, 10, 40), 0.004, 0.8, 35, (60, 110), (6.2, 6.8)),
    "shadow": _Recipe(3.0, 0.8, (14, 8, 30), 0.36, 0.2, 4, (60, 110), (6.2, 6.8)),
    "far": _Recipe(2.0, 0.8, (8, 8, 30), 0.004, 0.1, 35, (190, 225), (4.0, 5.0)),
}


class Rock(NamedTuple):
    """A rock at (x, y), as wide as two radii and half as high as it is wide (m)."""

    x: float
    y: float
    radius: float

    @property
    def height(self) -> float:
        return self.radius


class Site:
    """One landing site. Coordinates are metres from the target, x east and y north, z up."""

    def __init__(self, kind: Kind, seed: int) -> None:
        recipe = _RECIPES[kind]
        dice = random.Random(f"{kind}-{seed}")  # noqa: S311  (a simulation, not a secret)
        field = _fractal(dice, recipe.slope, recipe.hurst)
        for x, y, diameter in _craters(dice, kind, recipe.craters):
            _dig(field, x, y, diameter)
        field -= field[SIDE // 2, SIDE // 2]
        self.kind: Final = kind
        self.seed: Final = seed
        self.fines: Final = recipe.fines * dice.uniform(0.85, 1.1)
        self.sun: Final = recipe.sun
        self.heights: Final = field
        self.dark: Final = _shadows(field, recipe.sun)
        self.highest: Final = float(field.max())
        self.rocks: Final = _rocks(dice, recipe.rocks)
        around, distance = dice.uniform(0, math.tau), dice.uniform(*recipe.start)
        self.start: Final = (distance * math.cos(around), distance * math.sin(around))
        self.fuel: Final = round(dice.uniform(*recipe.fuel), 2)
        self._rows: list[list[float]] = field.tolist()
        self._buckets: dict[tuple[int, int], list[Rock]] = {}
        for rock in self.rocks:
            self._buckets.setdefault((int(rock.x // _BUCKET), int(rock.y // _BUCKET)), []).append(rock)

    def height(self, x: float, y: float) -> float:
        """Of the ground, without rocks; beyond the edge that of the edge."""
        u = min(max(x / CELL + SIDE / 2, 0.0), SIDE - 1.001)
        v = min(max(y / CELL + SIDE / 2, 0.0), SIDE - 1.001)
        i, j = int(v), int(u)
        a, b = u - j, v - i
        low, high = self._rows[i], self._rows[i + 1]
        return (low[j] * (1 - a) + low[j + 1] * a) * (1 - b) + (high[j] * (1 - a) + high[j + 1] * a) * b

    def slope(self, x: float, y: float, reach: float) -> float:
        """Degrees of the plane through four points ``reach`` metres around (x, y)."""
        east = self.height(x + reach, y) - self.height(x - reach, y)
        north = self.height(x, y + reach) - self.height(x, y - reach)
        return math.degrees(math.atan(math.hypot(east, north) / (2 * reach)))

    def in_shadow(self, x: float, y: float) -> bool:
        i = min(max(int(y / CELL + SIDE / 2), 0), SIDE - 1)
        j = min(max(int(x / CELL + SIDE / 2), 0), SIDE - 1)
        return bool(self.dark[i, j])

    def rocks_near(self, x: float, y: float, reach: float) -> Iterator[Rock]:
        """Rocks of which any part is within ``reach`` of (x, y)."""
        if not self._buckets:
            return
        wide = reach + _LARGEST / 2
        columns = range(int((y - wide) // _BUCKET), int((y + wide) // _BUCKET) + 1)
        for i in range(int((x - wide) // _BUCKET), int((x + wide) // _BUCKET) + 1):
            for j in columns:
                for rock in self._buckets.get((i, j), ()):
                    if math.hypot(rock[0] - x, rock[1] - y) < reach + rock[2]:
                        yield rock


@lru_cache(maxsize=16)
def make_site(kind: Kind, seed: int) -> Site:
    """The site of a kind and a seed: the same each time."""
    return Site(kind, seed)


def _fractal(dice: random.Random, slope: float, hurst: float) -> _Field:
    """A surface whose slope over 4 m is ``slope`` degrees (root mean square)."""
    draw = np.random.default_rng(dice.getrandbits(64))
    waves = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    waves[0, 0] = 1.0
    noise = np.fft.rfft2(draw.standard_normal((SIDE, SIDE))) * waves ** -(1 + hurst)
    noise[0, 0] = 0.0
    field = np.fft.irfft2(noise, (SIDE, SIDE))
    steep = math.sqrt(2) * float(np.sqrt(np.mean(((field[:, 2:] - field[:, :-2]) / (2 * CELL)) ** 2)))
    return field * (math.tan(math.radians(slope)) / steep)


def _craters(
    dice: random.Random, kind: Kind, wanted: tuple[int, float, float]
) -> Iterator[tuple[float, float, float]]:
    """(x, y, diameter): sizes by a power law of exponent -2, as counted on young surfaces."""
    if kind == "shadow":
        yield dice.uniform(-15, 15), dice.uniform(-15, 15), dice.uniform(150, 190)
    number, least, most = wanted
    for _ in range(number):
        diameter = least / math.sqrt(1 - dice.random() * (1 - (least / most) ** 2))
        yield dice.uniform(-200, 200), dice.uniform(-200, 200), diameter


def _dig(field: _Field, x: float, y: float, diameter: float) -> None:
    """A bowl with a raised rim, in place; old craters are shallower than fresh ones."""
    radius, flat = diameter / 2, diameter > 100
    depth, rim = (0.12 if flat else 0.16) * diameter, 0.03 * diameter
    rows, columns = _window(y, 3 * radius), _window(x, 3 * radius)
    east = (np.arange(columns.start, columns.stop) - SIDE / 2) * CELL - x
    north = (np.arange(rows.start, rows.stop) - SIDE / 2) * CELL - y
    far = np.hypot(east[None, :], north[:, None]) / radius
    inside = np.minimum(far, 1.0) ** (5 if flat else 2) * (depth + rim) - depth
    outside = rim * np.maximum(far, 1.0) ** -3
    field[rows, columns] += np.where(far < 1, inside, np.where(far < 3, outside, 0.0))


def _window(centre: float, reach: float) -> slice:
    least = (centre - reach) / CELL + SIDE / 2
    most = (centre + reach) / CELL + SIDE / 2
    return slice(max(int(least), 0), min(int(most) + 2, SIDE))


def _rocks(dice: random.Random, density: float) -> list[Rock]:
    """Most lie in heaps, as blocks do around craters (a Thomas process), the rest anywhere."""
    draw = np.random.default_rng(dice.getrandbits(64))
    number = int(density * math.pi * _ROCKY**2)
    radii = np.minimum(0.35 * (1 - draw.random(number)) ** (-1 / 2.2), _LARGEST) / 2
    heaps, places = _scattered(draw, _HEAPS), _scattered(draw, number)
    near = heaps[draw.integers(_HEAPS, size=number)] + _HEAP * draw.standard_normal((number, 2))
    loose = draw.random(number) < _LOOSE
    places = np.where(loose[:, None], places, near)
    return list(map(Rock, places[:, 0].tolist(), places[:, 1].tolist(), radii.tolist()))


def _scattered(draw: np.random.Generator, number: int) -> _Field:
    """(x, y) of so many points, evenly over the rocky ground."""
    far, around = _ROCKY * np.sqrt(draw.random(number)), math.tau * draw.random(number)
    return np.stack([far * np.cos(around), far * np.sin(around)], axis=1)


def _shadows(field: _Field, sun: float) -> npt.NDArray[np.bool_]:
    """Where the sun in the west, ``sun`` degrees high, does not reach."""
    drop = CELL * math.tan(math.radians(sun))
    dark = np.zeros(field.shape, dtype=np.bool_)
    edge = field[:, 0].copy()
    for j in range(1, SIDE):
        edge -= drop
        dark[:, j] = field[:, j] < edge
        np.maximum(edge, field[:, j], out=edge)
    return dark
