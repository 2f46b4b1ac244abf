"""A mission as its crew sees it: tools that are plain functions over the simulation.

A program and a language model can use them alike: arguments are checked, answers are small JSON objects, and
what goes wrong is an exception whose text says what was measured.
"""

# No deferred annotations here: the schemas of these tools are read from methods of an object.

import hashlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any, Final, Literal, ParamSpec, TypeAlias, TypeVar

from examples.moon.flight import START, Flight, Plan
from examples.moon.physics import VEHICLE, Touchdown
from examples.moon.terrain import REACH, Kind, Rock, Site, make_site

__all__ = ["DRONES", "FAR", "Crash", "Ground", "Light", "Mission", "Refused", "Surface", "Survey"]

Survey: TypeAlias = Literal["camera", "zoom", "lidar"]
Surface: TypeAlias = Literal["firm", "dusty"]
Light: TypeAlias = Literal["lit", "dark"]
Ground: TypeAlias = Literal["smooth", "sloping", "rocky", "unseen"]

DRONES: Final = 2
"""In a mission: one that flies, and a reserve."""
FAR: Final = 40.0
"""Metres from the science target within which a landing counts."""
_SCANNED: Final = 48
_CELL: Final = 16
_COST: Final = {"scan camera": 0.0, "scan lidar": 8.0, "zoom camera": 1.0, "zoom lidar": 3.0}
"""Seconds that a look takes, while the drone holds its place."""
_SEEN: Final = {"scan camera": 1.5, "scan lidar": 1.0, "zoom camera": 0.7, "zoom lidar": 0.5}
"""Metres across of the smallest rock that a look shows."""

P = ParamSpec("P")
R = TypeVar("R")


class Refused(Exception):
    """The flight computer does not take this order; nothing happened."""


class Crash(Exception):
    """The drone is lost. The text says how, with what was measured."""


def _one_at_a_time(method: Callable[P, R]) -> Callable[P, R]:
    """Tools may be called from several threads, and there is one drone."""

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        mission: Any = args[0]
        with mission._door:
            return method(*args, **kwargs)

    return guarded


@dataclass(slots=True)
class _Cell:
    x: int
    y: int
    slope_deg: float
    rocks: int
    dark: float


