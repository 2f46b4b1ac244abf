"""The engine by its front door: the planted cause and nothing else, whatever the partitions and the noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reverie.domain.errors import UsageError
from reverie.mining.conditional import Table, mine_rules


def desk(seed: int, rows: int = 2_000) -> tuple[dict[str, list[Any]], np.ndarray[Any, Any], list[str]]:
    """Uploads: a .docx over 50 MB fails after 17:00, amid twelve attributes that mean nothing."""
    dice = np.random.default_rng(seed)
    ext = dice.choice([".docx", ".pdf", ".xlsx", ".pptx"], rows)
    size = dice.integers(1, 130, rows).astype(float)
    hour = dice.integers(8, 22, rows).astype(float)
    planted = (ext == ".docx") & (size >= 50) & (hour >= 17)
    failed = dice.random(rows) < np.where(planted, 0.9, 0.03)
    columns: dict[str, list[Any]] = {
        "file_ext": [str(e) for e in ext],
        "size_mb": size.tolist(),
        "hour": hour.tolist(),
    }
    for number in range(6):
        columns[f"number_{number}"] = dice.normal(size=rows).tolist()
        columns[f"kind_{number}"] = [str(k) for k in dice.integers(0, 5, rows)]
    return columns, failed, [f"user-{u}" for u in dice.integers(0, 9, rows)]


def test_the_planted_cause_is_found_exactly_and_once() -> None:
    columns, failed, users = desk(1)
    result = mine_rules(Table.from_values(columns, hours=["hour"]), failed, users=users)
    (rule,) = result.rules
    assert str(rule).startswith("file_ext is .docx and size_mb ≥ 50 and hour ≥ 17")


@pytest.mark.parametrize("partition", [1, 7, 97, 2_000])
def test_partitions_of_any_size_give_the_same_bytes(partition: int) -> None:
    columns, failed, users = desk(2, rows=300)
    table = Table.from_values(columns, hours=["hour"])
    assert repr(mine_rules(table, failed, users=users, partition_rows=partition)) == repr(
        mine_rules(table, failed, users=users)
    )


def test_noise_is_called_noise() -> None:
    claims = 0
    for seed in range(12):
        columns, _, users = desk(100 + seed, rows=800)
        luck = np.random.default_rng(seed).random(800) < 0.08
        claims += bool(mine_rules(Table.from_values(columns, hours=["hour"]), luck, users=users).rules)
    assert claims <= 1


def test_an_unlucky_user_is_no_lesson() -> None:
    """Users fail at rates of their own, and an attribute tells the users apart."""
    dice = np.random.default_rng(5)
    who = dice.integers(0, 12, 1_500)
    rate = dice.beta(1, 6, 12)[who]
    columns: dict[str, list[Any]] = {
        "team": [f"team-{u % 4}" for u in who],
        "client": [f"client-{u % 3}" for u in who],
        "size": dice.normal(size=1_500).tolist(),
    }
    times = np.arange(1_500.0)
    users = [f"user-{u}" for u in who]
    found = mine_rules(Table.from_values(columns), dice.random(1_500) < rate, users=users, times=times)
    assert found.rules == ()


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"constant": ["a"] * 50}, [True, False] * 25),
        ({"x": [1.0]}, [True]),
        ({"x": list(range(40))}, [True] * 40),
        ({"x": list(range(40))}, [None] * 40),
        ({"names": [f"n{i}" for i in range(400)]}, [True, False] * 200),
        ({"x": [float("nan"), float("inf")] * 30}, [True, False] * 30),
    ],
)
def test_odd_tables_give_no_rule_and_no_crash(
    columns: dict[str, list[Any]], target: list[bool | None]
) -> None:
    assert mine_rules(Table.from_values(columns), target).rules == ()


def test_lengths_must_agree() -> None:
    with pytest.raises(UsageError):
        mine_rules(Table.from_values({"x": [1.0, 2.0]}), [True])
