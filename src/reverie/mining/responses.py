"""What was done after a failure, in words that compare: the same again, something first, something changed,
something else instead.

A response is judged by the next attempt at the same thing (the same tool or program; for a file tool the
same file): it worked when that attempt did not fail. One vote a session and response: a loop of retries is
one piece of evidence, not many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from reverie.domain.events import Scalar
from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.identity import units_of
from reverie.mining.phrasing import code
from reverie.mining.templates import mask
from reverie.mining.tools import kind_of

__all__ = ["RETRY", "UNTOLD", "Response", "Trial", "responses_to"]

HORIZON: Final = 6  # calls after a failure within which an answer to it is looked for
MAX_SHAPE: Final = 40
RETRY: Final = "retry"
UNTOLD: Final = "changed:otherwise"
"""The start of labels of changes that cannot be said in words (another query, another command)."""

How = Literal["retry", "first", "changed", "instead"]

_VOLATILE: Final = frozenset(
    {"description", "timeout", "timeout_ms", "thought", "programs", "masked_status", "command_chars"}
)
_FILE_KEYS: Final = ("file_path", "path", "notebook_path")
_INDEX = re.compile(r"\.\d+(?=\.|$)")


@dataclass(frozen=True, slots=True)
class Response:
    """``label`` compares across sessions, ``words`` says it to a person ("call `check_in` first")."""

    how: How
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One response to one failure, and whether it worked. ``answer`` is the call that decides it."""

    observation: Observation
    failed: Call
    failure: Failure
    response: Response
    worked: bool
    answer: Call


def responses_to(
    observation: Observation, calls: Sequence[Call], failed: Call, failure: Failure
) -> Iterator[Trial]:
    """The trial that follows a failed call, if something was tried at all.

    ``calls`` are the session's, in order; only those of the same thread made after the failure was known.
    """
    after = [
        c
        for c in calls
        if c.thread == failed.thread and c.seq > failure.span.seq and c.ran and c.result_event_id
    ]
    after = [c for c in after[: 2 * HORIZON] if kind_of(c.tool) != "plan"][:HORIZON]
    if not after:
        return
    first = after[0]
    again = next((c for c in after if _same_thing(failed, c)), None)
    if again is None:
        if _comparable(failed, first):
            yield Trial(observation, failed, failure, _instead(failed, first), first.failure is None, first)
        return
    worked = again.failure is None
    if again is first:
        response = _changed(failed, again)
    elif first.failure is None:
        response = _first(failed, first)
    else:
        return
    yield Trial(observation, failed, failure, response, worked, again)


def _same_thing(failed: Call, other: Call) -> bool:
    """Whether a later call is another attempt at the same thing."""
    if units_of(failed)[-1] != units_of(other)[-1]:
        return False
    return not _is_edit(failed) or _file(failed) == _file(other)


def _is_edit(call: Call) -> bool:
    return kind_of(call.tool) == "edit"


def _file(call: Call) -> Scalar:
    return next((call.arguments[k] for k in _FILE_KEYS if k in call.arguments), None)


def _comparable(failed: Call, other: Call) -> bool:
    """Whether another tool can stand in for the one that failed: it is called with much the same arguments."""
    if kind_of(failed.tool) != "other" or kind_of(other.tool) != "other" or failed.tool == other.tool:
        return False
    given = {name: v for name, v in failed.arguments.items() if name not in _VOLATILE}
    shared = sum(other.arguments.get(name, _ABSENT) == value for name, value in given.items())
    return shared > 0 and 2 * shared >= len(given)


_ABSENT: Final = object()


def _first(failed: Call, step: Call) -> Response:
    unit = units_of(step)[-1]
    again = code(units_of(failed)[-1])
    return Response("first", f"first:{unit}", f"{code(unit)} first, then {again} again")


def _instead(failed: Call, other: Call) -> Response:
    unit = units_of(other)[-1]
    return Response("instead", f"instead:{unit}", f"{code(unit)} instead of {code(units_of(failed)[-1])}")


def _changed(failed: Call, again: Call) -> Response:
    if failed.signature == again.signature:
        return Response("retry", RETRY, f"{code(units_of(failed)[-1])} again, unchanged")
    before, after = _command(failed), _command(again)
    if before is not None and after is not None:
        return _other_words(failed, before, after)
    return _other_arguments(failed, failed.arguments, again.arguments)


def _command(call: Call) -> list[str] | None:
    """The words of a short command line; None where it was too long to keep."""
    for key in ("command", "cmd"):
        text = call.arguments.get(key)
        if isinstance(text, str):
            return text.split()
    return None


def _other_words(failed: Call, before: list[str], after: list[str]) -> Response:
    """The flags a command gained and lost; where none did, that it was another command."""
    gained = [w for w in after if w.startswith("-") and w not in before]
    lost = [w for w in before if w.startswith("-") and w not in after]
    unit = code(units_of(failed)[-1])
    parts = [f"with {code(' '.join(gained[:3]))}"] if gained else []
    parts += [f"without {code(' '.join(lost[:3]))}"] if lost else []
    if not parts:
        return Response("changed", f"{UNTOLD}:command", f"{unit} with other arguments")
    label = f"changed:+{' '.join(sorted(gained[:3]))}-{' '.join(sorted(lost[:3]))}"
    return Response("changed", label, f"{unit} {' and '.join(parts)}")


def _other_arguments(failed: Call, before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> Response:
    """Which argument changed, and from what kind of value to what, where one alone did."""
    unit = code(units_of(failed)[-1])
    changed = {k for k in {*before, *after} if before.get(k, _ABSENT) != after.get(k, _ABSENT)} - _VOLATILE
    names = sorted({_base(k) for k in changed})
    if len(names) != 1:
        shown = ", ".join(code(n) for n in names[:3])
        return Response("changed", f"changed:{'+'.join(names[:4])}", f"{unit} with another {shown or 'text'}")
    name = names[0]
    given = [{_base(k) for k in arguments} for arguments in (before, after)]
    if (name in given[0]) != (name in given[1]):
        word = "with" if name in given[1] else "without"
        return Response("changed", f"changed:{word}:{name}", f"{unit} {word} {code(name)}")
    place = min(k for k in changed if _base(k) == name)
    old, new = _shape(before.get(place)), _shape(after.get(place))
    if isinstance(old, float) and isinstance(new, float):
        word = "lower" if new < old else "higher"
        return Response("changed", f"changed:{name}:{word}", f"{unit} with a {word} {code(name)}")
    if old is None or new is None or old == new:
        return Response("changed", f"{UNTOLD}:{name}", f"{unit} with another {code(name)}")
    return Response(
        "changed", f"changed:{name}:{old}→{new}", f"{unit} with {code(name)} {new} instead of {old}"
    )


def _base(name: str) -> str:
    """An argument's name without the place in a list and without what is derived from it."""
    return _INDEX.sub("", name).removesuffix("_chars").removesuffix("_count")


def _shape(value: Scalar) -> str | float | None:
    """A value to compare by kind: a number, or a word whose digits do not matter; None for free text."""
    if isinstance(value, str):
        shape = re.sub(r"\d+", "#", mask(value) if "/" in value else value)
        return shape if len(shape) <= MAX_SHAPE and " " not in shape else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)
