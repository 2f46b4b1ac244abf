"""Commands in a sandbox: what they give, what they may take, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.environments.conftest import Hut

from reverie.domain.errors import SandboxFailed
from reverie.environments.bubblewrap import Bubblewrap, BubblewrapSandbox
from reverie.plugins import Limits, Mount, Network, SandboxSpec

SOON_S = 10.0


def eventually(true: Callable[[], bool]) -> bool:
    """The kernel takes its time: whether it is so before long."""
    until = time.monotonic() + SOON_S
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.01)
    return False


def processes(mark: str) -> list[int]:
    """Those whose command line has the mark in it."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "cmdline").read_text(errors="replace"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def children(pid: int) -> dict[int, str]:
    """States of a process's children (``Z`` is a zombie)."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid:
            found[int(folder.name)] = state
    return found


def spawner_of(environment: Bubblewrap) -> int:
    """The process that starts sandboxes, which is the child of its guardian."""
    guardian = environment._spawner.pid
    assert guardian is not None
    (spawner,) = children(guardian)
    return spawner


@pytest.fixture
def mark() -> str:
    """A number of seconds that nobody else sleeps for."""
    return f"{1000 + secrets.randbelow(1000)}.{secrets.randbelow(10**9):09}"


# ------------------------------------------------------------------ what a command gives


def test_a_command_reads_writes_and_ends(hut: Hut) -> None:
    finished = hut.bash("cat; echo err >&2; echo out; exit 3", stdin=b"in\n")
    assert (finished.exit_code, finished.output) == (3, b"in\nerr\nout\n")
    assert (finished.dropped, finished.timed_out) == (0, False)


def test_it_starts_in_its_home_or_where_it_is_told(hut: Hut) -> None:
    (hut.folder / "workspace" / "sub").mkdir()
    assert hut.bash("pwd").output == b"/workspace\n"
    assert hut.bash("pwd", cwd="sub").output == b"/workspace/sub\n"
    assert hut.bash("pwd", cwd="/mnt/memory/notes").output == b"/mnt/memory/notes\n"
    with pytest.raises(SandboxFailed, match="chdir"):
        hut.bash("pwd", cwd="nowhere")


def test_a_signal_is_negative_and_a_missing_command_127(hut: Hut) -> None:
    assert hut.bash("kill -TERM $$").exit_code == -signal.SIGTERM
    finished = hut.run("no-such-program")
    assert (finished.exit_code, finished.output) == (127, b"no-such-program: No such file or directory\n")
    assert hut.bash("exit 200").exit_code == 200


def test_variables_are_those_that_are_given(hut: Hut) -> None:
    spec = SandboxSpec("hut", hut.mounts, variables={"A": "spec", "B": "spec", "HOME": "/workspace"})
    sandbox = hut.environment.open(spec)
    shown = asyncio.run(sandbox.run(["env", "-0"], variables={"B": "run\nof two lines", "C": "=é"}))
    told = dict(each.split("=", 1) for each in shown.output.decode().split("\0") if each)
    assert (told["A"], told["B"], told["C"], told["HOME"]) == (
        "spec",
        "run\nof two lines",
        "=é",
        "/workspace",
    )
    assert set(told) == {"A", "B", "C", "HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "TMPDIR", "USER"}  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "variables"),
    [
        ([], {}),
        (["tr\0ue"], {}),
        (["true"], {"A": "x\0--bind\0/\0/host"}),
        (["true"], {"A=B": "x"}),
        (["true"], {"": ""}),
    ],
)
def test_what_would_become_an_option_of_bwrap_is_refused(
    hut: Hut, argv: list[str], variables: dict[str, str]
) -> None:
    with pytest.raises(SandboxFailed):
        hut.run(*argv, variables=variables)


def test_a_loader_of_the_command_is_not_one_of_bwrap(hut: Hut) -> None:
    """bwrap itself runs outside, with variables of its own."""
    finished = hut.run("true", variables={"LD_PRELOAD": str(hut.folder / "evil.so"), "LD_DEBUG": "libs"})
    assert b"bwrap" not in finished.output


def test_large_input_and_long_commands(hut: Hut) -> None:
    data = os.urandom(5 << 20)
    finished = hut.bash("cat", stdin=data, max_output=len(data))
    assert finished.output == data
    assert hut.run("echo", *["x" * 1000] * 500).output.count(b"x") == 500_000


def test_the_output_is_told_as_it_comes(hut: Hut) -> None:
    told: list[bytes] = []
    seen: list[bool] = []

    def on_output(chunk: bytes) -> None:
        told.append(chunk)
        if chunk == b"first\n":  # the command waits for this
            (hut.folder / "workspace" / "go").touch()
            seen.append(True)

    finished = hut.bash("echo first; until test -e go; do sleep 0.01; done; echo second", on_output=on_output)
    assert seen
    assert b"".join(told) == finished.output == b"first\nsecond\n"


def test_an_error_of_whoever_listens_kills_the_command(hut: Hut, mark: str) -> None:
    def on_output(chunk: bytes) -> None:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        hut.bash(f"echo x; sleep {mark}", on_output=on_output)
    assert processes(mark) == []


def test_files_are_shared_with_the_file_methods(hut: Hut) -> None:
    sandbox = hut.open()
    sandbox.write("in/side.txt", b"from outside")
    script = "cat in/side.txt && echo more >> in/side.txt && echo new > /mnt/memory/notes/new && ln -s new l && ls -l in"
    finished = asyncio.run(sandbox.run(["bash", "-c", script]))
    assert finished.exit_code == 0, finished.output
    assert sandbox.read("in/side.txt") == b"from outsidemore\n"
    assert sandbox.read("/mnt/memory/notes/new") == b"new\n"
    assert [f.path for f in sandbox.walk("/workspace")] == [
        "/workspace/in",
        "/workspace/in/side.txt",
        "/workspace/l",
    ]
    sandbox.delete("in")
    with pytest.raises(FileNotFoundError):
        sandbox.facts("in")


def test_a_mount_may_stand_for_tmp_and_home(hut: Hut, tmp_path: Path) -> None:
    for name in ("tmp", "own"):
        (tmp_path / name).mkdir()
    mounts = [*hut.mounts, Mount(tmp_path / "tmp", "/tmp"), Mount(tmp_path / "own", "/home/agent")]
    sandbox = hut.environment.open(SandboxSpec("hut", mounts))
    for command in ("echo x > /tmp/kept; echo y > ~/kept", "cat /tmp/kept ~/kept; touch /tmp/z"):
        finished = asyncio.run(sandbox.run(["bash", "-c", command]))
    assert finished.output == b"x\ny\n"
    assert hut.bash("echo x > /tmp/gone").exit_code == 0
    assert hut.bash("cat /tmp/gone").exit_code == 1


def test_usual_programs_work(hut: Hut) -> None:
    script = """
