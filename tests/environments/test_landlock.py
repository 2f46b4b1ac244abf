"""Sandboxes held by Landlock: in a room built by hand, and bare, where no namespaces are to be had.

Most of these are bubblewrap's tests over again: one suite for all that make sandboxes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from tests.environments import test_as_another as another
from tests.environments import test_bubblewrap as common
from tests.environments.conftest import Hut
from tests.environments.planted import planted
from tests.environments.probes import PROBES, RUNNER
from tests.environments.test_bubblewrap import SOON_S, children, eventually, processes
from tests.environments.test_egress import SECRET, all_here, canary, trusted_host

from reverie.domain.errors import SandboxFailed
from reverie.environments import landlock, landlocking
from reverie.environments.egress import Egress
from reverie.environments.landlock import Landlocked
from reverie.environments.places import inside_path, real_path
from reverie.environments.report import report
from reverie.plugins import Finished, Injected, Mount, Network, SandboxSpec

mark = common.mark
top = another.top


def made(rooms: bool) -> Landlocked:
    environment = Landlocked(rooms=rooms)
    obstacle = environment.obstacle()
    if obstacle is not None:
        pytest.skip(f"landlock: {obstacle}")
    return environment


@pytest.fixture(scope="session")
def in_rooms() -> Landlocked:
    return made(True)


@pytest.fixture(scope="session")
def bare() -> Landlocked:
    return made(False)


@pytest.fixture(params=["in_rooms", "bare"])
def hut(request: pytest.FixtureRequest, tmp_path: Path) -> Hut:
    reachable(tmp_path)
    return Hut(request.getfixturevalue(request.param), tmp_path)


@pytest.fixture
def room(in_rooms: Landlocked, tmp_path: Path) -> Hut:
    return Hut(in_rooms, tmp_path)  # type: ignore[arg-type]


def reachable(folder: Path) -> None:
    """Without namespaces the sandbox's user must be able to go to its folders by itself."""
    for each in (folder, *folder.parents):
        if each.is_dir() and each.stat().st_uid == os.geteuid() and len(each.parts) > 2:
            each.chmod(each.stat().st_mode | 0o011)


def spawner_of(hut: Hut) -> int:
    pid = hut.environment._spawner.pid
    assert pid is not None
    return pid


# ------------------------------------------------------------------ as with bubblewrap

test_a_command_reads_writes_and_ends = common.test_a_command_reads_writes_and_ends
test_a_signal_is_negative_and_a_missing_command_127 = (
    common.test_a_signal_is_negative_and_a_missing_command_127
)
test_large_input_and_long_commands = common.test_large_input_and_long_commands
test_the_output_is_told_as_it_comes = common.test_the_output_is_told_as_it_comes
test_an_error_of_whoever_listens_kills_the_command = common.test_an_error_of_whoever_listens_kills_the_command
test_a_fork_bomb_ends_with_its_time = common.test_a_fork_bomb_ends_with_its_time
test_time_of_the_processor_ends = common.test_time_of_the_processor_ends
test_a_flood_is_counted_and_not_kept = common.test_a_flood_is_counted_and_not_kept
test_bombs_of_memory_disk_and_descriptors = common.test_bombs_of_memory_disk_and_descriptors
test_nothing_outlives_a_command = common.test_nothing_outlives_a_command
test_a_cancelled_command_is_killed = common.test_a_cancelled_command_is_killed
test_closing_kills_and_tells = common.test_closing_kills_and_tells


