"""Templates: what they may use, and how everything they print is made safe."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reverie.console.text import markdown, visible

__all__ = ["STATIC", "duration", "link", "money", "render", "static"]

STATIC: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "keeping.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "runs.css": "text/css; charset=utf-8",
}
"""The files that a page loads, and no other; with their media types."""


@cache
def static(name: str) -> bytes:
    """The bytes of one of ``STATIC``."""
    return (files("reverie.console") / "static" / name).read_bytes()


@cache
def _address(name: str) -> str:
    """Where a static file is, with its digest: it may be kept for ever."""
    return f"/static/{name}?v={hashlib.sha256(static(name)).hexdigest()[:12]}"


def _finished(value: Any) -> Any:
    """What a template prints: text that shows every character it has (and is escaped afterwards)."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _raw(text: str) -> Markup:
    """Text to be edited: escaped, and otherwise exactly as it is. A browser drops the first line feed."""
    return Markup("\n") + escape(text)


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _json(told: Any) -> str:
    return msgspec.json.encode(told).decode()


def money(cents: Decimal | str | None) -> str:
    """US cents, as people read them: small amounts to a hundredth of a cent."""
    if cents is None:
        return "–"
    dollars = Decimal(cents) / 100
    return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:.4f}"


def duration(seconds: float | None) -> str:
    """Seconds, as people read them."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate * 100:.0f} %"


def _points(difference: float) -> str:
    return f"{difference * 100:+.0f}".replace("-", "−") if round(difference * 100) else "0"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else _PLURALS.get(noun, f'{noun}s')}"


_PLURALS: Final = {"memory": "memories", "entry": "entries"}


def link(path: str, query: Mapping[str, Any] | None = None, **more: Any) -> str:
    """A path with a query; what is None or empty is left out."""
    told = {key: value for key, value in {**(query or {}), **more}.items() if value not in (None, "")}
    return f"{path}?{urlencode(told)}" if told else path


def _environment() -> Environment:
    made: Any = Environment(
        loader=PackageLoader("reverie.console"),
        autoescape=True,
        finalize=_finished,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        markdown=markdown, raw=_raw, moment=_moment, percent=_percent, points=_points, segment=_segment,
        words=_words, money=money, duration=duration, json=_json,
    )  # fmt: skip
    made.globals.update(static=_address, many=_many, link=link)
    return made


def _words(name: str) -> str:
    return name.replace("_", " ")


def _segment(text: str) -> str:
    return quote(text, safe="")


_ENVIRONMENT: Final = _environment()


def render(template: str, facts: Mapping[str, Any]) -> bytes:
    """A page's bytes."""
    return _ENVIRONMENT.get_template(template).render(**facts).encode("utf-8", "replace")
