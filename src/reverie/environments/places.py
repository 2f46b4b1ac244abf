"""The two names of a file, where a sandbox has no file system of its own: as from inside, and on the machine."""

from __future__ import annotations

import posixpath

from reverie.plugins import SandboxSpec

__all__ = ["inside_path", "real_path"]


def real_path(spec: SandboxSpec, path: str) -> str:
    """Where on the machine a path of a sandbox is; a path that is in no mount stays as it is."""
    inside = posixpath.normpath(posixpath.join(spec.home, path))
    for mount in sorted(spec.mounts, key=lambda each: -len(each.inside)):
        below = _below(mount.inside.rstrip("/"), inside)
        if below is not None:
            return f"{mount.folder.absolute()}{below}"
    return inside


def inside_path(spec: SandboxSpec, path: str) -> str:
    """The name in the sandbox of a path on the machine that is in one of its mounts; any other path stays."""
    for mount in sorted(spec.mounts, key=lambda each: -len(str(each.folder.absolute()))):
        below = _below(str(mount.folder.absolute()), path)
        if below is not None:
            return mount.inside + below
    return path


def _below(folder: str, path: str) -> str | None:
    """What of a path follows a folder that it is in or is."""
    return path[len(folder) :] if f"{path}/".startswith(f"{folder}/") else None
