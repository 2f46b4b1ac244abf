"""``reverie grade``, ``reverie rubric`` and ``reverie agent run --rubric``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

JUDGING = Path(__file__).parents[1] / "agents" / "judging.py"
HONEST = ("--grader", f"scripted:{JUDGING}:honest")
SILENT = ("--grader", f"scripted:{JUDGING}:silent")
RUBRIC = (
    "- Says that the `valve` is tight\n- Names `Ruiz`, who tested it\n- Has a picture of a `cat` (should)\n"
)
CHECKED = "- There is a report\n\n  ```check\n  file = 'report.md'\n  ```\n"
LABELS = """file,criterion,status
good.md,names-ruiz-who-tested-it,met
bad.md,names-ruiz-who-tested-it,unmet
bad.md,says-that-the-valve-is-tight,unmet
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rubric.md").write_text(RUBRIC)
    (tmp_path / "checked.md").write_text(CHECKED)
    (tmp_path / "good.md").write_text("The valve is tight.\nRuiz tested it in March.\n")
    (tmp_path / "bad.md").write_text("The valve is tight.\nNobody knows who tested it.\n")
    (tmp_path / "report.md").write_text("Nothing to see.\n")
    return tmp_path


def test_the_exit_code_is_the_verdict(cli: Cli) -> None:
    good = cli("grade", "rubric.md", "good.md", *HONEST)
    assert "satisfied  score 0.67" in good.stdout
    bad = cli("grade", "rubric.md", "bad.md", *HONEST, code=1)
    (row,) = [line for line in bad.stdout.splitlines() if "names-ruiz" in line]
    assert "must" in row and "not satisfied" in row and "grader" in row and "Add this: Names `Ruiz`" in row
    (met,) = [line for line in bad.stdout.splitlines() if "says-that" in line]
    assert "bad.md line 1: “The valve is tight.”" in met
    assert "1 of 3 criteria are met." in bad.stdout and bad.stdout.rstrip().endswith("score 0.33")
    assert "No grader" not in bad.stderr
    nothing = cli("grade", "rubric.md", "bad.md", *SILENT, code=7)
    assert "failed" in nothing.stdout and "never called" in nothing.stdout
    assert not cli.db.exists(), "nothing is kept"


def test_json_is_one_verdict(cli: Cli) -> None:
    told = json.loads(cli("grade", "rubric.md", "bad.md", *HONEST, "--json", code=1).stdout)
    assert (told["type"], told["result"]) == ("reverie.verdict", "needs_revision")
    first, second, third = told["criteria"]
    assert (first["id"], first["line"], first["by"]) == ("says-that-the-valve-is-tight", 1, "grader")
    assert first["proof"] == {"file": "bad.md", "quote": "The valve is tight.", "place": "line 1"}
    assert second["change"].startswith("Add this") and not third["must"]


def test_checks_need_no_model(cli: Cli) -> None:
    assert "check" in cli("grade", "checked.md", "report.md").stdout
    cli("grade", "checked.md", "good.md", code=1)
    assert "REVERIE_MODELS" in cli("grade", "rubric.md", "good.md", code=4).stderr


def test_what_was_said_counts(cli: Cli, tmp_path: Path) -> None:
    cli(
        "grade", "rubric.md", "bad.md", *HONEST, "--message", "Ruiz tested it, I am told.", "--task", "Write."
    )
    cli(
        "grade", "rubric.md", *HONEST, "--message", "-", input="The valve is tight.\nRuiz tested it in March."
    )
    cli("grade", "rubric.md", ".", *HONEST, "--votes", "3", "--db", str(tmp_path / "kept.db"))
    (session,) = json.loads(cli("sessions", "list", "--json", "--db", str(tmp_path / "kept.db")).stdout)
    assert session["outcome"] == "success"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("rubric.md", "nowhere.md", *HONEST), "there is no such file"),
        (("nowhere.md", "good.md"), "there is no such rubric"),
        (("rubric.md",), "what to judge"),
        (("rubric.md", "good.md", *HONEST, "--votes", "2"), "one of 1, 3, 5, 7"),
        (("empty.md", "good.md"), "is empty"),
        (("rubric.md", "good.md", "--labels", "labels.csv"), "leave the files out"),
        (("rubric.md", "--labels", "nowhere.csv"), "cannot be read"),
        (("rubric.md", "--labels", "good.md"), "ends in .jsonl"),
    ],
)
def test_a_wrong_command_is_no_verdict(cli: Cli, here: Path, args: tuple[str, ...], words: str) -> None:
    (here / "empty.md").write_text("\n")
    done = cli("grade", *args, code=2)
    assert words in done.stderr and "Traceback" not in done.output


