"""``reverie agent run|resume``, and what the other commands show of such sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

MODELS = Path(__file__).with_name("models.py")
ECHO = f"scripted:{MODELS}:echo"
CALLER = f"scripted:{MODELS}:caller"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with a module in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pricing.py").write_text(MODELS.read_text())
    return tmp_path


def test_text_goes_to_stdout_and_the_rest_to_stderr(cli: Cli) -> None:
    done = cli("agent", "run", "--model", ECHO, "--system", "Be brief.", "--tool", "none", "say", "hello")
    assert done.stdout == "Be brief. / say hello\n"
    assert "end_turn" in done.stderr and "tokens in" in done.stderr and "sesn_" in done.stderr


def test_a_call_is_one_line(cli: Cli) -> None:
    task = 'price {"article": "tea"}'
    done = cli("agent", "run", "--model", CALLER, "--tool", "pricing:price", task)
    assert "→ price tea  ✓ tea: 3 (+1 line)" in done.stderr
    assert done.stdout == "calling\nit gave: tea: 3\neuros\n"
    failed = cli("agent", "run", "--model", CALLER, "--tool", "none", "telepathy")
    assert "→ telepathy  ✗ There is no tool 'telepathy'" in failed.stderr


def test_json_is_a_line_for_each_event_and_one_for_the_end(cli: Cli) -> None:
    lines = cli("agent", "run", "--model", ECHO, "--json", "hello").stdout.splitlines()
    *events, end = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert end["type"] == "reverie.result" and end["stop_reason"] == "end_turn"
    assert end["text"].endswith("hello") and end["session_id"] == events[0]["session_id"]
    assert end["usage"]["output_tokens"] > 0


def test_a_file_is_an_agent(cli: Cli, here: Path) -> None:
    (here / "clerk.md").write_text(
        f"---\nname: clerk\nmodel: {ECHO}\ntools: Read, TodoWrite\n---\nYou file.\n"
    )
    done = cli("agent", "run", "clerk.md", "hello")
    assert done.stdout == "You file. / hello\n"
    assert "ignored in clerk.md: tool TodoWrite" in done.stderr
    assert cli("agent", "run", "clerk.md", input="from a pipe").stdout == "You file. / from a pipe\n"
    assert cli("agent", "run", "clerk.md", "-", input="again").stdout == "You file. / again\n"
    assert {session["agent"] for session in cli.json("sessions", "list")} == {"clerk"}


def test_the_default_model_is_the_configured_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no model is named" in cli("agent", "run", "hello", code=4).stderr
    monkeypatch.setenv("REVERIE_MODELS", ECHO)
    assert cli("agent", "run", "--tool", "none", "hello").stdout.endswith("/ hello\n")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("none.md", "hello"), 1, "there is no such file"),
        (("--tool", "telepathy", "hello"), 2, "'telepathy' is none of"),
        (("--tool", "nowhere:f", "hello"), 2, "there is no such function"),
        (("--permissions", "maybe", "hello"), 2, "'maybe' is none of"),
        (("--environment", "nowhere", "hello"), 1, "there is no environment named"),
        (("--max-cost", "0", "hello"), 2, "more than nothing"),
        (("-",), 2, "standard input is empty"),
        (("--model", "nope:x", "hello"), 1, ""),
    ],
)
def test_errors_are_one_message(cli: Cli, args: tuple[str, ...], code: int, words: str) -> None:
    model = () if "--model" in args else ("--model", ECHO)
    done = cli("agent", "run", *model, *args, code=code)
    assert words in done.stderr and "Traceback" not in done.output


def test_what_asks_waits_and_can_be_answered_later(cli: Cli) -> None:
    task = 'write {"file_path": "/workspace/a.txt", "content": "hello"}'
    options = ("--model", CALLER, "--tool", "write", "--permissions", "always_ask")
    left = cli("agent", "run", *options, task, code=3)
    assert "it waits for 1 answer (write)" in left.stderr and "reverie agent resume sesn_" in left.stderr
    (session,) = cli.json("sessions", "list")
    assert cli("agent", "resume", session["id"], code=3).stdout == ""
    done = cli("agent", "resume", session["id"][:13], "--model", CALLER, "--yes")
    assert done.stdout.startswith("it gave:") and "→ write" in done.stderr
    assert cli("agent", "run", *options, "--yes", task).stdout.startswith("calling\nit gave:")


def test_a_session_goes_on_with_what_it_is_told_next(cli: Cli) -> None:
    cli("agent", "run", "--model", ECHO, "--tool", "none", "one")
    (session,) = cli.json("sessions", "list")
    assert "is not configured" in cli("agent", "resume", session["id"], "two", code=1).stderr
    more = cli("agent", "resume", session["id"], "three", "--model", ECHO)
    assert more.stdout.endswith("one / two / three\n")


def test_a_budget_has_its_own_exit_code(cli: Cli) -> None:
    task = 'price {"article": "tea"}'
    options = ("--model", CALLER, "--tool", "pricing:price", "--max-tokens", "3")
    assert "budget_reached" in cli("agent", "run", *options, task, code=5).stderr


# ------------------------------------------------------------------ the commands beside it


def run(cli: Cli, task: str = "hello", name: str = "clerk") -> str:
    lines = cli("agent", "run", "--model", ECHO, "--tool", "none", "--name", name, "--json", task).stdout
    return str(json.loads(lines.splitlines()[-1])["session_id"])


def test_sessions_are_listed_by_status_and_agent(cli: Cli) -> None:
    ids = [run(cli, name="clerk"), run(cli, name="poet")]
    assert {each["id"] for each in cli.json("sessions", "list", "--status", "idle")} == set(ids)
    assert cli.json("sessions", "list", "--status", "running") == []
    assert [each["id"] for each in cli.json("sessions", "list", "--agent", "poet")] == ids[1:]
    assert "poet" in cli("sessions", "list").stdout
    assert "idle, running" in cli("sessions", "list", "--status", "asleep", code=2).stderr


def test_tail_shows_what_happened_and_ends_when_it_rests(cli: Cli) -> None:
    session_id = run(cli)
    done = cli("sessions", "tail", session_id, "--until-idle")
    assert done.stdout.endswith("/ hello\n")
    assert "user hello" in done.stderr and "idle end_turn" in done.stderr
    lines = cli("sessions", "tail", session_id, "--until-idle", "--json", "-n", "2").stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["session.usage", "session.status_idle"]


def test_export_of_events_is_the_whole_log(cli: Cli) -> None:
    first, second = run(cli), run(cli, "other")
    events = [json.loads(line) for line in cli("sessions", "export").stdout.splitlines()]
    assert {event["session_id"] for event in events} == {first, second}
    alone = [json.loads(line) for line in cli("sessions", "export", first[:13]).stdout.splitlines()]
    assert alone == [event for event in events if event["session_id"] == first]
    assert alone == cli.json("sessions", "show", first)["log"]
    assert "events or chat" in cli("sessions", "export", "--format", "xml", code=2).stderr


def test_chat_is_read_back_as_it_was_written(
    cli: Cli, transcripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said and done comes back: exported, imported elsewhere, exported again."""
    cli("import", str(transcripts), "--quiet")
    task = 'price {"article": "tea"}'
    cli("agent", "run", "--model", CALLER, "--tool", "pricing:price", task)
    exported = cli("sessions", "export", "--format", "chat").stdout
    (tmp_path / "chat.jsonl").write_text(exported)
    monkeypatch.setenv("REVERIE_DB", str(tmp_path / "other.db"))
    assert "25 new sessions" in cli("import", str(tmp_path / "chat.jsonl"), "--format", "chat").stdout
    again = cli("sessions", "export", "--format", "chat").stdout
    assert said(again) == said(exported)
    assert sum(len(messages) for messages in said(again)) > 100


