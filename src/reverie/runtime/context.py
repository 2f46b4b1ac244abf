"""What a thread's part of the log means for its next step: the conversation so far, and calls without a
result. A fold, nothing else: the log is the only state, and whoever folds it knows as much as whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast

from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject
from reverie.domain.messages import (
    AssistantTurn,
    Document,
    Image,
    Message,
    ResultPart,
    SystemTurn,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    UserTurn,
)
from reverie.orchestration.runs import Runs
from reverie.runtime.blocks import Load, parts_of, text_of
from reverie.runtime.wanted import Wanted

__all__ = ["CALLS", "RESULTS", "Call", "CallKind", "SessionContext", "ThreadContext"]

CallKind: TypeAlias = Literal["tool", "mcp", "custom"]
CALLS: Final[Mapping[str, CallKind]] = {
    "agent.tool_use": "tool",
    "agent.mcp_tool_use": "mcp",
    "agent.custom_tool_use": "custom",
}
RESULTS: Final[Mapping[str, str]] = {
    "agent.tool_result": "tool_use_id",
    "agent.mcp_tool_result": "mcp_tool_use_id",
    "user.tool_result": "tool_use_id",
    "user.custom_tool_result": "custom_tool_use_id",
}
_STATUSES: Final = {"running": True, "idle": False, "rescheduled": False, "terminated": False}
_GAVE_UP: Final = "retries_exhausted"
_OVER: Final = ("end_turn", _GAVE_UP, "refusal")
_OF_RUNS: Final = frozenset(
    {"workflow_run.created", "workflow_run.news", "span.model_request_end", "user.interrupt"}
)
_SUMMARY: Final = (
    "The conversation up to here became too long to keep whole. This is what happened in it:\n\n"
)


@dataclass(slots=True)
class Call:
    """A call without a result. ``granted``: nobody has to be asked (any more). ``begun``: the thread ran
    after it was granted, so that it may have been started."""

    id: str
    kind: CallKind
    name: str
    input: JsonObject
    server: str = ""
    granted: bool = True
    denied: str | None = None
    begun: bool = False
    own: bool = False
    """It is one of a tool of ours, that acts on the session itself."""


@dataclass(slots=True)
class ThreadContext:
    """One thread. ``due``: something was said since the model answered last."""

    name: str
    agent_name: str = ""
    parent: str | None = None
    """The thread that made it; None of the primary one."""
    run: str | None = None
    """The workflow run that it belongs to."""
    messages: list[Message] = field(default_factory=list[Message])
    open: dict[str, Call] = field(default_factory=dict[str, Call])
    due: bool = False
    running: bool = False
    interrupted: bool = False
    failures: int = 0
    """Model requests that failed since one succeeded."""
    steps: int = 0
    """Model requests since a person said something."""
    prompt_tokens: int = 0
    """How long the last request was."""
    compactions: int = 0
    """Summaries since a model request that fitted."""
    too_long: int = 0
    """Requests since then that did not fit. (Known to this process alone: whoever comes next tries again.)"""
    last_calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The latest calls since a person said something: name, input and result, as text."""
    news: int = 0
    """How often somebody else than its own model and hands said something to it."""
    received: int = 0
    """How many messages other threads sent it."""
    outcome: Wanted | None = None
    """What it works towards."""
    stopped: str | None = None
    """Why it rests; None while it works, and before it began."""
    overspent: bool = False
    """It rests because what it alone might use is spent."""
    trouble: str = ""
    """What went wrong with it last."""
    broken_off: bool = False
    """It rests because it was interrupted, or stopped by its lead."""
    unheard: bool = False
    """A person interrupted it alone, and its lead has not heard of it."""
    conflicts: list[str] = field(default_factory=list[str])
    """What it did to files that could not be taken over, in words, since it was set to work."""
    _asking: bool = False
    _heard: bool = False
    _held: list[Said] = field(default_factory=list["Said"])

    # ------------------------------------------------------------------ turns

    def hear(self, parts: Iterable[Said]) -> None:
        """Another thread said this. While the model answers, or calls have no result, it waits its turn: results
        stand right behind their calls."""
        self.news += 1
        self._held += parts
        if not self._asking:
            self.listen()

    def asked(self) -> None:
        """The model is being asked. (A request before that nobody ended was cut off.)"""
        self.listen()
        self._asking, self._heard = True, False

    @property
    def holds(self) -> bool:
        """Whether something that was said waits its turn."""
        return bool(self._held)

    def listen(self) -> None:
        """What waited its turn is said now, where nothing stands before it."""
        self._asking = False
        if self._held and not self.open:
            self.say(self._held)
            self._held, self._heard = [], True

    @property
    def judged(self) -> bool:
        """Whether its work is being judged."""
        return self.outcome is not None and self.outcome.evaluation is not None

    @property
    def working(self) -> bool:
        """Whether it is at work, or has something to do that it may do."""
        return self.running or self.stopped is None or (self.due and self.stopped != "budget_reached")

    def rest(self) -> None:
        """The turn is over. What another thread said meanwhile is answered in the next one, unless it gave up."""
        self.due, self.failures = self._heard and self.stopped != _GAVE_UP, 0

    def give_up(self) -> None:
        """The turn was broken off: what was said meanwhile is known, and waits for somebody to say more."""
        self.listen()
        self.due, self.failures = False, 0

    def say(self, parts: Iterable[Said]) -> None:
        """Somebody else than the model said this."""
        last = self.messages[-1] if self.messages else None
        if isinstance(last, UserTurn):
            cast(list[Any], last.parts).extend(parts)
        else:
            self.messages.append(UserTurn(list(parts)))
        self.due = True

    def answer(self, part: Text | Thinking | ToolCall) -> None:
        """The model said this."""
        last = self.messages[-1] if self.messages else None
        if isinstance(last, AssistantTurn):
            cast(list[Any], last.parts).append(part)
        else:
            self.messages.append(AssistantTurn([part]))

    @property
    def text(self) -> str:
        """What the model said last."""
        last = next((turn for turn in reversed(self.messages) if isinstance(turn, AssistantTurn)), None)
        parts = () if last is None else last.parts
        return "".join(part.text for part in parts if isinstance(part, Text))