class TestInRooms:
    """What bare ones cannot do, for want of a file system of their own."""

    @pytest.fixture
    def hut(self, room: Hut) -> Hut:
        return room

    def test_it_starts_in_its_home_or_where_it_is_told(self, hut: Hut) -> None:
        common.test_it_starts_in_its_home_or_where_it_is_told(hut)

    def test_variables_are_those_that_are_given(self, hut: Hut) -> None:
        common.test_variables_are_those_that_are_given(hut)

    def test_files_are_shared_with_the_file_methods(self, hut: Hut) -> None:
        common.test_files_are_shared_with_the_file_methods(hut)

    def test_a_mount_may_stand_for_tmp_and_home(self, hut: Hut, tmp_path: Path) -> None:
        common.test_a_mount_may_stand_for_tmp_and_home(hut, tmp_path)

    def test_usual_programs_work(self, hut: Hut) -> None:
        common.test_usual_programs_work(hut)

    def test_more_processes_than_allowed_are_not_made(self, hut: Hut) -> None:
        common.test_more_processes_than_allowed_are_not_made(hut)

    def test_a_link_in_the_way_of_a_mount_is_not_followed(self, hut: Hut) -> None:
        """A command leaves a link where the next one's room is to have a mount."""
        outside = hut.folder / "outside"
        outside.mkdir()
        os.symlink("/etc", hut.folder / "workspace" / "sub")
        mounts = [*hut.mounts, Mount(outside, "/workspace/sub")]
        with pytest.raises(SandboxFailed, match="link"):
            asyncio.run(hut.environment.open(SandboxSpec("x", mounts)).run(["ls", "/workspace/sub"]))

    def test_its_file_system_is_a_wall_by_itself(self, hut: Hut) -> None:
        """What Landlock refuses too: read-only is read-only, and nothing of the machine's lies beneath."""
        code = """
import os
for place in ("/", "/usr", "/dev", "/mnt/session/uploads"): assert os.statvfs(place).f_flag & os.ST_RDONLY, place
for place in ("/usr", "/workspace", "/tmp"):
    assert os.statvfs(place).f_flag & (os.ST_NOSUID | os.ST_NODEV) == os.ST_NOSUID | os.ST_NODEV, place
points = [line.split()[4] for line in open("/proc/self/mountinfo")]
assert points.count("/") == 1 and not [each for each in points if each.startswith(("/old", "/new"))], points
print("done")
"""
        assert hut.python(code).output == b"done\n"

    def test_the_way_out_is_the_proxy_on_its_own_loopback(self, hut: Hut) -> None:
        """curl, in the sandbox, by its usual variables; nothing else leads anywhere."""
        told: list[tuple[str, str]] = []

        async def main() -> tuple[Finished, Finished, Finished]:
            async with canary() as server:
                environment = Landlocked(rooms=True, egress=opening)
                spec = SandboxSpec(
                    "net",
                    hut.mounts,
                    network=Network(["api.example"]),
                    refused=lambda host, reason: told.append((host, reason)),
                )
                sandbox = environment.open(spec)
                curl = ["curl", "-sS", "--max-time", "10"]
                done = (
                    await sandbox.run([*curl, f"http://api.example:{server.port}/x"]),
                    await sandbox.run([*curl, "https://evil.example/"]),
                    await sandbox.run([*curl, "--noproxy", "*", f"http://127.0.0.1:{server.port}/"]),
                )
                await sandbox.close()
                assert server.connections == 1
                return done

        reached, refused, around = asyncio.run(main())
        assert reached.output == b"ok", reached
        assert refused.exit_code != 0 and b"403" in refused.output
        assert around.exit_code == 7
        assert told == [("evil.example", "not in networking.allowed_hosts")]

    def test_a_secret_is_put_in_on_the_way_out_over_tls(self, hut: Hut) -> None:
        """curl and Python, with the system's trust and the sandbox's authority; the value is never inside."""
        python = (
            "import os, urllib.request as u; r = u.Request(os.environ['URL'], headers={'x-key': os.environ['API_KEY']});"
            " print(u.urlopen(r).read().decode())"
        )

        async def main() -> None:
            async with trusted_host("api.example") as (server, trust):
                environment = Landlocked(rooms=True, egress=lambda spec: trusting(spec, trust))
                spec = SandboxSpec(
                    "net",
                    hut.mounts,
                    network=Network(["api.example"]),
                    variables={"URL": f"https://api.example:{server.port}/"},
                    secrets=[Injected("API_KEY", SECRET, hosts=["api.example"])],
                )
                sandbox = environment.open(spec)
                for argv in (
                    ["bash", "-c", 'env; curl -sS --max-time 10 -H "x-key: $API_KEY" $URL'],
                    ["python3", "-c", python],
                ):
                    finished = await sandbox.run(argv)
                    assert finished.exit_code == 0, finished.output
                    assert SECRET.encode() not in finished.output
                    assert finished.output.count(b"reverie-secret-") >= 1
                await sandbox.close()
                assert len(server.heads) == 2
                assert all(SECRET.encode() in head for head in server.heads)

        asyncio.run(main())


