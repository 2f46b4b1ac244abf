"""Teams in files."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

import reverie
from reverie.agents import team_files
from reverie.agents.team_files import read_team
from reverie.domain.errors import NotFound, ReverieError, UsageError
from reverie.domain.plans import Task

WHOLE = """
[team]
name = "reviewers"
description = "reads reviews"
task = "Which of them are about prices?"
lead = { model = "ollama:qwen3", system = "You put reviews together.", max_tokens = 5000 }

[specialists.reader]
file = "agents/reader.md"
model = "ollama:small"

[specialists.judge]
system = "You judge what others found."
tools = ["read"]

[plan]
at_once = 5
on_failure = "stop"
reduce = "One list, worst first."

[[plan.tasks]]
id = "read"
agent = "reader"
prompt = "Read them."
retries = 2

[[plan.tasks]]
id = "judge"
agent = "judge"
prompt = "Judge."
depends_on = ["read"]
"""
SMALL = '[specialists.reader]\nsystem = "You read."\n'


def written(folder: Path, text: str, name: str = "team.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_team_with_everything_said(tmp_path: Path) -> None:
    written(tmp_path, "---\nmodel: opus\ncolor: red\ntools: Read\n---\nYou read.\n", "agents/reader.md")
    team = read_team(written(tmp_path, WHOLE))
    assert (team.name, team.description) == ("reviewers", "reads reviews")
    assert team.task == "Which of them are about prices?"
    assert team.lead == {
        "name": "reviewers",
        "tools": ["*"],
        "model": "ollama:qwen3",
        "system": "You put reviews together.",
        "max_tokens": 5000,
    }
    assert team.specialists == {
        "reader": {"name": "reader", "model": "ollama:small", "system": "You read.", "tools": ["read"]},
        "judge": {"name": "judge", "system": "You judge what others found.", "tools": ["read"]},
    }
    assert team.ignored == ("specialists.reader: color",)
    assert team.plan is not None
    assert (team.plan.name, team.plan.at_once, team.plan.on_failure) == ("reviewers", 5, "stop")
    assert team.plan.tasks[0] == Task("read", "reader", "Read them.", retries=2)
    assert team.plan.reduce == "One list, worst first."
    for arguments in (team.lead, *team.specialists.values()):
        reverie.Agent(**arguments)


def test_a_team_with_little_said(tmp_path: Path) -> None:
    team = read_team(written(tmp_path, SMALL, "readers.toml"))
    assert (team.name, team.task, team.plan, team.ignored) == ("readers", None, None, ())
    assert team.lead == {"name": "readers", "tools": ["*"]}
    written(tmp_path, 'system = "You lead."\n', "lead.toml")
    team = read_team(written(tmp_path, f'[team]\nlead = "lead.toml"\n{SMALL}'))
    assert team.lead == {"name": "lead", "tools": ["*"], "system": "You lead."}


def test_the_examples_of_the_documents_are_read(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "team-files.md"
    [shown] = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    example = textwrap.dedent("".join(re.findall(r"^(?: {4}.*)?\n", team_files.__doc__ or "", re.MULTILINE)))
    written(tmp_path, "Cheap.", "reviews/one.txt")
    written(tmp_path, "You read.", "agents/reader.md")
    for text in (shown, example):
        plan = read_team(written(tmp_path, text)).plan
        assert plan is not None and plan.tasks[0].prompt.endswith("Cheap.")


def test_the_page_of_team_files_says_the_refusal_as_it_is(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "team-files.md"
    needs = {"collect": "judge", "judge": "write", "write": "collect"}
    tasks = "".join(
        f"[[plan.tasks]]\nid = '{id}'\nagent = 'reader'\nprompt = 'x'\ndepends_on = ['{need}']\n"
        for id, need in needs.items()
    )
    with pytest.raises(UsageError) as raised:
        read_team(written(tmp_path, SMALL + tasks))
    assert str(raised.value).replace(f"{tmp_path}/", "") in page.read_text("utf-8")


def mapped(inputs: str, prompt: str = "{input}") -> str:
    return f"{SMALL}[plan.map]\nagent = 'reader'\nprompt = '{prompt}'\ninputs = {inputs}\n"


def prompts(path: Path) -> list[str]:
    plan = read_team(path).plan
    assert plan is not None
    return [task.prompt for task in plan.tasks]


def test_a_plan_over_a_list_over_files_and_over_lines(tmp_path: Path) -> None:
    assert prompts(written(tmp_path, mapped('["a", { b = 1 }]'))) == ["a", '{"b":1}']
    for name in ("b.log", "a.log", "sub/c.log", "d.txt"):
        written(tmp_path, f"{name} {{says}}", f"logs/{name}")
    named = mapped('{ glob = "logs/*.log" }', "{index} {name} {path}")
    assert prompts(written(tmp_path, named)) == ["1 a.log logs/a.log", "2 b.log logs/b.log"]
    read = mapped('{ glob = "logs/**/*.log" }', "{text}")
    assert prompts(written(tmp_path, read)) == ["a.log {says}", "b.log {says}", "sub/c.log {says}"]
    written(tmp_path, '{"name": "Ana"}\n\n"just text"\n', "items.jsonl")
    assert prompts(written(tmp_path, mapped('{ jsonl = "items.jsonl" }'))) == ['{"name":"Ana"}', "just text"]


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, '"one"\n', "team/items.jsonl")
    written(tmp_path, mapped('{ jsonl = "items.jsonl" }'), "team/team.toml")
    monkeypatch.chdir(tmp_path)
    assert prompts(Path("team/team.toml")) == ["one"]


MANY = "".join(f'[specialists.s{n}]\nsystem = "x"\n' for n in range(21))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[team]\nname = \n", ["no TOML", "line 2"]),
        ("", ["specialists", "from 1 to 20, not 0", "[specialists.NAME]"]),
        (MANY, ["specialists", "not 21"]),
        (f"title = 1\n{SMALL}", ["no such key: title", "team, specialists, plan"]),
        (f"[team]\nnam = 1\n{SMALL}", [": team: no such key: nam"]),
        (f"[team]\nname = 3\n{SMALL}", [": team.name: it is 3"]),
        (f"[team]\nlead = 3\n{SMALL}", [": team.lead: it is int, and should be a table"]),
        (f'[team]\nlead = "lead.exe"\n{SMALL}', [": team.lead.file: 'lead.exe' does not end with .md"]),
        ("[specialists]\nreader = 3\n", [": specialists.reader: it is int"]),
        ("[specialists.reader]\nsistem = 'x'\n", [": specialists.reader: no such key: sistem"]),
        ("[specialists.reader]\nmax_tokens = 'x'\n", [": specialists.reader: max_tokens is str"]),
        (
            "[specialists.reader]\ntools = ['telepathy']\n",
            [": specialists.reader.tools: 'telepathy' is none"],
        ),
        ("[specialists.reader]\nname = 'clerk'\n", [": specialists.reader.name: a specialist is called"]),
        (f"plan = 3\n{SMALL}", [": plan: it is int"]),
        (f"{SMALL}[plan]\n", [": plan: tasks or map"]),
        (
            f"{SMALL}[[plan.tasks]]\nid = 'a'\nagent = 'raeder'\nprompt = 'x'\n",
            [": plan.tasks[0].agent: the specialist of task 'a'", "is 'reader' meant?"],
        ),
        (
            f"{SMALL}[[plan.tasks]]\nid = 'a'\nagent = 'reader'\nprompt = 'x'\ndepends_on = ['b']\n",
            [": plan.tasks[0].depends_on[0]: the id of a task"],
        ),
        (f"{SMALL}[plan]\nmap = 3\n", [": plan.map: it is int"]),
        (mapped("{}"), [": plan.map.inputs: it names one source"]),
        (mapped('{ glob = "a", jsonl = "b" }'), [": plan.map.inputs: it names one source"]),
        (mapped('{ csv = "a" }'), [": plan.map.inputs: no such key: csv", "glob, jsonl"]),
        (mapped("{ glob = 3 }"), [": plan.map.inputs.glob: it is 3"]),
        (mapped('{ glob = "*.none" }'), ["'*.none' fits 0 files", "1 to 1000"]),
        (mapped('{ glob = "/etc/*" }'), [": plan.map.inputs.glob: '/etc/*' is no pattern"]),
        (mapped('{ jsonl = "none.jsonl" }'), ["none.jsonl cannot be read"]),
        (mapped('{ jsonl = "bad.jsonl" }'), ["bad.jsonl, line 2: a line is a JSON object or text"]),
        (mapped('{ glob = "*.jsonl" }', "{field}"), [": plan.map.inputs[0]: the field field"]),
    ],
)
def test_a_file_that_is_wrong_says_where_and_what(tmp_path: Path, text: str, words: list[str]) -> None:
    written(tmp_path, '"fine"\n[3]\n', "bad.jsonl")
    with pytest.raises(UsageError) as raised:
        read_team(written(tmp_path, text))
    message = str(raised.value)
    assert "team.toml" in message or "bad.jsonl" in message
    for each in words:
        assert each in message


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        read_team(tmp_path / "none.toml")
    with pytest.raises(NotFound, match=r"team\.toml: specialists\.reader\.file: there is no file .*none\.md"):
        read_team(written(tmp_path, "[specialists.reader]\nfile = 'none.md'\n"))


def test_a_text_that_is_too_long_for_a_prompt_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "x" * 100_001, "long.log")
    with pytest.raises(ReverieError, match=r"long\.log has more than 100000 characters"):
        read_team(written(tmp_path, mapped('{ glob = "*.log" }', "{text}")))


def test_what_a_file_holds_is_never_read_as_a_template(tmp_path: Path) -> None:
    written(tmp_path, "{path} {nothing}", "a.log")
    assert prompts(written(tmp_path, mapped('{ glob = "*.log" }', "{text}"))) == ["{path} {nothing}"]


def test_a_team_file_names_no_functions(tmp_path: Path) -> None:
    """It may come from anywhere, and a function runs outside the sandbox."""
    with pytest.raises(UsageError, match="'os:system' is none of"):
        read_team(written(tmp_path, "[specialists.reader]\ntools = ['os:system']\n"))
