"""``reverie.session(...)``: the session logger for any Python agent, in one line and without set-up."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reverie.app import open as open_reverie
from reverie.sessions.recorder import SessionRecorder

__all__ = ["session"]


@contextmanager
def session(
    goal: str | None = None,
    *,
    agent: str | None = None,
    user: str | None = None,
    db: str | Path | None = None,
    **facts: Any,
) -> Generator[SessionRecorder]:
    """Write one session of your agent; what was logged before a crash is there after it.

        with reverie.session(goal="file the report", agent="clerk", user="ana") as s:
            s.action("upload", path="report.docx", size_mb=62)
            s.error("413: document refused")
            s.outcome("failure")

    ``db`` is where (default as for ``reverie.open``); ``facts`` are further fields of ``SessionInfo``
    (task, model, repository, timezone …). An exception inside the block is logged, labels the session a
    failure unless it has an outcome already, and goes on its way.
    """
    with open_reverie(db) as rv, rv.session(goal, agent=agent, user=user, **facts) as recorder:
        yield recorder
