"""Drones on a simulated Moon: laws the simulation keeps, tools that refuse, policies that only read their context."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from examples.moon import mission as engine
from examples.moon import policy
from examples.moon.__main__ import main
from examples.moon.advice import Advice, Condition, adjusted, parse, told
from examples.moon.flight import Flight, Plan
from examples.moon.physics import DT, G0, GRAVITY, VEHICLE, Drone, assess, plume_pressure
from examples.moon.remedies import EVERYTHING, REMEDIES
from examples.moon.sensors import Sensors
from examples.moon.show import plot
from examples.moon.simulate import Ran, run_mission
from examples.moon.terrain import KINDS, Kind, Rock, Site, make_site
from examples.moon.tools import FAR, Crash, Mission, Refused
from hypothesis import given, settings
from hypothesis import strategies as st

import reverie
from reverie.domain.errors import SandboxFailed
from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, ToolSpec, UserTurn
from reverie.outcomes.rubrics import read_rubric

SPEED = st.floats(-30, 30)


@pytest.fixture(scope="module")
def plains() -> Site:
    return make_site("plains", 1)


def drone(site: Site, height: float = 200.0, **more: Any) -> Drone:
    return Drone(
        site, position=(0.0, 0.0, site.height(0.0, 0.0) + height), fuel=more.pop("fuel", 6.0), **more
    )


# ------------------------------------------------------------------ the ground


def test_a_site_is_the_same_each_time_and_another_for_another_seed() -> None:
    first, again, other = Site("shadow", 3), Site("shadow", 3), Site("shadow", 4)
    assert (first.heights == again.heights).all() and first.rocks == again.rocks and first.fuel == again.fuel
    assert (first.dark == again.dark).all() and not (first.heights == other.heights).all()


@pytest.mark.parametrize("kind", KINDS)
def test_sites_are_what_their_kind_says(kind: Kind) -> None:
    site = make_site(kind, 2)
    start = math.hypot(*site.start)
    dark = sum(site.in_shadow(x, y) for x in range(-16, 17, 4) for y in range(-16, 17, 4)) / 81
    assert (site.fines > 0.5) == (kind == "dusty")
    assert (dark > 0.3) == (kind == "shadow")
    assert (start > 150) == (kind == "far")
    assert (len(site.rocks) > 2_000) == (kind in ("boulders", "shadow"))
    assert abs(site.height(0.0, 0.0)) < 1e-9


@settings(max_examples=40)
@given(st.floats(-400, 400), st.floats(-400, 400))
def test_heights_have_no_steps(x: float, y: float) -> None:
    site = make_site("slopes", 2)
    assert abs(site.height(x, y) - site.height(x + 0.01, y + 0.01)) < 0.1


def test_rocks_near_are_all_rocks_near() -> None:
    site = make_site("boulders", 1)
    for x, y in ((0.0, 0.0), (-13.2, 7.7), (30.1, -31.9)):
        plainly = {rock for rock in site.rocks if math.hypot(rock.x - x, rock.y - y) < 5.0 + rock.radius}
        assert set(site.rocks_near(x, y, 5.0)) == plainly and plainly


# ------------------------------------------------------------------ laws


@settings(max_examples=25)
@given(SPEED, SPEED, SPEED, st.floats(50, 400))
def test_without_thrust_energy_stays(vx: float, vy: float, vz: float, height: float) -> None:
    flying = drone(make_site("plains", 1), height, velocity=(vx, vy, vz))
    before, fuel = flying.energy, flying.fuel
    for _ in range(100):
        flying.step(0.0, 0.0, 0.0)
    if flying.status == "flying":
        assert flying.energy == pytest.approx(before, rel=1e-10, abs=1e-8)
    assert flying.fuel == fuel


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.05, 6.0))
def test_whatever_is_ordered_thrust_fuel_and_slew_keep_their_limits(seed: int, fuel: float) -> None:
    dice = random.Random(seed)
    flying = drone(make_site("boulders", 1), 120.0, fuel=fuel)
    for _ in range(60):
        order = (dice.uniform(-1, 2), dice.uniform(-2, 2), dice.uniform(-2, 2))
        for _ in range(10):
            had, throttle, rate = flying.fuel, flying.throttle, flying.pitch_rate
            flying.step(*order)
            assert 0.0 <= flying.thrust <= VEHICLE.max_thrust
            assert 0.0 <= flying.fuel <= had
            assert flying.throttle == 0.0 or VEHICLE.least_throttle <= flying.throttle <= 1.0
            assert flying.throttle - throttle <= max(VEHICLE.slew * DT, VEHICLE.least_throttle) + 1e-9
            assert abs(flying.pitch_rate - rate) <= VEHICLE.torque / VEHICLE.inertia * DT + 1e-9
            assert flying.dust >= 0.0 and 0.0 <= flying.fines <= 1.0


def test_a_burn_gains_what_the_rocket_equation_says(plains: Site) -> None:
    flying = drone(plains, 4_000.0)
    while flying.throttle < 1.0:
        flying.step(1.0, 0.0, 0.0)
    mass, speed, t = flying.mass, flying.vz, flying.t
    for _ in range(400):
        flying.step(1.0, 0.0, 0.0)
    gained = VEHICLE.isp * G0 * math.log(mass / flying.mass) - GRAVITY * (flying.t - t)
    assert flying.vz - speed == pytest.approx(gained, rel=1e-3)


def test_an_empty_tank_gives_no_thrust(plains: Site) -> None:
    flying = drone(plains, fuel=0.001)
    for _ in range(40):
        flying.step(1.0, 0.0, 0.0)
    assert flying.fuel == 0.0 and flying.thrust == 0.0


@settings(max_examples=10)
@given(st.integers(0, 500))
def test_what_has_ended_is_final(seed: int) -> None:
    flight = Flight(make_site("dusty", 1), seed)
    plan = Plan(0.0, 0.0)
    assert flight.approach(plan)
    flight.land(plan)
    ended = flight.drone
    assert ended.status in ("landed", "crashed") and ended.touchdown is not None
    assert (ended.status == "landed") == (ended.touchdown.cause is None)
    was = {name: getattr(ended, name) for name in Drone.__slots__}
    for _ in range(20):
        ended.step(1.0, 0.3, 0.0)
    assert {name: getattr(ended, name) for name in Drone.__slots__} == was


def test_a_turn_settles_where_it_was_ordered(plains: Site) -> None:
    flying = drone(plains, 1_000.0)
    for _ in range(300):
        flying.step(0.4, 0.3, -0.2)
    assert (flying.pitch, flying.roll) == (pytest.approx(0.3, abs=1e-3), pytest.approx(-0.2, abs=1e-3))
    assert flying.vx > 0.0 > flying.vy


# ------------------------------------------------------------------ dust and sensors


def test_a_plume_weakens_with_height_and_raises_dust_only_near_the_ground() -> None:
    assert (
        plume_pressure(120, 1) > plume_pressure(120, 5) > plume_pressure(120, 40) > plume_pressure(0, 1) == 0
    )
    site = make_site("dusty", 1)
    high, low = drone(site, 39.0), drone(site, 8.0)
    for each in (high, low):
        for _ in range(40):
            each.throttle = each.mass * GRAVITY / VEHICLE.max_thrust
            each.step(each.throttle, 0.0, 0.0)
    assert high.dust == 0.0 and high.fines == 1.0
    assert low.dust > 0.5 and low.fines < 0.95


def test_hovering_uses_the_fines_up_and_dust_settles() -> None:
    site = make_site("dusty", 1)
    low = drone(site, 8.0)
    clouds: list[float] = []
    for _ in range(700):
        low.step(low.mass * GRAVITY / VEHICLE.max_thrust, 0.0, 0.0)
        low.z, low.vz = site.height(0.0, 0.0) + 8.0, 0.0
        clouds.append(low.dust)
    assert max(clouds) > 1.0 > 0.5 > clouds[-1]


def test_dust_makes_the_altimeter_read_short() -> None:
    site = make_site("dusty", 1)
    readings: dict[float, float] = {}
    for dust in (0.0, 2.0):
        flying = drone(site, 10.0)
        sensors = Sensors(flying, random.Random(1))
        flying.dust, found = dust, []
        for _ in range(60):
            sensors.look()
            found.append(sensors.reading)
        readings[dust] = sum(found) / len(found)
    assert readings[0.0] == pytest.approx(10.0, abs=0.3)
    assert readings[2.0] < 5.5


def test_inertial_sensors_do_not_mind_dust() -> None:
    flying = drone(make_site("dusty", 1), 10.0)
    sensors = Sensors(flying, random.Random(1))
    flying.dust = 2.0
    for _ in range(30):
        known = sensors.look(inertial_below=20.0)
    assert known.height == pytest.approx(10.0, abs=1.0)
    assert sensors.blind > 5.0


# ------------------------------------------------------------------ legs


def flat() -> Site:
    site = Site("plains", 1)
    site.heights[:] = 0.0
    site._rows = site.heights.tolist()
    site._buckets = {}
    site.rocks.clear()
    return site


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({}, None),
        ({"vz": -2.9}, None),
        ({"vz": -3.1}, "hard"),
        ({"vx": 1.2}, "drift"),
        ({"pitch": 0.25}, "lean"),
        ({"vz": -20.0, "fuel": 0.0}, "fuel"),
        ({"fuel": 0.0}, None),
        ({"x": 260.0}, "lost"),
    ],
)
def test_legs_bear_so_much(change: dict[str, float], cause: str | None) -> None:
    down = drone(flat(), 0.0, velocity=(0.0, 0.0, -1.0))
    for name, value in change.items():
        setattr(down, name, value)
    assert assess(down).cause == cause


@pytest.mark.parametrize(
    ("degrees", "speed", "cause"),
    [(5, 1.05, None), (12.5, 0.0, "slope"), (11.5, 0.1, None), (11.5, 1.05, "slope")],
)
def test_a_slope_turns_it_over_the_sooner_the_faster_it_slides(
    degrees: float, speed: float, cause: str | None
) -> None:
    site = flat()
    steep = math.tan(math.radians(degrees))
    site.heights[:] = [[-2.0 * j * steep for j in range(256)] for _ in range(256)]
    site._rows = site.heights.tolist()
    down = drone(site, 0.0, velocity=(speed, 0.0, -2.9))
    down.pitch = math.radians(11.5)
    assert assess(down).cause == cause


@pytest.mark.parametrize(
    ("at", "radius", "cause"),
    [((1.3, 0.0), 0.3, "rock"), ((0.1, 0.0), 0.5, "belly"), ((1.3, 0.0), 0.15, None)],
)
def test_rocks_under_a_leg_or_the_belly(at: tuple[float, float], radius: float, cause: str | None) -> None:
    site = flat()
    site._buckets = {(int(at[0] // 2), int(at[1] // 2)): [Rock(*at, radius)]}
    assert assess(drone(site, 0.0, velocity=(0.0, 0.0, -1.0))).cause == cause


# ------------------------------------------------------------------ tools


def test_the_same_mission_goes_the_same_way() -> None:
    first, again = (run_mission("dusty", 5) for _ in range(2))
    assert first.lines == again.lines and first.report == again.report


APPROACH = {"x": 0.0, "y": 0.0, "distance_m": 90, "descent_mps": 4.0}


def way(**change: Any) -> dict[str, Any]:
    usual = {"distance_m": 90, "survey": "camera", "surface": "firm", "light": "lit", "ground": "smooth"}
    return {"x": 0.0, "y": 0.0, **usual, **policy.DEFAULTS, **change}


def test_orders_that_make_no_sense_are_refused_and_change_nothing() -> None:
    mission = Mission("plains", 1)
    with pytest.raises(Refused, match="no descent plan"):
        mission.fly_segment(**APPROACH)
    with pytest.raises(Refused, match="beyond what was surveyed"):
        mission.set_descent_plan(200.0, 0.0)
    mission.set_descent_plan(0.0, 0.0)
    with pytest.raises(Refused, match="approach first"):
        mission.touch_down(**way())
    with pytest.raises(Refused, match="descent_mps must be between 1 and 12, not 40"):
        mission.fly_segment(**{**APPROACH, "descent_mps": 40.0})
    with pytest.raises(Refused, match="outside"):
        mission.zoom(90.0, 0.0, "camera")
    with pytest.raises(Refused, match="land it, or abort"):
        mission.launch_reserve()
    assert mission.flight.drone.t == 0.0


@pytest.mark.parametrize("name", list(policy.DEFAULTS))
def test_each_number_has_limits(name: str) -> None:
    mission = Mission("plains", 1)
    for wrong in (-1.0, 1000.0):
        with pytest.raises(Refused, match=f"{name} must be between"):
            mission.touch_down(**way(**{name: wrong}))


def test_a_landing_tells_what_the_rubric_asks() -> None:
    mission = Mission("plains", 1)
    mission.set_descent_plan(0.0, 0.0)
    assert mission.fly_segment(**APPROACH)["height_m"] == pytest.approx(60, abs=3)
    landed = mission.touch_down(**way())
    assert landed["landed"] and mission.succeeded and landed["cause"] is None
    assert landed == mission.facts
    assert mission.read_telemetry()["moments"][-1]["height_m"] < 1.5
    with pytest.raises(Refused, match="it is landed"):
        mission.touch_down(**way())
    with pytest.raises(Refused, match="no other is needed"):
        mission.launch_reserve()


def test_a_crash_says_how_and_the_reserve_flies_once() -> None:
    mission = Mission("plains", 1)
    for _ in range(2):
        mission.set_descent_plan(0.0, 0.0)
        mission.fly_segment(**APPROACH)
        with pytest.raises(
            Crash, match=r"hard landing \(vertical \d\.\d m/s.*engine shut down [45]\.\d m over"
        ):
            mission.touch_down(**way(engine_cut_m=5.0))
        with pytest.raises(Refused, match="it is crashed"):
            mission.set_descent_plan(0.0, 0.0)
        if len(mission.flights) == 1:
            assert mission.launch_reserve()["drones_used"] == 2
    with pytest.raises(Refused, match="no drone left"):
        mission.launch_reserve()
    assert not mission.succeeded


def test_an_aborted_drone_flies_no_more() -> None:
    mission = Mission("plains", 1)
    assert mission.abort()["status"] == "aborted"
    with pytest.raises(Refused, match="aborted"):
        mission.scan_site("camera")
    assert mission.launch_reserve()["status"] == "flying"


def test_the_camera_sees_nothing_in_the_dark_and_lidar_costs_fuel() -> None:
    mission = Mission("shadow", 2)
    camera, lidar = mission.scan_site("camera"), mission.scan_site("lidar")
    dark = [cell["dark"] > 0.9 for cell in camera["cells"]]
    assert sum(dark) > 5
    by_camera = sum(cell["rocks"] for cell, unlit in zip(camera["cells"], dark, strict=True) if unlit)
    by_lidar = sum(cell["rocks"] for cell, unlit in zip(lidar["cells"], dark, strict=True) if unlit)
    assert by_camera == 0 < by_lidar
    assert camera["fuel_kg"] == mission.site.fuel > lidar["fuel_kg"]


# ------------------------------------------------------------------ advice


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        (REMEDIES["hover over dust"], {"surface": "dusty"}, {"hover_m": 8.0, "hover_s": 18.0}),
        (REMEDIES["hover over dust"], {"surface": "firm"}, {"hover_s": 0.0}),
        (REMEDIES["inertial in dust"], {"surface": "dusty"}, {"inertial_below_m": 10.0}),
        (REMEDIES["cut late"], {}, {"engine_cut_m": 0.5}),
        ("Cut throttle below 0.4 m where there is dust.", {"surface": "dusty"}, {"engine_cut_m": 0.4}),
        (REMEDIES["divert"], {"ground": "rocky"}, {"divert_margin_m": 1.5}),
        (REMEDIES["divert"], {"ground": "smooth"}, {"divert_margin_m": 0.0}),
        (REMEDIES["zoom"], {"ground": "sloping"}, {"survey": "zoom"}),
        (REMEDIES["lidar"], {"light": "dark", "survey": "zoom"}, {"survey": "lidar"}),
        (REMEDIES["descend fast"], {"distance_m": 200}, {"descent_mps": 8.0}),
        (REMEDIES["descend fast"], {"distance_m": 90}, {"descent_mps": 4.0}),
        (
            "When `surface` is dusty, call `touch_down` with `hover_s` of 12.5 or more: when `hover_s` is below 12.5"
            " (the exact limit lies between 0 and 14) it mostly fails with “Crash: the legs broke”.",
            {"surface": "dusty"},
            {"hover_s": 14.5},
        ),
        ("Call `touch_down` with `engine_cut_m` below 0.8: …", {}, {"engine_cut_m": pytest.approx(0.6)}),
        (
            "When `light` is dark, call `touch_down` with another `survey` than camera, say lidar: …",
            {"light": "dark"},
            {"survey": "lidar"},
        ),
        (
            "When `distance_m` is 150 or more and `descent_mps` is below 5.5, expect `touch_down` to often fail with “x”.",
            {"distance_m": 200},
            {"descent_mps": 6.5},
        ),
        (
            "When `light` is dark and `survey` is camera, expect `touch_down` to fail.",
            {"light": "dark"},
            {"survey": "lidar"},
        ),
        ("Dust is beautiful. Be careful.", {"surface": "dusty"}, {"hover_s": 0.0, "survey": "camera"}),
    ],
)
def test_advice_changes_what_it_is_about(
    text: str, arguments: dict[str, Any], expected: dict[str, Any]
) -> None:
    given_to = way(**arguments)
    found = adjusted(parse(text), given_to)
    assert {name: found[name] for name in expected} == expected
    assert {k: v for k, v in found.items() if k not in expected} == {
        k: v for k, v in given_to.items() if k not in expected
    }


def test_numbers_that_are_no_arguments_are_told_apart() -> None:
    advice = parse("Divert to slope < 6 deg. Keep 0.6 kg of fuel.")
    assert told(advice, "max_slope_deg", {}, 9.0) == 6.0
    assert told(advice, "reserve_kg", {}, 0.0) == 0.6
    assert told([], "reserve_kg", {}, 0.0) == 0.0


@settings(max_examples=60)
@given(st.text(max_size=300))
def test_no_text_breaks_a_reader(text: str) -> None:
    adjusted(parse(text), way())


def test_what_holds_already_is_left_alone() -> None:
    advice = [
        Advice(Condition("hover_s", ">=", 10.0)),
        Advice(Condition("survey", "not", "camera"), (), "zoom"),
    ]
    wanted = way(hover_s=30.0, survey="lidar")
    assert adjusted(advice, wanted) == wanted


# ------------------------------------------------------------------ the crew


def test_the_commander_reports_what_telemetry_said() -> None:
    ran = run_mission("plains", 1)
    facts = ran.mission.facts
    assert ran.report["mission"] == ran.mission.name and ran.report["landed"]
    assert {key: ran.report[key] for key in ran.report if key in facts} == {
        key: facts[key] for key in ran.report if key in facts
    }


def lost(kind: Kind, memory: str = "") -> Ran:
    return next(
        ran for seed in range(30) if not (ran := run_mission(kind, seed, memory=memory)).mission.succeeded
    )


def test_a_report_that_is_not_good_enough_sends_the_reserve() -> None:
    seed = lost("dusty").mission.site.seed
    ran = run_mission(
        "dusty", seed, feedback=lambda mission: "Not satisfied: the drone stands on the ground."
    )
    assert ran.report["drones_used"] == 2 and len(ran.mission.flights) == 2
    plans = [line.given for line in ran.lines if line.tool == "set_descent_plan"]
    assert len(plans) == 2 and plans[0] != plans[1]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("dusty", "hard landing"),
        ("slopes", "slope under"),
        ("boulders", "rock"),
        ("shadow", "rock"),
        ("far", "fuel ran out"),
    ],
)
def test_losses_show_in_the_transcript_and_are_in_the_policy(kind: Kind, words: str) -> None:
    ran = lost(kind)
    errors = [line for line in ran.lines if line.is_error]
    assert len(errors) == 1 and errors[0].tool in ("fly_segment", "touch_down") and words in errors[0].result
    seeds = [seed for seed in range(12) if not run_mission(kind, seed).mission.succeeded]
    assert any(run_mission(kind, seed, memory=EVERYTHING).mission.succeeded for seed in seeds)


@pytest.mark.parametrize(("memory", "least", "most"), [("", 3, 18), (EVERYTHING, 23, 25)])
def test_experience_helps_where_it_is_hard(memory: str, least: int, most: int) -> None:
    hard = [(kind, 2_000 + seed) for kind in KINDS if kind != "plains" for seed in range(5)]
    assert (
        least <= sum(run_mission(kind, seed, memory=memory).mission.succeeded for kind, seed in hard) <= most
    )


def test_plains_need_none() -> None:
    assert all(run_mission("plains", 2_000 + seed).mission.succeeded for seed in range(10))


def test_memory_in_files_is_read_first_where_it_can_be() -> None:
    system = "You fly.\n\n# Memory\n\n## book: /mnt/memory/book (read only)\n\nIt holds:\n- playbook.md: How to land\n- old/notes.md"
    order = UserTurn([Text('Mission dusty-1: fly. {"candidates": [{"x": 0, "y": 0}]}')])
    tools = [ToolSpec("read", "", {})]
    first = policy.navigator(ModelRequest([order], system, tools))
    assert isinstance(first, ToolCall) and first.input == {"file_path": "/mnt/memory/book/playbook.md"}
    unread = policy.navigator(ModelRequest([order], system))
    assert isinstance(unread, ToolCall) and unread.name == "set_descent_plan"


@pytest.mark.parametrize("role", [policy.commander, policy.detector, policy.navigator])
def test_models_are_functions_of_the_request_alone(role: Any) -> None:
    source = inspect.getsource(policy)
    assert "examples.moon.terrain" not in source and "examples.moon.tools" not in source
    request = ModelRequest([UserTurn([Text("Mission plains-1: do your part.")])], "")
    assert role(request) == role(request)


def test_the_commander_waits_for_a_team_that_answers_later() -> None:
    """As in a team: a thread's id at once, then a message."""
    order = UserTurn([Text("Mission plains-1: bring a drone down.")])
    messages: list[Any] = [order]

    def step(result: str | None = None, said: str | None = None) -> ToolCall:
        if result is not None:
            call = messages[-1].parts[0]
            messages.append(UserTurn([ToolResult(call.id, call.name, [Text(result)])]))
        if said is not None:
            messages.append(UserTurn([Text(said)]))
        call = policy.commander(ModelRequest(messages))
        assert isinstance(call, ToolCall)
        messages.append(type("Turn", (), {"parts": [call]})())
        return call

    assert step().input["agent"] == "detector"
    assert step("detector works on it in thread sthr_abc.").name == "wait_for_agents"
    asked = step("Nobody is at work.")
    assert (asked.name, asked.input) == ("read_result", {"thread_id": "sthr_abc"})
    sent = step('{"candidates": [{"x": 1, "y": 2}], "survey": "zoom"}')
    assert sent.input["agent"] == "navigator" and '"x": 1' in sent.input["message"]
    step("navigator works on it in thread sthr_def.")
    written = step(
        "- sthr_def (moon navigator): idle", 'It says: {"status": "landed", "landed": true, "fuel_kg": 1.5}'
    )
    assert written.name == "write" and json.loads(written.input["content"])["fuel_kg"] == 1.5