set -e
python3 -c 'import socket, subprocess, ssl, tempfile; tempfile.mkdtemp()
a, b = socket.socketpair(); s = socket.create_server(("localhost", 0)); print(subprocess.check_output(["id", "-un"]))'
python3 -c 'import multiprocessing as m; m.set_start_method("spawn"); print(m.Lock())'
mkdir -p a/b; echo text > a/b/c; tar cf x.tar a; grep -rn text a; find . -name c | xargs cat; date; sort a/b/c | tail -1
ls ~ > /dev/null; mktemp > /dev/null; echo done
"""
    finished = hut.bash(script)
    assert finished.output.endswith(b"done\n"), finished.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write everywhere, and so gives it up")
def test_what_root_starts_belongs_to_another(hut: Hut) -> None:
    root = hut.folder / "workspace" / "of-root"
    root.mkdir(mode=0o700)
    (root / "x").write_text("x")
    finished = hut.bash("cat of-root/x; touch of-root/mine; id -u")
    assert finished.output == b"x1000\n"
    owners = {path.stat().st_uid for path in (root, root / "x", root / "mine")}
    assert owners == {65534}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write everywhere, and so gives it up")
@pytest.mark.parametrize("user", ["0", "root", "", "-1"])
def test_root_is_no_user_for_sandboxes(hut: Hut, user: str) -> None:
    environment = Bubblewrap(variables={"REVERIE_SANDBOX_UID": user})
    assert "REVERIE_SANDBOX_UID" in (environment.obstacle() or "")
    with pytest.raises(SandboxFailed):
        environment.open(SandboxSpec("x", hut.mounts))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write everywhere, and so gives it up")
def test_root_may_become_another_user(hut: Hut) -> None:
    environment = Bubblewrap(variables={"REVERIE_SANDBOX_UID": "12345"})
    asyncio.run(environment.open(SandboxSpec("x", hut.mounts)).run(["touch", "mine"]))
    assert (hut.folder / "workspace" / "mine").stat().st_uid == 12345


# ------------------------------------------------------------------ obstacles


def test_a_missing_bwrap_is_an_obstacle_and_nothing_runs(tmp_path: Path) -> None:
    environment = Bubblewrap(str(tmp_path / "bwrap"))
    assert "apt install bubblewrap" in (environment.obstacle() or "")
    with pytest.raises(SandboxFailed):
        environment.open(SandboxSpec("x", [Mount(tmp_path, "/workspace")]))


@pytest.mark.parametrize(
    ("program", "obstacle"),
    [
        ("#!/bin/sh\necho --seccomp", "too old"),
        ("#!/bin/sh\ntest $1 = --help && exec /usr/bin/bwrap --help\necho bwrap: setting up uid map: Permission denied\nexit 1", "uid map"),
        ("#!/bin/sh\ntest $1 = --help && exec /usr/bin/bwrap --help\nexit 0", "bwrap ended with 0"),
    ],
)  # fmt: skip
def test_a_bwrap_that_does_not_work_is_an_obstacle(
    bubblewrap: Bubblewrap, program: str, obstacle: str
) -> None:
    path = Path("/var/tmp", f"reverie-bwrap-{secrets.token_hex(4)}")  # where everybody may run it
    path.write_text(program)
    path.chmod(0o755)
    try:
        assert obstacle in (Bubblewrap(str(path)).obstacle() or "")
    finally:
        path.unlink()


def test_mounts_that_are_not_there_fail_with_nothing_run(hut: Hut) -> None:
    with pytest.raises(SandboxFailed):
        hut.environment.open(SandboxSpec("x", hut.mounts, home="/elsewhere"))
    gone = Mount(hut.folder / "gone", "/workspace", writable=False)
    with pytest.raises(SandboxFailed, match="gone"):
        asyncio.run(hut.environment.open(SandboxSpec("x", [gone])).run(["true"]))


# ------------------------------------------------------------------ what it may take


def test_more_processes_than_allowed_are_not_made(hut: Hut) -> None:
    code = """
