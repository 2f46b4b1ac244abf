"""Blocks of content as the log has them, and parts of messages as models take them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, cast

from reverie.domain.errors import NotFound
from reverie.domain.events import JsonObject
from reverie.domain.messages import Document, Image, ResultPart, Text

__all__ = ["Load", "blocks_of", "parts_of", "text_of"]

Load: TypeAlias = Callable[[str], tuple[str, bytes]]
"""The media type and the bytes of an uploaded file, by its id. Raises NotFound."""

_GONE: Final = "[what was here cannot be shown]"


def parts_of(content: object, load: Load) -> list[ResultPart]:
    """A block list of the log (or plain text, or nothing) as parts."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    if not isinstance(content, list):
        return []
    found = [_part(cast(JsonObject, block), load) for block in cast(list[Any], content)]
    return [part for part in found if not (isinstance(part, Text) and not part.text)]


def text_of(content: object) -> str:
    """The text of a block list, blocks parted by an empty line."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    told = (cast(JsonObject, block).get("text") for block in cast(list[Any], content))
    return "\n\n".join(text for text in told if isinstance(text, str))


def blocks_of(parts: Iterable[ResultPart]) -> list[dict[str, Any]]:
    """Parts as blocks of the log."""
    return [_block(part) for part in parts]


def _block(part: ResultPart) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    kind = "image" if isinstance(part, Image) else "document"
    if part.url is not None:
        source: dict[str, Any] = {"type": "url", "url": part.url}
    else:
        data = base64.b64encode(part.data or b"").decode()
        source = {"type": "base64", "data": data, "media_type": part.media_type}
    title = {"title": part.title} if isinstance(part, Document) and part.title else {}
    return {"type": kind, "source": source, **title}


def _part(block: JsonObject, load: Load) -> ResultPart:
    kind = block.get("type")
    if kind in ("image", "document"):
        return _media(block, str(kind), load)
    if kind == "search_result":
        return Text(f"{block.get('title', '')} ({block.get('source', '')})\n{text_of(block.get('content'))}")
    text = block.get("text")
    return Text(text if isinstance(text, str) else _GONE)


def _media(block: JsonObject, kind: str, load: Load) -> ResultPart:
    source: JsonObject = block.get("source") or {}
    title: str | None = block.get("title")
    media_type, data, url = str(source.get("media_type") or "application/octet-stream"), None, None
    match source.get("type"):
        case "url":
            url = str(source.get("url"))
        case "file":
            try:
                media_type, data = load(str(source.get("file_id")))
            except NotFound:  # the file was deleted since
                return Text(_GONE)
        case "text":
            data = str(source.get("data", "")).encode()
        case _:
            try:
                data = base64.b64decode(str(source.get("data", "")), validate=True)
            except binascii.Error:
                return Text(_GONE)
    if kind == "image":
        return Image(media_type, data, url)
    return Document(media_type, data, url, title)
