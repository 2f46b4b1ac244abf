"""What sandboxes are asked for, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["FileFacts", "Finished", "Injected", "Limits", "Mount", "Network", "SandboxSpec"]


@dataclass(frozen=True, slots=True)
class Injected:
    """A secret that a sandbox never sees: its variable ``name`` holds a placeholder, which becomes the value
    on the way out, in the headers (``header``) and the body (``body``) of requests to ``hosts``, or to every
    host that the network lets through where that is None."""

    name: str
    value: str = field(repr=False)
    hosts: Sequence[str] | None = None
    header: bool = True
    body: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that what runs in a sandbox may take."""

    memory_bytes: int = 2 << 30
    file_bytes: int = 1 << 30
    processes: int = 256
    cpu_s: int = 600
    scratch_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of this machine that a sandbox shows at ``inside`` (an absolute path)."""

    folder: Path
    inside: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Network:
    """What a sandbox may reach: nothing but ``hosts`` (``*.example.org`` allowed), or ``everything`` public."""

    hosts: Sequence[str] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or folder in a sandbox. ``mtime`` is in seconds since 1970."""

    path: str
    kind: Literal["file", "folder", "link", "other"]
    size: int
    mtime: float


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended. ``output`` is what it wrote, both streams in their order, at most as much as was
    asked for; ``dropped`` counts the bytes behind that. ``exit_code`` is negative for a signal, and 127 for a
    command that is not there."""

    exit_code: int
    output: bytes
    dropped: int = 0
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """A sandbox to be made. ``home`` is the mount in which commands start; ``refused`` is told of each
    connection that ``network`` does not allow: the host, and why. It is called on the event loop, and
    must return at once."""

    id: str
    mounts: Sequence[Mount]
    home: str = "/workspace"
    network: Network = field(default_factory=Network)
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: Limits = field(default_factory=Limits)
    secrets: Sequence[Injected] = ()
    refused: Callable[[str, str], None] = lambda host, reason: None
