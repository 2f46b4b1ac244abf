"""The proof: what it counts, what its controls are, and that nobody but the scorer sees what was planted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import pytest
from examples.desk import advice as desk_advice
from examples.desk import remedies as desk_remedies
from examples.desk.truth import PLANTED
from examples.desk.world import Desk
from examples.moon import advice as moon_advice
from examples.moon.remedies import EVERYTHING, REMEDIES
from examples.moon.terrain import KINDS
from examples.moon.world import Moon
from examples.prove.clock import WorldClock
from examples.prove.loop import Course, Plan, prove, shuffled
from examples.prove.null import Press
from examples.prove.outcomes import ARMS, crossed, outcome_lines
from examples.prove.plot import svg
from examples.prove.score import Share, failing, gained, share
from examples.prove.tables import course_lines, false_lessons, found
from examples.prove.trying import tried
from examples.prove.world import Played, Task, World

import reverie
from reverie.domain.errors import SandboxFailed

PLAYBOOK = "When `surface` is dusty, call `touch_down` with `engine_cut_m` below 0.6: otherwise it fails."


@pytest.fixture
def house(tmp_path: Path) -> Iterator[reverie.Reverie]:
    with reverie.open(tmp_path / "house.db") as opened:
        try:
            opened.plugs().environment()
        except SandboxFailed as failed:
            pytest.skip(f"no sandbox: {failed}")
        yield opened


def played(*succeeded: bool, planted: str = "thing") -> list[Played]:
    return [Played(Task("kind", at), each, () if each else (planted,)) for at, each in enumerate(succeeded)]


# ------------------------------------------------------------------ counting


def test_intervals_are_wilsons() -> None:
    half = Share(50, 100)
    assert (round(half.low, 4), round(half.high, 4)) == (0.4038, 0.5962)
    assert Share(0, 10).low == 0.0 and round(Share(0, 10).high, 4) == 0.2775
    assert (Share(0, 0).low, Share(0, 0).high) == (0.0, 1.0)


def test_differences_are_of_the_same_tasks() -> None:
    before = played(*[False] * 40, *[True] * 20)
    after = played(*[True] * 60)
    more = gained(after, before)
    assert more.value == pytest.approx(2 / 3)
    assert more.low < more.value < more.high and not more.is_none
    assert gained(before, before).is_none
    with pytest.raises(ValueError, match="same tasks"):
        gained(after[1:], before[:-1])


def test_failures_are_counted_once_a_task_by_what_was_planted() -> None:
    twice = replace(played(False)[0], failures=("a", "a", "b"))
    assert failing([twice, *played(True, False)]) == {"a": 1, "b": 1, "thing": 1}


def test_shuffling_keeps_the_words() -> None:
    mixed = shuffled({"/a.md": PLAYBOOK, "/b.md": "Hover on\n\nTuesdays."}, 1)
    told = " ".join(mixed.values())
    assert sorted(told.split(" ")) == sorted(f"{PLAYBOOK} Hover on Tuesdays.".split(" "))
    assert len(mixed["/b.md"].split(" ")) == 3 and mixed["/b.md"] != "Hover on Tuesdays."
    assert not Moon().judge(told).teaches


NOTES = """\
---
kind: warning
description: before calling `upload_filing`
evidence:
  sessions: 42
source:
  dream: drm_a
---

# `upload_filing` mostly fails when file_ext is docx and hour ≥ 17

When `file_ext` is docx and it is 17:00 or later, expect `upload_filing` to mostly fail with “gateway code 7”.

Instead: use `convert_document` first, then `upload_filing` again; the same call again does not help.

Call `refresh_index` before `search_precedents`: otherwise the session mostly fails.

When `open_record` fails with “in use”, do not send the same call again; use `open_record` with `record` K-#-b instead of K-#.

Call `convert_document` with another `keep_tables` than false, say true: otherwise the session fails.

When `exhibits` is 27 or more, call `label_exhibits` with another `scheme` than letters, say numbers: otherwise it fails.

In the task deed, call `sign_document`, then `stamp_document`.

