"""Memory is held still: reading it is no work, and what came with it is not blamed or praised for what it did."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.mining.worlds import Book
from tests.mining_conditional.desks import START, a_call, observed

from reverie.domain.findings import Condition, Finding, Silence
from reverie.domain.memories import Memory, content_sha256
from reverie.domain.observations import Observation
from reverie.mining.conditional.miner import ConditionalPatterns
from reverie.mining.eras import lately, with_eras
from reverie.mining.hypotheses import ExactTest
from reverie.plugins import Corpus, Hypothesis


def a_memory(at: datetime, path: str = "/notes/care.md") -> Memory:
    text = "# Look twice"
    return Memory("mem_1", "memstore_1", path, text, content_sha256(text), "memver_1", 1, at, at)


def sessions(count: int, *, read: str | None = None) -> list[Observation]:
    days = [START + timedelta(days=n) for n in range(count)]
    return [replace(observed(f"sess_{n:04}", (), at), memory=read) for n, at in enumerate(days)]


# ---------------------------------------------------------------------- what a session read


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("read", {"path": "/mnt/memory/notes/a.md"}),
        ("grep", {"pattern": ".", "path": "/mnt/memory"}),
        ("Bash", {"command": "cat /mnt/memory/notes/*.md | head -50"}),
        ("memory", {"command": "view", "path": "/memories"}),
    ],
)
def test_reading_memory_is_no_call_of_the_work_and_names_what_was_read(
    tool: str, given: dict[str, str]
) -> None:
    book = Book("one")
    book.call(tool, "keep_tables is true", **given)
    book.call("convert", file="a.docx", keep_tables="yes")
    seen, without = book.observed(), Book("two").observed()
    assert [c.tool for c in seen.calls] == ["convert"]
    assert seen.memory is not None and without.memory is None


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("read", {"path": "/srv/mnt/memory.txt"}),
        ("read", {"path": "/mnt/memoryless/a.md"}),
        ("Bash", {"command": "cat /mnt/memory/a.md && make deploy"}),
        ("upload", {"file": "/mnt/memory/a.md"}),
    ],
)
def test_what_does_more_than_read_memory_is_work(tool: str, given: dict[str, str]) -> None:
    book = Book("one")
    book.call(tool, "ok", **given)
    assert [c.tool for c in book.observed().calls] == [tool] and book.observed().memory is None


def test_the_same_text_is_the_same_memory_and_another_text_another() -> None:
    marks: list[str | None] = []
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        book = Book(name)
        book.call("read", text, path="/mnt/memory/a.md")
        marks.append(book.observed().memory)
    assert marks[0] == marks[1] != marks[2]


def test_a_value_that_memory_suggests_is_still_a_choice_and_one_that_the_request_gives_is_not() -> None:
    book = Book("one")
    book.user_says("File it at the registry of Harbour.")
    book.call("read", "use courier", path="/mnt/memory/a.md")
    book.call("serve", "ok", by="courier", registry="Harbour")
    (call,) = book.observed().calls
    assert call.own == ("by",)


# ---------------------------------------------------------------------- eras


def test_sessions_before_memory_changed_and_after_are_of_different_eras() -> None:
    told = sessions(60)
    at = told[30].started_at
    assert at is not None
    eras = [o.memory for o in with_eras(told, [a_memory(at - timedelta(hours=1))])]
    assert len(set(eras[:30])) == len(set(eras[30:])) == 1 and eras[0] != eras[30]
    assert len({o.memory for o in with_eras(told, [])}) == 1


def test_changes_that_follow_each_other_are_one_and_the_first_stands_alone() -> None:
    told = sessions(100)
    changes = [
        a_memory(o.started_at - timedelta(hours=1), f"/{n}.md")
        for n, o in enumerate(told[5:])
        if o.started_at
    ]
    eras = [o.memory or "" for o in with_eras(told, changes)]
    sizes = [eras.count(each) for each in sorted(set(eras))]
    assert sizes[0] == 5 and min(sizes[1:-1]) >= 20 and eras == sorted(eras)


def test_what_many_read_alike_is_told_apart_and_what_few_did_is_some() -> None:
    told = [replace(o, memory="most" if n < 50 else f"own {n}") for n, o in enumerate(sessions(60))]
    assert [o.memory for o in with_eras(told, [])] == ["0000/most"] * 50 + ["0000/some"] * 10


def test_lately_are_the_last_eras_that_hold_half() -> None:
    told = sessions(180)
    changes = [a_memory(told[n].started_at - timedelta(hours=1), f"/{n}.md") for n in (60, 120)]  # type: ignore[operator]
    assert lately(with_eras(told, changes)) == with_eras(told, changes)[60:]
    assert lately(with_eras(told, [])) == []


# ---------------------------------------------------------------------- what stands for it


def with_memory(count: int, seed: int = 1) -> list[Observation]:
    """In the second half agents have memory, and with it another version; then one court's forms go through."""
    dice = random.Random(seed)
    found: list[Observation] = []
    for number in range(count):
        at, late = START + timedelta(hours=3 * number), number >= count // 2
        name, court = f"sess_{number:05}", dice.choice(["Lindau", "Bregenz"])
        bad = court == "Lindau" and dice.random() < (0.05 if late else 0.8)
        fill = a_call(name, 1, "fill", {"court": court}, at, "could not be read" if bad else None)
        found.append(
            observed(
                name,
                [fill],
                at,
                user=f"u{dice.randrange(6)}",
                attributes={"agent_version": "2" if late else "1"},
            )
        )
    return found


