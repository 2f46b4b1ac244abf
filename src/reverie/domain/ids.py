"""Identifiers: a prefix that says what a thing is, and 26 characters that say which.

Two ways to make one. ``derived_id`` is a digest of what identifies the thing, so that the same
transcript imported twice, or the same dream over the same sessions, *is* the same thing and cannot
exist twice. ``new_id`` is random, for things that have no identity but their own existence.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Literal

__all__ = ["IdPrefix", "derived_id", "new_id"]

IdPrefix = Literal["sesn", "sevt", "src", "find", "prop", "drm", "memstore", "mem", "memver", "audit"]

_LENGTH = 26  # 130 bits: a collision among 10^12 ids has a chance below 10^-15


def derived_id(prefix: IdPrefix, *parts: str) -> str:
    """The id of what ``parts`` identify. The parts are length-prefixed, so ("ab", "c") ≠ ("a", "bc")."""
    told = bytearray()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        told += len(data).to_bytes(8, "big") + data
    return _render(prefix, hashlib.sha256(told).digest())


def new_id(prefix: IdPrefix, entropy: Callable[[int], bytes]) -> str:
    """A fresh id. ``entropy(n)`` gives n random bytes (``os.urandom``, or a seeded source in tests)."""
    return _render(prefix, entropy(20))


def _render(prefix: str, data: bytes) -> str:
    return f"{prefix}_{base64.b32encode(data[:20]).decode('ascii').lower()[:_LENGTH]}"