# ------------------------------------------------------------------ the program


def test_one_mission_is_printed_with_its_descent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--site", "dusty", "--seed", "7"]) == 0
    printed = capsys.readouterr().out
    assert "detector" in printed and "touch_down(" in printed
    assert "~" in printed and ("SUCCESS" in printed) != ("FAILURE" in printed)
    assert list(plot([])) == []


def test_a_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "2", "--site", "plains", "--seed", "1"]) == 0
    assert "| plains | 100% | 100% | – |" in capsys.readouterr().out


# ------------------------------------------------------------------ the rubric


def test_every_criterion_of_the_rubric_has_a_check() -> None:
    rubric = read_rubric(engine.RUBRIC.read_text("utf-8"))
    assert [each.id for each in rubric.criteria] == [
        "landed", "vertical", "horizontal", "upright", "near", "fuel", "first",
    ]  # fmt: skip
    assert all(each.check is not None and each.check.kind == "json" for each in rubric.criteria)
    assert [each.must for each in rubric.criteria] == [True] * 5 + [False] * 2
    limits = " ".join(json.dumps(each.check.wants, default=dict) for each in rubric.criteria if each.check)
    for limit in (VEHICLE.max_vertical, VEHICLE.max_horizontal, VEHICLE.max_slope, FAR):
        assert f'"maximum": {limit}' in limits


