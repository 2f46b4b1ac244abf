"""The check stage: nothing reaches review that does not hold when looked at again.

Every quote is read back from the log, every count is taken again from the sessions a finding names, and
every text is looked over for secrets, size, and words that try to command its reader. What fails is not
dropped in silence: it is withheld, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from reverie.domain.dreams import Withheld
from reverie.domain.errors import NotFound
from reverie.domain.events import Event, Json, JsonObject, text_parts
from reverie.domain.findings import Citation, Finding
from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory, content_sha256
from reverie.domain.observations import Observation
from reverie.domain.proposals import Proposal
from reverie.dreaming.desk import Draft
from reverie.dreaming.writing import Written
from reverie.review.checks import examine

__all__ = ["REDACTED", "check", "quote_of"]

REDACTED: Final = "[redacted]"


def quote_of(event: Event, citation: Citation) -> str | None:
    """The cited stretch of ``event``, verbatim; None when the event holds no such place.

    A part that was redacted after the finding was made reads ``[redacted]``.
    """
    span = citation.span
    for part in text_parts(event.type, event.payload):
        if part.path == span.path:
            quote = part.text[span.start : span.end]
            return quote if len(quote) == span.end - span.start and quote else None
    return REDACTED if _is_redacted(event) else None


def _is_redacted(event: Event) -> bool:
    content = event.payload.get("content")
    blocks = cast(list[Json], content) if isinstance(content, list) else []
    return any(isinstance(b, dict) and cast(JsonObject, b).get("type") == "redacted" for b in blocks)


def check(
    drafts: Sequence[Written],
    findings: Mapping[str, Finding],
    observations: Mapping[str, Observation],
    memories: Sequence[Memory],
    *,
    event: Callable[[str], Event],
    leaks: Callable[[str], bool],
    store_id: str,
    dream_id: str,
    now: datetime,
) -> tuple[list[Proposal], list[Withheld]]:
    """The drafts that hold, as proposals in their order, and the rest with the reason.

    ``event`` reads an event by id, ``leaks`` says whether a text holds a secret.
    """
    proposals: list[Proposal] = []
    withheld: list[Withheld] = []
    for each in drafts:
        draft = each.draft
        doubt = _doubt(draft, findings, observations, memories, event, leaks)
        if doubt is None:
            proposals.append(_proposal(each, store_id, dream_id, now))
        else:
            withheld.append(Withheld(draft.findings[0], draft.title, doubt))
    return proposals, withheld


def _doubt(
    draft: Draft,
    findings: Mapping[str, Finding],
    observations: Mapping[str, Observation],
    memories: Sequence[Memory],
    event: Callable[[str], Event],
    leaks: Callable[[str], bool],
) -> str | None:
    for finding_id in draft.findings:
        finding = findings[finding_id]
        doubt = _unquotable(finding, event) or _miscounted(finding, observations)
        if doubt is not None:
            return doubt
    others = [memory for memory in memories if memory.path != draft.path]
    for note in examine(draft.content, path=draft.path, memories=others, leaks=leaks):
        if note.severity == "error":
            return note.text
    return None


def _unquotable(finding: Finding, event: Callable[[str], Event]) -> str | None:
    if not finding.evidence:
        return "it cites nothing"
    for citation in (*finding.evidence, *finding.counter_evidence):
        try:
            quote = quote_of(event(citation.span.event_id), citation)
        except NotFound:
            return f"it cites the event {citation.span.event_id}, which is not in the log"
        if quote is None:
            return f"its quote is not found in the event {citation.span.event_id}"
        if quote == REDACTED and citation in finding.evidence:  # the text may hold what was taken out
            return f"what it quotes was redacted, in the event {citation.span.event_id}"
    return None


def _miscounted(finding: Finding, observations: Mapping[str, Observation]) -> str | None:
    """Counts taken again from the sessions themselves, by other code than the miner's."""
    if any(session_id not in observations for session_id in finding.sessions):
        return "it counts a session that was not read"
    seen = [observations[session_id] for session_id in finding.sessions]
    again = {
        "sessions": len({o.session_id for o in seen}),
        "users": _distinct(o.user for o in seen),
        "agents": _distinct(o.agent for o in seen),
    }
    for name, number in again.items():
        claimed = getattr(finding.counts, name)
        if claimed != number:
            return f"it claims {claimed} {name}; counted again there are {number}"
    return None


def _distinct(values: Iterable[str | None]) -> int:
    return len({value for value in values if value is not None})


def _proposal(each: Written, store_id: str, dream_id: str, now: datetime) -> Proposal:
    draft, base = each.draft, each.base
    base_sha256 = None if base is None else base.content_sha256
    return Proposal(
        id=derived_id(
            "prop", store_id, draft.path, content_sha256(draft.content), base_sha256 or "", draft.idea
        ),
        dream_id=dream_id,
        store_id=store_id,
        kind=draft.kind,
        path=draft.path,
        title=draft.title,
        content=draft.content,
        base_sha256=base_sha256,
        base_content=None if base is None else base.content,
        idea=draft.idea,
        evidence_weight=each.weight,
        findings=each.findings,
        risk=each.risk,
        origins=each.origins,
        writer=each.writer,
        status="pending",
        created_at=now,
        cites=len(draft.findings),
    )
