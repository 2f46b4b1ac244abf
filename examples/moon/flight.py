"""The flight computer: brings a drone over a point, and down, the way a plan says.

It knows what ``sensors`` know and no more. Horizontally it flies at the speed from which it can still stop;
downwards at the plan's speed, slowing towards the ground; the thrust that this takes is put into a tilt and a
throttle, within what the drone can do.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from examples.moon.physics import DT, GRAVITY, VEHICLE, Drone
from examples.moon.sensors import LOOK, Sensors
from examples.moon.terrain import Rock, Site

__all__ = ["GATE", "START", "Flight", "Plan", "Sample"]

START: Final = 260.0
"""Metres over the ground at which a drone is handed over."""
GATE: Final = 60.0
"""Metres over the ground where the approach ends and the landing begins."""
_CONE: Final = 30.0  # metres beside its point within which a drone begins to go down
_BRAKE: Final = 0.6  # m/s², horizontally
_DROP: Final = 0.7  # m/s², at which it begins to go down: some thrust is needed to steer
_EASE: Final = 0.3  # m/s², at which the descent slows down towards the ground
_TOUCH: Final = 0.9  # m/s, at the ground
_LOOKOUT: Final = 24.0  # metres over the ground, from where rocks are looked for
_STRIDE: Final = 14.0  # metres that it may go aside for one
_STILL: Final = 6.0  # metres over the ground below which only drift is taken out, wherever that leads
_UPRIGHT: Final = math.radians(8)  # the greatest tilt near the ground
_RATE: Final = 20  # looks between two samples that are shown


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fly: to (x, y); at most ``descent`` m/s downwards; waiting ``hover_time`` s at ``hover_height`` m;
    believing inertial sensors alone below ``inertial_below`` m while there is dust; shutting the engine down at ``cut`` m; and
    keeping ``margin`` m clear of rocks that the hazard lidar sees from 24 m (0: not looking for any)."""

    x: float
    y: float
    descent: float = 4.0
    hover_height: float = 0.0
    hover_time: float = 0.0
    inertial_below: float = 0.0
    cut: float = 1.2
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment of a flight: s, m, m/s, kg; ``reading`` is the altimeter's, ``clear`` a share."""

    t: float
    height: float
    reading: float
    vertical: float
    horizontal: float
    throttle: float
    fuel: float
    clear: float
    away: float


