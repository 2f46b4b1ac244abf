"""Files, repositories and outputs of a session: what comes into its sandbox and what goes out."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.folders.rooms import World, kinds

from reverie.folders.mounts import Mounted
from reverie.folders.repository_mount import Git, RepositoryMount
from reverie.workspaces import sealing
from reverie.workspaces.files import MAX_IN_SESSION, Files


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path, clock: Any, entropy: Callable[[int], bytes]) -> Iterator[World]:
    made = World(sqlite_url, tmp_path / "files", clock, entropy)
    yield made
    made.close()


def upload(world: World, content: bytes, name: str = "data.csv") -> str:
    return world.house.files.store(io.BytesIO(content), filename=name).id


def on_disk(world: World, session: str, mounted: Mounted, path: str) -> Path:
    """Where on this machine a path of the sandbox is."""
    mount = max(
        (m for m in mounted.spec.mounts if path.startswith(m.inside + "/")), key=lambda m: len(m.inside)
    )
    return mount.folder / path[len(mount.inside) + 1 :]


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("path", "writable"),
    [
        (None, False),
        ("/mnt/session/uploads/in/data.csv", False),
        ("/data/in.csv", False),
        ("/mnt/share/deep/in.csv", False),
        ("/workspace/sub/in.csv", True),
    ],
)
def test_a_file_is_where_it_is_mounted(world: World, path: str | None, writable: bool) -> None:
    content = b"a,b\n" * 1_000_000  # several chunks
    file = upload(world, content)
    session = world.session({"type": "file", "file_id": file, **({"mount_path": path} if path else {})})
    where = path or f"/mnt/session/uploads/{file}"
    mounted = world.open(session)
    assert mounted.pull() == [] and where in mounted.briefing
    there = on_disk(world, session, mounted, where)
    assert there.read_bytes() == content
    [mount] = [m for m in mounted.spec.mounts if m.folder in there.parents and m.inside != "/"]
    assert mount.writable == writable
    before = there.stat()
    again = on_disk(world, session, world.open(session), where)
    assert (again, again.stat().st_ino, again.stat().st_mtime_ns) == (
        there,
        before.st_ino,
        before.st_mtime_ns,
    )
    there.unlink()
    world.open(session)
    assert there.read_bytes() == content


def test_the_agents_own_copy_is_left_as_it_made_it(world: World) -> None:
    session = world.session(
        {"type": "file", "file_id": upload(world, b"old"), "mount_path": "/workspace/a.txt"}
    )
    there = on_disk(world, session, world.open(session), "/workspace/a.txt")
    there.write_text("changed by the agent")
    world.open(session)
    assert there.read_text() == "changed by the agent"


def test_a_file_that_comes_later_and_one_that_goes(world: World) -> None:
    session = world.session({"type": "file", "file_id": upload(world, b"one"), "mount_path": "/data/one"})
    world.open(session)
    added = world.house.sessions.add_resource(
        session, {"type": "file", "file_id": upload(world, b"two"), "mount_path": "/data/two"}
    )
    mounted = world.open(session)
    assert on_disk(world, session, mounted, "/data/one").read_bytes() == b"one"
    assert on_disk(world, session, mounted, "/data/two").read_bytes() == b"two"
    world.house.sessions.delete_resource(session, added["id"])
    mounted = world.open(session)
    assert not on_disk(world, session, mounted, "/data/two").exists()
    assert on_disk(world, session, mounted, "/data/one").exists()


def test_a_file_that_was_deleted_is_told_and_hinders_nothing(world: World) -> None:
    gone, there = upload(world, b"gone"), upload(world, b"there")
    session = world.session({"type": "file", "file_id": gone}, {"type": "file", "file_id": there})
    world.house.files.delete(gone)
    mounted = world.open(session)
    [trouble] = mounted.pull()
    assert trouble.kind == "mount_failed" and trouble.path == f"/mnt/session/uploads/{gone}"
    assert on_disk(world, session, mounted, f"/mnt/session/uploads/{there}").read_bytes() == b"there"
    assert mounted.pull() == []


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/usr/bin/python3", "/x", "/mnt/x", "/mnt/session/outputs/x", "/mnt/memory/a/x"]
)
def test_nothing_is_mounted_over_the_system(world: World, path: str) -> None:
    session = world.session({"type": "file", "file_id": upload(world, b"x"), "mount_path": path})
    mounted = world.open(session)
    assert kinds(mounted.pull()) == ["mount_failed"]
    assert len(mounted.spec.mounts) == 5


def test_a_link_in_the_workspace_leads_no_file_out_of_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    session = world.session()
    world.open(session)
    (world.root(session) / "workspace" / "sub").symlink_to(tmp_path / "outside")
    file = {"type": "file", "file_id": upload(world, b"x"), "mount_path": "/workspace/sub/a"}
    world.house.sessions.add_resource(session, file)
    assert kinds(world.open(session).pull()) == ["mount_failed"]
    assert list((tmp_path / "outside").iterdir()) == []


# ---------------------------------------------------------------------- outputs


def test_what_is_put_into_outputs_becomes_files_of_the_session(world: World) -> None:
    session = world.session()
    mounted = world.open(session)
    folder = world.outputs(session)
    (folder / "report.md").write_text("# Report\n")
    (folder / "charts").mkdir()
    (folder / "charts" / "one.png").write_bytes(b"\x89PNG" + bytes(3 << 20))
    assert mounted.changed() and mounted.push() == []
    assert world.given(session) == {"report.md": b"# Report\n", "one.png": b"\x89PNG" + bytes(3 << 20)}
    assert not mounted.changed()
    (folder / "report.md").write_text("# Better\n")
    (folder / "charts" / "one.png").unlink()
    assert mounted.push() == []
    assert world.given(session) == {"report.md": b"# Better\n"}
    [file] = world.house.files.list(session_id=session)
    assert file.body["mime_type"] == "text/markdown" and file.body["scope"]["id"] == session


def test_outputs_that_a_killed_process_did_not_give_are_given_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = world.session()
    mounted = world.open(session)
    folder = world.outputs(session)
    for name in ("a", "b", "c"):
        (folder / name).write_text(name)
    stored = Files.store
    calls: list[str] = []

    def killed(self: Files, *args: Any, **more: Any) -> Any:
        calls.append(more["filename"])
        stored(self, *args, **more)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return self.list(session_id=session)[0]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Files, "store", killed)
        mounted.push()
    again = world.open(session)
    assert again.changed() and again.push() == []
    assert world.given(session) == {"a": b"a", "b": b"b", "c": b"c"}  # and no name twice
    (folder / "b").write_text("B")
    assert again.push() == []
    assert world.given(session) == {"a": b"a", "b": b"B", "c": b"c"}
    assert world.open(session).push() == []
    assert len(world.house.files.list(session_id=session)) == 3


def test_what_a_client_deletes_stays_deleted(world: World) -> None:
    session = world.session()
    mounted = world.open(session)
    (world.outputs(session) / "a").write_text("a")
    mounted.push()
    world.house.files.delete(world.house.files.list(session_id=session)[0].id)
    again = world.open(session)
    again.push()
    assert world.given(session) == {}
    (world.outputs(session) / "a").write_text("new")
    again.push()
    assert world.given(session) == {"a": b"new"}


def test_more_outputs_than_a_session_may_have(world: World) -> None:
    session = world.session()
    mounted = world.open(session)
    folder = world.outputs(session)
    for number in range(MAX_IN_SESSION + 8):
        (folder / f"{number:04}.txt").write_text(str(number))
    troubles = mounted.push()
    assert set(kinds(troubles)) == {"outputs_failed"} and len(troubles) == 6
    assert str(MAX_IN_SESSION) in troubles[0].message
    assert len(world.given(session)) == MAX_IN_SESSION
    assert not mounted.changed() and mounted.push() == []
    (folder / "0000.txt").write_text("changed")  # there is room for what is there
    assert mounted.push() == []
    assert world.given(session)["0000.txt"] == b"changed"


def test_an_output_that_is_too_large(world: World) -> None:
    world.house.files._max_bytes = 1_000
    session = world.session()
    mounted = world.open(session)
    (world.outputs(session) / "big").write_bytes(bytes(1_001))
    (world.outputs(session) / "small").write_bytes(bytes(1_000))
    [trouble] = mounted.push()
    assert trouble.kind == "outputs_failed" and trouble.path == "/mnt/session/outputs/big"
    assert list(world.given(session)) == ["small"]
    assert mounted.push() == []


def test_no_link_leads_out_of_the_outputs(world: World, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    session = world.session()
    mounted = world.open(session)
    (world.outputs(session) / "a").symlink_to(tmp_path / "secret")
    (world.outputs(session) / "d").symlink_to(tmp_path)
    os.mkfifo(world.outputs(session) / "p")
    (world.outputs(session) / os.fsdecode(b"caf\xe9.txt")).write_text("latin")
    assert kinds(mounted.push()) == ["outputs_failed"] * 3
    assert list(world.given(session).values()) == [b"latin"]
    assert mounted.push() == [] and not mounted.changed()


# ---------------------------------------------------------------------- repositories


def git(folder: Path, *words: str) -> str:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"]}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": "a", f"GIT_{role}_EMAIL": "a@example.org"}
    done = subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True, env=who)
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with two commits on main, one on a branch, and a hook that must not run."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in (1, 2):
        (folder / "README").write_text(f"{number}\n")
        git(folder, "add", "README")
        git(folder, "commit", "-q", "-m", str(number))
    git(folder, "checkout", "-q", "-b", "topic")
    (folder / "README").write_text("topic\n")
    git(folder, "commit", "-q", "-a", "-m", "topic")
    git(folder, "checkout", "-q", "main")
    return folder


class Repositories:
    """The repositories of a session, as its body has them: a client may name only https://github.com."""

    def __init__(self, world: World, token: str | None = None) -> None:
        self.world = world
        self.session = world.session()
        world.open(self.session)
        self.token = token
        self.git = world.git

    def place(
        self, url: str, path: str = "/workspace/it", checkout: Any = None
    ) -> tuple[list[Any], list[Any]]:
        from reverie.domain.errors import NotFound
        from reverie.folders.places import Rooms

        def secret(owner: str, name: str) -> str:
            if self.token is None:
                raise NotFound("there is none")
            return self.token

        resource = {
            "id": "sesrsc_1", "type": "github_repository", "url": url, "mount_path": path, "checkout": checkout
        }  # fmt: skip
        return RepositoryMount(Rooms(self.world.root(self.session)), self.git, secret).place([resource])

    def file(self, name: str) -> str:
        return (self.world.root(self.session) / name).read_text()


