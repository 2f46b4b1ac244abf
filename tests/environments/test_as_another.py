"""The same tests once more as a user who is not root, when those here run as root.

Neither the interpreter nor the code need be where that user may go: in a mount namespace of its own they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from reverie.environments.bubblewrap import Bubblewrap

REPOSITORY = Path(__file__).resolve().parents[2]
USER = "12345"
SCRIPT = """
set -e
top=$1; base=$2; site=$3; repository=$4; user=$5; shift 5
mount --bind "$base" "$top/python"; mount --bind "$site" "$top/site"; mount --bind "$repository" "$top/repository"
cd "$top/repository"
exec setpriv --reuid "$user" --regid "$user" --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


@pytest.fixture
def top(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = Path("/var/tmp", f"reverie-{os.getpid()}")
    for name in ("python", "site", "repository", "own"):
        (folder / name).mkdir(parents=True)
    os.chown(folder / "own", int(USER), int(USER))
    yield folder
    shutil.rmtree(folder / "own")
    for name in ("python", "site", "repository", ""):
        (folder / name).rmdir()  # empty out here: never more than that


def as_another(top: Path, *options: str) -> str:
    interpreter = top / "python" / "bin" / Path(sys.executable).resolve().name
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(top / "own"),
        "TMPDIR": str(top / "own"),
        "PYTHONPATH": os.pathsep.join(str(top / part) for part in ("repository/src", "repository", "site")),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": str(top / "python" / "lib"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(top / "own" / "hypothesis"),
        "CI": "1",
    }
    places = [str(top), sys.base_prefix, sysconfig.get_path("purelib"), str(REPOSITORY), USER]
    tests = [str(interpreter), "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh", *places, *tests],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def root(bubblewrap: Bubblewrap) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may write everywhere: these tests have run as another user already")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mount is not allowed here")


@pytest.mark.usefixtures("root")
def test_a_sandbox_holds_when_the_server_is_not_root(top: Path) -> None:
    told = as_another(top, "tests/environments/test_probes.py")
    assert " passed" in told or "100%" in told


@pytest.mark.slow
@pytest.mark.usefixtures("root")
def test_commands_when_the_server_is_not_root(top: Path) -> None:
    as_another(top, "tests/environments/test_bubblewrap.py", "tests/environments/test_files.py")
