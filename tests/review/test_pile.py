"""The pile as one looks at it: filtered, grouped, in order, a stretch at a time."""

from __future__ import annotations

import pytest
from tests.review.conftest import Make

from reverie.review.pile import Pile, Wanted
from reverie.review.review import ReviewService
from reverie.storage.database import Database
from reverie.storage.pile import Group


@pytest.fixture
def pile(db: Database) -> Pile:
    return Pile(db)


@pytest.fixture
def ids(review: ReviewService, make: Make) -> list[str]:
    made = [
        make(f"{n}\n", path=f"/notes/{9 - n}.md", idea=str(n), title=f"Straße {n}" if n % 2 else f"Way {n}",
             risk=("low", "medium", "high")[n % 3], origins=("tool",) if n < 4 else ("user",))
        for n in range(10)
    ]  # fmt: skip
    review.submit(made)
    return [each.id for each in made]


def test_it_is_in_order_of_importance_and_leaves_out_what_is_decided(
    pile: Pile, review: ReviewService, ids: list[str]
) -> None:
    assert pile.look(Wanted()).fitting == tuple(ids)
    review.approve(ids[3], by="ana")
    look = pile.look(Wanted())
    assert look.fitting == tuple(ids[:3] + ids[4:]) and look.total == 9 and look.kinds == {"add": 9}


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (Wanted(risk="high"), [2, 5, 8]),
        (Wanted(tainted=True), [0, 1, 2, 3]),
        (Wanted(tainted=False, risk="low"), [6, 9]),
        (Wanted(kind="retire"), []),
        (Wanted(words="STRASSE"), [1, 3, 5, 7, 9]),
        (Wanted(words="notes/3"), [6]),
        (Wanted(words="%"), []),
        (Wanted(store_id="memstore_other"), []),
    ],
)
def test_filters(pile: Pile, ids: list[str], wanted: Wanted, places: list[int]) -> None:
    look = pile.look(wanted)
    assert look.fitting == tuple(ids[n] for n in places) and look.total == 10


@pytest.mark.parametrize(
    ("group", "places"), [("file", [*range(9, -1, -1)]), ("risk", [2, 5, 8, 1, 4, 7, 0, 3, 6, 9])]
)
def test_groups(pile: Pile, ids: list[str], group: Group, places: list[int]) -> None:
    assert pile.look(Wanted(group=group)).fitting == tuple(ids[n] for n in places)


def test_a_stretch_around_the_one_that_is_looked_at(pile: Pile, ids: list[str]) -> None:
    look = pile.look(Wanted(), ids[5], near=2)
    assert [each.id for each in look.near] == ids[3:8] and (look.at, look.first) == (5, 3)
    assert (look.beside(-1), look.beside(1)) == (ids[4], ids[6])
    first = pile.look(Wanted(), near=1)
    assert (first.at, first.beside(-1), [each.id for each in first.near]) == (0, None, ids[:2])
    gone = pile.look(Wanted(), "prop_gone", near=1)
    assert gone.at is None and gone.beside(1) is None
    brief = look.near[0]
    assert (brief.tainted, brief.title, brief.evidence_weight) == (True, "Straße 3", 5)