import os, time
made = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60); os._exit(0)
        made += 1
except BlockingIOError:
    print(made)
"""
    finished = hut.python(code, limits=Limits(processes=20))
    assert 10 <= int(finished.output) < 20


def test_a_fork_bomb_ends_with_its_time(hut: Hut, mark: str) -> None:
    bomb = f"sleep {mark} & b() {{ b | b & }}; b; sleep {mark}"
    finished = hut.bash(bomb, limits=Limits(processes=50), timeout_s=1.0, max_output=1000)
    assert finished.timed_out
    assert processes(mark) == []


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(1 << 30)",
        "import mmap; m = mmap.mmap(-1, 8 << 30); m[0] = 1",  # shared
        "import os; f = os.memfd_create('x'); os.ftruncate(f, 1 << 30)",
        "f = open('/tmp/big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        "f = open('/dev/shm/big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        "import os; f = open(os.environ['HOME'] + '/big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        "f = open('/workspace/big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        "import os\nwhile True: os.open('/dev/null', 0)",
        "import socket; s = []\nwhile True: s.append(socket.socket())",
        "import ctypes; ctypes.CDLL(None).mq_open.restype; import os; open('/dev/mqueue/x', 'w')",
    ],
)
def test_bombs_of_memory_disk_and_descriptors(hut: Hut, code: str) -> None:
    limits = Limits(memory_bytes=256 << 20, file_bytes=64 << 20, scratch_bytes=16 << 20)
    finished = hut.python(code, limits=limits, timeout_s=20)
    assert finished.exit_code != 0
    assert not finished.timed_out
    size = hut.folder / "workspace" / "big"
    assert not size.exists() or size.stat().st_size <= 64 << 20


def test_time_of_the_processor_ends(hut: Hut) -> None:
    finished = hut.bash("while :; do :; done", limits=Limits(cpu_s=1), timeout_s=20)
    assert finished.exit_code in (-signal.SIGXCPU, -signal.SIGKILL)
    assert not finished.timed_out


def test_a_flood_is_counted_and_not_kept(hut: Hut) -> None:
    told = 0

    def on_output(chunk: bytes) -> None:
        nonlocal told
        told += len(chunk)

    finished = hut.bash("head -c 50000000 /dev/zero; echo end", max_output=1000, on_output=on_output)
    assert (len(finished.output), finished.dropped, told) == (1000, 50_000_004 - 1000, 50_000_004)
    assert hut.bash("echo x", max_output=0).dropped == 2


# ------------------------------------------------------------------ nothing stays


ORPHANS = [
    "sleep {} & sleep {}",
    "setsid sleep {} < /dev/null > /dev/null 2>&1 & sleep {}",
    "nohup setsid sh -c 'trap \"\" TERM HUP INT; sleep {}' & disown; sleep {}",
    "(setsid sleep {} &) ; (setsid setsid sleep {} &)",
    'python3 -c \'import os; os.fork() or os.setsid() or os.fork() or os.execvp("sleep", ["sleep", "{}"])\'; exec sleep {}',
]


@pytest.mark.parametrize("script", ORPHANS)
def test_nothing_outlives_a_command(hut: Hut, mark: str, script: str) -> None:
    told: list[bytes] = []
    ending = script.replace("{}", mark).rpartition("sleep ")[0]
    finished = hut.bash(f"{ending} echo end", timeout_s=10, on_output=told.append)
    assert not finished.timed_out
    assert processes(mark) == []
    finished = hut.bash(script.replace("{}", mark), timeout_s=0.5)
    assert finished.timed_out or "(setsid" in script
    assert processes(mark) == []


def test_a_cancelled_command_is_killed(hut: Hut, mark: str) -> None:
    async def main() -> None:
        running = asyncio.create_task(
            hut.open().run(["bash", "-c", f"echo on; setsid sleep {mark} & sleep {mark}"])
        )
        while len(processes(mark)) < 2:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert processes(mark) == []

    asyncio.run(main())


def test_a_command_cancelled_at_any_moment_leaves_nothing(hut: Hut, mark: str) -> None:
    async def main() -> None:
        sandbox = hut.open()
        for n in range(30):
            running = asyncio.create_task(sandbox.run(["sleep", mark]))
            await asyncio.sleep(n / 1000)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert eventually(lambda: processes(mark) == [])
    spawner = spawner_of(hut.environment)
    assert eventually(lambda: children(spawner) == {})


def test_closing_kills_and_tells(hut: Hut, mark: str) -> None:
    async def main() -> None:
        sandbox = hut.open()
        running = asyncio.create_task(sandbox.run(["sleep", mark]))
        while not processes(mark):
            await asyncio.sleep(0.01)
        await sandbox.close()
        assert processes(mark) == []
        with pytest.raises(SandboxFailed, match="closed"):
            await running
        with pytest.raises(SandboxFailed, match="closed"):
            await sandbox.run(["true"])

    asyncio.run(main())


async def many(sandbox: BubblewrapSandbox, count: int, at_once: int) -> list[int]:
    places = asyncio.Semaphore(at_once)

    async def one(n: int) -> int:
        async with places:
            script = f"(setsid sleep 50 &) ; sleep 50 & exit {n % 100}"
            return (await sandbox.run(["bash", "-c", script])).exit_code

    return await asyncio.gather(*(one(n) for n in range(count)))


def descriptors(pid: int) -> int:
    gc.collect()
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def left(spawner: int) -> list[str]:
    return [*children(spawner).values(), *(state for state in children(os.getpid()).values() if state == "Z")]


@pytest.mark.parametrize(("count", "at_once"), [(60, 20), pytest.param(1000, 20, marks=pytest.mark.slow)])
def test_many_commands_leave_no_process_and_no_descriptor(hut: Hut, count: int, at_once: int) -> None:
    sandbox = hut.open()
    assert asyncio.run(many(sandbox, 2, 2)) == [0, 1]
    spawner = spawner_of(hut.environment)
    before = [descriptors(pid) for pid in (os.getpid(), spawner)]
    assert asyncio.run(many(sandbox, count, at_once)) == [n % 100 for n in range(count)]
    assert left(spawner) == []
    assert all(descriptors(pid) <= count for pid, count in zip((os.getpid(), spawner), before, strict=True))
    assert spawner_of(hut.environment) == spawner


# ------------------------------------------------------------------ the spawner and the server die


def test_when_the_spawner_dies_its_commands_fail_and_the_next_one_runs(hut: Hut, mark: str) -> None:
    async def main() -> None:
        sandbox = hut.open()
        running = [asyncio.create_task(sandbox.run(["sleep", mark])) for _ in range(3)]
        while len(processes(mark)) < 3 * 3:  # bwrap, bwrap inside, sleep
            await asyncio.sleep(0.01)
        spawner = spawner_of(hut.environment)
        os.kill(spawner, signal.SIGKILL)
        for each in running:
            with pytest.raises(SandboxFailed, match="ended"):
                await each
        assert (await sandbox.run(["echo", "again"])).output == b"again\n"
        assert spawner_of(hut.environment) != spawner

    asyncio.run(main())
    assert eventually(lambda: processes(mark) == [])


def test_whenever_the_spawner_dies_nothing_stays(hut: Hut, mark: str) -> None:
    """Also while sandboxes are being made, when bwrap does not yet die with it."""

    async def main() -> None:
        sandbox = hut.open()
        for n in range(8):
            assert (await sandbox.run(["true"])).exit_code == 0
            running = [asyncio.create_task(sandbox.run(["sleep", mark])) for _ in range(4)]
            await asyncio.sleep(n * 0.004)
            os.kill(spawner_of(hut.environment), signal.SIGKILL)
            told = await asyncio.gather(
                *(asyncio.wait_for(each, 1) for each in running), return_exceptions=True
            )
            assert all(isinstance(each, SandboxFailed | TimeoutError) for each in told)

    asyncio.run(main())
    assert eventually(lambda: processes(mark) == [])


SERVER = """
import asyncio, sys
from pathlib import Path
from reverie.environments.bubblewrap import Bubblewrap
from reverie.plugins import Mount, SandboxSpec

