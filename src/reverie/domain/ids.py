"""Identifiers: a prefix that says what a thing is, and 26 characters that say which.

Two ways to make one. ``derived_id`` is a digest of what identifies the thing, so that the same
transcript imported twice, or the same dream over the same sessions, *is* the same thing and cannot
exist twice. ``new_id`` is random, for things that have no identity but their own existence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, Literal

__all__ = ["IdPrefix", "derived_id", "new_id"]

IdPrefix = Literal[
    "agent",
    "apikey",
    "audit",
    "depl",  # deployment
    "drm",  # dream
    "drun",  # one run of a deployment
    "dsched",  # schedule of dreams
    "dsrun",  # one run of it
    "env",  # environment
    "excl",  # what is not evidence for a finding, or how it is counted without
    "evt",  # what a webhook tells of
    "file",
    "find",
    "imp",  # one import over the API
    "mem",
    "memstore",
    "memver",
    "outc",  # outcome
    "prop",
    "rply",  # replay of tasks, with and without an edit
    "rpol",  # review policy
    "req",  # one request to the API, for finding it in the logs
    "sesn",
    "sesrsc",  # resource of a session
    "sevt",  # event of a session
    "src",  # file that was imported
    "sthr",  # thread of a session
    "wrun",  # workflow run of a session
    "trial",
    "vcrd",  # credential in a vault
    "vlt",  # vault
    "wh",  # webhook endpoint
    "whd",  # one delivery to it
    "work",  # item of an environment's queue
    "wrkspc",
]

# 26 digits of base 32 (RFC 4648, small letters), two at a time: 130 bits, with which a collision among
# 10^12 ids has a chance below 10^-15. Every event has an id, and ``base64`` is slow at this.
_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = tuple(first + second for first in _DIGITS for second in _DIGITS)
_SHIFTS: Final = range(120, -1, -10)


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
    bits = int.from_bytes(data[:17], "big") >> 6
    return f"{prefix}_{''.join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])}"
