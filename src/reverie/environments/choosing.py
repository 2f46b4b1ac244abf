"""Which environment sandboxes are made in. Where none is good enough there is none: it never falls through."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from reverie.domain.errors import ConfigError, SandboxFailed
from reverie.plugins import Environment

__all__ = ["AUTO", "UNSAFE", "UNSAFE_VARIABLE", "choose"]

AUTO: Final = "auto"
UNSAFE: Final = "unsafe-local"
UNSAFE_VARIABLE: Final = "REVERIE_ALLOW_UNSAFE_SANDBOX"
_BEST_FIRST: Final = ("bubblewrap", "landlock")
_ONE_TENANT: Final = ("landlock", UNSAFE)
_HINT: Final = "remove one of the obstacles; `reverie doctor` looks again"


def choose(
    environments: Mapping[str, Environment],
    wanted: str = AUTO,
    *,
    tenants: int,
    loopback: bool,
    variables: Mapping[str, str] = os.environ,
) -> Environment:
    """The environment of that name, or with ``auto`` the best that works here.

    Args:
        environments: By the name under which they are registered.
        wanted: A name, or ``auto``: bubblewrap, then landlock. The unsafe one must be named.
        tenants: How many workspaces may run commands. More than one want walls between them, which
            landlock's are not.
        loopback: Whether nobody but this machine can reach the server.
        variables: ``$REVERIE_ALLOW_UNSAFE_SANDBOX`` must be 1 for the unsafe one.

    Raises:
        ConfigError: no such environment, or it may not be used like this.
        SandboxFailed: it does not work here; every obstacle is told.
    """
    if wanted != AUTO:
        return _named(environments, wanted, tenants, loopback, variables)
    obstacles: list[str] = []
    for name in _BEST_FIRST:
        if name not in environments:
            obstacles.append(f"{name}: not installed")
        elif name in _ONE_TENANT and tenants > 1:
            obstacles.append(f"{name}: only for one tenant, and there are {tenants}")
        elif (obstacle := environments[name].obstacle()) is not None:
            obstacles.append(f"{name}: {obstacle}")
        else:
            return environments[name]
    raise SandboxFailed("no sandbox works on this machine: " + "; ".join(obstacles), hint=_HINT)


def _named(
    environments: Mapping[str, Environment],
    wanted: str,
    tenants: int,
    loopback: bool,
    variables: Mapping[str, str],
) -> Environment:
    if wanted not in environments:
        known = ", ".join((AUTO, *sorted(environments)))
        raise ConfigError(f"there is no sandbox called {wanted!r}", hint=f"one of {known}")
    if wanted in _ONE_TENANT and tenants > 1:
        raise ConfigError(
            f"the sandbox {wanted!r} has no walls between tenants, and there are {tenants}",
            hint="use bubblewrap",
        )
    if wanted == UNSAFE and variables.get(UNSAFE_VARIABLE) != "1":
        raise ConfigError(
            f"the sandbox {wanted!r} is none: commands may do what the server may",
            hint=f"use `auto`; or set {UNSAFE_VARIABLE}=1 where nothing can be lost",
        )
    if wanted == UNSAFE and not loopback:
        raise ConfigError(f"the sandbox {wanted!r} is only for a server that nobody else can reach")
    obstacle = environments[wanted].obstacle()
    if obstacle is not None:
        raise SandboxFailed(obstacle, where=wanted, hint=_HINT)
    return environments[wanted]
