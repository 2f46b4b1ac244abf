"""Transcripts that are uploaded: read like files on the disk, with a report that stays."""

from __future__ import annotations

import builtins
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from reverie.domain.errors import Invalid
from reverie.domain.events import JsonObject
from reverie.domain.imports import FileReport, Quarantined
from reverie.domain.resources import Cursor, Resource
from reverie.sessions.imports import ImportReport, ImportService
from reverie.storage import sources
from reverie.storage.database import Database
from reverie.workspaces.resources import Resources

__all__ = ["KIND", "MAX_FILES", "Imports", "Sent"]

KIND: Final = "import"
MAX_FILES: Final = 100
_SHOWN: Final = 100  # quarantined records that a report tells one by one
_LONGEST: Final = 128  # characters of a file's name
_ODD: Final = re.compile(r"[^\w. ()+=@-]", re.ASCII)

Sent = tuple[str, BinaryIO]
"""(file name as the client says it, its bytes)."""


class Imports:
    """The uploads of one workspace.

    Args:
        importer: Gives the import service, with every reader.
    """

    def __init__(self, db: Database, resources: Resources, importer: Callable[[], ImportService]) -> None:
        self._db = db
        self._resources = resources
        self._importer = importer

    def run(self, files: Sequence[Sent], *, format: str | None = None) -> Resource:
        """Read files into the log, and keep the report. What no reader knows is told in it, file by file.

        Raises:
            Invalid: no file, or more than 100.
            UsageError: an unknown format.
            StorageError: the database refused; files read before that are kept.
        """
        if not 1 <= len(files) <= MAX_FILES:
            raise Invalid("file", f"1 to {MAX_FILES} files", len(files))
        # Deep down: readers look around their file, and a pattern that begins with .. must find nothing.
        with tempfile.TemporaryDirectory(prefix="reverie-upload-") as scratch:
            folder = Path(scratch, "of", "one", "upload")
            folder.mkdir(parents=True)
            paths = [_spooled(folder, number, *sent) for number, sent in enumerate(files)]
            report = self._importer().run(paths, format=format, called=(folder, "upload:"))
        return self._resources.create(KIND, self._told(report), prefix="imp")

    def get(self, import_id: str) -> Resource:
        """A report.

        Raises:
            NotFound: there is none.
        """
        return self._resources.get(KIND, import_id)

    def list(self, *, after: Cursor | None = None, limit: int = 20) -> builtins.list[Resource]:
        """Reports, newest first."""
        return self._resources.list(KIND, after=after, limit=limit)

    def sources(self, *, after: Cursor | None = None, limit: int = 20) -> builtins.list[sources.Source]:
        """The files that sessions were read from, however they came, those that were read last first; from behind
        ``after`` (when one was read, and its id)."""
        with self._db.read() as conn:
            return sources.listed(conn, after=after, limit=limit)

    def quarantine(self, source_id: str) -> builtins.list[Quarantined]:
        """The records of a file that could not be read, in their order."""
        with self._db.read() as conn:
            return sources.quarantined(conn, source_id)

    def _told(self, report: ImportReport) -> JsonObject:
        with self._db.read() as conn:
            known = {file.uri: sources.by_uri(conn, file.uri) for file in report.files}
            sessions = {
                uri: sorted(sources.sessions_of(conn, source.id)) if source is not None else []
                for uri, source in known.items()
            }
        return {
            "files": [_file(file, sessions[file.uri]) for file in report.files],
            "new_sessions": report.new_sessions,
            "new_events": report.new_events,
        }


def _spooled(folder: Path, number: int, name: str, stream: BinaryIO) -> Path:
    """The upload as a file, under its own name as far as that is one; two of a name lie apart."""
    plain = _ODD.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")[-_LONGEST:] or "transcript"
    path = folder / plain
    if path.exists():
        path = folder / str(number) / plain
        path.parent.mkdir()
    with path.open("xb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
    return path


def _file(report: FileReport, sessions: Sequence[str]) -> dict[str, Any]:
    return {
        "filename": report.uri.removeprefix("upload:"),
        "format": report.format,
        "status": report.status,
        "message": report.message,
        "sessions": report.sessions,
        "new_sessions": report.new_sessions,
        "new_events": report.new_events,
        "events": report.events,
        "records": report.records,
        "used": report.used,
        "skipped": dict(report.skipped),
        "quarantined": [
            {"line": each.line, "pointer": each.pointer, "why": each.why}
            for each in report.quarantined[:_SHOWN]
        ],
        "quarantined_count": len(report.quarantined),
        "raw": dict(report.raw),
        "redactions": dict(report.redactions),
        "session_ids": list(sessions),
    }
