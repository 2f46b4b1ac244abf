"""Schedules of dreams: when each dreams next, what became of the last times; made, paused, run and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

from reverie.console.dreaming import chosen_mode, modes, number, wish
from reverie.console.dreams import store_names
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import Invalid
from reverie.domain.resources import Resource

__all__ = ["PAGES"]

_RUNS: Final = 50
_LISTED: Final = 100
_CRON: Final = "0 3 * * *"
_FIELDS: Final = (
    "name", "store", "trigger", "expression", "timezone", "every", "min_sessions", "mode", "by",
    "instructions", "max_tokens",
)  # fmt: skip
_MODES: Final = ("propose", "update_existing")


def _list(visit: Visit) -> Shown:
    house = visit.house
    found = house.dream_schedules.list(limit=_LISTED)
    facts = {
        "title": "Schedules of dreams",
        "rows": found,
        "words": {each.resource.id: _words(each.resource.body["trigger"]) for each in found},
        "stores": store_names(house),
        "may_write": visit.visitor.may("dreams:write"),
    }
    return Shown("schedules.html", facts)


def _words(trigger: Mapping[str, Any]) -> str:
    match trigger["type"]:
        case "cron":
            return f"{trigger['expression']} ({trigger['timezone']})"
        case "sessions":
            return f"every {trigger['every']:,} new sessions"
        case "failed_outcome":
            return "when a session failed"
        case _:
            return "by hand"


def _new(visit: Visit) -> Shown:
    """The form, with what was filled in so far, and when such a schedule would dream."""
    said = {"trigger": "cron", "expression": _CRON, "timezone": "UTC", **visit.asked(*_FIELDS)}
    due, wrong = _due(visit, said)
    facts = {
        "title": "A new schedule",
        "said": said,
        "stores": store_names(visit.house),
        "models": visit.house.models.ids,
        "modes": {mode: words for mode, words in modes(visit).items() if mode in _MODES},
        "zones": sorted(available_timezones()),
        "due": due,
        "wrong": wrong,
        "may_write": visit.visitor.may("dreams:write"),
    }
    return Shown("schedule_new.html", facts)


def _due(visit: Visit, said: Mapping[str, str]) -> tuple[Sequence[datetime], str | None]:
    """When it would be due next, or why it never is."""
    if said["trigger"] != "cron":
        return (), None
    try:
        return visit.house.dream_schedules.preview(said["expression"], said["timezone"]), None
    except Invalid as error:
        return (), error.what


def _create(visit: Visit) -> Answer:
    form = visit.form
    mode = chosen_mode(visit, _MODES)
    wanted = wish(form)
    name = form.get("name", "").strip()
    if not 0 < len(name) <= 255:
        raise Invalid("name", "a name of at most 255 characters", name[:64])
    asked = {
        "name": name,
        "memory_store_id": form.get("store", ""),
        "trigger": _trigger(form),
        "min_sessions": number(form, "min_sessions"),
        "output": mode,
        "model": wanted.model,
        "instructions": wanted.instructions,
        "max_tokens": wanted.max_tokens,
    }
    made = visit.house.dream_schedules.create(asked)
    return Moved(f"/dreams/schedules/{made.resource.id}")


def _trigger(form: Mapping[str, str]) -> dict[str, Any]:
    match form.get("trigger"):
        case "cron":
            return {
                "type": "cron",
                "expression": form.get("expression", ""),
                "timezone": form.get("timezone", ""),
            }
        case "sessions":
            every = number(form, "every")
            if every is None:
                raise Invalid("every", "how many new sessions")
            return {"type": "sessions", "every": every}
        case "failed_outcome" | "manual" as kind:
            return {"type": kind}
        case other:
            raise Invalid("trigger", "cron, sessions, failed_outcome or manual", other)


def _show(visit: Visit) -> Shown:
    house, wanted = visit.house, visit.path["dream_schedule_id"]
    view = house.dream_schedules.get(wanted)
    runs = house.dream_schedule_runs.list(wanted, limit=_RUNS)
    facts = {
        "title": view.resource.body["name"],
        "view": view,
        "words": _words(view.resource.body["trigger"]),
        "runs": runs,
        "stores": store_names(house),
        "may_write": visit.visitor.may("dreams:write"),
    }
    return Shown("schedule.html", facts)


def _change(visit: Visit) -> Answer:
    """Pause it, let it go on, dream now, or remove it for good."""
    house, wanted = visit.house, visit.path["dream_schedule_id"]
    match visit.form.get("what"):
        case "pause":
            house.dream_schedules.pause(wanted)
        case "unpause":
            house.dream_schedules.unpause(wanted)
        case "remove":
            house.dream_schedules.archive(wanted)
            return Moved("/dreams/schedules")
        case "run":
            run: Resource = house.dream_schedule_runs.run(wanted)
            dream = run.body.get("dream_id")
            return Moved(f"/dreams/{dream}" if dream else f"/dreams/schedules/{wanted}#runs")
        case other:
            raise Invalid("what", "pause, unpause, run or remove", other)
    return Moved(f"/dreams/schedules/{wanted}")


PAGES: Final = (
    Page("GET", "/dreams/schedules", _list, "dreams:read", "/v1/dream_schedules"),
    Page("GET", "/dreams/schedules/new", _new, "dreams:read", "/v1/models"),
    Page("POST", "/dreams/schedules", _create, "dreams:write"),
    Page("GET", "/dreams/schedules/{dream_schedule_id}", _show, "dreams:read",
         "/v1/dream_schedules/{dream_schedule_id}"),
    Page("POST", "/dreams/schedules/{dream_schedule_id}", _change, "dreams:write"),
)  # fmt: skip