@pytest.mark.parametrize(
    ("checkout", "expected"),
    [(None, "2\n"), ({"type": "branch", "name": "topic"}, "topic\n"), ("commit", "1\n")],
)
def test_a_repository_is_cloned_once(world: World, origin: Path, checkout: Any, expected: str) -> None:
    if checkout == "commit":
        checkout = {"type": "commit", "sha": git(origin, "rev-parse", "main~1")}
    repositories = Repositories(world)
    url = origin.as_uri()
    assert repositories.place(url, checkout=checkout) == ([], [])
    assert repositories.file("workspace/it/README") == expected
    readme = world.root(repositories.session) / "workspace/it/README"
    readme.write_text("the agent's\n")
    assert repositories.place(url, checkout=checkout) == ([], [])
    assert readme.read_text() == "the agent's\n"


@pytest.mark.parametrize("path", ["/workspace", "/workspace/", "/workspace/deep/er", "/repo", "/mnt/code"])
def test_a_repository_is_where_it_is_mounted(world: World, origin: Path, path: str) -> None:
    repositories = Repositories(world)
    mounts, troubles = repositories.place(origin.as_uri(), path)
    assert troubles == []
    if path.startswith("/workspace"):
        assert mounts == []
        assert repositories.file(f"{path.strip('/')}/README") == "2\n"
    else:
        [mount] = mounts
        assert (mount.inside, mount.writable) == (path, True)
        assert (mount.folder / "README").read_text() == "2\n"


