"""What was tried with a proposal before its adoption, over HTTP."""

from __future__ import annotations

import httpx2
import pytest
from tests.agents.test_replaying import TASKS, propose
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.dreaming.trials.pairs import Pair

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)


@both
def test_pairs_are_shown_as_they_count(http: httpx2.Client, reverie: Reverie) -> None:
    proposal = propose(reverie, "Seal with red wax.\n")
    path = f"/v1/proposals/{proposal}/replays"
    assert http.get(path).json()["data"] == []
    begun = reverie.replays.begin([proposal], TASKS, pairs=40)
    for number, came in ((0, (True, False)), (1, (False, True)), (3, (True, False))):
        reverie.replays.add(begun.id, number, Pair(TASKS[number], *came))
    (shown,) = http.get(path).json()["data"]
    assert shown["status"] == "running" and (shown["pairs"], shown["won"], shown["lost"]) == (2, 1, 1)
    assert [pair["task"] for pair in shown["played"]] == TASKS[:2], "the third waits for the one before it"
    assert http.get("/v1/proposals/prop_none/replays").status_code == 404
