"""Spans and log records as they stand in OTLP's JSON, with their attributes as plain values.

Two spellings are taken (``traceId`` of the JSON mapping, ``trace_id`` of libraries that keep the
protobuf's names) and the older names of the containers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from reverie.domain.events import Json, record_sha256
from reverie.importers.documents import Node, step
from reverie.importers.jsonl import BadJson, decode
from reverie.importers.outcomes import finite
from reverie.importers.transcripts import Account
from reverie.importers.values import mapping, sequence, string

__all__ = ["Item", "SpanEvent", "items_in", "structured", "unflattened"]

_RESOURCES: Final = ("resourceSpans", "resource_spans", "batches", "resourceLogs", "resource_logs")
_SCOPES: Final = (
    *("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "scopeLogs", "scope_logs"),
    "instrumentation_library_spans",
)
_ITEMS: Final = ("spans", "logRecords", "log_records")
_ERRORS: Final = (2, "STATUS_CODE_ERROR", "ERROR", "Error")
_NANOSECONDS: Final = 10**9
_MAX_PATH: Final = 16


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span. ``inside`` points to it within the span."""

    name: str
    attributes: Mapping[str, Json]
    inside: str


@dataclass(frozen=True, slots=True)
class Item:
    """A span, or a log record (then ``span`` is the one it was written in, and ``log`` its event's name)."""

    node: Node
    trace: str
    span: str
    parent: str
    name: str
    start: int
    end: int
    attributes: Mapping[str, Json]
    resource: Mapping[str, Json]
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    events: tuple[SpanEvent, ...] = ()
    failed: bool = False
    status: str | None = None
    log: str | None = None

    @property
    def key(self) -> str:
        """What the item is known by: its ids, or its bytes where it has none."""
        own = f"{self.trace}:{self.span}" if self.span else record_sha256(self.node.raw)[:24]
        return own if self.log is None else f"{own}:log"

    @property
    def started_at(self) -> datetime | None:
        return _at(self.start)

    @property
    def ended_at(self) -> datetime | None:
        return _at(self.end) or _at(self.start)

    @property
    def duration_ms(self) -> int | None:
        return (self.end - self.start) // 10**6 if 0 < self.start <= self.end else None

    def text(self, *names: str) -> str | None:
        """The first of the attributes that is a string that is not empty."""
        return next((t for name in names if (t := string(self.attributes.get(name))) is not None), None)

    def place(self, name: str) -> str:
        """Where an attribute stands within the span; the span itself for one that is not its own."""
        return self.places.get(name, "")


def items_in(root: Node, account: Account) -> Iterator[Item]:
    """Every span and log record of one document. What cannot be read is in the account."""
    for document in root.elements() if root.is_array else [root]:
        members = account.members(document)
        wrapped = members.get("trace") or members.get("data")  # answers of query APIs
        if wrapped is not None and wrapped.is_object:
            members = account.members(wrapped)
        resources = [members[name] for name in _RESOURCES if name in members]
        if not resources:
            account.refuse(document, "no resourceSpans or resourceLogs")
        for resource in (r for several in resources for r in account.elements(several)):
            yield from _of_resource(resource, account)


def _of_resource(node: Node, account: Account) -> Iterator[Item]:
    members = account.members(node)
    shown = mapping(account.decode(members["resource"])) if "resource" in members else {}
    resource = _attributes(shown.get("attributes"))
    scopes = [s for name in _SCOPES if name in members for s in account.elements(members[name])]
    if not scopes:
        account.skip("a resource without spans")
    for scope in scopes:
        lists = account.members(scope)
        items = [i for name in _ITEMS if name in lists for i in account.elements(lists[name])]
        if not items:
            account.skip("a scope without spans")
        for item in items:
            record = account.record(item)
            if record is not None:
                yield _item(item, record, resource)


