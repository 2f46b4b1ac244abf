"""The switch that keeps models of real providers from being asked: for tests, and for demos without a network.

It is an environment variable and nothing else, so that what a test starts as a process of its own obeys too.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from reverie.domain.errors import ConfigError

__all__ = ["MODEL_REQUESTS", "Allowed", "allowing", "check_allowed"]

MODEL_REQUESTS: Final = "REVERIE_MODEL_REQUESTS"
"""The environment variable: ``none``, ``loopback`` (servers of this machine), or ``all``, as when it is unset."""

Allowed: TypeAlias = Literal["none", "loopback", "all"]


def check_allowed(model: str, address: str | None) -> None:
    """Refuse a request to ``address`` (a URL; None where it is not known) if the switch says so.

    Raises:
        ConfigError: it does, or it says something unknown.
    """
    said = os.environ.get(MODEL_REQUESTS, "all")
    if said == "all" or (said == "loopback" and _is_loopback(address)):
        return
    if said in ("none", "loopback"):
        what = f"models may not be asked here, and {model!r} is at {address or 'an unknown address'}"
        raise ConfigError(what, where=f"{MODEL_REQUESTS}={said}", hint="use a scripted: model, or unset it")
    raise ConfigError(f"it is none, loopback or all, not {said!r}", where=MODEL_REQUESTS, hint="unset it")


@contextmanager
def allowing(which: Allowed) -> Generator[None]:
    """Set the switch for this process and those it starts, and set it back."""
    before = os.environ.get(MODEL_REQUESTS)
    os.environ[MODEL_REQUESTS] = which
    try:
        yield
    finally:
        if before is None:
            del os.environ[MODEL_REQUESTS]
        else:
            os.environ[MODEL_REQUESTS] = before


def _is_loopback(address: str | None) -> bool:
    """Whether a URL's host is this machine, as written: a name that resolves to it does not count."""
    host = urlsplit(address or "").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