@pytest.mark.parametrize(
    ("url", "checkout", "kind"),
    [
        ("file:///nowhere/at/all", None, "repository_not_found"),
        (None, {"type": "branch", "name": "missing"}, "repository_checkout"),
        (None, {"type": "commit", "sha": "0" * 40}, "repository_checkout"),
        ("ssh://git@example.org/a/b", None, "repository_clone"),
        ("ext::sh -c touch% /tmp/ran", None, "repository_clone"),
        ("--upload-pack=touch /tmp/ran", None, "repository_not_found"),
    ],
)
def test_a_repository_that_cannot_be_had(
    world: World, origin: Path, url: Any, checkout: Any, kind: str
) -> None:
    repositories = Repositories(world)
    mounts, [trouble] = repositories.place(url or origin.as_uri(), checkout=checkout)
    assert (mounts, trouble.kind, trouble.url) == ([], kind, url or origin.as_uri()), trouble
    assert list((world.root(repositories.session) / "workspace").rglob("*")) == []
    assert [p.name for p in (world.root(repositories.session) / "beside").glob("*.tmp")] == []
    assert not Path("/tmp/ran").exists()


def test_a_repository_over_what_is_there(world: World, origin: Path) -> None:
    repositories = Repositories(world)
    for path in ("/etc", "/mnt/session/outputs", "/mnt/memory/a"):
        assert kinds(repositories.place(origin.as_uri(), path)[1]) == ["repository_clone"]
    (world.root(repositories.session) / "workspace/it").mkdir()
    (world.root(repositories.session) / "workspace/it/mine").write_text("mine")
    assert kinds(repositories.place(origin.as_uri())[1]) == ["repository_clone"]
    assert repositories.file("workspace/it/mine") == "mine"


