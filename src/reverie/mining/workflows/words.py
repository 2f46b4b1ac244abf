"""A workflow in words: its steps as instructions, and when it is called for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.findings import OriginClass
from reverie.domain.observations import Call, Observation
from reverie.mining.phrasing import code
from reverie.mining.tools import tool_kind
from reverie.mining.wording import signature, words_of
from reverie.mining.workflows.sequences import Array, indices

__all__ = ["Occasion", "occasion_of", "told"]

ONE_TASK: Final = 0.8
SPEAKS: Final = 0.6
LIFT: Final = 2.0
MAX_WORDS: Final = 3


@dataclass(frozen=True, slots=True)
class Occasion:
    """When a workflow is called for: a clause ("" where nothing sets its sessions apart), and whether it is
    made of people's words."""

    clause: str
    said: bool = False

    @property
    def origins(self) -> tuple[OriginClass, ...]:
        return ("agent", "user") if self.said else ("agent",)


def told(calls: Sequence[Call]) -> list[str]:
    """Steps as instructions: ``call `open```, ```check_in```, ``run `go test```; a verb is not said twice in a row."""
    said: list[str] = []
    last = ""
    for call in calls:
        verb, thing = _instruction(call)
        said.append(thing if verb == last else f"{verb} {thing}")
        last = verb
    return said


def _instruction(call: Call) -> tuple[str, str]:
    kind, rest = tool_kind(call.tool, {}), call.action.partition(": ")[2]
    if not rest:
        return "call", code(call.tool)
    if kind == "agent":
        return "call", f"{code(call.tool)} ({rest})"
    if not rest.startswith("."):
        return "run", code(rest)
    if kind in ("edit", "look"):
        return "edit" if kind == "edit" else "read", f"a {code(rest)} file"
    return "call", f"{code(call.tool)} on a {code(rest)} file"


def occasion_of(sessions: Sequence[Observation], members: Array) -> Occasion:
    """What the sessions with the workflow have in common and the others lack: a task, words of the request."""
    inside = [sessions[i] for i in indices(members)]
    outside = [sessions[i] for i in indices(~members)]
    tasks = Counter(o.task for o in inside)
    task, n = max(tasks.items(), key=lambda item: (item[1], item[0] or ""))
    if task is not None and n >= ONE_TASK * len(inside):
        return Occasion(f"in the task {task}")
    words = _shared_words(inside, outside)
    return Occasion(f"when a request speaks of {_listed(words)}", said=True) if words else Occasion("")


def _shared_words(inside: Sequence[Observation], outside: Sequence[Observation]) -> tuple[str, ...]:
    """Words of the first request in most sessions of the one group, and far fewer of the other."""
    here, written = _spoken(inside)
    there, _ = _spoken(outside)
    shares = ((n / len(inside), there[stem] / max(1, len(outside)), stem) for stem, n in here.items())
    telling = [(-share, stem) for share, other, stem in shares if share >= SPEAKS and share >= LIFT * other]
    return tuple(written[stem] for _, stem in sorted(telling)[:MAX_WORDS])


def _spoken(sessions: Iterable[Observation]) -> tuple[Counter[str], Mapping[str, str]]:
    """How many sessions use each content word (by its stem) in the first request, and how it is mostly written."""
    counts: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = {}
    for o in sessions:
        opening = next((r.text for r in o.remarks if r.kind == "request"), "")
        words = {word.lower() for word in words_of(opening) if word.isalpha() and len(word) > 2}
        stems = {word: stem for word in words if (stem := signature(word)) not in ("", "not")}
        counts.update(set(stems.values()))
        for word, stem in stems.items():
            forms.setdefault(stem, Counter())[word] += 1
    return counts, {stem: min(c, key=lambda w: (-c[w], w)) for stem, c in forms.items()}


def _listed(words: Sequence[str]) -> str:
    quoted = [f"“{w}”" for w in words]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]
