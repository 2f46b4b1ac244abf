"""Reads what an agent delivered into the work that is judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from reverie.domain.outcomes import Deliverable, Work
from reverie.outcomes.documents.readers import MAX_FILE, Readers
from reverie.outcomes.documents.reading import Reading
from reverie.outcomes.files import Opener

__all__ = ["MAX_FILES", "MAX_WORK", "read_work"]

MAX_FILES: Final = 200
MAX_WORK: Final = 4_000_000
"""Characters of all files together."""
_CHUNK: Final = 1 << 20
_PAGED: Final = (".pptx", ".xlsx", ".pdf")


def read_work(files: Iterable[tuple[str, Opener]], message: str = "") -> Work:
    """The work in these files, by path, and what the agent said last. Never raises on what is in them: a file
    that could not be read, or not wholly, says so in its ``problem``. Blocks: call it off the event loop.

    A file is hashed whole, whatever its size; its text is read up to ``documents.reading.MAX_TEXT`` characters
    and ``MAX_FILE`` bytes, of the first ``MAX_FILES`` files.
    """
    left = MAX_WORK
    deliverables: list[Deliverable] = []
    with Readers() as readers:
        for number, (path, opener) in enumerate(sorted(files, key=lambda file: file[0]), 1):
            told = _deliverable(path, opener, readers, number=number, left=left)
            left -= len(told.text or "")
            deliverables.append(told)
    return Work(tuple(deliverables), message)


def _deliverable(path: str, opener: Opener, readers: Readers, *, number: int, left: int) -> Deliverable:
    try:
        data, size, sha256 = _taken(opener)
    except OSError as error:
        problem = f"it cannot be opened: {error.strerror or error}"
        return Deliverable(path, 0, hashlib.sha256(b"").hexdigest(), problem=problem)
    if number > MAX_FILES:
        return Deliverable(path, size, sha256, problem=f"only the first {MAX_FILES} files are read")
    if data is None:
        problem = f"it has {size:,} bytes: at most {MAX_FILE:,} are read"
        return Deliverable(path, size, sha256, problem=problem)
    reading = readers.read(data, path, sha256=sha256)
    text = _text(reading, path)
    if text is not None and len(text) > left:
        problem = f"the work has more than {MAX_WORK:,} characters: this file is not read"
        return Deliverable(path, size, sha256, problem=problem)
    return Deliverable(path, size, sha256, text, reading.problem, tuple(reading.hidden))


def _taken(opener: Opener) -> tuple[bytes | None, int, str]:
    """(the bytes, None where they are too many; their number; their hash)."""
    digest = hashlib.sha256()
    pieces: list[bytes] = []
    size = 0
    with opener() as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if size <= MAX_FILE:
                pieces.append(chunk)
            else:
                pieces.clear()
    return (b"".join(pieces) if size <= MAX_FILE else None), size, digest.hexdigest()


def _text(reading: Reading, path: str) -> str | None:
    """The lines; of slides, sheets and pages each begins with its place, ``[slide 3]``."""
    if not reading.lines:
        return None if reading.problem else ""
    if not path.lower().endswith(_PAGED):
        return reading.text
    told: list[str] = []
    before = ""
    for line in reading.lines:
        place = line.place.rpartition("!")[0] or line.place
        if place != before:
            told.append(f"[{place}]")
        told.append(line.text)
        before = place
    return "\n".join(told)
