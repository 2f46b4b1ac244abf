"""Hash chains: each row's digest covers the row and, through its predecessor's digest, all before it.

A chain shows that a row was changed, taken out, put in or moved after it was written. It is not a
signature: who can write to the whole database can also compute a new chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

__all__ = ["GENESIS", "link"]

GENESIS: Final = "0" * 64
"""What the first row of a chain follows."""


def link(previous: str, fields: Iterable[object]) -> str:
    """The hex SHA-256 over the predecessor's digest and every field, each with its length before it.

    Lengths count code points, and NULL is written as a lone ``-``: no two rows read the same.
    """
    told = [previous]
    for field in fields:
        if field is None:
            told.append("-")
        else:
            text = str(field)  # the same object, where it is text
            told.append(f"{len(text)}:{text}")
    return hashlib.sha256("".join(told).encode("utf-8", "surrogateescape")).hexdigest()
