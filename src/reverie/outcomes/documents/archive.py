"""Office files are ZIP archives of XML: what is looked at before any parser is let near them."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO
from typing import Final

__all__ = ["Refused", "kind_of_archive", "looked_through"]

MAX_ENTRIES: Final = 5_000
MAX_UNPACKED: Final = 128 << 20
MAX_RATIO: Final = 200
_SMALL: Final = 4 << 20  # what is this small may be packed as tightly as it likes
_CHUNK: Final = 1 << 20
_KINDS: Final = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP: Final = (".xml", ".rels", ".vml")
_DECLARATIONS: Final = tuple(
    word.encode(encoding)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)


class Refused(Exception):
    """A file that is not read; the message says why, in words for a person."""


def kind_of_archive(data: bytes) -> str | None:
    """``docx``, ``pptx`` or ``xlsx`` by what is in it; None for other archives.

    Raises:
        Refused: no archive that could be opened.
    """
    names = {_office_name(name) for name in _opened(data).namelist()}
    return next((kind for name, kind in _KINDS.items() if name in names), None)


def looked_through(data: bytes) -> dict[str, int]:
    """Unpacked sizes of an archive's parts by name, after each was unpacked once, a piece at a time.

    Raises:
        Refused: it is encrypted, broken, has two parts of one name, unpacks to too much, or declares entities.
    """
    archive = _opened(data)
    entries = archive.infolist()
    _bounded(entries, len(data))
    for entry in entries:
        try:
            _look(archive, entry)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError) as error:
            raise Refused(f"it is damaged: {entry.filename!r} in it cannot be unpacked ({error})") from None
    return {_office_name(entry.filename): entry.file_size for entry in entries}


def _opened(data: bytes) -> zipfile.ZipFile:
    if data.startswith(_OLE):
        raise Refused("it is encrypted, or in a format of before 2007")
    try:
        return zipfile.ZipFile(BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise Refused(f"it is damaged, or no such file: {error}") from None


def _bounded(entries: list[zipfile.ZipInfo], packed: int) -> None:
    if len(entries) > MAX_ENTRIES:
        raise Refused(f"it has {len(entries):,} parts: at most {MAX_ENTRIES:,} are read")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Refused("it is encrypted")
    names = {_office_name(entry.filename) for entry in entries}
    if len(names) != len(entries):
        raise Refused("two parts in it have the same name: programs differ in which one they show")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED:
        raise Refused(f"it unpacks to {unpacked:,} bytes: at most {MAX_UNPACKED:,} are read")
    if unpacked > max(_SMALL, packed * MAX_RATIO):
        raise Refused(f"it unpacks to {unpacked // max(packed, 1):,} times its size: a bomb")


def _look(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """``zipfile`` gives no more than what was declared, and compares checksums at the end."""
    markup = entry.filename.lower().endswith(_MARKUP)
    tail = b""
    with archive.open(entry) as part:
        first = True
        while chunk := part.read(_CHUNK):
            if markup:
                _no_declarations(entry.filename, chunk, tail, first=first)
            tail, first = chunk[-32:], False


def _no_declarations(name: str, chunk: bytes, tail: bytes, *, first: bool) -> None:
    """A part of an Office file is UTF-8 or UTF-16 and has no document type: entities cannot be declared."""
    if first and not chunk.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0").startswith(b"<"):
        raise Refused(f"{name!r} in it is not XML")
    if any(word in tail + chunk for word in _DECLARATIONS):
        raise Refused(f"{name!r} in it declares a document type, which no such document does")


def _office_name(name: str) -> str:
    return name.lower().lstrip("/")
