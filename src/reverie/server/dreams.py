"""Dreams over HTTP, with what they found and proposed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reverie.domain.dream_requests import NO_MODEL, DreamRequest
from reverie.domain.dreams import Estimate, Writing
from reverie.domain.errors import Forbidden, Invalid
from reverie.domain.messages import Usage
from reverie.domain.resources import Cursor
from reverie.dreaming.requests import Asked
from reverie.server import findings, proposals
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import since
from reverie.server.slices import slice_of
from reverie.server.wire.dreams import (
    CreateNew,
    Dream,
    DreamBudget,
    DreamCreate,
    DreamError,
    DreamEstimate,
    DreamForecast,
    DreamList,
    DreamModel,
    DreamOutput,
    DreamUsage,
    MemoryStoreInput,
    MemoryStoreInputAsk,
    OutputBehavior,
    Propose,
    ProposeAsk,
    SessionsInput,
    SessionsInputAsk,
    UpdateExisting,
    UpdateExistingAsk,
)
from reverie.server.wire.findings import Finding, FindingList
from reverie.server.wire.proposals import DreamProposalList, Proposal

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/dreams"
_ITEM: Final = f"{_PATH}/{{dream_id}}"
_WRITES: Final = "memory_stores:write"


def _create(call: Call[DreamCreate, None]) -> Dream:
    asked = _asked(call.body)
    if asked.output != "propose" and not call.principal.may(_WRITES):
        raise Forbidden(f"this key may not do that: it lacks the scope {_WRITES}")
    return _dream(call.house.dream_requests.create(asked))


def _forecast(call: Call[DreamCreate, None]) -> DreamForecast:
    told = call.house.forecast(_asked(call.body))
    return DreamForecast(
        budget=None if told.max_tokens is None else DreamBudget(max_tokens=told.max_tokens),
        estimate=None if told.estimate is None else _expected(told.estimate),
        fell_back=told.fell_back,
        model=DreamModel(id=told.model or NO_MODEL),
        session_count=told.sessions,
    )


def _retrieve(call: Call[None, None]) -> Dream:
    return _dream(call.house.dream_requests.get(call.path["dream_id"]))


def _list(call: Call[None, DreamList]) -> Page[Dream]:
    query = call.query
    found = call.house.dream_requests.list(
        statuses=query.statuses or None,
        archived=None if query.include_archived else False,
        created=since(query),
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, _place, _dream)


def _cancel(call: Call[None, None]) -> Dream:
    return _dream(call.house.dream_requests.cancel(call.path["dream_id"]))


def _archive(call: Call[None, None]) -> Dream:
    return _dream(call.house.dream_requests.archive(call.path["dream_id"]))


def _findings(call: Call[None, FindingList]) -> Page[Finding]:
    found = call.house.dream_requests.findings(call.path["dream_id"])
    return slice_of(found, call.query, lambda finding: findings.shown(call.house, finding))


def _proposals(call: Call[None, DreamProposalList]) -> Page[Proposal]:
    found = call.house.dream_requests.proposals(call.path["dream_id"])
    numbered = list(enumerate(found))
    return slice_of(numbered, call.query, lambda each: proposals.shown(each[1], each[0]))


def _asked(body: DreamCreate) -> Asked:
    stores = [each for each in body.inputs if isinstance(each, MemoryStoreInputAsk)]
    sessions = [each for each in body.inputs if isinstance(each, SessionsInputAsk)]
    if len(stores) != 1 or len(sessions) != 1:
        raise Invalid("inputs", "one memory_store and one sessions entry")
    into = body.output_behavior
    update = into if isinstance(into, UpdateExistingAsk) else None
    return Asked(
        store_id=stores[0].memory_store_id,
        session_ids=sessions[0].session_ids,
        model=body.model if isinstance(body.model, str) else body.model.id,
        instructions=body.instructions,
        max_tokens=None if body.budget is None else body.budget.max_tokens,
        output="update_existing" if update else "propose" if isinstance(into, ProposeAsk) else "create_new",
        into=None if update is None else update.memory_store_id,
    )


def _dream(request: DreamRequest) -> Dream:
    error, writing = request.error, request.writing
    output = request.output_store_id
    return Dream(
        id=request.id,
        archived_at=request.archived_at,
        budget=None if request.max_tokens is None else DreamBudget(max_tokens=request.max_tokens),
        created_at=request.created_at,
        ended_at=request.ended_at,
        error=None if error is None else DreamError(message=error.message, type=error.type),
        estimate=_estimate(writing),
        fell_back=request.fell_back,
        inputs=[
            MemoryStoreInput(memory_store_id=request.store_id),
            SessionsInput(session_ids=list(request.session_ids)),
        ],
        instructions=request.instructions,
        model=DreamModel(id=request.model or NO_MODEL),
        notices=list(_notices(request)),
        output_behavior=_behavior(request),
        outputs=[] if output is None else [DreamOutput(memory_store_id=output)],
        proposals_applied=request.applied,
        proposals_applied_by_policy=request.by_policy,
        proposals_pending=request.left,
        session_id=None if writing is None else writing.session_id,
        stage=request.stage,
        status=request.status,
        usage=_usage(writing),
        written_by=list(request.written_by),
    )


def _notices(request: DreamRequest) -> Iterator[str]:
    """What whoever asked may not expect."""
    model = None if request.model in (None, NO_MODEL) else request.model
    if request.fell_back is not None:
        told = (
            "any of it: the templates wrote it"
            if _by_templates(request)
            else "all of it: the templates wrote the rest"
        )
        yield f"{model} did not write {told} ({request.fell_back})"
    if request.instructions is not None and (model is None or _by_templates(request)):
        yield "instructions steer a model, and none wrote: the templates did not heed them"


def _by_templates(request: DreamRequest) -> bool:
    return bool(request.written_by) and all(name.startswith("template/") for name in request.written_by)


def _estimate(writing: Writing | None) -> DreamEstimate | None:
    told = None if writing is None else writing.estimate
    return None if told is None else _expected(told)


def _expected(told: Estimate) -> DreamEstimate:
    return DreamEstimate(input_tokens=told.input, output_tokens=told.output, read_everything=told.everything)


def _usage(writing: Writing | None) -> DreamUsage:
    used = Usage() if writing is None else writing.usage
    return DreamUsage(
        cache_creation_input_tokens=used.cache_write,
        cache_read_input_tokens=used.cache_read,
        input_tokens=used.input,
        output_tokens=used.output,
    )


def _behavior(request: DreamRequest) -> OutputBehavior:
    if request.output == "update_existing":
        return UpdateExisting(memory_store_id=request.store_id)
    return Propose() if request.output == "propose" else CreateNew()


def _place(request: DreamRequest) -> Cursor:
    return request.created_at, request.id


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Dream, "dreams:write", body=DreamCreate, tag="dreams",
             summary="Ask for a dream over a memory store and sessions"),
    Endpoint("POST", f"{_PATH}/estimate", _forecast, DreamForecast, "dreams:read", body=DreamCreate, tag="dreams",
             summary="What a dream would take, before it is asked for"),
    Endpoint("GET", _PATH, _list, Page[Dream], "dreams:read", query=DreamList, tag="dreams",
             summary="List dreams, newest first"),
    Endpoint("GET", _ITEM, _retrieve, Dream, "dreams:read", tag="dreams", summary="A dream"),
    Endpoint("POST", f"{_ITEM}/cancel", _cancel, Dream, "dreams:write", tag="dreams",
             summary="Stop a dream that has not ended"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, Dream, "dreams:write", tag="dreams",
             summary="Leave a dream that ended out of lists"),
    Endpoint("GET", f"{_ITEM}/findings", _findings, Page[Finding], "dreams:read", query=FindingList,
             tag="dreams", summary="What a dream found, the weightiest first"),
    Endpoint("GET", f"{_ITEM}/proposals", _proposals, Page[Proposal], "proposals:read",
             query=DreamProposalList, tag="dreams", summary="What a dream proposed, the most important first"),
)  # fmt: skip
