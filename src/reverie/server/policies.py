"""Review policies over HTTP."""

from __future__ import annotations

from typing import Any, Final

from reverie.domain.policies import GROWING, MEMORY_KINDS, Policy
from reverie.domain.resources import Cursor
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.wire.policies import (
    ReviewPolicy,
    ReviewPolicyArchive,
    ReviewPolicyCreate,
    ReviewPolicyList,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/review_policies"
_ITEM: Final = f"{_PATH}/{{review_policy_id}}"


def _create(call: Call[ReviewPolicyCreate, None]) -> ReviewPolicy:
    asked = call.body
    made = call.house.policies.add(
        call.house.stores.get(asked.memory_store_id).id,
        by=_author(call, asked.author),
        kinds=asked.kinds or GROWING,
        memory_kinds=asked.memory_kinds or MEMORY_KINDS,
        min_sessions=asked.min_sessions,
        min_users=asked.min_users,
        min_days=asked.min_days,
        max_risk=asked.max_risk,
        why=asked.why,
    )
    return _shown(made)


def _retrieve(call: Call[None, None]) -> ReviewPolicy:
    return _shown(call.house.policies.get(call.path["review_policy_id"]))


def _list(call: Call[None, ReviewPolicyList]) -> Page[ReviewPolicy]:
    query = call.query
    store = query.memory_store_id
    found = call.house.policies.list(
        store and call.house.stores.get(store).id,
        archived=None if query.include_archived else False,
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, _place, _shown)


def _archive(call: Call[ReviewPolicyArchive, None]) -> ReviewPolicy:
    by = _author(call, call.body.author)
    return _shown(call.house.policies.archive(call.path["review_policy_id"], by=by))


def _author(call: Call[Any, None], author: str | None) -> str:
    """The key, and the person it speaks for."""
    actor = call.principal.actor
    return actor if author is None else f"{author} ({actor})"


def _shown(policy: Policy) -> ReviewPolicy:
    return ReviewPolicy(
        id=policy.id,
        archived_at=policy.archived_at,
        created_at=policy.created_at,
        kinds=list(policy.kinds),
        max_risk=policy.max_risk,
        memory_kinds=list(policy.memory_kinds),
        memory_store_id=policy.store_id,
        min_days=policy.min_days,
        min_sessions=policy.min_sessions,
        min_users=policy.min_users,
        why=policy.why,
        written_by=policy.by,
    )


def _place(policy: Policy) -> Cursor:
    return policy.created_at, policy.id


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, ReviewPolicy, "policies:write", body=ReviewPolicyCreate,
             tag="review policies", summary="Say what may enter a memory store without review"),
    Endpoint("GET", _PATH, _list, Page[ReviewPolicy], "policies:read", query=ReviewPolicyList,
             tag="review policies", summary="List review policies, newest first"),
    Endpoint("GET", _ITEM, _retrieve, ReviewPolicy, "policies:read", tag="review policies",
             summary="A review policy"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, ReviewPolicy, "policies:write", body=ReviewPolicyArchive,
             tag="review policies", summary="Let it apply nothing any more, for good"),
)  # fmt: skip
