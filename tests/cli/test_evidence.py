"""``reverie sessions descendants`` and ``take-out``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Cli


def test_what_rests_on_a_session_and_what_falls_with_it(
    cli: Cli, dreamed: Callable[[], list[dict[str, Any]]]
) -> None:
    for proposal in dreamed():
        cli("approve", proposal["id"])
    ids = [session["id"] for session in cli.json("sessions", "list")]
    found = {id: cli.json("sessions", "descendants", id) for id in ids}
    source = next(id for id in ids if found[id]["versions"])
    shown = cli("sessions", "descendants", source).stdout
    assert all(id in shown for kind in found[source].values() for id in kind)
    memories = cli.json("memory", "list")
    said = [cli("sessions", "take-out", id, "--by", "ana", "--because", "a test").stdout for id in ids]
    retiring = {p["path"] for p in cli.json("proposals", "list")}
    assert retiring == {memory["path"] for memory in memories}
    assert any("sessions it rests on" in each for each in said)
    assert cli.json("memory", "list") == memories


def test_a_session_that_nobody_learned_from(cli: Cli, dreamed: Callable[[], list[dict[str, Any]]]) -> None:
    cli("sessions", "descendants", "sesn_nowhere", code=1)
