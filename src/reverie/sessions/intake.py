"""One file's way into the log: is it new, who reads it, what does it say; then it waits for its commit.

Small files share a commit, because making one durable costs as much as reading several. Each is kept whole
or not at all all the same, and is reported when it is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from reverie.domain.clock import Clock
from reverie.domain.errors import ImportFailed
from reverie.domain.events import NewEvent, Scalar
from reverie.domain.imports import FileReport, Guess, Quarantined, Skipped, Used
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.domain.workspaces import DEFAULT_WORKSPACE
from reverie.plugins import Importer, Read
from reverie.sessions.files import Asked, Disk, DiskFile
from reverie.sessions.log import Prepared, SessionLog, session_id
from reverie.storage import sources
from reverie.storage.database import Connection, Database
from reverie.storage.sources import Source

__all__ = ["Intake", "Labels", "Shelf", "Waiting", "guesses"]

_SHARED: Final = 1 << 20  # characters of new events after which those who wait are committed
_CHANGED: Final = "it was changed while it was read; nothing of it was kept, the next import reads it"


class _Note(msgspec.Struct, frozen=True):
    """``Source.stamp``: the file's inode, what its reader asked about the files around it, a digest of what
    it found, and whether that was nothing."""

    inode: int
    asked: tuple[Asked, ...]
    around: str
    alone: bool


class Labels:
    """Outcomes given from outside, by session (its native id, or its id in the log) or by file."""

    def __init__(self, labels: Mapping[str, Outcome], workspace: str = DEFAULT_WORKSPACE) -> None:
        self._by_name = labels
        self._workspace = workspace
        self._by_path = {str(Path(name).expanduser().absolute()): name for name in labels}
        self._matched: set[str] = set()

    def find(self, uri: str, info: SessionInfo) -> Outcome | None:
        for name in (info.native_id, session_id(info, self._workspace), self._by_path.get(uri, "")):
            if name in self._by_name:
                self._matched.add(name)
                return self._by_name[name]
        return None

    def concern(self, source: Source, sessions: Sequence[str]) -> bool:
        """Whether a label names the file, or one of the sessions (ids in the log) it holds."""
        if source.uri in self._by_path:
            return True
        named = {session_id(SessionInfo(source.format, name), self._workspace) for name in self._by_name}
        return not (named | self._by_name.keys()).isdisjoint(sessions)

    @property
    def unmatched(self) -> list[str]:
        """Names that fitted nothing."""
        return sorted(self._by_name.keys() - self._matched)

    def __bool__(self) -> bool:
        return bool(self._by_name)


def guesses(
    importers: Mapping[str, Importer], file: DiskFile, *, stop_when_sure: bool = False
) -> list[tuple[str, Guess]]:
    """What readers make of a file, surest first: all of them, or those up to the first that is sure."""
    head = file.head()
    found: list[tuple[str, Guess]] = []
    for name, reader in importers.items():
        found.append((name, _guess(reader, head, file)))
        if stop_when_sure and found[-1][1].confidence >= 1:
            break
    return sorted(found, key=lambda pair: -pair[1].confidence)


def _guess(reader: Importer, head: bytes, file: DiskFile) -> Guess:
    try:
        return reader.sniff(head, file)
    except Exception as error:  # noqa: BLE001  (a plug-in's fault must not hide the other readers)
        return Guess(0.0, f"its reader failed: {error!r}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is ready to be kept: its sessions, and others in the log that it holds too."""

    source: Source
    sessions: Sequence[Prepared] = ()
    others: Sequence[str] = ()
    told: FileReport | None = None  # where that differs from what is kept

    @property
    def size(self) -> int:
        return sum(len(row.payload) for session in self.sessions for row in session.rows)

    def keep(self, conn: Connection, log: SessionLog) -> FileReport:
        recorded = [log.record(session, conn=conn) for session in self.sessions]
        report = self.source.report
        if self.sessions:
            report = replace(
                report,
                new_sessions=sum(r.new_session for r in recorded),
                new_events=sum(r.new_events for r in recorded),
                redactions=sum((r.redactions for r in recorded), Counter[str]()),
            )
        sources.put(conn, replace(self.source, report=report), report.quarantined)
        for session in [*(r.session_id for r in recorded), *self.others]:
            sources.attach(conn, session, self.source.id)
        return self.told or report


