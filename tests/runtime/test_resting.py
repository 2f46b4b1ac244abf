"""A thread rests when everything that was said to it was taken into account, and not a moment earlier."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reverie.domain.events import PRIMARY_THREAD
from reverie.runtime import resting
from reverie.runtime.context import SessionContext
from reverie.sessions.status import SessionState, ThreadState


@dataclass
class Written:
    """The transaction that ends a turn, as far as an ending sees it."""

    state: SessionState
    turns: list[str] = field(default_factory=list)

    def turn(self, status: str, **told: Any) -> None:
        self.turns.append(status)

    def waits(self) -> bool:
        return False


@pytest.mark.parametrize(("received", "turns"), [(2, ["idle"]), (3, [])])
def test_what_became_known_while_the_answer_was_written_was_not_answered(
    received: int, turns: list[str]
) -> None:
    context = SessionContext(lambda file: ("", b""))
    thread = context.thread(PRIMARY_THREAD)
    thread.received = 2
    ending = resting.over(cast(Any, SimpleNamespace()), context, thread, "done", heard=thread.received)
    thread.received = received  # a report, folded on the loop while another thread writes
    page = Written(SessionState(threads={PRIMARY_THREAD: ThreadState(status="running", received=received)}))
    ending(cast(Any, page))
    assert page.turns == turns