def trusting(spec: SandboxSpec, trust: ssl.SSLContext) -> Egress:
    return Egress(spec, own=["api.example"], resolve=all_here, trust=trust)


def opening(spec: SandboxSpec) -> Egress:
    return Egress(spec, own=["api.example"], resolve=all_here)


# ------------------------------------------------------------------ probes

SEEN_BARE = {
    "the system's root",
    "password hashes",
    "who may use the machine",
    "the machine's own settings",
    "another's /tmp",
    "another's /dev/shm",
    "devices of the machine",
    "the name of the machine",
    "programs with another's rights",
}
"""Names of files are seen without namespaces, and of files that everybody reads (``/etc/passwd``) the contents."""


@pytest.mark.parametrize("rooms", [True, False], ids=["in rooms", "bare"])
def test_a_sandbox_holds(rooms: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("hut")
    reachable(folder)
    hut = Hut(made(rooms), folder)  # type: ignore[arg-type]
    with planted(tmp_path_factory.mktemp("outside"), folder) as variables:
        codes = {probe.name: probe.code for probe in PROBES}
        told = hut.python(RUNNER, variables=variables, stdin=json.dumps(codes).encode())
    assert told.exit_code == 0, told.output
    out = {name for name, said in json.loads(told.output).items() if "ESCAPED" in said}
    assert out == (set() if rooms else SEEN_BARE)


OTHERS = """
import os, socket, sys
def tried(what, do):
    try: do()
    except OSError: return
    print("ESCAPED", what)
P = {k[2:]: v for k, v in os.environ.items() if k.startswith("P_")}
tried("server killed", lambda: os.kill(int(P["SERVER"]), 0))
tried("keeper killed", lambda: os.kill(os.getppid(), 0) if os.getppid() > 1 else os.kill(10**7, 0))
tried("server's memory", lambda: open(f"/proc/{P['SERVER']}/mem", "rb"))
tried("server's variables", lambda: open(f"/proc/{P['SERVER']}/environ").read())
tried("server's descriptors", lambda: os.listdir(f"/proc/{P['SERVER']}/fd"))
tried("a file of the same user", lambda: open(P["OWN"]).read())
tried("written beside", lambda: open(P["OWN"], "a"))
tried("made beside", lambda: os.mkdir(P["OWN"] + ".d"))
tried("moved out", lambda: (open("here", "w"), os.rename("here", P["OWN"] + ".moved")))
tried("linked in", lambda: os.link(P["OWN"], "linked") or open("linked").read())
tried("TCP", lambda: socket.create_connection(("127.0.0.1", int(P["PORT"])), 2))
tried("UDP", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)) and os.kill(10**7, 0))
tried("a unix socket", lambda: socket.socket(socket.AF_UNIX).connect(P["UNIX"]))
"""


def test_the_servers_own_files_and_processes_are_out_of_reach(hut: Hut, tmp_path: Path) -> None:
    """Also where the sandbox's user is the server's."""
    own = tmp_path / "own.txt"
    own.write_text("of the server")
    own.chmod(0o666)
    unix = str(tmp_path / "unix")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as path:
        path.bind(unix)
        path.listen()
        os.chmod(unix, 0o777)
        facts = {"SERVER": os.getpid(), "OWN": own, "PORT": server.getsockname()[1], "UNIX": unix}
        variables = {f"P_{name}": str(value) for name, value in facts.items()}
        finished = hut.python(OTHERS, variables=variables)
        assert (finished.exit_code, finished.output) == (0, b"")
        control = subprocess.run(
            [sys.executable, "-IS", "-c", OTHERS],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
    assert control.stdout.count(b"ESCAPED") >= 8  # without a sandbox the same program gets out
    assert own.read_text() == "of the server"


def test_a_sandbox_without_rules_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bare: Landlocked
) -> None:
    """The control of the probes: with the whole machine among the rules, they get out."""
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    reachable(tmp_path)
    hut = Hut(bare, tmp_path)  # type: ignore[arg-type]
    assert b"the secret" not in hut.run("cat", str(secret)).output
    monkeypatch.setattr(landlock, "_READABLE", ("/",))
    assert b"the secret" in hut.run("cat", str(secret)).output


# ------------------------------------------------------------------ bare ones


def test_bare_commands_run_in_the_real_folder_and_files_have_two_names(
    bare: Landlocked, tmp_path: Path
) -> None:
    reachable(tmp_path)
    hut = Hut(bare, tmp_path)  # type: ignore[arg-type]
    sandbox = hut.open()
    real = str(tmp_path / "workspace")
    sandbox.write("in/a.txt", b"a")
    finished = asyncio.run(sandbox.run(["bash", "-c", "pwd; cat a.txt; echo b > b.txt"], cwd="in"))
    assert finished.output == f"{real}/in\na".encode()
    assert sandbox.read("/workspace/in/b.txt") == sandbox.read(f"{real}/in/b.txt") == b"b\n"
    assert asyncio.run(sandbox.run(["pwd"], cwd=f"{real}/in")).output.decode().strip() == f"{real}/in"
    uploads = tmp_path / "uploads"
    refused = asyncio.run(sandbox.run(["bash", "-c", f"cat {uploads}/plan.txt; echo x > {uploads}/x"]))
    assert refused.output.startswith(b"the plan") and b"Permission denied" in refused.output
    with pytest.raises(FileNotFoundError):
        sandbox.read(str(tmp_path / "secret"))
    home = asyncio.run(sandbox.run(["bash", "-c", "echo x > ~/kept; echo $HOME $TMPDIR"])).output.split()
    assert home[0] == home[1] and asyncio.run(sandbox.run(["bash", "-c", "cat ~/kept"])).output == b"x\n"
    asyncio.run(sandbox.close())
    assert not Path(home[0].decode()).exists()


def test_a_bare_one_can_give_no_way_out_and_says_so(bare: Landlocked, tmp_path: Path) -> None:
    spec = SandboxSpec("x", [Mount(tmp_path, "/workspace")], network=Network(["a.example"]))
    with pytest.raises(SandboxFailed, match="no namespaces"):
        bare.open(spec)


def test_a_bare_one_refuses_what_landlock_cannot_say(bare: Landlocked, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    mounts = [Mount(tmp_path, "/workspace"), Mount(tmp_path / "below", "/mnt/below", writable=False)]
    with pytest.raises(SandboxFailed, match="read-only beneath"):
        bare.open(SandboxSpec("x", mounts))


@pytest.mark.parametrize(
    ("inside", "real"),
    [
        ("", "/host/w"),
        ("a/b", "/host/w/a/b"),
        ("/workspace", "/host/w"),
        ("/workspace/deep/x", "/host/deep/x"),
        ("/workspace/deeper", "/host/w/deeper"),
        ("/elsewhere", "/elsewhere"),
    ],
)
def test_both_names_of_a_path(inside: str, real: str) -> None:
    mounts = [Mount(Path("/host/w"), "/workspace"), Mount(Path("/host/deep"), "/workspace/deep")]
    spec = SandboxSpec("x", mounts)
    assert real_path(spec, inside) == real
    named = "/workspace/" + inside if inside and not inside.startswith("/") else inside or "/workspace"
    assert inside_path(spec, real) == named


# ------------------------------------------------------------------ who dies when


@pytest.mark.parametrize(("count", "at_once"), [(60, 20), pytest.param(1000, 20, marks=pytest.mark.slow)])
def test_many_commands_leave_no_process_and_no_descriptor(hut: Hut, count: int, at_once: int) -> None:
    sandbox = hut.open()
    assert asyncio.run(common.many(sandbox, 2, 2)) == [0, 1]
    both = os.getpid(), spawner_of(hut)
    before = [common.descriptors(pid) for pid in both]
    assert asyncio.run(common.many(sandbox, count, at_once)) == [n % 100 for n in range(count)]
    assert eventually(lambda: not common.left(both[1]))  # keepers end when they have answered
    assert all(common.descriptors(pid) <= most for pid, most in zip(both, before, strict=True))
    assert spawner_of(hut) == both[1]


def test_when_the_spawner_dies_what_runs_goes_on_and_the_next_one_runs(hut: Hut, mark: str) -> None:
    async def main() -> None:
        sandbox = hut.open()
        running = asyncio.create_task(
            sandbox.run(["bash", "-c", f"sleep {mark} & until test -e go; do sleep 0.01; done; echo on"])
        )
        while not processes(mark):
            await asyncio.sleep(0.01)
        spawner = spawner_of(hut)
        os.kill(spawner, signal.SIGKILL)
        assert eventually(lambda: " Z " in Path(f"/proc/{spawner}/stat").read_text())
        assert (await sandbox.run(["echo", "again"])).output == b"again\n"
        (hut.folder / "workspace" / "go").touch()
        assert (await running).output == b"on\n"
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
    assert eventually(lambda: not children(spawner_of(hut)))


def test_when_a_keeper_dies_its_command_does(hut: Hut, mark: str) -> None:
    async def main() -> None:
        sandbox = hut.open()
        running = asyncio.create_task(sandbox.run(["bash", "-c", f"setsid sleep {mark} & sleep {mark}"]))
        while len(processes(mark)) < 3:
            await asyncio.sleep(0.01)
        spawner = spawner_of(hut)
        [keeper] = Path(f"/proc/{spawner}/task/{spawner}/children").read_text().split()
        os.kill(int(keeper), signal.SIGKILL)
        with pytest.raises(SandboxFailed, match="keeper"):
            await running
        assert processes(mark) == []
        assert (await sandbox.run(["echo", "again"])).output == b"again\n"
        assert spawner_of(hut) == spawner

    asyncio.run(main())
    assert eventually(lambda: not children(spawner_of(hut)))


SERVER = """
import asyncio, sys
from pathlib import Path
from reverie.environments.landlock import Landlocked
from reverie.plugins import Mount, SandboxSpec

async def main():
    environment = Landlocked(rooms=sys.argv[3] == "rooms")
    sandbox = environment.open(SandboxSpec("x", [Mount(Path(sys.argv[1]), "/workspace")]))
    command = ["bash", "-c", f"setsid sleep {sys.argv[2]} & sleep {sys.argv[2]}"]
    await asyncio.gather(*(sandbox.run(command) for _ in range(5)))

asyncio.run(main())
"""


@pytest.mark.parametrize("mode", ["rooms", "bare"])
def test_when_the_server_is_killed_nothing_is_left(mode: str, tmp_path: Path, mark: str) -> None:
    made(mode == "rooms")
    reachable(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path), mark, mode])
    try:
        assert eventually(lambda: len(processes(f"sleep\0{mark}")) == 10)
    finally:
        process.kill()
        process.wait(SOON_S)
    assert eventually(lambda: processes(mark) == [])


