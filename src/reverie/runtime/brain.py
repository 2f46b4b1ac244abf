"""What a thread does next. Decides, and does nothing: what it wants is done by whoever asks it, and what came
of it is in the log when it is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from reverie.runtime.context import Call, ThreadContext

__all__ = [
    "MAX_STEPS",
    "Act",
    "Ask",
    "Close",
    "Compact",
    "Exhausted",
    "Grade",
    "Rest",
    "Rules",
    "Want",
    "decide",
]

MAX_STEPS: Final = 500
MAX_ALIKE: Final = 8
MAX_COMPACTIONS: Final = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """What the brain goes by. ``mine`` tells whether a call is run here, and not by the client;
    ``context_tokens`` is what the model can read; ``repeatable`` whether a call that was cut off may be made
    again."""

    mine: Callable[[Call], bool]
    repeatable: Callable[[Call], bool]
    context_tokens: int
    max_steps: int = MAX_STEPS


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the model."""


@dataclass(frozen=True, slots=True)
class Act:
    """Make these calls: all at once, or the only one."""

    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Close:
    """Give these calls a result that says why they have none. ``stop``: the turn ends with that."""

    calls: Sequence[tuple[Call, str]]
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Compact:
    """Sum the conversation up: it is too long for the model."""


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Give up, for this reason."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Grade:
    """Judge the work: an evaluation has begun."""


@dataclass(frozen=True, slots=True)
class Rest:
    """There is nothing to do: the turn is over, or somebody else's answers are waited for."""


Want: TypeAlias = Ask | Act | Close | Compact | Exhausted | Grade | Rest

UNKNOWN: Final = (
    "The outcome of this call is unknown: the process that made it ended before it could record a result. "
    "It may have taken effect, in whole, in part, or not at all. Find out which before you try again."
)
_INTERRUPTED: Final = (
    "This call was interrupted by the user before it had a result; what it had done by then may remain."
)


def decide(thread: ThreadContext, rules: Rules, cut_off: frozenset[str] | set[str]) -> Want:
    """The next step. ``cut_off`` are calls that may have been started by somebody who is gone."""
    if thread.interrupted:
        return Close([(call, _INTERRUPTED) for call in thread.open.values()], stop=True)
    if closed := [(call, why) for call in thread.open.values() if (why := _refused(call, rules, cut_off))]:
        return Close(closed)
    ready = [call for call in thread.open.values() if call.granted and rules.mine(call)]
    if ready:
        return Act(_together(ready, rules))
    if thread.judged:
        return Grade()
    if thread.open or not thread.due:
        return Rest()
    return _ask(thread, rules)


def _refused(call: Call, rules: Rules, cut_off: frozenset[str] | set[str]) -> str | None:
    if call.denied is not None:
        return call.denied
    if call.id in cut_off and rules.mine(call) and not rules.repeatable(call):
        return UNKNOWN
    return None


def _together(ready: Sequence[Call], rules: Rules) -> Sequence[Call]:
    """Calls that change nothing run side by side; one that does runs alone, in its turn."""
    alike: list[Call] = []
    for call in ready:
        if not rules.repeatable(call):
            break
        alike.append(call)
    return alike or ready[:1]


def _ask(thread: ThreadContext, rules: Rules) -> Want:
    if thread.steps >= rules.max_steps:
        return Exhausted(
            "tool_use_limit_reached_error", f"{thread.steps} model requests without a word from a person"
        )
    if _going_round(thread):
        return Exhausted(
            "tool_use_limit_reached_error", f"the same call gave the same result {MAX_ALIKE} times in a row"
        )
    if thread.too_long or thread.prompt_tokens > 0.8 * rules.context_tokens:
        if max(thread.compactions, thread.too_long) >= MAX_COMPACTIONS:
            return Exhausted(
                "compaction_limit_reached_error", "the conversation stays too long, summed up or not"
            )
        return Compact()
    return Ask()


def _going_round(thread: ThreadContext) -> bool:
    latest = thread.last_calls[-MAX_ALIKE:]
    return len(latest) == MAX_ALIKE and len(set(latest)) == 1
