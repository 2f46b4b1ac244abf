"""``reverie dream`` with a model, ``reverie dreams`` and ``reverie findings``: what they print, for people and programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Cli

CAREFUL = "scripted:reverie.testing.dreamer:careful"


@pytest.fixture
def full(cli: Cli, transcripts: Path) -> Cli:
    cli("import", str(transcripts), "--quiet")
    return cli


def test_an_estimate_asks_nothing_and_dreams_nothing(full: Cli) -> None:
    told = full.json("dream", "--model", CAREFUL, "--estimate")
    assert set(told) == {"input", "output", "everything"} and min(told.values()) > 0
    said = full("dream", "--model", CAREFUL, "--estimate")
    assert f"{told['input'] + told['output']:,} tokens" in said.stdout
    assert f"would take {told['everything']:,}" in said.stderr
    assert full.json("dreams", "list") == []


def test_a_model_writes_and_it_is_told_what_it_used(full: Cli) -> None:
    said = full("dream", "--model", CAREFUL, "--instructions", "Begin with the forms.").stdout
    assert f"{CAREFUL} used " in said and "were expected" in said and "(reverie sessions show sesn_" in said
    (dream,) = full.json("dreams")
    assert dream["status"] == "completed" and dream["written_by"][0].startswith("model/1:")
    shown = full("dreams", "show", dream["id"][:10]).stdout
    assert "completed at submit" in shown and "pending" in shown and " used " in shown
    told = full.json("dreams", "show", dream["id"])
    writing = told["dream"]["writing"]
    assert writing["model"] == CAREFUL and writing["usage"]["input"] > 0 and writing["fell_back"] is None
    assert len(told["findings"]) == dream["findings"] and told["proposals"]
    assert "Begin with the forms." in full("sessions", "show", writing["session_id"]).stdout


def test_without_enough_tokens_the_templates_write_and_say_so(full: Cli) -> None:
    said = full("dream", "--model", CAREFUL, "--max-tokens", "50").stdout
    assert "templates wrote it: the budget of 50 tokens" in said
    assert full.json("dreams")[0]["written_by"] == ["template/2"]


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        (("--model", "nobody:else"), 4, "nobody"),
        (("--model", "opus"), 4, "opus"),
        (("--instructions", "Be brief."), 2, "for a model"),
        (("--max-tokens", "9"), 2, "for a model"),
        (("--estimate",), 2, "no model is named"),
    ],
)
def test_mistakes_are_one_error_and_nothing_is_done(
    full: Cli, said: tuple[str, ...], code: int, told: str
) -> None:
    assert told in full("dream", *said, code=code).stderr
    assert full.json("dreams") == []


def test_dreams_and_findings_of_an_empty_house(cli: Cli) -> None:
    assert "no dreams yet" in cli("dreams").stdout and "no dreams yet" in cli("dreams", "list").stdout
    assert "no findings" in cli("findings", "list").stdout and cli.json("findings", "list") == []
    assert "no dream" in cli("dreams", "show", "drm_x", code=1).stderr
    assert "no finding" in cli("findings", "show", "find_x", code=1).stderr
    assert "is no kind" in cli("findings", "list", "--kind", "spell", code=2).stderr


def test_findings(full: Cli) -> None:
    dream = full.json("dream")
    found = full.json("findings", "list")
    assert [f["id"] for f in found] == [f["id"] for f in dream["findings"]]
    assert full.json("findings", "list", "--dream", dream["dream"]["id"]) == found
    kinds = {f["kind"] for f in found}
    for kind in kinds:
        assert {f["kind"] for f in full.json("findings", "list", "--kind", kind)} == {kind}
    first = found[0]
    assert first["claim"][:40] in full("findings", "list").stdout
    shown = full("findings", "show", first["id"]).stdout
    assert first["claim"] in shown and first["evidence"][0]["quote"].splitlines()[0] in shown
    assert full.json("findings", "show", first["id"][:12]) == first


def test_a_policy_is_heard_of_where_it_applied(full: Cli) -> None:
    full("policy", "add", "--memory-kind", "preference", "--min-sessions", "1", "--min-users", "1")
    said = full("dream").stdout
    applied = [
        p for p in full.json("dreams", "show", full.json("dreams")[0]["id"])["proposals"] if p["decision"]
    ]
    assert bool(applied) == ("went into memory by review policies" in said)
    assert all(p["decision"]["by"].endswith("(written by ana)") and not p["tainted"] for p in applied)


def test_a_schedule_with_a_model_says_so(full: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_MODELS", CAREFUL)
    assert "for a model" in full("schedule", "add", "x", "--max-tokens", "5", code=2).stderr
    made = full.json(
        "schedule",
        "add",
        "nightly",
        "--model",
        CAREFUL,
        "--max-tokens",
        "100000",
        "--instructions",
        "Be brief.",
    )
    assert (made["model"], made["max_tokens"], made["instructions"]) == (CAREFUL, 100_000, "Be brief.")
    assert f"written by {CAREFUL}, 100,000 tokens at most" in full("schedule", "status").stdout
    assert "completed, with" in full("schedule", "run", made["id"]).stdout
    (dream,) = full.json("dreams")
    assert dream["written_by"][0].startswith("model/1:")


def test_a_schedule_whose_model_is_gone_dreams_all_the_same_and_says_why(full: Cli) -> None:
    made = full.json("schedule", "add", "nightly", "--model", "nobody:else")
    assert "templates wrote: " in full("schedule", "run", made["id"]).stdout
    assert full.json("dreams")[0]["written_by"] == ["template/2"]
