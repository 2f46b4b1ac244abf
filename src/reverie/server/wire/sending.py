"""Events as a client sends them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Wire
from reverie.server.wire.blocks import MessageAsk, ResultAsk, SystemAsk
from reverie.server.wire.grading import GraderAsk

__all__ = [
    "MAX_INITIAL",
    "ConfirmationAsk",
    "CustomToolResultAsk",
    "FileRubric",
    "InitialAsk",
    "InterruptAsk",
    "OutcomeAsk",
    "SendAsk",
    "SystemMessageAsk",
    "TextRubric",
    "ToolResultAsk",
    "UserMessageAsk",
]

MAX_INITIAL = 50

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]


class TextRubric(Wire, tag_field="type", tag="text"):
    """A rubric as text or Markdown."""

    content: Annotated[str, Meta(min_length=1, max_length=262_144)]


class FileRubric(Wire, tag_field="type", tag="file"):
    """A rubric that was uploaded."""

    file_id: Id


class UserMessageAsk(Ask, tag_field="type", tag="user.message"):
    """Something a person says."""

    content: MessageAsk


class InterruptAsk(Ask, tag_field="type", tag="user.interrupt"):
    """Stop: the thread named, or all."""

    session_thread_id: Id | None = None


class ConfirmationAsk(Ask, tag_field="type", tag="user.tool_confirmation"):
    """Yes or no to a call that asked."""

    result: Literal["allow", "deny"]
    tool_use_id: Id
    deny_message: Annotated[str, Meta(max_length=10_000)] | None = None


class CustomToolResultAsk(Ask, tag_field="type", tag="user.custom_tool_result"):
    """What a custom tool gave."""

    custom_tool_use_id: Id
    content: ResultAsk | None = None
    is_error: bool | None = None


class ToolResultAsk(Ask, tag_field="type", tag="user.tool_result"):
    """What a built-in tool gave that ran in a self-hosted environment."""

    tool_use_id: Id
    content: ResultAsk | None = None
    is_error: bool | None = None


class OutcomeAsk(Ask, tag_field="type", tag="user.define_outcome"):
    """What is wanted, and how it will be graded. Ours is ``grader``."""

    description: Annotated[str, Meta(min_length=1)]
    rubric: TextRubric | FileRubric
    max_iterations: Annotated[int, Meta(ge=1, le=20)] | None = None
    grader: GraderAsk | None = None


class SystemMessageAsk(Ask, tag_field="type", tag="system.message"):
    """A turn of the system's, behind what it accompanies."""

    content: Annotated[list[SystemAsk], Meta(min_length=1, max_length=1_000)]


EventAsk: TypeAlias = (
    UserMessageAsk
    | InterruptAsk
    | ConfirmationAsk
    | CustomToolResultAsk
    | ToolResultAsk
    | OutcomeAsk
    | SystemMessageAsk
)
InitialAsk: TypeAlias = Annotated[list[UserMessageAsk | OutcomeAsk], Meta(max_length=MAX_INITIAL)]


class SendAsk(Ask):
    """Events for a session, taken all or none."""

    events: Annotated[list[EventAsk], Meta(min_length=1)]
