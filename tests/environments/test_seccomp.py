"""The filter of system calls, run on made-up calls by a machine for its instructions."""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.domain.errors import SandboxFailed
from reverie.environments import seccomp
from reverie.environments.seccomp import NEWEST, REFUSED, Sockets, program

pyseccomp = pytest.importorskip("pyseccomp", reason="libseccomp is not installed")

ALLOW, KILL = 0x7FFF0000, 0x80000000
NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(platform.machine(), 0)
UNIX, INET, PACKET, VSOCK, NETLINK = 1, 2, 17, 40, 16


def refused(code: int) -> int:
    return 0x00050000 | code


def number(name: str) -> int:
    return int(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name))


def verdict(code: bytes, nr: int, args: Sequence[int] = (), arch: int = NATIVE) -> int:
    """Classic BPF, as far as libseccomp uses it."""
    data = struct.pack("<IIQ6Q", nr, arch, 0, *([*args, 0, 0, 0, 0, 0, 0][:6]))
    at = accumulator = 0
    while True:
        op, yes, no, k = struct.unpack_from("<HBBI", code, at * 8)
        at += 1
        if op == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif op == 0x54:
            accumulator &= k
        elif op == 0x06:
            return int(k)
        elif op == 0x05:
            at += k
        else:
            true = {
                0x15: accumulator == k,
                0x25: accumulator > k,
                0x35: accumulator >= k,
                0x45: accumulator & k,
            }
            at += yes if true[op] else no


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_named_is_refused(name: str) -> None:
    if number(name) >= 0:
        assert verdict(program(sockets="all"), number(name)) == refused(errno.EPERM)


@pytest.mark.parametrize(
    "name", ["read", "openat", "execve", "futex", "mmap", "connect", "landlock_create_ruleset"]
)
def test_the_usual_is_allowed(name: str) -> None:
    assert verdict(program(sockets="none"), number(name)) == ALLOW


@given(st.integers(NEWEST, 0xFFFF_FFFF))
def test_what_came_later_does_not_exist(nr: int) -> None:
    assert verdict(program(sockets="all"), nr) == refused(errno.ENOSYS)


@given(st.integers(0, NEWEST - 1), st.sampled_from([0x40000003, 0x40000028, 0, 0xC000003F]))
def test_other_architectures_are_killed(nr: int, arch: int) -> None:
    assert verdict(program(sockets="all"), nr, arch=arch) == KILL


@given(
    st.integers(0, 0xFFFF_FFFF), st.sampled_from([17, 25, 26, 27, 28, 29, 30]), st.integers(0, 0xFFFF_FFFF)
)
def test_no_clone_makes_a_namespace(flags: int, bit: int, upper: int) -> None:
    made = (upper << 32) | flags | 1 << bit
    assert verdict(program(sockets="all"), number("clone"), [made]) == refused(errno.EPERM)


def test_threads_and_processes_are_made() -> None:
    for flags in (0x3D0F00, 0x1200011, 0x4111):  # pthread_create, fork, vfork
        assert verdict(program(sockets="all"), number("clone"), [flags]) == ALLOW
    assert verdict(program(sockets="all"), number("clone3")) == refused(errno.ENOSYS)


@given(st.sampled_from([0x5412, 0x541C]), st.integers(0, 0xFFFF_FFFF))
def test_nobody_types_into_a_terminal(request: int, upper: int) -> None:
    assert verdict(program(sockets="all"), number("ioctl"), [0, upper << 32 | request]) == refused(
        errno.EPERM
    )
    assert verdict(program(sockets="all"), number("ioctl"), [0, upper << 32 | 0x5413]) == ALLOW


@given(st.integers(0, 0o777), st.sampled_from([0o4000, 0o2000, 0o6000]))
def test_no_file_lends_its_owners_rights(mode: int, bits: int) -> None:
    code, no = program(sockets="all"), refused(errno.EPERM)
    for name, before in (("fchmod", [3]), ("fchmodat", [3, 0]), ("fchmodat2", [3, 0]), ("mknodat", [3, 0])):
        assert verdict(code, number(name), [*before, mode | bits]) == no
        assert verdict(code, number(name), [*before, mode]) == ALLOW
    for flags, said in ((0o101, no), (0o20200002, no), (0o2, ALLOW)):
        assert verdict(code, number("openat"), [3, 0, flags, mode | bits]) == said
        assert verdict(code, number("openat"), [3, 0, flags, mode]) == ALLOW
    assert verdict(code, number("openat2")) == refused(errno.ENOSYS)


ALLOWED: dict[Sockets, set[int]] = {"all": {UNIX, INET, 10, NETLINK}, "unix": {UNIX}, "none": set()}


@pytest.mark.parametrize("sockets", ALLOWED)
@given(family=st.one_of(st.integers(0, 64), st.integers(0, 0xFFFF_FFFF)), upper=st.integers(0, 0xFFFF_FFFF))
def test_sockets_are_of_the_allowed_families(sockets: Sockets, family: int, upper: int) -> None:
    said = verdict(program(sockets=sockets), number("socket"), [upper << 32 | family, 1, 0])
    assert said == (ALLOW if family in ALLOWED[sockets] else refused(errno.EAFNOSUPPORT))


def test_of_netlink_the_routes_alone() -> None:
    for protocol in range(32):
        said = verdict(program(sockets="all"), number("socket"), [NETLINK, 3, protocol])
        assert (said == ALLOW) == (protocol == 0)


def test_a_pair_talks_to_nobody_else() -> None:
    """A datagram's end could send to any address."""
    for kind, allowed in ((1, True), (5, True), (2, False), (3, False), (0x80802, False)):
        said = verdict(program(sockets="none"), number("socketpair"), [UNIX, kind, 0])
        assert (said == ALLOW) == allowed
    assert verdict(program(sockets="none"), number("socketpair"), [INET, 1, 0]) != ALLOW
    assert verdict(program(sockets="unix"), number("socketpair"), [UNIX, 2, 0]) == ALLOW


def test_without_libseccomp_there_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise RuntimeError("Unable to find libseccomp")

    assert seccomp.obstacle() is None
    monkeypatch.setattr(seccomp, "_library", missing)
    seccomp.program.cache_clear()
    assert "Unable to find libseccomp" in (seccomp.obstacle() or "")
    with pytest.raises(SandboxFailed, match="apt install libseccomp2"):
        program(sockets="all")
