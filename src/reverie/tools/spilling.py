"""Large outputs: what is too long for a model's context is put into a file that the model can read."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import Final

from reverie.domain.messages import Document, Image, ResultPart, Text
from reverie.plugins import Output, Sandbox
from reverie.tools.answers import reason

__all__ = ["FILE_BYTES", "IMAGE_BYTES", "MOST", "PDF_BYTES", "SHOWN", "plain_name", "spill", "spill_folder"]

MOST: Final = 100_000
"""Characters of text in one answer."""
SHOWN: Final = 10_000
"""Characters of the beginning, and of the end, that an answer still shows when the rest is in a file."""
FILE_BYTES: Final = 64 << 20
IMAGE_BYTES: Final = 3_932_160
"""Bytes of one image: 5 MiB when it is written in base64, the most that model providers take."""
PDF_BYTES: Final = 20 << 20

_PLACE: Final = "/mnt/session/spill"
_MEDIA: Final = 20  # images and documents in one answer
_UNFIT: Final = re.compile("[\ud800-\udfff\x00]")
_ENDINGS: Final = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif"}


def spill_folder(sandbox: Sandbox) -> str:
    """Where a session's overlong outputs lie, as seen from inside its sandbox."""
    mounted = any(mount.inside == _PLACE for mount in sandbox.spec.mounts)
    return _PLACE if mounted else f"{sandbox.spec.home.rstrip('/')}/.spill"


async def spill(output: Output, sandbox: Sandbox, call_id: str) -> Output:
    """``output`` as a model can be shown it: at most ``MOST`` characters of text, and images and documents
    of a size that providers take. The rest lies in files of the sandbox, which the answer names.

    Goes over the output of every tool: ours, MCP servers' and custom ones. Lone surrogates and NUL, which
    no log can keep, become U+FFFD. A disk that is full is told in the answer, and fails nothing.
    """
    parts = [Text(_fit(part.text)) if isinstance(part, Text) else part for part in output.content]
    texts = [part.text for part in parts if isinstance(part, Text)]
    media = [part for part in parts if not isinstance(part, Text)]
    long = sum(map(len, texts)) > MOST
    if not long and len(media) <= _MEDIA and not any(map(_oversize, media)):
        return Output(parts, output.is_error)
    stem = f"{spill_folder(sandbox)}/{plain_name(call_id)}"
    kept = await _media(media, sandbox, stem)
    told: list[ResultPart] = [Text(text) for text in texts]
    if long:
        told = [Text(await _cut("\n".join(texts), sandbox, f"{stem}.txt"))]
    return Output([*told, *kept], output.is_error)


def _fit(text: str) -> str:
    return text if text.isprintable() else _UNFIT.sub("\ufffd", text)


async def _cut(text: str, sandbox: Sandbox, path: str) -> str:
    data = text.encode()
    where = await _written(sandbox, path, data[:FILE_BYTES])
    if where is None:
        held = "All of it is" if len(data) <= FILE_BYTES else f"The first {FILE_BYTES >> 20} MiB of it are"
        where = f"{held} in {path}: read it with view_range, or grep it."
    note = f"[{len(text):,} characters came; the first and the last {SHOWN:,} are shown. {where}]"
    return f"{text[:SHOWN]}\n\n{note}\n\n{text[-SHOWN:]}"


async def _media(parts: Sequence[Image | Document], sandbox: Sandbox, stem: str) -> list[ResultPart]:
    kept: list[ResultPart] = []
    for number, part in enumerate(parts):
        if part.data is None or (number < _MEDIA and not _oversize(part)):
            kept.append(part)
            continue
        path = f"{stem}-{number}{_ENDINGS.get(part.media_type, '.bin')}"
        told = await _written(sandbox, path, part.data) or f"it is in {path}"
        kept.append(Text(f"[{part.media_type} of {len(part.data):,} bytes, too large to be shown: {told}]"))
    return kept


def _oversize(part: Image | Document) -> bool:
    most = IMAGE_BYTES if isinstance(part, Image) else PDF_BYTES
    return part.data is not None and len(part.data) > most


async def _written(sandbox: Sandbox, path: str, data: bytes) -> str | None:
    """None when it is on the disk; why it is not, in words."""
    try:
        await asyncio.to_thread(sandbox.write, path, data)
    except OSError as error:
        return f"The rest could not be kept: {reason(error)}."
    return None


def plain_name(id: str) -> str:
    """A file name for an id. Ids come from elsewhere: what no name may hold is replaced, and told apart."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", id)[:64]
    return plain if plain == id else f"{plain}-{hashlib.sha256(repr(id).encode()).hexdigest()[:12]}"
