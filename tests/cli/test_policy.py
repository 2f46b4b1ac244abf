"""``reverie policy``: made, listed, removed; what it says when it is misread."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Cli


def test_from_making_one_to_removing_it(cli: Cli) -> None:
    cli("memory", "list")
    assert "every proposal waits for a person" in cli("policy", "list").stdout
    id = cli("policy", "add", "--memory-kind", "preference", "--min-sessions", "3").stdout.split()[0]
    (shown,) = cli.json("policy", "list")
    assert shown["id"] == id and shown["by"] == "ana" and shown["memory_kinds"] == ["preference"]
    assert (shown["kinds"], shown["min_sessions"], shown["max_risk"]) == (["add", "update"], 3, "low")
    assert "add or update preference, from 3 sessions, 2 users, 1 day on" in cli("policy", "list").stdout
    assert f"removed {id}" in cli("policy", "remove", id[:9], "--by", "ben").stdout
    assert cli.json("policy", "list") == []
    assert "(removed 20" in cli("policy", "list", "--all").stdout


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("--kind", "burn"), "'burn' is not known"),
        (("--kind", "retire"), "a reason"),
        (("--memory-kind", "spell"), "'spell' is not known"),
        (("--max-risk", "none"), "'none' is not known"),
        (("--store", "nothing"), "nothing"),
    ],
)
def test_mistakes_are_told(cli: Cli, said: tuple[str, ...], told: str) -> None:
    code = 1 if "--store" in said else 2
    assert told in cli("policy", "add", *said, code=code).output
    assert cli.json("policy", "list") == []


def test_nothing_is_removed_that_is_not_named(cli: Cli) -> None:
    assert "no policies begin with" in cli("policy", "remove", "rpol_x", code=2).output
