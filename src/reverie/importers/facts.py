"""What a record tells about its session besides its events, under the many names people use for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reverie.domain.events import Json
from reverie.domain.sessions import Outcome, SessionInfo
from reverie.importers.outcomes import explicit
from reverie.importers.values import fact, instant, mapping

__all__ = ["Facts", "tells_of_session", "time_of"]

_SESSION: Final = (
    *("session_id", "sessionId", "session", "conversation_id", "conversationId"),
    *("thread_id", "threadId", "chat_id", "dialog_id", "dialogue_id", "trace_id"),
)
_HEADERS: Final = frozenset(
    {"session", "session_meta", "meta", "metadata", "header", "conversation", "outcome", "result"}
)
_WHOLE: Final = ("id", "uuid", "custom_id", "run_id", "uid")  # of a whole conversation; of a message, its own
_TIMES: Final = (
    "timestamp",
    "created_at",
    "createdAt",
    "created",
    "time",
    "ts",
    "date",
    "started_at",
    "start_time",
)
_ENDS: Final = ("ended_at", "endedAt", "end_time", "finished_at", "completed_at", "updated_at")
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("user", "user_id", "userId", "username"),
    "model": ("model", "model_name", "modelName"),
    "agent": ("agent", "agent_name", "assistant", "agent_id"),
    "agent_version": ("agent_version", "version"),
    "task": ("task", "task_id", "instance_id", "problem_id", "question_id", "question_ID", "task_name"),
    "repository": ("repository", "repo"),
    "branch": ("branch", "git_branch", "gitBranch"),
    "cwd": ("cwd", "working_directory", "workdir"),
    "goal": ("goal",),
    "timezone": ("timezone", "tz"),
}
_ASIDE: Final = ("metadata", "meta", "info", "extra")
_FINAL: Final = ("outcome", "reward")
_TIMED: Final = frozenset(_TIMES)
_TOLD: Final = frozenset({*_ASIDE, *_FINAL, *(key for keys in _NAMES.values() for key in keys)})
_EXTRA: Final = 40


def time_of(record: Mapping[str, Json]) -> datetime | None:
    """When the record was made, if it says so."""
    if _TIMED.isdisjoint(record):
        return None
    return next((at for name in _TIMES if (at := instant(record.get(name))) is not None), None)


def tells_of_session(record: Mapping[str, Json]) -> bool:
    """Whether a record that is no message speaks of its session: by its type, its id or its verdict."""
    kind = record.get("type")
    if kind is None:
        return explicit(record) is not None or any(fact(record.get(name)) for name in _SESSION)
    return isinstance(kind, str) and kind in _HEADERS


@dataclass(slots=True)
class Facts:
    """Facts of one session as they turn up; the first to be told stands, but for the outcome: the last."""

    found: dict[str, str] = field(default_factory=dict[str, str])
    extra: dict[str, Json] = field(default_factory=dict[str, Json])
    outcome: Outcome = field(default_factory=Outcome)
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @staticmethod
    def session_of(record: Mapping[str, Json], *, whole: bool) -> str | None:
        """The session's id. ``whole``: the record is a session, so that its plain ``id`` is meant, too."""
        for level in _levels(record):
            for name in (*_SESSION, *(_WHOLE if whole else ())):
                value = level.get(name)
                if isinstance(value, int) and not isinstance(value, bool):
                    return str(value)
                if fact(value) is not None:
                    return fact(value)
        return None

    def learn(self, record: Mapping[str, Json], *, whole: bool) -> None:
        """Take what the record tells. ``whole`` as above."""
        if not whole and _TOLD.isdisjoint(record):  # nearly every message
            return
        for level in _levels(record):
            for name, keys in _NAMES.items():
                value = next((f for key in keys if (f := _name(level.get(key))) is not None), None)
                if value is not None:
                    self.found.setdefault(name, value)
            # Of a message, "result" or "success" may speak of one tool call.
            said = level if whole else {key: level[key] for key in _FINAL if key in level}
            outcome = explicit(said)
            if outcome is not None:
                self.outcome = outcome
        if whole:
            self.started_at = self.started_at or time_of(record)
            ends = (at for name in _ENDS if (at := instant(record.get(name))) is not None)
            self.ended_at = self.ended_at or next(ends, None)
            self._keep_rest(record)

    def _keep_rest(self, record: Mapping[str, Json]) -> None:
        named = {key for keys in _NAMES.values() for key in keys} | {*_SESSION, *_WHOLE, *_TIMES, *_ENDS}
        for level in _levels(record):
            for key, value in level.items():
                if (
                    key not in named
                    and len(self.extra) < _EXTRA
                    and isinstance(value, str | bool | int | float)
                ):
                    self.extra.setdefault(key, fact(value) if isinstance(value, str) else value)

    def info(self, format: str, native_id: str) -> SessionInfo:
        """The session's facts as they stand."""
        return SessionInfo(
            format,
            native_id,
            outcome=self.outcome,
            started_at=self.started_at,
            ended_at=self.ended_at,
            extra=self.extra,
            **self.found,
        )


def _levels(record: Mapping[str, Json]) -> Iterable[Mapping[str, Json]]:
    return (record, *(mapping(record[name]) for name in _ASIDE if mapping(record.get(name))))


def _name(value: Json) -> str | None:
    """A string that names something, or the number of it (a task's)."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else fact(value)
