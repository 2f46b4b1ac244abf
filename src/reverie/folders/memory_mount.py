"""A memory store as a folder: what the agent writes becomes versions, what others write becomes files.

Nothing but the folder and the store says how they stand; a small file beside the folder remembers what both
had when they last agreed. A process that is killed anywhere in between leaves a difference, which is settled
when the folder is opened again: the work is lost for nobody, and done twice by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from reverie.domain.clock import Clock
from reverie.domain.errors import (
    Archived,
    Conflict,
    InvalidMemory,
    NotFound,
    ReverieError,
    StoreFull,
    UsageError,
)
from reverie.domain.memories import MAX_CONTENT_BYTES, Memory, MemoryVersion, content_sha256, valid_path
from reverie.folders.keeping import boot, keep, kept
from reverie.folders.memory_plan import Plan, most_deletions, plan
from reverie.folders.tree import Tree, shown
from reverie.folders.trouble import Kind, Trouble, bounded
from reverie.folders.watch import Look, Watch, sha256
from reverie.memory.merge import mergeable, three_way
from reverie.memory.records import Edit, Records

__all__ = ["Attached", "MemoryMount"]

_ROUNDS: Final = 4  # how often a store may change under our hands before it has to wait for the next time
_BATCH: Final = 64  # edits in one transaction
_LOOK: Final = timedelta(seconds=30)  # between two looks at the whole store, whatever its stamp says
_CHUNK: Final = 1 << 20
_HISTORY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Attached:
    """A store as it is attached to a session; ``inside`` is where the sandbox shows it."""

    store_id: str
    name: str
    inside: str
    writable: bool


class _State(msgspec.Struct):
    """``base``: what folder and store both had, by path. ``refused``: digests of what one of them did not
    take, which is not tried (nor told) again. ``boot``: which start of the machine saw the folder last."""

    base: dict[str, str] = {}
    refused: dict[str, str] = {}
    boot: str = ""


class MemoryMount:
    """One attached store. Not for two threads at once.

    Args:
        folder: Where its files are; what the sandbox sees.
        beside: A folder for what is remembered, on the same file system, which no sandbox sees.
        conflicts: Where a text goes that the store did not take because somebody else's stands there.
        inside: What the sandbox calls the folder of ``conflicts``.
        mask: Takes secrets out of a text.
        hidden: The paths of memories that this session does not see. They are in the store all the same: that
            they are not in the folder says nothing, and nothing is written where they are.
    """

    def __init__(
        self,
        attached: Attached,
        folder: Path,
        beside: Path,
        *,
        records: Records,
        conflicts: Tree,
        inside: str,
        mask: Callable[[str], str],
        clock: Clock,
        hidden: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.attached = attached
        self.folder = folder
        beside.mkdir(parents=True, exist_ok=True)
        self._records = records
        self._conflicts = conflicts
        self._inside = inside
        self._mask = mask
        self._clock = clock
        self._hides = hidden
        self._hidden: frozenset[str] = frozenset()  # at the last look
        self._tree = Tree(folder, beside)
        self._watch = Watch(self._tree, beside / "tick", sha256)
        self._file = beside / "state.json"
        self._state = kept(self._file, _State)
        self._trusting = self._state.boot == boot() and folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        self._settled: Look | None = None
        self._stamp: str | None = None
        self._looked: datetime | None = None
        self._troubles: list[Trouble] = []

    def changed(self) -> bool:
        """Whether the agent did something that the store has not been told of."""
        return self.attached.writable and self._watch.look() != self._settled

    def stale(self) -> bool:
        """Whether the store may have changed since it was last looked at, or what of it may be seen."""
        if self._looked is None or self._clock() - self._looked > _LOOK or self._hides() != self._hidden:
            return True
        return self._records.stamp(self.attached.store_id) != self._stamp

    def sync(self, actor: str) -> list[Trouble]:
        """Make both the same again. What could not be done is told once, and tried again when it changes.

        Raises:
            StorageError: the database does not answer; nothing is lost.
        """
        self._troubles = []
        before = (dict(self._state.base), dict(self._state.refused), self._state.boot)
        try:
            if not self._rounds(actor):
                self._settled = self._looked = None  # somebody is busy there: next time
        except NotFound:
            self._gone()
        finally:
            self._state.boot = boot()
            if before != (self._state.base, self._state.refused, self._state.boot):
                keep(self._file, self._state)
        return bounded(self._troubles)

    # ------------------------------------------------------------------ one round

    def _rounds(self, actor: str) -> bool:
        for _ in range(_ROUNDS):
            stamp, looked = self._records.stamp(self.attached.store_id), self._clock()
            self._hidden = self._hides()
            remote = self._remote()
            look = self._watch.look()
            local = _Folder(dict(look.digests))
            self._odd(look)
            blocked = _blocked({*self._state.base, *local.digests, *remote}, look.odd) | self._kept_out(local)
            made = plan(
                *(_without(each, blocked) for each in (self._state.base, local.digests, remote)),
                writable=self.attached.writable,
                trusting=self._trusting,
            )
            done = self._carry_out(made, local, remote, actor)
            self._trusting = True
            self._settled, self._stamp, self._looked = Look(local.digests, look.odd), stamp, looked
            if done:
                return True
        return False

    def _remote(self) -> dict[str, str]:
        """The store's digests, by name in the folder; of what this session sees."""
        found = self._records.digests(self.attached.store_id)
        return {path[1:]: sha for path, sha in found.items() if path not in self._hidden}

    def _kept_out(self, local: _Folder) -> set[str]:
        """The files that the agent wrote where a memory is that it does not see: they stay in the folder, and the
        memory stays as it is."""
        here = {path[1:] for path in self._hidden} - self._state.base.keys()
        for name in here & local.digests.keys():
            told = (
                "the file stays here and is not kept: memory has another text of this name; use another name"
            )
            self._refuse("invalid_memory", name, local.digests[name], told)
        return here

    def _carry_out(self, made: Plan, local: _Folder, remote: Mapping[str, str], actor: str) -> bool:
        """Whether everything came to what was planned, or was refused for good."""
        self._agree(made.agreed)
        self._tell_returned(made)
        clean = [self._pull(made.pulled, local, remote)]
        wanted = list(self._edits(made, local))
        edits = [edit for edit in wanted if edit is not None]
        merges: dict[str, Edit] = {}
        clean += [len(edits) == len(wanted), self._clash(made.clashing, local, remote, merges)]
        clean += [self._push(edits, local, actor), self._push(list(merges.values()), local, actor)]
        known = {shown(name) for name in (*local.digests, *remote)} | {
            key for key, why in self._state.refused.items() if why.startswith("odd:")
        }
        self._state.refused = {key: why for key, why in self._state.refused.items() if key in known}
        return all(clean)

    def _agree(self, agreed: Mapping[str, str | None]) -> None:
        for name, digest in agreed.items():
            self._settle(name, digest)

    def _settle(self, name: str, digest: str | None) -> None:
        """Both have this now."""
        if digest is None:
            self._state.base.pop(name, None)
        else:
            self._state.base[name] = digest
        self._state.refused.pop(shown(name), None)

    # ------------------------------------------------------------------ into the folder

    def _pull(self, names: Sequence[str], local: _Folder, remote: Mapping[str, str]) -> bool:
        clean = True
        for name in names:  # first what goes: a file may stand where a folder is to be
            if name not in remote:
                clean &= self._place(name, None, local)
        wanted = [n for n in names if n in remote and self._state.refused.get(shown(n)) != remote[n]]
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            texts = self._texts(batch)
            clean &= len(texts) == len(batch)  # somebody deletes meanwhile
            for name, memory in texts.items():
                clean &= self._place(name, memory.content, local)
        return clean

    def _texts(self, names: Sequence[str]) -> dict[str, Memory]:
        found = self._records.texts(self.attached.store_id, [f"/{name}" for name in names])
        return {path[1:]: memory for path, memory in found.items()}

    def _place(self, name: str, text: str | None, local: _Folder) -> bool:
        """Put a text of the store into the folder, unless the file changed since it was looked at."""
        digest = None if text is None else content_sha256(text)
        try:
            if self._now(name) != local.digests.get(name):
                return False
            if text is None:
                self._tree.remove(name)
            else:
                self._tree.write(name, text.encode("utf-8"))
        except OSError as error:
            taken = isinstance(error, NotADirectoryError | IsADirectoryError)
            why = (
                "a file stands where it needs a folder, or a folder in its place" if taken else error.strerror
            )
            told = f"the memory cannot be shown as a file ({why}); it is in the store unchanged"
            self._refuse("mount_failed", name, digest or "", told)
            return True
        local.put(name, digest)
        self._settle(name, digest)
        return True

    def _now(self, name: str) -> str | None:
        try:
            with self._tree.open(name) as file:
                return sha256(file)
        except (FileNotFoundError, NotADirectoryError):
            return None

    # ------------------------------------------------------------------ into the store

    def _edits(self, made: Plan, local: _Folder) -> Iterator[Edit | None]:
        """What the store is asked for; None for a file that changed since it was looked at."""
        for name in made.deleted:
            yield Edit(f"/{name}", None, self._state.base[name])
        for name, source in made.moved.items():
            if self._fits(name, local.digests[name]):
                yield Edit(f"/{name}", None, self._state.base[source], moved_from=f"/{source}")
        for name in made.pushed:
            digest = local.digests[name]
            if self._state.refused.get(shown(name)) != digest and self._fits(name, digest):
                text = self._text(name, digest)
                if text is not None:
                    yield Edit(f"/{name}", self._mask(text), self._state.base.get(name))
                elif shown(name) not in self._state.refused:
                    yield None

    def _fits(self, name: str, digest: str) -> bool:
        """Whether a memory can have this path; says so where not."""
        try:
            if valid_path(f"/{name}") == f"/{name}":
                return True
            why = "its name is not in Unicode normal form C: rename the file"
        except InvalidMemory as error:
            why = error.what
        self._refuse("invalid_memory", name, digest, f"the file is not kept: {why}")
        return False

    def _text(self, name: str, digest: str) -> str | None:
        """A file's text; None where it is none (and says so), or is another one by now."""
        try:
            data = self._tree.read(name, MAX_CONTENT_BYTES + 1)
            if data is None:
                return None
            if len(data) > MAX_CONTENT_BYTES:
                why = f"it is larger than {MAX_CONTENT_BYTES:,} bytes: split it into several files"
                return self._refuse("invalid_memory", name, digest, f"the file is not kept: {why}")
            text = data.decode("utf-8")
            return text if content_sha256(text) == digest else None
        except UnicodeDecodeError:
            why = "the file is not kept: memory holds UTF-8 text, and this is something else"
        except OSError as error:
            why = f"the file cannot be read ({error.strerror})"
        return self._refuse("invalid_memory", name, digest, why)

    def _push(self, edits: Sequence[Edit], local: _Folder, actor: str) -> bool:
        clean = True
        for start in range(0, len(edits), _BATCH):
            batch = edits[start : start + _BATCH]
            outcomes = self._records.apply(self.attached.store_id, batch, actor=actor)
            for edit, outcome in zip(batch, outcomes, strict=True):
                clean &= self._taken(edit, outcome, local)
        return clean

    def _taken(self, edit: Edit, outcome: MemoryVersion | ReverieError, local: _Folder) -> bool:
        name = edit.path[1:]
        if isinstance(outcome, ReverieError):
            return self._not_taken(name, outcome, local)
        if edit.moved_from is not None:
            self._settle(edit.moved_from[1:], None)
        if outcome.content is not None and outcome.content_sha256 != local.digests.get(name):
            return self._place(name, outcome.content, local)  # masked, or merged
        self._settle(name, outcome.content_sha256)
        return True

    def _not_taken(self, name: str, why: ReverieError, local: _Folder) -> bool:
        if isinstance(why, Conflict | NotFound):
            return False
        if not isinstance(why, InvalidMemory | Archived | UsageError):
            raise why
        kind: Kind = "store_full" if isinstance(why, StoreFull) else "invalid_memory"
        hint = f" ({why.hint})" if why.hint else ""
        told = f"the change stays in the folder and is not kept: {why.what}{hint}"
        self._refuse(kind, name, local.digests.get(name, ""), told)
        return True

    # ------------------------------------------------------------------ both changed

    def _clash(
        self, names: Sequence[str], local: _Folder, remote: Mapping[str, str], merges: dict[str, Edit]
    ) -> bool:
        """Merge where the changes do not meet; else the store's text stands, and the agent's is put aside."""
        texts = self._texts([name for name in names if name in remote])
        clean = True
        for name in names:
            memory = texts.get(name)
            if memory is None and name in remote:
                clean = False
            elif memory is not None and (merged := self._merged(name, memory, local)) is not None:
                merges[name] = Edit(f"/{name}", merged, memory.content_sha256)
            else:
                clean &= self._aside(name, memory, local)
        return clean

    def _merged(self, name: str, memory: Memory, local: _Folder) -> str | None:
        """One text with both changes; None where they meet, or cannot be compared."""
        mine = self._mine(name, local.digests[name])
        if mine is None or mine == memory.content:  # the same but for secrets: it was written before
            return mine
        base = self._base(name, memory)
        if base is None or not mergeable(base, memory.content, mine):
            return None
        merge = three_way(base, memory.content, mine)
        fits = len(merge.text.encode("utf-8")) <= MAX_CONTENT_BYTES
        return merge.text if merge.clean and fits else None

    def _mine(self, name: str, digest: str) -> str | None:
        """The agent's text as it may be kept."""
        if not self.attached.writable:
            return None
        try:
            data = self._tree.read(name, MAX_CONTENT_BYTES + 1)
            text = None if data is None else data.decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return self._mask(text) if text is not None and content_sha256(text) == digest else None

    def _base(self, name: str, memory: Memory) -> str | None:
        """What both had when they last agreed: a version of the memory, unless it was redacted."""
        was = self._state.base.get(name)
        versions = self._records.versions(memory.store_id, memory_id=memory.id, limit=_HISTORY)
        return next((v.content for v in versions if was and v.content_sha256 == was), None)

    def _aside(self, name: str, memory: Memory | None, local: _Folder) -> bool:
        """Keep the agent's text apart from memory, and the store's where it was."""
        digest = local.digests[name]
        kept_at = f"{self.folder.name}/{shown(name)}.{digest[:8]}"
        try:
            self._copy(name, kept_at)
        except FileNotFoundError:
            return False
        except OSError:  # a name too long to be made longer
            kept_at = f"{self.folder.name}/{digest[:16]}"
            self._copy(name, kept_at)
        if not self._place(name, None if memory is None else memory.content, local):
            return False
        happened = "deleted" if memory is None else "changed"
        if not self.attached.writable:
            happened = "only to be read"
        self._trouble(
            "sync_conflict",
            f"the memory was {happened} in the store while this session changed it. The folder shows what the "
            f"store has; this session's text is in {self._inside}/{kept_at}: compare them and write what holds",
            name,
        )
        return True

    def _copy(self, name: str, target: str) -> None:
        with self._tree.open(name) as file:
            self._conflicts.write(target, _chunks(file))

    # ------------------------------------------------------------------ telling

    def _tell_returned(self, made: Plan) -> None:
        for name in made.returned:
            told = "the memory was deleted here and changed in the store meanwhile: it is back, as changed"
            self._trouble("sync_conflict", told, name)
        if made.wiped:
            most = most_deletions(len(self._state.base))
            self._trouble(
                "sync_conflict",
                f"{len(made.wiped):,} memories were deleted at once, which looks like an accident: they are back. "
                f"If they are to go, delete at most {most} between two tool calls, and never all that there are",
                "",
            )

    def _odd(self, look: Look) -> None:
        for name, why in look.odd.items():
            key = f"odd:{why}"
            if self._state.refused.get(shown(name)) != key:
                self._refuse("invalid_memory", name, key, f"it {why}, and is not kept")
        self._state.refused = {
            name: why
            for name, why in self._state.refused.items()
            if not why.startswith("odd:") or name in {shown(each) for each in look.odd}
        }

    def _gone(self) -> None:
        """The store was deleted: the folder stays as it is, for this session alone."""
        if self._state.refused.get("") != "gone":
            told = "the memory store was deleted: what is written here is not kept any more"
            self._refuse("mount_failed", "", "gone", told)
        self._settled, self._stamp, self._looked = self._watch.look(), None, self._clock()

    def _refuse(self, kind: Kind, name: str, digest: str, why: str) -> None:
        if self._state.refused.get(shown(name)) != digest:
            self._state.refused[shown(name)] = digest
            self._trouble(kind, why, name)

    def _trouble(self, kind: Kind, message: str, name: str) -> None:
        where = f"{self.attached.inside}/{shown(name)}".rstrip("/")
        self._troubles.append(Trouble(kind, f"{where}: {message}", where))


@dataclass(slots=True)
class _Folder:
    """What is in the folder, kept up with what we do to it."""

    digests: dict[str, str]

    def put(self, name: str, digest: str | None) -> None:
        if digest is None:
            self.digests.pop(name, None)
        else:
            self.digests[name] = digest


def _blocked(names: Iterable[str], odd: Mapping[str, str]) -> set[str]:
    """The names that something stands in the way of: a link in the place of a file, or of a folder of it."""
    if not odd:
        return set()
    if "" in odd:
        return set(names)
    return {name for name in names if any(step in odd for step in _steps(name))}


def _steps(name: str) -> Iterator[str]:
    parts = name.split("/")
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _without(digests: Mapping[str, str], blocked: set[str]) -> Mapping[str, str]:
    return {k: v for k, v in digests.items() if k not in blocked} if blocked else digests


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
