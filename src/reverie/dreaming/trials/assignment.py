"""Which sessions see a memory on trial: a coin that nobody can toss twice.

The coin is a keyed hash of (session, memory). Who holds the key can say of every session, before it begins or
years later, whether it was to see the memory; who does not can neither predict it nor choose sessions by it.
Memories on trial at the same time have independent coins, so each is noise to the trials of the others.
"""

from __future__ import annotations

import hashlib
from typing import Final

from reverie.domain.errors import Invalid

__all__ = ["SHARE", "sees", "toss"]

SHARE: Final = 0.8
"""The share of sessions that see a memory on trial, unless another is chosen."""
_SCALE: Final = 1 << 64
_PERSON: Final = b"reverie.trial"


def sees(key: bytes, session_id: str, memory_id: str, share: float = SHARE) -> bool:
    """Whether this session sees this memory: true for the given share of sessions, always the same answer.

    ``key``: the trial's secret, 16 to 64 bytes. ``share``: between 0 and 1, both excluded, since a trial in
    which everybody or nobody sees the memory compares nothing. Raises ``Invalid``.
    """
    if not 0 < share < 1:
        raise Invalid("share", "between 0 and 1, both excluded", str(share))
    return _drawn(key, session_id, memory_id) < int(share * _SCALE)


def toss(key: bytes, *names: str) -> float:
    """A number drawn uniformly from [0, 1) by the names, independent for other names. Raises ``Invalid``."""
    return (_drawn(key, *names) >> 11) / (1 << 53)


def _drawn(key: bytes, *names: str) -> int:
    """64 bits of BLAKE2b in its keyed mode, a pseudorandom function (RFC 7693).

    Each name goes in with its length before it, so that ("ab", "c") is not ("a", "bc").
    """
    if not 16 <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE:
        raise Invalid("key", f"16 to {hashlib.blake2b.MAX_KEY_SIZE} bytes", len(key))
    state = hashlib.blake2b(key=key, digest_size=8, person=_PERSON)
    for name in names:
        text = name.encode()
        state.update(len(text).to_bytes(8, "big") + text)
    return int.from_bytes(state.digest(), "big")
