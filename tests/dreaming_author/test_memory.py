"""What a model may change of memory, and how it comes to review; what it supposes; the writer that needs no key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.dreaming_author.house import (
    ADVICE,
    answering,
    call,
    done,
    drafts,
    laid,
    propose,
    study,
    told,
    wrote,
)
from tests.mining_conditional.desks import desk as uploads

from reverie.app import Reverie
from reverie.domain.findings import Finding
from reverie.domain.memories import Memory
from reverie.dreaming.author.calls import Circumstance, Suppose
from reverie.dreaming.author.supposing import MOST, Supposing
from reverie.dreaming.author.telling import number_marks, numbers_in
from reverie.mining.hypotheses import ExactTest
from reverie.plugins import Corpus

KEPT = "# Old\n\nUse the blue pen for forms of the office."
LEFT = done(call("leave", findings=["F2"], why="not now"))


@pytest.fixture
def memories(rv: Reverie) -> list[Memory]:
    store = rv.memory.store().id
    for name in ("/a.md", "/b.md"):
        rv.memory.write(store, name, KEPT.replace("Old", name), actor="ana")
    return rv.memory.list(store)


def changed(rv: Reverie, memories: list[Memory], *calls: Any) -> tuple[list[tuple[str, str]], str]:
    """(kind and path of each draft, what the model was answered)."""
    with answering(list(calls), done(propose("/own.md")), LEFT) as model:
        first, _ = wrote(rv, study(rv, memories=memories))[0]
    return [(d.kind, d.path) for d in drafts(first)], repr(model.requests[1].messages[-1])


def test_memories_are_updated_merged_moved_and_retired(rv: Reverie, memories: list[Memory]) -> None:
    blue = {"text": "Use the blue pen for forms of the office.", "cites": [{"memory": "/a.md"}]}
    quoted = {"text": "Blue is right.", "cites": [{"memory": "/a.md", "quote": "the blue pen"}]}
    lines = [{"text": ADVICE, "cites": [{"finding": "F1"}]}, blue, quoted]
    for given, wanted in (
        ({"change": "update", "path": "/a.md"}, [("update", "/a.md")]),
        ({"change": "retire", "path": "/a.md"}, [("retire", "/a.md")]),
        ({"change": "merge", "path": "/a.md", "sources": ["/b.md"]}, [("update", "/a.md"), ("retire", "/b.md")]),
        ({"change": "merge", "path": "/c.md", "sources": ["/a.md", "/b.md"]},
         [("add", "/c.md"), ("retire", "/a.md"), ("retire", "/b.md")]),
        ({"change": "move", "path": "/pens/blue.md", "sources": ["/a.md"]},
         [("add", "/pens/blue.md"), ("retire", "/a.md")]),
    ):  # fmt: skip
        asked = study(rv, memories=memories, dream_id=f"drm_{given['change']}{given['path']}")
        with (
            answering(done(call("propose", title="Pens", lines=lines, **given)), LEFT),
            rv.author().sit(asked) as sitting,
        ):
            said = sitting.write(laid(asked)[0])
        assert [(d.kind, d.path) for d in drafts(said)] == wanted
        (whole, *gone) = drafts(said)
        assert whole.kind == "retire" or ("blue pen" in whole.content and "Blue is right." in whole.content)
        assert all(d.content == "" and d.idea == f"retire:{d.path}" for d in gone)


def test_proposals_that_fit_no_memory_are_not_taken(rv: Reverie, memories: list[Memory]) -> None:
    bad = [
        propose("/a.md"),
        propose("/none.md", change="update"),
        propose("/none.md", change="retire"),
        propose("no-slash.md"),
        propose("/../up.md"),
        propose("/no-end"),
        propose("/c.md", change="merge"),
        propose("/c.md", change="move", sources=["/a.md", "/b.md"]),
        propose("/c.md", change="merge", sources=["/zzz.md"]),
        propose("/c.md", sources=["/a.md"]),
        propose("/d.md", title="Sign 99 forms"),
        propose("/e.md", {"text": "Pens are red.", "cites": [{"memory": "/a.md"}]}, ADVICE),
        propose("/f.md", {"text": "No cite.", "cites": [{}]}),
        propose("/g.md", {"text": "Blue pen.", "cites": [{"memory": "/a.md", "quote": "Use the blue pen"}]}),
    ]
    kinds, answers = changed(rv, memories, *bad)
    assert kinds == [("add", "/e.md"), ("add", "/own.md")]
    for why in (
        "there is a memory at /a.md already", "no memory at /none.md", "starts with", "segment",
        "/notes/read-before-editing.md", "one memory or more", "the one place", "no memory at /zzz.md",
        "only a merge or a move", "99", "does not hold these words", "names one of", "cites no finding",
    ):  # fmt: skip
        assert why in answers, why


def test_a_second_proposal_for_a_path_replaces_the_first(rv: Reverie) -> None:
    better = {"text": "Sign it first.", "cites": [{"finding": "F1"}]}
    with answering([propose("/notes/x.md")], done(propose("/notes/x.md", better)), LEFT):
        first, _ = wrote(rv, study(rv))[0]
    (draft,) = drafts(first)
    assert "Sign it first." in draft.content and ADVICE not in draft.content


def test_memory_can_be_read_and_its_index_is_laid(rv: Reverie, memories: list[Memory]) -> None:
    with answering([call("read_memory", path="/a.md")], done(propose()), LEFT) as model:
        wrote(rv, study(rv, memories=memories))
    assert '"path":"/b.md"' in told(model.requests[0])
    assert "blue pen" not in told(model.requests[0])
    assert "blue pen" in repr(model.requests[1].messages[-1])


def test_a_tainted_memory_is_not_on_the_first_desk(rv: Reverie, memories: list[Memory]) -> None:
    asked = study(rv, memories=memories, tainted=frozenset({"/a.md"}))
    with answering([call("read_memory", path="/a.md")], done(propose()), LEFT) as model:
        wrote(rv, asked)
    assert "/a.md" not in told(model.requests[0])
    assert "no memory at /a.md here" in repr(model.requests[1].messages[-1])
    assert "/a.md" in told(model.requests[2])


def test_numbers_are_those_of_what_is_cited() -> None:
    assert numbers_in("In 7 of 1,234 cases (3.5 %), at 17:00, with utf-8, v2 and F3") == [
        "7",
        "1234",
        "3.5",
        "17:00",
    ]
    assert {"78", "7", "9"} <= number_marks(["7 of 9 times"])
    assert "78" in number_marks(['"here":[7,9]'])


# ---------------------------------------------------------------------- what is supposed


def test_a_guess_that_holds_becomes_a_finding_that_can_be_cited(rv: Reverie) -> None:
    seen = {o.session_id: o for o in uploads(400, 3)}
    asked = study(rv)
    big = [{"attribute": "size_mb", "op": ">=", "value": 50}, {"attribute": "file_ext", "value": "docx"}]
    cites = [{"text": "Split a .docx of 50 MB or more.", "cites": [{"finding": "H1"}]}]
    guesses = [call("suppose", tool="upload", when=big), call("suppose", tool="upload", when=[*big[:1], {"attribute": "colour", "value": "red"}]), call("suppose", tool="fly")]  # fmt: skip
    everything = {**asked.observations, **seen}
    asked = replace(asked, observations=everything)
    with answering(done(propose()), guesses, done(propose("/notes/split.md", *cites))) as model:
        (_, second), sitting = wrote(rv, asked)
    (found,) = sitting.hypotheses
    assert isinstance(found, Finding) and "tool" in found.origins
    assert drafts(second)[0].findings == (found.id,)
    answers = repr(model.requests[2].messages[-1])
    assert "holds" in answers and "no such attribute" in answers and "there is no tool" in answers


def test_guesses_are_counted_and_the_same_one_counts_once(rv: Reverie) -> None:
    seen = uploads(60, 4)
    supposing = Supposing(ExactTest(), Corpus(seen), {o.session_id: o for o in seen}, frozenset())
    for size in range(MOST + 1):
        for _ in range(2):
            said = supposing.suppose(Suppose("upload", [Circumstance("size_mb", size, ">=")]), None)
    assert "all that a dream may have" in said["dropped"]  # type: ignore[index]
    assert supposing.found == []
