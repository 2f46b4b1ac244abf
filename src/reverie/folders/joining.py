"""The work of an area goes over to what it was forked from.

A merge writes down what it is about to do before it does it, and both sides show what of that was done: whoever was
killed in between is followed by one that does the rest, and says the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import BinaryIO, Final

import msgspec

from reverie.domain.areas import MergeReport, Unmerged
from reverie.folders.copying import Texts
from reverie.folders.entries import Entry, restored, storable
from reverie.folders.ground import Ground, Moved
from reverie.folders.keeping import keep, kept
from reverie.folders.merging import Action, decide, merged_text, unit
from reverie.folders.pair import IN_THE_WAY, ROUNDS, Pair, Side, ordered
from reverie.folders.places import CONFLICTS
from reverie.folders.tree import shown

__all__ = ["Join", "merged_before"]

_FILE: Final = "merge.json"
_BUSY: Final = "it changes all the time: the next merge tries again"


class _Step(msgspec.Struct, array_like=True):
    """What a merge does with a path: where the area has ``mine`` and the others have ``before``, both are to have
    ``after``."""

    action: Action
    mine: Entry | None
    before: Entry | None
    after: Entry | None
    why: str = ""


class _Journal(msgspec.Struct):
    """The last merge of an area. ``report``: what came of it, once it is done."""

    mark: str = ""
    steps: dict[str, _Step] = {}
    report: MergeReport | None = None


def merged_before(area: Ground, mark: str) -> MergeReport | None:
    """What the last merge of an area said, if it was this one and came to its end."""
    last = kept(area.root / _FILE, _Journal)
    return last.report if mark and last.mark == mark else None


class Join:
    """One merge.

    Args:
        texts: What texts were before two agents changed them.
        conflicts: Where the area's version of a path goes that is not taken: a place without parts.
    """

    def __init__(self, area: Ground, pair: Pair, texts: Texts, conflicts: Ground) -> None:
        self._area = area
        self._pair = pair
        self._texts = texts
        self._conflicts = conflicts
        self._merged: dict[str, bytes] = {}
        self._file = area.root / _FILE
        self._steps: dict[str, _Step] = {}
        self._unsettled: dict[str, Entry | None] = {}

    def run(self, mark: str) -> MergeReport:
        """Three-way, path by path.

        Raises:
            OSError: the disk does not do it; what was done stays, and the rest is done next time.
        """
        before = kept(self._file, _Journal)
        left = {} if before.report is not None else before.steps
        self._plan({restored(name): step for name, step in left.items()})
        if self._steps:
            self._keep(mark)
        order = ordered({name: (_first(step), step.after) for name, step in self._steps.items()})
        told = [found for name in order if (found := self._carry(name, mark)) is not None]
        for name, after in sorted(self._unsettled.items()):
            self._settle(name, after)
        report = self._report(sorted(told, key=lambda each: each.path))
        self._pair.keep()
        if mark or self._steps:
            keep(self._file, _Journal(mark, {}, report))
        return report

    def _keep(self, mark: str) -> None:
        keep(self._file, _Journal(mark, {storable(name): step for name, step in self._steps.items()}))

    def _report(self, told: list[Unmerged]) -> MergeReport:
        conflicts = {each.path for each in told}

        def of(action: Action) -> list[str]:
            paths = (
                self._area.inside(name)
                for name, step in sorted(self._steps.items())
                if step.action == action and not _folder(step.mine, step.before, step.after)
            )
            return [path for path in paths if path not in conflicts]

        return MergeReport(of("taken"), of("merged"), of("deleted"), told)

    # ------------------------------------------------------------------ what is to be done

    def _plan(self, left: Mapping[str, _Step]) -> None:
        changed = [name for name in self._pair.names(left) if name in left or self._pair.changed(name)]
        broken = self._broken(changed)
        for name in changed:
            old = left.get(name)
            step = old if old is not None and self._goes_on(old, name) else self._step(name, broken)
            self._steps[name] = step

    def _goes_on(self, step: _Step, name: str) -> bool:
        """Whether a merge that was killed had come to what is here now."""
        mine, theirs = self._pair.mine.entry(name), self._pair.theirs.entry(name)
        return _between(theirs, step.before, step.after) and _between(mine, step.mine, step.after)

    def _broken(self, changed: Iterable[str]) -> set[str]:
        """The repositories whose own state both sides changed."""
        units = {found for name in changed if (found := unit(name)) is not None}
        if not units:
            return units
        names = (name for name in self._pair.names() if unit(name) in units)
        return {unit(name) or "" for name in names if self._differs(name)}

    def _differs(self, name: str) -> bool:
        mine, theirs = self._pair.mine.entry(name), self._pair.theirs.entry(name)
        return not _folder(mine, theirs) and theirs not in (self._pair.was(name), mine)

    def _step(self, name: str, broken: set[str]) -> _Step:
        pair = self._pair
        was, mine, theirs = pair.was(name), pair.mine.entry(name), pair.theirs.entry(name)
        if unit(name) in broken and mine != theirs and not _folder(mine, theirs):
            why = "others changed the state of the repository, too; the objects of both are in it"
            return _Step("clash", mine, theirs, theirs, why)
        action, after = decide(was, mine, theirs)
        if action == "clash" and was is not None and mine is not None and theirs is not None:
            text = self._text(name, was, mine, theirs)
            if text is not None:
                mode = mine.mode if theirs.mode == was.mode else theirs.mode
                return _Step("merged", mine, theirs, Entry("file", mode, _digest(text)))
        return _Step(action, mine, theirs, after, _why(mine, theirs) if action == "clash" else "")

    def _text(self, name: str, was: Entry, mine: Entry, theirs: Entry) -> bytes | None:
        """The text with the changes of both; None where there is none."""
        base = self._texts.get(was.id) if was.kind == "file" else None
        ours, others = _content(self._pair.mine, name, mine), _content(self._pair.theirs, name, theirs)
        if base is None or ours is None or others is None or unit(name) is not None:
            return None
        text = merged_text(base, ours, others)
        if text is not None:
            self._merged[name] = text
        return text

    # ------------------------------------------------------------------ doing it

    def _carry(self, name: str, mark: str) -> Unmerged | None:
        """Do what was planned, or what is right by now. What was not taken, told."""
        for _ in range(ROUNDS):
            try:
                return self._do(name, self._steps[name])
            except Moved:
                self._pair.mine.again(name)
                self._pair.theirs.again(name)
                self._steps[name] = self._step(name, {unit(name) or ""})
            except OSError as error:
                if error.errno not in IN_THE_WAY:
                    raise
                self._steps[name] = self._hindered(name, error.strerror or "")
            self._keep(mark)
        return Unmerged(self._area.inside(name), None, _BUSY)

    def _hindered(self, name: str, why: str) -> _Step:
        """Something else stands in the way of what was planned."""
        self._pair.theirs.again(name)
        mine, theirs = self._pair.mine.entry(name), self._pair.theirs.entry(name)
        if _folder(mine) or (mine is None and _folder(theirs)):
            return _Step("agreed", mine, theirs, theirs)  # what is in it says what is to be said
        return _Step("clash", mine, theirs, theirs, f"something else stands in its way ({why})")

    def _do(self, name: str, step: _Step) -> Unmerged | None:
        if self._pair.theirs.entry(name) != step.after:
            self._pair.theirs.put(name, step.after, lambda: self._source(name, step), self._pair.pouring)
        told = self._aside(name, step) if step.action == "clash" else None
        stranded = told is not None and told.kept_at is None and step.mine is not None
        if not stranded:
            self._settle(name, step.after)
        return told

    def _settle(self, name: str, after: Entry | None) -> None:
        """Both are to have it; what hinders the area may be gone when all else is done."""
        if self._take(name, after):
            self._pair.agree(name, after)
        else:
            self._unsettled[name] = after

    def _source(self, name: str, step: _Step) -> AbstractContextManager[BinaryIO | bytes]:
        if step.action != "merged":
            return self._area.tree.open(name)
        was, after = self._pair.was(name), step.after
        text = self._merged.get(name)
        if text is None and was is not None and step.mine is not None and step.before is not None:
            text = self._text(name, was, step.mine, step.before)
        if text is None or after is None or _digest(text) != after.id:
            raise Moved(name)
        self._texts.keep(after.id, text)
        return nullcontext(text)

    def _take(self, name: str, after: Entry | None) -> bool:
        """The area gets what the others have now; whether it has it."""
        if self._pair.mine.entry(name) == after:
            return True
        try:
            self._pair.mine.put(
                name, after, lambda: self._pair.theirs.ground.tree.open(name), self._pair.pouring
            )
        except Moved:
            return False  # the specialist is at it: a change of its own, for the next merge
        except OSError as error:
            if error.errno not in IN_THE_WAY:
                raise
            return False
        return True

    # ------------------------------------------------------------------ what was not taken

    def _aside(self, name: str, step: _Step) -> Unmerged:
        """Keep the area's version apart, where every agent of the session can read it."""
        path, mine = self._area.inside(name), step.mine
        if mine is None:
            return Unmerged(path, None, step.why)
        folder, digest = (
            f"@{self._area.label}",
            _digest(f"{name}\0{mine.id}".encode("utf-8", "surrogateescape")),
        )
        for place in (f"{folder}/{name}", f"{folder}/{name}.{digest[:8]}", f"{folder}/{digest}"):
            with suppress(Moved):
                if self._set_aside(name, mine, place):
                    return Unmerged(path, f"{CONFLICTS}/{shown(place)}", step.why)
        return Unmerged(path, None, f"{step.why}; it cannot be kept apart, and stays in the area")

    def _set_aside(self, name: str, mine: Entry, place: str) -> bool:
        """Whether it is there; not where something else is."""
        try:
            entry, there = self._conflicts.look(place)
            if entry is not None or there is not None:
                return entry is not None and (entry.kind, entry.id) == (mine.kind, mine.id)
            if mine.kind == "link":
                self._conflicts.link(place, mine, None)
            else:
                with self._area.tree.open(name) as content:
                    wanted = Entry("file", 0o644, mine.id)
                    self._conflicts.write(place, wanted, content, None, self._pair.pouring)
        except OSError as error:
            if error.errno not in IN_THE_WAY:
                raise
            return False
        return True


def _first(step: _Step) -> Entry | None:
    """What has to make way: the area's own folder, or what the others have."""
    return step.mine if _folder(step.mine) else step.before or step.mine


def _between(now: Entry | None, before: Entry | None, after: Entry | None) -> bool:
    """Whether a path may be as it is because it was on its way: a folder gives way before a file comes."""
    if now in (before, after):
        return True
    return now is None and before is not None and after is not None and before.kind != after.kind


def _folder(*entries: Entry | None) -> bool:
    return any(entry is not None and entry.kind == "folder" for entry in entries)


def _content(side: Side, name: str, entry: Entry) -> bytes | None:
    """A text as it was seen; None where it is none, or another one by now."""
    data: bytes | None = None
    if entry.kind == "file":
        with suppress(OSError):
            data = side.ground.tree.read(name, Texts.MOST + 1)
    return data if data is not None and len(data) <= Texts.MOST and _digest(data) == entry.id else None


def _why(mine: Entry | None, theirs: Entry | None) -> str:
    if mine is None:
        return "it was deleted in the area and changed by others meanwhile: it stays"
    if theirs is None:
        return "it was deleted by others while it was changed in the area"
    return "others changed it, too, and the two do not go together"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
