"""The crew as programs: a commander, a detector and a navigator, as models that need no key.

Each is a function of a request, ``scripted:examples.moon.policy:navigator`` where a model is named. It knows
what stands in its own context and nothing else: messages, results of its tools, and what memory says, be it in
the system prompt or in files that the system prompt names and that it reads first. They are competent and naive:
sensible habits, no experience. Memory is the only thing that changes them (``advice`` says what they understand).

Crews differ a little, as people and sampled answers do: now and then one does by habit what another would have to be
told. Where memory warns of what they face and does not say what to do, more of them do something out of the ordinary,
whatever it is. Which, follows from the mission's name.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from examples.moon.advice import CHOICES, Advice, adjusted, parse, told, warned
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
_THREAD: Final = re.compile(r"\bsthr_\w+")
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
_WARY: Final = 2.5
"""How many times as many do, of everything alike, where memory warns of what they face and does not say what to do."""
_DRONES: Final = 2
_SEGMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "fly_segment": ("distance_m", "descent_mps"),
    "touch_down": ("distance_m", "survey", "surface", "light", "ground", *DEFAULTS),
}
"""What is flown, one after the other, and what each is told beside the point."""
_USUAL: Final = {"survey": "camera", "surface": "firm", "light": "lit", "ground": "smooth"}
_MAX_SLOPE: Final = 9.0
_NEAR: Final = 33.0  # m: the middle of a cell from which a landing counts wherever in it
_MEMORY_FILE: Final = re.compile(r"^- (\S+\.(?:md|txt))(?=:|$)")
_SHELF: Final = re.compile(r"^## .*?: (/\S+) \(")
_NUMBERED: Final = re.compile(r"^ *\d+\t", re.M)
_MISSION: Final = re.compile(r"\bmission (\w+-\d+)", re.I)
_FACTS: Final = (
    "mission", "landed", "cause", "vertical_mps", "horizontal_mps", "lean_deg", "slope_deg", "fuel_kg",
    "distance_m", "drones_used",
)  # fmt: skip


# ------------------------------------------------------------------ the commander


def commander(request: ModelRequest) -> Said:
    """Asks the detector for points, has the navigator fly to one, and writes the report. Where the report was
    not good enough, it sends the reserve drone to the next point."""
    scene = _Scene(request)
    if scene.reported and not scene.wanted:
        kept = scene.results("write")[-1]
        return (
            f"mission.json could not be written: {kept.text}" if kept.failed else "mission.json is written."
        )
    if scene.rejected >= _DRONES:
        return "No drone is left; mission.json says how both were lost."
    return scene.reading() or _commanding(scene)


def _commanding(scene: _Scene) -> ToolCall:
    found, points = scene.answer, scene.points
    if points is None and not scene.asked:
        return scene.send(
            "detector", f"Mission {scene.mission}: survey the site, and name the best points to land."
        )
    if points is not None and (not scene.asked or found is points):
        order = json.dumps({**points, "reserve": scene.rejected})
        return scene.send("navigator", f"Mission {scene.mission}: fly there and land. {order}")
    if found is None:
        return scene.wait() or scene.report(
            {"landed": False, "cause": f"the {scene.asked[-1]} reported nothing"}
        )
    return scene.report(found)


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
    close = adjusted(scene.advice, {**known, "survey": _survey(scene.mission, scene.care(known))})["survey"]
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
    return json.dumps({**known, "survey": close, "candidates": points})


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


def _survey(mission: str, care: float) -> str:
    chance = _chance(mission, "survey") / care
    return "zoom" if chance < 0.14 else "lidar" if chance < 0.24 else "camera"


def _ranked(cells: Sequence[Mapping[str, Any]], limit: float) -> list[Mapping[str, Any]]:
    """Level, without rocks, near the target."""
    near = [cell for cell in cells if _away(cell) <= _NEAR]
    good = [cell for cell in near if cell["slope_deg"] <= limit]
    return sorted(
        good if len(good) >= _ZOOMS else near,
        key=lambda c: c["slope_deg"] / 4 + c["rocks"] / 8 + _away(c) / 25,
    )


def _merit(spot: Mapping[str, Any]) -> float:
    return spot["slope_deg"] / 3 + 2 * max(1.5 - spot["clear_m"], 0.0) + _away(spot) / 40


def _away(point: Mapping[str, Any]) -> float:
    return math.hypot(point["x"], point["y"])


# ------------------------------------------------------------------ the navigator


def navigator(request: ModelRequest) -> Said:
    """Plans the way to the first point (the reserve drone: to the second), flies both segments, and reports."""
    scene = _Scene(request)
    order = scene.order
    if not order.get("candidates"):
        return scene.reading() or _given_up("the order names no point")
    if doing := scene.reading() or _flying(scene, order):
        return doing
    seen = scene.results("read_telemetry")[-1].json
    troubled = [each for each in scene.of_navigator if each.failed]
    told_of = {key: value for key, value in seen.items() if key != "moments"}
    return json.dumps({**told_of, "error": troubled[-1].text if troubled else None})


def _flying(scene: _Scene, order: Mapping[str, Any]) -> ToolCall | None:
    """What to do next, until the telemetry was read; when something has gone wrong, that."""
    if scene.results("read_telemetry"):
        return None
    if any(each.failed for each in scene.of_navigator):
        return scene.call("read_telemetry", {})
    reserve, points = int(order.get("reserve") or 0), order["candidates"]
    if reserve and not scene.results("launch_reserve"):
        return scene.call("launch_reserve", {})
    point = points[min(reserve, len(points) - 1)]
    plans = scene.results("set_descent_plan")
    if not plans:
        return scene.call("set_descent_plan", {"x": point["x"], "y": point["y"]})
    way = _way(scene, order, plans[0].json)
    for segment, asked in _SEGMENTS.items():
        if not scene.results(segment):
            told_of = {"x": point["x"], "y": point["y"], **{name: way[name] for name in asked}}
            return scene.call(segment, told_of)
    return scene.call("read_telemetry", {})


def _way(scene: _Scene, order: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """How to fly: as usual, as this crew is used to, as memory says."""
    known = {key: order.get(key, usual) for key, usual in _USUAL.items()}
    met = {"distance_m": plan["distance_m"], **known}
    wanted = {**met, **DEFAULTS, **_habits(scene.mission, scene.care(met))}
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


def _habits(mission: str, care: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, (least, most), share in _HABITS:
        chance = _chance(mission, name) / care
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
        return next(_objects(self.text), {})


class _Scene:
    """A request, as a crew member looks at it."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._calls: list[ToolCall] = []
        self._results: dict[str, _Result] = {}
        self._said: list[str] = []
        self._after: list[dict[str, Any]] = []  # reports since the last delegation
        self.points: dict[str, Any] | None = None  # the detector's last report
        self._reported = 0  # calls up to the last report
        self.rejected = 0  # reports after which somebody wanted more
        self.wanted = False
        for message in request.messages:
            self._take(message)

    def _take(self, message: Message) -> None:
        for part in getattr(message, "parts", ()):
            if isinstance(part, ToolCall):
                self._calls.append(part)
                if part.name == _SEND:
                    self._after = []
                elif part.name == "write":
                    self._reported, self.wanted = len(self._calls), False
            elif isinstance(part, ToolResult):
                text = "".join(each.text for each in part.content if isinstance(each, Text))
                self._results[part.call_id] = _Result(text, part.is_error)
                self._note(text)
            elif isinstance(part, Text) and isinstance(message, UserTurn):
                self._said.append(part.text)
                self._hear(part.text)

    def _note(self, text: str) -> bool:
        """Keep a specialist's report; whether the text is one."""
        reports = [each for each in _objects(text) if "candidates" in each or "status" in each]
        for report in reports:
            if "candidates" in report:
                self.points = report
        self._after += reports
        return bool(reports)

    def _hear(self, text: str) -> None:
        """Words after a report that are no specialist's mean that it was not good enough."""
        if not self._note(text) and self._reported == len(self._calls) > 0 and not self.wanted:
            self.wanted = True
            self.rejected += 1

    @property
    def mission(self) -> str:
        found = _MISSION.search(" ".join(self._said))
        return found[1] if found else "unnamed-0"

    @property
    def order(self) -> dict[str, Any]:
        """What the last order says, where it says something in JSON."""
        found = [told for text in self._said for told in _objects(text)]
        return found[-1] if found else {}

    @property
    def advice(self) -> Sequence[Advice]:
        return parse(self._known)

    def care(self, met: Mapping[str, Any]) -> float:
        """How much more than usual a crew does that is warned of what it has met."""
        for when in warned(self._known):
            told_what_to_do = any(each.name in CHOICES for each in when)
            if not told_what_to_do and all(each.holds(met) for each in when):
                return _WARY
        return 1.0

    @property
    def _known(self) -> str:
        """The system prompt, and the memory that was read."""
        read = (self._results[c.id].text for c in self._calls if c.name == "read" and c.id in self._results)
        return "\n".join([self._request.system, *(_NUMBERED.sub("", text) for text in read)])

    @property
    def asked(self) -> list[str]:
        """Whom the lead asked, in order; after a report that was no good, since then."""
        return [str(c.input.get("agent", "")) for c in self._calls[self._reported :] if c.name == _SEND]

    @property
    def reported(self) -> bool:
        """Whether the report is written, and nothing was begun since."""
        return self._reported > 0 and self._reported == len(self._calls)

    @property
    def answer(self) -> dict[str, Any] | None:
        """What the one who was asked last has reported; None so far."""
        return self._after[-1] if self._after else None

    @property
    def of_navigator(self) -> list[_Result]:
        """What came of flying."""
        return [
            each for name in ("launch_reserve", "set_descent_plan", *_SEGMENTS) for each in self.results(name)
        ]

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

    def wait(self) -> ToolCall | None:
        """Wait for the one who was asked last; ask for what it said last; None where both were done."""
        sent = max(number for number, call in enumerate(self._calls) if call.name == _SEND)
        since = {call.name for call in self._calls[sent:]}
        if "wait_for_agents" not in since:
            return self.call("wait_for_agents", {})
        thread = _THREAD.search(self._results[self._calls[sent].id].text)
        if "read_result" in since or thread is None:
            return None
        return self.call("read_result", {"thread_id": thread[0]})

    def report(self, found: Mapping[str, Any]) -> ToolCall:
        told_of = {key: found.get(key) for key in _FACTS} | {"mission": self.mission}
        return self.call("write", {"file_path": REPORT, "content": json.dumps(told_of, indent=1)})


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


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text."""
    start = text.find("{")
    while start >= 0:
        try:
            found, end = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            end = start + 1
        else:
            yield cast("dict[str, Any]", found)
        start = text.find("{", end)


def _given_up(why: str) -> str:
    return json.dumps({"status": "given up", "landed": False, "cause": why})


def _chance(mission: str, what: str) -> float:
    """0 to 1, the same each time for a mission and a question."""
    digest = hashlib.sha256(f"{mission} {what}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
