"""The crew as programs: a commander, a detector and a navigator, as models that need no key.

Each is a function of a request, ``scripted:examples.moon.policy:navigator`` where a model is named. It knows
what stands in its own context and nothing else: messages, results of its tools, and what memory says, be it in
the system prompt or in files that the system prompt names and that it reads first. They are competent and naive:
sensible habits, no experience. Memory is the only thing that changes them (``advice`` says what they understand).

Crews differ a little, as people and sampled answers do: now and then one does by habit what another would have to be
told. Which, follows from the mission's name.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from examples.moon.advice import Advice, adjusted, parse, told
from reverie.domain.messages import (
    Message,
    ModelRequest,
    Text,
    ToolCall,
    ToolResult,
    UserTurn,
)

__all__ = ["DEFAULTS", "REPORT", "commander", "detector", "navigator"]

Said: TypeAlias = str | ToolCall

REPORT: Final = "/mnt/session/outputs/mission.json"
_SEND: Final = "send_to_agent"
_ZOOMS: Final = 3

DEFAULTS: Final[Mapping[str, float]] = {
    "descent_mps": 4.0, "hover_m": 8.0, "hover_s": 0.0, "inertial_below_m": 0.0, "engine_cut_m": 1.2,
    "divert_margin_m": 0.0,
}  # fmt: skip
"""How a navigator flies that nobody told otherwise."""
_HABITS: Final = (
    ("hover_s", (12.0, 18.0), 0.2),
    ("inertial_below_m", (9.0, 14.0), 0.15),
    ("engine_cut_m", (0.3, 0.7), 0.25),
    ("divert_margin_m", (1.0, 2.0), 0.12),
    ("descent_mps", (6.0, 9.0), 0.25),
)
"""What crews do by habit: an argument, within which limits, which share of crews."""
_MAX_SLOPE: Final = 9.0
_NEAR: Final = 33.0  # m: the middle of a cell from which a landing counts wherever in it
_MEMORY_FILE: Final = re.compile(r"^- (\S+\.(?:md|txt))(?=:|$)")
_SHELF: Final = re.compile(r"^## .*?: (/\S+) \(")
_MISSION: Final = re.compile(r"\bmission (\w+-\d+)", re.I)
_FACTS: Final = (
    "mission", "landed", "cause", "vertical_mps", "horizontal_mps", "lean_deg", "slope_deg", "fuel_kg",
    "distance_m", "drones_used",
)  # fmt: skip


# ------------------------------------------------------------------ the commander


def commander(request: ModelRequest) -> Said:
    """Asks the detector for points, has the navigator fly to one, and writes the report."""
    scene = _Scene(request)
    if reading := scene.reading():
        return reading
    if scene.last_call == "write":
        return "mission.json is written."
    asked = scene.asked
    if not asked:
        return scene.send("detector", f"Mission {scene.mission}: survey the site, and name the best points to land.")
    found = scene.answer
    if found is None:
        return scene.wait(asked[-1])
    if asked[-1] == "detector" and found.get("candidates"):
        order = json.dumps({**found, "reserve": scene.again})
        return scene.send("navigator", f"Mission {scene.mission}: fly there and land. {order}")
    report = {key: found.get(key) for key in _FACTS} | {"mission": scene.mission}
    return scene.call("write", {"file_path": REPORT, "content": json.dumps(report, indent=1)})


# ------------------------------------------------------------------ the detector


def detector(request: ModelRequest) -> Said:
    """Looks at the site, closer where it is used to or told to, and names up to three points."""
    scene = _Scene(request)
    if reading := scene.reading():
        return reading
    scans = scene.results("scan_site")
    if not scans:
        return scene.call("scan_site", {"method": "camera"})
    if scans[-1].failed:
        return _given_up(scans[-1].text)
    known = _seen(scans[0].json)
    known |= adjusted(scene.advice, {**known, "survey": _survey(scene.mission)})
    close = known["survey"]
    if close == "lidar" and len(scans) < 2:
        return scene.call("scan_site", {"method": "lidar"})
    limit = told(scene.advice, "max_slope_deg", known, _MAX_SLOPE)
    cells = _ranked(scans[-1].json["cells"], limit)
    zooms = scene.results("zoom")
    if close != "camera" and len(zooms) < _ZOOMS and not any(each.failed for each in zooms):
        at = cells[len(zooms)]
        method = "lidar" if close == "lidar" else "camera"
        return scene.call("zoom", {"x": at["x"], "y": at["y"], "method": method})
    spots = [each.json["best_spot"] for each in zooms if not each.failed]
    points = sorted(spots, key=_merit)[:3] or cells[:3]
    return json.dumps({**known, "candidates": points})


def _seen(scan: Mapping[str, Any]) -> dict[str, Any]:
    """A site in a word each, from a first look."""
    near = [cell for cell in scan["cells"] if max(abs(cell["x"]), abs(cell["y"])) <= 16]
    dark = sum(cell["dark"] for cell in near) / len(near)
    slope = sum(cell["slope_deg"] for cell in near) / len(near)
    rocks = sum(cell["rocks"] for cell in near) / len(near)
    ground = "unseen" if dark > 0.3 else "sloping" if slope > 3.5 else "rocky" if rocks > 0.7 else "smooth"
    return {
        "surface": "dusty" if scan["fines"] > 0.5 else "firm",
        "light": "dark" if dark > 0.3 else "lit",
        "ground": ground,
        "distance_m": round(math.hypot(*scan["drone_at"])),
    }


def _survey(mission: str) -> str:
    chance = _chance(mission, "survey")
    return "zoom" if chance < 0.14 else "lidar" if chance < 0.24 else "camera"


def _ranked(cells: Sequence[Mapping[str, Any]], limit: float) -> list[Mapping[str, Any]]:
    """Level, without rocks, near the target."""
    near = [cell for cell in cells if _away(cell) <= _NEAR]
    good = [cell for cell in near if cell["slope_deg"] <= limit]
    return sorted(good if len(good) >= _ZOOMS else near, key=lambda c: c["slope_deg"] / 4 + c["rocks"] / 8 + _away(c) / 25)


def _merit(spot: Mapping[str, Any]) -> float:
    return spot["slope_deg"] / 3 + 2 * max(1.5 - spot["clear_m"], 0.0) + _away(spot) / 40


def _away(point: Mapping[str, Any]) -> float:
    return math.hypot(point["x"], point["y"])


# ------------------------------------------------------------------ the navigator


def navigator(request: ModelRequest) -> Said:
    """Plans the way to the first point (the reserve drone: to the second), flies both segments, and reports."""
    scene = _Scene(request)
    if reading := scene.reading():
        return reading
    order = scene.order
    if not order.get("candidates"):
        return _given_up("the order names no point")
    if order["reserve"] and not scene.results("launch_reserve"):
        return scene.call("launch_reserve", {})
    points = order["candidates"]
    point = points[min(order["reserve"], len(points) - 1)]
    plans, flown = scene.results("set_descent_plan"), scene.results("fly_segment")
    if not plans:
        return scene.call("set_descent_plan", {"x": point["x"], "y": point["y"]})
    troubled = [each for each in (*plans, *flown, *scene.results("launch_reserve")) if each.failed]
    if len(flown) < 2 and not troubled:
        way = {"x": point["x"], "y": point["y"], **_way(scene, order, plans[0].json)}
        return scene.call("fly_segment", {"segment": ("approach", "landing")[len(flown)], **way})
    if not (seen := scene.results("read_telemetry")):
        return scene.call("read_telemetry", {})
    told_of = {key: value for key, value in seen[-1].json.items() if key != "moments"}
    return json.dumps({**told_of, "error": troubled[-1].text if troubled else None})


def _way(scene: _Scene, order: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """How to fly: as usual, as this crew is used to, as memory says."""
    known = {key: order[key] for key in ("survey", "surface", "light", "ground")}
    wanted = {"distance_m": plan["distance_m"], **known, **DEFAULTS, **_habits(scene.mission)}
    way = adjusted(scene.advice, wanted)
    way = {key: way[key] for key in wanted} | known  # what was surveyed is not changed by wishing
    reserve = told(scene.advice, "reserve_kg", way, 0.0)
    while reserve and way["descent_mps"] < 10.0 and _left(way, plan) < reserve:
        way["descent_mps"] = min(way["descent_mps"] + 1.0, 10.0)
    return way


def _left(way: Mapping[str, Any], plan: Mapping[str, Any]) -> float:
    """Fuel that will be left (kg), reckoned by hovering all the way."""
    aside = 5.0 if way["divert_margin_m"] else 0.0
    seconds = plan["height_m"] / way["descent_mps"] + plan["distance_m"] / 7 + 28 + way["hover_s"] + aside
    return plan["fuel_kg"] - plan["hover_burn_kg_s"] * seconds


def _habits(mission: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, (least, most), share in _HABITS:
        chance = _chance(mission, name)
        if chance < share:
            found[name] = round(least + (most - least) * chance / share, 1)
    return found


# ------------------------------------------------------------------ reading a context


@dataclass(frozen=True, slots=True)
class _Result:
    text: str
    failed: bool

    @property
    def json(self) -> dict[str, Any]:
        return _json(self.text) or {}


class _Scene:
    """A request, as a crew member looks at it."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._calls: list[ToolCall] = []
        self._results: dict[str, _Result] = {}
        self._said: list[str] = []
        self._after: list[str] = []  # everything told since the last delegation
        for message in request.messages:
            self._take(message)

    def _take(self, message: Message) -> None:
        for part in getattr(message, "parts", ()):
            if isinstance(part, ToolCall):
                self._calls.append(part)
                if part.name == _SEND:
                    self._after = []
            elif isinstance(part, ToolResult):
                text = "".join(each.text for each in part.content if isinstance(each, Text))
                self._results[part.call_id] = _Result(text, part.is_error)
                self._after.append(text)
            elif isinstance(part, Text) and isinstance(message, UserTurn):
                self._said.append(part.text)
                self._after.append(part.text)

    @property
    def mission(self) -> str:
        found = _MISSION.search(" ".join(self._said))
        return found[1] if found else "unnamed-0"

    @property
    def order(self) -> dict[str, Any]:
        """What the last order says, where it says something in JSON."""
        found = [told for text in self._said if (told := _json(text)) is not None]
        return found[-1] if found else {}

    @property
    def advice(self) -> list[Advice]:
        """Of the system prompt, and of the memory that was read."""
        read = (self._results[c.id].text for c in self._calls if c.name == "read" and c.id in self._results)
        return parse("\n".join([self._request.system, *read]))

    @property
    def last_call(self) -> str | None:
        return self._calls[-1].name if self._calls and self._answered else None

    @property
    def _answered(self) -> bool:
        """Whether nothing was said since the last call but its result."""
        last = self._request.messages[-1]
        return isinstance(last, UserTurn) and all(isinstance(part, ToolResult) for part in last.parts)

    @property
    def asked(self) -> list[str]:
        """Whom the lead asked since it was last told something, in order."""
        return [str(c.input.get("agent", "")) for c in self._since() if c.name == _SEND]

    @property
    def again(self) -> int:
        """How many reports were written already."""
        return sum(call.name == "write" for call in self._calls)

    def _since(self) -> list[ToolCall]:
        """Calls since the last report, if there is one."""
        writes = [number for number, call in enumerate(self._calls) if call.name == "write"]
        return self._calls[writes[-1] + 1 :] if writes else self._calls

    @property
    def answer(self) -> dict[str, Any] | None:
        """What the one who was asked last has reported; None so far."""
        found = [told for text in self._after if (told := _json(text)) and ("candidates" in told or "status" in told)]
        return found[-1] if found else None

    def results(self, name: str) -> list[_Result]:
        return [self._results[c.id] for c in self._calls if c.name == name and c.id in self._results]

    def reading(self) -> ToolCall | None:
        """The next file of memory that is to be read, where it can be read."""
        if not any(tool.name == "read" for tool in self._request.tools):
            return None
        done = {call.input.get("file_path") for call in self._calls if call.name == "read"}
        left = [path for path in _mounted(self._request.system) if path not in done]
        return self.call("read", {"file_path": left[0]}) if left else None

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolCall:
        return ToolCall(f"call_{len(self._calls) + 1}", name, dict(arguments))

    def send(self, agent: str, message: str) -> ToolCall:
        return self.call(_SEND, {"agent": agent, "message": message})

    def wait(self, agent: str) -> ToolCall:
        return self.call("wait_for_agents", {"agents": [agent]})


def _mounted(system: str) -> list[str]:
    """Files of memory that a system prompt lists, each with its shelf's folder."""
    found: list[str] = []
    folder = ""
    for line in system.splitlines():
        if shelf := _SHELF.match(line):
            folder = shelf[1]
        elif folder and (file := _MEMORY_FILE.match(line)):
            found.append(f"{folder.rstrip('/')}/{file[1].lstrip('/')}")
    return found


def _json(text: str) -> dict[str, Any] | None:
    """The first JSON object in a text."""
    start = text.find("{")
    while start >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            start = text.find("{", start + 1)
            continue
        return cast("dict[str, Any]", found)
    return None


def _given_up(why: str) -> str:
    return json.dumps({"status": "given up", "landed": False, "cause": why})


def _chance(mission: str, what: str) -> float:
    """0 to 1, the same each time for a mission and a question."""
    digest = hashlib.sha256(f"{mission} {what}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