class Mission:
    """One mission: a site of a kind and seed, and ``DRONES`` drones, of which one flies at a time."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self.site: Final[Site] = make_site(kind, seed)
        self.name: Final = f"site-{_number(kind, seed)}"
        self.flights: list[Flight] = [Flight(self.site, 0)]
        self._gate: tuple[float, float] | None = None
        self._planned: tuple[float, float] | None = None
        self._aborted = False
        self._door = threading.RLock()

    # ------------------------------------------------------------------ what is known

    @property
    def flight(self) -> Flight:
        """The one that flies now, or flew last."""
        return self.flights[-1]

    @property
    def order(self) -> str:
        """The task, as the lead is told it."""
        start = self.site.start
        return (
            f"Mission {self.name}: bring a drone down at the science target (0, 0). It hangs {START:.0f} m "
            f"over the ground at ({start[0]:.0f}, {start[1]:.0f}) with {self.site.fuel} kg of fuel. Land upright, unbroken, "
            f"within {FAR:.0f} m of the target. Then write mission.json into your outputs: what the navigator's telemetry "
            "says of the landing, with the keys mission, landed, cause, vertical_mps, horizontal_mps, lean_deg, slope_deg, "
            "fuel_kg, distance_m, drones_used. A reserve drone is there should the first be lost."
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What became of the drone that flew last."""
        drone = self.flight.drone
        told: dict[str, Any] = {
            "mission": self.name,
            "status": "aborted" if self._aborted else drone.status,
            "landed": drone.status == "landed",
            "drones_used": len(self.flights),
            "fuel_kg": round(drone.fuel, 2),
        }
        if drone.touchdown is not None:
            told |= _told(drone.touchdown)
        return told

    @property
    def succeeded(self) -> bool:
        facts = self.facts
        return bool(facts["landed"]) and facts["distance_m"] <= FAR

    # ------------------------------------------------------------------ the detector's

    @_one_at_a_time
    def scan_site(self, method: Literal["camera", "lidar"]) -> dict[str, Any]:
        """Look at the whole site, in cells of 16 m around the science target.

        The camera costs no time; it shows rocks from 1.5 m across and the mean slope of a cell, and nothing of
        what is dark (the slope there is a guess, and no rock is seen). The lidar takes 8 s of hovering, shows rocks
        from 1 m, and needs no light.

        Args:
            method: camera or lidar.
        """
        self._hold(f"scan {method}")
        cells = [asdict(self._cell(x, y, method)) for x, y in _grid()]
        return {
            "drone_at": [round(self.flight.drone.x), round(self.flight.drone.y)],
            "fines": round(self.site.fines, 2),
            "sun_deg": self.site.sun,
            "method": method,
            "fuel_kg": round(self.flight.drone.fuel, 2),
            "cells": cells,
        }

    @_one_at_a_time
    def zoom(self, x: float, y: float, method: Literal["camera", "lidar"]) -> dict[str, Any]:
        """Look closely at 16 m by 16 m around a point, and find the best spot for a drone's legs in it.

        The camera (1 s) shows rocks from 0.7 m across, where there is light; the lidar (3 s) from 0.5 m.

        Args:
            x: Metres east of the science target.
            y: Metres north of it.
            method: camera or lidar.
        """
        if max(abs(x), abs(y)) > _SCANNED + _CELL:
            raise Refused(
                f"({x:.0f}, {y:.0f}) is outside of what can be surveyed, {_SCANNED + _CELL} m around the target"
            )
        self._hold(f"zoom {method}")
        shown = self._shown(x, y, 15.0, method, _SEEN[f"zoom {method}"])
        places = [(x + dx, y + dy) for dx in range(-6, 7, 2) for dy in range(-6, 7, 2)]
        spots = [self._spot(*place, method, shown) for place in places]
        best = min(spots, key=lambda spot: spot["slope_deg"] + 6 * max(1.5 - spot["clear_m"], 0.0))
        return {
            "method": method,
            "steepest_deg": max(spot["slope_deg"] for spot in spots),
            "rocks": sum(math.hypot(rock.x - x, rock.y - y) <= 8 for rock in shown),
            "dark": round(self._darkness(x, y), 2),
            "best_spot": best,
            "fuel_kg": round(self.flight.drone.fuel, 2),
        }

    # ------------------------------------------------------------------ the navigator's

    @_one_at_a_time
    def set_descent_plan(self, x: float, y: float) -> dict[str, Any]:
        """Choose the touchdown point; gives what the pilot needs to plan the way there.

        Args:
            x: Metres east of the science target.
            y: Metres north of it.
        """
        self._ready()
        away = (x * x + y * y) ** 0.5
        if away > REACH / 2:
            raise Refused(
                f"({x:.0f}, {y:.0f}) is {away:.0f} m from the science target, beyond what was surveyed"
            )
        drone = self.flight.drone
        self._planned = (x, y)
        return {
            "distance_m": round(((drone.x - x) ** 2 + (drone.y - y) ** 2) ** 0.5),
            "height_m": round(drone.height),
            "fuel_kg": round(drone.fuel, 2),
            "hover_burn_kg_s": round(drone.mass * 1.62 / (VEHICLE.isp * 9.80665), 4),
        }

    @_one_at_a_time
    def fly_segment(self, x: float, y: float, distance_m: float, descent_mps: float) -> dict[str, Any]:
        """Fly the approach: over the planned point, and down to 60 m over the ground.

        Args:
            x: Metres east of the science target, as in the plan.
            y: Metres north of it.
            distance_m: How far the drone was from the point when it was planned; for the record.
            descent_mps: Greatest speed downwards, 1 to 12 m/s.
        """
        self._ready()
        _within("descent_mps", descent_mps, 1, 12)
        if self._planned != (x, y):
            raise Refused(f"there is no descent plan for ({x:.1f}, {y:.1f}): set one")
        return self._approach(Plan(x, y, descent_mps))

    @_one_at_a_time
    def touch_down(
        self,
        x: float,
        y: float,
        distance_m: float,
        survey: Survey,
        surface: Surface,
        light: Light,
        ground: Ground,
        descent_mps: float,
        hover_m: float,
        hover_s: float,
        inertial_below_m: float,
        engine_cut_m: float,
        divert_margin_m: float,
    ) -> dict[str, Any]:
        """Fly the landing: from where the approach ended, to the ground.

        Args:
            x: Metres east of the science target, as in the plan.
            y: Metres north of it.
            distance_m: How far the drone was from the point when it was planned; for the record.
            survey: What the choice of the point rests on: camera (scan alone), zoom, or lidar; for the record.
            surface: firm or dusty, as the survey says; for the record.
            light: lit or dark, as the survey says; for the record.
            ground: smooth, sloping, rocky or unseen, as the survey says; for the record.
            descent_mps: Greatest speed downwards, 1 to 12 m/s. It slows down near the ground by itself.
            hover_m: Height at which to wait, 0 to 40 m.
            hover_s: How long to wait there, 0 to 60 s. A plume over loose fines sweeps them away from below.
            inertial_below_m: Below this height believe the inertial sensors alone while there is dust, 0 (never) to 40 m.
            engine_cut_m: Height at which to shut the engine down, 0.1 to 5 m. Legs feel the ground as well.
            divert_margin_m: Look for rocks from 24 m and keep this clear of them, 0 (do not look) to 5 m.
        """
        self._ready()
        _within("descent_mps", descent_mps, 1, 12)
        _within("hover_m", hover_m, 0, 40)
        _within("hover_s", hover_s, 0, 60)
        _within("inertial_below_m", inertial_below_m, 0, 40)
        _within("engine_cut_m", engine_cut_m, 0.1, 5)
        _within("divert_margin_m", divert_margin_m, 0, 5)
        if self._gate != (x, y):
            raise Refused(
                "a landing begins where an approach to the same point ended: fly the approach first"
            )
        return self._land(
            Plan(x, y, descent_mps, hover_m, hover_s, inertial_below_m, engine_cut_m, divert_margin_m)
        )

    @_one_at_a_time
    def read_telemetry(self) -> dict[str, Any]:
        """What is known of the drone: its state, the last moments of its flight, and of its landing."""
        flight = self.flight
        moments = [
            {
                "t_s": round(s.t),
                "height_m": round(s.reading, 1),
                "down_mps": round(-s.vertical, 1),
                "level_mps": round(s.horizontal, 1),
                "throttle": round(s.throttle, 2),
                "fuel_kg": round(s.fuel, 2),
                "beam_clear": round(s.clear, 2),
            }
            for s in flight.samples[-8:]
        ]
        return {**self.facts, "sensors_blind_s": round(flight.sensors.blind, 1), "moments": moments}

    @_one_at_a_time
    def abort(self) -> dict[str, Any]:
        """Give the landing up: the drone climbs away and is not used again."""
        self._ready()
        self._aborted = True
        return self.facts

    @_one_at_a_time
    def launch_reserve(self) -> dict[str, Any]:
        """Hand over the reserve drone, where the first one was lost or climbed away."""
        if self.flight.drone.status == "flying" and not self._aborted:
            raise Refused("the drone is flying: land it, or abort first")
        if self.flight.drone.status == "landed":
            raise Refused("the drone has landed: no other is needed")
        if len(self.flights) >= DRONES:
            raise Refused("there is no drone left")
        self.flights.append(Flight(self.site, len(self.flights)))
        self._aborted, self._gate, self._planned = False, None, None
        return self.facts

    # ------------------------------------------------------------------ inside

    def _ready(self) -> None:
        status = self.facts["status"]
        if status != "flying":
            raise Refused(f"the drone does not fly any more: it is {status}")

    def _hold(self, look: str) -> None:
        self._ready()
        self.flight.hold(_COST[look])
        self._lost()

    def _approach(self, plan: Plan) -> dict[str, Any]:
        if not self.flight.approach(plan):
            self._lost()
            raise Refused("the point was not reached within ten minutes")
        self._gate = (plan.x, plan.y)
        drone = self.flight.drone
        return {"height_m": round(drone.height, 1), "fuel_kg": round(drone.fuel, 2), "t_s": round(drone.t)}

    def _land(self, plan: Plan) -> dict[str, Any]:
        self.flight.land(plan)
        self._lost()
        told = self.facts
        if self.flight.aside is not None:
            told["diverted_m"] = round(self.flight.aside, 1)
        return told

    def _lost(self) -> None:
        drone = self.flight.drone
        if drone.status == "crashed" and drone.touchdown is not None:
            raise Crash(_why(self.flight, drone.touchdown))

    def _darkness(self, x: float, y: float) -> float:
        places = [(x + dx, y + dy) for dx in (-6, -2, 2, 6) for dy in (-6, -2, 2, 6)]
        return sum(self.site.in_shadow(*place) for place in places) / len(places)

    def _cell(self, x: int, y: int, method: str) -> _Cell:
        dark = self._darkness(x, y)
        size = _SEEN[f"scan {method}"]
        shown = self._shown(x, y, 11.0, method, size)
        rocks = sum(abs(r.x - x) <= 8 and abs(r.y - y) <= 8 for r in shown)
        slope = self.site.slope(x, y, 7.0)
        if method == "camera":
            slope *= 1 - 0.85 * dark  # no shading to tell a slope by
        return _Cell(x, y, round(slope, 1), rocks, round(dark, 2))

    def _shown(self, x: float, y: float, reach: float, method: str, smallest: float) -> list[Rock]:
        """Rocks around a point that a look shows."""
        near = self.site.rocks_near(x, y, reach)
        return [
            rock
            for rock in near
            if 2 * rock.radius >= smallest and (method == "lidar" or not self.site.in_shadow(rock.x, rock.y))
        ]

    def _spot(self, x: float, y: float, method: str, shown: list[Rock]) -> dict[str, Any]:
        apart = min((math.hypot(r.x - x, r.y - y) - r.radius for r in shown), default=6.0)
        slope = self.site.slope(x, y, 2.0)
        if method == "camera" and self.site.in_shadow(x, y):
            slope *= 0.15
        clear = min(apart, 6.0) - VEHICLE.legs
        return {"x": round(x, 1), "y": round(y, 1), "slope_deg": round(slope, 1), "clear_m": round(clear, 1)}


