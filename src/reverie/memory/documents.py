"""The text of a memory: Markdown, with YAML front matter that says what it is and when to read it.

Front matter is a convention, not a condition: any text is a valid memory, and a text without front
matter (or with front matter nobody can read) is a document that has only a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, cast

from reverie.domain.clock import iso
from reverie.domain.events import Scalar

__all__ = ["Document", "body", "lead", "parse", "render", "title"]

_OPENING: Final = re.compile(r"-{3,}[ \t]*\n")
_FRONT: Final = re.compile(r"-{3,}[ \t]*\n(?P<yaml>.*?)^-{3,}[ \t]*(?:\n|\Z)(?P<body>.*)", re.M | re.S)
_HEADING: Final = re.compile(r"#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_ITEM: Final = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]+")
_MAX_DEPTH: Final = 8  # of front matter that is kept as ``extra``: deeper is not a note, it is an attack
_MAX_NODES: Final = 1_000  # YAML anchors can make a hundred bytes stand for gigabytes


@dataclass(frozen=True, slots=True)
class Document:
    """A memory's text, taken apart.

    ``description`` says when to read it; ``scope`` where it holds (repository, agent, model …);
    ``evidence`` sums up what stands behind it (sessions, users, first_seen, last_seen …); ``dream`` and
    ``proposal`` are where it comes from; ``extra`` keeps front matter of others.
    """

    body: str
    kind: str | None = None
    description: str | None = None
    scope: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    evidence: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    dream: str | None = None
    proposal: str | None = None
    revalidate_after: date | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


def parse(text: str) -> Document:
    """Reads any text: what cannot be read as front matter is body. Never raises.

    Line ends become ``\\n``, and blank lines around the body are dropped.
    """
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = _FRONT.match(plain)
    front = _front_matter(found["yaml"]) if found else None
    if found is None or front is None:
        return Document(body=plain.strip())
    source = _mapping(front.pop("source", None))
    return Document(
        body=found["body"].strip(),
        kind=_text(front.pop("kind", None)),
        description=_text(front.pop("description", None)),
        scope=_scalars(front.pop("scope", None)),
        evidence=_scalars(front.pop("evidence", None)),
        dream=_text(source.get("dream")),
        proposal=_text(source.get("proposal")),
        revalidate_after=_date(front.pop("revalidate_after", None)),
        extra=front,
    )


def body(text: str) -> str:
    """What stands below the front matter, without reading that (YAML is slow): for comparing many texts."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = _FRONT.match(plain)
    return (found["body"] if found else plain).strip()


def render(document: Document) -> str:
    """The text of a document: front matter in a fixed order of keys, a blank line, the body, one newline.

    The same document always gives the same bytes, and ``parse(render(d)) == d`` for a document whose
    body is stripped.
    """
    import frontmatter  # brings YAML, which ``import reverie`` should not pay for
    from frontmatter.default_handlers import YAMLHandler

    text = document.body.strip()
    front = _front(document)
    if not front and not _OPENING.match(text + "\n"):
        return text + "\n"
    post = frontmatter.Post(text, YAMLHandler(), **front)
    return frontmatter.dumps(post, sort_keys=False, width=10_000) + "\n"


def title(document: Document) -> str:
    """The first heading of the body, or its first line, or nothing."""
    for line in document.body.splitlines():
        if line.strip():
            heading = _HEADING.match(line)
            return heading[1] if heading else line.strip()
    return ""


def lead(document: Document) -> str:
    """The first paragraph or list item below the headings, as one line: what the memory says first."""
    words: list[str] = []
    for line in document.body.splitlines():
        text = line.strip()
        ends = not text or _HEADING.match(text) is not None or _ITEM.match(text) is not None
        if words and ends:
            break
        if text and not _HEADING.match(text):
            words.append(_ITEM.sub("", text))
    return " ".join(" ".join(words).split())


def _front(document: Document) -> dict[str, object]:
    source = {"dream": document.dream, "proposal": document.proposal}
    ordered: dict[str, object] = {
        "kind": document.kind,
        "description": document.description,
        "scope": dict(document.scope),
        "evidence": dict(document.evidence),
        "source": {name: value for name, value in source.items() if value},
        "revalidate_after": document.revalidate_after,
        **document.extra,
    }
    return {name: value for name, value in ordered.items() if value not in (None, {})}


def _front_matter(yaml_text: str) -> dict[str, Any] | None:
    """The mapping, or None where there is none. The safe loader makes plain values only."""
    import yaml
    from frontmatter.default_handlers import YAMLHandler

    try:
        loaded = YAMLHandler().load(yaml_text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError):
        return None  # ValueError: a date such as 2026-13-45; TypeError: a mapping used as a key
    if loaded is None:
        return {}
    if not isinstance(loaded, dict) or not _small(cast(object, loaded)):
        return None
    return {str(name): value for name, value in cast(dict[object, Any], loaded).items()}


def _small(value: object) -> bool:
    """Whether a loaded value is of a size and depth a person would write, aliases counted in full."""
    nodes = 0
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if nodes > _MAX_NODES or depth > _MAX_DEPTH:
            return False
        if isinstance(node, dict):
            stack.extend((child, depth + 1) for child in cast(dict[object, object], node).values())
        elif isinstance(node, list | tuple | set):
            stack.extend((child, depth + 1) for child in cast(list[object], node))
    return True


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        return {}
    return {str(name): item for name, item in cast(dict[object, object], value).items()}


def _scalars(value: object) -> dict[str, Scalar]:
    """The scalar entries of a mapping. YAML makes dates of what looks like one: they go back to text."""
    kept: dict[str, Scalar] = {}
    for name, item in _mapping(value).items():
        if isinstance(item, str | int | float | bool):
            kept[name] = item
        elif isinstance(item, date):
            kept[name] = _text(item)
        elif isinstance(item, list):
            kept[name] = ", ".join(str(part) for part in cast(list[object], item))
    return kept


def _text(value: object) -> str | None:
    if value is None or isinstance(value, dict | list | set):
        return None
    if isinstance(value, datetime):
        return iso(value) if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _date(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
