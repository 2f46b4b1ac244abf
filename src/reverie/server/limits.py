"""How often a key may ask: a bucket of tokens per key and kind of request, in this process's memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from reverie.domain.errors import RateLimited
from reverie.server.auth import Principal
from reverie.server.settings import Settings

__all__ = ["RateLimits"]

_MINUTE: Final = 60.0
_MOST_BUCKETS: Final = 10_000  # of keys; the one that was quiet for longest is forgotten, and is full again


class RateLimits:
    """A minute's worth may come at once; after that as many as come back per second. Callers without a key
    (loopback only) are not limited."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._per_minute = {"create": settings.creates_per_minute, "read": settings.reads_per_minute}
        self._now = now
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, principal: Principal, kind: str) -> None:
        """Count one request of ``kind`` (``create``, ``read``).

        Raises:
            RateLimited: the key has used up what it may; ``retry_after`` says when the next is free.
        """
        allowed = self._per_minute[kind]
        if principal.key_id is None or not allowed:
            return
        now, who = self._now(), (principal.key_id, kind)
        left, at = self._buckets.pop(who, (float(allowed), now))
        left = min(float(allowed), left + (now - at) * allowed / _MINUTE)
        enough = left >= 1.0
        self._buckets[who] = (left - 1.0 if enough else left, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if not enough:
            raise RateLimited(
                f"more than {allowed} {kind} requests a minute with this key",
                retry_after=(1.0 - left) * _MINUTE / allowed,
            )
