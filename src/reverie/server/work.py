"""Work queues over HTTP: what workers of self-hosted environments call, and what people look at."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import anyio
import msgspec
from anyio import to_thread

from reverie.domain.work import Lease, WorkItem
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.errors import WireError
from reverie.server.paging import after, page
from reverie.server.wire.work import (
    Heartbeat,
    HeartbeatAsk,
    Poll,
    SessionWork,
    Stats,
    StopAsk,
    Work,
    WorkList,
    WorkUpdate,
)
from reverie.workspaces.work import RECLAIM, WorkQueue, last_heartbeat

__all__ = ["ENDPOINTS"]

_PAUSE: Final = 0.1  # seconds between two looks at a queue that is waited for
_PATH: Final = "/v1/environments/{environment_id}/work"
_ITEM: Final = f"{_PATH}/{{work_id}}"
_LONGEST: Final = 255


async def _poll(call: Call[None, Poll]) -> Work | None:
    queue, environment = call.house.work, call.path["environment_id"]
    worker = call.request.headers.get("anthropic-worker-id")
    run = partial(to_thread.run_sync, limiter=call.server.threads)
    await run(queue.note, environment, None if worker is None else worker[:_LONGEST])
    asked = call.query.reclaim_older_than_ms
    reclaim = RECLAIM if asked is None else timedelta(milliseconds=asked)
    patience = anyio.current_time() + (call.query.block_ms or 0) / 1000
    while True:
        item = None
        with anyio.CancelScope(shield=True):  # what was claimed is answered, not lost
            item = await run(_claimed, queue, environment, reclaim)
        if item is not None:
            return _work(item, await run(_secret, call, item))
        if anyio.current_time() >= patience or call.server.closing.is_set():
            return None
        await anyio.sleep(_PAUSE)


def _secret(call: Call[None, Poll], item: WorkItem) -> str:
    """What the SDK's worker takes its credential from. Where there are no keys, any word is one."""
    token, who = "none-needed", call.principal
    if who.key_id is not None:
        token = call.house.work.token(item.environment_id, item.id, who.may, by=who.actor)
    return urlsafe_b64encode(msgspec.json.encode({"sessions_token": token})).decode()


def _claimed(queue: WorkQueue, environment: str, reclaim: timedelta) -> WorkItem | None:
    return queue.poll(environment, reclaim) if queue.waiting(environment, reclaim) else None


def _retrieve(call: Call[None, None]) -> Work:
    return _work(call.house.work.get(*_ids(call.path)))


def _update(call: Call[WorkUpdate, None]) -> Work:
    return _work(call.house.work.update(*_ids(call.path), call.body.metadata))


def _list(call: Call[None, WorkList]) -> Page[Work]:
    limit = call.query.limit
    found = call.house.work.list(call.path["environment_id"], after=after(call.query.page), limit=limit + 1)
    return page(found, limit, lambda item: (item.created_at, item.id), _work)


def _ack(call: Call[None, None]) -> Work:
    return _work(call.house.work.acknowledge(*_ids(call.path)))


def _heartbeat(call: Call[None, HeartbeatAsk]) -> Heartbeat:
    lease = call.house.work.heartbeat(
        *_ids(call.path),
        expected=call.query.expected_last_heartbeat,
        ttl=call.query.desired_ttl_seconds,
    )
    if not lease.held:
        raise _lost(lease)
    return Heartbeat(
        last_heartbeat=last_heartbeat(lease.item) or "",
        lease_extended=lease.extended,
        state=lease.item.state,
        ttl_seconds=lease.item.ttl_seconds,
    )


def _stop(call: Call[StopAsk, None]) -> Work:
    by = call.principal.actor
    return _work(call.house.work.stop(*_ids(call.path), force=call.body.force, by=by))


def _stats(call: Call[None, None]) -> Stats:
    found = call.house.work.stats(call.path["environment_id"])
    return Stats(
        depth=found.depth,
        oldest_queued_at=found.oldest_queued_at,
        pending=found.pending,
        workers_polling=found.workers_polling,
    )


def _ids(path: Mapping[str, str]) -> tuple[str, str]:
    return path["environment_id"], path["work_id"]


def _lost(lease: Lease) -> WireError:
    current = {
        "last_heartbeat": last_heartbeat(lease.item),
        "lease_extended": False,
        "state": lease.item.state,
        "ttl_seconds": lease.item.ttl_seconds,
    }
    return WireError(
        "`expected_last_heartbeat` is not the last heartbeat: another worker may hold this item",
        status=412,
        type="precondition_failed_error",
        details={"error_code": "heartbeat_precondition_failed", "current_state": current},
    )


def _work(item: WorkItem, secret: str | None = None) -> Work:
    return Work(
        id=item.id,
        acknowledged_at=item.acknowledged_at,
        created_at=item.created_at,
        data=SessionWork(id=item.session_id),
        environment_id=item.environment_id,
        latest_heartbeat_at=last_heartbeat(item),
        metadata=dict(item.metadata),
        secret=secret,
        started_at=item.started_at,
        state=item.state,
        stop_requested_at=item.stop_requested_at,
        stopped_at=item.stopped_at,
    )


ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _list, Page[Work], "work:read", query=WorkList, tag="work",
             summary="List an environment's items, newest first"),
    Endpoint("GET", f"{_PATH}/poll", _poll, Work | None, "work:write", query=Poll, tag="work",
             summary="Claim the oldest item; null when there is none"),
    Endpoint("GET", f"{_PATH}/stats", _stats, Stats, "work:read", tag="work", summary="How the queue stands"),
    Endpoint("GET", _ITEM, _retrieve, Work, "work:read", tag="work", summary="An item"),
    Endpoint("POST", _ITEM, _update, Work, "work:write", body=WorkUpdate, tag="work",
             summary="Patch an item's metadata"),
    # What workers do all the time makes nothing: it counts as reading.
    Endpoint("POST", f"{_ITEM}/ack", _ack, Work, "work:write", rate="read", tag="work",
             summary="Take a claimed item on"),
    Endpoint("POST", f"{_ITEM}/heartbeat", _heartbeat, Heartbeat, "work:write", query=HeartbeatAsk,
             rate="read", tag="work", summary="Keep an item"),
    Endpoint("POST", f"{_ITEM}/stop", _stop, Work, "work:write", body=StopAsk, rate="read", tag="work",
             summary="Stop an item"),
)  # fmt: skip
