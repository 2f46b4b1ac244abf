"""Which sandbox is taken, and that none is taken where none is good enough."""

from __future__ import annotations

import pytest

from reverie.domain.errors import ConfigError, SandboxFailed
from reverie.environments.choosing import choose
from reverie.plugins import Environment, Sandbox, SandboxSpec


class Fake:
    def __init__(self, name: str, obstacle: str | None) -> None:
        self.name = name
        self._obstacle = obstacle

    def obstacle(self) -> str | None:
        return self._obstacle

    def open(self, spec: SandboxSpec) -> Sandbox:
        raise AssertionError


def those(bubblewrap: str | None = None, landlock: str | None = None) -> dict[str, Environment]:
    obstacles = {"bubblewrap": bubblewrap, "landlock": landlock, "unsafe-local": None, "ours": None}
    return {name: Fake(name, obstacle) for name, obstacle in obstacles.items()}


ALLOWED = {"REVERIE_ALLOW_UNSAFE_SANDBOX": "1"}


@pytest.mark.parametrize(
    ("environments", "wanted", "tenants", "chosen"),
    [
        (those(), "auto", 1, "bubblewrap"),
        (those(), "auto", 9, "bubblewrap"),
        (those(bubblewrap="not there"), "auto", 1, "landlock"),
        (those(), "landlock", 1, "landlock"),
        (those(), "ours", 9, "ours"),
        (those("no", "no"), "unsafe-local", 1, "unsafe-local"),
    ],
)
def test_what_is_taken(environments: dict[str, Environment], wanted: str, tenants: int, chosen: str) -> None:
    taken = choose(environments, wanted, tenants=tenants, loopback=True, variables=ALLOWED)
    assert taken.name == chosen


@pytest.mark.parametrize(
    ("environments", "tenants", "told"),
    [
        (those("no user namespaces", "too old"), 1, ["no user namespaces", "too old"]),
        (those(bubblewrap="not there"), 2, ["not there", "only for one tenant, and there are 2"]),
        ({}, 1, ["bubblewrap: not installed", "landlock: not installed"]),
        ({"unsafe-local": Fake("unsafe-local", None)}, 1, ["not installed"]),
    ],
)
def test_where_none_works_every_obstacle_is_told(
    environments: dict[str, Environment], tenants: int, told: list[str]
) -> None:
    with pytest.raises(SandboxFailed) as failed:
        choose(environments, tenants=tenants, loopback=True, variables=ALLOWED)
    assert all(obstacle in str(failed.value) for obstacle in told)


@pytest.mark.parametrize(
    ("wanted", "tenants", "loopback", "variables", "error"),
    [
        ("docker", 1, True, ALLOWED, ConfigError),
        ("unsafe-local", 1, True, {}, ConfigError),
        ("unsafe-local", 1, True, {"REVERIE_ALLOW_UNSAFE_SANDBOX": "yes"}, ConfigError),
        ("unsafe-local", 1, False, ALLOWED, ConfigError),
        ("unsafe-local", 2, True, ALLOWED, ConfigError),
        ("landlock", 2, True, ALLOWED, ConfigError),
        ("bubblewrap", 1, True, ALLOWED, SandboxFailed),
    ],
)
def test_what_is_refused(
    wanted: str, tenants: int, loopback: bool, variables: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        choose(those(bubblewrap="no"), wanted, tenants=tenants, loopback=loopback, variables=variables)
