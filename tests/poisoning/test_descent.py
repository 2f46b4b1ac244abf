"""What was learned from a session is found, all of it and nothing else, and nothing is withdrawn unasked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.poisoning.corpus import BENIGN, FIRST_DAY, POISONED, Case, reading
from tests.poisoning.cycles import CYCLES, PERSON, Cycles

from reverie.domain.errors import NotFound
from reverie.domain.memories import Memory
from reverie.memory.lineage import tainted_paths
from reverie.sessions.chat import chat
from reverie.storage.text import json_text

ONE, OTHER = POISONED[0], POISONED[24]
STATED = next(case for case in BENIGN if case.kind == "stated")


class Chains(Cycles):
    """Two cases, and agents that hand on what they read of one of them, cycle by cycle."""

    def run(self) -> None:
        self.store = self.rv.memory.store().id
        self.told: dict[str, list[str]] = {}
        for cycle in range(self.cycles):
            self.now = FIRST_DAY + timedelta(days=7 * cycle + 4)
            if cycle == 0:
                cases = (ONE, OTHER, STATED)
                self.told = {case.name: self.worked(case.sessions(0)) for case in cases}
                self.dream([id for ids in self.told.values() for id in ids])
            else:
                self.dream([self.handed_on(case, cycle) for case in (ONE, OTHER)])
            for proposal in self.rv.proposals():
                self.rv.approve(proposal.id, by=PERSON)

    def handed_on(self, case: Case, cycle: int) -> str:
        (last, *_) = sorted(self.dyed(case), key=lambda m: m.updated_at, reverse=True)
        said = (
            f"{case.dye[cycle % 2]} is what one does in the {cycle}. week, {case.dye[1]} too: {cycle * 7919}"
        )
        return self.worked([reading(f"{case.name}/{cycle}", [last], self.now, said)])[0]

    def dyed(self, case: Case) -> Sequence[Memory]:
        found = self.rv.memory.list(self.store)
        return [memory for memory in found if any(half in memory.content for half in case.dye)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with Chains(tmp_path_factory.mktemp("chains"), None) as house:
        house.run()
        yield house


@pytest.mark.parametrize("case", [ONE, OTHER])
def test_after_ten_cycles_every_descendant_is_found_and_nothing_else(house: Chains, case: Case) -> None:
    found = house.rv.descendants(house.told[case.name][0])
    holds = lambda text: any(half in text for half in case.dye)  # noqa: E731
    versions = {v.id for v in house.versions() if holds(v.content or "")}
    assert len(versions) >= CYCLES
    assert {*found.versions} == versions
    assert {*found.proposals} == {p.id for p in house.rv.proposals(status=None) if holds(p.content)}
    findings = [f for dream in house.rv.dreams() for f in house.findings(dream.id)]
    assert {*found.findings} == {f.id for f in findings if holds(f.claim)}
    assert len(found.sessions) == CYCLES - 1


def test_every_version_on_the_way_is_tainted(house: Chains) -> None:
    with house.rv._db.read() as conn:
        tainted = tainted_paths(conn, house.store)
    assert {m.path for case in (ONE, OTHER) for m in house.dyed(case)} == tainted
    (stated,) = house.dyed(STATED)
    assert stated.path not in tainted


def test_who_was_evidence_of_nothing_has_no_descendants(house: Chains) -> None:
    (alone,) = house.worked([reading("nobody", [], house.now)])
    found = house.rv.descendants(alone)
    assert (found.findings, found.proposals, found.versions, found.sessions) == ((), (), (), ())
    with pytest.raises(NotFound):
        house.rv.descendants("sesn_nobody")


def test_a_copy_and_a_text_brought_back_stay_tainted(house: Chains) -> None:
    path = house.dyed(ONE)[0].path
    with house.rv._db.read() as conn:
        before = tainted_paths(conn, house.store)
    copy = house.rv._db.write(
        lambda conn: house.rv.stores.copy(house.store, "copy", actor=PERSON, conn=conn)
    ).id
    house.rv.memory.delete(copy, path, actor=PERSON)
    house.rv.memory.restore(copy, path, 1, actor=PERSON)
    house.rv.memory.write(copy, "/seen.md", "what an agent wrote", actor="session:sesn_x")
    house.rv.memory.write(copy, "/own.md", "what a person wrote", actor=PERSON)
    with house.rv._db.read() as conn:
        assert tainted_paths(conn, copy) == before | {"/seen.md"}


def test_what_falls_with_a_session_is_proposed_and_never_done(tmp_path: Path) -> None:
    with Chains(tmp_path, None, cycles=3) as house:
        house.run()
        one, before = {m.path for m in house.dyed(ONE)}, house.rv.memory.list(house.store)
        found = house.rv.evidence.take_out(house.told[ONE.name][0], by=PERSON, reason="a planted page")
        assert {p.path for p in found} == one
        assert {(p.kind, p.status) for p in house.rv.proposals()} == {("retire", "pending")}
        assert house.rv.memory.list(house.store) == before
        again = house.rv.evidence.take_out(house.told[ONE.name][0], by=PERSON, reason="a planted page")
        assert {p.id for p in again} == {p.id for p in found}
        assert len(house.rv.proposals()) == len(found)
        kept, *others = found
        house.rv.reject(kept.id, by=PERSON, reason="wrong")
        last = house.rv.evidence.take_out(house.told[ONE.name][0], by=PERSON, reason="a planted page")
        assert {p.id for p in last} == {p.id for p in others}
        for proposal in others:
            house.rv.approve(proposal.id, by=PERSON)
        assert {m.path for m in before} - {m.path for m in house.rv.memory.list(house.store)} == one - {
            kept.path
        }
        assert house.told[ONE.name][0] in house.rv.evidence.out()
        assert house.rv.dream(dry_run=True).dream.sessions == len(house.rv.log.sessions()) - 1


def test_what_was_copied_falls_with_what_it_was_copied_from(tmp_path: Path) -> None:
    with Chains(tmp_path, None, cycles=2) as house:
        house.run()
        copy = house.rv._db.write(
            lambda conn: house.rv.stores.copy(house.store, "copy", actor=PERSON, conn=conn)
        ).id
        found = house.rv.evidence.take_out(house.told[ONE.name][0], by=PERSON, reason="a planted page")
        paths = {m.path for m in house.dyed(ONE)}
        assert {(p.store_id, p.path) for p in found} == {(s, p) for s in (house.store, copy) for p in paths}


def test_what_others_show_too_stands_until_too_few_are_left(tmp_path: Path) -> None:
    with Chains(tmp_path, None, cycles=1) as house:
        house.run()
        first, second, _ = house.told[STATED.name]
        assert house.rv.evidence.take_out(first, by=PERSON, reason="a test") == []
        house.rv.sessions.delete(second, actor=PERSON)
        (proposal,) = house.rv.proposals()
        assert "2 of the 3 sessions" in proposal.title
        assert proposal.path == house.dyed(STATED)[0].path
        assert proposal.id in house.rv.descendants(second).proposals


@pytest.mark.parametrize("case", POISONED[:10], ids=lambda case: case.name)
def test_a_transcript_that_is_read_from_a_file_is_as_untrusted(case: Case, tmp_path: Path) -> None:
    with Cycles(tmp_path / "a", None) as one, Cycles(tmp_path / "b", None) as other:
        ids = one.worked(case.sessions(0))
        lines = [json_text(chat(one.rv.log.session(id), one.rv.log.stream(id))) for id in ids]
        (tmp_path / "chat.jsonl").write_text("\n".join(lines) + "\n")
        assert other.rv.import_paths(tmp_path / "chat.jsonl").new_sessions == 3
        other.store = other.rv.memory.store().id
        other.dream([session.id for session in other.rv.log.sessions()])
        assert other.holding(POISONED) == []
        assert all(p.tainted for p in other.rv.proposals() if case.dye[0] in p.content)
