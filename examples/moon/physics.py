"""A drone in lunar gravity: thrust and fuel, attitude, the dust it raises, and what its legs bear.

The drone is one rigid body with a throttled engine along its axis and jets that turn it:

- translation: ``m a = T d - m g``, with thrust T along the axis d; velocity Verlet, which is exact where the
  acceleration is constant, so that free flight keeps its energy to rounding;
- fuel: ``dm/dt = -T / (Isp g0)``; thrust between a least and a greatest throttle (or off), slewed;
- attitude: pitch and roll, each ``I alpha = torque`` with a limit on the torque; no spin, equal moments;
- dust: a plume's pressure on the ground is ``p = k T / (2 pi (h + h0)^2)`` (Roberts, 1963); over a threshold it lifts
  fines, which are used up where the drone stays; the cloud's optical depth settles with a time constant;
- legs: on contact the motion is judged by limits of the gear and by whether the drone tips over its downhill
  legs: its angular momentum about them against the height its centre of mass must rise (an inverted pendulum;
  Zupp, NASA/SP-2013-605).

SI units throughout; angles in radians unless a name says degrees. Everything is a function of the seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from examples.moon.terrain import Rock, Site

__all__ = ["DT", "GRAVITY", "VEHICLE", "Drone", "Status", "Touchdown", "Vehicle", "assess", "plume_pressure"]

GRAVITY: Final = 1.62
G0: Final = 9.80665
DT: Final = 0.05
"""Seconds of a step."""

Status: TypeAlias = Literal["flying", "landed", "crashed"]


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What the drone is made of: kg, N, s, kg m², N m, m, m/s, rad."""

    dry_mass: float = 70.0
    max_thrust: float = 360.0
    least_throttle: float = 0.1
    slew: float = 1.2
    isp: float = 285.0
    inertia: float = 14.0
    torque: float = 8.0
    max_tilt: float = math.radians(35)
    legs: float = 1.3
    centre: float = 1.0
    clearance: float = 0.4
    stroke: float = 0.22
    max_vertical: float = 3.0
    max_horizontal: float = 1.1
    max_lean: float = math.radians(12)
    max_slope: float = 12.0


VEHICLE: Final = Vehicle()

_THRESHOLD: Final = 0.1  # Pa of a plume that lifts fines
_PLUME: Final = 2.0
_NOZZLE: Final = 1.0  # m, from the nozzle to the apparent source of the plume
_SWEEP: Final = 0.06  # 1/s: how fast fines are used up under a plume of twice the threshold
_RAISE: Final = 0.55  # 1/s of optical depth, there
_SETTLE: Final = 2.5  # s
_PATCH: Final = 9.0  # m: beyond this the ground was not swept yet


def plume_pressure(thrust: float, height: float) -> float:
    """Pascal on the ground below, in the middle of the plume."""
    return _PLUME * thrust / (2 * math.pi * (max(height, 0.0) + _NOZZLE) ** 2)


@dataclass(frozen=True, slots=True)
class Touchdown:
    """The moment of contact, in m/s and degrees. ``cause`` says what went wrong; None where it stands."""

    x: float
    y: float
    vertical: float
    horizontal: float
    lean: float
    slope: float
    rock: float
    cause: str | None


class Drone:
    """One drone, and the dust around it. ``step`` until ``status`` is not ``flying``; then nothing changes any
    more. ``z`` is the height of its footpads over the datum, straight below its centre."""

    __slots__ = ("_patch", "dust", "fines", "fuel", "pitch", "pitch_rate", "roll", "roll_rate", "site", "status", "t",
                 "throttle", "thrust", "touchdown", "vehicle", "vx", "vy", "vz", "x", "y", "z")  # fmt: skip

    def __init__(
        self,
        site: Site,
        *,
        position: tuple[float, float, float],
        velocity: tuple[float, float, float] = (0.0, 0.0, 0.0),
        fuel: float,
        vehicle: Vehicle = VEHICLE,
    ) -> None:
        self.site, self.vehicle, self.fuel = site, vehicle, fuel
        self.x, self.y, self.z = position
        self.vx, self.vy, self.vz = velocity
        self.pitch = self.roll = self.pitch_rate = self.roll_rate = 0.0
        self.t = self.throttle = self.thrust = self.dust = 0.0
        self.fines = 1.0
        self._patch = (self.x, self.y)
        self.status: Status = "flying"
        self.touchdown: Touchdown | None = None

    @property
    def mass(self) -> float:
        return self.vehicle.dry_mass + self.fuel

    @property
    def height(self) -> float:
        """Over the ground straight below."""
        return self.z - self.site.height(self.x, self.y)

    @property
    def tilt(self) -> float:
        return math.acos(max(-1.0, min(1.0, math.cos(self.pitch) * math.cos(self.roll))))

    @property
    def energy(self) -> float:
        """Kinetic and potential energy per kg, without that of turning."""
        return 0.5 * (self.vx**2 + self.vy**2 + self.vz**2) + GRAVITY * self.z

    def step(self, throttle: float, pitch: float, roll: float) -> None:
        """One step of ``DT`` towards a throttle (0 to 1; under the least one the engine is off) and an attitude."""
        if self.status != "flying":
            return
        self._turn(pitch, roll)
        self._burn(throttle)
        push = self.thrust / (self.vehicle.dry_mass + self.fuel)
        upright = math.cos(self.pitch)
        ax = push * math.sin(self.pitch) * math.cos(self.roll)
        ay = push * math.sin(self.roll)
        az = push * upright * math.cos(self.roll) - GRAVITY
        self.x += DT * (self.vx + 0.5 * DT * ax)
        self.y += DT * (self.vy + 0.5 * DT * ay)
        self.z += DT * (self.vz + 0.5 * DT * az)
        self.vx += DT * ax
        self.vy += DT * ay
        self.vz += DT * az
        self.t += DT
        height = self.z - self.site.height(self.x, self.y)
        if height < 40.0 or self.dust > 0.001:
            self._raise_dust(height)
        if height < 1.5 and _contact(self):
            self.touchdown = assess(self)
            self.status = "landed" if self.touchdown.cause is None else "crashed"

    def _turn(self, pitch: float, roll: float) -> None:
        """Each axis by a controller of its own, within the jets' torque."""
        v = self.vehicle
        most = v.torque / v.inertia
        turn = min(max(1.6 * (pitch - self.pitch) - 2.2 * self.pitch_rate, -most), most)
        lean = min(max(1.6 * (roll - self.roll) - 2.2 * self.roll_rate, -most), most)
        self.pitch_rate += DT * turn
        self.roll_rate += DT * lean
        self.pitch += DT * self.pitch_rate
        self.roll += DT * self.roll_rate

    def _burn(self, throttle: float) -> None:
        v = self.vehicle
        wanted = 0.0 if throttle < v.least_throttle else min(throttle, 1.0)
        if wanted == 0.0:
            self.throttle = 0.0  # valves shut at once
        else:
            change = v.slew * DT
            reached = self.throttle + min(max(wanted - self.throttle, -change), change)
            self.throttle = min(max(reached, v.least_throttle), 1.0)
        need = self.throttle * v.max_thrust / (v.isp * G0) * DT
        share = 1.0 if need <= self.fuel else self.fuel / need
        self.thrust = self.throttle * v.max_thrust * share
        self.fuel = max(self.fuel - need * share, 0.0)

    def _raise_dust(self, height: float) -> None:
        excess = plume_pressure(self.thrust, height) / _THRESHOLD - 1.0
        lifted = 0.0
        if excess > 0.0:
            lifted = excess / (1.0 + excess / 6.0)
            if abs(self.x - self._patch[0]) + abs(self.y - self._patch[1]) > _PATCH:
                self._patch, self.fines = (self.x, self.y), 1.0
            self.fines -= self.fines * min(_SWEEP * lifted * DT, 1.0)
        self.dust += DT * (_RAISE * self.site.fines * self.fines * lifted - self.dust / _SETTLE)