class Shelf:
    """Where files wait for their commit, in order; ``done`` hears of each when it is kept."""

    def __init__(self, db: Database, log: SessionLog, done: Callable[[FileReport], None]) -> None:
        self._db = db
        self._log = log
        self._done = done
        self._items: list[Waiting | FileReport] = []
        self._size = 0

    def put(self, item: Waiting | FileReport) -> None:
        self._items.append(item)
        self._size += item.size if isinstance(item, Waiting) else 0
        if self._size >= _SHARED or not any(isinstance(i, Waiting) for i in self._items):
            self.settle()

    def settle(self) -> None:
        """Keep all that wait.

        Raises:
            StorageError: the database refused, and none of them is kept.
        """
        items, self._items, self._size = self._items, [], 0
        waiting = [item for item in items if isinstance(item, Waiting)]
        kept = iter(
            self._db.write(lambda conn: [w.keep(conn, self._log) for w in waiting]) if waiting else ()
        )
        for item in items:
            self._done(next(kept) if isinstance(item, Waiting) else item)


@dataclass(frozen=True)
class Intake:
    """What all files of one run share."""

    db: Database
    log: SessionLog
    importers: Mapping[str, Importer]
    clock: Clock
    labels: Labels
    shelf: Shelf
    format: str | None = None
    disk: Disk = field(default_factory=Disk)

    @cached_property
    def read_before(self) -> set[str]:
        """Uris and digests of all files imported so far: those of a first import need not be looked up."""
        with self.db.read() as conn:
            return {name for pair in sources.digests(conn).items() for name in pair}

    def file(self, path: Path, *, asked_for: bool) -> bool:
        """Import a file by way of the shelf; False when it is none of ours (and was not ``asked_for`` by name)."""
        taken = self._taken(path, asked_for=asked_for)
        if taken is not None:
            self.shelf.put(taken)
        return taken is not None

    def _taken(self, path: Path, *, asked_for: bool) -> Waiting | FileReport | None:
        try:
            file = self.disk.file(path)
        except OSError as error:
            return FileReport(str(path), status="failed", message=_words(error)) if asked_for else None
        try:
            return _OneFile(self, file).taken(asked_for=asked_for)
        except (ImportFailed, OSError) as error:
            message = error.what if isinstance(error, ImportFailed) else _words(error)
            return FileReport(file.uri, status="failed", message=message)


