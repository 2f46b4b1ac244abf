"""Observations: what one session shows, once, in a form that miners can count.

An observation is a pure function of a session's events and is cached by their hash. Text is referred
to, never copied in bulk: a ``Span`` points into a text part of an event, and the quote it stands for
is read back from the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from reverie.domain.events import Scalar
from reverie.domain.sessions import OutcomeLabel

__all__ = ["Call", "Failure", "Observation", "Remark", "RemarkKind", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text in an event: ``text_parts(event)[path][start:end]`` (code points)."""

    event_id: str
    seq: int
    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A tool call that failed.

    ``template`` is the error's text with everything variable masked: the same mistake in two sessions
    has the same template. ``example`` is the unmasked line. ``hidden`` is true when the tool itself
    reported success (``is_error`` false, exit code 0 or none) and only the text shows the failure.
    ``kind`` says what complained: lint, compile, test, exception, conflict, refused, shell, usage, http,
    timeout, tool (the tool's own refusal), error (anything else that says so), exit (a bad status and
    not a word).
    """

    template: str
    example: str
    span: Span
    hidden: bool
    kind: str = "error"


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call with its result.

    ``action`` is the call normalised for comparison across sessions ("Bash: go test", "Edit: .go"),
    ``signature`` identifies the exact call (equal signatures: the same call again, a plain retry).
    ``arguments`` are typed attributes of the call, known *before* it was made (scalar arguments under
    their own names, and derived ones such as ``file_ext``); ``after`` holds what its result told (how
    long it took, how much it gave, its exit status) and is never a cause of how it ended. ``result_event_id`` is None when the log has no result for the call.
    ``ran`` is False for a call that never ran: a person refused it, or it was cancelled with another.
    ``also`` holds further, different complaints of one result (a linter's other rules).
    ``own`` names the arguments whose values the agents came up with: they stood nowhere before (``mining.hearing``).
    """

    seq: int
    event_id: str
    result_event_id: str | None
    thread: str
    turn: int
    at: datetime | None
    tool: str
    action: str
    signature: str
    use: Span
    arguments: Mapping[str, Scalar]
    failure: Failure | None
    ran: bool = True
    also: tuple[Failure, ...] = ()
    after: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    own: tuple[str, ...] = ()


RemarkKind = Literal[
    "request",  # what a person asked for first, or next
    "correction",  # a person negates or redirects what the agent did
    "rule",  # a person dictates how things are to be done ("always", "never", "use X, not Y")
    "denial",  # a person refused a tool call, perhaps saying why
    "interrupt",  # a person stopped the agent
]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a person said or did. ``text`` is short and verbatim: the sentence that counts.

    ``signature`` is the normalised wording for grouping near-duplicates; ``about`` the action of the
    agent's last call before it, if any.
    """

    kind: RemarkKind
    span: Span
    text: str
    signature: str
    at: datetime | None
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One session, observed.

    ``attributes`` is one typed row of what was known *before* the outcome; ``consequences`` holds what
    may be a consequence of failing (durations, retries, counts) and is kept apart so that no miner
    mistakes a symptom for a cause. ``cluster`` stands in for the task where none is known: a signature
    of the first request. ``untrusted``: its agent read what neither a person typed nor it wrote itself: results
    of tools, other agents' and programs' messages, attachments; what it said and did after may follow that.
    ``timezone`` is the IANA name of the zone in which hours and weekdays are told (None: UTC).
    ``memory`` names what it read of memory, the same text the same name (None: nothing); calls that do no more than
    read memory are not among ``calls``.
    """

    session_id: str
    content_sha256: str
    format: str
    agent: str | None
    model: str | None
    user: str | None
    repository: str | None
    task: str | None
    cluster: str | None
    day: str | None
    started_at: datetime | None
    ended_at: datetime | None
    outcome: OutcomeLabel
    score: float | None
    attributes: Mapping[str, Scalar]
    consequences: Mapping[str, Scalar]
    calls: tuple[Call, ...] = ()
    remarks: tuple[Remark, ...] = ()
    untrusted: bool = field(default=False)
    timezone: str | None = None
    memory: str | None = None