# ------------------------------------------------------------------ obstacles


def test_without_landlock_there_is_an_obstacle_and_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(landlocking, "landlock_abi", lambda: 3)
    environment = Landlocked()
    assert "too old" in (environment.obstacle() or "")
    with pytest.raises(SandboxFailed):
        environment.open(SandboxSpec("x", [Mount(tmp_path, "/workspace")]))


@pytest.mark.parametrize(("abi", "works"), [(7, True), (5, False)])
def test_without_namespaces_it_is_bare_where_signals_have_a_scope(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bare: Landlocked, abi: int, works: bool
) -> None:
    """Whoever may make no namespaces, as in many containers."""
    program = Path(landlocking.__file__).with_name("building.py").read_text()
    for name in ("landlocking.py", "doorway.py"):
        (tmp_path / name).write_text(Path(landlocking.__file__).with_name(name).read_text())
    (tmp_path / "building.py").write_text(
        program.replace('"""Leave the namespaces', 'raise PermissionError("no namespaces")\n    """Leave', 1)
    )
    monkeypatch.setattr(landlocking, "__file__", str(tmp_path / "landlocking.py"))
    monkeypatch.setattr(landlocking, "landlock_abi", lambda: abi)
    environment = Landlocked()
    obstacle = environment.obstacle()
    assert (obstacle is None) is works
    if not works:
        assert "no namespaces" in (obstacle or "") and "too old" in (obstacle or "")
        return
    reachable(tmp_path)
    hut = Hut(environment, tmp_path)  # type: ignore[arg-type]
    assert hut.run("pwd").output.decode().strip() == str(tmp_path / "workspace")


def test_it_says_of_itself_that_it_is_for_one_tenant(in_rooms: Landlocked) -> None:
    [line] = report({"landlock": in_rooms})
    assert line == ("landlock", None, True)


@pytest.mark.usefixtures("in_rooms", "bare")
@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may write everywhere: these have run as another user"
)
def test_a_sandbox_holds_when_the_server_is_not_root(top: Path) -> None:
    another.as_another(
        top, "tests/environments/test_landlock.py", "-k", "holds or reach or keeper or real_folder"
    )
