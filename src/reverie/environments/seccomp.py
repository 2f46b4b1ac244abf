"""What programs in a sandbox may not ask of the kernel, as a filter for seccomp(2).

What a coding agent runs needs hundreds of system calls, so this names those that it does not need and that
have let programs out of other sandboxes: other processes' memory, namespaces and mounts, io_uring, BPF, the
keyring, kernel modules, the clock, typing into the terminal, lending one's rights to a file, and sockets of
every kind but the usual. What
the kernel learned after this was written is refused by number; other architectures' calls kill the caller.

Anchors: the default profile of Docker (moby ``profiles/seccomp/default.json``) and flatpak's
``flatpak-run.c``, whose ``TIOCSTI`` check must look at the lower 32 bits alone (CVE-2019-10063).
"""

from __future__ import annotations

import errno
import functools
import importlib
import struct
import tempfile
from types import ModuleType
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.errors import SandboxFailed

__all__ = ["Sockets", "obstacle", "program"]

Sockets: TypeAlias = Literal["all", "unix", "none"]
"""Which sockets may be made: IP, netlink's routes and unix; unix only; none but a stream's pair."""

REFUSED: Final = tuple(
    """
    ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
    unshare setns pivot_root chroot mount umount2 move_mount open_tree mount_setattr
    fsopen fsconfig fsmount fspick name_to_handle_at open_by_handle_at fanotify_init
    io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd memfd_secret
    add_key request_key keyctl
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct
    quotactl quotactl_fd syslog settimeofday clock_settime clock_adjtime adjtimex
    sethostname setdomainname iopl ioperm modify_ldt vhangup uselib ustat sysfs _sysctl nfsservctl
    lookup_dcookie mbind migrate_pages move_pages set_mempolicy
""".split()  # noqa: SIM905  (a list of sixty lines says no more)
)

NEWEST: Final = 463
"""System calls from this number on (Linux 6.13, ``setxattrat``) "do not exist" yet: programs fall back."""

_LOW: Final = 0xFFFF_FFFF
_NAMESPACES: Final = tuple(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))  # CLONE_NEWNS … CLONE_NEWNET
_TERMINAL: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_RIGHTS: Final = (0o4000, 0o2000)  # S_ISUID, S_ISGID
_MODES: Final = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1, "mknod": 1, "mknodat": 2}
_OPENS: Final = {"open": (1, 2), "openat": (2, 3)}
_MAKING: Final = (0o100, 0o20000000)  # O_CREAT, __O_TMPFILE
_UNIX, _INET, _INET6, _NETLINK, _LAST_FAMILY = 1, 2, 10, 16, 63
_RAW, _DGRAM = 3, 2  # a pair's end of these can send to any address


def obstacle() -> str | None:
    """Why no filter can be made on this machine; None where it can."""
    try:
        program(sockets="all")
    except SandboxFailed as failed:
        return failed.what
    return None


@functools.cache
def program(*, sockets: Sockets) -> bytes:
    """The filter: an array of ``struct sock_filter`` for this machine's architecture.

    Raises:
        SandboxFailed: libseccomp is missing, or too old.
    """
    try:
        s = _library()
        rules = s.SyscallFilter(s.ALLOW)
        rules.set_attr(s.Attr.ACT_BADARCH, s.KILL_PROCESS)
        _refuse_calls(rules)
        _refuse_lent_rights(rules)
        _refuse_sockets(rules, sockets)
        with tempfile.TemporaryFile() as file:
            rules.export_bpf(file)
            file.seek(0)
            return _newer_than_this(s.ERRNO(errno.ENOSYS)) + file.read()
    except (ImportError, RuntimeError, OSError) as error:
        raise SandboxFailed(
            f"the filter of system calls cannot be made: {error}", hint="apt install libseccomp2"
        ) from error


def _library() -> ModuleType:
    """Late: it looks for libseccomp by running programs, and raises RuntimeError where there is none."""
    return importlib.import_module("pyseccomp")


def _refuse_calls(rules: Any) -> None:
    s = _library()
    refuse = s.ERRNO(errno.EPERM)
    for name in REFUSED:
        if s.resolve_syscall(s.Arch.NATIVE, name) >= 0:  # not every architecture has all of them
            rules.add_rule(refuse, name)
    for flag in _NAMESPACES:
        rules.add_rule(refuse, "clone", s.Arg(0, s.MASKED_EQ, flag, flag))
    rules.add_rule(s.ERRNO(errno.ENOSYS), "clone3")  # its flags are in memory: libc falls back to clone
    for request in _TERMINAL:
        rules.add_rule(refuse, "ioctl", s.Arg(1, s.MASKED_EQ, _LOW, request))


def _refuse_lent_rights(rules: Any) -> None:
    """No file whose program runs with its owner's rights: outside, the owner is whoever runs the server."""
    s = _library()
    refuse = s.ERRNO(errno.EPERM)
    for bit in _RIGHTS:
        for name, mode in _MODES.items():
            if s.resolve_syscall(s.Arch.NATIVE, name) >= 0:
                rules.add_rule(refuse, name, s.Arg(mode, s.MASKED_EQ, bit, bit))
        for name, (flags, mode) in _OPENS.items():
            for making in _MAKING:
                if s.resolve_syscall(s.Arch.NATIVE, name) >= 0:
                    wanted = s.Arg(flags, s.MASKED_EQ, making, making), s.Arg(mode, s.MASKED_EQ, bit, bit)
                    rules.add_rule(refuse, name, *wanted)
    rules.add_rule(s.ERRNO(errno.ENOSYS), "openat2")  # its mode is in memory: programs fall back to openat


def _refuse_sockets(rules: Any, sockets: Sockets) -> None:
    """The kernel looks at the lower half of an ``int``, so the filter does."""
    s = _library()
    refuse = s.ERRNO(errno.EAFNOSUPPORT)
    allowed = {"all": {_UNIX, _INET, _INET6, _NETLINK}, "unix": {_UNIX}, "none": set[int]()}[sockets]
    for call in ("socket", "socketpair"):
        pairs = {_UNIX} if call == "socketpair" else set[int]()
        for family in range(_LAST_FAMILY + 1):
            if family not in allowed | pairs:
                rules.add_rule(refuse, call, s.Arg(0, s.MASKED_EQ, _LOW, family))
        for bit in range(_LAST_FAMILY.bit_length(), 32):
            rules.add_rule(refuse, call, s.Arg(0, s.MASKED_EQ, 1 << bit, 1 << bit))
    if sockets == "all":  # of netlink the routes alone, which getaddrinfo asks for
        for protocol in range(1, 32):
            rules.add_rule(
                refuse, "socket", s.Arg(0, s.MASKED_EQ, _LOW, _NETLINK), s.Arg(2, s.MASKED_EQ, _LOW, protocol)
            )
    if sockets == "none":
        for kind in (_DGRAM, _RAW):
            rules.add_rule(refuse, "socketpair", s.Arg(1, s.MASKED_EQ, 0xF, kind))


def _newer_than_this(refusal: int) -> bytes:
    """load the number; if it is NEWEST or more, refuse; else go on with the instructions that follow."""
    load, at_least, give = 0x20, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JGE|K, BPF_RET|K
    instructions = ((load, 0, 0, 0), (at_least, 0, 1, NEWEST), (give, 0, 0, refusal))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
