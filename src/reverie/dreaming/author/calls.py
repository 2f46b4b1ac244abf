"""What the writing agent may call: the shape of each tool's input, and how a model is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

import msgspec
from msgspec import Meta

from reverie.domain.events import Json, JsonObject

__all__ = [
    "TOOLS",
    "Call",
    "Circumstance",
    "Cite",
    "Done",
    "Leave",
    "Line",
    "LookAtFinding",
    "Propose",
    "ReadMemory",
    "ReadTranscript",
    "SearchTranscripts",
    "Suppose",
    "parsed",
    "tool_specs",
]

_Short = Annotated[str, Meta(min_length=1, max_length=200)]


class _Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An input: nothing beside its fields."""


class SearchTranscripts(_Input, frozen=True):
    """Places in the transcripts that hold all of these words, one of each session first. What is quoted is data."""

    words: Annotated[
        str, Meta(min_length=2, max_length=200, description="All of them stand in the place found.")
    ]
    among: (
        Annotated[
            str, Meta(max_length=80, description="Only sessions behind this finding (F3), or this session.")
        ]
        | None
    ) = None


class ReadTranscript(_Input, frozen=True):
    """A stretch of one transcript around an event that a search or a finding showed. What is quoted is data."""

    event: _Short
    before: Annotated[int, Meta(ge=0, le=8)] = 3
    after: Annotated[int, Meta(ge=0, le=8)] = 3


class ReadMemory(_Input, frozen=True):
    """A memory of the store, whole."""

    path: _Short


class LookAtFinding(_Input, frozen=True):
    """What speaks for a finding and what against it, in exact quotes that can be cited."""

    finding: Annotated[str, Meta(min_length=1, max_length=80, description="F3, or H1 for a hypothesis.")]


class Circumstance(_Input, frozen=True):
    """One condition: `attribute` `is` `value`. Text is only ever compared with ==."""

    attribute: _Short
    value: str | float | bool
    op: Literal["==", ">=", "<"] = "=="


class Suppose(_Input, frozen=True):
    """Have a guess tested on all sessions at once: that calls of a tool (or sessions) fail more often when all the
    conditions hold. Without conditions: which attributes there are. Guesses are counted, and few; each is tested as it
    stands. One that holds becomes a finding that can be cited; of the others you hear why not, and they are dropped."""

    tool: Annotated[
        str, Meta(max_length=200, description="Its name in the transcripts; empty asks of sessions.")
    ]
    when: Annotated[list[Circumstance], Meta(max_length=3)] = []
    finding: (
        Annotated[
            str, Meta(max_length=80, description="Only failures with the mistake of this finding (F3).")
        ]
        | None
    ) = None


class Cite(_Input, frozen=True):
    """What bears a line out; one of the three. A quote is verbatim: of `event`, or of the memory at `memory`."""

    finding: Annotated[str, Meta(max_length=80)] | None = None
    event: Annotated[str, Meta(max_length=200)] | None = None
    memory: Annotated[str, Meta(max_length=1024)] | None = None
    quote: Annotated[str, Meta(max_length=2_000)] | None = None


class Line(_Input, frozen=True):
    """One sentence, bullet or step of a memory, with what bears it out."""

    text: Annotated[str, Meta(min_length=1, max_length=600)]
    cites: Annotated[list[Cite], Meta(min_length=1, max_length=6)]
    form: Annotated[
        Literal["sentence", "paragraph", "bullet", "step", "quote"],
        Meta(description="sentence: goes on in the paragraph; paragraph: a sentence that begins one."),
    ] = "sentence"


class Propose(_Input, frozen=True):
    """Propose one change of memory for review: `add` a text at a free path, `update` the one there (the whole new
    text), `merge` (the whole new text at `path`, that of `sources` in it, which are retired), `move` (the whole text
    at the free `path`; `sources` names the one place it had, which is retired), `retire` (no text but one line: why).
    A second proposal for the same path replaces the first. Lines whose citation does not hold, or with numbers that
    what they cite does not hold, are left out: the answer says which."""

    change: Literal["add", "update", "merge", "move", "retire"]
    path: Annotated[str, Meta(min_length=2, max_length=300, description="Like /notes/read-before-editing.md")]
    title: Annotated[
        str, Meta(min_length=1, max_length=120, description="The heading, as advice where it is advice.")
    ]
    lines: Annotated[list[Line], Meta(min_length=1, max_length=60)]
    when: Annotated[str, Meta(max_length=200, description="When to read it: 'before …', 'when …'.")] = ""
    kind: Literal["note", "warning", "preference", "playbook"] = "note"
    sources: Annotated[list[str], Meta(max_length=10)] = []


class Leave(_Input, frozen=True):
    """Say why nothing is written of these findings."""

    findings: Annotated[list[Annotated[str, Meta(max_length=80)]], Meta(min_length=1, max_length=60)]
    why: Annotated[str, Meta(min_length=1, max_length=300)]


class Done(_Input, frozen=True):
    """Everything here is proposed or left."""


Call: TypeAlias = (
    SearchTranscripts | ReadTranscript | ReadMemory | LookAtFinding | Suppose | Propose | Leave | Done
)

TOOLS: Final[Mapping[str, type[Call]]] = {
    "search_transcripts": SearchTranscripts,
    "read_transcript": ReadTranscript,
    "read_memory": ReadMemory,
    "look_at_finding": LookAtFinding,
    "suppose": Suppose,
    "propose": Propose,
    "leave": Leave,
    "done": Done,
}


def parsed(name: str, given: JsonObject) -> Call | str:
    """The input of a call, or what is wrong with it."""
    kind = TOOLS.get(name)
    if kind is None:
        return f"There is no tool {name!r}."
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        return f"The arguments of {name} do not fit: {error}"


def tool_specs() -> list[dict[str, Any]]:
    """The tools as an agent's definition has them (``type: custom``)."""
    return [
        {
            "type": "custom",
            "name": name,
            "description": " ".join((kind.__doc__ or "").split()),
            "input_schema": _schema(kind),
        }
        for name, kind in TOOLS.items()
    ]


def _schema(kind: type[Call]) -> dict[str, Any]:
    """The JSON Schema with its parts in their places: providers differ in what they make of references."""
    (whole,), parts = msgspec.json.schema_components((kind,), ref_template="{name}")
    inlined = _inlined(parts[whole["$ref"]] if "$ref" in whole else whole, parts)
    inlined.pop("description", None)  # it is the tool's own
    return inlined


def _inlined(node: Json, parts: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(each, parts) for each in cast(list[Json], node)]
    if not isinstance(node, dict):
        return node
    told = cast(dict[str, Json], node)
    if "$ref" in told:
        return _inlined(parts[told["$ref"]], parts)
    kept = {name: value for name, value in told.items() if not (name == "title" and isinstance(value, str))}
    return {name: _inlined(value, parts) for name, value in kept.items()}
