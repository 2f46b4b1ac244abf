"""Agents in files."""

from __future__ import annotations

from pathlib import Path

import pytest

import reverie
from reverie.agents.files import read_agent
from reverie.domain.errors import NotFound, UsageError


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


MARKDOWN = """---
name: clerk
description: files documents
model: ollama:qwen3
tools: Read, Bash, WebFetch, TodoWrite
memory: lessons, notes
color: blue
---

You file documents.
"""

TOML = """
name = "clerk"
description = "files documents"
model = "ollama:qwen3"
tools = ["read", "bash", "web_fetch"]
memory = ["lessons", "notes"]
system = "You file documents."
"""


def test_markdown_and_toml_say_the_same(tmp_path: Path) -> None:
    first = read_agent(written(tmp_path, "a.md", MARKDOWN))
    second = read_agent(written(tmp_path, "a.toml", TOML))
    assert dict(first.arguments) == dict(second.arguments)
    assert first.ignored == ["color", "tool TodoWrite"]
    assert second.ignored == []
    definition = reverie.Agent.from_file(tmp_path / "a.md", name="other").definition
    assert (definition.name, definition.system) == ("other", "You file documents.")
    assert definition.built_in == ["read", "bash", "web_fetch"]


@pytest.mark.parametrize("model", ["inherit", "sonnet", "opus"])
def test_an_agent_of_claude_code_runs_with_the_model_that_is_configured_here(
    tmp_path: Path, model: str
) -> None:
    text = f"---\nname: reviewer\ndescription: reviews\nmodel: {model}\n---\nYou review.\n"
    found = read_agent(written(tmp_path, "reviewer.md", text))
    assert dict(found.arguments) == {
        "name": "reviewer",
        "description": "reviews",
        "system": "You review.",
        "tools": ["*"],
    }


def test_a_file_without_front_matter_is_a_system_prompt(tmp_path: Path) -> None:
    found = read_agent(written(tmp_path, "poet.md", "You write poems.\n"))
    assert dict(found.arguments) == {"name": "poet", "system": "You write poems.", "tools": ["*"]}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", 'nam = "x"', "no such key: nam"),
        ("a.toml", "name = 3", "name is int, and should be str"),
        ("a.toml", "max_tokens = true", "max_tokens is bool"),
        ("a.toml", "name = ", "no TOML"),
        ("a.md", "---\nname: [x\n---\n", "no YAML"),
        ("a.md", "---\nmcp_servers: here\n---\n", "mcp_servers is str, and should be dict"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        read_agent(written(tmp_path, name, text))
    assert name in str(raised.value)


def test_a_toml_file_with_an_unknown_tool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'telepathy' is none of: bash"):
        reverie.Agent.from_file(written(tmp_path, "a.toml", 'tools = ["telepathy"]'))


def test_a_file_names_no_functions(tmp_path: Path) -> None:
    """It may come from anywhere, and a function runs outside the sandbox."""
    with pytest.raises(UsageError):
        reverie.Agent.from_file(written(tmp_path, "a.toml", 'tools = ["os:system"]'))
    assert read_agent(written(tmp_path, "a.md", "---\ntools: [os:system]\n---\n")).ignored == [
        "tool os:system"
    ]


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        read_agent(tmp_path / "none.md")
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        read_agent(tmp_path / "bytes.md")
