"""The session logger: an agent of yours writes its own session, one call for each thing that happens."""

from __future__ import annotations

import itertools
import math
import numbers
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, cast

import msgspec

from reverie.domain.clock import Clock, system_clock
from reverie.domain.errors import ReverieError, UsageError
from reverie.domain.events import EventType, JsonObject, NewEvent
from reverie.domain.sessions import Outcome, OutcomeLabel, SessionInfo, Transcript
from reverie.sessions.log import SessionLog
from reverie.storage.text import json_text

__all__ = ["SessionRecorder"]

_LABELS: Final = ("success", "failure", "unknown")


class SessionRecorder:
    """Writes one session. What a call wrote is on the disk when it returns: a crash loses nothing of it.

        with reverie.session(goal="file the report", agent="clerk", user="ana") as s:
            s.user("File the report, please.")
            s.action("upload", path="report.docx", size_mb=62)
            s.error("413: document refused")
            s.outcome("failure")

    Leaving the block by an exception logs it as an error and labels the session a failure, unless it was
    labelled before; the exception goes on its way. Leaving it without an outcome leaves it "unknown".

    One recorder may be used by several threads; several recorders, in other processes too, may write the
    same session (the same ``format`` and ``native_id`` in ``info``) at the same time. Values that have no
    JSON form are logged as their ``repr``.

    Every method that writes may raise the storage errors of ``Database``.
    """

    def __init__(
        self,
        log: SessionLog,
        info: SessionInfo,
        *,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._log = log
        self._info = info
        self._clock = clock
        # Keys of this recorder, apart from those of another one that writes the same session.
        self._name = entropy(8).hex()
        self._numbers = itertools.count(1)
        self._mine = threading.local()  # the thread's last action, and whether it has an answer
        self._last: str | None = None  # the last action of any thread
        self._labelled = False
        self._entered = False
        self.id: Final[str] = log.session_id(info)
        """The session's id in the log."""

    # ------------------------------------------------------------------ what happens

    def user(self, text: str) -> str:
        """Something a person said to the agent. Gives the event's id."""
        return self._write("user.message", {"content": _content(text)})

    def message(self, text: str) -> str:
        """Something the agent said. Gives the event's id."""
        return self._write("agent.message", {"content": _content(text)})

    def action(self, name: str, /, **arguments: Any) -> str:
        """A tool the agent calls. Gives the call's id, for ``result`` or ``error`` where calls overlap;
        where one follows the other, they find the last one by themselves."""
        call = self._key()
        given = {key: _plain(value) for key, value in arguments.items()}
        payload = {"tool_use_id": call, "name": name, "input": given}
        self._write("agent.tool_use", payload, key=call)
        self._mine.action = self._last = call
        self._mine.answered = False
        return call

    def result(self, value: Any = "", *, action: str | None = None) -> str:
        """What the last action (or the one whose id is given) gave; text, or anything that has a JSON
        form. Gives the event's id.

        Raises:
            UsageError: there was no action yet.
        """
        call = action or self._last_action()
        if call is None:
            raise UsageError(
                "there is no action to give a result to", hint="call action(...) before result(...)"
            )
        return self._answer(call, value, is_error=False)

    def error(self, what: Any, *, action: str | None = None) -> str:
        """What the last action (or the one whose id is given) said when it failed: text or an exception.
        Before any action, an error of the agent's own program. Gives the event's id."""
        call = action or self._last_action()
        return self._program_error(what) if call is None else self._answer(call, what, is_error=True)

    def outcome(
        self,
        label: OutcomeLabel,
        score: float | None = None,
        *,
        source: str = "agent",
        explanation: str | None = None,
    ) -> None:
        """How the session ended, and who says so (a test, a person, the agent). The last word counts.

        Raises:
            UsageError: a label other than success, failure and unknown; a score that is not finite.
        """
        if label not in _LABELS:
            raise UsageError(f"no such outcome: {label!r}", hint=f"one of {', '.join(_LABELS)}")
        if score is not None and not math.isfinite(score):
            raise UsageError(f"a score is a finite number, not {score!r}")
        said = {"label": label, "score": score, "label_source": source, "explanation": explanation}
        event = self._event("session.outcome", {k: v for k, v in said.items() if v is not None}, self._key())
        self._labelled = True
        self._log.record(Transcript(replace(self._info, outcome=Outcome(label, score, source)), (event,)))

    # ------------------------------------------------------------------ its life

    def __enter__(self) -> SessionRecorder:
        start = self._info.started_at or self._clock()
        self._log.record(Transcript(replace(self._info, started_at=start), ()))
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._broken_off(error)
            self._log.record(Transcript(replace(self._info, ended_at=self._clock()), ()))
        except ReverieError as problem:
            if error is None:
                raise
            error.add_note(f"and the end of the session could not be logged: {problem}")

    def _broken_off(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._write("user.interrupt", {"reason": "keyboard"})
        if not isinstance(error, Exception):
            return  # leaving on purpose (sys.exit) says nothing about success
        call: str | None = None if getattr(self._mine, "answered", True) else self._mine.action
        if call is None:
            self._program_error(error)
        else:
            self._answer(call, error, is_error=True)
        if not self._labelled:
            self.outcome("failure", source="exception", explanation=_text(error))

    # ------------------------------------------------------------------ inside

    def _last_action(self) -> str | None:
        """This thread's; another's where it has none: some begin a call here and end it there."""
        return getattr(self._mine, "action", self._last)

    def _answer(self, call: str, value: Any, *, is_error: bool) -> str:
        if call == getattr(self._mine, "action", None):
            self._mine.answered = True
        payload = {"tool_use_id": call, "content": _content(value), "is_error": is_error}
        return self._write("agent.tool_result", payload)

    def _program_error(self, what: Any) -> str:
        return self._write("system.message", {"content": _content(what), "kind": "error"})

    def _write(self, type: EventType, payload: JsonObject, *, key: str | None = None) -> str:
        return self._log.append(self.id, [self._event(type, payload, key or self._key())])[0].id

    def _event(self, type: EventType, payload: JsonObject, key: str) -> NewEvent:
        if not self._entered:
            raise UsageError("the session has not begun", hint="use it as `with reverie.session(...) as s:`")
        return NewEvent(type, payload, key, at=self._clock())

    def _key(self) -> str:
        return f"{self._name}-{next(self._numbers)}"


def _content(value: Any) -> list[JsonObject]:
    return [{"type": "text", "text": _text(value)}]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return json_text(_plain(value))


def _plain(value: Any) -> Any:
    """``value`` as plain data. A logger takes what it is given: what has no JSON form becomes a text."""
    try:
        return msgspec.to_builtins(value, enc_hook=_stand_in, str_keys=True)
    except (RecursionError, TypeError, ValueError):  # endless, or a mapping with keys that cannot be text
        return _shown(value)


def _stand_in(value: Any) -> Any:
    match value:
        case numbers.Integral():  # numpy's, for one
            return int(value)
        case numbers.Real():
            return float(value)
        case os.PathLike():
            return os.fspath(cast(os.PathLike[str], value))
        case _:
            return _shown(value)


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (somebody's __repr__ must not break somebody's agent)
        return f"<{type(value).__name__}>"
