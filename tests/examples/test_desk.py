"""The desk: what tools do, what clerks understand, what is planted and where it may not show, and the world of the proof."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from examples.desk import learn
from examples.desk.__main__ import main
from examples.desk.advice import Condition, First, Give, Instead, Rule, parse
from examples.desk.matters import KINDS, Matter, make_matter
from examples.desk.office import Refused
from examples.desk.policy import clerk
from examples.desk.remedies import EVERYTHING, REMEDIES
from examples.desk.scorer import judge
from examples.desk.simulate import run_matter
from examples.desk.tools import TOOLS, Tools
from examples.desk.truth import PLANTED, failures
from examples.desk.world import Desk
from examples.prove.world import Task

import reverie
from reverie.domain.errors import SandboxFailed
from reverie.domain.messages import ModelRequest, Text, ToolCall, UserTurn
from reverie.mining.observe import SessionObserver


def tools(kind: str, seed: int = 3, *, hour: int = 10, **known: Any) -> Tools:
    return Tools(replace(make_matter(kind, seed), **known), lambda: datetime(2026, 3, 2, hour, 5, tzinfo=UTC))


def failing_of(name: str) -> Matter:
    """A matter that goes wrong in this way and in no other."""
    found = (make_matter(kind, seed) for seed in range(3_000) for kind in KINDS)
    return next(matter for matter in found if run_matter(matter).failures == (name,))


# ------------------------------------------------------------------ the office


def test_a_matter_is_a_function_of_its_kind_and_seed() -> None:
    assert make_matter("deed", 5) == make_matter("deed", 5) != make_matter("deed", 6)
    assert len({make_matter("deed", seed).user for seed in range(60)}) >= 8


@pytest.mark.parametrize(("hour", "size", "type"), [(16, 62, "docx"), (18, 50, "docx"), (18, 62, "odt")])
def test_only_large_word_documents_in_the_evening_do_not_arrive(hour: int, size: int, type: str) -> None:
    for at, mb, ext, arrives in ((hour, size, type, True), (17, 51, "docx", False)):
        desk = tools("pleading", hour=at, size_mb=mb, file=f"reply.{ext}")
        desk.draft_document(f"reply.{ext}", "pages", "Lund (2026)")
        if arrives:
            desk.upload_filing(f"reply.{ext}", "text/plain", mb, "Kehl")
        else:
            with pytest.raises(Refused, match="gateway code 7"):
                desk.upload_filing(f"reply.{ext}", "text/plain", mb, "Kehl")
        assert bool(desk.office.sent) == arrives


def test_tables_are_lost_without_a_word() -> None:
    desk = tools("opinion", tables=3)
    desk.draft_document("a.docx", "pages", "x")
    plain, kept = (desk.convert_document("a.docx", "pdf", keep_tables=kept) for kept in (False, True))
    assert plain == kept
    assert sum(line.startswith("|") for line in desk.office.get("a.pdf").lines) == 3


def test_one_court_reads_dates_its_own_way() -> None:
    desk = tools("registration")
    for court, date in (("Lindau", "02.03.2027"), ("Kehl", "2027-03-02")):
        desk.fill_form(court, "Lund", date)
    for court, date in (("Lindau", "2027-03-02"), ("Kehl", "02.03.2027"), ("Lindau", "02/03/2027")):
        with pytest.raises(Refused, match="field 3"):
            desk.fill_form(court, "Lund", date)


def test_a_signature_after_the_stamp_is_void_and_nothing_says_so() -> None:
    for order, wrong in ((("sign", "stamp"), False), (("stamp", "sign"), True)):
        desk = tools("deed", hopeless=False)
        for what in order:
            assert getattr(desk, f"{what}_document")(desk.matter.file)["file"] == desk.matter.file
        assert ("sign-first" in failures(desk)) == wrong


def test_other_ways_of_the_office() -> None:
    desk = tools("registration", held=True, record="K-7", hour=11)
    with pytest.raises(Refused, match="in use"):
        desk.open_record("K-7")
    assert desk.open_record("K-7-b")["open"]
    with pytest.raises(Refused, match="address"):
        desk.serve_notice("Harbour", "portal", "Lund")
    assert desk.serve_notice("Harbour", "courier", "Lund") and desk.serve_notice("Oldtown", "portal", "Lund")
    bundle = tools("bundle", exhibits=27, tables=0, hopeless=False)
    bundle.label_exhibits(bundle.matter.file, 27, "letters")
    assert "past-z" in failures(bundle)
    bundle.label_exhibits(bundle.matter.file, 27, "numbers")
    assert "past-z" not in failures(bundle)


def test_what_cannot_be_done_is_refused() -> None:
    desk = tools("bundle")
    for call in (
        lambda: desk.proofread("nothing.docx"),
        lambda: desk.split_document(desk.matter.file, 9),
        lambda: desk.convert_document(desk.matter.file, "exe"),
        lambda: desk.serve_notice("Oldtown", "pigeon", "Lund"),
    ):
        with pytest.raises(Refused):
            call()


# ------------------------------------------------------------------ what is planted, and where


def test_every_planted_thing_is_told_and_one_remedy_heals_it_alone() -> None:
    assert set(REMEDIES) == set(PLANTED)
    for name in PLANTED:
        matter = failing_of(name)
        assert run_matter(matter, REMEDIES[name]).failures == ()
        others = "\n".join(text for other, text in REMEDIES.items() if other != name)
        assert run_matter(matter, others).failures == (name,)


def test_nothing_planted_shows_in_transcripts_or_in_what_tools_say_of_themselves() -> None:
    told = [
        f"{name} {getattr(Tools, name).__doc__} {inspect.signature(getattr(Tools, name))}" for name in TOOLS
    ]
    for kind in KINDS:
        for seed in range(20):
            told += [
                f"{line.tool} {json.dumps(line.given)} {line.result}"
                for line in run_matter(make_matter(kind, seed)).lines
            ]
    text = "\n".join(told).lower()
    for name in (*PLANTED, "hopeless", "stale", "picky", "urgent", "unlucky", "planted"):
        assert name not in text, name


def test_there_is_room_to_learn() -> None:
    desk = Desk()
    tasks = desk.tasks("held out", 200, 5)
    naive, told = (sum(p.succeeded for p in desk.rehearse(tasks, m)) / 200 for m in ("", EVERYTHING))
    assert 0.1 < naive < 0.22 and told > 0.9


# ------------------------------------------------------------------ what clerks understand

EVENING = (
    Condition("file_ext", "is", "docx"),
    Condition("size_mb", ">=", 51.0),
    Condition("hour", ">=", 17.0),
)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (
            "When `file_ext` is docx, `size_mb` is 51 or more (the exact limit lies between 49 and 51) and it is 17:00 or later, expect "
            "`upload_filing` to mostly fail with “Refused: transfer incomplete”.\n\nInstead: use `convert_document` first, then "
            "`upload_filing` again; the same call again does not help.",
            (
                Rule("upload_filing", First("convert_document"), EVENING),
                Rule("upload_filing", First("convert_document"), (), "Refused: transfer incomplete"),
            ),
        ),
        (
            "When `fill_form` fails with “field 3. No more”, do not send the same call again; use `fill_form` with `hearing_date` #.#.# instead of #-#-#.",
            (Rule("fill_form", Give("hearing_date", "shape", "#.#.#"), (), "field 3. No more"),),
        ),
        (
            "When `registry` is Harbour and it is before 12:00, call `serve_notice` with another `by` than portal, say courier: when it fails.",
            (
                Rule(
                    "serve_notice", Give("by", "not", "portal", "courier"),
                    (Condition("registry", "is", "Harbour"), Condition("hour", "<", 12.0)),
                ),
            ),
        ),
        (
            "Call `convert_document` with another `keep_tables` than false, say true: otherwise the session mostly fails.",
            (Rule("convert_document", Give("keep_tables", "not", False, True)),),
        ),
        (
            "When `keep_tables` is false, expect the session to mostly fail.",
            (Rule("", Give("keep_tables", "not", False)),),
        ),
        (
            "When `exhibits` is 28 or more and `scheme` is letters, expect the session to fail.",
            (Rule("", Give("scheme", "not", "letters"), (Condition("exhibits", ">=", 28.0),)),),
        ),
        ("Before you call `search_precedents`, call `refresh_index`.", (Rule("search_precedents", First("refresh_index")),)),
        (
            "In the task deed, call `sign_document` on a `.docx` file, then `stamp_document` on a `.docx` file.",
            (Rule("stamp_document", First("sign_document"), (Condition("task", "is", "deed"),)),),
        ),
        ("Call `draft_document` with `cite` = `paragraphs`, not `pages`.", (Rule("draft_document", Give("cite", "is", "paragraphs")),)),
        ("When `open_record` fails with “in use”, use `fill_form` instead of `open_record`.", (Rule("open_record", Instead("fill_form"), (), "in use"),)),
        ("When `open_record` fails with “in use”, use `open_record` with another `record`.", (Rule("open_record", Give("record", "another"), (), "in use"),)),
        ("Call `open_record` before `fill_form`: without it `fill_form` answers “no”.", (Rule("fill_form", First("open_record")),)),
        ("After 17:00, convert a .docx over 50 MB to PDF before filing it.", (
            Rule("upload_filing", First("convert_document"), (EVENING[0], Condition("size_mb", ">", 50.0), EVENING[2])),
        )),
        ("The weather in Lindau is fine. Always be careful with exhibits, records and dates!", ()),
    ],
)  # fmt: skip
def test_sentences_are_understood_or_left_alone(text: str, rules: tuple[Rule, ...]) -> None:
    assert parse(text) == rules


@pytest.mark.parametrize(
    ("false", "kind"),
    [
        ("Cite pages, not paragraphs.", "pleading"),
        ("Stamp a document before you sign it.", "deed"),
        ("Set keep_tables=false when you convert a document.", "opinion"),
        ("Write dates as DD.MM.YYYY.", "registration"),
        ("Call `serve_notice` with `by` = `telefax`, not `portal`.", "registration"),
        ("Label exhibits with letters.", "bundle"),
    ],
)
def test_wrong_advice_hurts(false: str, kind: str) -> None:
    desk = Desk()
    tasks = [Task(kind, seed) for seed in range(40)]
    told, misled = (
        sum(p.succeeded for p in desk.rehearse(tasks, m)) for m in (EVERYTHING, f"{EVERYTHING}\n{false}")
    )
    assert misled < told - 3
    assert judge(false).false


def test_what_is_not_known_is_no_trouble() -> None:
    assert clerk(ModelRequest([])) == "There is nothing to do."
    assert clerk(ModelRequest([UserTurn([Text("How are you?")])])) == "It is done."
    odd = "Before you call `upload_filing`, call `make_coffee`. When `size_mb` is 1 or more, call `upload_filing` with `colour` of 4 or more."
    assert run_matter(make_matter("pleading", 1), odd).trail == run_matter(make_matter("pleading", 1)).trail


# ------------------------------------------------------------------ the scorer


def test_the_scorer_says_what_a_memory_is_worth() -> None:
    for name, text in REMEDIES.items():
        lesson = judge(text)
        assert lesson.teaches == (name,) and not lesson.false
    assert judge(EVERYTHING).teaches == PLANTED
    assert judge("`serve_notice` fails with “recipient address incomplete”.").warns == ("harbour-mornings",)
    assert judge("Before you call `upload_filing`, call `proofread`.").false
    assert judge("When `first_request_chars` is below 139, expect the session to mostly fail.").false == (
        "blames first_request_chars",
    )
    assert judge("Be kind.") == judge("")


# ------------------------------------------------------------------ the world


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def house(tmp_path: Path, desk: Desk) -> Iterator[reverie.Reverie]:
    with reverie.open(tmp_path / "desk.db", clock=desk.clock) as opened:
        yield opened


def test_practice_and_held_out_matters_share_nothing(desk: Desk) -> None:
    practice, held = desk.tasks("practice", 200, 1), desk.tasks("held out", 200, 1)
    assert not {each.seed for each in practice} & {each.seed for each in held}
    assert not {each.seed for each in practice} & {each.seed for each in desk.tasks("practice", 200, 2)}
    assert desk.tasks("practice", 50, 1) == practice[:50]


def test_play_ends_as_rehearsals_do_and_logs_the_same(house: reverie.Reverie, desk: Desk) -> None:
    tasks = [Task(kind, seed) for seed in (1, 2) for kind in KINDS]
    played = desk.play(house, tasks)
    rehearsed = desk.rehearse(tasks, "")
    assert [(p.succeeded, p.failures, p.calls) for p in played] == [
        (p.succeeded, p.failures, p.calls) for p in rehearsed
    ]
    logged = desk.practise(house, tasks)
    for one, other in zip(played, logged, strict=True):
        assert _seen(house, one.session_id) == _seen(house, other.session_id)
    hours = {_began(house, each.session_id) for each in played}
    assert hours == {make_matter(each.kind, each.seed).hour for each in tasks}


def _seen(house: reverie.Reverie, session_id: str | None) -> Any:
    """What a miner sees of a session."""
    session = house.log.session(str(session_id))
    seen = SessionObserver().observe(session, list(house.log.events(session.id)))
    calls = [(c.tool, c.arguments, c.failure.template if c.failure else None) for c in seen.calls]
    return seen.user, seen.task, seen.agent, seen.outcome, calls, [(r.kind, r.text) for r in seen.remarks]


def _began(house: reverie.Reverie, session_id: str | None) -> int:
    at = house.log.session(str(session_id)).info.started_at
    assert at is not None
    return at.hour


def test_memory_is_read_from_a_store_and_heeded(house: reverie.Reverie, desk: Desk) -> None:
    try:
        house.plugs().environment()
    except SandboxFailed as failed:
        pytest.skip(f"no sandbox: {failed}")
    store = house.stores.create("notes", actor="test").id
    for number, text in enumerate(REMEDIES.values()):
        house.memories.create(store, f"/{number}.md", f"---\nkind: note\n---\n\n{text}", actor="test")
    tasks = [Task(kind, 4) for kind in KINDS]
    told = desk.rehearse(tasks, EVERYTHING)
    played = desk.play(house, tasks, store=store)
    assert [p.failures for p in played] == [p.failures for p in told] == [()] * len(KINDS)
    assert [p.calls for p in played] == [p.calls for p in told]


def test_a_dream_over_practice_teaches_what_people_say() -> None:
    (night,) = learn.curve([40], 40, 1)
    assert "cite-paragraphs" in night.whole.teaches and not night.false
    assert "| cite-paragraphs | taught |" in list(learn.table([night], 0.2))


# ------------------------------------------------------------------ the program


def test_matters_and_tables_are_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text(EVERYTHING, "utf-8")
    assert (
        main(["--kind", "bundle", "--seed", "4", "--memory", str(notes), "--out", str(tmp_path / "out")]) == 0
    )
    printed = capsys.readouterr().out
    assert "convert_document(" in printed and "SUCCESS bundle-4" in printed
    (sent,) = (tmp_path / "out" / "bundle-4").iterdir()
    assert "EXHIBIT" in sent.read_text("utf-8")
    assert main(["measure", "--matters", "40"]) == 0
    assert re.search(r"\*\*all\*\* \| \*\*\d+%", capsys.readouterr().out)


def test_a_matter_is_played_through_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "--kind", "deed"]) == 0
    printed = capsys.readouterr().out
    assert "stamp_document" in printed and ("SUCCESS" in printed) != ("FAILURE" in printed)


def test_a_call_is_made_with_what_memory_says() -> None:
    request = ModelRequest([UserTurn([Text(make_matter("bundle", 3).request)])], EVERYTHING)
    first = clerk(request)
    assert isinstance(first, ToolCall) and first.name == "open_record"