def said(exported: str) -> list[Any]:
    """The messages of each session, without the ids of calls, in an order that is not that of ids."""
    found: list[Any] = []
    for line in exported.splitlines():
        messages = json.loads(line)["messages"]
        calls = {call["id"]: n for n, m in enumerate(messages) for call in m.get("tool_calls", ())}
        for message in messages:
            for call in message.get("tool_calls", ()):
                call["id"] = calls[call["id"]]
            if "tool_call_id" in message:
                message["tool_call_id"] = calls[message["tool_call_id"]]
        found.append(messages)
    return sorted(found, key=json.dumps)


# ------------------------------------------------------------------ doctor


def test_doctor_says_what_is_there(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_MODELS", ECHO)
    said = cli("doctor").stdout
    assert "none yet" in said and not cli.db.exists()  # nothing is made by looking
    run(cli)
    report = cli.json("doctor")
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert report["ok"] and set(states.values()) <= {"ok", "warn"}
    assert states.keys() >= {
        "reverie",
        "plug-ins",
        "telemetry",
        "database",
        "clock",
        "disk",
        "model",
        "sandbox",
    }
    assert f"{ECHO}: answers" in cli("doctor", "--call").stdout


def test_doctor_fails_where_something_needed_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_MODELS", "anthropic:claude-opus-5-5,nope:model")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    done = cli("doctor", code=1)
    assert "ANTHROPIC_API_KEY is not set" in done.stdout and "there is no provider 'nope'" in done.stdout
    url = "postgresql+psycopg://127.0.0.1:1/none"
    report = json.loads(cli("doctor", "--json", "--db", url, code=1).stdout)
    assert not report["ok"]
    assert {check["name"] for check in report["checks"] if check["state"] == "fail"} >= {
        "database",
        "model",
    } - {"model"}
