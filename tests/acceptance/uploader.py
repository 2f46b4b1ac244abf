"""Stores one file after another, and says of each when its half is kept: to be killed meanwhile.

Argument: the database's URL.
"""

from __future__ import annotations

import io
import sys

from reverie.app import Reverie
from reverie.storage.database import Database


class Half(io.BytesIO):
    """Says so when half of it was read."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() == 16 << 20:
            print("half", flush=True)
        return super().read(size)


with Reverie(Database.open(sys.argv[1])) as house:
    while True:
        made = house.files.store(Half(b"x" * (32 << 20)), filename="a")
        print(made.id, flush=True)
