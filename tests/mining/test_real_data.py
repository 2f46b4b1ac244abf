"""On real transcripts, where they are there: known numbers, exact quotes, and no shame in the first ten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.importers.memory_file import MemoryFile

from reverie.domain.events import Event, text_parts
from reverie.domain.findings import Finding
from reverie.domain.ids import derived_id
from reverie.domain.sessions import Session, Transcript
from reverie.importers.claude_code import ClaudeCode
from reverie.importers.tau_bench import TauBench
from reverie.mining.mistakes import RecurringMistakes
from reverie.mining.observe import SessionObserver
from reverie.mining.preferences import Preferences
from reverie.mining.workarounds import Workarounds
from reverie.plugins import Corpus, Importer

REAL = Path(__file__).parents[3] / "shared" / "data"


def logged(transcript: Transcript) -> tuple[Session, list[Event]]:
    info = transcript.info
    session_id = derived_id("sesn", info.format, info.native_id)
    events = [
        Event(
            derived_id("sevt", session_id, e.key),
            session_id,
            i,
            e.type,
            e.payload,
            e.key,
            e.at,
            e.thread,
            e.origin,
            b"",
        )
        for i, e in enumerate(transcript.events, 1)
    ]
    return Session(session_id, info, len(events), derived_id("src", session_id, str(len(events)))), events


def dreamed(importer: Importer, paths: Sequence[Path]) -> tuple[list[Finding], dict[str, Event]]:
    sessions: dict[str, tuple[Session, list[Event]]] = {}
    for path in sorted(paths):
        for read in importer.read(MemoryFile(str(path), path.read_bytes())):
            if isinstance(read, Transcript):
                session, events = logged(read)
                if session.events > len(sessions.get(session.id, (None, []))[1]):
                    sessions[session.id] = session, events
    corpus = Corpus([SessionObserver().observe(*sessions[key]) for key in sorted(sessions)])
    findings = [f for m in (RecurringMistakes(), Workarounds(), Preferences()) for f in m.mine(corpus)]
    return sorted(findings, key=lambda f: -f.weight), {
        e.id: e for _, events in sessions.values() for e in events
    }


def check_quotes(findings: Sequence[Finding], events: dict[str, Event]) -> None:
    for finding in findings:
        assert finding.evidence
        for citation in (*finding.evidence, *finding.counter_evidence):
            event = events[citation.span.event_id]
            part = next(p for p in text_parts(event.type, event.payload) if p.path == citation.span.path)
            assert 0 < citation.span.end - citation.span.start <= 300
            assert citation.span.end <= len(part.text)


@pytest.mark.skipif(not (REAL / "tau-airline").exists(), reason="../shared/data/tau-airline is not here")
def test_airline_bookings() -> None:
    findings, events = dreamed(TauBench(), [REAL / "tau-airline" / "gpt-4o-airline.json"])
    check_quotes(findings, events)
    pay = next(f for f in findings if "payment amount does not add up" in f.claim)
    assert pay is findings[0]
    assert (pay.counts.sessions, pay.nature) == (13, "behaviour")
    raw, within = pay.effect.raw, pay.effect.within
    assert raw is not None and within is not None
    assert (raw.with_.successes, raw.with_.total) == (1, 13)  # 8 %
    assert round(100 * raw.without.successes / raw.without.total) == 44
    assert (round(100 * within.difference), within.strata) == (-15, 4)
    errors = next(f for f in findings if f.nature == "explained")
    raw, within = errors.effect.raw, errors.effect.within
    assert raw is not None and within is not None
    assert (round(100 * raw.difference), round(100 * within.difference), within.strata) == (-21, 6, 11)
    assert "advice" not in errors.statement and "warning" not in errors.statement


@pytest.mark.skipif(not (REAL / "claude-code").exists(), reason="../shared/data/claude-code is not here")
def test_a_team_building_a_command_line_tool() -> None:
    findings, events = dreamed(ClaudeCode(), [*(REAL / "claude-code" / "sessions").glob("*.jsonl")])
    check_quotes(findings, events)
    top = findings[:10]
    assert len({f.statement["topic"] for f in top}) == 10  # no echoes
    assert all(f.nature == "behaviour" and f.statement["advice"] for f in top)
    assert any("mise run lint" in f.statement["advice"] for f in top)
    assert any("CommandContext" in f.statement["advice"] for f in top)
    assert any("test" in f.statement["advice"].lower() and f.kind == "preference" for f in top)
    assert not any("Merge conflict" in f.claim or "--- FAIL" in f.claim for f in findings)
