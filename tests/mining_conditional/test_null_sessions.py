"""Sessions in which nothing helps: nothing is advised (a few worlds of each kind; benchmarks/mining/sessions.py makes more)."""

from __future__ import annotations

import pytest
from benchmarks.mining.sessions import KINDS, claims_in, null_sessions


@pytest.mark.parametrize("kind", list(KINDS))
def test_nothing_helps_and_nothing_is_claimed(kind: str) -> None:
    assert not any(claims_in(null_sessions(kind, 1, 200)).values())


def test_such_worlds_have_something_to_search() -> None:
    told = null_sessions("users", 1, 200).observations
    assert {o.outcome for o in told} == {"success", "failure"}
    assert {c.tool for o in told for c in o.calls if c.failure} >= {"draft", "convert", "file"}
    assert any(c.own for o in told for c in o.calls)
