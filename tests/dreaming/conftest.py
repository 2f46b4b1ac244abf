"""A dreamer with miners of our choosing, over small sessions written by the session logger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import reverie
from reverie.app import Reverie
from reverie.domain.findings import Citation, Counts, Effect, Finding
from reverie.domain.observations import Observation, Span
from reverie.dreaming.dream import Dreamer
from reverie.mining.observe import SessionObserver
from reverie.plugins import Corpus, Miner

REFUSED = "refused: the form is not signed"


@pytest.fixture
def rv(tmp_path: Path) -> Iterator[Reverie]:
    with reverie.open(tmp_path / "reverie.db", entropy=Random(1).randbytes) as opened:
        for number in range(6):
            log_session(opened, number)
        yield opened


def log_session(rv: Reverie, number: int) -> None:
    with rv.session(
        f"file form {number}", agent="clerk", user=f"user-{number % 3}", native_id=f"n{number}"
    ) as s:
        s.action("submit", form=f"F{number}")
        s.error(REFUSED)
        s.outcome("failure")


@pytest.fixture
def dreamer(rv: Reverie) -> Callable[..., Dreamer]:
    def make(*miners: Miner, leaks: Callable[[str], bool] = lambda text: False) -> Dreamer:
        return Dreamer(
            rv._db, rv.log, rv.memory, rv.review, SessionObserver(), miners, clock=rv._clock, leaks=leaks
        )

    return make


class Says:
    """A miner that says what a test tells it to: one true finding, changed by ``changes``."""

    def __init__(self, name: str = "says", **changes: Any) -> None:
        self.name = name
        self.version = "1"
        self._changes = changes

    def mine(self, corpus: Corpus) -> Sequence[Finding]:
        return [replace(true_finding(corpus.observations, self.name), **self._changes)]


def true_finding(observations: Sequence[Observation], name: str) -> Finding:
    """A finding that holds: every session's refusal, quoted to the letter."""
    cited = tuple(
        Citation(o.session_id, Span(c.result_event_id or "", c.seq, "/content/0/text", 0, len(REFUSED)))
        for o in observations
        for c in o.calls
    )
    return Finding(
        id=f"find_{name}",
        key=f"key-{name}",
        kind="recurring_mistake",
        nature="behaviour",
        claim="Forms are submitted unsigned",
        statement={"advice": f"Sign the form before you submit it ({name})", "example": REFUSED},
        miner=name,
        miner_version="1",
        parameters={},
        counts=Counts(
            sessions=len(observations),
            of_sessions=len(observations),
            occurrences=len(cited),
            users=len({o.user for o in observations}),
            agents=1,
            days=1,
        ),
        effect=Effect(),
        p_value=None,
        p_adjusted=None,
        first_seen=None,
        last_seen=None,
        evidence=cited[:3],
        counter_evidence=(),
        origins=("agent",),
        sessions=tuple(o.session_id for o in observations),
        weight=1.0,
    )
