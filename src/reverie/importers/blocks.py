"""The parts of a message: text as it is, pictures and files as a note of what they were.

Attached data is not copied into the log: it would be a transcript's largest part, and no miner reads
it. The file it stands in keeps it, and the event points there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from reverie.domain.events import Json
from reverie.importers.jsonl import BadJson, decode
from reverie.importers.values import mapping, sequence, string, text_block

__all__ = ["block", "content_blocks", "json_object", "json_text", "parts"]

_TEXT_TYPES: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})
_MEDIA: Final = ("image", "audio", "video", "document", "file", "blob", "uri", "media")
_MEDIA_TYPE: Final = ("media_type", "mime_type", "mimeType", "mediaType", "format")
_PLACE: Final = ("url", "uri", "path", "file_id", "fileId", "filename", "name")
_DATA: Final = ("data", "content", "file_data", "image_url", "blob", "bytes")


def json_text(value: Json) -> str:
    """``value`` as compact JSON; a string as it is."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def json_object(value: Json) -> dict[str, Json]:
    """Arguments of a call as an object, whatever they came as: an object, JSON in a string, or prose."""
    if isinstance(value, str) and value.strip():
        try:
            inner: Json = decode(value.encode("utf-8", "replace"))
        except BadJson:
            return {"arguments": value}
        return mapping(inner) if isinstance(inner, dict) else {"arguments": value}
    if isinstance(value, dict):
        return mapping(value)
    return {} if value is None or isinstance(value, str) else {"arguments": value}


def parts(content: Json) -> Iterator[tuple[str, Json]]:
    """(pointer inside the content, part) of a message's content; a string is one part at ""."""
    if isinstance(content, list):
        for number, part in enumerate(sequence(content)):
            yield f"/{number}", part
    elif "parts" in mapping(content):
        for number, part in enumerate(sequence(mapping(content)["parts"])):
            yield f"/parts/{number}", part
    elif content is not None:
        yield "", content


def content_blocks(content: Json) -> list[dict[str, Json]]:
    """Content in its canonical shape, a list of blocks; empty texts are left out."""
    found = [block(part) for _, part in parts(content)]
    return [b for b in found if b.get("type") != "text" or b.get("text")]


def block(part: Json) -> dict[str, Json]:
    """One part of a content as a block: text, or a note of what was attached, or what it is, as JSON."""
    if not isinstance(part, dict):
        return text_block(json_text(part))
    found = mapping(part)
    kind = string(found.get("type")) or ""
    text = found.get("text")
    if kind in _TEXT_TYPES or (not kind and isinstance(text, str)):
        return text_block(text if isinstance(text, str) else json_text(found.get("content", "")))
    if kind == "refusal":
        return text_block(string(found.get("refusal")) or "")
    if any(word in kind for word in _MEDIA):
        return _attachment(kind, found)
    return text_block(json_text(found))


def _attachment(kind: str, part: dict[str, Json]) -> dict[str, Json]:
    """What was attached and where it lies, without its data."""
    note: dict[str, Json] = {"type": next((m for m in _MEDIA if m in kind), kind)}
    for level in [part, *(mapping(v) for v in part.values() if isinstance(v, dict))]:
        for name in _MEDIA_TYPE:
            if string(level.get(name)):
                note.setdefault("media_type", level[name])
        for name in (*_PLACE, *_DATA):
            value = string(level.get(name))
            if value is not None and (name in _DATA or value.startswith("data:")) and "://" not in value[:16]:
                note.setdefault("omitted", f"{len(value):,} characters of data")
            elif value is not None:
                note.setdefault("source", value)
    return note
