"""Stores that share a name, as the API allows: commands ask which one is meant."""

from __future__ import annotations

from tests.cli.conftest import Cli

import reverie


def test_a_name_that_fits_several_stores_is_ambiguous(cli: Cli) -> None:
    with reverie.open(cli.db) as house:
        first, second = (house.stores.create("desk", actor="ana").id for _ in range(2))
        lone = house.stores.create("lone", "on its own", actor="ana").id
        house.stores.archive(lone, actor="ana")
        house.memory.write(first, "/a.md", "one", actor="ana")
    told = cli("memory", "stores").stdout
    assert f"desk ({first})" in told and f"desk ({second})" in told
    assert "lone\t0 memories\tarchived  on its own" in told
    refused = cli("memory", "list", "--store", "desk", code=2)
    assert "2 memory stores are named 'desk'" in refused.stderr and first in refused.stderr
    assert "/a.md" in cli("memory", "list", "--store", first).stdout
    assert cli.json("memory", "list", "--store", second) == []
