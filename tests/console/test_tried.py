"""What was tried with a proposal before anybody decides stands on its page."""

from __future__ import annotations

import pytest
from tests.console.visiting import Visitor

from reverie.app import Reverie
from reverie.dreaming.trials.pairs import Pair


@pytest.mark.parametrize(("came", "said"), [((True, False), "it helps"), ((False, True), "nothing shows")])
def test_what_came_of_a_replay_is_told(
    visitor: Visitor, house: Reverie, came: tuple[bool, bool], said: str
) -> None:
    proposal = visitor.first()
    assert "Tried before" not in visitor.look(f"/proposals/{proposal}").said
    begun = house.replays.begin([proposal], [f"task {n}" for n in range(40)], pairs=40)
    number = 0
    while house.replays.get(begun.id).status == "running":
        house.replays.add(begun.id, number, Pair(f"task {number}", *came))
        number += 1
    page = visitor.look(f"/proposals/{proposal}").said
    assert "Tried before adoption" in page and said in page
    assert f"Of {number} pairs of tasks" in page
