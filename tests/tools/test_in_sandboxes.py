"""The tools in real sandboxes: the same as in a bare folder, and nothing beyond the mounts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.tools.conftest import text_of
from tests.tools.rooms import surroundings

from reverie.domain.messages import Text
from reverie.environments.bubblewrap import Bubblewrap
from reverie.environments.landlock import Landlocked
from reverie.plugins import Environment, Mount, Output, Sandbox, SandboxSpec
from reverie.tools.bash import MOST_OUTPUT, Bash
from reverie.tools.files import Edit, Read, Write
from reverie.tools.searching import Glob, Grep
from reverie.tools.spilling import MOST, spill

Story = Callable[..., Any]


@pytest.fixture(params=[Bubblewrap, Landlocked], scope="module")
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.param()
    obstacle = found.obstacle()
    if obstacle is not None:
        pytest.skip(f"{found.name}: {obstacle}")
    return found


@pytest.fixture
def sandbox(environment: Environment, tmp_path: Path) -> Sandbox:
    tmp_path.chmod(0o755)
    mounts = []
    for name, inside, writable in [
        ("workspace", "/workspace", True),
        ("spill", "/mnt/session/spill", True),
        ("memory", "/mnt/memory/notes", False),
    ]:
        (tmp_path / name).mkdir()
        mounts.append(Mount(tmp_path / name, inside, writable))
    (tmp_path / "memory" / "a.md").write_text("remembered\n")
    return environment.open(SandboxSpec("room", mounts))


def told(sandbox: Sandbox, *calls: tuple[Any, dict[str, Any]]) -> list[Output]:
    """What each of some calls gave, made one after the other in one session."""
    where = surroundings(sandbox)  # type: ignore[arg-type]

    async def story() -> list[Output]:
        try:
            return [await tool.call(input, where) for tool, input in calls]
        finally:
            await sandbox.close()

    return asyncio.run(story())


def commands(sandbox: Sandbox, *lines: str) -> list[str]:
    return [text_of(output) for output in told(sandbox, *((Bash(), {"command": line}) for line in lines))]


def test_the_shell_goes_on_from_call_to_call(sandbox: Sandbox) -> None:
    assert commands(
        sandbox,
        "pwd; mkdir -p sub && cd sub; x=1; export y='a b'; f() { echo \"f $1\"; }; exit 3",
        'pwd; echo "$x $y"; f 2; touch made',
        "unset PATH; set -e; false",
        'echo "${PATH-none}"; kill -9 $$',
        "echo $x",
        "cat",
        "PATH=/usr/bin:/bin; sleep 100 & (sleep 50 &) ; cat",
    ) == [
        "Exit code 3\n/workspace",
        "/workspace/sub\n1 a b\nf 2",
        "Exit code 1",
        "Exit code 137 (killed by SIGKILL)\nnone",
        "1",
        "Exit code 127\nbash: line 1: cat: No such file or directory",
        "(no output)",
    ]


def test_files_are_the_same_for_the_shell_and_for_the_tools(sandbox: Sandbox) -> None:
    outputs = told(
        sandbox,
        (Write(), {"file_path": "src/a.py", "content": "def f():\n    return 1\n"}),
        (
            Bash(),
            {"command": "cat src/a.py && echo '# new' >> src/a.py && mkfifo fifo && ln -s /etc/passwd link"},
        ),
        (Edit(), {"file_path": "/workspace/src/a.py", "old_string": "return 1", "new_string": "return 2"}),
        (Read(), {"file_path": "src/a.py"}),
        (Glob(), {"pattern": "**/*"}),
        (Grep(), {"pattern": "return|root"}),
        (Grep(), {"pattern": "remember", "path": "/mnt/memory"}),
        (Read(), {"file_path": "link"}),
        (Read(), {"file_path": "fifo"}),
        (Write(), {"file_path": "/mnt/memory/notes/b.md", "content": "x"}),
        (Write(), {"file_path": "/etc/x", "content": "x"}),
        (Bash(), {"command": "ls src; whoami >/dev/null; cat src/a.py"}),
    )
    said = [text_of(output) for output in outputs]
    assert said[1] == "def f():\n    return 1"
    assert said[3] == "     1\tdef f():\n     2\t    return 2\n     3\t# new"
    assert sorted(said[4].splitlines()) == ["fifo", "link", "src/", "src/a.py"]
    assert said[5] == "src/a.py:2:    return 2"
    assert said[6] == "/mnt/memory/notes/a.md:1:remembered"
    assert [output.is_error for output in outputs[7:11]] == [True] * 4
    assert said[11] == "a.py\ndef f():\n    return 2\n# new"


def test_fifty_megabytes_come_to_an_end_and_to_a_file(sandbox: Sandbox) -> None:
    where = surroundings(sandbox)  # type: ignore[arg-type]
    command = "yes 0123456789 | head -c 50000000; echo; echo the end"

    async def story() -> tuple[Output, Output]:
        output = await Bash().call({"command": command}, where)
        short = await spill(output, sandbox, "toolu_1")
        path = "/mnt/session/spill/toolu_1.txt"
        assert path in text_of(short)
        return output, await Read().call({"file_path": path, "view_range": [1, 2]}, where)

    output, begun = asyncio.run(story())
    assert MOST_OUTPUT < len(text_of(output)) < MOST_OUTPUT + 20_000
    assert text_of(output).endswith("the end")
    assert text_of(begun) == "     1\t0123456789\n     2\t0123456789"
    assert len(text_of(asyncio.run(spill(Output([Text("x" * (MOST + 1))]), sandbox, "t")))) < MOST


def test_a_timeout_and_a_cancelled_call_leave_nothing(sandbox: Sandbox) -> None:
    where = surroundings(sandbox)  # type: ignore[arg-type]

    async def story() -> list[str]:
        late = await Bash().call({"command": "x=1; sleep 60", "timeout_ms": 300}, where)
        task = asyncio.create_task(Bash().call({"command": "(sleep 0.6; touch survived) & sleep 60"}, where))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        after = await Bash().call({"command": "sleep 0.5; ls; echo ${x-nothing}"}, where)
        return [text_of(late), text_of(after)]

    assert asyncio.run(story()) == ["Timed out after 0.3 s, and was killed.", "nothing"]
