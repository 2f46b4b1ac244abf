"""What is marked as no evidence: the miner counts again, exactly; nothing is decided twice; later dreams heed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from reverie.app import Reverie
from reverie.domain.errors import NotFound, UsageError
from reverie.domain.findings import Finding
from reverie.dreaming.dream import DreamResult
from reverie.dreaming.recounting import FALLEN, Exclusion, counted_without, heeding, without
from reverie.plugins import Corpus
from reverie.storage.database import Database
from reverie.testing.desk import DeskClock, file_documents


@pytest.fixture(scope="module")
def _dreamt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exclusions") / "dreamt.db"
    clock = DeskClock()
    with Reverie(Database.open(path), clock=clock, entropy=Random(7).randbytes) as house:
        for _ in file_documents(house.session, clock=clock, sessions=60, seed=7):
            pass
        house.dream()
    return path


@pytest.fixture
def house(tmp_path: Path, _dreamt: Path) -> Iterator[Reverie]:
    path = tmp_path / "reverie.db"
    path.write_bytes(_dreamt.read_bytes())
    with Reverie(Database.open(path), clock=DeskClock(), entropy=Random(8).randbytes) as found:
        yield found


def dreamt(house: Reverie) -> DreamResult:
    return house.dream()


def corpus_of(house: Reverie, finding: Finding) -> Corpus:
    return house.exclusions._corpus(finding)


def test_with_nothing_marked_the_miner_tells_the_very_same_finding(house: Reverie) -> None:
    result = dreamt(house)
    assert result.repeated and len(result.findings) >= 3
    for finding in result.findings:
        again = house.exclusions._ask(finding, ()).finding
        assert again is not None
        assert (again.counts, again.effect, again.p_adjusted) == (
            finding.counts, finding.effect, finding.p_adjusted,
        )  # fmt: skip
        assert house.exclusions.of(finding) is None


def test_an_event_counts_no_longer_and_its_session_only_where_nothing_else_shows_it(house: Reverie) -> None:
    finding = max(dreamt(house).findings, key=lambda f: f.counts.occurrences - f.counts.sessions)
    for cited in finding.evidence:
        now = house.exclusions.mark(finding.id, cited.session_id, cited.span.event_id, by="ana").finding
        assert now is not None
    marks = house.exclusions.of(finding)
    assert marks is not None and marks.standing == "stands" and marks.finding is not None
    assert len(marks.exclusions) == len(finding.evidence)
    assert marks.finding.counts.occurrences == finding.counts.occurrences - len(finding.evidence)
    shown = {each.span.event_id for each in marks.finding.evidence}
    assert shown.isdisjoint({each.span.event_id for each in finding.evidence})


def test_a_session_leaves_both_sides_and_the_effect_is_counted_from_tables_without_it(house: Reverie) -> None:
    finding = next(f for f in dreamt(house).findings if f.effect.raw and f.counts.sessions > 10)
    gone = finding.sessions[0]
    now = house.exclusions.mark(finding.id, gone, by="ana", reason="a test run").finding
    assert now is not None and finding.effect.raw and now.effect.raw
    assert gone not in now.sessions
    assert now.counts.sessions == finding.counts.sessions - 1
    assert now.counts.of_sessions == finding.counts.of_sessions - 1
    assert now.effect.raw.with_.total == finding.effect.raw.with_.total - 1
    assert now.effect.raw.without == finding.effect.raw.without
    for effect in (finding.effect, now.effect):
        assert effect.raw and effect.strata
        assert sum(s.with_.total for s in effect.strata) == effect.raw.with_.total
        assert sum(s.without.successes for s in effect.strata) == effect.raw.without.successes


def test_below_its_threshold_and_back(house: Reverie) -> None:
    finding = min(dreamt(house).findings, key=lambda f: f.counts.sessions)
    last = None
    for session in finding.sessions:
        last = house.exclusions.mark(finding.id, session, by="ana")
    assert last is not None and last.standing == "fallen" and last.finding is None
    assert house.exclusions.fallen(finding.id)
    for mark in last.exclusions:
        house.exclusions.take_back(finding.id, mark.id, by="ben")
    assert house.exclusions.of(finding) is None and not house.exclusions.fallen(finding.id)


def test_a_mark_is_one_line_in_the_audit_log_however_often_it_is_made(house: Reverie) -> None:
    finding = dreamt(house).findings[0]
    cited = finding.evidence[0]
    for _ in range(3):
        found = house.exclusions.mark(
            finding.id, cited.session_id, cited.span.event_id, by="ana", reason="the tool was down"
        )
    entries = house.audit(10, subject=finding.id)
    assert [(e.actor, e.action, e.detail["reason"]) for e in entries] == [
        ("ana", "finding.not_evidence", "the tool was down")
    ]
    house.exclusions.take_back(finding.id, found.exclusions[0].id, by="ben")
    assert next(e.action for e in house.audit(10, subject=finding.id)) == "finding.evidence_restored"
    with pytest.raises(NotFound):
        house.exclusions.take_back(finding.id, found.exclusions[0].id, by="ben")


def test_what_it_does_not_rest_on_cannot_be_marked(house: Reverie) -> None:
    finding, other = dreamt(house).findings[:2]
    apart = sorted(
        set(other.sessions) - set(finding.sessions) - {c.session_id for c in finding.counter_evidence}
    )
    with pytest.raises(UsageError):
        house.exclusions.mark(finding.id, apart[0], by="ana")
    with pytest.raises(NotFound):
        house.exclusions.mark(
            finding.id, finding.sessions[0], other.evidence[0].span.event_id[:-1] + "x", by="a"
        )
    with pytest.raises(UsageError):
        house.exclusions.mark(finding.id, finding.sessions[0], by=" ")
    assert house.exclusions.every() == []


def test_the_next_dream_heeds_it(house: Reverie) -> None:
    findings = dreamt(house).findings
    weak = min(findings, key=lambda f: f.counts.sessions)
    strong = max(findings, key=lambda f: f.counts.sessions)
    for session in weak.sessions:
        house.exclusions.mark(weak.id, session, by="ana")
    marked = house.exclusions.mark(strong.id, strong.sessions[0], by="ana").finding
    result = house.dream()
    assert not result.repeated
    told = {finding.key: finding for finding in result.findings}
    assert weak.key not in told
    assert [s.about for s in result.dream.silences if s.why == FALLEN] == [weak.claim]
    assert marked is not None and told[strong.key].counts == marked.counts
    untouched = {f.key: f.counts for f in findings if f.key not in (weak.key, strong.key)}
    assert untouched.items() <= {key: f.counts for key, f in told.items()}.items()
    assert house.dream().repeated


def test_a_miner_that_is_another_by_now_is_not_asked(house: Reverie, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = dreamt(house).findings[0]
    monkeypatch.setattr(house.exclusions, "_miners", list)
    found = house.exclusions.mark(finding.id, finding.sessions[0], by="ana")
    assert found.standing == "unknown" and found.finding is None and "not installed" in (found.why or "")


def test_a_mark_that_was_not_counted_before_a_crash_is_counted_at_the_next_look(
    house: Reverie, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = dreamt(house).findings[0]

    class Killed(BaseException):
        """The process ended here."""

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(house.exclusions, "_counted", killed)
        house.exclusions.mark(finding.id, finding.sessions[0], by="ana")
    found = house.exclusions.of(finding)
    assert found is not None and found.finding is not None
    assert found.finding.counts.sessions == finding.counts.sessions - 1


def _mark(finding: Finding, session: str, event: str | None = None) -> Exclusion:
    return Exclusion("excl", finding.key, finding.miner, finding.id, session, event, "ana", "", DeskClock()())


def test_a_copy_of_what_is_marked_goes_too_and_nothing_else(house: Reverie) -> None:
    finding = dreamt(house).findings[0]
    corpus = corpus_of(house, finding)
    cited = finding.evidence[0]
    whole = without(corpus, [_mark(finding, cited.session_id)])
    assert len(whole.observations) == len(corpus.observations) - 1
    assert set(map(id, whole.observations)) <= set(map(id, corpus.observations)), "no other is touched"
    one = without(corpus, [_mark(finding, cited.session_id, cited.span.event_id)])
    changed = [(a, b) for a, b in zip(corpus.observations, one.observations, strict=True) if a is not b]
    assert [a.session_id for a, _ in changed] == [cited.session_id]
    lost = sum(len(a.calls) + len(a.remarks) - len(b.calls) - len(b.remarks) for a, b in changed)
    assert lost == 1


def test_a_miner_without_marks_is_itself(house: Reverie) -> None:
    finding = dreamt(house).findings[0]
    miner = next(m for m in house.exclusions._miners() if m.name == finding.miner)
    mark = _mark(finding, finding.sessions[0])
    assert heeding(miner, []) is miner
    heeds = heeding(miner, [mark])
    assert heeds.name == miner.name and heeds.version != miner.version
    corpus = corpus_of(house, finding)
    now = counted_without(miner, corpus, finding.key, [mark])
    assert now in list(heeds.mine(corpus))