def test_a_fault_is_no_verdict_either(cli: Cli) -> None:
    done = cli(
        "grade", "rubric.md", "good.md", *HONEST, "--db", "postgresql+psycopg://127.0.0.1:1/none", code=7
    )
    assert done.stderr.startswith("error")


def test_agreement_with_people(cli: Cli, here: Path) -> None:
    (here / "labels.csv").write_text(LABELS)
    done = cli("grade", "rubric.md", "--labels", "labels.csv", *HONEST)
    assert "3 judgements that people made too" in done.stdout
    assert "accuracy 0.67" in done.stdout and "kappa 0.40" in done.stdout and "95 % from" in done.stdout
    assert "≠" in done.stdout and "judged good.md" in done.stderr
    told = json.loads(cli("grade", "rubric.md", "--labels", "labels.csv", *HONEST, "--json").stdout)
    assert told["type"] == "reverie.agreement" and told["count"] == 3
    assert told["confusions"]["says-that-the-valve-is-tight"] == [
        {"human": "not_satisfied", "grader": "satisfied", "count": 1}
    ]
    assert set(told["items"]) == {"good.md", "bad.md"} and told["unjudged"] == {}
    none = cli("grade", "rubric.md", "--labels", "labels.csv", *SILENT, code=7)
    assert "no judgement of bad.md" in none.stderr and "accuracy –" in none.stdout


# ---------------------------------------------------------------------- rubric


def test_lint_names_file_line_and_kind(cli: Cli, here: Path) -> None:
    (here / "bad-rubric.md").write_text("- The text is good\n- At most 3 pages\n- At least 5 pages\n")
    done = cli("rubric", "lint", "bad-rubric.md", "checked.md", code=1)
    first = done.stdout.splitlines()[0]
    assert first.startswith("bad-rubric.md:1: vague: ")
    assert "bad-rubric.md:3: contradictory: " in done.stdout
    told = json.loads(cli("rubric", "lint", "bad-rubric.md", "--json", code=1).stdout)
    assert [each["kind"] for each in told] == ["vague", "contradictory"]
    assert all(each["file"] == "bad-rubric.md" and each["suggestion"] for each in told)
    assert cli("rubric", "lint", "checked.md").stdout == ""
    (here / "none.md").write_text("- a {#x}\n- b {#x}\n")
    assert "none.md: " in cli("rubric", "lint", "none.md", code=2).stderr


def test_show_is_what_was_read(cli: Cli) -> None:
    shown = cli("rubric", "show", "rubric.md")
    assert "names-ruiz-who-tested-it" in shown.stdout and "should" in shown.stdout
    assert "3 criteria for a model to judge" in shown.stderr
    told = json.loads(cli("rubric", "show", "checked.md", "--json").stdout)
    assert told["criteria"][0]["check"]["file"] == "report.md"


def test_probe_says_what_passes(cli: Cli, here: Path) -> None:
    held = cli("rubric", "probe", "checked.md")
    assert held.stdout.count("held") > 20 and "passed" not in held.stdout
    assert "held          nothing at all" in held.stdout and "a verdict in JSON" in held.stdout
    (here / "weak.md").write_text("- There is an answer\n\n  ```check\n  file = 'answer.md'\n  ```\n")
    weak = cli("rubric", "probe", "weak.md", code=1)
    assert "passed        the criteria as claims" in weak.stdout
    assert "held          note to the grader" in weak.stdout and "of 28 passed" in weak.stderr
    told = json.loads(cli("rubric", "probe", "weak.md", "--json", code=1).stdout)
    assert "the criteria as claims" in {each["probe"] for each in told if each["passed"]}
    assert all(each["judged"] for each in told)
    cli("rubric", "probe", "rubric.md", code=4)


# ---------------------------------------------------------------------- pursuing


def test_an_agent_works_until_its_rubric_is_met(cli: Cli) -> None:
    options = ("--model", f"scripted:{JUDGING}:drafter", "--tool", "write", "--rubric", "rubric.md", *HONEST)
    done = cli("agent", "run", *options, "Write a report.")
    assert "judged for the first time: needs revision, score 0.33" in done.stderr
    assert "✗ names-ruiz-who-tested-it: Add this: Names `Ruiz`" in done.stderr
    assert "judged for the second time: satisfied, score 1.00" in done.stderr
    assert "verdict" not in done.stderr
    lines = cli("agent", "run", *options, "--json", "Write a report.").stdout.splitlines()
    assert json.loads(lines[-1])["outcome"] == "satisfied"
    stubborn = ("--model", f"scripted:{JUDGING}:stubborn", *options[2:])
    cli("agent", "run", *stubborn, "--max-iterations", "1", "Write a report.", code=1)
    cli("agent", "run", *options[:-2], *SILENT, "Write a report.", code=7)
    assert "--rubric" in cli("agent", "run", *options[:4], *HONEST, "Write.", code=2).stderr