def test_a_file_within_a_repository_of_its_own(world: World, origin: Path) -> None:
    """Two mounts in one another would make a sandbox that cannot be made."""
    file = upload(world, b"x")
    session = world.session(
        {"type": "file", "file_id": file, "mount_path": "/code/data.csv"},
        {"type": "file", "file_id": file, "mount_path": "/workspace/it/data.csv"},
        {"type": "github_repository", "url": "https://github.com/owner/it", "mount_path": "//code/it/"},
        {"type": "github_repository", "url": "https://github.com/owner/it"},
    )
    body = dict(world.house.sessions.get(session).row.body or {})
    body["resources"] = [{**r, "url": origin.as_uri()} if "url" in r else r for r in body["resources"]]
    mounted = world.mounts().open(world.house.id, session, body)
    [trouble] = mounted.pull()
    assert (trouble.kind, trouble.path) == ("mount_failed", "/code/data.csv")
    [own] = [mount for mount in mounted.spec.mounts if mount.inside == "/code/it"]
    assert (own.folder / "README").read_text() == "2\n"
    inside = world.root(session) / "workspace/it"
    assert sorted(p.name for p in inside.iterdir()) == [".git", "README", "data.csv"]


def test_without_git(world: World, origin: Path, tmp_path: Path) -> None:
    repositories = Repositories(world)
    repositories.git = Git({"PATH": str(tmp_path)}, ("file",))
    [trouble] = repositories.place(origin.as_uri())[1]
    assert trouble.kind == "repository_clone" and "not installed" in trouble.message


class _Server(BaseHTTPRequestHandler):
    """A git server over the simple HTTP protocol: the files of a bare repository, for who has the token."""

    root: Path
    expected: str
    status: int
    seen: list[str]

    def do_GET(self) -> None:
        word = self.headers.get("Authorization", "")
        type(self).seen.append(word)
        file = type(self).root / self.path.partition("?")[0].lstrip("/")
        status = 200 if file.is_file() else 404
        if word != type(self).expected:
            status = type(self).status
        content = file.read_bytes() if status == 200 else b""
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(origin: Path, tmp_path: Path) -> Iterator[Any]:
    git(tmp_path, "clone", "-q", "--bare", str(origin), "served.git")
    git(tmp_path / "served.git", "update-server-info")

    class Server(_Server):
        root = tmp_path
        expected = "Basic " + b64encode(b"x-access-token:t0ken-of-mine").decode()
        status = 401
        seen: list[str] = []  # noqa: RUF012

    with HTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        Server.url = f"http://127.0.0.1:{http.server_port}"
        yield Server
        http.shutdown()
        thread.join()


def test_a_token_goes_as_a_header_and_nowhere_else(world: World, server: Any) -> None:
    repositories = Repositories(world, token="t0ken-of-mine")
    assert repositories.place(f"{server.url}/served.git") == ([], [])
    assert repositories.file("workspace/it/README") == "2\n"
    assert set(server.seen) == {server.expected}
    for file in world.root(repositories.session).rglob("*"):
        if file.is_file():
            assert b"t0ken-of-mine" not in file.read_bytes() and b"Authorization" not in file.read_bytes()


@pytest.mark.parametrize(
    ("status", "token", "kind"),
    [
        (401, None, "repository_authentication"),
        (401, "a-wrong-token", "repository_authentication"),
        (403, "a-wrong-token", "repository_forbidden"),
        (404, None, "repository_not_found"),
        (500, None, "repository_clone"),
    ],
)
def test_what_a_server_says_no_with(
    world: World, server: Any, status: int, token: str | None, kind: str
) -> None:
    server.status = status
    [trouble] = Repositories(world, token=token).place(f"{server.url}/served.git")[1]
    assert trouble.kind == kind
    assert "a-wrong-token" not in trouble.message


def test_a_token_of_a_session_is_used(world: World, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the front door: only the address is another one."""
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())
    session = world.session(
        {
            "type": "github_repository", "url": "https://github.com/owner/served.git",
            "authorization_token": "t0ken-of-mine",
        }
    )  # fmt: skip
    body = dict(world.house.sessions.get(session).row.body or {})
    body["resources"] = [{**r, "url": f"{server.url}/served.git"} for r in body["resources"]]
    mounted = world.mounts().open(world.house.id, session, body)
    assert mounted.pull() == []
    assert (world.root(session) / "workspace/served/README").read_text() == "2\n"
    assert "/workspace/served" in mounted.briefing and "t0ken" not in mounted.briefing