Call `fill_form` with `hearing_date` = `02.03.2027`, not `2027-03-02`.
"""


@pytest.mark.parametrize(
    ("understood", "memory"),
    [
        (desk_advice.parse, f"{NOTES}\n{desk_remedies.EVERYTHING}"),
        (moon_advice.parse, f"{PLAYBOOK}\n{EVERYTHING}"),
    ],
)
def test_words_in_any_order_teach_nothing(understood: Callable[[str], Sequence[object]], memory: str) -> None:
    """A control that taught something would say that the right words are enough."""
    many = {f"/{number}.md": memory for number in range(8)}
    assert len(understood(memory)) >= 9
    for seed in range(40):
        assert not understood("\n\n".join(shuffled(many, seed).values()))


def test_advice_that_is_quoted_or_mentioned_is_not_given() -> None:
    for text in (
        "/notes/a.md says “Call `sign_document` before `stamp_document`”; yet sessions do not show it.",
        "Somebody set keep_tables=true when converting a document, and nobody knows why.",
        "It was asked whether to refresh the index before searching.",
    ):
        assert not desk_advice.parse(text)
    assert not moon_advice.parse("They say that one should zoom on each candidate where there are slopes.")


def test_trials_say_what_helps_what_harms_and_nothing_of_nothing() -> None:
    with_it, without = played(*[True] * 60), played(*[True] * 30, *[False] * 30)
    (soon, _), (harm, _), (same, _) = (
        tried(*arms, ["thing"], trials=10)
        for arms in ((with_it, without), (without, with_it), (without, without))
    )
    assert soon.helped == soon.trials and soon.needed is not None and soon.needed < 100
    assert harm.harmful == harm.trials and (harm.word, soon.word) == ("harmful 10", "helped 10")
    assert same.helped + same.harmful <= 0.1 * same.trials and same.needed is None


def test_when_a_task_begins_does_not_depend_on_who_looks_at_the_clock() -> None:
    began: list[list[str]] = []
    for looks in (1, 500):
        clock = WorldClock()
        times: list[str] = []
        for hour in (9, 9, 17, 8):
            clock.set(hour, 30, timedelta(minutes=14))
            times.append(f"{clock():%d %H:%M}")
            clock.slot()
            times += [f"{clock():%d %H:%M}" for _ in range(looks)][:1]
        began.append(times)
    assert began[0] == began[1]
    assert began[0][::2] == ["05 09:30", "05 09:40", "05 17:30", "06 08:30"]


# ------------------------------------------------------------------ the loop


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Course:
    plan = Plan(practice=16, held_out=60, played=4, phase=20, dreams=2)
    return prove(Press(), plan, 3, folder=tmp_path_factory.mktemp("null"), tell=lambda _: None)


def test_where_there_is_nothing_to_learn_nothing_is_gained(nothing: Course) -> None:
    before = nothing.stages[0].results
    assert 0.5 < share(before).value < 0.8
    assert all(gained(stage.results, before).is_none for stage in [*nothing.stages, *nothing.controls])
    assert not false_lessons(nothing) and nothing.agreed == nothing.compared == 4


def test_every_dream_sees_all_sessions_so_far(nothing: Course) -> None:
    assert [dreamt.sessions for dreamt in nothing.dreams] == [16, 32]
    practised = [each.task for part in nothing.practised for each in part]
    held = {each.task for stage in nothing.stages for each in stage.results}
    phases = [each.task for stage in nothing.phases for each in stage.results]
    assert len(set(practised)) == 32 and held.isdisjoint(practised)
    assert len(set(phases)) == 80 and held.isdisjoint(phases)


def test_tables_and_plot_tell_what_was_measured(nothing: Course) -> None:
    lines = list(course_lines(nothing))
    assert "Nothing was adopted." in lines and not found(nothing)
    assert any(line.startswith("| after dream 2 |") for line in lines)
    drawing = ElementTree.fromstring(svg([nothing, nothing], 3))
    circles = list(drawing.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(circles) == 2 * (len(nothing.stages) + len(nothing.phases) + len(nothing.controls))


# ------------------------------------------------------------------ the Moon as a world


def test_practice_and_held_out_tasks_are_others() -> None:
    for world in (Moon(), Desk(), Press()):
        tasks = [
            {(task.kind, task.seed) for task in world.tasks(split, 300, seed)}
            for split in ("practice", "held out")
            for seed in (1, 2)
        ]
        assert sum(map(len, tasks)) == len(set(chain(*tasks))) == 1_200


def test_through_the_engine_with_a_store_it_ends_as_in_the_small_driver(house: reverie.Reverie) -> None:
    moon = Moon()
    store = house.stores.create("playbook", actor="test")
    house.memories.create(store.id, "/notes/dust.md", PLAYBOOK, actor="test")
    tasks = [task for task in moon.tasks("held out", 60, 5) if task.kind in ("dusty", "slopes")][:4]
    through = moon.play(house, tasks, store=store.id)
    beside = moon.rehearse(tasks, PLAYBOOK)
    assert [each.succeeded for each in through] == [each.succeeded for each in beside]
    labels = [house.log.session(str(each.session_id)).info.outcome.label for each in through]
    assert labels == ["success" if each.succeeded else "failure" for each in through]
    assert all(each.tokens > 1_000 and each.calls > 5 for each in through)


@pytest.mark.parametrize(
    ("memory", "teaches", "warns", "false"),
    [
        (PLAYBOOK, ("dusty",), (), 0),
        ("When `distance_m` is 135 or more, call `touch_down` with `descent_mps` of 6 or more: x", ("far",), (), 0),
        ("When `ground` is sloping, expect `touch_down` to often fail with “x”.", (), ("slopes",), 0),
        ("When `ink` is red, expect `touch_down` to often fail with “x”.", (), (), 1),
        ("When `surface` is dusty, call `touch_down` with `descent_mps` of 6 or more: x", (), (), 1),
        ("When `content_chars` is 211 or more, expect the session to fail.", (), (), 1),
    ],
)  # fmt: skip
def test_what_a_memory_is_worth(memory: str, teaches: object, warns: object, false: int) -> None:
    lesson = Moon().judge(memory)
    assert (lesson.teaches, lesson.warns, len(lesson.false)) == (teaches, warns, false)


def test_a_crew_that_is_warned_tries_more_of_everything() -> None:
    warning = "When `ground` is sloping, expect `touch_down` to often fail with “x”."
    moon = Moon()
    slopes = [task for task in moon.tasks("held out", 120, 2) if task.kind == "slopes"]
    dusty = [task for task in moon.tasks("held out", 30, 2) if task.kind == "dusty"]
    assert share(moon.rehearse(slopes, warning)).hits > share(moon.rehearse(slopes, "")).hits
    assert moon.rehearse(dusty, warning) == moon.rehearse(dusty, "")


# ------------------------------------------------------------------ what nobody may see


def test_no_planted_name_is_in_a_transcript_or_a_tool(house: reverie.Reverie) -> None:
    tasks = Moon().tasks("practice", len(KINDS), 7)
    names = [f"{task.kind}-{task.seed}" for task in tasks] + list(REMEDIES.values())
    assert not _seen(house, Moon(), names, len(KINDS))


def test_no_quirk_of_the_desk_is_in_a_transcript_or_a_tool(tmp_path: Path) -> None:
    desk = Desk()
    with reverie.open(tmp_path / "desk.db", clock=desk.clock) as rv:
        assert not _seen(rv, desk, [*PLANTED, "hopeless", "planted", "quirk"], 5)


def _seen(rv: reverie.Reverie, world: World, names: list[str], tasks: int) -> list[str]:
    """Which of these names are in a session's log, or in what its agents were given."""
    texts: list[str] = []
    for each in world.play(rv, world.tasks("practice", tasks, 7)):
        session = str(each.session_id)
        texts += [json.dumps(event.payload) for event in rv.log.events(session)]
        texts.append(json.dumps(rv.agent_of(rv.id, session)))
    assert sum(map(len, texts)) > 5_000
    return [name for name in names if any(name in text for text in texts)]


# ------------------------------------------------------------------ outcomes × dreams


def test_four_arms_fly_the_same_missions() -> None:
    tasks = [task for task in Moon().tasks("held out", 60, 5) if task.kind == "dusty"][:2]
    flown = [crossed(arm, {"/notes/dust.md": PLAYBOOK}, tasks, tell=lambda _: None) for arm in ARMS]
    assert [each.arm for each in flown] == list(ARMS)
    assert all([each.task for each in arm.results] == tasks for arm in flown)
    neither, loop, dreams, both = (share(each.results).hits for each in flown)
    assert neither <= loop <= both and neither < dreams <= both
    assert flown[0].drones == 2 and flown[1].drones == 2 + 2 - neither
    assert len(list(outcome_lines(flown, 10))) == 3 + 4 + 2
