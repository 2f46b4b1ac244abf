"""What is kept: memory with its history and its trials, the audit log and its files, and settings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.console.visiting import SAME, Visitor
from tests.contract import serving

from reverie.app import Reverie
from reverie.console.helping import Mark, plot, said
from reverie.dreaming.trials.courses import Course, Share, Week
from reverie.server.app import build
from reverie.server.settings import Settings


@pytest.fixture
def newcomer(empty: Reverie) -> Iterator[Visitor]:
    with serving.sync_http(build(empty, console=True)) as http:
        yield Visitor(http, SAME)


def _approved(visitor: Visitor, house: Reverie) -> str:
    """The page of a memory that a proposal brought."""
    proposal = visitor.first()
    visitor.decide(visitor.look(f"/proposals/{proposal}"), f"/proposals/{proposal}/approve")
    decided = house.review.get(proposal)
    memory = house.memory.read(decided.store_id, decided.path)
    return f"/memory/{memory.store_id}/{memory.id}"


# ---------------------------------------------------------------------- memory


def test_a_store_is_a_tree(visitor: Visitor, house: Reverie) -> None:
    for path in ("/a/b/c.md", "/a/b/d.md", "/a/e.md", "/f.md"):
        house.memory.write("default", path, "x\n", actor="ana")
    store = house.memory.store().id
    page = visitor.look(f"/memory/{store}")
    assert "a/ 3 memories" in page.said and "b/ 2 memories" in page.said
    assert len(page.links(f"^/memory/{store}/mem_")) == 4
    below = visitor.look(f"/memory/{store}?under=/a/b/")
    assert len(below.links(f"^/memory/{store}/mem_")) == 2


def test_a_large_store_is_shown_level_by_level(newcomer: Visitor, empty: Reverie) -> None:
    for number in range(305):
        empty.memory.write("default", f"/many/m{number:03}.md", "x\n", actor="ana")
    store = empty.memory.store().id
    assert newcomer.look(f"/memory/{store}").links("under=%2Fmany%2F")
    level = newcomer.look(f"/memory/{store}?under=/many/")
    assert len(level.links("/mem_")) == 100 and level.links("after=")


def test_any_two_versions_are_compared(visitor: Visitor, house: Reverie) -> None:
    for text in ("one\n", "two\n", "three\n"):
        house.memory.write("default", "/notes/a.md", text, actor="ana")
    memory = house.memory.read("default", "/notes/a.md")
    ids = [v.id for v in house.memories.versions(memory.store_id, memory_id=memory.id)]
    page = visitor.look(f"/memory/{memory.store_id}/{memory.id}?version={ids[0]}&against={ids[2]}")
    assert "Version 3 against version 1" in page.said and "one" in page.said and "two" not in page.said
    assert visitor.look(f"/memory/{memory.store_id}/{memory.id}?version={ids[0]}&against=memver_x", 404)


def test_one_press_takes_an_approval_back(visitor: Visitor, house: Reverie) -> None:
    address = _approved(visitor, house)
    page = visitor.look(address)
    (undo,) = page.forms_to("undo")
    after = visitor.decide(page, undo)
    assert "Taken back" in after.said and "It was deleted" in after.said
    assert visitor.send(page, undo).status_code in (303, 409)  # a second press changes nothing
    assert len(house.memories.versions(address.split("/")[2], memory_id=address.split("/")[3])) == 2


def test_one_press_goes_back_to_the_version_before(visitor: Visitor, house: Reverie) -> None:
    for text in ("one\n", "two\n"):
        house.memory.write("default", "/notes/a.md", text, actor="ana")
    memory = house.memory.read("default", "/notes/a.md")
    page = visitor.look(f"/memory/{memory.store_id}/{memory.id}")
    assert page.keyed("u")
    visitor.decide(page, f"/memory/{memory.store_id}/{memory.id}/restore")
    assert house.memory.read("default", "/notes/a.md").content == "one\n"


def test_a_trial_is_begun_withdrawn_resumed_and_ended(visitor: Visitor, house: Reverie) -> None:
    address = _approved(visitor, house)
    page = visitor.look(address)
    assert "before it was approved" in page.said or "Not enough data" in page.said
    form = f"{address}/trial"
    for wrong in (
        {"share": "100", "budget": "50"},
        {"share": "x", "budget": "50"},
        {"share": "80", "budget": "1"},
    ):
        assert visitor.send(page, form, what="begin", **wrong).status_code == 400
    assert visitor.send(page, form, what="conquer").status_code == 400
    running = visitor.decide(page, form, what="begin", share="50", budget="40")
    (trial,) = house.trials.list()
    assert (trial.share, trial.budget, trial.status) == (0.5, 40, "running")
    assert "on trial" in running.said and "Not enough data yet" in running.said
    assert visitor.send(page, form, what="begin", share="50", budget="40").status_code == 409
    withdrawn = visitor.decide(running, form, what="withdraw")
    assert house.trials.get(trial.id).status == "withdrawn"
    resumed = visitor.decide(withdrawn, form, what="resume")
    assert "round 2" in resumed.said
    ended = visitor.decide(resumed, form, what="end")
    assert house.trials.get(trial.id).status == "ended" and "trial ended" in ended.said
    assert visitor.send(resumed, form, what="end").status_code == 409
    assert visitor.send(resumed, form, what="end", trial="trial_x").status_code == 404


def test_before_and_after_are_counted_and_drawn(visitor: Visitor, house: Reverie) -> None:
    address = _approved(visitor, house)
    decided = next(p for p in house.review.list() if p.status == "approved")
    course = house.trials.course(decided.path)
    assert course is not None and course.after.total > 20 and course.before.total == 0
    assert sum(week.share.total for week in course.weeks) == course.after.total
    house.memory.write("default", "/hand.md", "x\n", actor="ana")
    assert house.trials.course("/hand.md") is None
    page = visitor.look(address)
    assert "As a table" in page.said and any(tag == "svg" for tag, _ in page.tags)


SHARES = st.integers(0, 40).flatmap(lambda n: st.integers(0, n).map(lambda k: Share(k, n)))


@given(SHARES, SHARES)
def test_an_interval_holds_its_rate_and_a_sentence_says_no_more_than_it(before: Share, after: Share) -> None:
    for share in (before, after):
        low, high = share.interval
        assert 0 <= low <= high <= 1
        assert share.value is None or low - 1e-9 <= share.value <= high + 1e-9
    course = Course(datetime(2026, 3, 1, tzinfo=UTC), True, before, after, ())
    words = said(course)
    if min(before.total, after.total) < 3:
        assert words.startswith("Not enough data")
    else:
        assert course.change is not None
        _, (low, high) = course.change
        assert ("may be chance" in words) == (low <= 0 <= high)


def test_wilson_and_newcombe_give_the_published_figures() -> None:
    low, high = Share(81, 263).interval
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, two-sided, method 3
    told = Course(datetime(2026, 3, 1, tzinfo=UTC), True, Share(48, 80), Share(56, 70), ()).change
    assert told is not None
    assert (round(told[1][0], 4), round(told[1][1], 4)) == (
        0.0524,
        0.3339,
    )  # Newcombe 1998, 56/70 − 48/80, method 10


def test_a_plot_keeps_inside_its_frame() -> None:
    weeks = tuple(Week(date(2026, 3, 2) + timedelta(weeks=n), Share(n, 9)) for n in range(9))
    course = Course(datetime(2026, 4, 1, tzinfo=UTC), True, Share(9, 40), Share(20, 41), weeks)
    drawn = plot(
        course,
        [Mark(datetime(2020, 1, 1, tzinfo=UTC), "long ago", "trial"), Mark(course.at, "now", "approval")],
    )
    assert drawn is not None and len(drawn.dots) == 9 and len(drawn.bands) == 2
    assert all(drawn.left <= rule.x <= drawn.wide for rule in drawn.rules)
    assert all(drawn.roof <= dot.high <= dot.y <= dot.low <= drawn.floor for dot in drawn.dots)


# ---------------------------------------------------------------------- the audit log


def test_the_log_is_filtered_paged_and_checked(visitor: Visitor, house: Reverie) -> None:
    for number in range(60):
        house.memory.write("default", f"/n{number}.md", "x\n", actor="ana" if number % 2 else "bo")
    page = visitor.look("/audit")
    assert "The chain holds" in page.said and page.links("before=")
    older = visitor.look(page.links("before=")[0])
    assert "Newest" in older.said
    anas = visitor.look("/audit?actor=ana&action=memory.")
    assert "memory.created" in anas.said and " bo " not in anas.said
    assert "all of the log" in visitor.look("/audit?actor=nobody").said


def test_a_log_that_was_changed_says_where(visitor: Visitor, house: Reverie) -> None:
    import sqlite3

    house.memory.write("default", "/a.md", "x\n", actor="ana")
    with sqlite3.connect(house.where) as raw:
        for (trigger,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
        ).fetchall():
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("UPDATE audit SET actor = 'mallory' WHERE seq = 2")
    assert "audit log line 2" in visitor.look("/audit").said


def test_the_log_is_taken_along(visitor: Visitor, http: httpx2.Client, house: Reverie) -> None:
    house.memory.write("default", "/a.md", "x\n", actor="=HYPERLINK(1)", reason="so")
    lines = [json.loads(line) for line in http.get("/audit/export.jsonl").text.splitlines()]
    kept = house.audit(10_000)
    assert [(each["seq"], each["hash"]) for each in lines] == [(each.seq, each.hash) for each in kept]
    answer = http.get("/audit/export.csv?actor=%3DHYPER")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][:3] == ["seq", "at", "actor"] and len(rows) > 1
    assert all(row[2] == "'=HYPERLINK(1)" for row in rows[1:])


# ---------------------------------------------------------------------- settings


def test_sources_say_what_lies_in_quarantine(newcomer: Visitor, empty: Reverie, tmp_path: Path) -> None:
    assert "reverie import claude-code" in newcomer.look("/settings").said
    file = tmp_path / "s.jsonl"
    good = {"type": "user", "uuid": "u1", "sessionId": "s1", "timestamp": "2026-11-02T09:00:00Z",
            "message": {"role": "user", "content": "Hello"}}  # fmt: skip
    file.write_text(json.dumps(good) + '\n{"type":"assistant","uu\n')
    empty.import_paths(file)
    page = newcomer.look("/settings")
    assert "s.jsonl" in page.said
    (where,) = page.links("/settings/sources/")
    assert "1 record" in newcomer.look(where).said
    newcomer.look("/settings/sources/src_none", 404)


def test_a_policy_is_written_and_removed(visitor: Visitor, house: Reverie) -> None:
    page = visitor.look("/settings/policies")
    assert "nothing enters memory without a person" in page.said
    store = house.memory.store().id
    fields = {
        "store": store,
        "sessions": "3",
        "users": "2",
        "days": "1",
        "risk": "low",
        "kind.add": "1",
        "memory.preference": "1",
    }
    for wrong in (
        {"sessions": "0"},
        {"sessions": "many"},
        {"kind.retire": "1"},
        {"risk": "none"},
        {"store": "memstore_x"},
    ):
        assert visitor.send(page, "/settings/policies", **{**fields, **wrong}).status_code in (400, 404)
    after = visitor.decide(page, "/settings/policies", **fields)
    (policy,) = house.policies.list()
    assert (policy.kinds, policy.memory_kinds, policy.min_sessions) == (("add",), ("preference",), 3)
    gone = visitor.decide(after, f"/settings/policies/{policy.id}/remove")
    assert house.policies.list() == [] and "removed" in gone.said


def test_the_first_key_is_shown_once_and_shuts_the_door(
    visitor: Visitor, http: httpx2.Client, house: Reverie
) -> None:
    page = visitor.look("/settings/keys")
    assert "whoever can open it here may do everything" in page.said
    assert (
        visitor.send(page, "/settings/keys", name="x", kind="", scopes="everything:write").status_code == 400
    )
    assert (
        visitor.send(page, "/settings/keys", name="x", kind="look only", until="2001-01-01").status_code
        == 400
    )
    assert not house.keys.any()
    answer = visitor.send(page, "/settings/keys", name="Ana", kind="everything")
    token = answer.text.partition('class="secret" tabindex="0">')[2].partition("<")[0]
    assert answer.status_code == 200 and house.keys.check(token).name == "Ana"
    assert token not in json.dumps([each.detail for each in house.audit(50)], default=str)


def test_keys_are_for_whoever_may_everything(house: Reverie) -> None:
    reader = house.keys.create("reader", by="test", scopes=["*:read"]).token
    lead = house.keys.create("lead", by="test")
    with serving.sync_http(
        build(house, Settings(host="0.0.0.0", hosts=frozenset({"localhost"})), console=True)
    ) as http:
        cookies = [
            http.post("/login", data={"key": key}, headers=SAME).headers["set-cookie"].partition(";")[0]
            for key in (reader, lead.token)
        ]
        looking, leading = (Visitor(http, {**SAME, "cookie": cookie}) for cookie in cookies)
        assert "/settings/keys" not in looking.look("/settings").links("/settings/")
        assert looking.http.get("/settings/keys", headers=looking.headers).status_code == 403
        page = leading.look("/settings/keys")
        other = next(key for key in house.keys.list() if key.name == "reader")
        assert page.forms_to("revoke") == [f"/settings/keys/{other.id}/revoke"]  # nobody locks themselves out
        after = leading.decide(page, f"/settings/keys/{other.id}/revoke")
        assert "refused from now on" in after.said
        assert leading.http.post(
            "/settings/keys/apikey_x/revoke", data=page.forms[f"/settings/keys/{other.id}/revoke"], headers=leading.headers
        ).status_code == 404  # fmt: skip


ACTIONS: list[tuple[str, dict[str, str]]] = [
    ("{memory}/restore", {"version": "memver_x"}),
    ("{memory}/trial", {"what": "begin", "share": "50", "budget": "40"}),
    ("/settings/policies", {"store": "default", "kind.add": "1"}),
    ("/settings/keys", {"name": "x", "kind": "everything"}),
    ("/dreams", {}),
    ("/bulk/approve", {"ids": "all"}),
]  # fmt: skip
ELSEWHERE: list[dict[str, str]] = [
    {}, {"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"}, {**SAME, "host": "evil.example"},
]  # fmt: skip


def test_no_other_page_and_no_old_form_changes_anything(
    visitor: Visitor, http: httpx2.Client, house: Reverie
) -> None:
    memory = _approved(visitor, house)
    token = next(iter(visitor.look("/settings/keys").forms.values()))["token"]
    before = house.audit(3)
    for address, fields in ACTIONS:
        path = address.format(memory=memory)
        for headers in ELSEWHERE:
            assert http.post(path, data={**fields, "token": token}, headers=headers).status_code in (
                403,
                404,
            ), path
        assert http.post(path, data={**fields, "token": "0" * 64}, headers=SAME).status_code in (403, 404), (
            path
        )
    assert house.audit(3) == before and not house.keys.any()


@pytest.mark.parametrize(
    "path", ["/memory/memstore_x", "/memory/memstore_x/mem_x", "/settings/x", "/settings/sources/src_x"]
)
def test_what_is_not_there_is_said(visitor: Visitor, path: str) -> None:
    assert "Next" in visitor.look(path, 404).said
