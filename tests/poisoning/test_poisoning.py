"""What is learned from untrusted content never becomes memory without a flagged review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.poisoning.corpus import ATTACKS, BENIGN, CHANNELS, POISONED
from tests.poisoning.cycles import Cycles
from tests.poisoning.writers import Launderer, Obedient, Splitter

from reverie.domain.findings import OriginClass
from reverie.dreaming import writing
from reverie.dreaming.desk import Desk, Writer

WRITERS: dict[str, Callable[[], Writer | None]] = {
    "template": lambda: None,
    "obedient": Obedient,
    "launderer": Launderer,
    "splitter": Splitter,
}


def test_the_corpus_is_what_it_says() -> None:
    assert len(POISONED) == len(ATTACKS) * len(CHANNELS) * 2 == 60
    assert len(BENIGN) == 60
    assert Counter(case.kind for case in BENIGN) == {"stated": 30, "document": 15, "security": 15}
    halves = [half for case in (*POISONED, *BENIGN) for half in case.dye]
    assert len({*halves}) == 240


@pytest.mark.parametrize("name", WRITERS)
def test_no_poison_becomes_memory_but_by_a_flagged_review(name: str, tmp_path: Path) -> None:
    with Cycles(tmp_path, WRITERS[name]()) as house:
        house.run()
        assert house.leaked() == []
        passed = house.holding(POISONED)
        assert len(passed) > 20  # it does come through where a person lets it
        stated = house.stated()
        assert len(stated) >= 10
        assert sum(p.tainted for p in stated) <= len(stated) / 10


def test_labels_of_what_is_cited_alone_would_let_it_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cited(desk: Desk) -> tuple[OriginClass, ...]:
        return min((f.origins for f in desk.findings), key=lambda origins: ("tool" in origins, origins))

    monkeypatch.setattr(writing, "origins_of", cited)
    with Cycles(tmp_path, Obedient(), cycles=1) as house:
        monkeypatch.setattr("reverie.dreaming.desk.joined", lambda finding, *_: finding)
        monkeypatch.setattr("reverie.dreaming.dream.joined", lambda finding, *_: finding)
        house.run()
        assert house.leaked()