class Flight:
    """One drone's way down. ``samples`` are taken every four seconds, and every second near the ground."""

    def __init__(self, site: Site, seed: int) -> None:
        dice = random.Random(f"flight-{site.kind}-{site.seed}-{seed}")  # noqa: S311  (a simulation)
        x, y = site.start
        fast = dice.uniform(0.0, 4.0)
        away = math.hypot(x, y)
        self.site: Final = site
        self.drone: Final = Drone(
            site,
            position=(x, y, site.height(x, y) + START),
            velocity=(-x / away * fast, -y / away * fast, -dice.uniform(1.0, 4.0)),
            fuel=site.fuel,
        )
        self._dice = dice
        self.sensors: Final = Sensors(self.drone, dice)
        self.samples: list[Sample] = []
        self.cut_at: tuple[float, float] | None = None
        self.aside: float | None = None
        self._hovered = 0.0
        self._above = False
        self._looks = 0

    def hold(self, seconds: float) -> None:
        """Stay where it is."""
        known = self.sensors.known
        here = Plan(known.x, known.y)
        until, height = self.drone.t + seconds, known.height
        while self.drone.status == "flying" and self.drone.t < until:
            self._fly(here, 0.5 * (height - self.sensors.look().height))

    def approach(self, plan: Plan) -> bool:
        """To ``GATE`` metres over the plan's point. Whether it got there."""
        while self.drone.status == "flying" and self.drone.t < 600:
            known = self.sensors.look()
            left = known.height - GATE
            away = math.hypot(plan.x - known.x, plan.y - known.y)
            if left < 1.5 and away < 6.0:
                return True
            down = -min(plan.descent, math.sqrt(2 * _BRAKE * left)) if left > 0 else -0.5 * left
            self._above = self._above or away < _CONE
            self._fly(plan, down if self._above else 0.2 * (START - known.height))
        return False

    def land(self, plan: Plan) -> bool:
        """From there to the ground. Whether it stands."""
        while self.drone.status == "flying" and self.drone.t < 900:
            known = self.sensors.look(plan.inertial_below)
            if plan.margin > 0.0 and self.aside is None and known.height < _LOOKOUT:
                plan = self._avoid(plan)
                continue
            if known.height <= plan.cut or self.cut_at is not None:
                self._cut()
                continue
            self._fly(plan, self._down(plan, known.height))
        return self.drone.status == "landed"

    def _down(self, plan: Plan, height: float) -> float:
        if self._hovered < plan.hover_time and height < plan.hover_height + 1.0:
            self._hovered += LOOK * DT
            return 0.6 * (plan.hover_height - height)
        return -min(plan.descent, max(_TOUCH, math.sqrt(2 * _EASE * max(height, 0.0))))

    def _fly(self, plan: Plan, down: float) -> None:
        """One look's time towards a point, at a vertical speed."""
        drone, known = self.drone, self.sensors.known
        east, north = plan.x - known.x, plan.y - known.y
        away = math.hypot(east, north)
        fast = (
            min(8.0, 0.35 * away, math.sqrt(2 * _BRAKE * away)) / away
            if away > 1e-6 and known.height > _STILL
            else 0.0
        )
        ax = 0.7 * (east * fast - known.vx)
        ay = 0.7 * (north * fast - known.vy)
        level = math.hypot(ax, ay)
        up = GRAVITY + min(max(0.9 * (down - known.vz), -_DROP), 2.0)
        most = math.tan(VEHICLE.max_tilt if known.height > 15.0 else _UPRIGHT) * up
        if level > most:
            ax, ay, level = ax * most / level, ay * most / level, most
        push = math.sqrt(level * level + up * up)
        throttle = min(max(drone.mass * push / VEHICLE.max_thrust, VEHICLE.least_throttle), 1.0)
        self._steps(throttle, math.atan2(ax, up), math.asin(ay / push))

    def _cut(self) -> None:
        """Engine off, upright, until the ground is there."""
        if self.cut_at is None:
            self.cut_at = (self.drone.height, self.sensors.reading)
        self._steps(0.0, 0.0, 0.0)

    def _steps(self, throttle: float, pitch: float, roll: float) -> None:
        drone = self.drone
        for _ in range(LOOK):
            drone.step(throttle, pitch, roll)
        self._looks += 1
        if self._looks % (_RATE if self.sensors.known.height > 40 else 5) == 0 or drone.status != "flying":
            self._sample()

    def _sample(self) -> None:
        d = self.drone
        away = math.hypot(d.x, d.y)
        level = math.hypot(d.vx, d.vy)
        self.samples.append(
            Sample(
                d.t, d.height, self.sensors.reading, d.vz, level, d.throttle, d.fuel, self.sensors.clear, away
            )
        )

    # ------------------------------------------------------------------ rocks

    def _avoid(self, plan: Plan) -> Plan:
        """Look for three seconds, and move the point to the nearest one that is clear."""
        self.hold(3.0)
        known = self.sensors.known
        near = self.site.rocks_near(known.x, known.y, _STRIDE + 3.0)
        seen = [r for r in near if r.radius > 0.19 and self._dice.random() < 0.97 * self.sensors.clear]
        points = list(_around(plan.x, plan.y))
        clear = _clearance(points, seen)
        _, x, y = max((self._merit(plan, x, y, c), x, y) for (x, y), c in zip(points, clear, strict=True))
        self.aside = math.hypot(x - plan.x, y - plan.y)
        return replace(plan, x=x, y=y)

    def _merit(self, plan: Plan, x: float, y: float, clear: float) -> float:
        """Clear by the margin and level, as near as can be; otherwise as clear and level as can be."""
        steep = self.site.slope(x, y, 2.0)
        lacking = max(plan.margin - clear, 0.0) + max(steep - 7.0, 0.0) * 0.5
        return -10.0 * lacking - 0.1 * math.hypot(x - plan.x, y - plan.y)


def _clearance(points: list[tuple[float, float]], rocks: list[Rock]) -> list[float]:
    """For each point, metres between the legs of a drone there and the nearest rock, as far as 9 m from the point."""
    if not rocks:
        return [9.0 - VEHICLE.legs] * len(points)
    x, y, radius = np.array(rocks).T
    place = np.array(points)
    apart = np.hypot(place[:, :1] - x, place[:, 1:] - y) - radius
    return (np.minimum(apart.min(axis=1), 9.0) - VEHICLE.legs).tolist()


def _around(x: float, y: float) -> Iterator[tuple[float, float]]:
    yield x, y
    for ring in range(1, int(_STRIDE)):
        for part in range(6 + 2 * ring):
            angle = math.tau * part / (6 + 2 * ring)
            yield x + ring * math.cos(angle), y + ring * math.sin(angle)
