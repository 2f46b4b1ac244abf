"""A memory on trial in the folder of a session: there, or not there, and never mistaken for one that was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.dreaming.trials.trying import HALF, LORE, Time, house, managed, row_of

from reverie.app import Reverie
from reverie.domain.trials import Trial

OTHER = "/other.md"


@pytest.fixture
def here(sqlite_url: str) -> Iterator[tuple[Reverie, Time, Trial]]:
    time = Time("2026-03-01 09:00")
    with house(sqlite_url, time) as rv:
        for path in (LORE, OTHER):
            rv.memory.write("default", path, f"what {path} says\n", actor="ana")
        trial = rv.trials.begin(LORE, by="ana", terms=HALF)
        time.go(minutes=1)
        yield rv, time, trial


def opened(rv: Reverie, seen: bool) -> tuple[str, Any, Any, Path]:
    """A session that sees the memory, or one that does not: its id and body, its folders, its memory."""
    for _ in range(50):
        id, body = managed(rv)
        mounted = rv.mount(id, body)
        folder = memory_of(mounted)
        if (folder / LORE[1:]).exists() == seen:
            return id, body, mounted, folder
    raise AssertionError("the coin always falls alike")


def memory_of(mounted: Any) -> Path:
    return next(mount.folder for mount in mounted.spec.mounts if mount.inside.startswith("/mnt/memory/"))


def text_of(rv: Reverie, path: str = LORE) -> str | None:
    found = rv.memory.find("default", path)
    return None if found is None else found.content


def test_it_is_there_or_not_and_that_is_written_down(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = here
    for seen in (True, False):
        id, body, mounted, folder = opened(rv, seen)
        assert (LORE[1:] in mounted.briefing) == seen and OTHER[1:] in mounted.briefing
        assert (folder / OTHER[1:]).exists()
        assert row_of(rv, trial, id).seen == seen
        again = rv.mount(id, body)  # another process, after a crash
        assert (memory_of(again) / LORE[1:]).exists() == seen


def test_what_is_not_shown_was_not_deleted(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, _ = here
    _, _, mounted, folder = opened(rv, seen=False)
    (folder / "mine.md").write_text("new\n")
    (folder / OTHER[1:]).unlink()
    assert mounted.push() == []
    assert text_of(rv, "/mine.md") == "new\n" and text_of(rv, OTHER) is None
    assert text_of(rv) == f"what {LORE} says\n"


def test_a_file_of_that_name_stays_in_the_folder_and_overwrites_nothing(
    here: tuple[Reverie, Time, Trial],
) -> None:
    rv, time, trial = here
    _, _, mounted, folder = opened(rv, seen=False)
    (folder / LORE[1:]).write_text("mine\n")
    (trouble,) = mounted.push()
    assert "use another name" in trouble.message and trouble.kind == "invalid_memory"
    assert mounted.push() == [] and mounted.pull() == []  # told once
    assert (folder / LORE[1:]).read_text() == "mine\n" and text_of(rv) == f"what {LORE} says\n"
    (folder / LORE[1:]).write_text("mine, changed\n")
    assert len(mounted.push()) == 1
    (folder / LORE[1:]).unlink()
    assert mounted.push() == [] and text_of(rv) == f"what {LORE} says\n"
    time.go(minutes=1)
    rv.trials.end(trial.id, by="ana")
    mounted.pull()
    assert (folder / LORE[1:]).read_text() == f"what {LORE} says\n"


def test_when_it_becomes_visible_nobodys_text_is_lost(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = here
    id, body, mounted, folder = opened(rv, seen=False)
    (folder / LORE[1:]).write_text("mine\n")
    mounted.push()
    rv.trials.end(trial.id, by="ana")
    (told,) = [each for each in mounted.pull() if each.kind == "sync_conflict"]
    assert (folder / LORE[1:]).read_text() == text_of(rv) == f"what {LORE} says\n"
    kept = [p for p in Path(folder).parents[1].rglob("*") if p.is_file() and p.read_bytes() == b"mine\n"]
    assert kept and LORE[1:] in told.message
    assert row_of(rv, trial, id).seen is False and body is not None


def test_a_withdrawn_memory_leaves_a_session_that_is_under_way(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = here
    _, _, mounted, folder = opened(rv, seen=True)
    rv.trials.withdraw(trial.id, by="ana")
    assert mounted.pull() == []
    assert not (folder / LORE[1:]).exists() and (folder / OTHER[1:]).exists()
    assert mounted.push() == []
    assert text_of(rv) == f"what {LORE} says\n"  # memory has it still: a person decides
    rv.trials.resume(trial.id, by="ana")
    mounted.pull()
    assert (folder / LORE[1:]).exists()


def test_an_unkept_change_of_a_withdrawn_memory_is_put_aside(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = here
    _, _, mounted, folder = opened(rv, seen=True)
    (folder / LORE[1:]).write_text("better\n")
    rv.trials.withdraw(trial.id, by="ana")
    mounted.pull()
    assert not (folder / LORE[1:]).exists() and text_of(rv) == f"what {LORE} says\n"
    assert any(p.is_file() and p.read_bytes() == b"better\n" for p in folder.parents[1].rglob("*"))


def test_a_deletion_by_who_saw_it_is_one(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = here
    _, _, mounted, folder = opened(rv, seen=True)
    (folder / LORE[1:]).unlink()
    mounted.push()
    assert text_of(rv) is None
    assert rv.trials.look() == [] and rv.trials.get(trial.id).why == "the memory was deleted"


def test_a_specialist_and_a_copy_share_the_sessions_memory(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, _ = here
    id, _, mounted, folder = opened(rv, seen=False)
    area = mounted.fork("helper")
    mounts = {m.inside: m.folder for m in area.spec.mounts}
    assert [each for inside, each in mounts.items() if inside.startswith("/mnt/memory/")] == [folder]
    assert LORE[1:] not in area.briefing and id in str(folder)


def test_whose_worker_reads_the_store_is_in_no_trial(here: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = here
    for _ in range(12):
        id, body = managed(rv, config={"type": "self_hosted"})
        mounted = rv.mount(id, body)
        assert LORE[1:] in mounted.briefing and row_of(rv, trial, id) is None
    rv.trials.withdraw(trial.id, by="ana")
    id, body = managed(rv, config={"type": "self_hosted"})
    assert LORE[1:] not in rv.mount(id, body).briefing
