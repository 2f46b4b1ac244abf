"""Dreams on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import field

from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire

__all__ = [
    "CreateNew",
    "CreateNewAsk",
    "Dream",
    "DreamBudget",
    "DreamBudgetAsk",
    "DreamCreate",
    "DreamError",
    "DreamEstimate",
    "DreamForecast",
    "DreamInput",
    "DreamList",
    "DreamModel",
    "DreamOutput",
    "DreamUsage",
    "MemoryStoreInput",
    "MemoryStoreInputAsk",
    "ModelAsk",
    "OutputBehavior",
    "Propose",
    "ProposeAsk",
    "SessionsInput",
    "SessionsInputAsk",
    "UpdateExisting",
    "UpdateExistingAsk",
]

Status: TypeAlias = Literal["pending", "running", "completed", "failed", "canceled"]
ModelId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]


class MemoryStoreInput(Wire, tag_field="type", tag="memory_store"):
    """The store that is read."""

    memory_store_id: str


class SessionsInput(Wire, tag_field="type", tag="sessions"):
    """The sessions that are read, in order of id."""

    session_ids: list[str]


DreamInput: TypeAlias = MemoryStoreInput | SessionsInput


class DreamModel(Wire):
    """The model that was asked for. ``none``: none was, and the templates write."""

    id: str
    speed: Literal["standard", "fast"] | None = "standard"


class CreateNew(Wire, tag_field="type", tag="create_new"):
    """The result goes into a copy of the store."""


class UpdateExisting(Wire, tag_field="type", tag="update_existing"):
    """The result goes into the store itself."""

    memory_store_id: str


class Propose(Wire, tag_field="type", tag="propose"):
    """The result waits for review (ours)."""


OutputBehavior: TypeAlias = CreateNew | UpdateExisting | Propose


class DreamOutput(Wire):
    """The store that the result is in."""

    memory_store_id: str
    type: Literal["memory_store"] = "memory_store"


class DreamError(Wire):
    """Why a dream failed."""

    message: str
    type: str


class DreamBudget(Wire):
    """The most tokens that the model may use, input and output, cached or not (ours)."""

    max_tokens: int


class DreamEstimate(Wire):
    """What the model is expected to use, in tokens, told before it is asked; ``read_everything`` is what reading each
    transcript once would take (ours)."""

    input_tokens: int
    output_tokens: int
    read_everything: int


class DreamForecast(Wire):
    """What a dream would take that is not asked for yet (ours). ``model`` is the one that would write, by its whole
    name; ``none``: the templates would, which use no tokens, and ``fell_back`` says why, where a model was named.
    ``budget`` is the most it may use."""

    budget: DreamBudget | None
    estimate: DreamEstimate | None
    fell_back: str | None
    model: DreamModel
    session_count: int
    type: Literal["dream_estimate"] = "dream_estimate"


class DreamUsage(Wire):
    """Tokens that were used: none, where no model was."""

    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Dream(Wire):
    """A dream. Ours are ``budget``, ``estimate``, ``fell_back`` (why the templates wrote it, or a part of it, where a model
    was asked for), ``notices``, ``proposals_applied`` (``proposals_applied_by_policy`` of them by review policies),
    ``proposals_pending``, ``stage`` and ``written_by``."""

    id: str
    archived_at: Timestamp | None
    budget: DreamBudget | None
    created_at: Timestamp
    ended_at: Timestamp | None
    error: DreamError | None
    estimate: DreamEstimate | None
    fell_back: str | None
    inputs: list[DreamInput]
    instructions: str | None
    model: DreamModel
    notices: list[str]
    output_behavior: OutputBehavior
    outputs: list[DreamOutput]
    proposals_applied: int
    proposals_applied_by_policy: int
    proposals_pending: int
    session_id: str | None
    stage: str | None
    status: Status
    usage: DreamUsage
    written_by: list[str]
    type: Literal["dream"] = "dream"


class MemoryStoreInputAsk(Ask, tag_field="type", tag="memory_store"):
    """The store to read."""

    memory_store_id: Id


class SessionsInputAsk(Ask, tag_field="type", tag="sessions"):
    """The sessions to read, imported ones too; more than 100 are taken."""

    session_ids: Annotated[list[Id], Meta(min_length=1, max_length=10_000)]


class ModelAsk(Ask):
    """A model as an object."""

    id: ModelId
    speed: Literal["standard"] | None = None


class CreateNewAsk(Ask, tag_field="type", tag="create_new"):
    """Into a copy of the store (the default)."""


class UpdateExistingAsk(Ask, tag_field="type", tag="update_existing"):
    """Into the store itself, which must be the input."""

    memory_store_id: Id


class ProposeAsk(Ask, tag_field="type", tag="propose"):
    """Into nothing: what was found waits for review."""


class DreamBudgetAsk(Ask):
    """The most tokens that the model may use, input and output, cached or not (ours). What is left to write then, the
    templates write."""

    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000_000)]


class DreamCreate(Ask):
    """A new dream: over exactly one memory store, and exactly one list of sessions."""

    inputs: Annotated[list[MemoryStoreInputAsk | SessionsInputAsk], Meta(min_length=2, max_length=2)]
    model: ModelId | ModelAsk
    budget: DreamBudgetAsk | None = None
    instructions: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    output_behavior: CreateNewAsk | UpdateExistingAsk | ProposeAsk | UnsetType = UNSET


class DreamList(Ask):
    """A page of dreams, newest first."""

    created_at_gt: Timestamp | None = field(name="created_at[gt]", default=None)
    created_at_lt: Timestamp | None = field(name="created_at[lt]", default=None)
    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
    statuses: list[Status] = field(default_factory=list[Status])
