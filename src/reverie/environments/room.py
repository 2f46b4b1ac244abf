"""What a sandbox made by bubblewrap looks like from inside, as options of ``bwrap``.

The system's programs (``/usr``, read-only), what of ``/etc`` programs need, an empty ``/home/agent``, ``/tmp``
and ``/dev/shm`` of limited size for the time of one command, the spec's folders; everything else is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from reverie.plugins import SandboxSpec

__all__ = ["ETC", "HOME", "MERGED", "VARIABLES", "Option", "furnished", "options"]

Option: TypeAlias = str | int | dict[str, str]

HOME: Final = "/home/agent"
_USER: Final = "1000"
VARIABLES: Final = {
    "HOME": HOME,
    "LANG": "C.UTF-8",
    "LOGNAME": "agent",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "SHELL": "/bin/sh",
    "TERM": "dumb",
    "TMPDIR": "/tmp",  # noqa: S108  (the sandbox's own)
    "USER": "agent",
}
_WALLS: Final = (
    *("--unshare-all", "--unshare-user", "--uid", _USER, "--gid", _USER),
    *("--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"),
)
MERGED: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC: Final = (
    "/etc/alternatives",
    "/etc/ca-certificates/extracted",
    "/etc/fonts",
    *(f"/etc/java-{version}-openjdk" for version in (11, 17, 21, 25)),
    "/etc/ld.so.cache",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)
"""What programs need and cannot be made up. Short: each mount costs a third of a millisecond."""
_FILES: Final = {
    "/etc/group": "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\n",
    "/etc/services": "http 80/tcp\nhttps 443/tcp\nssh 22/tcp\ndomain 53/udp\n",
    "/etc/passwd": (
        "root:x:0:0:root:/:/usr/sbin/nologin\n"
        f"agent:x:1000:1000:agent:{HOME}:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    ),
}


def options(spec: SandboxSpec, cwd: str, variables: Mapping[str, str], *, nested: bool) -> list[Option]:
    """Of one command; a number stands for the folder of that mount. ``nested``: bwrap can forbid namespaces
    within the sandbox (the filter of system calls does so too)."""
    told: list[Option] = [*_WALLS, *(["--disable-userns"] if nested else []), *furnished()]
    told += ["--proc", "/proc", "--dev", "/dev"]
    mounted = {mount.inside.rstrip("/") for mount in spec.mounts}
    size = str(spec.limits.scratch_bytes)
    for place, mode in (("/dev/shm", "1777"), ("/tmp", "1777"), (HOME, "0700")):  # noqa: S108  (as above)
        if place not in mounted:
            told += ["--perms", mode, "--size", size, "--tmpfs", place]
    for number, mount in sorted(enumerate(spec.mounts), key=lambda each: each[1].inside):
        told += ["--bind" if mount.writable else "--ro-bind", number, mount.inside]
    told += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", cwd]
    for name, value in {**VARIABLES, **spec.variables, **variables}.items():
        told += ["--setenv", name, value]
    return told


def furnished() -> list[Option]:
    """The system's programs, and the files that they expect."""
    told: list[Option] = ["--ro-bind", "/usr", "/usr", "--dir", "/etc", "--dir", "/home"]
    for place in map(Path, MERGED):
        if place.is_symlink():
            told += ["--symlink", str(place.readlink()), str(place)]
        elif place.is_dir():
            told += ["--ro-bind", str(place), str(place)]
    for place in ETC:
        if Path(place).exists():
            told += ["--ro-bind", place, place]
    for place, text in _FILES.items():
        told += ["--perms", "0444", "--file", {"data": text}, place]
    return [*told, "--dir", "/var", "--symlink", "../tmp", "/var/tmp"]  # noqa: S108  (as above)
