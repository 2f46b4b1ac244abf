"""Blocks of content on the wire: what messages and results of tools are made of."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Wire

__all__ = [
    "Base64Document",
    "Base64Image",
    "Block",
    "Citations",
    "DocumentBlock",
    "FileDocument",
    "FileImage",
    "ImageBlock",
    "MessageAsk",
    "MessageBlock",
    "RedactedBlock",
    "ResultAsk",
    "ResultBlock",
    "SearchResultBlock",
    "SearchText",
    "SystemAsk",
    "SystemBlock",
    "TextBlock",
    "TextDocument",
    "ThreadBlock",
    "UrlDocument",
    "UrlImage",
    "UserBlock",
]

Url: TypeAlias = Annotated[str, Meta(min_length=1, max_length=8192)]
FileId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
ImageType: TypeAlias = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]


class TextBlock(Wire, tag_field="type", tag="text"):
    """Text."""

    text: str


class SystemBlock(Wire, tag_field="type", tag="text"):
    """Text of the system's."""

    text: str


class RedactedBlock(Wire, tag_field="type", tag="redacted"):
    """A placeholder for what may not be shown. Clients send none."""


class Base64Image(Wire, tag_field="type", tag="base64"):
    """An image's bytes."""

    data: Annotated[str, Meta(min_length=1)]
    media_type: ImageType


class UrlImage(Wire, tag_field="type", tag="url"):
    """An image elsewhere."""

    url: Url


class FileImage(Wire, tag_field="type", tag="file"):
    """An image that was uploaded."""

    file_id: FileId


class ImageBlock(Wire, tag_field="type", tag="image"):
    """An image."""

    source: Base64Image | UrlImage | FileImage


class Base64Document(Wire, tag_field="type", tag="base64"):
    """A document's bytes."""

    data: Annotated[str, Meta(min_length=1)]
    media_type: Annotated[str, Meta(min_length=1, max_length=255)]


class TextDocument(Wire, tag_field="type", tag="text"):
    """A document that is plain text."""

    data: str
    media_type: Literal["text/plain"]


class UrlDocument(Wire, tag_field="type", tag="url"):
    """A document elsewhere."""

    url: Url


class FileDocument(Wire, tag_field="type", tag="file"):
    """A document that was uploaded."""

    file_id: FileId


class DocumentBlock(Wire, tag_field="type", tag="document"):
    """A document."""

    source: Base64Document | TextDocument | UrlDocument | FileDocument
    context: str | None = None
    title: str | None = None


class Citations(Wire):
    """Whether a search result may be cited."""

    enabled: bool


class SearchText(Wire, tag_field="type", tag="text"):
    """Text of a search result."""

    text: str


class SearchResultBlock(Wire, tag_field="type", tag="search_result"):
    """One result of a search."""

    citations: Citations
    content: list[SearchText]
    source: str
    title: str


class SystemAsk(Ask, tag_field="type", tag="text"):
    """Text to add to the system's."""

    text: Annotated[str, Meta(min_length=1)]


MessageBlock: TypeAlias = TextBlock | RedactedBlock
UserBlock: TypeAlias = TextBlock | ImageBlock | DocumentBlock | RedactedBlock
ThreadBlock: TypeAlias = UserBlock
ResultBlock: TypeAlias = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock
Block: TypeAlias = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | RedactedBlock
MessageAsk: TypeAlias = Annotated[list[TextBlock | ImageBlock | DocumentBlock], Meta(min_length=1)]
ResultAsk: TypeAlias = list[ResultBlock]
