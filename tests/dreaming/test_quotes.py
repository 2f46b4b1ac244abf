"""A quote is read back from the event it points into; where the event was redacted it says so."""

from __future__ import annotations

from typing import Any

import pytest

from reverie.domain.events import Event
from reverie.domain.findings import Citation
from reverie.domain.observations import Span
from reverie.dreaming.check import REDACTED, quote_of


def event(*blocks: dict[str, Any]) -> Event:
    return Event("sevt_1", "sesn_1", 1, "agent.message", {"content": list(blocks)}, "k", None, "", None, b"")


def cited(path: str, start: int, end: int) -> Citation:
    return Citation("sesn_1", Span("sevt_1", 1, path, start, end))


def test_a_quote_is_verbatim() -> None:
    said = event({"type": "text", "text": "first"}, {"type": "text", "text": "the naïve 🦉 second"})
    assert quote_of(said, cited("/content/1/text", 4, 11)) == "naïve 🦉"


@pytest.mark.parametrize(
    "span", [("/content/0/text", 3, 99), ("/content/0/text", 2, 2), ("/content/7/text", 0, 1)]
)
def test_what_is_not_there_is_no_quote(span: tuple[str, int, int]) -> None:
    assert quote_of(event({"type": "text", "text": "first"}), cited(*span)) is None


def test_after_a_redaction_it_says_so() -> None:
    assert quote_of(event({"type": "redacted"}), cited("/content/0/text", 0, 5)) == REDACTED
