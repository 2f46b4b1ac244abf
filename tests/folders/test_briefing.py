"""What an agent is told of its folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.folders.rooms import World

from reverie.folders.briefing import INDEX_CHARACTERS, headline


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path, clock: Any, entropy: Callable[[int], bytes]) -> Iterator[World]:
    made = World(sqlite_url, tmp_path / "files", clock, entropy)
    yield made
    made.close()


def test_stores_are_told_with_what_they_are_for_and_what_is_in_them(world: World) -> None:
    world.fill(
        {
            "/style.md": "---\ndescription: When you write code.\n---\n\n# Style\n\nTabs.\n",
            "/deploy/steps.md": "# How to deploy\n\nSlowly.\n",
            "/empty.md": "",
        }
    )
    guide = world.house.stores.create("Guide", "", actor="test").id
    told = world.open(
        world.session(
            {"type": "memory_store", "memory_store_id": world.store, "instructions": "Note every surprise."},
            {"type": "memory_store", "memory_store_id": guide, "access": "read_only"},
        )
    ).briefing
    assert "## Notes & Lore: /mnt/memory/notes-lore (read and write)" in told
    assert "what we know" in told and "Note every surprise." in told
    assert "- deploy/steps.md: How to deploy\n- empty.md\n- style.md: When you write code." in told
    assert "## Guide: /mnt/memory/guide (read only)\n\nIt is empty." in told
    assert "may be stale" in told and told.count("You may write here") == 1


def test_an_index_has_an_end_and_says_what_is_left_out(world: World) -> None:
    world.fill({f"/{n:04}.md": f"{n} " + "words " * 60 for n in range(300)})
    told = world.open(world.attached()).briefing
    listed = [line for line in told.splitlines() if line.startswith("- 0")]
    assert sum(len(line) + 1 for line in listed) <= INDEX_CHARACTERS
    assert listed[0].startswith("- 0000.md: 0 words words") and listed[0].endswith("…")
    assert f"… and {300 - len(listed)} more" in told
    assert len(told) < INDEX_CHARACTERS + 1_500


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# Title\n\nbody", "Title"),
        ("\n\n   first line  \nsecond", "first line"),
        ("---\nkind: note\n---\n\n## Heading\n", "Heading"),
        ('---\nkind: note\ndescription: "When it rains"\n---\nbody', "When it rains"),
        ("---\nnot: closed\n", "---"),
        ("\ufeff# With a mark\r\nx", "With a mark"),
        ("a\u202eb\x07c\u2028d", "a b c d"),
        ("x" * 500, "x" * 159 + "…"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_what_a_memory_is_about(text: str, told: str) -> None:
    assert headline(text) == told
