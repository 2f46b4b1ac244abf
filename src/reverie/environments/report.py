"""What of the ways of making sandboxes works on this machine, for ``reverie doctor``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reverie.plugins import Environment

__all__ = ["Line", "report"]


class Line(NamedTuple):
    """One environment. ``obstacle``: why it cannot be used, and what to do. ``reduced``: it is for one tenant."""

    name: str
    obstacle: str | None
    reduced: bool


def report(environments: Mapping[str, Environment]) -> list[Line]:
    """Each environment is tried: a fraction of a second. An environment says of itself that it is ``reduced``
    by an attribute of that name."""
    return [
        Line(name, environment.obstacle(), bool(getattr(environment, "reduced", False)))
        for name, environment in sorted(environments.items())
    ]