async def main():
    environment = Bubblewrap()
    sandbox = environment.open(SandboxSpec("x", [Mount(Path(sys.argv[1]), "/workspace")]))
    await sandbox.run(["true"])
    print(environment._spawner.pid, flush=True)
    await asyncio.gather(*(sandbox.run(["bash", "-c", f"setsid sleep {sys.argv[2]} & sleep {sys.argv[2]}"]) for _ in range(5)))

asyncio.run(main())
"""


@pytest.fixture
def server(tmp_path: Path, mark: str, bubblewrap: Bubblewrap) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), mark], stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("stopped", [False, True], ids=["", "while the spawner stands still"])
def test_a_killed_server_leaves_nothing(server: subprocess.Popen[str], mark: str, stopped: bool) -> None:
    assert server.stdout is not None
    (spawner,) = children(int(server.stdout.readline()))
    assert eventually(lambda: len(processes(mark)) >= 5 * 4)
    if stopped:
        os.kill(spawner, signal.SIGSTOP)
    server.kill()
    server.wait()
    if stopped:
        os.kill(spawner, signal.SIGCONT)
    assert eventually(lambda: processes(mark) == [])
    assert eventually(lambda: not Path(f"/proc/{spawner}").exists())


def test_a_forgotten_environment_ends_its_spawner(hut: Hut) -> None:
    environment = Bubblewrap()
    asyncio.run(environment.open(SandboxSpec("x", hut.mounts)).run(["true"]))
    spawner = spawner_of(environment)
    del environment
    assert eventually(lambda: not Path(f"/proc/{spawner}").exists())


# ------------------------------------------------------------------ the network


def test_no_network_but_its_own_loopback(hut: Hut) -> None:
    code = """
