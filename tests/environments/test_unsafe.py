"""No sandbox at all: off unless it is allowed, and then as like the others as can be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.environments import test_bubblewrap as common
from tests.environments.conftest import Hut
from tests.environments.test_bubblewrap import processes

from reverie.domain.errors import SandboxFailed
from reverie.environments.report import report
from reverie.environments.unsafe import Unsafe
from reverie.plugins import Environment, Injected, Mount, SandboxSpec

mark = common.mark
ALLOWED = {"REVERIE_ALLOW_UNSAFE_SANDBOX": "1", "PATH": os.environ["PATH"], "OPENAI_API_KEY": "sk-1"}


@pytest.fixture
def hut(tmp_path: Path) -> Iterator[Hut]:
    return Hut(Unsafe(variables=ALLOWED), tmp_path)  # type: ignore[arg-type, return-value]


# ------------------------------------------------------------------ as in a sandbox

test_a_command_reads_writes_and_ends = common.test_a_command_reads_writes_and_ends
test_a_signal_is_negative_and_a_missing_command_127 = (
    common.test_a_signal_is_negative_and_a_missing_command_127
)
test_large_input_and_long_commands = common.test_large_input_and_long_commands
test_the_output_is_told_as_it_comes = common.test_the_output_is_told_as_it_comes
test_an_error_of_whoever_listens_kills_the_command = common.test_an_error_of_whoever_listens_kills_the_command
test_a_flood_is_counted_and_not_kept = common.test_a_flood_is_counted_and_not_kept
test_closing_kills_and_tells = common.test_closing_kills_and_tells


def test_a_command_is_ended_with_its_group(hut: Hut, mark: str) -> None:
    finished = hut.bash(f"sleep {mark} & sleep {mark}", timeout_s=0.3)
    assert finished.timed_out and finished.exit_code == -9
    assert hut.bash(f"sleep {mark} & echo on").output == b"on\n"
    assert processes(mark) == []


def test_a_cancelled_command_is_killed(hut: Hut, mark: str) -> None:
    async def main() -> None:
        running = asyncio.create_task(hut.open().run(["bash", "-c", f"sleep {mark} & sleep {mark}"]))
        while len(processes(mark)) < 3:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert processes(mark) == []


# ------------------------------------------------------------------ what is its own


@pytest.mark.parametrize("said", [{}, {"REVERIE_ALLOW_UNSAFE_SANDBOX": "true"}])
def test_it_is_off_unless_it_is_allowed(said: dict[str, str], tmp_path: Path) -> None:
    environment = Unsafe(variables=said)
    assert "REVERIE_ALLOW_UNSAFE_SANDBOX=1" in (environment.obstacle() or "")
    with pytest.raises(SandboxFailed):
        environment.open(SandboxSpec("x", [Mount(tmp_path, "/workspace")]))
    assert isinstance(environment, Environment) and "without a sandbox" in environment.notice
    [line] = report({"unsafe-local": environment})
    assert line.reduced and line.obstacle


def test_keys_of_the_server_and_secrets_are_not_handed_on(tmp_path: Path) -> None:
    spec = SandboxSpec(
        "x", [Mount(tmp_path, "/workspace")], variables={"A": "1"}, secrets=[Injected("KEY", "sk-2-secret")]
    )
    shown = asyncio.run(Unsafe(variables=ALLOWED).open(spec).run(["env"], variables={"B": "2"})).output
    assert b"sk-" not in shown and b"KEY=reverie-secret-" in shown
    assert {b"A=1", b"B=2"} <= set(shown.splitlines())


def test_commands_run_in_the_real_folder_and_files_have_two_names(hut: Hut) -> None:
    sandbox, real = hut.open(), hut.folder / "workspace"
    sandbox.write("in/a.txt", b"abc")
    finished = asyncio.run(
        sandbox.run(["bash", "-c", "pwd; cat a.txt; ln -s /etc out; echo b > b"], cwd="in")
    )
    assert finished.output == f"{real}/in\nabc".encode()
    assert (
        sandbox.read("/workspace/in/a.txt", offset=1, limit=1)
        == sandbox.read(f"{real}/in/a.txt")[1:2]
        == b"b"
    )
    shown = [(each.path, each.kind) for each in sandbox.walk("/workspace")]
    assert shown == [
        ("/workspace/in", "folder"),
        ("/workspace/in/a.txt", "file"),
        ("/workspace/in/b", "file"),
        ("/workspace/in/out", "link"),
    ]
    assert len(list(sandbox.walk("/workspace", limit=2))) == 2
    assert sandbox.facts("in/a.txt").size == 3
    sandbox.delete("in")
    with pytest.raises(FileNotFoundError):
        sandbox.facts("in")


def test_a_path_that_leads_out_is_not_there(hut: Hut) -> None:
    sandbox = hut.open()
    (hut.folder / "workspace" / "out").symlink_to("/etc")
    for path in ("out/passwd", "../../etc/passwd", "/etc/passwd", f"{hut.folder}/other", "/mnt/memory"):
        with pytest.raises(FileNotFoundError):
            sandbox.read(path)
        with pytest.raises(FileNotFoundError):
            sandbox.write(path, b"x")
    with pytest.raises(PermissionError):
        sandbox.write("/mnt/session/uploads/plan.txt", b"x")
    with pytest.raises(PermissionError):
        sandbox.delete("/mnt/session/uploads/plan.txt")
    assert sandbox.read("/mnt/session/uploads/plan.txt") == b"the plan"
    sandbox.delete("out")
    assert Path("/etc/passwd").exists()


def test_what_cannot_be_started_says_so(hut: Hut) -> None:
    for argv, cwd in (([], None), (["a\0b"], None), (["pwd"], "nowhere")):
        with pytest.raises(SandboxFailed):
            asyncio.run(hut.open().run(argv, cwd=cwd))
