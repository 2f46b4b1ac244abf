"""The reference of checks names each key that there is, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from reverie.outcomes.checks.specs import KINDS, checked

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "checks.md").read_text("utf-8")


def test_every_key_stands_in_the_reference() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)(?: = true)?`", row.split("|")[1])}
    assert told == {name for form in KINDS.values() for name in form.__struct_fields__} - {"kind"}


def test_the_table_of_documents_is_right() -> None:
    header = next(line for line in PAGE.splitlines() if line.startswith("| key | docx"))
    kinds = [cell.strip() for cell in header.split("|")[2:6]]
    for row in PAGE[PAGE.index(header) :].splitlines()[2:]:
        if not row.startswith("|"):
            break
        cells = row.split("|")
        for name in re.findall(r"`([a-z_]+)`", cells[1]):
            for kind, mark in zip(kinds, cells[2:6], strict=True):
                assert (name in KINDS[kind].__struct_fields__) == (mark.strip() == "✓"), (name, kind)


def test_the_example_is_a_check() -> None:
    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        assert checked(tomllib.loads(block)).kind == "docx"