def mined(observations: list[Observation], memories: list[Memory]) -> tuple[list[str], list[str]]:
    said = list(ConditionalPatterns().mine(Corpus(observations, memories)))
    claims = [one.claim for one in said if isinstance(one, Finding)]
    return claims, [f"{one.about}: {one.why}" for one in said if isinstance(one, Silence)]


def test_what_came_with_memory_is_not_blamed_for_what_memory_cured() -> None:
    told = with_memory(400)
    at = told[200].started_at
    assert at is not None
    blamed, _ = mined(told, [])
    assert any("agent_version" in claim for claim in blamed)  # who knows of no memory must think so
    claims, silent = mined(told, [a_memory(at - timedelta(hours=1))])
    assert not any("agent_version" in claim for claim in claims)
    assert any(each.startswith("`fill`: agent_version: it tells which") for each in silent)


def test_nor_does_what_somebody_supposes_of_it_hold() -> None:
    told = with_memory(400)
    at = told[200].started_at
    assert at is not None
    first = Hypothesis("fill", (Condition("agent_version", "<", 2),))
    memory = a_memory(at - timedelta(hours=1))
    said = ExactTest().test(Corpus(told, [memory]), first, tries=20)
    assert isinstance(said, str) and said.startswith("agent_version: it tells which")
    court = Hypothesis("fill", (Condition("court", "==", "Lindau"),))
    assert isinstance(ExactTest().test(Corpus(told, [memory]), court, tries=20), Finding)


def test_memory_is_known_by_what_was_read_where_no_store_is_at_hand() -> None:
    told = [replace(o, memory="read" if n >= 200 else None) for n, o in enumerate(with_memory(400))]
    claims, _ = mined(told, [])
    assert not any("agent_version" in claim for claim in claims)


def test_what_still_fails_since_memory_came_is_found_although_more_failed_before() -> None:
    """Before, nearly every session failed of something else; what the choice does shows only afterwards."""
    dice = random.Random(5)
    found: list[Observation] = []
    for number in range(500):
        at, late = START + timedelta(hours=3 * number), number >= 250
        name, keep = f"sess_{number:05}", dice.random() < 0.25
        failed = dice.random() < ((0.35 if keep else 0.6) if late else 0.95)
        call = replace(a_call(name, 1, "convert", {"keep_tables": keep}, at), own=("keep_tables",))
        outcome = "failure" if failed else "success"
        found.append(observed(name, [call], at, user=f"u{dice.randrange(6)}", outcome=outcome))
    at = found[250].started_at
    assert at is not None
    claims, _ = mined(found, [a_memory(at - timedelta(hours=1))])
    assert [claim for claim in claims if "`convert` with keep_tables other than false" in claim]
