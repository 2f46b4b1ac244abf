"""On real transcripts, where they are there: with the outcomes dealt out again, nothing is claimed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.importers.memory_file import MemoryFile

from reverie.domain.events import Event
from reverie.domain.ids import derived_id
from reverie.domain.observations import Observation
from reverie.domain.sessions import Session, Transcript
from reverie.importers.tau_bench import TauBench
from reverie.mining.observe import SessionObserver
from reverie.mining.workflows import ConvergingWorkflows
from reverie.plugins import Corpus

TAU = Path(__file__).parents[3] / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"


def observed(transcript: Transcript) -> Observation:
    info = transcript.info
    name = derived_id("sesn", info.format, info.native_id)
    events = [
        Event(
            derived_id("sevt", name, e.key), name, i, e.type, e.payload, e.key, e.at, e.thread, e.origin, b""
        )
        for i, e in enumerate(transcript.events, 1)
    ]
    return SessionObserver().observe(Session(name, info, len(events), name), events)


@pytest.mark.skipif(not TAU.is_file(), reason="no ../shared/data/tau-airline here")
def test_shuffled_outcomes_of_real_sessions_say_nothing() -> None:
    runs = TauBench().read(MemoryFile(str(TAU), TAU.read_bytes()))
    sessions = [observed(run) for run in runs if isinstance(run, Transcript)]
    assert len(sessions) == 200
    claims = 0
    for seed in range(20):
        outcomes = random.Random(seed).sample([o.outcome for o in sessions], len(sessions))
        dealt = [replace(o, outcome=outcome) for o, outcome in zip(sessions, outcomes, strict=True)]
        claims += bool(list(ConvergingWorkflows().mine(Corpus(dealt))))
    assert claims <= 1
