"""The coin: the share asked for, independent of everything, the same for ever."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.dreaming.trials.assignment import SHARE, sees, toss

KEY = bytes(range(32))
COUNT = 20_000


@pytest.mark.parametrize("share", [0.1, 0.5, SHARE, 0.95])
def test_the_share_is_the_one_asked_for(share: float) -> None:
    seen = sum(sees(KEY, f"sesn_{i}", "mem_1", share) for i in range(COUNT))
    assert abs(seen / COUNT - share) < 4 * math.sqrt(share * (1 - share) / COUNT)


def test_memories_sessions_and_keys_are_independent() -> None:
    for other in (
        [sees(KEY, f"sesn_{i}", "mem_2", 0.5) for i in range(COUNT)],
        [sees(bytes(32), f"sesn_{i}", "mem_1", 0.5) for i in range(COUNT)],
        [sees(KEY, f"sesn_{i + 1}", "mem_1", 0.5) for i in range(COUNT)],
    ):
        both = Counter((sees(KEY, f"sesn_{i}", "mem_1", 0.5), other[i]) for i in range(COUNT))
        chi_square = sum(
            (both[a, b] - COUNT / 4) ** 2 / (COUNT / 4) for a in (True, False) for b in (True, False)
        )
        assert chi_square < 16.3  # three degrees of freedom, one in a thousand


def test_the_answer_is_the_same_for_ever() -> None:
    answers = "".join(str(int(sees(KEY, f"sesn_{i}", "mem_1"))) for i in range(12))
    assert answers == "101011111111"
    assert toss(KEY, "edit") == pytest.approx(0.9338870807651881, abs=0)


def test_who_sees_at_a_small_share_sees_at_a_greater() -> None:
    for i in range(300):
        assert sees(KEY, f"s{i}", "m", 0.2) <= sees(KEY, f"s{i}", "m", 0.7)


def test_names_do_not_run_into_each_other() -> None:
    assert toss(KEY, "ab", "c") != toss(KEY, "a", "bc")
    assert toss(KEY, "ab") != toss(KEY, "ab", "")


@given(st.lists(st.text(max_size=8), max_size=3))
@settings(max_examples=50, deadline=None)
def test_a_toss_lies_below_one(names: list[str]) -> None:
    assert 0 <= toss(KEY, *names) < 1


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, 1.5, math.nan])
def test_a_trial_in_which_nothing_is_compared_is_refused(share: float) -> None:
    with pytest.raises(Invalid, match="share"):
        sees(KEY, "s", "m", share)


@pytest.mark.parametrize("key", [b"", b"short", bytes(65)])
def test_a_key_that_is_no_secret_is_refused(key: bytes) -> None:
    with pytest.raises(Invalid, match="key"):
        sees(key, "s", "m")