class SessionContext:
    """The fold of a session's log up to event ``seq``, thread by thread.

    ``load`` gives the media type and the bytes of an uploaded file.
    """

    def __init__(self, load: Load) -> None:
        self.seq = 0
        self.threads: dict[str, ThreadContext] = {PRIMARY_THREAD: ThreadContext(PRIMARY_THREAD)}
        self.runs = Runs()
        self.teamed = False
        """There was another thread than the primary one."""
        self.changed = False
        """The session's own description was changed since this was last set to False."""
        self._load = load

    def thread(self, name: str) -> ThreadContext:
        """A thread by its name in the log."""
        return self.threads.setdefault(name, ThreadContext(name))

    def absorb(self, event: Event) -> None:
        """One more event: the next one of the log."""
        if event.seq != self.seq + 1:
            raise ValueError(f"event {event.seq} does not follow event {self.seq}")
        self.seq = event.seq
        self.fold(event)

    def skip(self, event: Event) -> None:
        """The next event of the log, which was folded before it was written."""
        self.seq = event.seq

    def fold(self, event: Event) -> None:
        """One more event, wherever in the log it will be."""
        change = _CHANGES.get(event.type)
        if change is not None:
            change(self, self.thread(event.thread), event)
        if event.type in _OF_RUNS:
            self.runs.absorb(event)

    def parts(self, content: object) -> list[ResultPart]:
        """Blocks of the wire as parts of a message."""
        return parts_of(content, self._load)


Said: TypeAlias = Text | Image | Document | ToolResult
Change: TypeAlias = Callable[[SessionContext, ThreadContext, Event], None]


# ---------------------------------------------------------------------- what others say


