"""What the drone knows of itself: an altimeter, a velocimeter, a camera for its place, and inertial sensors.

Clear of dust they are good. A cloud of optical depth tau lets ``exp(-tau)`` of a beam through; the rest comes back
from the cloud: the altimeter reads short, the velocimeter measures the dust that streams away, and both drop out.
Inertial sensors do not mind, but their errors add up (a bias of accelerometers that nobody knows).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final

from examples.moon.physics import DT, Drone

__all__ = ["LOOK", "Knowledge", "Sensors"]

LOOK: Final = 4
"""Steps between two looks."""
_INTERVAL: Final = LOOK * DT
_SHORT: Final = 0.7  # how much too short a beam is that comes back from a dense cloud
_STREAM: Final = 2.6  # m/s, of dust across the beam
_CLEAR: Final = 0.8
_TRUST: Final = 0.35  # of a reading, in the mean with what was expected


@dataclass(slots=True)
class Knowledge:
    """Place (m), height over the ground (m), velocity (m/s), as the flight computer has them."""

    x: float
    y: float
    height: float
    vx: float
    vy: float
    vz: float


class Sensors:
    """The sensors of one drone and the estimate made of them. ``blind`` counts the seconds in which less than
    half of a beam came through; ``reading`` is the altimeter's last one (m), ``clear`` the share of its beam
    that comes through."""

    def __init__(self, drone: Drone, dice: random.Random) -> None:
        self._drone, self._dice = drone, dice
        self._bias = [dice.gauss(0.0, 0.012) for _ in range(3)]
        self._scale = 1.0 + dice.gauss(0.0, 0.003)
        self._stream = dice.uniform(0.0, math.tau)
        self._last = (drone.vx, drone.vy, drone.vz)
        self.blind = 0.0
        self.clear = 1.0
        self.reading = drone.height
        self.known = Knowledge(drone.x, drone.y, drone.height, drone.vx, drone.vy, drone.vz)

    def look(self, inertial_below: float = 0.0) -> Knowledge:
        """Bring the estimate up to now. Below ``inertial_below`` metres only inertial sensors are believed as
        long as dust keeps back a fifth of a beam."""
        drone, known, gauss = self._drone, self.known, self._dice.gauss
        self.clear = clear = math.exp(-drone.dust)
        was, self._last = self._last, (drone.vx, drone.vy, drone.vz)
        known.vx += drone.vx - was[0] + self._bias[0] * _INTERVAL
        known.vy += drone.vy - was[1] + self._bias[1] * _INTERVAL
        known.vz += drone.vz - was[2] + self._bias[2] * _INTERVAL
        known.x += known.vx * _INTERVAL
        known.y += known.vy * _INTERVAL
        known.height += known.vz * _INTERVAL
        if clear < 0.5:
            self.blind += _INTERVAL
        dust = 1.0 - clear
        blind = known.height <= inertial_below and clear < _CLEAR
        if clear > 0.5:
            known.x += 0.3 * (drone.x + gauss(0.0, 0.4) - known.x)
            known.y += 0.3 * (drone.y + gauss(0.0, 0.4) - known.y)
        if self._dice.random() > 0.02 + 0.4 * dust:
            self.reading = drone.height * self._scale * (1 - _SHORT * dust) + gauss(0.0, 0.08)
            if not blind:
                known.height += _TRUST * (self.reading - known.height)
        if not blind and self._dice.random() > 0.02 + 0.3 * dust:
            self._doppler(dust)
        return known

    def _doppler(self, dust: float) -> None:
        drone, known, gauss = self._drone, self.known, self._dice.gauss
        self._stream += gauss(0.0, 0.12)
        false = _STREAM * dust * dust
        known.vx += _TRUST * (drone.vx + false * math.cos(self._stream) + gauss(0.0, 0.05) - known.vx)
        known.vy += _TRUST * (drone.vy + false * math.sin(self._stream) + gauss(0.0, 0.05) - known.vy)
        known.vz += _TRUST * (drone.vz * (1 - 0.3 * dust) + gauss(0.0, 0.05) - known.vz)
