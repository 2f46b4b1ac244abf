"""The tools ``read``, ``write`` and ``edit``: files of the sandbox, by name.

They go through the sandbox's own file methods, which see what a command in it would see and nothing else.
"""

from __future__ import annotations

import codecs
import posixpath
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal, cast

from reverie.domain.events import JsonObject
from reverie.domain.messages import Document, Image, ToolSpec
from reverie.plugins import Output, Sandbox, Surroundings
from reverie.tools.answers import Told, attempted, counted, encoded, input_schema, said, shown
from reverie.tools.likeness import likeness
from reverie.tools.spilling import IMAGE_BYTES, MOST, PDF_BYTES

__all__ = ["TEXT_BYTES", "Edit", "Read", "Write"]

TEXT_BYTES: Final = 256 << 10
"""Bytes of a text that is read or edited whole; of a larger one, ranges of lines are read."""

_BLOCK: Final = 1 << 20
_MOST_BYTES: Final = 4 * MOST  # whatever the letters are, these fill an answer
_PATH: Final = {"type": "string", "minLength": 1}
# The session's own folders, as a sandbox shows them.
_OWN: Final = ("/workspace/", "/mnt/session/outputs/", "/tmp/")  # noqa: S108
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


class Read:
    """``read``: {file_path, view_range?}. Text comes with the numbers of its lines, an image as an image,
    a PDF as a document."""

    spec = ToolSpec(
        name="read",
        description=(
            "Read a file. Text comes with line numbers, which are no part of it; images and PDF files come as "
            f"what they are. A text over {TEXT_BYTES >> 10} KiB is read in ranges of lines."
        ),
        input_schema=input_schema(
            {"file_path": {**_PATH, "description": "Absolute, or relative to the working folder."}},
            {
                "view_range": {
                    "type": "array",
                    "items": {"type": "integer"},
                    "minItems": 2,
                    "maxItems": 2,
                    "description": "[first line, last line], from 1; 0 or less as the last line: to the end.",
                }
            },
        ),
    )
    repeatable = True

    def risk(self, input: JsonObject) -> Literal["low"]:
        return "low"

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        path, view = cast(str, input["file_path"]), cast("list[int] | None", input.get("view_range"))
        work = partial(_read, where.sandbox, path, view)
        return await attempted(work, f"{shown(path)} cannot be read")


class Write:
    """``write``: {file_path, content}. The whole file; folders before it are made."""

    spec = ToolSpec(
        name="write",
        description="Write a whole file: what was in it before is gone. Folders on the way are made.",
        input_schema=input_schema(
            {
                "file_path": {**_PATH, "description": "Absolute, or relative to the working folder."},
                "content": {"type": "string", "description": "All that the file is to hold."},
            }
        ),
    )
    repeatable = True

    def risk(self, input: JsonObject) -> Literal["low", "unknown"]:
        return _risk_of_writing(input.get("file_path"))

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        path, content = cast(str, input["file_path"]), cast(str, input["content"])
        return await attempted(
            partial(_write, where.sandbox, path, content), f"{shown(path)} was not written"
        )


class Edit:
    """``edit``: {file_path, old_string, new_string, replace_all?}. ``old_string`` must be there exactly once,
    unless all are to be replaced; the rest of the file stays as it is, byte for byte."""

    spec = ToolSpec(
        name="edit",
        description=(
            "Replace a piece of a text file. `old_string` must be in it exactly once, blanks and line ends "
            "included, unless `replace_all` is true."
        ),
        input_schema=input_schema(
            {
                "file_path": {**_PATH, "description": "Absolute, or relative to the working folder."},
                "old_string": {"type": "string", "minLength": 1, "description": "What is to go, exactly."},
                "new_string": {"type": "string", "description": "What is to come in its place."},
            },
            {"replace_all": {"type": "boolean", "description": "Replace every occurrence."}},
        ),
    )
    repeatable = False

    def risk(self, input: JsonObject) -> Literal["low", "unknown"]:
        return _risk_of_writing(input.get("file_path"))

    async def call(self, input: JsonObject, where: Surroundings) -> Output:
        path = cast(str, input["file_path"])
        old, new = cast(str, input["old_string"]), cast(str, input["new_string"])
        work = partial(_edit, where.sandbox, path, old, new, bool(input.get("replace_all")))
        return await attempted(work, f"{shown(path)} was not edited")


# ------------------------------------------------------------------ reading


def _read(sandbox: Sandbox, path: str, view: list[int] | None) -> Output:
    size = _size(sandbox, path)
    if media := _media_type(sandbox.read(path, limit=16)):
        if view is not None:
            raise Told(f"{shown(path)} is {media}: it has no lines.")
        return _seen(sandbox, path, media, size)
    if size > TEXT_BYTES and view is None:
        raise Told(
            f"{shown(path)} has {counted(size, 'byte')}, more than the {TEXT_BYTES:,} that are read at once. "
            "Read lines of it with view_range, for example [1, 500], or search it with grep."
        )
    first, last = (1, 0) if view is None else view
    if 0 < last < first:
        raise Told(f"view_range ends at line {last}, before it begins at line {first}.")
    return _lines(sandbox, path, max(first, 1), last if last > 0 else None)


def _size(sandbox: Sandbox, path: str) -> int:
    """The size of a plain file. Nothing is opened: a FIFO would block.

    Raises:
        Told: it is no plain file.
    """
    facts = sandbox.facts(path)
    if facts.kind == "folder":
        raise Told(f"{shown(path)} is a folder: list it with glob, or with ls.")
    if facts.kind != "file":
        raise Told(f"{shown(path)} is no plain file.")
    return facts.size