def _item(node: Node, record: dict[str, Json], resource: Mapping[str, Json]) -> Item:
    status = mapping(record.get("status"))
    attributes = _attributes(record.get("attributes"))
    is_log = "body" in record or "timeUnixNano" in record or "time_unix_nano" in record
    start = _integer(_get(record, "timeUnixNano" if is_log else "startTimeUnixNano"))
    return Item(
        node,
        trace=string(_get(record, "traceId")) or "",
        span=string(_get(record, "spanId")) or "",
        parent=string(_get(record, "parentSpanId")) or "",
        name=string(record.get("name")) or "",
        start=start,
        end=start if is_log else _integer(_get(record, "endTimeUnixNano")),
        attributes={**_body(record), **attributes} if is_log else attributes,
        resource=resource,
        places=_places(record.get("attributes")),
        events=tuple(_events(record)),
        failed=status.get("code") in _ERRORS or bool(attributes.get("error.type")),
        status=string(status.get("message")),
        log=_log_name(record, attributes) if is_log else None,
    )


def _events(record: dict[str, Json]) -> Iterator[SpanEvent]:
    for number, given in enumerate(sequence(record.get("events"))):
        event = mapping(given)
        yield SpanEvent(
            str(event.get("name") or ""), _attributes(event.get("attributes")), f"/events/{number}"
        )


def _log_name(record: dict[str, Json], attributes: Mapping[str, Json]) -> str:
    return string(_get(record, "eventName")) or string(attributes.get("event.name")) or ""


def _body(record: dict[str, Json]) -> dict[str, Json]:
    """A log record's body, whose members count as attributes of the event."""
    body = _value(record.get("body"))
    return mapping(body) if isinstance(body, dict) else {"body": body} if body is not None else {}


def _attributes(given: Json) -> dict[str, Json]:
    """Attributes by name: OTLP's list of key and value, or an object (simplified exports)."""
    if isinstance(given, dict):
        return mapping(given)
    pairs = (mapping(pair) for pair in sequence(given))
    return {key: _value(pair.get("value")) for pair in pairs if (key := string(pair.get("key"))) is not None}


def _places(given: Json) -> dict[str, str]:
    if isinstance(given, dict):
        return {name: f"/attributes{step(name)}" for name in mapping(given)}
    pairs = enumerate(sequence(given))
    return {str(mapping(pair).get("key")): f"/attributes/{number}/value" for number, pair in pairs}


def _value(given: Json) -> Json:
    """An AnyValue as a plain value. Its depth is bounded by that of the record."""
    if not isinstance(given, dict):
        return given
    for name, value in mapping(given).items():
        if name in ("arrayValue", "array_value"):
            return [_value(item) for item in sequence(mapping(value).get("values"))]
        if name in ("kvlistValue", "kvlist_value"):
            return _attributes(mapping(value).get("values"))
        if name in ("intValue", "int_value"):
            return _integer(value)
        if name.endswith(("Value", "_value")):
            return value
    return mapping(given)


def _get(record: Mapping[str, Json], name: str) -> Json:
    if name in record:
        return record[name]
    return record.get("".join(f"_{c.lower()}" if c.isupper() else c for c in name))


def _integer(value: Json) -> int:
    """64-bit integers are strings in OTLP's JSON."""
    if isinstance(value, str) and len(value) < 20 and value.lstrip("-").isdecimal():
        return int(value)
    return int(found) if (found := finite(value)) is not None else 0


def _at(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(nanoseconds / _NANOSECONDS, UTC) if nanoseconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def structured(value: Json) -> Json:
    """An attribute that is structured: as it came, or from the JSON text it was written as."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return decode(value.encode("utf-8", "replace"))
        except BadJson:
            return value
    return value


def unflattened(attributes: Mapping[str, Json], prefix: str) -> list[Json]:
    """``prefix.0.role``, ``prefix.0.tool_calls.1.name`` … as a list of objects, in order of the numbers."""
    root: dict[str, Json] = {}
    for name, value in attributes.items():
        path = name[len(prefix) + 1 :].split(".", _MAX_PATH)
        if not name.startswith(prefix + ".") or len(path) > _MAX_PATH:
            continue
        node = root
        for part in path[:-1]:
            inner = mapping(node.get(part))
            node[part] = inner
            node = inner
        node[path[-1]] = value
    return sequence(_listed(root))


def _listed(node: Json) -> Json:
    """Objects whose keys are all numbers as lists."""
    if not isinstance(node, dict):
        return node
    inner = {key: _listed(value) for key, value in mapping(node).items()}
    if inner and all(key.isdecimal() and len(key) < 10 for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