def _said(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    thread.news += 1
    thread.say(context.parts(event.payload.get("content")))
    _begin(thread)


def _begin(thread: ThreadContext) -> None:
    thread.steps = thread.failures = 0
    thread.last_calls = []


def _system(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    thread.messages.append(SystemTurn(text_of(event.payload.get("content"))))
    thread.due = True
    thread.news += 1


def _outcome(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    thread.outcome = Wanted(event.payload)
    thread.news += 1
    if thread.outcome.given is not None:
        return
    rubric: JsonObject = event.payload.get("rubric") or {}
    wanted = f"{event.payload.get('description', '')}\n\nThe work will be judged by this rubric:\n\n"
    thread.say([Text(wanted + str(rubric.get("content", "")))])
    _begin(thread)


def _received(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    thread.received += 1
    thread.hear(context.parts(event.payload.get("content")))
    _begin(thread)


def _evaluating(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    if thread.outcome is not None:
        thread.outcome.evaluation = event


def _evaluated(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    told, wanted = event.payload, thread.outcome
    if wanted is None or told.get("outcome_id") != wanted.id:
        return
    wanted.evaluation = None
    wanted.verdicts.append(told)
    thread.news += 1
    if told.get("result") != "needs_revision":
        thread.outcome = None
    private: JsonObject = told.get("private") or {}
    if private.get("feedback"):
        thread.say([Text(str(private["feedback"]))])
        _begin(thread)


def _interrupted(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    told = event.payload.get("session_thread_id")
    for each in [thread] if told is not None else list(context.threads.values()):
        each.news += 1
        if each.running or each.failures or each.open:
            each.interrupted = True
            each.unheard = told is not None and each.parent is not None


# ---------------------------------------------------------------------- what the model says


def _thought(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    private: JsonObject = event.payload.get("private") or {}
    thread.answer(Thinking(str(private.get("thinking", "")), private.get("details") or {}))


def _answered(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    text = text_of(event.payload.get("content"))
    if text:
        thread.answer(Text(text))


def _called(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    told = event.payload
    input: JsonObject = told.get("input") or {}
    private: JsonObject = told.get("private") or {}
    name = str(private.get("called") or told.get("name", ""))
    details: JsonObject = private.get("details") or {}
    thread.answer(ToolCall(event.id, name, input, private.get("garbled"), details))
    thread.open[event.id] = Call(
        event.id,
        CALLS[event.type],
        name,
        input,
        str(told.get("mcp_server_name", "")),
        granted=told.get("evaluated_permission") != "ask",
        begun=thread.running,
        own=bool(private.get("own")),
    )


def _confirmed(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    call = thread.open.get(str(event.payload.get("tool_use_id")))
    if call is None:
        return
    thread.news += 1
    call.granted, call.begun = True, thread.running
    if event.payload.get("result") == "deny":
        call.denied = str(event.payload.get("deny_message") or "The user did not allow this call.")


def _result(field: str) -> Change:
    def change(context: SessionContext, thread: ThreadContext, event: Event) -> None:
        id = str(event.payload.get(field))
        call = thread.open.pop(id, None)
        if call is None:
            return
        content = context.parts(event.payload.get("content")) or [Text("")]
        thread.news += event.type.startswith("user.")
        thread.say([ToolResult(id, call.name, content, bool(event.payload.get("is_error")))])
        thread.last_calls.append((f"{call.name} {call.input!r}", text_of(event.payload.get("content"))))
        del thread.last_calls[:-16]
        thread.listen()

    return change


def _asked(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    thread.asked()


def _requested(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    _counted(thread, event)
    thread.listen()


def _counted(thread: ThreadContext, event: Event) -> None:
    if event.payload.get("is_error"):
        thread.failures += not event.payload.get("interrupted")
        return
    thread.failures = 0
    if not event.payload.get("compaction"):  # whose own request was as long as what it sums up
        usage: Mapping[str, Any] = event.payload.get("model_usage") or {}
        counted = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        thread.prompt_tokens = sum(usage.get(name) or 0 for name in counted)
        thread.steps += 1
        thread.compactions = thread.too_long = 0
        thread.due = bool(event.payload.get("unfinished"))


def _compacted(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    summary = str(event.payload.get("summary", ""))
    thread.messages = [UserTurn([Text(_SUMMARY + summary)])]
    thread.compactions += 1
    thread.prompt_tokens = thread.too_long = 0
    thread.due = True


# ---------------------------------------------------------------------- statuses


def _status(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    running = _STATUSES[event.type.rpartition("_")[2]]
    if event.type.startswith("session.status_") and context.teamed:
        return  # then each thread speaks for itself
    thread.running = running
    if running:
        thread.stopped, thread.broken_off, thread.unheard = None, False, thread.unheard and thread.interrupted
        thread.conflicts = []
        for call in thread.open.values():
            call.begun = call.granted
    elif event.type.endswith("_idle"):
        reason: JsonObject = event.payload.get("stop_reason") or {}
        thread.stopped = str(reason.get("type"))
        thread.overspent = bool(reason.get("of_thread"))
        thread.broken_off = thread.interrupted or bool(reason.get("broken_off"))
        thread.interrupted = False
        if thread.broken_off:
            thread.give_up()
        elif thread.stopped in _OVER or thread.overspent:
            thread.rest()


def _created(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    context.teamed = True
    made = context.thread(str(event.payload.get("session_thread_id")))
    made.agent_name = str(event.payload.get("agent_name", ""))
    made.parent = thread.name
    made.run = event.payload.get("workflow_run_id")


def _ended(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    context.threads.pop(thread.name, None)


def _erred(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    error: JsonObject = event.payload.get("error") or {}
    message = str(error.get("message", ""))
    if error.get("trouble") != "merge_conflict":
        thread.trouble = message
    elif (whose := context.threads.get(str(error.get("session_thread_id")))) is not None:
        whose.conflicts.append(message)


def _updated(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    context.changed = True
    for each in context.threads.values():
        each.news += each.stopped == "budget_reached"  # there may be more of it now


def _limited(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    if thread.overspent:
        thread.due, thread.news = True, thread.news + 1


def _reported(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    thread.unheard = False


def _run_created(context: SessionContext, thread: ThreadContext, event: Event) -> None:
    context.teamed = True


_CHANGES: Final[Mapping[str, Change]] = {
    "user.message": _said,
    "system.message": _system,
    "user.define_outcome": _outcome,
    "user.interrupt": _interrupted,
    "user.tool_confirmation": _confirmed,
    "agent.thread_message_sent": _reported,
    "agent.thread_message_received": _received,
    "span.outcome_evaluation_start": _evaluating,
    "span.outcome_evaluation_end": _evaluated,
    "span.model_request_start": _asked,
    "agent.thinking": _thought,
    "agent.message": _answered,
    **dict.fromkeys(CALLS, _called),
    **{type: _result(field) for type, field in RESULTS.items()},
    "span.model_request_end": _requested,
    "agent.thread_context_compacted": _compacted,
    **{f"session.status_{status}": _status for status in _STATUSES},
    **{f"session.thread_status_{status}": _status for status in _STATUSES},
    "session.thread_status_terminated": _ended,
    "session.thread_created": _created,
    "session.thread_updated": _limited,
    "session.updated": _updated,
    "workflow_run.created": _run_created,
    "session.error": _erred,
}
