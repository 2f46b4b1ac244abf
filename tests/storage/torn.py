"""A disk in memory for SQLite, which keeps what was not synced apart: so that the power can be cut at any write,
as often as one likes, of one and the same run.

``Disk`` is a VFS of APSW. Every write, truncation and sync that SQLite asks for goes into a journal; ``remains``
gives the files as a power cut at some place of the journal may leave them: what was synced is there, and of each
write after it all, nothing, or some of its 512-byte sectors, in any order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

__all__ = ["Disk", "Moment"]

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened: ``write`` at an offset, ``truncate`` to it, ``sync``, ``remove`` of a file, or an
    ``acknowledged`` commit (``offset`` is how many there were)."""

    what: str
    name: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass(slots=True)
class _Kept:
    """A file as it is on the platter, and what was asked for since."""

    platter: bytearray = field(default_factory=bytearray)
    asked: list[Moment] = field(default_factory=list)


class Disk(apsw.VFS):
    """Files in memory; ``begun`` are those that are there from the beginning."""

    def __init__(self, begun: Mapping[str, bytes]) -> None:
        self.name = f"torn-{id(self)}"
        self.begun = dict(begun)
        self.files: dict[str, bytearray] = {name: bytearray(data) for name, data in begun.items()}
        self.journal: list[Moment] = []
        super().__init__(self.name, base="", iVersion=1)

    def acknowledged(self, count: int) -> None:
        self.journal.append(Moment("acknowledged", offset=count))

    # ------------------------------------------------------------------ what SQLite asks of a VFS

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else str(name)).name
        self.files.setdefault(path, bytearray())
        flags[1] = flags[0]
        return _File(self, path)

    def xAccess(self, pathname: str, flags: int) -> bool:
        return Path(pathname).name in self.files

    def xDelete(self, filename: str, syncdir: bool) -> None:
        name = Path(filename).name
        self.files.pop(name, None)
        self.journal.append(Moment("remove", name))

    def xFullPathname(self, name: str) -> str:
        return name

    # ------------------------------------------------------------------ the cut

    def remains(self, place: int, dice: random.Random) -> tuple[dict[str, bytes], int]:
        """The files after a cut at that place of the journal, and how many commits were acknowledged by then."""
        kept = {name: _Kept(bytearray(data)) for name, data in self.begun.items()}
        acknowledged = 0
        for moment in self.journal[:place]:
            file = kept.setdefault(moment.name, _Kept()) if moment.name else None
            if file is None:
                acknowledged = moment.offset
            elif moment.what == "sync":
                for asked in file.asked:
                    _apply(file.platter, asked)
                file.asked.clear()
            elif moment.what == "remove":
                del kept[moment.name]
            else:
                file.asked.append(moment)
        for file in kept.values():
            _lose(file, dice)
        return {name: bytes(file.platter) for name, file in kept.items()}, acknowledged


class _File:
    def __init__(self, disk: Disk, name: str) -> None:
        self._disk, self._name = disk, name

    @property
    def _data(self) -> bytearray:
        return self._disk.files[self._name]

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._data[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._do(Moment("write", self._name, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self._do(Moment("truncate", self._name, size))

    def _do(self, moment: Moment) -> None:
        self._disk.journal.append(moment)
        _apply(self._data, moment)

    def xSync(self, flags: int) -> None:
        self._disk.journal.append(Moment("sync", self._name))

    def xFileSize(self) -> int:
        return len(self._data)

    def xLock(self, level: int) -> None: ...
    def xUnlock(self, level: int) -> None: ...
    def xClose(self) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0


def _apply(data: bytearray, moment: Moment) -> None:
    if moment.what == "truncate":
        del data[moment.offset :]
        return
    if len(data) < moment.offset:
        data.extend(bytes(moment.offset - len(data)))
    data[moment.offset : moment.offset + len(moment.data)] = moment.data


def _lose(file: _Kept, dice: random.Random) -> None:
    """What was asked for and not synced: all, nothing or some sectors of each, the last asked perhaps first."""
    whole = dice.random()  # how much of it the disk got done
    asked = [moment for moment in file.asked if dice.random() < whole]
    if dice.random() < 0.5:
        dice.shuffle(asked)
    for moment in asked:
        if moment.what == "truncate" or dice.random() < 0.7:
            _apply(file.platter, moment)
            continue
        for start in range(0, len(moment.data), SECTOR):
            if dice.random() < 0.5:
                part = moment.data[start : start + SECTOR]
                _apply(file.platter, Moment("write", moment.name, moment.offset + start, part))