import socket, threading
s = socket.create_server(("127.0.0.1", 0)); threading.Thread(target=s.accept, daemon=True).start()
socket.create_connection(s.getsockname(), 3); print("own loopback", flush=True)
socket.create_connection(("127.0.0.1", 3128), 3)
"""
    finished = hut.python(code)
    assert finished.output.startswith(b"own loopback\n")
    assert b"ConnectionRefusedError" in finished.output


def test_the_way_out_is_the_proxy_alone(hut: Hut) -> None:
    told: list[tuple[str, str]] = []
    spec = SandboxSpec(
        "hut",
        hut.mounts,
        network=Network(hosts=["allowed.invalid"]),
        refused=lambda host, reason: told.append((host, reason)),
    )
    sandbox = hut.environment.open(spec)
    code = """
import os, socket, urllib.request, urllib.error
print(os.environ["HTTPS_PROXY"])
try: urllib.request.urlopen("http://forbidden.invalid/", timeout=9)
except urllib.error.HTTPError as e: print(e.code)
for address in (("169.254.169.254", 80), ("1.1.1.1", 443)):
    try: socket.create_connection(address, 3); print("ESCAPED")
    except OSError as e: print(type(e).__name__)
"""

    async def main() -> bytes:
        try:
            return (await sandbox.run(["python3", "-IS", "-c", code])).output
        finally:
            await sandbox.close()

    assert asyncio.run(main()).split() == [b"http://127.0.0.1:3128", b"403", b"OSError", b"OSError"]
    assert [host for host, _ in told] == ["forbidden.invalid"]