def assess(drone: Drone) -> Touchdown:
    """Whether the drone stands, given how it meets the ground."""
    v, site = drone.vehicle, drone.site
    horizontal = math.hypot(drone.vx, drone.vy)
    slope, rock, belly = _stand(drone)
    lean = math.degrees(drone.tilt)
    found = [
        (drone.vz < -v.max_vertical, "hard"),
        (belly > v.clearance, "belly"),
        (rock > v.stroke, "rock"),
        (horizontal > v.max_horizontal, "drift"),
        (lean > math.degrees(v.max_lean), "lean"),
        (slope > v.max_slope or _tips(drone, horizontal, slope), "slope"),
    ]
    cause = next((name for wrong, name in found if wrong), None)
    if cause is not None and drone.fuel <= 0.0:
        cause = "fuel"
    if max(abs(drone.x), abs(drone.y)) > _edge(site):
        cause = "lost"
    return Touchdown(drone.x, drone.y, -drone.vz, horizontal, lean, slope, max(rock, belly), cause)


def _edge(site: Site) -> float:
    return site.heights.shape[0] - 8.0


def _contact(drone: Drone) -> bool:
    return any(z <= ground + rock for z, ground, rock in _pads(drone))


def _pads(drone: Drone) -> list[tuple[float, float, float]]:
    """For each leg: the height of its pad, that of the ground there, and that of a rock under it."""
    reach, found = drone.vehicle.legs, []
    for east, north in ((reach, 0.0), (-reach, 0.0), (0.0, reach), (0.0, -reach)):
        x, y = drone.x + east, drone.y + north
        z = drone.z - east * math.sin(drone.pitch) - north * math.sin(drone.roll)
        rock = max((_cap(each, x, y) for each in drone.site.rocks_near(x, y, 0.15)), default=0.0)
        found.append((z, drone.site.height(x, y), rock))
    return found


def _cap(rock: Rock, x: float, y: float) -> float:
    """How high a pad of 0.15 m at (x, y) stands on a rock that is half a ball."""
    away = max(math.hypot(rock.x - x, rock.y - y) - 0.15, 0.0)
    return math.sqrt(max(rock.radius**2 - away**2, 0.0))


def _stand(drone: Drone) -> tuple[float, float, float]:
    """Slope of the plane under the legs (degrees), the greatest height of a rock under one, and under the belly."""
    (_, east, a), (_, west, b), (_, north, c), (_, south, d) = _pads(drone)
    reach = drone.vehicle.legs
    slope = math.degrees(math.atan(math.hypot(east - west, north - south) / (2 * reach)))
    belly = max((rock.height for rock in drone.site.rocks_near(drone.x, drone.y, 0.5)), default=0.0)
    return slope, max(a, b, c, d), belly


def _tips(drone: Drone, horizontal: float, slope: float) -> bool:
    """Whether it goes over its downhill legs, on the slope and with the speed it has (taken as downhill)."""
    v = drone.vehicle
    arm = math.hypot(v.legs, v.centre)
    steep = math.radians(slope)
    margin = math.atan2(v.legs, v.centre) - steep - drone.tilt
    along = horizontal * math.cos(steep) - drone.vz * math.sin(steep)
    turning = 0.5 * (along * v.centre) ** 2 / (arm**2 + v.inertia / drone.mass)
    return margin <= 0.0 or turning > GRAVITY * arm * (1 - math.cos(margin))
