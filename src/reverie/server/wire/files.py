"""Files on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = [
    "DeletedFile",
    "File",
    "FileList",
    "SessionScope",
]


class SessionScope(Wire, tag_field="type", tag="session"):
    """The session that a file came out of."""

    id: str


class File(Wire):
    """What is known of a file. ``sha256`` is ours."""

    id: str
    created_at: Timestamp
    filename: str
    mime_type: str
    size_bytes: int
    downloadable: bool
    expires_at: Timestamp | None
    scope: SessionScope | None
    sha256: str
    type: Literal["file"] = "file"


class FileList(Ask):
    """A page of files, or these files alone."""

    ids: Annotated[list[str], Meta(max_length=1000)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    page: str | None = None
    scope_id: str | None = None


class DeletedFile(Wire):
    """That a file is gone."""

    id: str
    type: Literal["file_deleted"] = "file_deleted"
