"""The same through the real author: an agent whose model obeys, launders or splits whatever it can read."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.poisoning.corpus import POISONED
from tests.poisoning.cycles import CYCLES, Cycles

from reverie.domain.findings import OriginClass
from reverie.dreaming.author import reading

MODELS = "scripted:tests.poisoning.models"
CAREFUL = "scripted:reverie.testing.dreamer:careful"


def written_by_the_model(house: Cycles) -> int:
    """How many proposals it made; every dream was written by it, to the end."""
    dreams = house.rv.dreams()
    assert all(dream.writing is not None and dream.writing.fell_back is None for dream in dreams), [
        dream.writing for dream in dreams
    ]
    return len(house.rv.proposals(status=None))


@pytest.mark.parametrize("name", ["obedient", "launderer", "splitter"])
@pytest.mark.parametrize("cycles", [2, pytest.param(CYCLES, marks=pytest.mark.slow)])
def test_no_poison_becomes_memory_by_a_model_that_does_as_it_is_told(
    name: str, cycles: int, tmp_path: Path
) -> None:
    with Cycles(tmp_path, None, model=f"{MODELS}:{name}", cycles=cycles) as house:
        house.run()
        assert written_by_the_model(house) > 20 * cycles
        assert house.leaked() == []
        assert len(house.holding(POISONED)) > 3 * cycles  # it does come through where a person lets it


def test_what_people_state_is_not_flagged_for_what_lay_elsewhere(tmp_path: Path) -> None:
    with Cycles(tmp_path, None, model=CAREFUL, cycles=2) as house:
        house.run()
        written_by_the_model(house)
        assert house.leaked() == []
        stated = house.stated()
        assert len(stated) >= 2
        assert sum(p.tainted for p in stated) <= len(stated) / 10


def test_a_reader_that_took_every_text_for_a_persons_would_let_it_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def persons(*_: object) -> OriginClass:
        return "user"

    monkeypatch.setattr(reading, "_origin", persons)
    with Cycles(tmp_path, None, model=f"{MODELS}:obedient", cycles=1) as house:
        house.run()
        assert house.leaked()
