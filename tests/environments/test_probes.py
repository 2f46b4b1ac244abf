"""Nothing gets out of a sandbox; each attempt that can do no harm is seen to succeed without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.environments.conftest import Hut
from tests.environments.planted import planted
from tests.environments.probes import PROBES, RUNNER

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


CODES = {probe.name: probe.code for probe in PROBES}
MISTAKES = ("SyntaxError", "NameError", "TypeError", "struct.error", "AttributeError")


@pytest.fixture(scope="module")
def inside(hut: Hut, outside: Mapping[str, str]) -> Mapping[str, str]:
    """What each probe printed in a sandbox."""
    told = hut.python(RUNNER, variables=outside, stdin=json.dumps(CODES).encode())
    assert told.exit_code == 0, told.output
    return json.loads(told.output)


@pytest.mark.parametrize("name", CODES)
def test_a_sandbox_holds(name: str, inside: Mapping[str, str]) -> None:
    assert "ESCAPED" not in inside[name]
    assert not any(mistake in inside[name] for mistake in MISTAKES), inside[name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read everything, to show that probes find it")
def test_control_without_a_sandbox_they_get_out(outside: Mapping[str, str], tmp_path: Path) -> None:
    """Not every machine lets root do everything: some may fail, and are named."""
    tried = {probe.name: probe.code for probe in PROBES if probe.bare}
    held = {name: told for name, told in _bare(tried, outside, tmp_path).items() if "ESCAPED" not in told}
    assert len(held) <= len(tried) / 5, held


def _bare(codes: Mapping[str, str], outside: Mapping[str, str], folder: Path) -> Mapping[str, str]:
    with open(os.devnull) as inherited:
        os.set_inheritable(inherited.fileno(), True)
        done = subprocess.run(
            [sys.executable, "-IS", "-c", RUNNER],
            input=json.dumps(codes),
            env={**os.environ, **outside},
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            close_fds=False,
            check=True,
            start_new_session=True,
        )
    return json.loads(done.stdout)
