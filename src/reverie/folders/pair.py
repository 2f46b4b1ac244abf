"""An area and what it was forked from, side by side: what each has, and what both had when they last agreed."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, TypeAlias

import msgspec

from reverie.folders.copying import Pouring, Record, Texts
from reverie.folders.entries import Entry, restored, storable
from reverie.folders.ground import Ground, Moved
from reverie.folders.keeping import boot, keep, kept
from reverie.folders.tree import Facts

__all__ = ["BASE", "IN_THE_WAY", "ROUNDS", "Base", "Pair", "Side", "Source", "ordered"]

Source: TypeAlias = Callable[[], AbstractContextManager[BinaryIO | bytes]]
"""Opens a file's content."""
BASE: Final = "base.json"
"""In the area's folder, beside its parts."""
ROUNDS: Final = 4
"""How often a path may change under our hands before it has to wait for the next time."""
IN_THE_WAY: Final = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES,
     errno.EPERM, errno.EINVAL}
)  # fmt: skip
"""What an agent can bring about in its folders; anything else is the disk's fault."""
_EMPTY: Final = hashlib.sha256(b"").hexdigest()


class Base(msgspec.Struct):
    """What both had when they last agreed, by path (``storable``). ``boot``: which start of the machine saw the
    area last."""

    records: dict[str, Record] = {}
    boot: str = ""


class Side:
    """One of the two, as it was when it was looked at.

    Args:
        base: What both had.
        facts: What of a record tells that this side's file is still that.
    """

    def __init__(
        self, ground: Ground, base: Mapping[str, Record], facts: Callable[[Record], Facts | None]
    ) -> None:
        self.ground = ground
        self.survey = ground.survey()
        self._base = base
        self._facts = facts
        self._known: dict[str, Entry | None] = {}

    def entry(self, name: str) -> Entry | None:
        """What stands there; read only where it may have changed. What cannot be read is hidden from now on."""
        if name in self._known:
            return self._known[name]
        what = self.survey.seen.get(name)
        if what is None:
            return None
        if what.kind == "folder":
            return Entry("folder", what.mode, "")
        record = self._base.get(name)
        if record is not None and record.entry is not None and self._facts(record) == what.facts:
            return record.entry
        self.again(name)
        return self._known.get(name)

    def again(self, name: str) -> None:
        """Look at a path once more."""
        for _ in range(ROUNDS):
            try:
                entry, what = self.ground.look(name)
            except Moved:
                continue
            except OSError:
                break
            self._known[name] = entry
            self.survey.seen.pop(name, None)
            if what is not None:
                self.survey.seen[name] = what
            return
        self.survey.blind.add(name)

    def put(self, name: str, entry: Entry | None, source: Source, how: Pouring) -> None:
        """Make ``entry`` stand there, with the bytes of ``source`` where it is a file of others.

        Raises:
            Moved: what stands there is not what was seen, or the source is not what it was.
            OSError: it cannot be done.
        """
        try:
            self._put(name, entry, source, how)
        except FileNotFoundError:
            raise Moved(name) from None
        self._known[name] = entry
        self.survey.seen.pop(name, None)
        if entry is not None and (made := self.ground.glance(name)) is not None:
            self.survey.seen[name] = made

    def _put(self, name: str, entry: Entry | None, source: Source, how: Pouring) -> None:
        now, there = self.entry(name), self.survey.seen.get(name)
        if entry is None:
            if there is not None:
                self.ground.remove(name, there)
        elif there is not None and now is not None and (now.kind, now.id) == (entry.kind, entry.id):
            if now.mode != entry.mode:
                self.ground.allow(name, entry.mode, there)
        elif entry.kind == "folder":
            self.ground.make_folder(name, entry.mode, there)
        elif entry.kind == "link":
            self.ground.link(name, entry, there)
        else:
            with source() as content:
                self.ground.write(name, entry, content, there, how)

    def sure(self, name: str, tick: int) -> Facts | None:
        """What tells from now on that this file is as it was read: None where it changed since ``tick``, since
        it may change again in the same moment of the file system's clock."""
        what = self.survey.seen.get(name)
        return None if what is None or what.facts.ctime_ns >= tick else what.facts


