"""Settings: where sessions come from, which models there are, and who may come in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from reverie.console.rendering import link
from reverie.console.sessions import cursor, place
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import Invalid, NotFound
from reverie.domain.keys import SCOPE_NOUNS
from reverie.domain.resources import Resource

__all__ = ["PAGES"]

_LISTED: Final = 50
_EVERYTHING: Final = "*"
"""The scope of whoever may make keys: a key cannot give away more than its maker has."""
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "everything": ("*",),
    "a reviewer: look, and decide": (
        "*:read", "proposals:write", "findings:write", "memory_stores:write", "trials:write", "dreams:write",
    ),
    "look only": ("*:read",),
    "an agent's program: sessions, and read memory": (
        "sessions:*", "agents:read", "environments:read", "files:*", "memory_stores:read", "imports:write",
    ),
}  # fmt: skip


# ---------------------------------------------------------------------- sources


def _sources(visit: Visit) -> Shown:
    after = cursor(visit.query.get("after"))
    found = visit.house.imports.sources(after=after, limit=_LISTED + 1)
    rows = found[:_LISTED]
    uploads: list[Resource] = [] if after else visit.house.imports.list(limit=10)
    facts = {
        "title": "Sources",
        "rows": rows,
        "uploads": uploads,
        "later": after is not None,
        "more": place((rows[-1].imported_at, rows[-1].id)) if len(found) > _LISTED else None,
    }
    return Shown("sources.html", facts)


def _quarantine(visit: Visit) -> Shown:
    source_id = visit.path["source_id"]
    found = visit.house.imports.quarantine(source_id)
    if not found:
        raise NotFound(f"nothing of {source_id[:64]!r} is in quarantine", hint="look at all sources")
    return Shown("quarantine.html", {"title": "Quarantine", "rows": found[:500], "count": len(found)})


# ---------------------------------------------------------------------- models


def _models(visit: Visit) -> Shown:
    return Shown("models.html", {"title": "Models", "models": visit.house.models.ids})


# ---------------------------------------------------------------------- keys


def _keys(visit: Visit, made: str | None = None, token: str | None = None) -> Shown:
    house = visit.house
    found = sorted(house.keys.list(house.id), key=lambda key: (key.revoked_at is not None, key.created_at))
    facts = {
        "title": "Keys",
        "keys": found,
        "open": visit.visitor.key_id is None,
        "mine": visit.visitor.key_id,
        "kinds": tuple(_KINDS),
        "nouns": SCOPE_NOUNS,
        "made": made,
        "secret": token,
        "revoked": visit.query.get("revoked"),
    }
    return Shown("keys.html", facts)


def _make(visit: Visit) -> Shown:
    """The page with the new key on it: it is shown this once."""
    form = visit.form
    scopes = _KINDS.get(form.get("kind", "")) or tuple(form.get("scopes", "").replace(",", " ").split())
    new = visit.house.keys.create(
        form.get("name", "").strip(),
        by=visit.by,
        workspace=visit.house.id,
        scopes=scopes,
        expires_at=_day(form.get("until", "")),
    )
    return _keys(visit, new.key.name, new.token)


def _day(said: str) -> datetime | None:
    """The beginning of a day in UTC; None of nothing.

    Raises:
        Invalid: a day that is none.
    """
    try:
        return datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC) if said else None
    except ValueError:
        raise Invalid("until", "a day, like 2027-01-31, or nothing", said[:64]) from None


def _revoke(visit: Visit) -> Answer:
    house, wanted = visit.house, visit.path["key_id"]
    if wanted not in {key.id for key in house.keys.list(house.id)}:
        raise NotFound(f"there is no key {wanted[:64]!r} here")
    key = house.keys.revoke(wanted, by=visit.by)
    return Moved(link("/settings/keys", revoked=key.name))


PAGES: Final = (
    Page("GET", "/settings", _sources, "imports:read", "/v1/imports"),
    Page("GET", "/settings/sources/{source_id}", _quarantine, "imports:read"),
    Page("GET", "/settings/models", _models, "models:read", "/v1/models"),
    Page("GET", "/settings/keys", _keys, _EVERYTHING),
    Page("POST", "/settings/keys", _make, _EVERYTHING),
    Page("POST", "/settings/keys/{key_id}/revoke", _revoke, _EVERYTHING),
)
