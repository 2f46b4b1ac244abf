"""The reviewer's desk, one key at a time."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

import reverie
from reverie.cli.review import Desk

Pending = Callable[[], list[dict[str, Any]]]


def press(keys: str) -> Callable[[], str]:
    """Gives the keys one by one; asking for more than there are fails the test."""
    left: Iterator[str] = iter(keys)
    return lambda: next(left)


@pytest.fixture
def desk(cli: Cli, dreamed: Pending) -> Iterator[Desk]:
    ids = [proposal["id"] for proposal in dreamed()]
    with reverie.open(cli.db) as rv:
        yield Desk(rv, "ana", ids)


def test_approve_then_quit(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(press("aq"))
    first = desk.rv.review.get(desk.pile[0])
    assert first.status == "approved"
    assert first.decision is not None
    assert first.decision.by == "ana"
    shown = capsys.readouterr().out
    assert "“" in shown
    assert "1 decided" in shown


def test_skip_leaves_it_waiting(desk: Desk) -> None:
    desk.run(press("sq"))
    assert desk.rv.review.get(desk.pile[0]).status == "pending"


def test_reject_asks_why(desk: Desk) -> None:
    desk.run(press("r3q"))
    decision = desk.rv.review.get(desk.pile[0]).decision
    assert decision is not None
    assert decision.reason == "too_broad"


def test_reject_without_a_reason_decides_nothing(desk: Desk) -> None:
    desk.run(press("rxq"))
    assert desk.rv.review.get(desk.pile[0]).status == "pending"


def test_undo_goes_back_to_it(desk: Desk) -> None:
    desk.run(press("auq"))
    assert desk.rv.review.get(desk.pile[0]).status == "reverted"
    assert desk.rv.memory.list("default") == []


def test_undo_with_nothing_decided(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(press("uq"))
    assert "nothing was decided" in capsys.readouterr().out


def test_evidence_shows_the_transcript_around_a_quote(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(press("vq"))
    shown = capsys.readouterr().out
    assert "▶" in shown
    assert "reverie sessions show sesn_" in shown


def test_edit_then_approve(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf '# Mine\\n' > \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(editor))
    desk.run(press("eq"))
    first = desk.rv.review.get(desk.pile[0])
    assert first.status == "modified"
    assert desk.rv.memory.read("default", first.path).content == "# Mine\n"


def test_a_conflict_is_shown_and_can_be_settled_in_the_editor(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = desk.rv.review.get(desk.pile[0])
    desk.rv.memory.write("default", first.path, "# Somebody was here first\n", actor="bo")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ngrep -q \'Somebody was here\' "$1" && echo settled > "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VISUAL", str(editor))
    desk.run(press("aeq"))
    assert "<<<<<<< memory" in capsys.readouterr().out
    assert desk.rv.memory.read("default", first.path).content == "settled\n"
    assert desk.rv.review.get(first.id).status == "modified"


def test_an_editor_that_fails_decides_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "false")
    desk.run(press("eq"))
    assert desk.rv.review.get(desk.pile[0]).status == "pending"


def test_somebody_else_decided_meanwhile(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.rv.reject(desk.pile[0], reason="wrong", by="bo")
    desk.run(press("aq"))
    assert "bo" in capsys.readouterr().out
    assert desk.rv.review.get(desk.pile[0]).status == "rejected"


def test_odd_keys_do_nothing(desk: Desk) -> None:
    desk.run(press("zé?\x1b"))
    assert desk.rv.review.get(desk.pile[0]).status == "pending"
