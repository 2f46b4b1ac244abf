"""The two SDKs as one: what a test says to ``sdk`` is said to the synchronous client, then, in another run
of the test, to the asynchronous one."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anthropic import AsyncAnthropic
from anthropic._base_client import AsyncPaginator, BaseAsyncPage

__all__ = ["settled"]


@contextmanager
def settled(client: AsyncAnthropic) -> Iterator[Any]:
    """The asynchronous client, its coroutines awaited and its pages walked for whoever calls."""
    with asyncio.Runner() as runner:
        yield _Settled(client, runner)


class _Settled:
    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self._inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return _Settled(found, self._runner) if _is_part(found) else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._settle(self._inner(*args, **kwargs))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._runner.run(_all(self._inner)))

    def _settle(self, value: Any) -> Any:
        if isinstance(value, AsyncPaginator) or inspect.isawaitable(value):
            value = self._runner.run(_await(value))
        return _Settled(value, self._runner) if _is_part(value) else value


def _is_part(value: Any) -> bool:
    """Whether it leads to, or is, something that must be awaited."""
    module = type(value).__module__
    page = isinstance(value, BaseAsyncPage)
    return page or callable(value) or ".resources." in module or "._response" in module


async def _await(value: Any) -> Any:
    return await value


async def _all(pages: Any) -> list[Any]:
    return [item async for item in pages]
