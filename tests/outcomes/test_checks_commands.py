"""Commands of checks run in the sandbox that is given, and nothing that they do makes one pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from reverie.domain.errors import SandboxFailed
from reverie.domain.outcomes import Criterion, CriterionVerdict, Work
from reverie.environments.bubblewrap import Bubblewrap
from reverie.environments.landlock import Landlocked
from reverie.outcomes.checks.running import run_checks
from reverie.outcomes.checks.specs import checked
from reverie.outcomes.files import Folder
from reverie.plugins import Environment, Mount, Sandbox, SandboxSpec

Judge = Callable[..., Sequence[CriterionVerdict]]


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = Bubblewrap() if request.param == "bubblewrap" else Landlocked()
    if (obstacle := environment.obstacle()) is not None:
        pytest.skip(f"{request.param}: {obstacle}")
    return environment


@pytest.fixture
def judge(environment: Environment, tmp_path: Path) -> Judge:
    """Runs checks over a copy of the work, in a sandbox without network."""
    copy = tmp_path / "copy"
    copy.mkdir()
    (tmp_path / "outside.txt").write_text("outside")

    def judge(*told: dict[str, Any]) -> Sequence[CriterionVerdict]:
        criteria = [Criterion(f"c{n}", "", check=checked(it)) for n, it in enumerate(told)]

        async def run() -> Sequence[CriterionVerdict]:
            sandbox = environment.open(SandboxSpec("checks", [Mount(copy, "/workspace")]))
            try:
                return await run_checks(criteria, Work(), Folder(copy), sandbox)
            finally:
                await sandbox.close()

        return asyncio.run(run())

    return judge


def test_a_command_is_judged_by_its_exit_code_and_its_output(judge: Judge) -> None:
    verdicts = judge(
        {"command": "true"},
        {"command": "exit 3", "exit": 3},
        {"command": "echo 12 passed; echo odd >&2", "output": r"^\d+ passed$"},
        {"command": "echo wrong: line 3; exit 1"},
        {"command": "echo 11 failed", "output": "passed"},
        {"command": "no-such-program"},
    )
    assert [verdict.met for verdict in verdicts] == [True, True, True, False, False, False]
    assert "must end with exit code 0; it ended with 1. It wrote: wrong: line 3" in verdicts[3].change
    assert "must write what matches `passed`. It wrote: 11 failed" in verdicts[4].change
    assert "it ended with 127" in verdicts[5].change


def test_a_command_that_hangs_is_killed_with_all_that_it_started(judge: Judge, tmp_path: Path) -> None:
    late = "(sleep 2; echo late > late.txt) & sleep 60"
    first, second = judge({"command": late, "timeout": 0.5}, {"command": "sleep 2.5; test ! -e late.txt"})
    assert "must end within 0.5 s; it was stopped" in first.change
    assert second.met


def test_a_command_that_floods_is_cut(judge: Judge) -> None:
    (verdict,) = judge({"command": "yes flood | head -c 50000000; exit 1", "output": "never"})
    assert not verdict.met
    assert len(verdict.change) <= 4_000
    assert "Only its first 262,144 bytes were looked at" in verdict.change


def test_a_command_does_not_leave_its_sandbox(judge: Judge, tmp_path: Path) -> None:
    away = tmp_path / "outside.txt"
    verdicts = judge(
        {"command": f"echo broken > {away}"},
        {"command": f"cat {away} /workspace/../{away}", "output": "outside"},
        {"command": "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 22), 2)'"},
        {"command": "ln -s /etc/shadow report.md && cat report.md"},
    )
    assert [verdict.met for verdict in verdicts] == [False] * 4
    assert away.read_text() == "outside"


def test_commands_do_not_change_what_other_checks_see(judge: Judge) -> None:
    """They run in their order in one copy; files are read before."""
    verdicts = judge(
        {"command": "echo made > made.md"},
        {"command": "cat made.md", "output": "made"},
        {"file": "made.md"},
        {"file": "*.md", "absent": True},
    )
    assert [verdict.met for verdict in verdicts] == [True, True, False, True]


def test_what_a_command_writes_is_told_without_what_nobody_sees(judge: Judge) -> None:
    (verdict,) = judge({"command": r"printf 'a\033[8mhid\033[0m\342\200\213b'; exit 1"})
    assert verdict.change.endswith("It wrote: ahidb")


class Broken:
    """A sandbox that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def run(self, argv: Sequence[str], **options: object) -> object:
        raise self.error


@pytest.mark.parametrize(
    "error", [SandboxFailed("no room"), OSError(28, "no space"), TimeoutError(), ValueError("odd")]
)
def test_a_sandbox_that_fails_satisfies_nothing(tmp_path: Path, error: Exception) -> None:
    sandbox: Any = Broken(error)
    given: Sandbox = sandbox
    criterion = Criterion("c", "", check=checked({"command": "true"}))
    (verdict,) = asyncio.run(run_checks([criterion], Work(), Folder(tmp_path), given))
    assert verdict.status == "not_satisfied"
    assert verdict.reason
    assert verdict.change == ""
