"""The reference of the tools does not lie: its inputs and bounds are those in force."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from reverie.plugins import TOOLS, Tool, load
from reverie.tools import (
    bash,
    fetching,
    files,
    mcp,
    mcp_wire,
    pages,
    searching,
    searxng,
    shell,
    spilling,
    web,
)
from reverie.workspaces.tools import BUILT_IN

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "tools.md").read_text("utf-8")
TOOL_ROWS = re.findall(r"^\| `(\w+)` \| (.+?) \| (yes|no) \| (.+?) \|$", PAGE, flags=re.M)
BOUNDS = dict(re.findall(r"^\| ([^|`]+|`glob`) \| ([^|]*\d[^|]*) \|$", PAGE, flags=re.M))
INSTALLED: dict[str, Any] = {name: cast(Any, made)() for name, made in load(TOOLS).items()}


def test_every_built_in_tool_of_the_wire_is_installed_and_told_of() -> None:
    assert {row[0] for row in TOOL_ROWS} == set(INSTALLED) == set(BUILT_IN)
    for name, tool in INSTALLED.items():
        assert isinstance(tool, Tool)
        assert tool.spec.name == name


@pytest.mark.parametrize("row", TOOL_ROWS, ids=lambda row: row[0])
def test_inputs_and_repeats_are_those_in_force(row: tuple[str, str, str, str]) -> None:
    name, inputs, again, auto = row
    schema = INSTALLED[name].spec.input_schema
    told = [f"`{field}{'' if field in schema['required'] else '?'}`" for field in schema["properties"]]
    assert inputs == ", ".join(told)
    assert (again == "yes") is INSTALLED[name].repeatable
    input = {"file_path": "a", "command": "ls"}
    assert auto.startswith(INSTALLED[name].risk(input)) or name == "bash"


def mib(size: int) -> str:
    return f"{size >> 20} MiB"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("text in one answer, of any tool", [f"{spilling.MOST:,} characters", f"first and last {spilling.SHOWN:,}"]),
        ("one such file", [mib(spilling.FILE_BYTES)]),
        ("a command", [f"{bash.DEFAULT_TIMEOUT_MS // 1000} s", f"at most {bash.LONGEST_TIMEOUT_MS // 1000} s"]),
        ("what a command writes", [mib(bash.MOST_OUTPUT), "16 KiB"]),
        ("a shell's variables and functions", [mib(shell.MAX_STATE)]),
        ("a text that is read or edited whole", [f"{files.TEXT_BYTES >> 10} KiB"]),
        ("an image", [f"{spilling.IMAGE_BYTES:,} bytes"]),
        ("a PDF", [mib(spilling.PDF_BYTES)]),
        ("`glob`", [f"the newest {searching.MOST_PATHS}"]),
        ("a search", [f"{searching.MOST_ENTRIES:,} files", f"{searching.PATIENCE_S:g} s"]),
        (
            "a page from the web",
            [mib(fetching.MOST_PAGE_BYTES), f"{pages.LONGEST:,} ch", f"{fetching.TIMEOUT_S:g} s", f"{fetching.MOST_HOPS} r"],
        ),
        ("results of a web search", [str(web.MOST_RESULTS)]),
        ("an answer of an MCP server", [mib(mcp_wire.MOST_BYTES)]),
        ("tools of an MCP server", [f"{mcp.MOST_TOOLS:,}"]),
    ],
)  # fmt: skip
def test_bounds_are_those_in_force(what: str, said: list[str]) -> None:
    assert all(word in BOUNDS[what] for word in said)


def test_every_bound_is_checked_above() -> None:
    assert len(BOUNDS) == 14


def test_names_are_right() -> None:
    assert f"`${searxng.VARIABLE}`" in PAGE
    assert "`reverie.searchers`" in PAGE
