"""Nothing gets out of a sandbox; each attempt that can do no harm is seen to succeed without one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.environments.conftest import Hut
from tests.environments.planted import planted
from tests.environments.probes import PRELUDE, PROBES, Probe

from reverie.environments.bubblewrap import Bubblewrap


@pytest.fixture(scope="module")
def hut(bubblewrap: Bubblewrap, tmp_path_factory: pytest.TempPathFactory) -> Hut:
    return Hut(bubblewrap, tmp_path_factory.mktemp("hut"))


@pytest.fixture(scope="module")
def outside(hut: Hut, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with planted(tmp_path_factory.mktemp("outside"), hut.folder) as variables:
        yield variables


def test_there_are_enough_of_them() -> None:
    assert len(PROBES) == len({probe.name for probe in PROBES}) >= 60


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_sandbox_holds(probe: Probe, hut: Hut, outside: Mapping[str, str]) -> None:
    finished = hut.python(PRELUDE + probe.code, variables=outside, timeout_s=20)
    assert b"ESCAPED" not in finished.output
    assert b"SyntaxError" not in finished.output
    assert b"NameError" not in finished.output
    assert b"struct.error" not in finished.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read everything, to show that probes find it")
def test_control_without_a_sandbox_they_get_out(outside: Mapping[str, str], tmp_path: Path) -> None:
    """Not every machine lets root do everything: some may fail, and are named."""
    tried = [probe for probe in PROBES if probe.bare]
    held = {probe.name: told for probe in tried if "ESCAPED" not in (told := _bare(probe, outside, tmp_path))}
    assert len(held) <= len(tried) / 5, held


def _bare(probe: Probe, outside: Mapping[str, str], folder: Path) -> str:
    with open(os.devnull) as inherited:
        os.set_inheritable(inherited.fileno(), True)
        done = subprocess.run(
            [sys.executable, "-IS", "-c", PRELUDE + probe.code],
            env={**os.environ, **outside},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            close_fds=False,
            check=False,
            start_new_session=True,
        )
    return done.stdout
