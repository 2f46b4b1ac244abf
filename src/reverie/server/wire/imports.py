"""Imports of transcripts on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = ["FileReport", "Import", "ImportList", "Quarantined"]


class Quarantined(Wire):
    """A record that could not be read, and why. ``line`` counts from 1."""

    line: int | None
    pointer: str | None
    why: str


class FileReport(Wire):
    """The account of one file: ``records`` = ``used`` + the skipped + ``quarantined_count``."""

    events: int
    filename: str
    format: str | None
    message: str | None
    new_events: int
    new_sessions: int
    quarantined: list[Quarantined]
    quarantined_count: int
    raw: dict[str, int]
    records: int
    redactions: dict[str, int]
    session_ids: list[str]
    sessions: int
    skipped: dict[str, int]
    status: Literal["imported", "unchanged", "grown", "copy", "not_a_transcript", "failed"]
    used: int


class Import(Wire):
    """One upload of transcripts, and what became of each file."""

    id: str
    created_at: Timestamp
    files: list[FileReport]
    new_events: int
    new_sessions: int
    type: Literal["import"] = "import"


class ImportList(Ask):
    """A page of imports, newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