@dataclass(frozen=True)
class _OneFile:
    run: Intake
    file: DiskFile

    @cached_property
    def known(self) -> Source | None:
        if self.file.uri not in self.run.read_before:
            return None
        with self.run.db.read() as conn:
            return sources.by_uri(conn, self.file.uri)

    @cached_property
    def note(self) -> _Note | None:
        """What the last import noted, when this one may trust it."""
        if self.known is None or self.known.format not in self.run.importers:
            return None
        if self.run.format not in (None, self.known.format) or self._relabelled(self.known):
            return None
        if self.known.reader_version != _version(self.run.importers[self.known.format]):
            return None
        note = msgspec.json.decode(self.known.stamp, type=_Note)
        return note if self.file.surroundings(note.asked) == note.around else None

    def _relabelled(self, known: Source) -> bool:
        if not self.run.labels:
            return False
        with self.run.db.read() as conn:
            return self.run.labels.concern(known, sources.sessions_of(conn, known.id))

    def taken(self, *, asked_for: bool) -> Waiting | FileReport | None:
        known, note, stamp = self.known, self.note, self.file.stamp
        if known is not None and note is not None:
            same = (known.size, known.mtime_ns, note.inode)
            if same == stamp:
                return _unchanged(known)
        name, why = self._reader()
        if name is None:
            return FileReport(self.file.uri, status="not_a_transcript", message=why) if asked_for else None
        sha256, start = self.file.sha256(known.size if known is not None else 0)
        if not sha256:
            raise ImportFailed(_CHANGED)
        if known is not None and note is not None and sha256 == known.sha256:  # touched, moved, but the same
            return self._restamped(known, note)
        if (copy := self._copy(name, sha256)) is not None:
            return copy
        grown = known is not None and stamp.size > known.size and start == known.sha256
        return self._imported(name, sha256, "grown" if grown else "imported")

    def _reader(self) -> tuple[str | None, str]:
        """(the reader's name or None, why)."""
        if self.run.format is not None:
            return self.run.format, "asked for"
        if self.file.size == 0:
            return None, "the file is empty"
        found = guesses(self.run.importers, self.file, stop_when_sure=True)
        if not found:
            return None, "no reader is installed"
        name, guess = found[0]
        if guess.confidence > 0:
            return name, guess.why
        read_elsewhere = next((g.why for _, g in found if "together with" in g.why), None)
        return None, read_elsewhere or "no reader knows this file (import --explain FILE says why)"

    # --- kept without reading ---------------------------------------------------------------------

    def _restamped(self, known: Source, note: _Note) -> Waiting:
        stamp = self.file.stamp
        moved = msgspec.structs.replace(note, inode=stamp.inode)
        now = replace(known, mtime_ns=stamp.mtime_ns, stamp=msgspec.json.encode(moved).decode())
        return Waiting(now, told=_unchanged(known))

    def _copy(self, name: str, sha256: str) -> Waiting | None:
        """The same bytes under another name say nothing new, unless other files belong to them."""
        if self.run.labels or sha256 not in self.run.read_before:
            return None
        self.run.shelf.settle()  # the original may be among those who wait
        version = _version(self.run.importers[name])
        with self.run.db.read() as conn:
            same = [s for s in sources.by_sha256(conn, sha256) if s.uri != self.file.uri]
            original = next((s for s in same if (s.format, s.reader_version) == (name, version)), None)
            sessions = [] if original is None else sources.sessions_of(conn, original.id)
        if original is None:
            return None
        note = msgspec.json.decode(original.stamp, type=_Note)
        if not note.alone or not self.file.alone(note.asked):
            return None
        report = replace(_unchanged(original), uri=self.file.uri, status="copy")
        report.message = f"the same as {original.uri}"
        return Waiting(self._source(name, sha256, report, note.asked), others=sessions)

    # --- read -------------------------------------------------------------------------------------

    def _imported(self, name: str, sha256: str, status: str) -> Waiting:
        report = FileReport(self.file.uri, format=name, status="grown" if status == "grown" else "imported")
        try:
            prepared = list(self._sessions(name, report))
        except ImportFailed:
            if not self.file.unchanged_since(sha256):
                raise ImportFailed(_CHANGED) from None
            raise
        if not self.file.unchanged_since(sha256):
            raise ImportFailed(_CHANGED)
        source = self._source(name, sha256, report, tuple(sorted(self.file.asked)))
        self.run.read_before.add(sha256)
        return Waiting(source, prepared)

    def _sessions(self, name: str, report: FileReport) -> Iterator[Prepared]:
        """The file's sessions, ready to be stored; the account goes into ``report``."""
        for item in _items(self.run.importers[name], self.file):
            match item:
                case Transcript():
                    report.sessions += 1
                    report.events += len(item.events)
                    report.raw.update(str(e.payload.get("kind")) for e in item.events if e.type == "raw")
                    yield self.run.log.prepare(self._labelled(item))
                case Used(records):
                    report.records += records
                    report.used += records
                case Skipped(reason, records):
                    report.records += records
                    report.skipped[reason] += records
                case Quarantined():
                    report.records += 1
                    report.quarantined.append(item)

    def _labelled(self, transcript: Transcript) -> Transcript:
        outcome = self.run.labels.find(self.file.uri, transcript.info) if self.run.labels else None
        if outcome is None:
            return transcript
        payload: dict[str, Scalar] = {"label": outcome.label, "label_source": outcome.source}
        if outcome.score is not None:
            payload["score"] = outcome.score
        key = f"label:{outcome.source}:{outcome.label}:{outcome.score}"
        event = NewEvent("session.outcome", payload, key)
        return Transcript(replace(transcript.info, outcome=outcome), [*transcript.events, event])

    def _source(self, name: str, sha256: str, report: FileReport, asked: tuple[Asked, ...]) -> Source:
        stamp = self.file.stamp
        note = _Note(stamp.inode, asked, self.file.surroundings(asked), self.file.alone(asked))
        return Source(
            uri=self.file.uri,
            format=name,
            reader_version=_version(self.run.importers[name]),
            size=stamp.size,
            mtime_ns=stamp.mtime_ns,
            sha256=sha256,
            report=report,
            imported_at=self.run.clock(),
            stamp=msgspec.json.encode(note).decode(),
            workspace=self.run.db.workspace,
        )


def _items(reader: Importer, file: DiskFile) -> Iterator[Read]:
    """What the reader yields.

    Raises:
        ImportFailed: the reader broke its word and raised.
    """
    try:
        yield from reader.read(file)
    except Exception as error:
        raise ImportFailed(f"the reader for {reader.name} failed: {error!r}") from error


def _unchanged(known: Source) -> FileReport:
    none = Counter[str]()
    return replace(
        known.report, status="unchanged", new_sessions=0, new_events=0, redactions=none, message=None
    )


def _version(reader: Importer) -> str:
    """A reader may say its version: another one reads every file again."""
    return str(getattr(reader, "version", "1"))


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