def _seen(sandbox: Sandbox, path: str, media: str, size: int) -> Output:
    most = PDF_BYTES if media == "application/pdf" else IMAGE_BYTES
    if size > most:
        raise Told(f"{shown(path)} has {counted(size, 'byte')}: of {media}, at most {most:,} are shown.")
    data = sandbox.read(path, limit=most)
    if media == "application/pdf":
        return Output((Document(media, data, title=posixpath.basename(path)),))
    return Output((Image(media, data),))


def _media_type(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((media for magic, media in _MAGIC if head.startswith(magic)), None)


# ------------------------------------------------------------------ lines


def _lines(sandbox: Sandbox, path: str, first: int, last: int | None) -> Output:
    data, before, ended = _range(sandbox, path, first, last)
    if data is None:
        if not before:
            return said("(the file is empty)")
        raise Told(f"{shown(path)} has {counted(before, 'line')}: there is no line {first:,}.")
    text = _decoded(data)
    if text is None:
        raise Told(f"{shown(path)} is not UTF-8 text. Look at it with bash: file, xxd, strings, iconv.")
    lines = text.removesuffix("\n").split("\n")
    wanted = lines if last is None else lines[: last - first + 1]
    told, count = _numbered(wanted, first)
    if count < len(wanted) or (not ended and (last is None or len(wanted) < last - first + 1)):
        told += f"\n\n[cut here; go on with view_range [{first + count}, {last or 0}]]"
    return said(told)


def _range(sandbox: Sandbox, path: str, first: int, last: int | None) -> tuple[bytes | None, int, bool]:
    """(bytes from line ``first`` on, how many lines the file has, whether its end was reached).

    The bytes hold at least the lines up to ``last``, or as many as an answer can; None where the file ends
    before ``first``. The count is right only then.
    """
    skip, kept, offset, lines, end = first - 1, bytearray(), 0, 0, b"\n"
    while block := sandbox.read(path, offset=offset, limit=_BLOCK):
        offset, end = offset + len(block), block[-1:]
        count = block.count(b"\n")
        lines += count
        if skip > count:
            skip -= count
            continue
        kept += block.split(b"\n", skip)[-1] if skip else block
        skip = 0
        if len(kept) > _MOST_BYTES or (last is not None and kept.count(b"\n") > last - first):
            return bytes(kept), lines, False
    total = lines + (end != b"\n")
    return (bytes(kept), total, True) if first <= total else (None, total, True)


def _decoded(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)  # the end may be in the midst of a letter
    except UnicodeDecodeError:
        return None


def _numbered(lines: Sequence[str], first: int) -> tuple[str, int]:
    """(the lines with their numbers, how many of them): as many as an answer holds, and at least one."""
    told: list[str] = []
    room = MOST - 500
    for number, line in enumerate(lines, first):
        numbered = f"{number:>6}\t{line}"
        if len(numbered) >= room:
            if not told:
                told.append(
                    f"{numbered[:room]}\n[the line goes on: it has {counted(len(line), 'character')}]"
                )
            break
        told.append(numbered)
        room -= len(numbered) + 1
    return "\n".join(told), len(told)


# ------------------------------------------------------------------ editing


def _write(sandbox: Sandbox, path: str, content: str) -> Output:
    data = encoded(content, "content")
    sandbox.write(path, data)
    return said(f"Wrote {counted(len(data), 'byte')} to {shown(path)}.")


def _edit(sandbox: Sandbox, path: str, old: str, new: str, everywhere: bool) -> Output:
    if old == new:
        raise Told("`old_string` and `new_string` are the same.")
    replacement = encoded(new, "new_string").decode()
    text = _whole(sandbox, path)
    places = _places(text, old)
    if not places:
        raise Told(f"`old_string` is not in {shown(path)}. {likeness(text, old)}")
    if len(places) > 1 and not everywhere:
        lines = ", ".join(f"{line:,}" for line in places[:5]) + (" …" if len(places) > 5 else "")
        raise Told(
            f"`old_string` is in {shown(path)} {len(places):,} times (lines {lines}). Give more of what stands "
            "around it, so that it is there once, or set replace_all."
        )
    sandbox.write(path, text.replace(old, replacement).encode())
    where = f"line {places[0]:,}" if len(places) == 1 else f"{len(places):,} places"
    return said(f"Edited {shown(path)}: {where}.")


def _whole(sandbox: Sandbox, path: str) -> str:
    """
    Raises:
        Told: it is no text, or too large to be edited.
    """
    size = _size(sandbox, path)
    if size > TEXT_BYTES:
        raise Told(f"{shown(path)} has {counted(size, 'byte')}: at most {TEXT_BYTES:,} are edited. Use bash.")
    try:
        return sandbox.read(path, limit=TEXT_BYTES).decode()
    except UnicodeDecodeError:
        raise Told(f"{shown(path)} is not UTF-8 text: use bash.") from None


def _places(text: str, old: str) -> list[int]:
    """The lines, from 1, in which ``old`` begins, overlaps left out."""
    found: list[int] = []
    line, at = 1, 0
    while (next_at := text.find(old, at)) >= 0:
        line += text.count("\n", at, next_at)
        found.append(line)
        line += old.count("\n")
        at = next_at + len(old)
    return found


def _risk_of_writing(path: object) -> Literal["low", "unknown"]:
    """``low`` in the session's own folders; a memory store, or another place, is for somebody to look at."""
    inside = posixpath.normpath(posixpath.join(_OWN[0], path)) if isinstance(path, str) else ""
    return "low" if inside.startswith(_OWN) else "unknown"
