"""From transcripts to AGENTS.md by commands alone, and what the commands say when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

Pending = Callable[[], list[dict[str, Any]]]


def test_the_whole_way(cli: Cli, transcripts: Path, tmp_path: Path) -> None:
    assert "24 new sessions" in cli("import", str(transcripts)).stdout
    dream = cli.json("dream")
    proposal = next(p for p in dream["proposals"] if "ead" in p["title"])
    cli("approve", proposal["id"][:12])
    agents = tmp_path / "AGENTS.md"
    agents.write_text("# Ours\n")
    cli("sync", "--to", "agents-md", str(agents), "--check", code=1)
    assert "reverie:begin" in cli("sync", str(agents), "--dry-run").stdout
    assert agents.read_text() == "# Ours\n"
    cli("sync", "--to", "agents-md", str(agents))
    assert "Read" in agents.read_text()
    cli("sync", str(agents), "--check")
    cli("sync", str(agents), "--remove")
    assert agents.read_text() == "# Ours\n"


def test_a_finding_in_json_holds_everything_needed_to_check_it(cli: Cli, transcripts: Path) -> None:
    cli("import", str(transcripts), "--quiet")
    dream = cli.json("dream")
    assert dream["dream"]["status"] == "completed"
    mistake = next(f for f in dream["findings"] if f["kind"] == "recurring_mistake")
    assert mistake["counts"]["sessions"] == 12
    assert mistake["counts"]["users"] == 2  # every second session, and users go round by four
    assert mistake["effect"].keys() >= {"raw", "within_task"}
    assert mistake["first_seen"] < mistake["last_seen"]
    for citation in mistake["evidence"]:
        shown = cli.json("sessions", "show", citation["session_id"], "--event", citation["event_id"])
        event = next(e for e in shown["log"] if e["id"] == citation["event_id"])
        assert citation["quote"] in json.dumps(event["payload"], ensure_ascii=False)
        line = Path(citation["source"]["uri"]).read_text().splitlines()[citation["source"]["line"] - 1]
        assert citation["quote"] in line
    assert mistake["counter_evidence"]


def test_dreaming_again_says_the_same(cli: Cli, transcripts: Path) -> None:
    cli("import", str(transcripts), "--quiet")
    first = cli("dream", "--json").stdout
    assert cli("dream", "--json").stdout == first
    assert "nothing new" in cli("dream").stdout


def test_a_dry_run_leaves_nothing(cli: Cli, transcripts: Path) -> None:
    cli("import", str(transcripts), "--quiet")
    assert cli.json("dream", "--dry-run")["proposals"]
    assert cli.json("proposals", "list") == []
    assert cli.json("dreams") == []


def test_a_rejected_idea_stays_away(cli: Cli, transcripts: Path, dreamed: Pending) -> None:
    proposal = dreamed()[0]
    cli("reject", proposal["id"], "--reason", "too-broad", "--note", "says nothing new")
    again = cli.json("dream")
    assert proposal["idea"] not in {p["idea"] for p in again["proposals"]}
    assert any("declined" in held["why"] for held in again["dream"]["withheld"])


def test_modify_keeps_the_text_given(cli: Cli, dreamed: Pending, tmp_path: Path) -> None:
    proposal = dreamed()[0]
    mine = tmp_path / "mine.md"
    mine.write_text("# Mine\n\nDo it my way.\n")
    cli("modify", proposal["id"], "--file", str(mine))
    assert cli.json("memory", "show", proposal["path"])["content"] == mine.read_text()
    assert cli.json("proposals", "show", proposal["id"])["decision"]["by"] == "ana"


def test_undo_takes_the_memory_out_again(cli: Cli, dreamed: Pending) -> None:
    proposal = dreamed()[0]
    cli("approve", proposal["id"])
    cli("undo", proposal["id"])
    assert cli.json("memory", "list") == []
    assert [v["operation"] for v in cli.json("memory", "history", proposal["path"])] == ["created", "deleted"]


def test_memory_commands(cli: Cli, dreamed: Pending) -> None:
    proposal = dreamed()[0]
    cli("approve", proposal["id"])
    assert proposal["path"] in cli("memory", "list").stdout
    word = proposal["title"].split()[0]
    assert [hit["path"] for hit in cli.json("memory", "search", word)] == [proposal["path"]]
    assert cli("memory", "show", proposal["path"]).stdout == proposal["content"]
    cli("memory", "restore", proposal["path"], "1")
    actions = [entry["action"] for entry in cli.json("memory", "audit")]
    assert len(actions) >= 1


def test_deciding_twice_is_refused_with_who_and_when(cli: Cli, dreamed: Pending) -> None:
    proposal = dreamed()[0]
    cli("approve", proposal["id"])
    assert "ana" in cli("reject", proposal["id"], "--reason", "wrong", code=1).stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("dream",), 3, "reverie import"),
        (("dream", "--since", "yesterday"), 2, "7d"),
        (("dream", "--sessions", "sesn_none"), 1, "sesn_none"),
        (("import", "nowhere.jsonl"), 1, "nowhere.jsonl"),
        (("import", "--format", "nonsense", "."), 2, "nonsense"),
        (("approve", "prop_none"), 1, "prop_none"),
        (("reject", "prop_none", "--reason", "mood"), 2, "too_broad"),
        (("proposals", "list", "--status", "odd"), 2, "pending"),
        (("memory", "show", "/none.md"), 1, "/none.md"),
        (("sync", "--to", "stone", "x"), 2, "agents-md"),
        (("review",), 2, "terminal"),
        (("--db",), 2, ""),
    ],
)
def test_errors_say_what_where_and_what_next(cli: Cli, args: tuple[str, ...], code: int, words: str) -> None:
    result = cli(*args, code=code)
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_file_that_is_no_transcript(cli: Cli, tmp_path: Path) -> None:
    odd = tmp_path / "odd.txt"
    odd.write_text("a shopping list\n")
    result = cli("import", str(odd), code=1)
    assert "odd.txt" in result.output


def test_explain(cli: Cli, transcripts: Path) -> None:
    one = next(transcripts.iterdir())
    (guesses,) = cli.json("import", "--explain", str(one)).values()
    assert guesses[0]["format"] == "claude-code"
    assert cli.json("sessions", "list") == []


def test_labels_from_a_file(cli: Cli, transcripts: Path, tmp_path: Path) -> None:
    names = sorted(path.stem for path in transcripts.iterdir())
    labels = tmp_path / "labels.csv"
    labels.write_text("session,outcome,score\n" + "".join(f"{n},success,1.0\n" for n in names[:3]))
    cli("import", str(transcripts), "--label-from", str(labels), "--quiet")
    assert sum(s["outcome"] == "success" for s in cli.json("sessions", "list")) == 3
    labels.write_text("session,outcome\nx,perhaps\n")
    assert "labels.csv:2" in cli("import", str(transcripts), "--label-from", str(labels), code=2).stderr


def test_verify(cli: Cli, transcripts: Path) -> None:
    cli("import", str(transcripts), "--quiet")
    assert "intact: 24 sessions" in cli("verify").stdout


def test_a_person_labels_a_session(cli: Cli, transcripts: Path) -> None:
    cli("import", str(transcripts), "--quiet")
    session = cli.json("sessions", "list")[0]["id"]
    said = cli("sessions", "label", session[:14], "success", "--score", "0.9", "--because", "I looked.")
    assert said.stdout == f"{session}: success\n"
    shown = cli.json("sessions", "show", session)
    assert (shown["outcome"], shown["score"], shown["outcome_source"]) == ("success", 0.9, "person")
    assert shown["log"][-1]["payload"]["explanation"] == "I looked."
    assert "no such outcome" in cli("sessions", "label", session, "fine", code=2).stderr
