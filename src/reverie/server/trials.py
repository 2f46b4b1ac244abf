"""Trials over HTTP: begun, looked at, ended, withdrawn, resumed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from reverie.domain.errors import NotFound
from reverie.domain.resources import Cursor
from reverie.domain.trials import Point, Ruling
from reverie.domain.trials import Trial as Kept
from reverie.dreaming.trials.service import Terms
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.wire.trials import (
    Trial,
    TrialAct,
    TrialCreate,
    TrialHistory,
    TrialList,
    TrialLook,
    TrialPoint,
    TrialRound,
    TrialRuling,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/trials"
_ITEM: Final = f"{_PATH}/{{trial_id}}"


def _create(call: Call[TrialCreate, None]) -> Trial:
    asked = call.body
    memory = call.house.memories.get(asked.memory_store_id, asked.memory_id)
    terms = Terms(asked.share, asked.budget, asked.patience_days)
    made = call.house.trials.begin(
        memory.path, memory.store_id, by=_by(call), terms=terms, finding_id=asked.finding_id
    )
    return _with_standing(call, made)


def _list(call: Call[None, TrialList]) -> Page[Trial]:
    query = call.query
    found = call.house.trials.list(
        store_id=query.memory_store_id, status=query.status, after=after(query.page), limit=query.limit + 1
    )
    return page(found, query.limit, _place, _shown)


def _retrieve(call: Call[None, None]) -> Trial:
    return _with_standing(call, call.house.trials.get(_exact(call)))


def _history(call: Call[None, None]) -> TrialHistory:
    found = call.house.trials.history(_exact(call))
    return TrialHistory(
        points=[TrialPoint(**_numbers(each)) for each in found.points],
        rulings=[_ruling(each) for each in found.trial.rulings],
        trial_id=found.trial.id,
    )


def _look(call: Call[None, None]) -> TrialLook:
    found = call.house.trials.look()
    return TrialLook(
        data=[_shown(each.trial, each.point) for each in found],
        decided=[each.trial.id for each in found if each.decided],
    )


def _end(call: Call[TrialAct, None]) -> Trial:
    return _with_standing(call, call.house.trials.end(_exact(call), by=_by(call), why=call.body.why))


def _withdraw(call: Call[TrialAct, None]) -> Trial:
    return _with_standing(call, call.house.trials.withdraw(_exact(call), by=_by(call), why=call.body.why))


def _resume(call: Call[TrialAct, None]) -> Trial:
    return _with_standing(call, call.house.trials.resume(_exact(call), by=_by(call), why=call.body.why))


def _by(call: Call[Any, None]) -> str:
    actor, author = call.principal.actor, call.body.author
    return actor if author is None else f"{author} ({actor})"


def _exact(call: Call[Any, Any]) -> str:
    """The id that the path says, if it is a whole one."""
    wanted = call.path["trial_id"]
    if call.house.trials.get(wanted).id != wanted:
        raise NotFound(f"there is no trial {wanted!r}")
    return wanted


def _with_standing(call: Call[Any, Any], trial: Kept) -> Trial:
    return _shown(trial, call.house.trials.standing(trial.id))


def _shown(trial: Kept, standing: Point | None = None) -> Trial:
    return Trial(
        id=trial.id,
        began_by=trial.began_by,
        budget=trial.budget,
        created_at=trial.began_at,
        ended_at=trial.ended_at,
        ended_by=trial.ended_by,
        finding_id=trial.finding_id,
        memory_id=trial.memory_id,
        memory_store_id=trial.store_id,
        path=trial.path,
        patience_days=trial.patience_days,
        proposal_id=trial.source,
        rounds=[
            TrialRound(
                began_at=each.began_at, memory_version_id=each.version_id, number=each.number, why=each.why
            )
            for each in trial.rounds
        ],
        rulings=[_ruling(each) for each in trial.rulings],
        share=trial.share,
        standing=None if standing is None else TrialPoint(**_numbers(standing)),
        status=trial.status,
        verdict=trial.word,
        why=trial.why,
    )


def _ruling(ruling: Ruling) -> TrialRuling:
    told: dict[str, Any] = {"harms": ruling.harms, "helps": ruling.helps, "proposal_id": ruling.proposal_id}
    return TrialRuling(**_numbers(ruling), **told, verdict=ruling.word)


def _numbers(point: Point | Ruling) -> dict[str, Any]:
    told = asdict(point)
    names = ("at", "effect", "failures", "hits", "round", "seen", "sessions", "addressed_effect")
    intervals = {"interval": point.overall, "addressed_interval": point.addressed}
    return {**{name: told[name] for name in names}, **intervals}


def _place(trial: Kept) -> Cursor:
    return trial.began_at, trial.id


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Trial, "trials:write", body=TrialCreate, tag="trials",
             summary="Put a memory on trial: new sessions see it or not, by a coin"),
    Endpoint("GET", _PATH, _list, Page[Trial], "trials:read", query=TrialList, tag="trials",
             summary="List trials, newest first"),
    Endpoint("POST", f"{_PATH}/look", _look, TrialLook, "trials:write", tag="trials",
             summary="Count, judge, and do what follows, of all running trials"),
    Endpoint("GET", _ITEM, _retrieve, Trial, "trials:read", tag="trials", summary="A trial, and how it stands"),
    Endpoint("GET", f"{_ITEM}/history", _history, TrialHistory, "trials:read", tag="trials",
             summary="The curve of a trial, and its verdicts"),
    Endpoint("POST", f"{_ITEM}/end", _end, Trial, "trials:write", body=TrialAct, tag="trials",
             summary="End it: all sessions see the memory"),
    Endpoint("POST", f"{_ITEM}/withdraw", _withdraw, Trial, "trials:write", body=TrialAct, tag="trials",
             summary="Take the memory out of all sessions at once"),
    Endpoint("POST", f"{_ITEM}/resume", _resume, Trial, "trials:write", body=TrialAct, tag="trials",
             summary="Take a withdrawal back, with a new round"),
)  # fmt: skip
