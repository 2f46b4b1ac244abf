"""Files: bytes with a name, kept in the database, so that every process on it has them and one backup has all.

A file is written in batches of a few megabytes, each its own transaction, so that a large one holds up
nobody. Until the last batch is in, its resource is ``uploading`` and nobody sees it; what a killed process
leaves behind is swept by a later upload.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO, Final

from reverie.domain.clock import Clock, iso
from reverie.domain.errors import Invalid, NotFound, TooLarge, Unavailable
from reverie.domain.resources import Cursor, Resource
from reverie.storage import files as rows
from reverie.storage.database import Connection, Database
from reverie.workspaces.resources import Resources

__all__ = ["FILE", "MAX_FILE", "MAX_IN_SESSION", "Expired", "Files", "safe_name"]

FILE: Final = "file"
MAX_FILE: Final = 500 << 20
"""Bytes of one file."""
MAX_IN_SESSION: Final = 500
EXPIRY: Final = (3600, 7_776_000)
"""Seconds that a file may be kept, at least and at most."""
_CHUNK: Final = 1 << 20
_BATCH: Final = 8  # chunks in one transaction
_ABANDONED: Final = timedelta(hours=1)  # to copy a file takes seconds
_READY, _EXPIRING, _EXPIRED, _UPLOADING = "ready", "expiring", "expired", "uploading"
_SEEN: Final = (_READY, _EXPIRING, _EXPIRED)
_UNKNOWN: Final = "application/octet-stream"
_MIME: Final = re.compile(r"[a-zA-Z0-9][\w.+-]{0,126}/[a-zA-Z0-9][\w.+-]{0,126}", re.ASCII)
_LONGEST: Final = 255
_UNNAMED: Final = "unnamed"


class Expired(NotFound):
    """The time that a file was to be kept is over; its bytes are gone."""


@dataclass(frozen=True, slots=True)
class _Upload:
    """A file while it is copied."""

    file: Resource
    digest: Any
    size: int = 0
    chunks: int = 0


class Files:
    """The files of one workspace. All methods raise ``NotFound`` for an id that is not one of them.

    Args:
        max_bytes: How large a file may be.
    """

    def __init__(
        self, db: Database, resources: Resources, *, clock: Clock, max_bytes: int = MAX_FILE
    ) -> None:
        self._db = db
        self._resources = resources
        self._clock = clock
        self._max_bytes = max_bytes

    def store(
        self,
        source: BinaryIO,
        *,
        filename: str | None,
        mime_type: str | None = None,
        expires_in: int | None = None,
        session_id: str | None = None,
    ) -> Resource:
        """Keep what ``source`` gives, from where it stands to its end.

        Args:
            source: Read in chunks, never as a whole.
            filename: Its last part is kept, without what is not printable.
            mime_type: What it is; else what its name says.
            expires_in: Seconds after which the bytes are deleted.
            session_id: The session that made it.

        Raises:
            TooLarge: more bytes than allowed; nothing is kept.
            Invalid: an expiry out of bounds; a session's 501st file.
        """
        self._sweep()
        body = self._described(filename, mime_type, expires_in)
        started = self._started(body, session_id)
        upload = _Upload(started, hashlib.sha256())
        try:
            for batch in _batches(source):
                upload = self._copied(upload, batch)
        except BaseException:
            self._abandon(started.id)
            raise
        return self._finished(upload, _READY if expires_in is None else _EXPIRING)

    def get(self, file_id: str) -> Resource:
        """What is known of a file."""
        found = self._resources.get(FILE, file_id)
        if found.status == _UPLOADING:
            raise NotFound(f"there is no {FILE} {file_id!r}")
        return found

    def read(self, file_id: str) -> tuple[Resource, Iterator[bytes]]:
        """A file and its bytes, chunk by chunk; each is read when it is asked for.

        Raises:
            Expired: its bytes are gone.
            Unavailable (while iterating): it was deleted meanwhile.
        """
        found = self.get(file_id)
        expires_at = found.body["expires_at"]
        if expires_at is not None and datetime.fromisoformat(expires_at) <= self._clock():
            raise Expired(f"the file expired at {expires_at}", where=file_id)
        return found, self._chunks(found)

    def delete(self, file_id: str) -> Resource:
        """Delete a file."""
        self.get(file_id)

        def work(conn: Connection) -> Resource:
            rows.remove(conn, file_id)
            return self._resources.delete(FILE, file_id, conn=conn)

        return self._resources.write(work)

    def delete_of_session(self, session_id: str, conn: Connection) -> None:
        """Delete what a session made, in the transaction that deletes the session."""
        for file in self._resources.list(FILE, parent=session_id, archived=None, conn=conn):
            rows.remove(conn, file.id)
            self._resources.delete(FILE, file.id, conn=conn)

    def list(
        self, *, session_id: str | None = None, after: Cursor | None = None, limit: int = 20
    ) -> list[Resource]:
        """Files, newest first; with ``session_id``, those that the session made."""
        return self._resources.list(FILE, parent=session_id, statuses=_SEEN, after=after, limit=limit)

    def some(self, file_ids: list[str]) -> list[Resource]:
        """Those files of ``file_ids`` that there are, newest first."""
        found: list[Resource] = []
        for file_id in dict.fromkeys(file_ids):
            try:
                found.append(self.get(file_id))
            except NotFound:
                continue
        return sorted(found, key=lambda file: (file.created_at, file.id), reverse=True)

    # ------------------------------------------------------------------ writing

    def _described(
        self, filename: str | None, mime_type: str | None, expires_in: int | None
    ) -> dict[str, Any]:
        least, most = EXPIRY
        if expires_in is not None and not least <= expires_in <= most:
            raise Invalid("expires_in_seconds", f"{least} to {most}", expires_in)
        mime = mime_type if mime_type is not None and _MIME.fullmatch(mime_type) else None
        mime = mime or mimetypes.guess_type(filename or "")[0] or _UNKNOWN
        until = None if expires_in is None else iso(self._clock() + timedelta(seconds=expires_in))
        return {
            "filename": safe_name(filename, mime),
            "mime_type": mime.lower(),
            "expires_at": until,
            "downloadable": True,
            "size_bytes": 0,
            "sha256": "",
        }

    def _started(self, body: dict[str, Any], session_id: str | None) -> Resource:
        body["scope"] = None if session_id is None else {"type": "session", "id": session_id}

        def work(conn: Connection) -> Resource:
            if session_id is not None:
                there = self._resources.count(FILE, parent=session_id, conn=conn)
                if there >= MAX_IN_SESSION:
                    raise Invalid("scope", f"at most {MAX_IN_SESSION} files of a session", there + 1)
            return self._resources.create(
                FILE, body, prefix="file", parent=session_id, status=_UPLOADING, conn=conn
            )

        return self._resources.write(work)

    def _copied(self, upload: _Upload, batch: list[bytes]) -> _Upload:
        size = upload.size + sum(map(len, batch))
        if size > self._max_bytes:
            raise TooLarge(f"a file: at most {self._max_bytes} bytes, this has more")
        for chunk in batch:
            upload.digest.update(chunk)
        self._db.write(lambda conn: rows.add(conn, upload.file.id, upload.chunks, batch))
        return replace(upload, size=size, chunks=upload.chunks + len(batch))

    def _finished(self, upload: _Upload, status: str) -> Resource:
        body = {**upload.file.body, "size_bytes": upload.size, "sha256": upload.digest.hexdigest()}
        done = partial(replace, body=body, status=status)
        return self._resources.change(FILE, upload.file.id, done)

    def _abandon(self, file_id: str) -> None:
        def work(conn: Connection) -> None:
            rows.remove(conn, file_id)
            self._resources.delete(FILE, file_id, conn=conn)

        self._resources.write(work)

    def _sweep(self) -> None:
        """Delete what killed uploads left, and the bytes of files that have expired."""
        now = self._clock()
        for file in self._resources.list(FILE, statuses=(_UPLOADING, _EXPIRING)):
            if file.status == _UPLOADING and file.created_at < now - _ABANDONED:
                self._abandon(file.id)
            elif file.status == _EXPIRING and datetime.fromisoformat(file.body["expires_at"]) <= now:
                self._resources.write(partial(self._expire, file.id))

    def _expire(self, file_id: str, conn: Connection) -> None:
        rows.remove(conn, file_id)
        self._resources.change(FILE, file_id, partial(replace, status=_EXPIRED), conn=conn)

    # ------------------------------------------------------------------ reading

    def _chunks(self, file: Resource) -> Iterator[bytes]:
        size: int = file.body["size_bytes"]
        for number in range(-(-size // _CHUNK)):
            with self._db.read() as conn:
                found = rows.chunk(conn, file.id, number)
            if found is None:
                raise Unavailable("the file was deleted while it was read", where=file.id)
            yield found


def safe_name(filename: str | None, mime_type: str) -> str:
    """The last part of a file's name, printable, of at most 255 characters; ``unnamed`` where that is nothing."""
    last = PurePosixPath(PureWindowsPath(filename or "").name).name
    spaced = (" " if unicodedata.category(c) == "Zs" else c for c in unicodedata.normalize("NFC", last))
    clean = "".join(c for c in spaced if c.isprintable()).strip()
    if clean.strip(".") == "":
        return _UNNAMED + (mimetypes.guess_extension(mime_type) or "")
    suffix = PurePosixPath(clean).suffix[:32]
    return clean if len(clean) <= _LONGEST else clean[: _LONGEST - len(suffix)] + suffix


def _batches(source: BinaryIO) -> Iterator[list[bytes]]:
    """What ``source`` gives, in chunks of one size (but the last), some at a time."""
    while batch := list(_some(source)):
        yield batch


def _some(source: BinaryIO) -> Iterator[bytes]:
    for _ in range(_BATCH):
        if not (data := source.read(_CHUNK)):
            return
        yield data
