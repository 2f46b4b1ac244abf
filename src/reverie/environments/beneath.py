"""Opening a file beneath a folder, whatever whoever owns what is in the folder does meanwhile: openat2(2).

A path that is checked and then opened can be another one by then; here the kernel refuses, in the one call
that opens, every step that is a link or leads out of the folder.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["obstacle", "open_beneath", "opened"]

_OPENAT2: Final = 437  # the same number on every architecture
_NO_MAGICLINKS: Final = 0x02
_NO_SYMLINKS: Final = 0x04
_BENEATH: Final = 0x08


class _How(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def open_beneath(folder: int, path: str, flags: int) -> int:
    """A descriptor (close-on-exec) of ``path`` beneath the open ``folder``, with no link on the way.

    Raises:
        OSError: as open(2); ELOOP where a step is a link, EXDEV where one leads out.
    """
    name = os.fsencode(path)
    if b"\0" in name:  # the kernel would see what stands before it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    how = _How(flags | os.O_CLOEXEC, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    fd: int = _libc().syscall(ctypes.c_long(_OPENAT2), ctypes.c_int(folder), name, ctypes.byref(how), size)
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return fd


@contextmanager
def opened(folder: Path | str) -> Generator[int]:
    """A folder of ours, whose path nobody else can change, held open for as long as is needed."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@functools.cache
def obstacle() -> str | None:
    """Why files cannot be opened safely on this machine; None where they can. Tried once."""
    try:
        with opened("/") as root:
            os.close(open_beneath(root, ".", os.O_PATH))
    except (OSError, AttributeError, ValueError) as error:
        return f"openat2(2) is missing (Linux 5.6 or newer has it): {error}"
    return None