def _number(kind: Kind, seed: int) -> int:
    """What a site is called by: nobody is to know from its name what kind it is of."""
    return int.from_bytes(hashlib.sha256(f"{kind}-{seed}".encode()).digest()[:4])


def _grid() -> Iterator[tuple[int, int]]:
    for y in range(-_SCANNED + 16, _SCANNED, _CELL):
        for x in range(-_SCANNED + 16, _SCANNED, _CELL):
            yield x, y


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise Refused(f"{name} must be between {least:g} and {most:g}, not {value:g}")


def _told(at: Touchdown) -> dict[str, Any]:
    return {
        "cause": at.cause,
        "vertical_mps": round(at.vertical, 2),
        "horizontal_mps": round(at.horizontal, 2),
        "lean_deg": round(at.lean, 1),
        "slope_deg": round(at.slope, 1),
        "distance_m": round((at.x**2 + at.y**2) ** 0.5, 1),
    }


def _why(flight: Flight, at: Touchdown) -> str:
    """The error of a lost drone: one sentence by cause, then what was measured."""
    cut = (
        ""
        if flight.cut_at is None
        else f"; engine shut down {flight.cut_at[0]:.1f} m over the ground, altimeter {flight.cut_at[1]:.1f} m"
    )
    measured = (
        f" (vertical {at.vertical:.1f} m/s, horizontal {at.horizontal:.1f} m/s, lean {at.lean:.0f} deg, slope {at.slope:.0f} deg, "
        f"rock {at.rock:.1f} m, fuel {flight.drone.fuel:.1f} kg, sensors blind {flight.sensors.blind:.0f} s{cut})"
    )
    return _CAUSES[at.cause or "hard"] + measured


_CAUSES: Final = {
    "hard": "the legs broke in a hard landing",
    "drift": "it drifted sideways into the ground and turned over",
    "lean": "it came down leaning and turned over",
    "slope": "it turned over on a slope under its legs",
    "rock": "one leg stood on a rock and it turned over",
    "belly": "a rock under its belly broke the engine",
    "fuel": "the fuel ran out before the ground was reached",
    "lost": "it came down outside of the map",
}