class Pair:
    """Both sides, for as long as one holds the session's lock.

    Args:
        tick: The time as the file system has it, now.

    Raises:
        TooLarge: more than is compared.
        OSError: one cannot be looked into.
    """

    def __init__(self, area: Ground, origin: Ground, texts: Texts, tick: int) -> None:
        self.pouring = Pouring(texts)
        self._area = area
        self._tick = tick
        found = kept(area.root / BASE, Base)
        self._base = {restored(name): record for name, record in found.records.items()}
        self._trusting = found.boot == boot()
        self._fresh = not self._trusting
        self.mine = Side(area, self._base, lambda record: record.mine)
        self.theirs = Side(origin, self._base, lambda record: record.theirs)

    def names(self, more: Iterable[str] = ()) -> Iterator[str]:
        """Every path that one of them has or had, and ``more``, but for what cannot be looked at."""
        sides = self.mine.survey, self.theirs.survey
        names = dict.fromkeys((*self._base, *sides[0].seen, *sides[1].seen, *more))
        return (name for name in names if not any(side.blind and side.hidden(name) for side in sides))

    def was(self, name: str) -> Entry | None:
        """What both had."""
        record = self._base.get(name)
        return None if record is None else record.entry

    def changed(self, name: str) -> bool:
        """Whether the area has something else than it was given, and somebody made it so."""
        return self.mine.entry(name) != self.was(name) and not self.lost(name, self.mine)

    def lost(self, name: str, side: Side) -> bool:
        """Whether a power cut may have taken it: files that were not yet on the disk are gone or empty then."""
        entry = side.entry(name)
        gone = entry is None or (entry.kind == "file" and entry.id == _EMPTY)
        return not self._trusting and gone and self.was(name) is not None

    def agree(self, name: str, entry: Entry | None) -> None:
        """Both have this now."""
        if entry is None:
            self._fresh |= self._base.pop(name, None) is not None
            return
        plain = entry.kind == "file"
        mine, theirs = (side.sure(name, self._tick) if plain else None for side in (self.mine, self.theirs))
        if self._base.get(name) != (record := Record(entry, mine, theirs)):
            self._base[name], self._fresh = record, True

    def note(self, name: str) -> None:
        """A file that had to be read is as it was: the next time one sees that without reading."""
        record = self._base.get(name)
        if record is None or record.entry is None or record.entry.kind != "file":
            return
        if record.mine is None or record.theirs is None or self._touched(name, record):
            self.agree(name, record.entry)

    def _touched(self, name: str, record: Record) -> bool:
        facts = (self.mine.survey.seen[name].facts, self.theirs.survey.seen[name].facts)
        return facts != (record.mine, record.theirs)

    def keep(self) -> None:
        """Remember what both have by now."""
        if self._fresh:
            records = {storable(name): record for name, record in self._base.items()}
            keep(self._area.root / BASE, Base(records, boot()))
            self._trusting, self._fresh = True, False


def ordered(wanted: Mapping[str, tuple[Entry | None, Entry | None]]) -> list[str]:
    """Paths in the order in which they may be changed, each with what is there and what is to be: files go first,
    then folders from within, what is new comes from outside, and last what stands where a folder was."""
    gone = {name for name, (_, after) in wanted.items() if after is None}
    folders = {name for name, (now, _) in wanted.items() if now is not None and now.kind == "folder"}
    late = {
        name for name in folders - gone if (after := wanted[name][1]) is not None and after.kind != "folder"
    }
    rest = wanted.keys() - gone - late
    return [
        *sorted(gone - folders),
        *sorted(gone & folders, reverse=True),
        *sorted(rest),
        *sorted(late, reverse=True),
    ]
