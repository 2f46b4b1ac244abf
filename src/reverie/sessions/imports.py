"""The import service: files in, sessions in the log, and an account of every record.

A file is kept in one transaction: after a crash it was imported or it was not, and the next run goes on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reverie.domain.clock import Clock
from reverie.domain.errors import NotFound, UsageError
from reverie.domain.imports import FileReport, Guess
from reverie.domain.sessions import Outcome
from reverie.plugins import Importer
from reverie.sessions.files import Disk, walk
from reverie.sessions.intake import Intake, Labels, Shelf, guesses
from reverie.sessions.log import SessionLog
from reverie.storage.database import Database

__all__ = ["ImportReport", "ImportService"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The account of one import. The sums are over ``files``; a file that was not read again counts with
    what is known of it, but nothing of it is new.

    ``passed_over`` counts files in folders that no reader knows; ``unmatched_labels`` are names of labels
    that fitted neither a session nor a file.
    """

    files: Sequence[FileReport] = ()
    passed_over: int = 0
    unmatched_labels: Sequence[str] = ()

    @property
    def new_sessions(self) -> int:
        return sum(file.new_sessions for file in self.files)

    @property
    def new_events(self) -> int:
        return sum(file.new_events for file in self.files)

    @property
    def records(self) -> int:
        """``used`` + the sum of ``skipped`` + ``quarantined``."""
        return sum(file.records for file in self.files)

    @property
    def used(self) -> int:
        return sum(file.used for file in self.files)

    @property
    def skipped(self) -> Counter[str]:
        return sum((file.skipped for file in self.files), Counter[str]())

    @property
    def quarantined(self) -> int:
        return sum(len(file.quarantined) for file in self.files)

    @property
    def raw(self) -> Counter[str]:
        return sum((file.raw for file in self.files), Counter[str]())

    @property
    def redactions(self) -> Counter[str]:
        return sum((file.redactions for file in self.files), Counter[str]())

    @property
    def failed(self) -> list[FileReport]:
        """Files that were asked for and could not be read."""
        return [file for file in self.files if file.status in ("not_a_transcript", "failed")]


class ImportService:
    """Reads transcripts into a log with the readers it is given.

    Args:
        db: Where sources are kept; the database of ``log``.
        log: Where the sessions go. Its mask takes the secrets out.
        importers: The readers, by name.
        clock: Gives the present, in UTC.
    """

    def __init__(
        self, db: Database, log: SessionLog, importers: Mapping[str, Importer], *, clock: Clock
    ) -> None:
        self._db = db
        self._log = log
        # Tools' own formats are asked first: they are sure, and then nobody else need look.
        self._importers = dict(sorted(importers.items(), key=lambda i: (not i[1].default_places(), i[0])))
        self._clock = clock

    def run(
        self,
        paths: Sequence[str | Path],
        *,
        format: str | None = None,
        labels: Mapping[str, Outcome] | None = None,
        on_file: Callable[[FileReport], None] | None = None,
        called: tuple[Path, str] | None = None,
    ) -> ImportReport:
        """Read files, folders, and the default places of readers that are named.

        A file that did not change since it was read is not read again; a file that grew is continued; in
        a folder, what no reader knows is passed over.

        Args:
            paths: Files, folders, or names of readers.
            format: Read as this format, instead of looking for the surest reader.
            labels: How sessions ended, by their native id, their id in the log, or their file's path.
            on_file: Called for each file when it is kept, in order.
            called: A folder, and what it is called in uris (see ``Disk``).

        Raises:
            NotFound: a path does not exist, or a named reader has no place on this machine.
            UsageError: there is no reader of that name.
            StorageError: the database refused; files that were told to ``on_file`` are kept.
        """
        if format is not None and format not in self._importers:
            raise UsageError(f"there is no format {format!r}", hint=f"one of {', '.join(self._importers)}")
        files: list[FileReport] = []

        def done(report: FileReport) -> None:
            files.append(report)
            if on_file is not None:
                on_file(report)

        shelf, known = Shelf(self._db, self._log, done), Labels(labels or {}, self._db.workspace)
        intake = Intake(self._db, self._log, self._importers, self._clock, known, shelf, format, Disk(called))
        taken = [intake.file(path, asked_for=asked_for) for path, asked_for in list(self._plan(paths))]
        shelf.settle()
        return ImportReport(files, taken.count(False), known.unmatched)

    def explain(self, path: str | Path) -> list[tuple[str, Guess]]:
        """Every reader's guess about a file, surest first.

        Raises:
            NotFound: there is no such file.
            UsageError: it is a folder.
        """
        place = Path(path).expanduser().absolute()
        if place.is_dir():
            raise UsageError("a folder", where=str(path), hint="name one file in it")
        try:
            return guesses(self._importers, Disk().file(place))
        except OSError as error:
            raise NotFound(f"cannot be read: {error.strerror or error}", where=str(path)) from None

    def _plan(self, paths: Sequence[str | Path]) -> Iterator[tuple[Path, bool]]:
        """(file, whether it was asked for by name), each once."""
        seen: set[Path] = set()
        for path in paths:
            for file, asked_for in self._files(path):
                if file not in seen:
                    seen.add(file)
                    yield file, asked_for

    def _files(self, path: str | Path) -> Iterator[tuple[Path, bool]]:
        place = Path(path).expanduser().absolute()
        if place.is_dir():
            yield from ((file, False) for file in walk(place))
        elif place.exists():
            yield place, True
        elif str(path) in self._importers:
            yield from self._default_files(str(path))
        else:
            raise NotFound("there is no such file or folder", where=str(path), hint=self._hint())

    def _default_files(self, name: str) -> Iterator[tuple[Path, bool]]:
        places = [os.path.expandvars(p) for p in self._importers[name].default_places()]
        folders = [Path(p).expanduser().absolute() for p in places if "$" not in p]
        if not any(folder.is_dir() for folder in folders):
            looked = ", ".join(map(str, folders)) or "nowhere: it has no default place"
            raise NotFound(
                f"no sessions of {name} on this machine", where=looked, hint="give a file or a folder"
            )
        for folder in folders:
            yield from ((file, False) for file in walk(folder))

    def _hint(self) -> str:
        named = [name for name, reader in self._importers.items() if reader.default_places()]
        return f"give a file, a folder, or one of {', '.join(named)}"
