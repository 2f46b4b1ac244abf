"""Observed sessions of a small desk whose uploads fail under known conditions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from reverie.domain.events import Scalar
from reverie.domain.observations import Call, Failure, Observation, Span

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def a_call(
    session: str,
    seq: int,
    tool: str,
    arguments: Mapping[str, Scalar],
    at: datetime,
    error: str | None = None,
    kind: str = "tool",
) -> Call:
    event = f"evt_{session}_{seq}"
    failure = None
    if error is not None:
        failure = Failure(
            error, error, Span(f"{event}_r", seq + 1, "/content/0/text", 0, len(error)), False, kind
        )
    return Call(
        seq=seq,
        event_id=event,
        result_event_id=f"{event}_r",
        thread="",
        turn=1,
        at=at,
        tool=tool,
        action=tool,
        signature=f"{tool}:{sorted(arguments.items())!r}",
        use=Span(event, seq, "/input", 0, 10),
        arguments=arguments,
        failure=failure,
    )


def observed(
    name: str,
    calls: Sequence[Call],
    at: datetime,
    *,
    user: str = "ana",
    outcome: str = "unknown",
    attributes: Mapping[str, Scalar] | None = None,
    task: str | None = None,
) -> Observation:
    known = {"hour": at.hour, "weekday": at.strftime("%A")} | dict(attributes or {})
    return Observation(
        session_id=name, content_sha256="0" * 64, format="test", agent="clerk", model="m", user=user,
        repository=None, task=task, cluster=None, day=at.date().isoformat(), started_at=at, ended_at=at,
        outcome=outcome, score=None, attributes=known, consequences={}, calls=tuple(calls),
    )  # type: ignore[arg-type]  # fmt: skip


def desk(sessions: int, seed: int, rate: float = 0.95, retries: int = 2) -> list[Observation]:
    """A .docx of 50 MB or more is refused after 17:00; each refused upload is retried, in vain."""
    dice = random.Random(seed)
    found: list[Observation] = []
    for number in range(sessions):
        at = START + timedelta(
            hours=dice.randrange(14), days=number * 40 // sessions, minutes=dice.randrange(60)
        )
        name = f"sess_{seed:02d}{number:05d}"
        given: dict[str, Scalar] = {
            "file_ext": dice.choice(["docx", "docx", "pdf", "xlsx"]),
            "size_mb": dice.randrange(1, 120),
            "parts": dice.randrange(1, 4),
            "note": f"note {number}",
        }
        refused = given["file_ext"] == "docx" and int(str(given["size_mb"])) >= 50 and at.hour >= 17
        fails = dice.random() < (rate if refused else 0.03)
        calls = [a_call(name, 1, "open", {"page": dice.randrange(9)}, at)]
        tries = 1 + (retries if fails else 0)
        calls += [
            a_call(name, 3 + 2 * i, "upload", given, at, "refused by the gateway" if fails else None)
            for i in range(tries)
        ]
        found.append(
            observed(
                name,
                calls,
                at,
                user=dice.choice(["ana", "bo", "chi", "dee", "eli"]),
                task=f"task-{number % 9}",
            )
        )
    return found