# ------------------------------------------------------------------ through the engine


@pytest.fixture
def house(sqlite_url: str) -> Iterator[reverie.Reverie]:
    with reverie.open(sqlite_url) as opened:
        try:
            opened.plugs().environment()
        except SandboxFailed as failed:
            pytest.skip(f"no sandbox: {failed}")
        yield opened


def test_specialists_work_in_sessions_and_read_memory(house: reverie.Reverie) -> None:
    engine.remember(house, "descent playbook", EVERYTHING)
    mission = Mission("dusty", 7)
    crew = engine.crew(mission, memory=["descent playbook"])
    found = crew.detector.run_sync("Mission dusty-7: survey the site.", reverie=house)
    order = f"Mission dusty-7: fly there and land. {found.text}"
    flown = crew.navigator.run_sync(order, reverie=house)
    calls = [
        e.payload
        for e in flown.events
        if e.type == "agent.custom_tool_use" and e.payload["name"] == "touch_down"
    ]
    assert [call["input"]["hover_s"] for call in calls] == [18.0]
    assert mission.succeeded and json.loads(flown.text)["landed"]


def test_a_team_that_has_read_the_playbook_lands(house: reverie.Reverie) -> None:
    engine.remember(house, "descent playbook", EVERYTHING)
    mission = Mission("dusty", lost("dusty").mission.site.seed)
    session = asyncio.run(engine.fly(mission, memory=["descent playbook"], reverie=house))
    assert mission.succeeded and session.text == "mission.json is written."
    report = json.loads(session.deliverables()["mission.json"])
    assert report["landed"] and report["drones_used"] == 1


def test_the_rubric_sends_the_reserve(house: reverie.Reverie) -> None:
    mission = Mission("dusty", lost("dusty").mission.site.seed)
    pursuit = asyncio.run(engine.land(mission, reverie=house))
    assert len(mission.flights) == 2 and [v.iteration for v in pursuit.verdicts] == [0, 1]
    met = {each.criterion: each.met for each in pursuit.verdicts[0].criteria}
    assert not met["landed"] and met["near"] and met["first"]
    assert pursuit.satisfied == mission.succeeded
